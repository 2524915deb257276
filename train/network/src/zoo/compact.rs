//! Three activations with few outputs, for accuracy at encrypted speed.
//!
//! Encrypted, a layer costs by its outputs: those of the second linear layer after a square are relinearised and
//! rescaled, one ciphertext each. So the images shrink at once: 5×5 and a 3×3 mean are one 7×7 convolution of stride 3
//! when the network is evaluated, and leave 8×8 positions where `pooled` has 12×12.
//!
//! # References
//! - LeCun et al. (1998), *Gradient-based learning applied to document recognition*, for convolution – pooling twice.

use super::{Width, activated, convolution, pool};
use crate::{Layer, Network};

pub(super) const NAME: &str = "compact";
pub(super) const SUMMARY: &str = "accurate and fast: conv 5×5 (24) → pool 3 → act → conv 5×5 (72) → pool 2 → act → dense 128 → act → dense 10";

pub(super) fn network(width: Width) -> Network {
    let mut layers = vec![
        convolution(width.of(24), 5, 1, 0), // [24, 24, 24]
        pool(3),                            // [24, 8, 8]
    ];
    layers.extend(activated());
    layers.extend([
        convolution(width.of(72), 5, 1, 0), // [72, 4, 4]
        pool(2),                            // [72, 2, 2]
    ]);
    layers.extend(activated());
    layers.push(Layer::Dense {
        outputs: width.of(128),
    });
    layers.extend(activated());
    layers.push(Layer::Dense { outputs: 10 });
    super::of_digits(NAME, layers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn activations_have_1952_outputs() {
        let outputs = network(Width::FULL).activation_outputs();
        assert_eq!(outputs, 1536 + 288 + 128);
    }
}
