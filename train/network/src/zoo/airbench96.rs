//! The shape of airbench96 at the widths of airbench94, with mean pools in place of max pools, which encryption cannot do.
//!
//! A 2×2 convolution without an activation (whitening there, trained here), then three blocks of {conv 3×3 → pool → act →
//! [conv 3×3 → act → conv 3×3] + input → act}. The wide second stage is what it has over `residual`.
//!
//! # References
//! - Jordan (2024), *94 % on CIFAR-10 in 3.29 seconds on a single GPU*, arXiv 2404.00498, section 4.

use super::{Width, convolution, pool, residual};
use crate::{Layer, Network, Nodes, ValueId};

pub(super) const NAME: &str = "airbench96";
pub(super) const SUMMARY: &str = "for CIFAR-10, after airbench96: conv 2×2 → 3 × {conv 3×3 → pool → act → [conv 3×3 → act → conv 3×3] + input → act} (64, 256, 256 maps) → pool → dense 10";

pub(super) fn network(width: Width) -> Network {
    let mut nodes = Nodes::new();
    let first = [convolution(width.of(24), 2, 1, 0), Layer::BatchNorm]; // [24, 31, 31]
    let mut value = nodes.then_all(ValueId::INPUT, first);
    for channels in [64, 256, 256] {
        // [64, 15, 15] → [256, 7, 7] → [256, 3, 3]
        value = residual::stage(&mut nodes, value, width.of(channels));
    }
    nodes.then_all(value, [pool(3), Layer::Dense { outputs: 10 }]); // [256, 1, 1]
    super::of_photographs(NAME, nodes)
}

#[cfg(test)]
mod tests {
    use super::super::Width;

    #[test]
    fn it_has_nine_activations_in_sequence() {
        let network = super::network(Width::FULL);
        assert_eq!(network.depth(), 9);
        // A block has three activations.
        let block = |channels: usize, side: usize| 3 * channels * side * side;
        let expected = block(64, 15) + block(256, 7) + block(256, 3);
        assert_eq!(network.activation_outputs(), expected);
    }
}
