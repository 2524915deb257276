//! Choosing parameters: how large the integers get, how much noise there is, what is secure.

use std::sync::Arc;

use ethnum::I256;
use fhe::bfv::{BfvParameters, BfvParametersBuilder};
use fhe_math::zq::primes::generate_prime;

use super::library;
use crate::{
    EvalError,
    graph::{Graph, Linear, Operation, Power},
    quantise, security,
};

/// Largest plaintext modulus, in bits: 43 and 44 bits panic in `fhe` 0.1.1.
const MAX_PLAIN_BITS: u32 = 42;
/// Outputs are put together in 256-bit integers.
const MAX_VALUE_BITS: u32 = 250;
/// Smallest plaintext modulus, in bits: below it batching primes run out for large rings.
const MIN_PLAIN_BITS: u32 = 20;
/// Largest ciphertext prime of `fhe`, in bits.
const MAX_PRIME_BITS: usize = 62;
/// Smallest ciphertext prime used here: above every plaintext modulus.
const MIN_PRIME_BITS: usize = 50;
/// Deviation of the noise of a fresh ciphertext: centred binomial of variance 10.
const FRESH_DEVIATION: f64 = 3.17;
/// The largest of N·outputs noise coefficients is below `2^3.3` ≈ 10 deviations.
const TAIL_BITS: f64 = 3.3;
/// Room for what the noise model leaves out, in bits.
const MARGIN_BITS: f64 = 3.0;

/// BFV parameters that hold a given graph.
#[derive(Clone, Debug, PartialEq)]
pub struct BfvPlan {
    /// Ring degree N, which is also the number of slots.
    pub ring_degree: usize,
    /// Bits of each ciphertext prime.
    pub prime_bits: Vec<usize>,
    /// Bits of each plaintext modulus.
    pub plain_bits: u32,
    /// The plaintext moduli; their product holds the largest output.
    pub plain_moduli: Vec<u64>,
    /// log2 of the ciphertext modulus (there are no special primes), at most.
    pub log2_q: f64,
    /// Bits of the largest output with its sign, for any image.
    pub value_bits: u32,
    /// Predicted bits between the noise and the decryption bound.
    pub noise_bits_left: f64,
}

impl BfvPlan {
    /// The smallest 128-bit secure parameters that hold `graph`: the first ring degree of `rings` that
    /// has any, then fewest plaintext moduli, then fewest ciphertext primes.
    ///
    /// # Errors
    /// When none is large enough.
    pub fn new(graph: &Graph<i64>, rings: &[usize]) -> Result<Self, EvalError> {
        let value_bits = value_bits(graph)?;
        for &ring_degree in rings {
            let limit = security::modulus_limit(ring_degree).unwrap_or(0) as usize;
            if let Some(plan) = Self::for_ring(graph, ring_degree, limit, value_bits) {
                return Ok(plan);
            }
        }
        Err(EvalError::NoParameters {
            depth: graph.depth(),
            value_bits,
        })
    }

    /// Parameters of a small ring, which are fast and NOT secure: for tests.
    ///
    /// # Errors
    /// When the graph needs more than 14 primes.
    pub fn toy(graph: &Graph<i64>, ring_degree: usize) -> Result<Self, EvalError> {
        let value_bits = value_bits(graph)?;
        Self::for_ring(graph, ring_degree, 14 * MAX_PRIME_BITS, value_bits).ok_or(
            EvalError::NoParameters {
                depth: graph.depth(),
                value_bits,
            },
        )
    }

    fn for_ring(
        graph: &Graph<i64>,
        ring_degree: usize,
        limit: usize,
        value_bits: u32,
    ) -> Option<Self> {
        // one bit more than the value: the primes next below 2^b fall short of it
        let total_bits = value_bits + 1;
        if total_bits > MAX_VALUE_BITS {
            return None;
        }
        let fewest = total_bits.div_ceil(MAX_PLAIN_BITS);
        let most = total_bits.div_ceil(MIN_PLAIN_BITS);
        for shares in fewest..=most {
            let bits = total_bits.div_ceil(shares).max(MIN_PLAIN_BITS);
            let Some(plain_moduli) = plain_moduli(ring_degree, bits, shares, value_bits) else {
                continue;
            };
            // two primes at least: a relinearisation key needs them
            for primes in 2..=limit / MIN_PRIME_BITS {
                let prime_bits = (limit / primes).min(MAX_PRIME_BITS);
                let log2_q = (primes * prime_bits) as f64;
                let noise = noise_bits(graph, ring_degree, primes, prime_bits, bits);
                // ciphertext primes, too, are the ones next below 2^b
                let room = log2_q - 1.0 - f64::from(bits) - noise - TAIL_BITS;
                if room >= MARGIN_BITS {
                    return Some(Self {
                        ring_degree,
                        prime_bits: vec![prime_bits; primes],
                        plain_bits: bits,
                        plain_moduli,
                        log2_q,
                        value_bits,
                        noise_bits_left: room,
                    });
                }
            }
        }
        None
    }

