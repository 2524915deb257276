//! A residual network: three stages of a convolution that narrows the image and a block that is added to what enters it.
//!
//! A block is {conv 3×3 → act → conv 3×3}, and an activation follows the sum, as in the first residual networks. The
//! batch norms and the sums cost nothing when encrypted.
//!
//! # References
//! - He, Zhang, Ren, Sun (2016), *Deep residual learning for image recognition*, arXiv 1512.03385, figure 2.

use super::{Width, activated, convolution, pool};
use crate::{Layer, Network, Nodes, ValueId};

pub(super) const NAME: &str = "residual";
pub(super) const SUMMARY: &str = "for CIFAR-10, residual: 3 × {conv 3×3 → pool → act → [conv 3×3 → act → conv 3×3] + input → act} (48, 128, 256 maps) → pool → dense 10";

pub(super) fn network(width: Width) -> Network {
    let mut nodes = Nodes::new();
    let mut value = ValueId::INPUT;
    for channels in [48, 128, 256] {
        // [48, 16, 16] → [128, 8, 8] → [256, 4, 4]
        value = stage(&mut nodes, value, width.of(channels));
    }
    nodes.then_all(value, [pool(4), Layer::Dense { outputs: 10 }]); // [256, 1, 1]
    super::of_photographs(NAME, nodes)
}

/// A convolution that halves the image, and a block of two more that is added to what enters it.
pub(super) fn stage(nodes: &mut Nodes, value: ValueId, channels: usize) -> ValueId {
    let same = || convolution(channels, 3, 1, 1);
    let entry = nodes.then_all(value, [same(), pool(2)]);
    let entry = nodes.then_all(entry, activated());
    let inner = nodes.then(entry, same());
    let inner = nodes.then_all(inner, activated());
    let inner = nodes.then_all(inner, [same(), Layer::BatchNorm]);
    let sum = nodes.add(inner, entry);
    nodes.then_all(sum, activated())
}

#[cfg(test)]
mod tests {
    use super::super::Width;

    #[test]
    fn it_has_nine_activations_in_sequence() {
        let network = super::network(Width::FULL);
        assert_eq!(network.depth(), 9);
        // A stage has three activations.
        let stage = |channels: usize, side: usize| 3 * channels * side * side;
        let expected = stage(48, 16) + stage(128, 8) + stage(256, 4);
        assert_eq!(network.activation_outputs(), expected);
    }
}
