//! The role with the secret key.

use tfhe::core_crypto::{
    commons::{
        generators::DeterministicSeeder,
        math::random::{CompressionSeed, Seed, Seeder},
    },
    prelude::{
        CiphertextModulus, DefaultRandomGenerator, LweCiphertext, LweSize, Plaintext,
        SeededLweCiphertext, decrypt_lwe_ciphertext, encrypt_seeded_lwe_ciphertext, new_seeder,
    },
};

use super::{
    batch::{SeededValue, TfheRequest, TfheResponse, TfheValue},
    error::TfheError,
    keys::{TfheKeys, TfheParameters, TfheSecretKey, long_dimension},
    program::TfheProgram,
    spec::{Encoding, TfheSpec},
};
use crate::scheme::Client;

/// Standard deviations that the noise of a result may reach before the key is taken for a wrong one: the
/// planner leaves thirteen or more, and ten results beyond this come once in a thousand million images.
const MOST_DEVIATIONS: f64 = 6.5;

/// Share of a half-box that the noise of any other accumulator may fill.
const MOST_NOISE: f64 = 0.5;

/// Encrypts levels of pixels and decrypts accumulators.
pub struct TfheClient {
    secret: TfheSecretKey,
    spec: TfheSpec,
}

impl TfheClient {
    /// With a secret key of the specification's parameters.
    pub(super) fn new(spec: &TfheSpec, secret: TfheSecretKey) -> Self {
        Self {
            secret,
            spec: spec.clone(),
        }
    }

    /// The accumulators of linear layer `layer` (counted from 0), as [`TfheServer::sums`](super::TfheServer::sums) makes
    /// them: what the twin computes in whole numbers, but for whole turns of the torus ([`TfheProgram::turn`]). The last
    /// layer's partial sums are added.
    ///
    /// # Errors
    /// When the noise is far above the planned or a value is impossible: then the key is another one.
    pub fn accumulators(
        &self,
        program: &TfheProgram,
        layer: usize,
        sums: &[TfheValue],
    ) -> Result<Vec<i64>, TfheError> {
        if layer + 1 == program.layers.len() {
            return Ok(self.results(sums)?.0);
        }
        Ok(self
            .decode(&program.layers[layer].encoding, MOST_NOISE, sums)?
            .0)
    }

    /// The last layer's accumulators, and the largest noise as a share of half a box.
    fn results(&self, sums: &[TfheValue]) -> Result<(Vec<i64>, f64), TfheError> {
        let most = MOST_DEVIATIONS * self.spec.deviation;
        let (sums, worst) = self.decode(&self.spec.results, most, sums)?;
        let whole = sums.chunks(self.spec.parts).map(|parts| parts.iter().sum());
        Ok((whole.collect(), worst))
    }

    /// Accumulators whose noise fills no more than `most` of half a box, and the largest.
    fn decode(
        &self,
        encoding: &Encoding,
        most: f64,
        values: &[TfheValue],
    ) -> Result<(Vec<i64>, f64), TfheError> {
        let (expected, got) = (encoding.ranges.len(), values.len());
        if expected != got {
            return Err(TfheError::Results { expected, got });
        }
        let mut worst = 0.0_f64;
        let mut sums = Vec::with_capacity(values.len());
        for (output, value) in values.iter().enumerate() {
            let modulus = CiphertextModulus::new_native();
            let ciphertext = LweCiphertext::from_container(value.as_slice(), modulus);
            let phase = decrypt_lwe_ciphertext(&self.secret.long, &ciphertext).0;
            let (sum, noise) = encoding.nearest(output, phase);
            worst = worst.max(noise);
            let (low, high) = encoding.ranges[output];
            if noise > most || !(low..=high).contains(&sum) {
                return Err(TfheError::WrongKey { output, noise });
            }
            sums.push(sum);
        }
        Ok((sums, worst))
    }

    /// The values of the response to a request, which is one image.
    fn only<'a>(&self, responses: &'a [TfheResponse]) -> Result<&'a [TfheValue], TfheError> {
        let [response] = responses else {
            let got = responses.len();
            return Err(TfheError::Images { got });
        };
        if response.parameters != self.secret.parameters {
            return Err(TfheError::OtherParameters);
        }
        if response.identity != self.secret.identity {
            return Err(TfheError::OtherKey);
        }
        Ok(&response.values)
    }
}

impl Client for TfheClient {
    type Spec = TfheSpec;
    type Keys = TfheKeys;
    type Request = TfheRequest;
    type Response = TfheResponse;
    type Error = TfheError;

    fn generate(spec: &TfheSpec) -> Result<(Self, TfheKeys), TfheError> {
        let secret = TfheSecretKey::generate(&TfheParameters(spec.set()?));
        let keys = secret.server_key();
        Ok((Self::new(spec, secret), keys))
    }

    fn encrypt(&self, images: &[&[u8]], _component: usize) -> Result<TfheRequest, TfheError> {
        let got = images.len();
        if got != 1 {
            return Err(TfheError::Images { got });
        }
        let columns = self.spec.interface.columns(images)?;
        let set = &self.secret.parameters.0;
        let delta = self.spec.delta;
        let mut seeder = DeterministicSeeder::<DefaultRandomGenerator>::new(new_seeder().seed());
        let pairs = columns.iter().zip(&self.spec.pixels);
        let values = pairs.map(|(pixel, &table)| {
            let level = self.spec.levels[table as usize][pixel[0] as usize];
            let seed = seeder.seed();
            let mut ciphertext = SeededLweCiphertext::new(
                0,
                LweSize(long_dimension(set) + 1),
                CompressionSeed::from(Seed(seed.0)),
                CiphertextModulus::new_native(),
            );
            encrypt_seeded_lwe_ciphertext(
                &self.secret.long,
                &mut ciphertext,
                Plaintext(delta.wrapping_mul(level as u64)),
                set.glwe_noise_distribution,
                &mut seeder,
            );
            SeededValue {
                seed: seed.0,
                body: ciphertext.into_scalar(),
            }
        });
        Ok(TfheRequest {
            pixels: values.collect(),
            parameters: self.secret.parameters,
            identity: self.secret.identity,
        })
    }

    fn decrypt(
        &self,
        responses: &[TfheResponse],
        images: usize,
    ) -> Result<Vec<Vec<f64>>, TfheError> {
        let (sums, _) = self.results(self.only(responses)?)?;
        let sums: Vec<Vec<f64>> = sums.into_iter().map(|sum| vec![sum as f64]).collect();
        Ok(self.spec.interface.logits(&sums, images.min(1)))
    }

    fn noise_bits_left(&self, responses: &[TfheResponse]) -> Result<Option<f64>, TfheError> {
        let (_, worst) = self.results(self.only(responses)?)?;
        Ok(Some(-worst.max(f64::MIN_POSITIVE).log2()))
    }
}
