//! The secret key of one CRT component.

use std::sync::Arc;

use fhe::bfv::{BfvParameters, Ciphertext, Encoding, Plaintext, RelinearizationKey, SecretKey};
use fhe_math::rq::{Poly, Representation, traits::TryConvertFrom};
use fhe_traits::{
    DeserializeParametrized, FheDecoder, FheDecrypter, FheEncoder, FheEncrypter, Serialize,
};
use num_bigint::BigUint;
use rand::Rng;
use zeroize::Zeroizing;

use super::{components::BfvComponents, error::BfvError};

/// Encrypts and decrypts modulo one plaintext modulus.
pub(super) struct Secret {
    components: BfvComponents,
    component: usize,
    key: SecretKey,
    /// The secret's coefficients again, to measure noise: `fhe` keeps its copy private.
    ternary: Zeroizing<Vec<i64>>,
}

impl Secret {
    /// A uniformly random ternary secret from a cryptographic generator seeded by the system.
    pub fn generate(components: &BfvComponents, component: usize) -> Result<Self, BfvError> {
        let parameters = &components[component];
        let mut rng = rand::rng();
        let ternary = (0..parameters.degree()).map(|_| rng.random_range(-1..=1));
        let ternary: Zeroizing<Vec<i64>> = Zeroizing::new(ternary.collect());
        let key = SecretKey::from_bytes(&secret_message(&ternary), parameters)?;
        Ok(Self {
            components: components.clone(),
            component,
            key,
            ternary,
        })
    }

    fn parameters(&self) -> &Arc<BfvParameters> {
        &self.components[self.component]
    }

    fn adopted(&self, value: &Ciphertext) -> Result<Ciphertext, BfvError> {
        self.components.adopted(self.component, value)
    }

    /// The relinearisation key as bytes: read under the server's own parameters, nothing of it points into the client.
    pub fn relinearisation(&self) -> Result<Vec<u8>, BfvError> {
        Ok(RelinearizationKey::new(&self.key, &mut rand::rng())?.to_bytes())
    }

    /// One number of as many images as there are slots.
    pub fn encrypt(&self, column: &[u32]) -> Result<Ciphertext, BfvError> {
        let slots: Vec<u64> = column.iter().map(|&v| u64::from(v)).collect();
        let plain = Plaintext::try_encode(&slots, Encoding::simd(), self.parameters())?;
        Ok(self.key.try_encrypt(&plain, &mut rand::rng())?)
    }

    /// The first `images` slots.
    pub fn decrypt(&self, value: &Ciphertext, images: usize) -> Result<Vec<u64>, BfvError> {
        let plain = self.key.try_decrypt(&self.adopted(value)?)?;
        let mut slots = Vec::<u64>::try_decode(&plain, Encoding::simd())?;
        slots.truncate(images);
        Ok(slots)
    }

    /// Bits between the noise of `value` and the decryption bound.
    ///
    /// With `c0 + c1·s + c2·s² = Q·m/t + e`, `t` times the phase is `t·e` modulo Q, and decryption
    /// is right while `|t·e| < Q/2`.
    pub fn noise_bits_left(&self, value: &Ciphertext) -> Result<f64, BfvError> {
        let value = self.adopted(value)?;
        let context = value[0].ctx();
        let mut secret = Zeroizing::new(Poly::try_convert_from(
            self.ternary.as_slice(),
            context,
            false,
            Representation::PowerBasis,
        )?);
        secret.change_representation(Representation::Ntt);
        let mut phase = value[value.len() - 1].clone();
        for part in value[..value.len() - 1].iter().rev() {
            phase *= &*secret;
            phase += part;
        }
        phase *= &BigUint::from(self.parameters().plaintext());
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_secret_message_is_read_back() {
        assert_eq!(secret_message(&[-1, 0, 1]).as_slice(), [0x0a, 3, 1, 0, 2]);
        assert_eq!(secret_message(&[1; 200])[..3], [0x0a, 0xc8, 0x01]);
    }
}
