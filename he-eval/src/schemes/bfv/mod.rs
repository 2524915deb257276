//! Batched BFV on the crate `fhe`: exact integers, one image a slot.
//!
//! One ciphertext holds one number of as many images as the ring has slots, so convolutions and
//! dense layers are sums of ciphertexts times small plaintext integers, without rotations
//! (CryptoNets, ICML 2016).
//!
//! - Linear layers run on the residues with our own [`kernel`], all outputs at once.
//! - Relinearisation is lazy: a product that one linear layer or sum reads keeps three parts, and only
//!   the (fewer) results of that are relinearised.
//! - Integers larger than one plaintext modulus are split by the Chinese remainder theorem into *CRT components*, each
//!   an ordinary BFV evaluation.
//!
//! Secret keys are ternary, as the security table wants; noise is centred binomial of variance 10
//! (deviation 3.16, where the table assumes 3.2). `fhe` has no special primes: the key-switching modulus is the ciphertext one.
//!
//! # What is worked around in `fhe` 0.1.1
//! - A plaintext modulus at or above the first ciphertext prime decrypts wrong without a word: the
//!   planner uses ciphertext primes of at least 50 bits and plaintext moduli of at most 42.
//! - It checks no security level: [`crate::limits`] does.
//! - Ciphertexts and keys point to the parameters that they were made with, and operations panic where these are not one and
//!   the same object: what comes from the other party is made anew with one's own.

mod batch;
mod client;
mod component;
mod components;
mod cost;
mod crt;
mod error;
pub mod kernel;
mod keys;
mod noise;
mod parameters;
mod parts;
mod program;
mod secret;
mod server;
mod spec;
#[cfg(test)]
mod tests;
mod wire;

pub use batch::{BfvBatch, BfvCiphertexts};
pub use client::BfvClient;
pub use components::BfvComponents;
pub use error::BfvError;
pub use keys::BfvKeys;
pub use program::BfvProgram;
pub use server::BfvServer;
pub use spec::BfvSpec;

use std::sync::Arc;

use cryptodl_fold::{Quantisation, quantise};
use cryptodl_network::Network;

use super::accepts;
use crate::{
    interface::Interface,
    limits,
    options::Options,
    plan::{Cost, EncryptionPlan, Quality},
    reference::Reference,
    scheme::{Compiled, Portable, Refusal, Scheme, Source, Twin},
};
use parameters::Choice;

/// Ring degree of toy runs.
const TOY_RING_DEGREE: usize = 1024;

/// The scheme.
pub struct Bfv;

/// Settings.
#[derive(Clone, Copy, Debug, Default)]
pub struct BfvOptions {
    /// How many bits integers get.
    pub quantisation: Quantisation,
    /// Smallest ring degree to take; see [`Options::ring_degree`].
    pub ring_degree: Option<usize>,
    /// Use a small ring WITHOUT security.
    pub toy: bool,
}

impl From<&Options> for BfvOptions {
    fn from(options: &Options) -> Self {
        Self {
            quantisation: options.quantisation(),
            ring_degree: options.ring_degree,
            toy: options.toy,
        }
    }
}

impl Scheme for Bfv {
    type Options = BfvOptions;
    type Error = BfvError;
    type Spec = BfvSpec;
    type Program = BfvProgram;
    type Keys = BfvKeys;
    type Request = BfvCiphertexts;
    type Response = BfvCiphertexts;
    type Client = BfvClient;
    type Server = BfvServer;

    fn name(&self) -> &'static str {
        "bfv"
    }

    fn description(&self) -> &'static str {
        "batched exact integers (BFV on the crate `fhe`), one image a slot"
    }

    fn accepts(&self, network: &Network) -> Result<(), Refusal> {
        accepts::polynomials(network, 4)
    }

    fn compile(
        &self,
        source: &Source<'_>,
        options: &BfvOptions,
    ) -> Result<Compiled<Self>, BfvError> {
        let graph = quantise(source.graph, options.quantisation)?;
        let choice = if options.toy {
            Choice::toy(&graph, TOY_RING_DEGREE)?
        } else {
            Choice::new(&graph, limits::rings(options.ring_degree)?)?
        };
        let interface = Interface::new(source.artifact, &graph);
        let twin = Reference::integers(graph.clone(), interface.clone())?;
        let spec = BfvSpec {
            interface,
            ring_degree: choice.ring_degree,
            prime_bits: choice.prime_bits.clone(),
            plain_moduli: choice.plain_moduli.clone(),
            toy: options.toy,
        };
        let program = BfvProgram::new(graph, &spec)?;
        let memory_bytes = cost::memory(&program);
        let security_bits = limits::check(spec.ring_degree, spec.log2_q(), memory_bytes)?;
        let components = program.components.len();
        let encryption = EncryptionPlan {
            ring_degree: spec.ring_degree,
            log2_qp: spec.log2_q(),
            parameter_set: None,
            moduli: format!(
                "{} primes (no special primes), {components} plaintext moduli of {} bits",
                choice.prime_bits.len(),
                choice.plain_bits
            ),
            components,
            security_bits,
            quality: Quality::Exact {
                value_bits: choice.value_bits,
                noise_bits_left: choice.noise_bits_left,
            },
            key_bytes: program.key_bytes(),
            ciphertext_bytes: program.graph.inputs()
                * components
                * wire::ciphertext_size(&program.components[0]) as usize,
            memory_bytes,
            seconds: cost::predict(&program)?,
        };
        let cost = Cost {
            encryption: Some(encryption),
            ..Cost::new(&program.graph, spec.ring_degree)
        };
        Ok(Compiled {
            spec,
            program: Arc::new(program),
            cost,
            twin: Twin::Of(Box::new(twin)),
            yardstick: None,
        })
    }
}

impl Portable for Bfv {
    type Parameters = BfvComponents;

    fn parameters(spec: &BfvSpec) -> Result<BfvComponents, BfvError> {
        spec.build()
    }

    fn parameters_of(program: &BfvProgram) -> &BfvComponents {
        &program.components
    }
}
