//! The least that reads digits: 100 look-ups of 4 bits.
//!
//! As `lookup`, but with so few look-ups that every one of them chooses its own 15 pixels, anywhere in the image.

use super::{Width, activated, four_bits, pixels_of_one_bit};
use crate::{Layer, Network};

pub(super) const NAME: &str = "lookup-tiny";
pub(super) const SUMMARY: &str =
    "for 100 look-ups of 4 bits: pixels of 1 bit → dense 100 → act of 16 values → dense 10";

pub(super) fn network(width: Width) -> Network {
    let mut layers = vec![pixels_of_one_bit()];
    layers.push(Layer::Dense {
        outputs: width.of(100),
    });
    layers.extend(activated());
    layers.extend([four_bits(), Layer::Dense { outputs: 10 }]);
    super::of_digits(NAME, layers)
}

#[cfg(test)]
mod tests {
    use super::super::Width;

    #[test]
    fn there_are_100_activations() {
        assert_eq!(super::network(Width::FULL).activation_outputs(), 100);
    }
}
