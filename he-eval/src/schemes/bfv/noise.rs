//! How large the noise of every value is, by the usual independence heuristic.
//!
//! With t the plaintext modulus and k = (c0 + c1·s) / Q of deviation √(N/18) (ternary s), the deviation of the noise
//! - of a linear layer is multiplied by √Σw²,
//! - of a sum by its factors, modulo t and centred,
//! - of a square by `2 · t · √N · √(N/18)` (of a product of two different ciphertexts by no more),
//! - and a relinearisation adds `√(L·N·q²/3·10)` (digits are not centred).
//!
//! # References
//! - Kim, Polyakov & Zucca: ASIACRYPT 2021, section 4, for the shape of these formulas.

use cryptodl_fold::{
    Graph, Operation,
    graph::{Add, Linear, PADDING, ValueId},
};
use ethnum::I256;

use super::parts::{parts, parts_made};

/// Deviation of the noise of a fresh ciphertext: centred binomial of variance 10.
const FRESH_DEVIATION: f64 = 3.17;

/// A ring and its moduli.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ring {
    pub degree: usize,
    /// Ciphertext primes.
    pub primes: usize,
    /// Bits of each.
    pub prime_bits: usize,
    /// Bits of a plaintext modulus.
    pub plain_bits: u32,
}

/// The noise of one graph in any ring.
pub(super) struct Noise<'a> {
    graph: &'a Graph<i64>,
    parts: Vec<usize>,
    /// log2 of what a node multiplies the noise of each operand by; empty for products.
    gains: Vec<Vec<f64>>,
}

impl<'a> Noise<'a> {
    pub fn new(graph: &'a Graph<i64>) -> Self {
        let gains = graph.nodes.iter().map(|node| match &node.operation {
            Operation::Linear(linear) => {
                let sizes = node.operands.iter().map(|o| graph.layout(*o).len());
                linear_gains(linear, &sizes.collect::<Vec<_>>())
            }
            Operation::Add(add) => sum_gains(add),
            _ => Vec::new(),
        });
        Self {
            graph,
            parts: parts(graph),
            gains: gains.collect(),
        }
    }

    /// log2 of the deviation of the noise of every value, by value.
    pub fn bits(&self, ring: &Ring) -> Vec<f64> {
        let n = ring.degree as f64;
        let square = f64::from(ring.plain_bits) + 1.0 + n.log2() - 0.5 * 18f64.log2();
        let relinearisation =
            ring.prime_bits as f64 + 0.5 * (ring.primes as f64 * n * 10.0 / 3.0).log2();
        let relinearised = |bits: f64| together(&[bits, relinearisation]);
        let mut all = vec![FRESH_DEVIATION.log2()];
        for (index, node) in self.graph.nodes.iter().enumerate() {
            let operands: Vec<f64> = node.operands.iter().map(|o| all[o.0]).collect();
            let worst = operands.iter().copied().fold(f64::NEG_INFINITY, f64::max);
            let made = match &node.operation {
                Operation::Product(_) => worst + square,
                // `(y² + b) · y` and `(y² + b)² + c·y`: the last product rules, and `c` is below `t`
                Operation::Power(_) => relinearised(worst + square) + square,
                Operation::Add(_) => {
                    // a factor is taken modulo t
                    let most = f64::from(ring.plain_bits) - 1.0;
                    let terms = operands.iter().zip(&self.gains[index]);
                    together(
                        &terms
                            .map(|(bits, gain)| bits + gain.min(most))
                            .collect::<Vec<_>>(),
                    )
                }
                _ => {
                    let terms = operands.iter().zip(&self.gains[index]);
                    together(&terms.map(|(bits, gain)| bits + gain).collect::<Vec<_>>())
                }
            };
            let kept = self.parts[ValueId::of_node(index).0];
            all.push(if parts_made(node, &self.parts) > kept {
                relinearised(made)
            } else {
                made
            });
        }
        all
    }
}

/// log2 of the deviation of a sum of independent terms, at most.
fn together(bits: &[f64]) -> f64 {
    let most = bits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    most + 0.5 * (bits.len() as f64).log2()
}

/// log2 of the largest √Σw² of a row, for each operand; they have so many numbers each.
fn linear_gains(linear: &Linear<i64>, sizes: &[usize]) -> Vec<f64> {
    let mut gains = vec![1.0_f64; sizes.len()];
    for (index, matrix) in linear.matrices.iter().enumerate() {
        // which operands each column reads, wherever the matrix is applied
        let mut reads = vec![vec![false; sizes.len()]; matrix.columns];
        for tile in linear.tiles.iter().filter(|tile| tile.matrix == index) {
            for (reads, input) in reads.iter_mut().zip(&tile.inputs) {
                if let Some(operand) = operand(*input, sizes) {
                    reads[operand] = true;
                }
            }
        }
        for row in 0..matrix.rows {
            let mut squares = vec![0.0; sizes.len()];
            for (&w, reads) in matrix.row(row).iter().zip(&reads) {
                for (square, _) in squares.iter_mut().zip(reads).filter(|(_, reads)| **reads) {
                    *square += (w * w) as f64;
                }
            }
            for (gain, square) in gains.iter_mut().zip(squares) {
                *gain = gain.max(square);
            }
        }
    }
    gains
        .into_iter()
        .map(|square| square.log2() / 2.0)
        .collect()
}

/// Which operand number `input` belongs to.
fn operand(input: u32, sizes: &[usize]) -> Option<usize> {
    let mut end = 0;
    sizes.iter().position(|size| {
        end += size;
        input != PADDING && (input as usize) < end
    })
}

/// log2 of the largest factor, for each operand.
fn sum_gains(add: &Add<i64>) -> Vec<f64> {
    let largest = add.factors.iter().map(|factors| {
        let factors = factors.iter().map(|factor| factor.abs());
        factors.max().unwrap_or(I256::ONE).max(I256::ONE)
    });
    largest.map(|factor| factor.as_f64().log2()).collect()
}
