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
//! commercial use needs a licence from Zama. The Cargo feature `tfhe` leaves it out.

mod client;
mod cost;
mod folder;
pub mod integer;
mod keys;
mod noise;
mod parameters;
mod program;
mod server;
mod split;
mod turns;
mod wire;

pub use client::{TfheClient, TfheValue};
pub use server::TfheServer;
pub use wire::{Kind, WireError};

use std::{path::PathBuf, sync::Arc};

use cryptodl_network::Artifact;

use crate::{
    EvalError, Options,
    graph::Graph,
    lookup,
    plan::{EncryptionPlan, Plan, Quality},
    scheme::Scheme,
    schemes::{Job, Prepared, Under, clear},
};
use keys::SecretKey;
use parameters::{Choice, bootstraps};
use program::Program;

/// Bits of the modulus of every ciphertext.
const LOG2_MODULUS: f64 = 64.0;

/// The scheme with its parameters chosen.
pub struct Tfhe {
    program: Arc<Program>,
    keys: Option<PathBuf>,
}

impl Tfhe {
    /// Chooses parameters for a rounding network, and returns what the server evaluates and the twin's
    /// graph, which begins with the table of the pixels.
    ///
    /// # Errors
    /// When the network does not round or no parameter set holds it.
    pub fn new(
        artifact: &Artifact,
        options: &Options,
    ) -> Result<(Self, Graph<i64>, Graph<i64>), EvalError> {
        let twin = lookup::lower(artifact)?;
        let choice = Choice::new(&twin, options.toy)?;
        let (program, graph) = Program::new(twin.clone(), choice);
        let scheme = Self {
            program: Arc::new(program),
            keys: options.keys.clone(),
        };
        Ok((scheme, graph, twin))
    }

    /// One client and one server, with keys from the folder or new ones.
    ///
    /// # Errors
    /// When a key file is missing, damaged, of other parameters or of another key.
    pub fn roles(&self) -> Result<(TfheClient, TfheServer), EvalError> {
        let set = &self.program.choice.set;
        let (secret, key) = if let Some(folder) = &self.keys {
            folder::open(folder, set)?
        } else {
            let secret = SecretKey::generate(set);
            let key = secret.server_key(set).expand();
            (secret, key)
        };
        let identity = secret.identity;
        let client = TfheClient {
            secret,
            program: self.program.clone(),
        };
        let server = TfheServer {
            key,
            identity,
            program: self.program.clone(),
        };
        Ok((client, server))
    }
}

/// Plans an evaluation.
pub(super) fn prepare(job: &Job<'_>) -> Result<Prepared, EvalError> {
    let (scheme, graph, twin) = Tfhe::new(job.artifact, job.options)?;
    let program = &scheme.program;
    let choice = &program.choice;
    let set = &choice.set;
    let memory_bytes = cost::memory(program);
    EncryptionPlan::check_memory(memory_bytes)?;
    let mut plan = Plan::new("tfhe", job, &graph, scheme.slots());
    plan.ciphertext_products = bootstraps(&twin);
    plan.depth = choice.inner.len();
    let widest = choice.inner.iter().map(|demand| demand.values).max();
    let norm = |demand: &parameters::Demand| demand.squares.sqrt();
    let heaviest = choice.inner.iter().map(norm).fold(0.0, f64::max);
    plan.encryption = Some(EncryptionPlan {
        ring_degree: set.polynomial_size.0,
        log2_qp: LOG2_MODULUS,
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
        shares: 1,
        // of TFHE-rs's named sets; toy ones have none
        security_bits: if job.options.toy { 0 } else { 128 },
        quality: Quality::Exact {
            value_bits: (choice.last.values * choice.parts)
                .next_power_of_two()
                .ilog2()
                + 1,
            noise_bits_left: -(4.0 * choice.output_deviation).log2(),
        },
        key_bytes: scheme.key_bytes(),
        ciphertext_bytes: graph.inputs * SEEDED_BYTES,
        memory_bytes,
        seconds: cost::predict(&twin, program).times(plan.batches),
    });
    Ok(Prepared {
        plan,
        evaluation: Box::new(Under { graph, scheme }),
        twin: Some(clear::tables(twin, job.images)),
        yardstick: None,
    })
}

/// Bytes of an encrypted pixel as sent: a seed and a body.
const SEEDED_BYTES: usize = 24;

impl Scheme for Tfhe {
    type Weight = i64;
    type Value = TfheValue;
    type Client = TfheClient;
    type Server = TfheServer;

    fn slots(&self) -> usize {
        1
    }

    fn keys(&self) -> Result<(TfheClient, Vec<TfheServer>), EvalError> {
        let (client, server) = self.roles()?;
        Ok((client, vec![server]))
    }

    fn key_bytes(&self) -> usize {
        keys::key_bytes(&self.program.choice.set)
    }

    fn value_bytes(&self) -> usize {
        8 * (self.program.dimension() + 1)
    }
}
