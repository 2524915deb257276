//! A network for one image at a time, whose activations are tables of 16 entries.
//!
//! Pixels are black or white, so a filter of integers `q` with `Σ|q| ≤ 15` gives one of 16 values, which a look-up of
//! 4 bits takes in; what comes out is one of 16 values again, and costs no more than one of two. Filters are large and
//! lie far apart: with as many look-ups in all, many different filters at few places tell more than few filters at
//! many places. The dense layer behind is looked up by nobody, so nothing limits its sums.
//!
//! The limit on filters is a matter of training: `accumulator_levels` in the recipe.

use super::{Width, activated, convolution, four_bits, pixels_of_one_bit};
use crate::{Layer, Network};

pub(super) const NAME: &str = "lookup";
pub(super) const SUMMARY: &str = "for look-ups of 4 bits: pixels of 1 bit → conv 10×10/6 (50 maps) → act of 16 values → dense 10";

pub(super) fn network(width: Width) -> Network {
    let mut layers = vec![pixels_of_one_bit()];
    layers.push(convolution(width.of(50), 10, 6, 0)); // [50, 4, 4]
    layers.extend(activated());
    layers.extend([four_bits(), Layer::Dense { outputs: 10 }]);
    super::of_digits(NAME, layers)
}

#[cfg(test)]
mod tests {
    use super::super::Width;

    #[test]
    fn there_are_800_activations() {
        let network = super::network(Width::FULL);
        assert_eq!(network.activation_outputs(), 50 * 4 * 4);
        assert_eq!(network.multiply_accumulates(), 800 * 100 + 800 * 10);
    }
}
