//! A LeNet with mean pooling and three activations, for accuracy.
//!
//! Pooling after a convolution merges into it when the network is evaluated: 5×5 and a 2×2 mean are one 6×6 convolution
//! of stride 2. So it costs as many activations as a strided convolution, and forgives small shifts as those do not.
//!
//! # References
//! - LeCun et al. (1998), *Gradient-based learning applied to document recognition*, for convolution – pooling twice;
//!   here with mean pooling, batch norm before each activation and other widths.

use crate::{Layer, Network, Nonlinearity};
use approx::Activation;

pub(super) const NAME: &str = "pooled";
pub(super) const SUMMARY: &str = "for accuracy: conv 5×5 (16) → pool → act → conv 5×5 (48) → pool → act → dense 128 → act → dense 10";

pub(super) fn network() -> Network {
    let (input, normalisation) = super::digits();
    let activation = || Layer::Activation(Nonlinearity::Exact(Activation::Relu));
    let convolution = |out_channels| Layer::Convolution {
        out_channels,
        kernel: 5,
        stride: 1,
        padding: 0,
    };
    let pool = || Layer::MeanPool {
        kernel: 2,
        stride: 2,
    };
    Network {
        name: NAME.to_owned(),
        input,
        normalisation,
        layers: vec![
            convolution(16), // [16, 24, 24]
            pool(),          // [16, 12, 12]
            Layer::BatchNorm,
            activation(),
            convolution(48), // [48, 8, 8]
            pool(),          // [48, 4, 4]
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
    fn activations_have_3200_outputs() {
        assert_eq!(super::network().activation_outputs(), 2304 + 768 + 128);
    }
}
