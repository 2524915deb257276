//! A LeNet with mean pooling and three activations, for accuracy.
//!
//! Pooling after a convolution merges into it when the network is evaluated: 5×5 and a 2×2 mean are one 6×6 convolution
//! of stride 2. So it costs as many activations as a strided convolution, and forgives small shifts as those do not.
//!
//! # References
//! - LeCun et al. (1998), *Gradient-based learning applied to document recognition*, for convolution – pooling twice;
//!   here with mean pooling, batch norm before each activation and other widths.

use super::{Width, activated, convolution, pool};
use crate::{Layer, Network};

pub(super) const NAME: &str = "pooled";
pub(super) const SUMMARY: &str = "for accuracy: conv 5×5 (16) → pool → act → conv 5×5 (48) → pool → act → dense 128 → act → dense 10";

pub(super) fn network(width: Width) -> Network {
    let mut layers = Vec::new();
    for channels in [16, 48] {
        // [16, 24, 24] → [16, 12, 12] → [48, 8, 8] → [48, 4, 4]
        layers.extend([convolution(width.of(channels), 5, 1, 0), pool(2)]);
        layers.extend(activated());
    }
    layers.push(Layer::Dense {
        outputs: width.of(128),
    });
    layers.extend(activated());
    layers.push(Layer::Dense { outputs: 10 });
    super::of_digits(NAME, layers)
}

#[cfg(test)]
mod tests {
    #[test]
    fn activations_have_3200_outputs() {
        assert_eq!(
            super::network(super::Width::FULL).activation_outputs(),
            2304 + 768 + 128
        );
    }
}
