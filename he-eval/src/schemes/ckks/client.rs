//! The client: the secret key, encryption, decryption.

use cryptodl_ckks::{Bundle, Parameters, RelinearisationKey, SecretKey, SeededBatch};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::{CkksError, parameters::ring};
use crate::scheme::{Client, Interface};

/// Bits that decrypted coefficients must leave to the modulus: one that went around it would be as
/// likely to end in the outer half as in the inner.
const HEADROOM: f64 = 1.0;

/// What both parties know.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct CkksSpec {
    /// The network's pixels and logits.
    pub interface: Interface,
    /// Ring degree N, which is also the number of slots.
    pub ring_degree: usize,
    /// Bits of each prime, those that rescaling drops last.
    pub prime_bits: Vec<u32>,
    /// Whether the parameters need not be secure.
    pub toy: bool,
    /// Scale of the input ciphertexts, for pixels from 0 to 255.
    pub input_scale: f64,
}

impl CkksSpec {
    /// The parameters, checked.
    ///
    /// # Errors
    /// When they are below 128 bits of security and not called toy, or make no sense.
    pub fn parameters(&self) -> Result<Parameters, CkksError> {
        Ok(ring(self.ring_degree, self.prime_bits.clone(), self.toy)?)
    }
}

/// Holds the secret key.
pub struct CkksClient {
    secret: SecretKey,
    spec: CkksSpec,
}

impl Client for CkksClient {
    type Spec = CkksSpec;
    type Keys = RelinearisationKey;
    type Request = SeededBatch;
    type Response = Bundle;
    type Error = CkksError;

    fn generate(spec: &CkksSpec) -> Result<(Self, RelinearisationKey), CkksError> {
        let secret = SecretKey::generate(&spec.parameters()?);
        let key = secret.relinearisation_key();
        let spec = spec.clone();
        Ok((Self { secret, spec }, key))
    }

    fn encrypt(&self, images: &[&[u8]], _component: usize) -> Result<SeededBatch, CkksError> {
        let primes = self.secret.parameters().primes();
        let columns = self.spec.interface.columns(images)?;
        let values = columns.par_iter().map(|column| {
            let slots: Vec<f64> = column.iter().map(|&pixel| f64::from(pixel)).collect();
            self.secret.encrypt(&slots, self.spec.input_scale, primes)
        });
        let values = values.collect::<Result<Vec<_>, _>>()?;
        Ok(SeededBatch::new(&values)?)
    }

    fn decrypt(&self, responses: &[Bundle], images: usize) -> Result<Vec<Vec<f64>>, CkksError> {
        let [bundle] = responses else {
            return Err(CkksError::Response {
                reason: "there is one to each request",
            });
        };
        if bundle.len() != self.spec.interface.output_scale.len() {
            return Err(CkksError::Response {
                reason: "it has not one ciphertext a class",
            });
        }
        let values = (0..bundle.len()).into_par_iter().map(|index| {
            let (mut slots, bits) = self.secret.decrypt_with_headroom(&bundle.get(index))?;
            if bits < HEADROOM {
                return Err(CkksError::Overflow { bits });
            }
            slots.truncate(images);
            Ok(slots)
        });
        let values = values.collect::<Result<Vec<_>, _>>()?;
        Ok(self.spec.interface.logits(&values, images))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cryptodl_network::Normalisation;
    use cryptodl_wire::{Wire, WireError};

    #[test]
    fn a_spec_and_a_key_made_from_it_are_read_on_the_other_side() {
        let spec = CkksSpec {
            interface: Interface {
                network: "tiny".into(),
                normalisation: Normalisation {
                    mean: vec![0.1],
                    deviation: vec![0.3],
                    standardised: false,
                },
                pixels: 4,
                input_levels: 255,
                output_scale: vec![0.1, 3.0],
                output_shift: vec![1.0 / 3.0, 0.0],
            },
            ring_degree: 64,
            prime_bits: vec![40, 45],
            toy: true,
            input_scale: 1e8,
        };
        let read = CkksSpec::from_bytes(&(), &spec.to_bytes()).unwrap();
        assert_eq!(read, spec);

        let (_, key) = CkksClient::generate(&spec).unwrap();
        let bytes = key.to_bytes();
        assert!(RelinearisationKey::from_bytes(&read.parameters().unwrap(), &bytes).is_ok());
        let other = CkksSpec {
            prime_bits: vec![40, 44],
            ..read
        };
        let refused = RelinearisationKey::from_bytes(&other.parameters().unwrap(), &bytes);
        assert!(matches!(refused, Err(WireError::OtherParameters { .. })));
    }
}
