//! The choice of parameters: how large the integers get, how much noise there is, what is secure.

use cryptodl_ckks::security::modulus_limit;
use cryptodl_fold::{Graph, bounds};
use ethnum::I256;
use fhe_math::zq::primes::generate_prime;

use super::{
    error::BfvError,
    noise::{Noise, Ring},
};

/// Largest plaintext modulus, in bits: 43 and 44 bits panic in `fhe` 0.1.1.
pub(super) const MAX_PLAIN_BITS: u32 = 42;
/// Smallest plaintext modulus, in bits: below it batching primes run out for large rings.
pub(super) const MIN_PLAIN_BITS: u32 = 20;
/// Largest outputs, in bits.
const MAX_VALUE_BITS: u32 = 250;
/// All plaintext moduli together, in bits: outputs are put together in 256-bit integers.
pub(super) const MAX_CRT_BITS: u32 = 254;
/// Largest ciphertext prime of `fhe`, in bits.
pub(super) const MAX_PRIME_BITS: usize = 62;
/// Smallest ciphertext prime used here: above every plaintext modulus.
pub(super) const MIN_PRIME_BITS: usize = 50;
/// Ciphertext primes of a toy at most.
const TOY_PRIMES: usize = 14;
/// Ciphertext primes of any parameters: at most those of the largest ring, with its 868 bits.
pub(super) const MAX_PRIMES: usize = 868 / MIN_PRIME_BITS;
/// The largest of N·outputs noise coefficients is below `2^3.3` ≈ 10 deviations.
const TAIL_BITS: f64 = 3.3;
/// Room for what the noise model leaves out, in bits.
const MARGIN_BITS: f64 = 3.0;

/// BFV parameters that hold a given graph.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Choice {
    /// Ring degree N, which is also the number of slots.
    pub ring_degree: usize,
    /// Bits of each ciphertext prime.
    pub prime_bits: Vec<usize>,
    /// Bits of each plaintext modulus.
    pub plain_bits: u32,
    /// The plaintext moduli; their product holds the largest output.
    pub plain_moduli: Vec<u64>,
    /// Bits of the largest output with its sign, for any image.
    pub value_bits: u32,
    /// Predicted bits between the noise and the decryption bound.
    pub noise_bits_left: f64,
}

impl Choice {
    /// The smallest 128-bit secure parameters that hold `graph`: the first ring degree of `rings` that
    /// has any, then fewest plaintext moduli, then fewest ciphertext primes.
    ///
    /// # Errors
    /// When none is large enough.
    pub fn new(graph: &Graph<i64>, rings: &[usize]) -> Result<Self, BfvError> {
        let limits = rings.iter().map(|&ring| {
            let limit = modulus_limit(ring).unwrap_or(0) as usize;
            (ring, limit)
        });
        Self::first(graph, limits)
    }

    /// Parameters of a small ring, which are fast and NOT secure: for tests.
    ///
    /// # Errors
    /// When the graph needs more than 14 primes.
    pub fn toy(graph: &Graph<i64>, ring_degree: usize) -> Result<Self, BfvError> {
        Self::first(graph, [(ring_degree, TOY_PRIMES * MAX_PRIME_BITS)])
    }

    /// The first ring degree that has any, of those with so many bits of a modulus each.
    fn first(
        graph: &Graph<i64>,
        limits: impl IntoIterator<Item = (usize, usize)>,
    ) -> Result<Self, BfvError> {
        let largest = bounds(graph)?.last().copied().unwrap_or(I256::ZERO);
        let value_bits = 256 - largest.leading_zeros() + 1;
        let noise = Noise::new(graph);
        let mut limits = limits.into_iter();
        let found =
            limits.find_map(|(ring, limit)| Self::for_ring(&noise, ring, limit, value_bits));
        found.ok_or_else(|| BfvError::NoParameters {
            depth: graph.depth(),
            value_bits,
        })
    }

    fn for_ring(
        noise: &Noise<'_>,
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
        for components in fewest..=most {
            let plain_bits = total_bits.div_ceil(components).max(MIN_PLAIN_BITS);
            if components * plain_bits > MAX_CRT_BITS {
                continue;
            }
            let Some(plain_moduli) = plain_moduli(ring_degree, plain_bits, components, value_bits)
            else {
                continue;
            };
            // two primes at least: a relinearisation key needs them
            for primes in 2..=limit / MIN_PRIME_BITS {
                let prime_bits = (limit / primes).min(MAX_PRIME_BITS);
                let all = noise.bits(&Ring {
                    degree: ring_degree,
                    primes,
                    prime_bits,
                    plain_bits,
                });
                let result = all.last().copied().unwrap_or(0.0);
                // ciphertext primes, too, are the ones next below 2^b
                let log2_q = (primes * prime_bits) as f64 - 1.0;
                let room = log2_q - f64::from(plain_bits) - result - TAIL_BITS;
                if room >= MARGIN_BITS {
                    return Some(Self {
                        ring_degree,
                        prime_bits: vec![prime_bits; primes],
                        plain_bits,
                        plain_moduli,
                        value_bits,
                        noise_bits_left: room,
                    });
                }
            }
        }
        None
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
