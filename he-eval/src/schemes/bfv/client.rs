//! The client: secret keys, encryption, decryption.

use std::sync::Arc;

use ethnum::{AsI256, I256};
use fhe::bfv::{BfvParameters, Ciphertext, Encoding, Plaintext, RelinearizationKey, SecretKey};
use fhe_math::rq::{Poly, Representation, traits::TryConvertFrom};
use fhe_traits::{DeserializeParametrized, FheDecoder, FheDecrypter, FheEncoder, FheEncrypter};
use num_bigint::BigUint;
use rand::Rng;
use rayon::prelude::*;
use zeroize::Zeroizing;

use super::{BfvServer, library};
use crate::{EvalError, scheme::Client};

/// Holds one secret key for each plaintext modulus.
pub struct BfvClient {
    shares: Vec<Share>,
    crt: Crt,
}

struct Share {
    parameters: Arc<BfvParameters>,
    secret: SecretKey,
    /// The secret's coefficients again, to measure noise: `fhe` keeps its copy private.
    ternary: Zeroizing<Vec<i64>>,
}

impl BfvClient {
    pub(super) fn generate(parameters: &[Arc<BfvParameters>]) -> Result<Self, EvalError> {
        let shares = parameters
            .iter()
            .map(Share::generate)
            .collect::<Result<_, _>>()?;
        let moduli: Vec<u64> = parameters.iter().map(|p| p.plaintext()).collect();
        Ok(Self {
            shares,
            crt: Crt::new(&moduli),
        })
    }

    pub(super) fn evaluation_keys(&self) -> Result<Vec<BfvServer>, EvalError> {
        self.shares
            .iter()
            .map(|share| {
                let key =
                    RelinearizationKey::new(&share.secret, &mut rand::rng()).map_err(library)?;
                BfvServer::new(share.parameters.clone(), key)
            })
            .collect()
    }
}

impl Share {
    /// A uniformly random ternary secret from a cryptographic generator seeded by the system.
    fn generate(parameters: &Arc<BfvParameters>) -> Result<Self, EvalError> {
        let mut rng = rand::rng();
        let ternary: Zeroizing<Vec<i64>> = Zeroizing::new(
            (0..parameters.degree())
                .map(|_| rng.random_range(-1..=1))
                .collect(),
        );
        let secret =
            SecretKey::from_bytes(&secret_message(&ternary), parameters).map_err(library)?;
        Ok(Self {
            parameters: parameters.clone(),
            secret,
            ternary,
        })
    }

    fn encrypt(&self, feature: &[u32]) -> Result<Ciphertext, EvalError> {
        let slots: Vec<u64> = feature.iter().map(|&v| u64::from(v)).collect();
        let plain = Plaintext::try_encode(&slots, Encoding::simd(), &self.parameters);
        self.secret
            .try_encrypt(&plain.map_err(library)?, &mut rand::rng())
            .map_err(library)
    }

    fn decrypt(&self, value: &Ciphertext, images: usize) -> Result<Vec<u64>, EvalError> {
        let plain = self.secret.try_decrypt(value).map_err(library)?;
        let mut slots = Vec::<u64>::try_decode(&plain, Encoding::simd()).map_err(library)?;
        slots.truncate(images);
        Ok(slots)
    }

    /// Bits between the noise of `value` and the decryption bound.
    ///
    /// With `c0 + c1·s + c2·s² = Q·m/t + e`, `t` times the phase is `t·e` modulo Q, and decryption
    /// is right while `|t·e| < Q/2`.
    fn noise_bits_left(&self, value: &Ciphertext) -> Result<f64, EvalError> {
        let context = value[0].ctx();
        let mut secret = Zeroizing::new(
            Poly::try_convert_from(
                self.ternary.as_slice(),
                context,
                false,
                Representation::PowerBasis,
            )
            .map_err(library)?,
        );
        secret.change_representation(Representation::Ntt);
        let mut phase = value[value.len() - 1].clone();
        for part in value[..value.len() - 1].iter().rev() {
            phase *= &*secret;
            phase += part;
        }
        phase *= &BigUint::from(self.parameters.plaintext());
        phase.change_representation(Representation::PowerBasis);
        let modulus = context.modulus();
        let largest = Vec::<BigUint>::from(&phase)
            .into_iter()
            .map(|c| {
                if &c + &c > *modulus {
                    (modulus - c).bits()
                } else {
                    c.bits()
                }
            })
            .max()
            .unwrap_or(0);
        Ok(modulus.bits() as f64 - 1.0 - largest as f64)
    }
}

