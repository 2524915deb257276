//! Single images by table look-up: TFHE on the crate `tfhe` (TFHE-rs).
//!
//! Every value is an LWE ciphertext of a small whole number, the level of a rounded value. A linear
//! layer is a weighted sum of ciphertexts with whole-number weights; then one programmable bootstrap a
//! value looks up the next level, whatever lies between two linear layers, and makes the noise small
//! again. All of it is exact: the twin in whole numbers computes the same accumulators.
//!
//! - A table may have any number of entries, not only a power of two: an accumulator that can take 23
//!   values gets 23 boxes of the torus, and the wider they are the more noise they bear.
//! - Where the results are two levels only, or those of a sine, accumulators may fill the whole torus and
//!   go round it: see `turns`.
//! - Accumulators are shifted by their own smallest value, so that lopsided ranges waste nothing.
//! - No table follows the last layer: its sums use the whole torus, and where even that is too narrow
//!   for the range they are sent in several pieces that the client adds.
//! - Pixels are sent seeded: 24 bytes each, where a whole ciphertext has 16 KiB.
//!
//! Parameters are TFHE-rs's own named sets, chosen by TFHE-rs's own noise formulas: see `noise`.
//!
//! # Licence
//! TFHE-rs is under BSD-3-Clause-Clear, which grants no patent rights: research and prototypes are free,
//! commercial use needs a licence from Zama. Without the Cargo feature `tfhe` it is left out; the transforms of the
//! other schemes, `tfhe-ntt`, are under the same licence and stay.

mod batch;
mod client;
mod cost;
mod error;
mod folder;
pub mod integer;
mod keys;
mod noise;
mod parameters;
mod program;
mod server;
mod spec;
mod split;
mod turns;
mod wire;

pub use batch::{TfheBatch, TfheRequest, TfheResponse, TfheValue};
pub use client::TfheClient;
pub use error::TfheError;
pub use keys::{TfheKeys, TfheParameters, TfheSecretKey};
pub use program::TfheProgram;
pub use server::TfheServer;
pub use spec::{Encoding, TfheSpec};

use std::{path::PathBuf, sync::Arc};

use cryptodl_fold::{Graph, lookup};
use cryptodl_network::Network;

use super::accepts;
use crate::{
    interface::Interface,
    limits,
    options::Options,
    plan::{Cost, EncryptionPlan, Quality},
    reference::Reference,
    scheme::{Client, Compiled, Portable, Refusal, Scheme, Source, Twin},
};
use parameters::{Choice, Demand, LOG2_MODULUS, bootstraps};

/// The scheme.
pub struct Tfhe;

/// Settings.
#[derive(Clone, Debug, Default)]
pub struct TfheOptions {
    /// Use parameters WITHOUT security.
    pub toy: bool,
    /// Folder in which the keys are kept between runs; made if it is not there.
    pub keys: Option<PathBuf>,
}

impl From<&Options> for TfheOptions {
    fn from(options: &Options) -> Self {
        Self {
            toy: options.toy,
            keys: options.keys.clone(),
        }
    }
}

impl Scheme for Tfhe {
    type Options = TfheOptions;
    type Error = TfheError;
    type Spec = TfheSpec;
    type Program = TfheProgram;
    type Keys = TfheKeys;
    type Request = TfheRequest;
    type Response = TfheResponse;
    type Client = TfheClient;
    type Server = TfheServer;

    fn name(&self) -> &'static str {
        "tfhe"
    }

    fn description(&self) -> &'static str {
        "one image at a time, exact, any activation by look-up (TFHE on TFHE-rs: no commercial use without a licence from Zama); wants a network that rounds"
    }

    fn accepts(&self, network: &Network) -> Result<(), Refusal> {
        accepts::rounding(network)
    }

    fn takes_single_images(&self) -> bool {
        true
    }

    fn compile(
        &self,
        source: &Source<'_>,
        options: &TfheOptions,
    ) -> Result<Compiled<Self>, TfheError> {
        let graph = lookup::tables(source.artifact)?;
        let choice = Choice::new(&graph, options.toy)?;
        let interface = Interface::new(source.artifact, &graph);
        let (program, spec) =
            TfheProgram::new(graph.clone(), choice, interface.clone(), options.toy);
        let memory_bytes = cost::memory(&program);
        limits::check_memory(memory_bytes)?;
        let cost = cost(&graph, &program, options.toy, memory_bytes);
        Ok(Compiled {
            spec,
            program: Arc::new(program),
            cost,
            twin: Twin::Of(Box::new(Reference::tables(graph, interface))),
            yardstick: None,
        })
    }

    fn keys(spec: &TfheSpec, options: &TfheOptions) -> Result<(TfheClient, TfheKeys), TfheError> {
        let Some(folder) = &options.keys else {
            return TfheClient::generate(spec);
        };
        let (secret, keys) = folder::open(folder, &TfheParameters(spec.set()?))?;
        Ok((TfheClient::new(spec, secret), keys))
    }
}

impl Portable for Tfhe {
    type Parameters = TfheParameters;

    fn parameters(spec: &TfheSpec) -> Result<TfheParameters, TfheError> {
        Ok(TfheParameters(spec.set()?))
    }

    fn parameters_of(program: &TfheProgram) -> &TfheParameters {
        &program.parameters
    }
}

/// What an image needs.
fn cost(graph: &Graph<i64>, program: &TfheProgram, toy: bool, memory_bytes: usize) -> Cost {
    let choice = &program.choice;
    let set = &choice.set;
    let widest = choice.inner.iter().map(|demand| demand.values).max();
    let norm = |demand: &Demand| demand.squares.sqrt();
    let heaviest = choice.inner.iter().map(norm).fold(0.0, f64::max);
    let encryption = EncryptionPlan {
        ring_degree: set.polynomial_size.0,
        log2_qp: LOG2_MODULUS,
        parameter_set: Some(choice.name.into()),
        moduli: format!(
            "{}, LWE dimension {}; look-ups of {} values, weights of norm {heaviest:.1}, failure below 2^{:.0}; results in {} {} of {} values",
            choice.name,
            set.lwe_dimension.0,
            widest.unwrap_or(0),
            choice.log2_failure.ceil(),
            choice.parts,
            if choice.parts == 1 { "piece" } else { "pieces" },
            choice.last.values,
        ),
        components: 1,
        // of TFHE-rs's named sets; toy ones have none
        security_bits: if toy { 0 } else { 128 },
        quality: Quality::Exact {
            value_bits: (choice.last.values * choice.parts)
                .next_power_of_two()
                .ilog2()
                + 1,
            noise_bits_left: -(4.0 * choice.output_deviation).log2(),
        },
        key_bytes: keys::key_bytes(set),
        ciphertext_bytes: graph.inputs() * wire::SEEDED_BYTES,
        memory_bytes,
        seconds: cost::predict(graph, program),
    };
    Cost {
        ciphertext_products: bootstraps(graph),
        depth: choice.inner.len(),
        encryption: Some(encryption),
        ..Cost::new(graph, 1)
    }
}
