//! A network for one image at a time: 600 look-ups with 16 boxes on half the torus.
//!
//! Pixels are black or white, and each of 600 sums reads any of them with a weight from -3 to 3. With a sine behind it, a
//! sum may be as large as it likes: the sine repeats with the opposite sign after half a turn, as a look-up does, so 16
//! boxes hold it. With any other activation the sum itself must take 16 values, and keeps 15 pixels. What comes out is one
//! of 4 values. More would cost nothing here, but the dense layer behind: nobody looks up its sums, so that nothing limits
//! them, but they must decrypt exactly, and the noise of a look-up is that of a set of 4 bits.
//!
//! No batch norm: weights in front of a sine have a step that is a share of half a turn, for all of them the same. See
//! `accumulator_levels` in the recipe.

use super::{Width, pixels_of_one_bit, relu, two_bits};
use crate::{Layer, Network};

pub(super) const NAME: &str = "lookup";
pub(super) const SUMMARY: &str =
    "for look-ups of 4 bits: pixels of 1 bit → dense 600 → act of 4 values → dense 10";

pub(super) fn network(width: Width) -> Network {
    of_look_ups(NAME, width.of(600))
}

/// The network with so many look-ups.
pub(super) fn of_look_ups(name: &str, count: usize) -> Network {
    let layers = vec![
        pixels_of_one_bit(),
        Layer::Dense { outputs: count },
        relu(),
        two_bits(),
        Layer::Dense { outputs: 10 },
    ];
    super::of_digits(name, layers)
}

#[cfg(test)]
mod tests {
    use super::super::Width;

    #[test]
    fn there_are_600_activations() {
        let network = super::network(Width::FULL);
        assert_eq!(network.activation_outputs(), 600);
        assert_eq!(network.multiply_accumulates(), 600 * 784 + 600 * 10);
    }
}
