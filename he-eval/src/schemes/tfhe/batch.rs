//! Encrypted numbers: as the client sends them, while the server works on them, and as it answers.

use tfhe::{
    core_crypto::{
        commons::math::random::{CompressionSeed, Seed},
        prelude::{CiphertextModulus, LweSize, SeededLweCiphertext},
    },
    shortint::ClassicPBSParameters,
};

use super::keys::{TfheParameters, long_dimension};

/// Mask and body of an encrypted number.
pub type TfheValue = Vec<u64>;

/// Encrypted pixels of an image.
pub struct TfheRequest {
    pub(super) parameters: TfheParameters,
    /// Of the client's key.
    pub(super) identity: u128,
    pub(super) pixels: Vec<SeededValue>,
}

/// An encrypted number whose mask is a generator's output and stays with its seed.
#[derive(Clone, Copy)]
pub(super) struct SeededValue {
    /// Seed of the mask.
    pub seed: u128,
    pub body: u64,
}

impl SeededValue {
    /// Mask and body.
    pub fn expand(self, set: &ClassicPBSParameters) -> TfheValue {
        let seeded = SeededLweCiphertext::from_scalar(
            self.body,
            LweSize(long_dimension(set) + 1),
            CompressionSeed::from(Seed(self.seed)),
            CiphertextModulus::new_native(),
        );
        seeded.decompress_into_lwe_ciphertext().into_container()
    }
}

/// An image in between two layers.
#[derive(Clone, Debug)]
pub struct TfheBatch {
    /// The step that comes next.
    pub(super) step: usize,
    pub(super) values: Vec<TfheValue>,
}

/// Encrypted results of an image.
pub struct TfheResponse {
    pub(super) parameters: TfheParameters,
    /// Of the client's key.
    pub(super) identity: u128,
    pub(super) values: Vec<TfheValue>,
}
