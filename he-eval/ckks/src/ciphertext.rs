//! Ciphertexts.

use crate::{
    Error, Parameters,
    sample::{Seed, Stream},
};

/// An encryption of N real slots: parts `c_0, c_1` or `c_0, c_1, c_2`, such that
/// `c_0 + c_1 s + c_2 s²` is the encoded message plus noise.
#[derive(Clone, Debug, PartialEq)]
pub struct Ciphertext {
    pub(crate) parameters: Parameters,
    pub(crate) parts: usize,
    pub(crate) primes: usize,
    pub(crate) scale: f64,
    /// Values of the parts, `[part][prime][N]`.
    pub(crate) data: Vec<u64>,
}

impl Ciphertext {
    pub(crate) fn zero(parameters: &Parameters, parts: usize, primes: usize, scale: f64) -> Self {
        Self {
            parameters: parameters.clone(),
            parts,
            primes,
            scale,
            data: vec![0; parts * primes * parameters.ring_degree()],
        }
    }

    /// Number of parts: two, or three after a product that was not relinearised.
    pub fn parts(&self) -> usize {
        self.parts
    }

    /// Ciphertext primes left.
    pub fn primes(&self) -> usize {
        self.primes
    }

    /// What the slots were multiplied by to make them integers.
    pub fn scale(&self) -> f64 {
        self.scale
    }

    /// Reads the same ciphertext at another scale: the slots change by the inverse factor.
    #[must_use]
    pub fn with_scale(mut self, scale: f64) -> Self {
        self.scale = scale;
        self
    }

    /// Bytes in memory.
    pub fn bytes(&self) -> usize {
        size_of_val(self.data.as_slice())
    }

    /// The values of one part modulo one prime.
    pub fn row(&self, part: usize, prime: usize) -> &[u64] {
        let n = self.parameters.ring_degree();
        let at = (part * self.primes + prime) * n;
        &self.data[at..at + n]
    }

    pub(crate) fn row_mut(&mut self, part: usize, prime: usize) -> &mut [u64] {
        let n = self.parameters.ring_degree();
        let at = (part * self.primes + prime) * n;
        &mut self.data[at..at + n]
    }

    /// The same message with fewer primes.
    ///
    /// # Errors
    /// When it has fewer already, or none was asked for.
    pub fn drop_to(&self, primes: usize) -> Result<Self, Error> {
        if primes == 0 || primes > self.primes {
            return Err(Error::Mismatch(format!(
                "{} primes cannot become {primes}",
                self.primes
            )));
        }
        let mut fewer = Self::zero(&self.parameters, self.parts, primes, self.scale);
        for part in 0..self.parts {
            for prime in 0..primes {
                fewer
                    .row_mut(part, prime)
                    .copy_from_slice(self.row(part, prime));
            }
        }
        Ok(fewer)
    }
}

/// A fresh ciphertext whose random part is kept as the seed that it grows from: half the bytes.
#[derive(Clone, Debug, PartialEq)]
pub struct SeededCiphertext {
    pub(crate) parameters: Parameters,
    pub(crate) primes: usize,
    pub(crate) scale: f64,
    pub(crate) seed: Seed,
    /// Values of `c_0`, `[prime][N]`.
    pub(crate) data: Vec<u64>,
}

impl SeededCiphertext {
    /// The ciphertext in full.
    pub fn expand(&self) -> Ciphertext {
        let mut full = Ciphertext::zero(&self.parameters, 2, self.primes, self.scale);
        full.data[..self.data.len()].copy_from_slice(&self.data);
        let mut stream = Stream::new(&self.seed);
        for prime in 0..self.primes {
            stream.uniform(self.parameters.modulus(prime), full.row_mut(1, prime));
        }
        full
    }

    /// Bytes in memory.
    pub fn bytes(&self) -> usize {
        size_of_val(self.data.as_slice()) + self.seed.len()
    }
}
