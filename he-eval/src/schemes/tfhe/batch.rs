//! Encrypted numbers.

use tfhe::core_crypto::{
    commons::math::random::{CompressionSeed, Seed},
    prelude::{CiphertextModulus, LweSize, SeededLweCiphertext},
};

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

/// An image in between two layers.
#[derive(Clone, Debug)]
pub struct TfheBatch {
    /// The step that comes next; none for results that came as bytes.
    pub(super) step: Option<usize>,
    pub(super) values: Vec<TfheValue>,
}

impl TfheBatch {
    /// The encrypted numbers.
    pub fn values(&self) -> &[TfheValue] {
        &self.values
    }
}
