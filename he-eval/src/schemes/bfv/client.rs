//! The client: secret keys, encryption, decryption.

use rayon::prelude::*;

use super::{
    batch::{BfvBatch, BfvKeys},
    crt::Crt,
    error::BfvError,
    secret::Secret,
    spec::BfvSpec,
};
use crate::{interface::Interface, scheme::Client};

/// Holds one secret key for each CRT component.
pub struct BfvClient {
    interface: Interface,
    secrets: Vec<Secret>,
    crt: Crt,
}

impl BfvClient {
    /// Refuses what are no results of all components in order.
    fn check(&self, results: &[BfvBatch]) -> Result<(), BfvError> {
        let outputs = self.interface.output_scale.len();
        let mut all = results.iter().enumerate();
        if results.len() == self.secrets.len()
            && all.all(|(i, batch)| batch.component == i && batch.latest().len() == outputs)
        {
            return Ok(());
        }
        Err(BfvError::Results {
            components: self.secrets.len(),
        })
    }
}

impl Client for BfvClient {
    type Spec = BfvSpec;
    type Keys = BfvKeys;
    type Batch = BfvBatch;
    type Error = BfvError;

    fn generate(spec: &BfvSpec) -> Result<(Self, BfvKeys), BfvError> {
        let parameters = spec.build()?;
        let secrets: Vec<Secret> =
            (parameters.iter().map(Secret::generate)).collect::<Result<_, _>>()?;
        let keys = secrets.iter().map(Secret::relinearisation);
        let keys = BfvKeys(keys.collect::<Result<_, _>>()?);
        let client = Self {
            interface: spec.interface.clone(),
            secrets,
            crt: Crt::new(&spec.plain_moduli),
        };
        Ok((client, keys))
    }

    fn components(&self) -> usize {
        self.secrets.len()
    }

    fn encrypt(&self, images: &[&[u8]], component: usize) -> Result<BfvBatch, BfvError> {
        let columns = self.interface.columns(images)?;
        let secret = &self.secrets[component];
        let pixels = columns.par_iter().map(|column| secret.encrypt(column));
        Ok(BfvBatch {
            component,
            values: vec![Some(pixels.collect::<Result<_, _>>()?)],
        })
    }

    fn decrypt(&self, results: &[BfvBatch], images: usize) -> Result<Vec<Vec<f64>>, BfvError> {
        self.check(results)?;
        let outputs = 0..self.interface.output_scale.len();
        let decrypted = outputs.into_par_iter().map(|output| {
            let residues = self.secrets.iter().zip(results);
            let residues = residues
                .map(|(secret, batch)| secret.decrypt(&batch.latest()[output], images))
                .collect::<Result<Vec<_>, _>>()?;
            let lift = |image| self.crt.lift(residues.iter().map(|r| r[image])).as_f64();
            Ok((0..images).map(lift).collect())
        });
        let decrypted = decrypted.collect::<Result<Vec<Vec<f64>>, BfvError>>()?;
        Ok(self.interface.logits(&decrypted, images))
    }

    fn noise_bits_left(&self, results: &[BfvBatch]) -> Result<Option<f64>, BfvError> {
        self.check(results)?;
        let mut least = f64::INFINITY;
        for (secret, batch) in self.secrets.iter().zip(results) {
            for value in batch.latest() {
                least = least.min(secret.noise_bits_left(value)?);
            }
        }
        Ok(Some(least))
    }
}
