//! RNS-CKKS.

pub mod columns;
pub mod noise;
pub mod security;

mod bytes;
mod ciphertext;
mod encoding;
mod error;
mod evaluator;
mod keys;
mod layers;
mod modulus;
mod parameters;
mod pool;
mod ring;
mod sample;
mod switch;
mod vector;

pub use ciphertext::{Bundle, Ciphertext, SeededBatch, SeededCiphertext};
pub use error::Error;
pub use evaluator::Evaluator;
pub use keys::{PublicKey, RelinearisationKey, SecretKey};
pub use layers::{Blocks, Collected, Inputs, Stage};
pub use parameters::{
    Literal, MAX_PRIME_BITS, MAX_RING_DEGREE, MIN_PRIME_BITS, MIN_RING_DEGREE, Parameters,
};
pub use sample::NOISE_DEVIATION;
