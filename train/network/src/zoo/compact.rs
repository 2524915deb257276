//! Three activations with few outputs, for accuracy at encrypted speed.
//!
//! Encrypted, a layer costs by its outputs: those of the second linear layer after a square are relinearised and
//! rescaled, one ciphertext each. So the images shrink at once: 5×5 and a 3×3 mean are one 7×7 convolution of stride 3
//! when the network is evaluated, and leave 8×8 positions where `pooled` has 12×12.
//!
//! # References
//! - LeCun et al. (1998), *Gradient-based learning applied to document recognition*, for convolution – pooling twice.

use crate::{Layer, Network, Nonlinearity};
use approx::Activation;

pub(super) const NAME: &str = "compact";
pub(super) const SUMMARY: &str = "accurate and fast: conv 5×5 (24) → pool 3 → act → conv 5×5 (72) → pool 2 → act → dense 128 → act → dense 10";

pub(super) fn network() -> Network {
    let (input, normalisation) = super::digits();
    let activation = || Layer::Activation(Nonlinearity::Exact(Activation::Relu));
    let convolution = |out_channels| Layer::Convolution {
        out_channels,
        kernel: 5,
        stride: 1,
        padding: 0,
    };
    let pool = |size| Layer::MeanPool {
        kernel: size,
        stride: size,
    };
    Network {
        name: NAME.to_owned(),
        input,
        normalisation,
        layers: vec![
            convolution(24), // [24, 24, 24]
            pool(3),         // [24, 8, 8]
            Layer::BatchNorm,
            activation(),
            convolution(72), // [72, 4, 4]
            pool(2),         // [72, 2, 2]
            Layer::BatchNorm,
            activation(),
            Layer::Dense { outputs: 128 },
            Layer::BatchNorm,
            activation(),
            Layer::Dense { outputs: 10 },
        ],
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn activations_have_1952_outputs() {
        assert_eq!(super::network().activation_outputs(), 1536 + 288 + 128);
    }
}
