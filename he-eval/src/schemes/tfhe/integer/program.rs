//! What both parties and what the server must know.

use cryptodl_fold::{Graph, bounds, graph::ValueId};
use ethnum::I256;
use serde::{Deserialize, Serialize};
use tfhe::shortint::{ClassicPBSParameters, parameters::PARAM_MESSAGE_2_CARRY_2_KS_PBS};

use super::{
    super::{keys::long_dimension, parameters::toy},
    error::IntegerError,
};
use crate::interface::Interface;

/// Bits of a block.
const BLOCK_BITS: u32 = 2;

/// Bits of the widest value that is decrypted.
const MOST_BITS: u32 = 127;

/// What client and server both know.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct IntegerSpec {
    /// What images and results look like.
    pub interface: Interface,
    /// Whether the set is made faster by an LWE dimension without security.
    pub toy: bool,
    /// Blocks of two bits of an encrypted pixel.
    pub blocks: usize,
}

impl IntegerSpec {
    pub(super) fn set(&self) -> ClassicPBSParameters {
        let set = PARAM_MESSAGE_2_CARRY_2_KS_PBS;
        if self.toy { toy(set) } else { set }
    }
}

/// What the server runs.
pub struct IntegerProgram {
    pub(super) graph: Graph<i64>,
    /// Blocks of the integers of each value, by value: no narrower than those that it is made of, so nothing is cut off.
    pub(super) blocks: Vec<usize>,
    /// See [`Graph::last_readers`].
    pub(super) last_readers: Vec<Option<usize>>,
}

impl IntegerProgram {
    /// Widths for a graph of integer weights.
    ///
    /// # Errors
    /// When a value has more than 127 bits.
    pub fn new(graph: Graph<i64>) -> Result<Self, IntegerError> {
        let peaks = bounds(&graph)?;
        let bits = |peak: I256| 257 - peak.leading_zeros();
        let widest = peaks.iter().copied().map(bits).max().unwrap_or(1);
        if widest > MOST_BITS {
            return Err(IntegerError::WideInteger {
                bits: widest,
                most: MOST_BITS,
            });
        }
        let of = |peak: I256| bits(peak).div_ceil(BLOCK_BITS) as usize;
        let mut blocks = vec![of(I256::from(graph.input_levels))];
        for (node, peak) in graph.nodes.iter().zip(peaks) {
            let operands = node.operands.iter().map(|operand| blocks[operand.0]);
            blocks.push(operands.fold(of(peak), usize::max));
        }
        Ok(Self {
            last_readers: graph.last_readers(),
            graph,
            blocks,
        })
    }

    /// Bits of the widest value.
    pub(super) fn widest(&self) -> u32 {
        self.blocks.iter().copied().max().unwrap_or(1) as u32 * BLOCK_BITS
    }

    /// Peak bytes of ciphertexts: what a node and those behind it read, and what it makes.
    pub(super) fn ciphertext_bytes(&self, set: &ClassicPBSParameters) -> usize {
        let blocks = |value: usize| self.graph.layout(ValueId(value)).len() * self.blocks[value];
        let peaks = (0..self.graph.nodes.len()).map(|index| {
            let alive = (0..=index).filter(|value| self.last_readers[*value] >= Some(index));
            let alive: usize = alive.map(blocks).sum();
            // what it reads is made as wide as what it makes
            2 * (alive + blocks(ValueId::of_node(index).0))
        });
        peaks.max().unwrap_or(0) * block_bytes(set)
    }
}

/// Bytes of a block.
pub(super) fn block_bytes(set: &ClassicPBSParameters) -> usize {
    8 * (long_dimension(set) + 1)
}
