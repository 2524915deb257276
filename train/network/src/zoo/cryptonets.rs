//! The network of CryptoNets, with a batch norm before each activation.
//!
//! # References
//! - Gilad-Bachrach et al. (2016), *CryptoNets*, ICML: convolution 5×5 stride 2 with 5 maps, one zero of padding, so
//!   28×28 → 5 × 13 × 13 = 845 values, a square, 100 dense outputs, a square, 10 dense outputs.

use super::{Width, activated, convolution};
use crate::{Layer, Network};

pub(super) const NAME: &str = "cryptonets";
pub(super) const SUMMARY: &str =
    "CryptoNets for MNIST: conv 5×5/2 (5 maps) → act → dense 100 → act → dense 10";

pub(super) fn network(width: Width) -> Network {
    let mut layers = vec![convolution(width.of(5), 5, 2, 1)]; // [5, 13, 13]
    layers.extend(activated());
    layers.push(Layer::Dense {
        outputs: width.of(100),
    });
    layers.extend(activated());
    layers.push(Layer::Dense { outputs: 10 });
    super::of_digits(NAME, layers)
}

#[cfg(test)]
mod tests {
    #[test]
    fn activations_have_845_and_100_outputs() {
        assert_eq!(super::network(super::Width::FULL).activation_outputs(), 945);
    }
}
