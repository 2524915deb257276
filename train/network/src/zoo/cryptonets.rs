//! The network of CryptoNets, with a batch norm before each activation.
//!
//! # References
//! - Gilad-Bachrach et al. (2016), *CryptoNets*, ICML: convolution 5×5 stride 2 with 5 maps, one zero of padding, so
//!   28×28 → 5 × 13 × 13 = 845 values, a square, 100 dense outputs, a square, 10 dense outputs.

use crate::{Layer, Network, Nonlinearity};
use approx::Activation;

pub(super) const NAME: &str = "cryptonets";
pub(super) const SUMMARY: &str =
    "CryptoNets for MNIST: conv 5×5/2 (5 maps) → act → dense 100 → act → dense 10";

pub(super) fn network() -> Network {
    let (input, normalisation) = super::digits();
    let activation = || Layer::Activation(Nonlinearity::Exact(Activation::Relu));
    Network {
        name: NAME.to_owned(),
        input,
        normalisation,
        layers: vec![
            Layer::Convolution {
                out_channels: 5,
                kernel: 5,
                stride: 2,
                padding: 1,
            }, // [5, 13, 13]
            Layer::BatchNorm,
            activation(),
            Layer::Dense { outputs: 100 },
            Layer::BatchNorm,
            activation(),
            Layer::Dense { outputs: 10 },
        ],
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn activations_have_845_and_100_outputs() {
        assert_eq!(super::network().activation_outputs(), 945);
    }
}
