//! The role with the secret key.

use std::sync::Arc;

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
    keys::SecretKey,
    program::{Layer, Program},
    wire::{Kind, Reader, WireError, Writer},
};
use crate::{EvalError, scheme::Client};

/// Standard deviations that the noise of a result may reach before the key is taken for a wrong one: the
/// planner leaves thirteen or more, and ten results beyond this come once in a thousand million images.
const MOST_DEVIATIONS: f64 = 6.5;

/// Share of a half-box that the noise of any other accumulator may fill.
const MOST_NOISE: f64 = 0.5;

/// One encrypted number.
#[derive(Clone, Debug)]
pub enum TfheValue {
    /// As encrypted: the mask is a generator's output and stays with its seed.
    Seeded {
        /// Seed of the mask.
        seed: u128,
        /// The body.
        body: u64,
    },
    /// Mask and body.
    Whole(Vec<u64>),
}

/// Encrypts levels of pixels and decrypts accumulators.
pub struct TfheClient {
    pub(super) secret: SecretKey,
    pub(super) program: Arc<Program>,
}

impl TfheValue {
    /// Mask and body of a ciphertext of so many mask words.
    pub(super) fn whole(self, dimension: usize) -> Vec<u64> {
        match self {
            Self::Whole(words) => words,
            Self::Seeded { seed, body } => {
                let seeded = SeededLweCiphertext::from_scalar(
                    body,
                    LweSize(dimension + 1),
                    CompressionSeed::from(Seed(seed)),
                    CiphertextModulus::new_native(),
                );
                seeded.decompress_into_lwe_ciphertext().into_container()
            }
        }
    }
}

impl TfheClient {
    /// Decrypts the accumulators after linear layer `layer` (counted from 0): what the twin computes in
    /// whole numbers. The last layer's partial sums are added.
    ///
    /// # Errors
    /// When the noise is far above the planned or a value is impossible: then the key is another one.
    pub fn accumulators(&self, layer: usize, values: &[TfheValue]) -> Result<Vec<i64>, EvalError> {
        Ok(self.decode(layer, values)?.0)
    }

    /// Accumulators, and the largest noise as a share of half a box.
    fn decode(&self, index: usize, values: &[TfheValue]) -> Result<(Vec<i64>, f64), EvalError> {
        let layer = &self.program.layers[index];
        let choice = &self.program.choice;
        let (parts, most) = if index + 1 == self.program.layers.len() {
            (choice.parts, MOST_DEVIATIONS * choice.output_deviation)
        } else {
            (1, MOST_NOISE)
        };
        let mut worst = 0.0_f64;
        let mut sums = Vec::with_capacity(values.len());
        for (output, value) in values.iter().enumerate() {
            let words = value.clone().whole(self.program.dimension());
            let ciphertext = LweCiphertext::from_container(words, CiphertextModulus::new_native());
            let phase = decrypt_lwe_ciphertext(&self.secret.long, &ciphertext).0;
            let (sum, noise) = self.nearest(layer, output, phase);
            worst = worst.max(noise);
            let (low, high) = layer.ranges[output];
            if noise > most || !(low..=high).contains(&sum) {
                return Err(EvalError::WrongKey { output, noise });
            }
            sums.push(sum);
        }
        let whole = sums.chunks(parts).map(|parts| parts.iter().sum());
        Ok((whole.collect(), worst))
    }

    /// How many values make a turn of the torus in front of linear layer `layer`'s look-up, counted from 0:
    /// accumulators that are wider are known up to whole turns.
    pub fn turn(&self, layer: usize) -> Option<i64> {
        let demand = self.program.choice.inner.get(layer)?;
        Some(2 * demand.values as i64)
    }

    /// The accumulator nearest to a phase, and how far that is in half-boxes.
    fn nearest(&self, layer: &Layer, output: usize, phase: u64) -> (i64, f64) {
        // the phase of the smallest accumulator becomes 0
        let (low, _) = layer.ranges[output];
        let origin = layer
            .shift(output, &self.program.choice)
            .wrapping_add(layer.delta.wrapping_mul(low as u64));
        let half = layer.delta / 2;
        let position = phase.wrapping_sub(origin).wrapping_add(half);
        let steps = position / layer.delta;
        let error = (position - steps * layer.delta).abs_diff(half);
        (low + steps as i64, error as f64 / half as f64)
    }

    /// An encrypted image as bytes.
    ///
    /// # Panics
    /// If a value is not as [`Client::encrypt`] made it.
    pub fn inputs_to_bytes(&self, values: &[TfheValue]) -> Vec<u8> {
        let set = &self.program.choice.set;
        let identity = self.secret.identity;
        let mut writer = Writer::new(Kind::Inputs, set, identity, 3 * values.len());
        for value in values {
            let TfheValue::Seeded { seed, body } = value else {
                panic!("inputs are seeded");
            };
            writer.seed(*seed);
            writer.words(&[*body]);
        }
        writer.end()
    }

    /// Reads encrypted results.
    ///
    /// # Errors
    /// When they are cut, damaged, of other parameters or of another key.
    pub fn outputs_from_bytes(&self, bytes: &[u8]) -> Result<Vec<TfheValue>, WireError> {
        let size = self.program.dimension() + 1;
        let last = self.program.layers.last().expect("at least one layer");
        let count = last.ranges.len();
        let set = &self.program.choice.set;
        let mut reader = Reader::new(Kind::Outputs, bytes, set, count * size)?;
        if reader.identity() != self.secret.identity {
            return Err(WireError::Identity(Kind::Outputs));
        }
        Ok((0..count)
            .map(|_| TfheValue::Whole(reader.words(size)))
            .collect())
    }
}

impl Client for TfheClient {
    type Value = TfheValue;

    fn encrypt(&self, _share: usize, features: &[Vec<u32>]) -> Result<Vec<TfheValue>, EvalError> {
        let program = &self.program;
        let set = &program.choice.set;
        let delta = program.layers[0].delta;
        let mut seeder = DeterministicSeeder::<DefaultRandomGenerator>::new(new_seeder().seed());
        let pairs = features.iter().zip(&program.pixels.of);
        let values = pairs.map(|(pixel, &table)| {
            let level = program.pixels.tables[table as usize].at(i64::from(pixel[0]));
            let seed = seeder.seed();
            let mut ciphertext = SeededLweCiphertext::new(
                0,
                LweSize(program.dimension() + 1),
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
            TfheValue::Seeded {
                seed: seed.0,
                body: ciphertext.into_scalar(),
            }
        });
        Ok(values.collect())
    }

    fn decrypt(
        &self,
        shares: &[Vec<TfheValue>],
        _images: usize,
    ) -> Result<Vec<Vec<f64>>, EvalError> {
        let last = self.program.layers.len() - 1;
        let sums = self.accumulators(last, &shares[0])?;
        Ok(sums.into_iter().map(|sum| vec![sum as f64]).collect())
    }

    fn noise_bits_left(&self, shares: &[Vec<TfheValue>]) -> Result<Option<f64>, EvalError> {
        let last = self.program.layers.len() - 1;
        let (_, worst) = self.decode(last, &shares[0])?;
        Ok(Some(-worst.max(f64::MIN_POSITIVE).log2()))
    }
}
