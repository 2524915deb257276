//! The shape of airbench94, with mean pools in place of max pools, which encryption cannot do.
//!
//! A 2×2 convolution (whitening there, trained here), then three blocks of {conv 3×3 → pool → act → conv 3×3 → act}
//! with 64, 256 and 256 maps. 118 million multiply-accumulates and 2.0 million parameters.
//!
//! # References
//! - Jordan (2024), *94 % on CIFAR-10 in 3.29 seconds on a single GPU*, arXiv 2404.00498.

use super::{Width, activated, convolution, pool};
use crate::{Layer, Network};

pub(super) const NAME: &str = "airbench";
pub(super) const SUMMARY: &str = "for CIFAR-10, after airbench94: conv 2×2 → act → 3 × {conv 3×3 → pool → act → conv 3×3 → act} (64, 256, 256 maps) → pool → dense 10";

pub(super) fn network(width: Width) -> Network {
    let mut layers = vec![convolution(width.of(24), 2, 1, 0)]; // [24, 31, 31]
    layers.extend(activated());
    for channels in [64, 256, 256] {
        // [64, 15, 15] → [256, 7, 7] → [256, 3, 3]
        layers.extend([convolution(width.of(channels), 3, 1, 1), pool(2)]);
        layers.extend(activated());
        layers.push(convolution(width.of(channels), 3, 1, 1));
        layers.extend(activated());
    }
    layers.push(pool(3)); // [256, 1, 1]
    layers.push(Layer::Dense { outputs: 10 });
    super::of_photographs(NAME, super::chain(layers))
}

#[cfg(test)]
mod tests {
    use super::super::Width;

    #[test]
    fn it_has_118_million_multiply_accumulates_and_seven_activations() {
        let network = super::network(Width::FULL);
        // Convolutions of 31², 31², 15², 15², 7², 7² and 3² positions, and the dense layer.
        let expected = 961 * 24 * 12
            + 961 * 64 * 216
            + 225 * 64 * 576
            + 225 * 256 * 576
            + 49 * 256 * 2304
            + 49 * 256 * 2304
            + 9 * 256 * 2304
            + 2560;
        assert_eq!(network.multiply_accumulates(), expected);
        assert_eq!(expected / 1_000_000, 118);
        assert_eq!(network.depth(), 7);
    }
}
