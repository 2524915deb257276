//! RNS-CKKS for networks with plaintext weights: real slots only, and whole layers at the speed of the
//! processor's units for small integers.
//!
//! **Research grade.** Nobody has audited this crate. Do not protect anything with it that matters.
//!
//! With one feature of N images in each ciphertext, a linear layer is the product of a matrix of small
//! integers with the residues of all ciphertexts, column by column. This crate computes such products in
//! bytes ([`columns`]): plain Rust, AVX2, AVX-512 VNNI or AMX int8, whichever the processor has. A run
//! *linear, square, linear* stays in cache, and only its results are relinearised and rescaled, both in
//! one pass.
//!
//! ```
//! use cryptodl_ckks::{
//!     Evaluator, ParametersLiteral, Parameters, SecretKey, SeededBatch, LayerStep,
//!     columns::{Layer, Matrix, Tile},
//! };
//!
//! # fn main() -> Result<(), cryptodl_ckks::Error> {
//! let parameters = Parameters::new(&ParametersLiteral {
//!     ring_degree: 4096, // as many slots
//!     prime_bits: vec![49, 49],
//!     special_bits: vec![],
//! })?; // an error if below 128 bits
//! let secret = SecretKey::generate(&parameters);
//! let evaluator = Evaluator::new(&parameters, Some(secret.relinearisation_key()))?;
//!
//! // (2 x - y + 0.5)² in every slot; weights are multiples of a step
//! let matrix = Matrix { rows: 1, columns: 2, data: vec![2, -1] };
//! let tile = Tile { matrix: 0, inputs: vec![0, 1], outputs: vec![0] };
//! let layer = Layer::new(2, 1, &[matrix], &[tile])?;
//! let steps = [LayerStep::Linear { layer: &layer, step: 1.0, bias: &[0.5] }, LayerStep::Square];
//!
//! let scale = 40f64.exp2();
//! let x = secret.encrypt(&[0.25; 4096], scale, 2)?;
//! let y = secret.encrypt(&[-1.0; 4096], scale, 2)?;
//! let blocks = evaluator.run(&steps, &SeededBatch::new(&[x, y])?)?;
//! let results = evaluator.collect(&blocks, true)?.bundle;
//! let slots = secret.decrypt(&results.get(0))?;
//! assert!((slots[17] - 4.0).abs() < 1e-4);
//! # Ok(())
//! # }
//! ```
//!
//! | module or type | what it is |
//! |---|---|
//! | [`ParametersLiteral`], [`Parameters`] | unchecked and checked parameters; below 128 bits they are refused, unless made by [`Parameters::toy`] |
//! | [`security`] | the published table |
//! | [`SecretKey`], [`PublicKey`], [`RelinearisationKey`] | keys; encryption and decryption |
//! | [`SeededCiphertext`], [`SeededBatch`] | what a client with the secret key sends: half the bytes |
//! | [`Ciphertext`], [`Bundle`] | one ciphertext; several of one shape |
//! | [`Evaluator`] | what a server does: single operations, and whole layers by [`Evaluator::run`] and [`Evaluator::collect`] |
//! | [`columns`] | plaintext-weight layers on residue columns, and the kernels |
//! | [`noise`] | the noise that each operation adds |
//!
//! Every key and ciphertext is written and read by the trait [`Wire`](cryptodl_wire::Wire). Bytes carry the fingerprint of
//! their parameters; whatever is wrong with them is an error, and lengths are checked before memory is set aside.
//!
//! # The scheme
//!
//! Cheon, Kim, Kim & Song (2017) in residues (Cheon et al. 2018), on the ring of integers of
//! `Q(ζ + ζ⁻¹)`, ζ of order 4N, which has N real slots where the usual ring of degree N has N/2 complex ones
//! (Kim & Song 2018). An element `a_0 + Σ a_i (X^i + X^-i)` is transformed by one twist and a
//! negacyclic transform of length N, so primes are 1 modulo 4N. Secrets are ternary, errors centred
//! binomial of deviation [`NOISE_DEVIATION`]. Relinearisation takes one digit for each prime, with special
//! primes or, if there are none, with rescaling in the same pass, whose prime then does their work.
//! A layer has one step for all its weights: scales by channel would have to be put right by a product of their own.
//!
//! # Security
//!
//! - **Threat model**: the server is honest but curious. It sees ciphertexts and the relinearisation key,
//!   knows the weights, and follows the protocol. Nothing proves that it did.
//! - **Parameters** are checked against the security guidelines of 2024 (Bossuat et al., ePrint 2024/463,
//!   tables 5.2 and 5.3), special primes included. The ring above counts as one of degree N (Kim & Song 2018, section 5).
//! - **Results reveal noise.** Whoever sees a decrypted value and knows what went in learns about the
//!   noise, and with it about the key: CKKS is not secure under IND-CPA^D (Li & Micciancio 2021). Results
//!   that leave the hands of the key's owner should come from [`SecretKey::decrypt_flooded`]. How many
//!   bits are enough depends on how many results are shared; the function does not choose.
//! - **Keys and noise** come from AES-256 in counter mode, seeded by the operating system. Keys, noise and what
//!   a decryption makes on the way are wiped when dropped; messages and results are the caller's.
//! - **Assumptions** beyond ring learning with errors: the relinearisation key encrypts the square of the key
//!   under itself (circular security), and the half of a ciphertext that is sent as a seed is uniform, that is,
//!   AES with a public key behaves as a random function.
//! - **No constant time** is claimed for anything.
//!
//! # Left out
//!
//! Rotations, complex slots, bootstrapping, thresholds and encrypted weights: one image a slot needs none of
//! them.

#![allow(
    clippy::inline_always,
    reason = "modular arithmetic of a few instructions, in loops where a call would cost more than its body"
)]

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

pub mod columns;
pub mod noise;
pub mod security;

mod ciphertext;
mod encoding;
mod error;
mod evaluator;
mod join;
mod keys;
mod layers;
mod limits;
mod modulus;
mod parameters;
mod pool;
mod ring;
mod sample;
mod switch;
mod twist;
mod vector;
mod wire;

pub use ciphertext::{Bundle, Ciphertext, SeededBatch, SeededCiphertext};
pub use error::Error;
pub use evaluator::Evaluator;
pub use join::Term;
pub use keys::{PublicKey, RelinearisationKey, SecretKey};
pub use layers::{Blocks, Collected, Inputs, LayerStep, Piece};
pub use limits::{MAX_PRIME_BITS, MAX_RING_DEGREE, MIN_PRIME_BITS, MIN_RING_DEGREE};
pub use parameters::{Parameters, ParametersLiteral};
pub use sample::NOISE_DEVIATION;
