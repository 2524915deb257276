//! Batched RNS-CKKS on our own crate [`cryptodl_ckks`]: real numbers, one image a slot.
//!
//! The graph keeps its real values; only the weights are rounded, to small multiples of a step for
//! each linear layer ([`cryptodl_fold::rounding`]). So a linear layer is a product of small integers with the
//! residues, and what the integers are short of changes nothing but the scale.
//!
//! - *linear, square, linear, sum* is one run over blocks of residue columns, in cache; only the results of
//!   the second layer are relinearised and rescaled, in one pass, in which the sum is made ([`segments`]).
//! - The last segment's results keep their three components: the client, who decrypts with `s²`, saves the
//!   server the relinearisation.
//! - Other polynomials are evaluated on ciphertexts by the plans of [`approx::Plan`], whose dry run
//!   also tells how many levels they take ([`polynomial`]).
//! - Inputs are sent as half a ciphertext and a seed; the server makes the other half block by block, in
//!   cache.

pub mod noise;
pub mod parameters;
pub mod polynomial;
pub mod segments;

mod batch;
mod client;
mod cost;
mod error;
mod prediction;
mod program;
mod server;
mod wire;

use std::{sync::Arc, time::Duration};

use cryptodl_ckks::{
    Bundle, Parameters, RelinearisationKey, SeededBatch,
    columns::{Kernel, bare_rate},
};
use cryptodl_fold::rounding;
use cryptodl_network::Network;

pub use batch::CkksBatch;
pub use client::{CkksClient, CkksSpec};
pub use error::CkksError;
pub use parameters::CkksChoice;
pub use program::CkksProgram;
pub use server::CkksServer;

use super::accepts;
use crate::{
    Options,
    limits::{check, rings},
    plan::{Cost, EncryptionPlan, Quality},
    reference::Reference,
    scheme::{Compiled, Interface, Portable, Refusal, Scheme, Source, Twin, Yardstick},
};
use segments::Schedule;

/// Bits of an integer weight with its sign, unless asked otherwise: all that one byte holds.
const WEIGHT_BITS: u32 = 8;
/// Ring degree of toy runs.
const TOY_RING_DEGREE: usize = 1024;
/// How long the bare product is timed for each prime.
const YARDSTICK: Duration = Duration::from_millis(50);

/// The scheme.
pub struct Ckks;

/// Settings of [`Ckks`].
#[derive(Clone, Copy, Debug)]
pub struct CkksOptions {
    /// Bits of an integer weight with its sign, 2 to 12.
    pub weight_bits: u32,
    /// Smallest ring degree to take.
    pub ring_degree: Option<usize>,
    /// Use a small ring WITHOUT security.
    pub toy: bool,
}

impl Default for CkksOptions {
    fn default() -> Self {
        Self {
            weight_bits: WEIGHT_BITS,
            ring_degree: None,
            toy: false,
        }
    }
}

impl From<&Options> for CkksOptions {
    fn from(options: &Options) -> Self {
        Self {
            weight_bits: options.weight_bits.unwrap_or(WEIGHT_BITS),
            ring_degree: options.ring_degree,
            toy: options.toy,
        }
    }
}

impl Scheme for Ckks {
    type Options = CkksOptions;
    type Error = CkksError;
    type Spec = CkksSpec;
    type Program = CkksProgram;
    type Keys = RelinearisationKey;
    type Request = SeededBatch;
    type Response = Bundle;
    type Client = CkksClient;
    type Server = CkksServer;

    fn name(&self) -> &'static str {
        "ckks"
    }

    fn description(&self) -> &'static str {
        "batched real numbers (RNS-CKKS of our own, real slots only), one image a slot: the fast one"
    }

    fn accepts(&self, network: &Network) -> Result<(), Refusal> {
        accepts::polynomials(network, usize::MAX)
    }

    fn compile(
        &self,
        source: &Source<'_>,
        options: &CkksOptions,
    ) -> Result<Compiled<Self>, CkksError> {
        let stepped = rounding::steps(source.graph, options.weight_bits)?;
        let schedule = Schedule::new(&stepped.graph)?;
        let plan = if options.toy {
            CkksChoice::toy(&stepped, &schedule, TOY_RING_DEGREE)?
        } else {
            CkksChoice::new(&stepped, &schedule, rings(options.ring_degree)?)?
        };
        let graph = stepped.graph.clone();
        let interface = Interface::new(source.artifact, &graph);
        let spec = CkksSpec {
            interface: interface.clone(),
            ring_degree: plan.ring_degree,
            prime_bits: plan.literal().prime_bits,
            toy: options.toy,
            input_scale: plan.scales[0],
        };
        let program = CkksProgram::new(stepped, schedule, plan.scales.clone(), &spec)?;
        let parameters = &program.parameters;
        let (slots, log2_qp) = (parameters.slots(), parameters.log2_qp());
        let memory_bytes = program.memory_bytes(source.images.min(slots));
        let security_bits = check(plan.ring_degree, log2_qp, memory_bytes)?;
        let mut cost = Cost::new(&graph, slots);
        cost.encryption = Some(EncryptionPlan {
            ring_degree: plan.ring_degree,
            log2_qp,
            parameter_set: None,
            moduli: plan.describe(),
            components: 1,
            security_bits,
            quality: Quality::Approximate {
                precision_bits: plan.precision_bits,
            },
            key_bytes: key_bytes(parameters),
            ciphertext_bytes: SeededBatch::size_of(parameters, graph.inputs(), parameters.primes())
                as usize,
            memory_bytes,
            seconds: cost::predict(&program)?,
        });
        Ok(Compiled {
            spec,
            program: Arc::new(program),
            cost,
            twin: Twin::Of(Box::new(Reference::float(graph, interface))),
            yardstick: Some(yardstick(&plan)),
        })
    }
}

impl Portable for Ckks {
    type Parameters = Parameters;

    fn parameters(spec: &CkksSpec) -> Result<Parameters, CkksError> {
        spec.parameters()
    }

    fn parameters_of(program: &CkksProgram) -> &Parameters {
        &program.parameters
    }
}

/// See [`Compiled::yardstick`]: every weight meets a residue modulo each prime.
fn yardstick(plan: &CkksChoice) -> Yardstick {
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

/// Bytes of the relinearisation key: two halves modulo every prime, for each digit.
fn key_bytes(parameters: &Parameters) -> usize {
    let literal = parameters.literal();
    let digits = literal.prime_bits.len();
    let word = size_of::<u64>();
    digits * (digits + literal.special_bits.len()) * 2 * parameters.slots() * word
}
