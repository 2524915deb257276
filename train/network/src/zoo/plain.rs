//! A plain network for photographs: three times a strided convolution and one that keeps the size, each with an
//! activation.
//!
//! Strides in place of pools keep the number of activation outputs low, and with it the price of encryption; six
//! quadratics fit a ring of degree 16384 at 128 bits.

use super::{Width, activated, convolution};
use crate::{Layer, Network};

pub(super) const NAME: &str = "plain";
pub(super) const SUMMARY: &str =
    "for CIFAR-10: 3 × {conv 4×4/2 → act → conv 3×3 → act} (64, 256, 256 maps) → dense 10";

pub(super) fn network(width: Width) -> Network {
    let mut layers = Vec::new();
    for channels in [64, 256, 256] {
        // [64, 16, 16] → [256, 8, 8] → [256, 4, 4]
        layers.push(convolution(width.of(channels), 4, 2, 1));
        layers.extend(activated());
        layers.push(convolution(width.of(channels), 3, 1, 1));
        layers.extend(activated());
    }
    layers.push(Layer::Dense { outputs: 10 });
    super::of_photographs(NAME, super::chain(layers))
}

#[cfg(test)]
mod tests {
    use super::super::Width;

    #[test]
    fn six_activations_have_73728_outputs() {
        let network = super::network(Width::FULL);
        assert_eq!(network.depth(), 6);
        assert_eq!(
            network.activation_outputs(),
            2 * (64 * 256 + 256 * 64 + 256 * 16)
        );
    }
}
