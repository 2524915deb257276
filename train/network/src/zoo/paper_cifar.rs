//! What others read out of the CIFAR-10 model of CryptoDL (unverified: the paper's drawing is not readable to us).
//!
//! Three, two and three convolutions with 96, 192 and 192 maps, batch norm after each, an activation after each group
//! only, and ten dense outputs. The readings disagree on kernels and strides; here kernels are 3×3, and the first
//! convolution of the second and third group halves the image, as does the mean pool before the dense layer.
//!
//! # References
//! - Hesamifard, Takabi, Ghasemi (2017), *CryptoDL*, arXiv 1711.05189.

use super::{Width, activated, convolution, pool};
use crate::{Layer, Network};

pub(super) const NAME: &str = "paper-cifar";
pub(super) const SUMMARY: &str = "a reading of CryptoDL's network for CIFAR-10: 3, 2 and 3 conv 3×3 (96, 192, 192 maps) with one act each → dense 10";

pub(super) fn network(width: Width) -> Network {
    let mut layers = Vec::new();
    for (channels, convolutions, stride) in [(96, 3, 1), (192, 2, 2), (192, 3, 2)] {
        // [96, 32, 32] → [192, 16, 16] → [192, 8, 8]
        for index in 0..convolutions {
            let stride = if index == 0 { stride } else { 1 };
            layers.push(convolution(width.of(channels), 3, stride, 1));
            if index + 1 < convolutions {
                layers.push(Layer::BatchNorm);
            }
        }
        layers.extend(activated());
    }
    layers.push(pool(2)); // [192, 4, 4]
    layers.push(Layer::Dense { outputs: 10 });
    super::of_photographs(NAME, super::chain(layers))
}

#[cfg(test)]
mod tests {
    use super::super::Width;
    use crate::Layer;

    #[test]
    fn eight_convolutions_have_a_batch_norm_each_and_three_activations() {
        let network = super::network(Width::FULL);
        let count = |wanted: fn(&Layer) -> bool| network.layers().filter(|l| wanted(l)).count();
        assert_eq!(count(|layer| matches!(layer, Layer::Convolution { .. })), 8);
        assert_eq!(count(|layer| matches!(layer, Layer::BatchNorm)), 8);
        assert_eq!(network.depth(), 3);
        assert_eq!(
            network.activation_outputs(),
            96 * 1024 + 192 * 256 + 192 * 64
        );
    }
}
