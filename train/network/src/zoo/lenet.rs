//! The wide sibling of `pooled`: a LeNet with mean pooling, 32 and 80 maps and three activations.
//!
//! # References
//! - LeCun et al. (1998), *Gradient-based learning applied to document recognition*, for convolution – pooling twice.

use super::{Width, activated, convolution, pool};
use crate::{Layer, Network};

pub(super) const NAME: &str = "lenet";
pub(super) const SUMMARY: &str = "LeNet for digits: conv 5×5 (32) → pool → act → conv 5×5 (80) → pool → act → dense 204 → act → dense 10";

pub(super) fn network(width: Width) -> Network {
    let mut layers = Vec::new();
    for channels in [32, 80] {
        // [32, 24, 24] → [32, 12, 12] → [80, 8, 8] → [80, 4, 4]
        layers.extend([convolution(width.of(channels), 5, 1, 0), pool(2)]);
        layers.extend(activated());
    }
    layers.push(Layer::Dense {
        outputs: width.of(204),
    });
    layers.extend(activated());
    layers.push(Layer::Dense { outputs: 10 });
    super::of_digits(NAME, layers)
}

#[cfg(test)]
mod tests {
    use super::super::Width;

    #[test]
    fn activations_have_6092_outputs_and_there_are_329_thousand_parameters() {
        let network = super::network(Width::FULL);
        assert_eq!(network.activation_outputs(), 4608 + 1280 + 204);
        // 32·25 + 80·32·25 + 204·1280 + 10·204 weights; 326 biases and 316 pairs of gamma and beta.
        assert_eq!(
            network.parameters(),
            Ok(800 + 64_000 + 261_120 + 2_040 + 326 + 2 * 316)
        );
    }
}
