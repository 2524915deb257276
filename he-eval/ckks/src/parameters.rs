//! Parameters: a literal that anyone may write, and what it becomes once it was checked.

use std::sync::{Arc, OnceLock};

use cryptodl_wire::Fingerprint;

use crate::{
    columns::BLOCK,
    encoding::Embedding,
    error::Error,
    limits::{MAX_PRIME_BITS, MAX_RING_DEGREE, MIN_PRIME_BITS, MIN_RING_DEGREE},
    modulus::{Modulus, primes},
    pool::Pool,
    ring::Ring,
    security,
};

/// What defines a parameter set, unchecked.
///
/// ```
/// use cryptodl_ckks::{ParametersLiteral, Parameters};
///
/// let literal = ParametersLiteral { ring_degree: 8192, prime_bits: vec![40, 40, 48], special_bits: vec![48] };
/// let parameters = Parameters::new(&literal)?;
/// assert_eq!(parameters.slots(), 8192);
/// assert_eq!(parameters.security_bits(), 128);
/// # Ok::<(), cryptodl_ckks::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParametersLiteral {
    /// N, the number of slots.
    pub ring_degree: usize,
    /// Bits of the ciphertext primes. The last is the first that rescaling drops.
    pub prime_bits: Vec<u32>,
    /// Bits of the special primes, which only the key switch uses. Without any, the noise of a
    /// relinearisation is as large as a ciphertext prime: harmless if a rescaling by a prime as
    /// large follows in the same step, and much faster.
    pub special_bits: Vec<u32>,
}

/// Checked parameters with all tables. Cheap to clone.
#[derive(Clone)]
pub struct Parameters(Arc<Inner>);

struct Inner {
    literal: ParametersLiteral,
    rings: Vec<Ring>,
    embedding: OnceLock<Embedding>,
    pool: Arc<Pool>,
    special: usize,
    log2_qp: f64,
    fingerprint: Fingerprint,
}

impl Parameters {
    /// Finds the primes and checks that there are 128 bits of security.
    ///
    /// # Errors
    /// When a size is out of range, primes run out, or the parameters are not secure.
    pub fn new(literal: &ParametersLiteral) -> Result<Self, Error> {
        let parameters = Self::toy(literal)?;
        let limit = security::modulus_limit(literal.ring_degree).unwrap_or(0);
        if parameters.log2_qp() > f64::from(limit) {
            return Err(Error::Insecure {
                ring_degree: literal.ring_degree,
                log2_qp: parameters.log2_qp(),
                limit,
            });
        }
        Ok(parameters)
    }

    /// Parameters of any security, down to none: for tests and demonstrations only.
    ///
    /// # Errors
    /// When a size is out of range or primes run out.
    pub fn toy(literal: &ParametersLiteral) -> Result<Self, Error> {
        let n = literal.ring_degree;
        if !n.is_power_of_two() || !(MIN_RING_DEGREE..=MAX_RING_DEGREE).contains(&n) {
            return Err(Error::RingDegree(n));
        }
        let bits: Vec<u32> = [&literal.prime_bits[..], &literal.special_bits].concat();
        let usable = bits
            .iter()
            .all(|b| (MIN_PRIME_BITS..=MAX_PRIME_BITS).contains(b));
        if literal.prime_bits.is_empty() || !usable || bits.len() > 64 {
            return Err(Error::PrimeBits(bits));
        }
        let mut found: Vec<u64> = Vec::with_capacity(bits.len());
        let modulus = 4 * n as u64;
        for &bits in &bits {
            let next = primes(bits, modulus, 1, &found).ok_or(Error::TooFewPrimes {
                bits,
                count: found.len() + 1,
                modulus,
            })?;
            found.extend(next);
        }
        let sizes = [n as u64, literal.special_bits.len() as u64];
        let numbers = sizes.iter().chain(&found);
        let description: Vec<u8> = numbers.flat_map(|x| x.to_le_bytes()).collect();
        Ok(Self(Arc::new(Inner {
            rings: found.iter().map(|&q| Ring::new(n, q)).collect(),
            embedding: OnceLock::new(),
            pool: Arc::default(),
            special: literal.special_bits.len(),
            log2_qp: found.iter().map(|&q| (q as f64).log2()).sum(),
            literal: literal.clone(),
            fingerprint: Fingerprint::of(&description),
        })))
    }

    /// The literal they were made from.
    pub fn literal(&self) -> &ParametersLiteral {
        &self.0.literal
    }

