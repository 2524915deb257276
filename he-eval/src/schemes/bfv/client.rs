//! The client: secret keys, encryption, decryption.

use rayon::prelude::*;

use super::{
    batch::BfvCiphertexts, components::BfvComponents, crt::Crt, error::BfvError, keys::BfvKeys,
    secret::Secret, spec::BfvSpec,
};
use crate::{interface::Interface, scheme::Client};

/// Holds one secret key for each CRT component.
pub struct BfvClient {
    interface: Interface,
    components: BfvComponents,
    secrets: Vec<Secret>,
    crt: Crt,
}

impl BfvClient {
    /// Refuses what are no results of all components in order.
    fn check(&self, responses: &[BfvCiphertexts]) -> Result<(), BfvError> {
        let outputs = self.interface.output_scale.len();
        let mut all = responses.iter().enumerate();
        if responses.len() == self.secrets.len()
            && all.all(|(i, response)| {
                response.components == self.components
                    && response.component == i
                    && response.values.len() == outputs
            })
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
    type Request = BfvCiphertexts;
    type Response = BfvCiphertexts;
    type Error = BfvError;

    fn generate(spec: &BfvSpec) -> Result<(Self, BfvKeys), BfvError> {
        let components = spec.build()?;
        let secrets = 0..components.len();
        let secrets = secrets.map(|component| Secret::generate(&components, component));
        let secrets: Vec<Secret> = secrets.collect::<Result<_, _>>()?;
        let keys = secrets.iter().map(Secret::relinearisation);
        let keys = BfvKeys {
            keys: keys.collect::<Result<_, _>>()?,
            components: components.clone(),
        };
        let client = Self {
            interface: spec.interface.clone(),
            components,
            secrets,
            crt: Crt::new(&spec.plain_moduli),
        };
        Ok((client, keys))
    }

    fn components(&self) -> usize {
        self.secrets.len()
    }

    fn encrypt(&self, images: &[&[u8]], component: usize) -> Result<BfvCiphertexts, BfvError> {
        let columns = self.interface.columns(images)?;
        let secret = &self.secrets[component];
        let pixels = columns.par_iter().map(|column| secret.encrypt(column));
        Ok(BfvCiphertexts {
            components: self.components.clone(),
            component,
            values: pixels.collect::<Result<_, _>>()?,
        })
    }

    fn decrypt(
        &self,
        responses: &[BfvCiphertexts],
        images: usize,
    ) -> Result<Vec<Vec<f64>>, BfvError> {
        self.check(responses)?;
        let outputs = 0..self.interface.output_scale.len();
        let decrypted = outputs.into_par_iter().map(|output| {
            let residues = self.secrets.iter().zip(responses);
            let residues = residues
                .map(|(secret, response)| secret.decrypt(&response.values[output], images))
                .collect::<Result<Vec<_>, _>>()?;
            let lift = |image| self.crt.lift(residues.iter().map(|r| r[image])).as_f64();
            Ok((0..images).map(lift).collect())
        });
        let decrypted = decrypted.collect::<Result<Vec<Vec<f64>>, BfvError>>()?;
        Ok(self.interface.logits(&decrypted, images))
    }

    fn noise_bits_left(&self, responses: &[BfvCiphertexts]) -> Result<Option<f64>, BfvError> {
        self.check(responses)?;
        let mut least = f64::INFINITY;
        for (secret, response) in self.secrets.iter().zip(responses) {
            for value in &response.values {
                least = least.min(secret.noise_bits_left(value)?);
            }
        }
        Ok(Some(least))
    }
}
