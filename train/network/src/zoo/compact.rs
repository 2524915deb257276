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
pub(super) const SUMMARY: &str = "accurate and fast: conv 5×5 (20) → pool 3 → act → conv 3×3 (40) → pool 2 → act → dense 96 → act → dense 10";

pub(super) fn network() -> Network {
    let (input, normalisation) = super::digits();
    let activation = || Layer::Activation(Nonlinearity::Exact(Activation::Relu));
    let convolution = |out_channels, kernel| Layer::Convolution {
        out_channels,
        kernel,
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
            convolution(20, 5), // [20, 24, 24]
            pool(3),            // [20, 8, 8]
            Layer::BatchNorm,
            activation(),
            convolution(40, 3), // [40, 6, 6]
            pool(2),            // [40, 3, 3]
            Layer::BatchNorm,
            activation(),
            Layer::Dense { outputs: 96 },
            Layer::BatchNorm,
            activation(),
            Layer::Dense { outputs: 10 },
        ],
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn activations_have_1736_outputs() {
        assert_eq!(super::network().activation_outputs(), 1280 + 360 + 96);
    }
}