    /// N.
    pub fn ring_degree(&self) -> usize {
        self.0.literal.ring_degree
    }

    /// Real values in one ciphertext: N.
    pub fn slots(&self) -> usize {
        self.ring_degree()
    }

    /// Ciphertext primes: one more than products that can follow one another.
    pub fn primes(&self) -> usize {
        self.0.rings.len() - self.0.special
    }

    /// The ciphertext prime `index`.
    pub fn prime(&self, index: usize) -> u64 {
        assert!(index < self.primes(), "there is no prime {index}");
        self.0.rings[index].modulus.value()
    }

    /// log2 of all primes together, special ones included.
    pub fn log2_qp(&self) -> f64 {
        self.0.log2_qp
    }

    /// Security by the published table.
    pub fn security_bits(&self) -> u32 {
        security::security_bits(self.ring_degree(), self.log2_qp())
    }

    /// What keys and ciphertexts of these parameters carry, so that others are refused.
    pub fn fingerprint(&self) -> Fingerprint {
        self.0.fingerprint
    }

    /// The embedding that encodes slots; only clients need it.
    pub(crate) fn embedding(&self) -> &Embedding {
        self.0
            .embedding
            .get_or_init(|| Embedding::new(self.ring_degree()))
    }

    /// Where ciphertexts take their memory from and give it back.
    pub(crate) fn pool(&self) -> &Arc<Pool> {
        &self.0.pool
    }

    /// Sets memory aside for `count` bundles of ciphertexts, or results that lie block by block, of `rows` components
    /// modulo one prime each, so that the first batch is as fast as the later ones. All memory is kept until the
    /// last clone of the parameters is dropped.
    pub fn reserve(&self, rows: usize, count: usize) {
        self.pool()
            .reserve(rows * self.ring_degree() / BLOCK, count);
    }

    /// The rings of the ciphertext primes.
    pub(crate) fn rings(&self) -> &[Ring] {
        &self.0.rings[..self.primes()]
    }

    /// The rings of all primes, special ones last.
    pub(crate) fn all_rings(&self) -> &[Ring] {
        &self.0.rings
    }

    /// Modulus of prime `index`, special ones after the others.
    pub(crate) fn modulus(&self, index: usize) -> &Modulus {
        &self.0.rings[index].modulus
    }
}

impl PartialEq for Parameters {
    fn eq(&self, other: &Self) -> bool {
        self.0.fingerprint == other.0.fingerprint
    }
}

impl std::fmt::Debug for Parameters {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Parameters").field(self.literal()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn literal(ring_degree: usize, prime_bits: &[u32]) -> ParametersLiteral {
        ParametersLiteral {
            ring_degree,
            prime_bits: prime_bits.to_vec(),
            special_bits: vec![],
        }
    }

    #[test]
    fn insecure_parameters_are_refused_and_secure_ones_are_not() {
        assert!(Parameters::new(&literal(4096, &[35, 35, 36])).is_ok());
        let refused = Parameters::new(&literal(4096, &[35, 36, 36]));
        assert!(matches!(refused, Err(Error::Insecure { limit: 106, .. })));
        let special = ParametersLiteral {
            special_bits: vec![35],
            ..literal(4096, &[36, 36])
        };
        assert!(Parameters::new(&special).is_err(), "special primes count");
        assert!(Parameters::new(&literal(64, &[30])).is_err());
    }

    #[test]
    fn nonsense_is_an_error() {
        assert_eq!(
            Parameters::toy(&literal(100, &[30])).unwrap_err(),
            Error::RingDegree(100)
        );
        for bits in [&[][..], &[19], &[50], &[0], &[u32::MAX]] {
            let refused = Parameters::toy(&literal(64, bits));
            assert!(matches!(refused, Err(Error::PrimeBits(_))), "{bits:?}");
        }
        let refused = Parameters::toy(&literal(32768, &[20; 60]));
        assert!(matches!(refused, Err(Error::TooFewPrimes { .. })));
    }

    #[test]
    fn the_fingerprint_tells_parameters_apart() {
        let one = Parameters::toy(&literal(64, &[30, 30])).unwrap();
        let two = Parameters::toy(&literal(64, &[30, 31])).unwrap();
        assert_ne!(one.fingerprint(), two.fingerprint());
        assert_eq!(one, Parameters::toy(&literal(64, &[30, 30])).unwrap());
    }
}
