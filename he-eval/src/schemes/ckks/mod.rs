//! Batched RNS-CKKS on our own crate [`cryptodl_ckks`]: real numbers, one image a slot.
//!
//! The graph keeps its real values; only the weights are rounded, to small multiples of a step for
//! each linear layer ([`quantise::grid`]). So a linear layer is a product of small integers with the
//! residues, and what the integers are short of changes nothing but the scale.
//!
//! - *linear, square, linear* is one run over blocks of residue columns, in cache; only the results of
//!   the second layer are relinearised and rescaled, in one pass ([`groups`]).
//! - The last layer's results keep their three parts: the client, who decrypts with `s²`, saves the
//!   server the relinearisation.
//! - Other polynomials are evaluated on ciphertexts by the plans of [`approx::Plan`], whose dry run
//!   also tells how many levels they take ([`polynomial`]).
//! - Inputs are sent as half a ciphertext and a seed; the server makes the other half block by block, in
//!   cache.

pub mod groups;
pub mod parameters;
pub mod polynomial;

mod client;
mod cost;
mod prediction;
mod server;

use std::{sync::Arc, time::Duration};

use cryptodl_ckks::{
    Evaluator, Parameters, SecretKey,
    columns::{Kernel, bare_rate},
};

pub use client::CkksClient;
pub use parameters::CkksPlan;
pub use server::{CkksServer, CkksValue};

use crate::{
    EvalError,
    plan::{EncryptionPlan, Plan, Quality},
    quantise::{self, Grid},
    scheme::Scheme,
    schemes::{Job, Prepared, Under, Yardstick, clear},
};
use server::Program;

/// Bits of an integer weight with its sign, unless asked otherwise: all that one byte holds.
const WEIGHT_BITS: u32 = 8;
/// Ring degree of toy runs.
const TOY_RING_DEGREE: usize = 1024;
/// How long the bare product is timed for each prime.
const YARDSTICK: Duration = Duration::from_millis(50);

/// CKKS with checked parameters and a program for one graph.
pub struct Ckks {
    parameters: Parameters,
    program: Arc<Program>,
}

/// Turns an error of the encryption crate into ours.
#[expect(
    clippy::needless_pass_by_value,
    reason = "the shape that `map_err` wants"
)]
fn library(error: cryptodl_ckks::Error) -> EvalError {
    EvalError::Library(error.to_string())
}

/// Plans an evaluation.
pub(super) fn prepare(job: &Job<'_>) -> Result<Prepared, EvalError> {
    let bits = job.options.weight_bits.unwrap_or(WEIGHT_BITS);
    let grid = quantise::grid(job.graph, bits)?;
    let groups = groups::groups(&grid.graph.nodes)?;
    let chosen = if job.options.toy {
        CkksPlan::toy(&grid, &groups, TOY_RING_DEGREE)?
    } else {
        CkksPlan::new(&grid, &groups, job.options.rings()?)?
    };
    let scheme = Ckks::new(&grid, &chosen, job.options.toy)?;
    let graph = grid.graph;
    let images = job.images.min(scheme.slots());
    let memory_bytes = scheme.program.memory_bytes(&scheme.parameters, images);
    let log2_qp = scheme.parameters.log2_qp();
    let security_bits = EncryptionPlan::check(chosen.ring_degree, log2_qp, memory_bytes)?;
    let mut plan = Plan::new("ckks", job, &graph, scheme.slots());
    plan.encryption = Some(EncryptionPlan {
        ring_degree: chosen.ring_degree,
        log2_qp,
        moduli: chosen.describe(),
        shares: 1,
        security_bits,
        quality: Quality::Approximate {
            precision_bits: chosen.precision_bits,
        },
        key_bytes: scheme.key_bytes(),
        ciphertext_bytes: graph.inputs * scheme.value_bytes(),
        memory_bytes,
        seconds: cost::predict(&graph, &scheme)?.times(plan.batches),
    });
    Ok(Prepared {
        plan,
        twin: Some(clear::float(graph.clone(), job.images)),
        evaluation: Box::new(Under { graph, scheme }),
        yardstick: Some(yardstick(&chosen)),
    })
}

/// See [`Prepared::yardstick`]: every weight meets a residue modulo each prime.
fn yardstick(plan: &CkksPlan) -> Yardstick {
    let bits = plan.literal().prime_bits;
    Box::new(move || {
        let rates = rayon::broadcast(|_| {
            let seconds: f64 = bits
                .iter()
                .map(|&bits| bare_rate(Kernel::best(), bits, YARDSTICK).recip())
                .sum();
            bits.len() as f64 / seconds
        });
        rates.iter().sum()
    })
}

impl Ckks {
    /// Builds the parameters of `plan` and the program of `grid`.
    ///
    /// # Errors
    /// When parameters are below 128-bit security and `toy` is false, or a layer is malformed.
    pub fn new(grid: &Grid, plan: &CkksPlan, toy: bool) -> Result<Self, EvalError> {
        let made = if toy {
            Parameters::toy(&plan.literal())
        } else {
            Parameters::new(&plan.literal())
        };
        let parameters = made.map_err(library)?;
        let program = Program::new(grid, plan)?;
        Ok(Self {
            parameters,
            program: Arc::new(program),
        })
    }
}

impl Scheme for Ckks {
    type Weight = f64;
    type Value = CkksValue;
    type Client = CkksClient;
    type Server = CkksServer;

    fn slots(&self) -> usize {
        self.parameters.slots()
    }

    fn keys(&self) -> Result<(CkksClient, Vec<CkksServer>), EvalError> {
        let secret = SecretKey::generate(&self.parameters);
        let key = secret.relinearisation_key();
        let evaluator = Evaluator::new(&self.parameters, Some(key)).map_err(library)?;
        let server = CkksServer::new(evaluator, self.program.clone());
        // once, before the first batch: fresh pages cost as much as what is computed on them
        self.program.reserve(&self.parameters);
        Ok((
            CkksClient::new(secret, self.program.input_scale),
            vec![server],
        ))
    }

    fn key_bytes(&self) -> usize {
        let literal = self.parameters.literal();
        let digits = literal.prime_bits.len();
        digits * (digits + literal.special_bits.len()) * 2 * self.slots() * size_of::<u64>()
    }

    fn value_bytes(&self) -> usize {
        // seeded: one part, and 32 bytes
        self.parameters.primes() * self.slots() * size_of::<u64>() + 32
    }
}
