//! Polynomials the expensive way: whole networks in TFHE-rs's encrypted integers.
//!
//! A value is a radix integer, two bits a ciphertext; additions, products with weights and products of
//! two values are TFHE-rs's own, each of dozens to hundreds of bootstraps. The graph is the one that
//! `bfv` evaluates, and so are the results, bit for bit. It is here to show what it costs; the plan
//! says so before the run, and more than [`MOST_SECONDS`] an image is refused unless asked for.

mod cost;
mod error;
mod program;
mod roles;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use cryptodl_fold::{Quantisation, graph::ValueId, quantise};
use cryptodl_network::Network;

pub use error::IntegerError;
pub use program::{IntegerProgram, IntegerSpec};
pub use roles::{IntegerBatch, IntegerCiphertexts, IntegerClient, IntegerKeys, IntegerServer};

use super::{keys::key_bytes, parameters::LOG2_MODULUS};
use crate::{
    interface::Interface,
    limits::check_memory,
    options::Options,
    plan::{Cost, EncryptionPlan, Quality},
    reference::Reference,
    scheme::{Compiled, Refusal, Scheme, Source, Twin},
    schemes::accepts,
};
use program::block_bytes;

/// Seconds for one image that may be predicted, unless any cost is asked for.
pub const MOST_SECONDS: f64 = 900.0;

/// Name of the parameter set.
const SET: &str = "PARAM_MESSAGE_2_CARRY_2_KS_PBS";

/// Bits between the noise and the bound: a set's failure probability of 2⁻¹²⁸ leaves 13 deviations, and
/// the worst of many results lies around four of them.
const NOISE_BITS_LEFT: f64 = 1.7;

/// The scheme.
pub struct TfheInteger;

/// Settings.
#[derive(Clone, Copy, Debug, Default)]
pub struct IntegerOptions {
    /// How many bits integers get.
    pub quantisation: Quantisation,
    /// Use parameters WITHOUT security.
    pub toy: bool,
    /// Compile even what takes more than [`MOST_SECONDS`].
    pub any_cost: bool,
}

impl From<&Options> for IntegerOptions {
    fn from(options: &Options) -> Self {
        Self {
            quantisation: options.quantisation(),
            toy: options.toy,
            any_cost: options.any_cost,
        }
    }
}

impl Scheme for TfheInteger {
    type Options = IntegerOptions;
    type Error = IntegerError;
    type Spec = IntegerSpec;
    type Program = IntegerProgram;
    type Keys = IntegerKeys;
    type Request = IntegerCiphertexts;
    type Response = IntegerCiphertexts;
    type Client = IntegerClient;
    type Server = IntegerServer;

    fn name(&self) -> &'static str {
        "tfhe-integer"
    }

    fn description(&self) -> &'static str {
        "polynomials in TFHE-rs's encrypted integers, exact and very slow: for small networks, to show the price"
    }

    fn accepts(&self, network: &Network) -> Result<(), Refusal> {
        accepts::polynomials(network, 4)
    }

    fn takes_single_images(&self) -> bool {
        true
    }

    fn only_by_name(&self) -> bool {
        true
    }

    fn compile(
        &self,
        source: &Source<'_>,
        options: &IntegerOptions,
    ) -> Result<Compiled<Self>, IntegerError> {
        let graph = quantise(source.graph, options.quantisation)?;
        let interface = Interface::new(source.artifact, &graph);
        let twin = Reference::integers(graph.clone(), interface.clone())?;
        let program = Arc::new(IntegerProgram::new(graph)?);
        let spec = IntegerSpec {
            interface,
            toy: options.toy,
            blocks: program.blocks[ValueId::INPUT.0],
        };
        let set = spec.set();
        let memory_bytes = 3 * key_bytes(&set) + program.ciphertext_bytes(&set);
        check_memory(memory_bytes)?;
        let seconds = cost::predict(&spec, &program)?;
        if seconds.infer > MOST_SECONDS && !options.any_cost {
            return Err(IntegerError::TooSlow {
                seconds: seconds.infer,
                most: MOST_SECONDS,
            });
        }
        let widest = program.widest();
        let encryption = EncryptionPlan {
            ring_degree: set.polynomial_size.0,
            log2_qp: LOG2_MODULUS,
            parameter_set: Some(SET.into()),
            moduli: format!(
                "{SET}, LWE dimension {}; integers of up to {widest} bits",
                set.lwe_dimension.0
            ),
            components: 1,
            security_bits: if options.toy { 0 } else { 128 },
            quality: Quality::Exact {
                value_bits: widest,
                noise_bits_left: NOISE_BITS_LEFT,
            },
            key_bytes: key_bytes(&set),
            ciphertext_bytes: program.graph.inputs() * spec.blocks * block_bytes(&set),
            memory_bytes,
            seconds,
        };
        let cost = Cost {
            encryption: Some(encryption),
            ..Cost::new(&program.graph, 1)
        };
        Ok(Compiled {
            spec,
            program,
            cost,
            twin: Twin::Of(Box::new(twin)),
            yardstick: None,
        })
    }
}
