//! What client and server of a network under `bfv` must both know.

use fhe::bfv::BfvParametersBuilder;
use serde::{Deserialize, Serialize};

use super::{
    components::BfvComponents,
    error::BfvError,
    parameters::{
        MAX_CRT_BITS, MAX_PLAIN_BITS, MAX_PRIME_BITS, MAX_PRIMES, MIN_PLAIN_BITS, MIN_PRIME_BITS,
    },
};
use crate::{
    interface::Interface,
    limits::{self, RINGS},
};

/// Parameters, and how results are put together: no weights.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct BfvSpec {
    /// What images and results look like.
    pub interface: Interface,
    /// Ring degree N, which is also the number of slots.
    pub ring_degree: usize,
    /// Bits of each ciphertext prime.
    pub prime_bits: Vec<usize>,
    /// One for each CRT component: results are integers modulo their product, centred.
    pub plain_moduli: Vec<u64>,
    /// Whether it may be below 128-bit security.
    pub toy: bool,
}

impl BfvSpec {
    /// log2 of the ciphertext modulus (there are no special primes), at most.
    pub fn log2_q(&self) -> f64 {
        self.prime_bits.iter().sum::<usize>() as f64
    }

    /// The parameters of `fhe`, one for each CRT component.
    ///
    /// # Errors
    /// When they are out of range, or insecure without being a toy's.
    pub(super) fn build(&self) -> Result<BfvComponents, BfvError> {
        let prime_bits = MIN_PRIME_BITS..=MAX_PRIME_BITS;
        let largest = RINGS[RINGS.len() - 1];
        if !self.ring_degree.is_power_of_two() || !(8..=largest).contains(&self.ring_degree) {
            return Err(BfvError::Specification("an unusual ring"));
        }
        if !(2..=MAX_PRIMES).contains(&self.prime_bits.len())
            || self.prime_bits.iter().any(|b| !prime_bits.contains(b))
        {
            return Err(BfvError::Specification("unusual ciphertext primes"));
        }
        let moduli = (1 << (MIN_PLAIN_BITS - 1))..(1 << MAX_PLAIN_BITS);
        let bits = |modulus: &u64| modulus.ilog2() + 1;
        if self.plain_moduli.is_empty()
            || self.plain_moduli.iter().any(|m| !moduli.contains(m))
            || self.plain_moduli.iter().map(bits).sum::<u32>() > MAX_CRT_BITS
        {
            return Err(BfvError::Specification("unusual plaintext moduli"));
        }
        if !self.toy {
            limits::check_security(self.ring_degree, self.log2_q())?;
        }
        let built = self.plain_moduli.iter().map(|&modulus| {
            BfvParametersBuilder::new()
                .set_degree(self.ring_degree)
                .set_plaintext_modulus(modulus)
                .set_moduli_sizes(&self.prime_bits)
                .build_arc()
        });
        Ok(BfvComponents::new(built.collect::<Result<_, _>>()?))
    }
}