    /// The parameters of `fhe`, one for each plaintext modulus.
    pub(super) fn build(&self) -> Result<Vec<Arc<BfvParameters>>, EvalError> {
        self.plain_moduli
            .iter()
            .map(|&modulus| {
                BfvParametersBuilder::new()
                    .set_degree(self.ring_degree)
                    .set_plaintext_modulus(modulus)
                    .set_moduli_sizes(&self.prime_bits)
                    .build_arc()
                    .map_err(library)
            })
            .collect()
    }
}

/// The `count` batching primes next below `2^bits`, if there are and their product is above
/// `2^value_bits`.
fn plain_moduli(ring_degree: usize, bits: u32, count: u32, value_bits: u32) -> Option<Vec<u64>> {
    let mut moduli: Vec<u64> = Vec::new();
    for _ in 0..count {
        let below = moduli.last().copied().unwrap_or(1 << bits);
        moduli.push(generate_prime(
            bits as usize,
            2 * ring_degree as u64,
            below,
        )?);
    }
    let product_bits: f64 = moduli.iter().map(|&m| (m as f64).log2()).sum();
    (product_bits > f64::from(value_bits)).then_some(moduli)
}

/// Bits of the largest output that any image can produce, with its sign.
fn value_bits(graph: &Graph<i64>) -> Result<u32, EvalError> {
    let bounds = quantise::bounds(graph)?;
    let largest = bounds.last().copied().unwrap_or(I256::ZERO);
    Ok(256 - largest.leading_zeros() + 1)
}

/// log2 of the deviation of the noise after the last node, by the usual independence heuristic.
///
/// With t the plaintext modulus and k = (c0 + c1·s) / Q of deviation √(N/18) (ternary s):
/// a linear layer multiplies by √Σw², a square by `2 · t · √N · √(N/18)` (a product of two different
/// ciphertexts by no more), and a relinearisation adds `√(L·N·q²/3·10)` (digits are not centred).
/// (Kim, Polyakov & Zucca, ASIACRYPT 2021, section 4, for the shape of these formulas.)
fn noise_bits(
    graph: &Graph<i64>,
    ring_degree: usize,
    primes: usize,
    prime_bits: usize,
    plain_bits: u32,
) -> f64 {
    let n = ring_degree as f64;
    let square = f64::from(plain_bits) + 1.0 + n.log2() - 0.5 * 18f64.log2();
    let relinearisation = prime_bits as f64 + 0.5 * (primes as f64 * n * 10.0 / 3.0).log2();
    let add = |a: f64, b: f64| a.max(b) + 0.5;
    let mut bits = FRESH_DEVIATION.log2();
    let mut parts = 2;
    for node in &graph.nodes {
        match &node.operation {
            Operation::Linear(linear) => {
                bits += gain_bits(linear);
                if parts == 3 {
                    bits = add(bits, relinearisation);
                    parts = 2;
                }
            }
            Operation::Power(power) => {
                bits = power_noise(power, bits, square, |b| add(b, relinearisation));
                parts = 3;
            }
            Operation::Function(_) => {}
        }
    }
    bits
}

/// `(y² + b) · y` and `(y² + b)² + c·y`: the last product rules, and `c` is below `t`.
fn power_noise(
    power: &Power<i64>,
    bits: f64,
    square: f64,
    relinearised: impl Fn(f64) -> f64,
) -> f64 {
    match power.degree {
        2 => bits + square,
        _ => relinearised(bits + square) + square,
    }
}

/// log2 of the largest √Σw² of a row.
fn gain_bits(linear: &Linear<i64>) -> f64 {
    let rows = linear
        .matrices
        .iter()
        .flat_map(|m| (0..m.rows).map(|row| m.row(row)));
    let squares = rows.map(|row| row.iter().map(|&w| (w * w) as f64).sum::<f64>());
    squares.fold(1.0, f64::max).log2() / 2.0
}