/// The secret key as the protocol-buffer message that `fhe` reads: field 1, packed `sint64`.
fn secret_message(ternary: &[i64]) -> Zeroizing<Vec<u8>> {
    let mut message = Zeroizing::new(vec![0x0a]);
    let mut length = ternary.len();
    while length >= 0x80 {
        message.push(length as u8 | 0x80);
        length >>= 7;
    }
    message.push(length as u8);
    // zigzag of -1, 0, 1 is 1, 0, 2: one byte each
    message.extend(ternary.iter().map(|&c| ((c << 1) ^ (c >> 63)) as u8));
    message
}

impl Client for BfvClient {
    type Value = Ciphertext;

    fn encrypt(&self, share: usize, features: &[Vec<u32>]) -> Result<Vec<Ciphertext>, EvalError> {
        features
            .par_iter()
            .map(|feature| self.shares[share].encrypt(feature))
            .collect()
    }

    fn decrypt(
        &self,
        shares: &[Vec<Ciphertext>],
        images: usize,
    ) -> Result<Vec<Vec<f64>>, EvalError> {
        (0..shares[0].len())
            .into_par_iter()
            .map(|output| {
                let residues = self
                    .shares
                    .iter()
                    .zip(shares)
                    .map(|(share, values)| share.decrypt(&values[output], images))
                    .collect::<Result<Vec<_>, _>>()?;
                Ok((0..images)
                    .map(|image| self.crt.lift(residues.iter().map(|r| r[image])).as_f64())
                    .collect())
            })
            .collect()
    }

    fn noise_bits_left(&self, shares: &[Vec<Ciphertext>]) -> Result<Option<f64>, EvalError> {
        let mut least = f64::INFINITY;
        for (share, values) in self.shares.iter().zip(shares) {
            for value in values {
                least = least.min(share.noise_bits_left(value)?);
            }
        }
        Ok(Some(least))
    }
}

/// Garner's mixed-radix lift of residues to the centred integer.
struct Crt {
    moduli: Vec<u64>,
    /// `inverse[i]` is `(m_0 ⋯ m_(i-1))⁻¹` modulo `m_i`.
    inverse: Vec<u64>,
    product: I256,
}

impl Crt {
    fn new(moduli: &[u64]) -> Self {
        let product_mod = |i: usize| {
            moduli[..i]
                .iter()
                .fold(1u128, |p, &m| p * u128::from(m) % u128::from(moduli[i]))
        };
        let inverse = (0..moduli.len())
            // Fermat: the moduli are prime
            .map(|i| power_mod(product_mod(i) as u64, moduli[i] - 2, moduli[i]))
            .collect();
        let product = moduli.iter().fold(I256::ONE, |p, &m| p * I256::from(m));
        Self {
            moduli: moduli.to_vec(),
            inverse,
            product,
        }
    }

    fn lift(&self, residues: impl Iterator<Item = u64>) -> I256 {
        let mut value = I256::ZERO;
        let mut radix = I256::ONE;
        for ((residue, &modulus), &inverse) in residues.zip(&self.moduli).zip(&self.inverse) {
            let known = (value % I256::from(modulus)).as_u64();
            let missing = (residue + modulus - known) % modulus;
            let digit = u128::from(missing) * u128::from(inverse) % u128::from(modulus);
            value += radix * digit.as_i256();
            radix *= I256::from(modulus);
        }
        if value > self.product / 2 {
            value - self.product
        } else {
            value
        }
    }
}

fn power_mod(base: u64, mut exponent: u64, modulus: u64) -> u64 {
    let m = u128::from(modulus);
    let (mut base, mut result) = (u128::from(base) % m, 1u128);
    while exponent > 0 {
        if exponent & 1 == 1 {
            result = result * base % m;
        }
        base = base * base % m;
        exponent >>= 1;
    }
    result as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lifting_inverts_residues_for_centred_integers() {
        let moduli = [1_099_511_480_321, 1_099_510_890_497, 786_433];
        let crt = Crt::new(&moduli);
        let half = crt.product / 2;
        let some = [
            I256::ZERO,
            I256::ONE,
            -I256::ONE,
            half,
            -half,
            half / 3,
            -half / 7,
        ];
        for value in some {
            let residues = moduli.map(|m| value.rem_euclid(I256::from(m)).as_u64());
            assert_eq!(crt.lift(residues.into_iter()), value);
        }
    }

    #[test]
    fn the_secret_message_is_read_back() {
        assert_eq!(secret_message(&[-1, 0, 1]).as_slice(), [0x0a, 3, 1, 0, 2]);
        assert_eq!(secret_message(&[1; 200])[..3], [0x0a, 0xc8, 0x01]);
    }
}
