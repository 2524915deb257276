//! A residual network: three stages of a convolution that narrows the image and a block that is added to what enters it.
//!
//! A block is {conv 3×3 → act → conv 3×3}, and an activation follows the sum, as in the first residual networks. The
//! batch norms cost nothing when encrypted; what a skip connection carries past an activation costs two squares a value.
//!
//! # References
//! - He, Zhang, Ren, Sun (2016), *Deep residual learning for image recognition*, arXiv 1512.03385, figure 2.

use super::{Width, activated, convolution, pool};
use crate::{Layer, Network};

pub(super) const NAME: &str = "residual";
pub(super) const SUMMARY: &str = "for CIFAR-10, residual: 3 × {conv 3×3 → pool → act → [conv 3×3 → act → conv 3×3] + input → act} (48, 128, 256 maps) → pool → dense 10";

pub(super) fn network(width: Width) -> Network {
    let mut layers = Vec::new();
    for channels in [48, 128, 256] {
        // [48, 16, 16] → [128, 8, 8] → [256, 4, 4]
        layers.extend(stage(width.of(channels)));
    }
    layers.extend([pool(4), Layer::Dense { outputs: 10 }]); // [256, 1, 1]
    super::of_photographs(NAME, layers)
}

/// A convolution that halves the image, and a block of two more that is added to what enters it.
pub(super) fn stage(channels: usize) -> Vec<Layer> {
    let same = || convolution(channels, 3, 1, 1);
    let mut layers = vec![same(), pool(2)];
    layers.extend(activated());
    layers.extend([Layer::Skip, same()]);
    layers.extend(activated());
    layers.extend([same(), Layer::BatchNorm, Layer::Add]);
    layers.extend(activated());
    layers
}

#[cfg(test)]
mod tests {
    use super::super::Width;

    #[test]
    fn it_has_nine_activations_in_sequence() {
        let network = super::network(Width::FULL);
        assert_eq!(network.depth(), 9);
        // A stage has three activations, and its skip connection passes one of them.
        let stage = |channels: usize, side: usize| (3 + 2) * channels * side * side;
        let expected = stage(48, 16) + stage(128, 8) + stage(256, 4);
        assert_eq!(network.activation_outputs(), expected);
    }
}
