//! The client: the secret key, encryption, decryption.

use std::sync::Arc;

use cryptodl_ckks::{Error, SecretKey, SeededBatch};
use rayon::prelude::*;

use super::{CkksValue, library};
use crate::{EvalError, scheme::Client};

/// Bits that decrypted coefficients must leave to the modulus: one that went around it would be as
/// likely to end in the outer half as in the inner.
const HEADROOM: f64 = 1.0;

/// Holds the secret key.
pub struct CkksClient {
    secret: SecretKey,
    input_scale: f64,
}

impl CkksClient {
    pub(super) fn new(secret: SecretKey, input_scale: f64) -> Self {
        Self {
            secret,
            input_scale,
        }
    }
}

impl Client for CkksClient {
    type Value = CkksValue;

    fn encrypt(&self, _share: usize, features: &[Vec<u32>]) -> Result<Vec<CkksValue>, EvalError> {
        let primes = self.secret.parameters().primes();
        let values = features.par_iter().map(|feature| {
            let slots: Vec<f64> = feature.iter().map(|&pixel| f64::from(pixel)).collect();
            self.secret.encrypt(&slots, self.input_scale, primes)
        });
        let values: Result<Vec<_>, Error> = values.collect();
        let batch = SeededBatch::new(&values.map_err(library)?).map_err(library)?;
        let batch = Arc::new(batch);
        Ok((0..features.len())
            .map(|index| CkksValue::Sent(batch.clone(), index))
            .collect())
    }

    fn decrypt(
        &self,
        shares: &[Vec<CkksValue>],
        images: usize,
    ) -> Result<Vec<Vec<f64>>, EvalError> {
        let values = shares[0].par_iter().map(|value| {
            let (mut slots, bits) = self
                .secret
                .decrypt_with_headroom(&value.full())
                .map_err(library)?;
            if bits < HEADROOM {
                return Err(EvalError::Overflow { bits });
            }
            slots.truncate(images);
            Ok(slots)
        });
        values.collect()
    }
}
