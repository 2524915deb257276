//! Batched BFV on the crate `fhe`: exact integers, one image a slot.
//!
//! One ciphertext holds one feature of as many images as the ring has slots, so convolutions and
//! dense layers are sums of ciphertexts times small plaintext integers, without rotations
//! (CryptoNets, ICML 2016).
//!
//! - Linear layers run on the residues with our own [`kernel`], all outputs at once.
//! - Relinearisation is lazy: a square keeps three parts, the next linear layer acts on all three,
//!   and only its (fewer) outputs are relinearised.
//! - Integers larger than one plaintext modulus are split by the Chinese remainder theorem into
//!   *shares*, each an ordinary BFV evaluation.
//!
//! Secret keys are ternary, as the security table wants; noise is centred binomial of variance 10
//! (deviation 3.16, where the table assumes 3.2). `fhe` has no special primes: the key-switching modulus is the ciphertext one.
//!
//! # What is worked around in `fhe` 0.1.1
//! - A plaintext modulus at or above the first ciphertext prime decrypts wrong without a word: the
//!   planner uses ciphertext primes of at least 50 bits and plaintext moduli of at most 42.
//! - It checks no security level: [`crate::security`] does.

mod client;
pub mod cost;
pub mod kernel;
mod parameters;
mod server;

pub use client::BfvClient;
pub use parameters::BfvPlan;
pub use server::BfvServer;

use std::sync::Arc;

use fhe::bfv::BfvParameters;

use crate::{
    EvalError,
    graph::{Graph, Operation},
    plan::{EncryptionPlan, Plan, Quality},
    quantise::quantise,
    scheme::Scheme,
    schemes::{Job, Prepared, Under, clear},
    security,
};

/// Ring degree of toy runs.
const TOY_RING_DEGREE: usize = 1024;

/// Plans an evaluation.
pub(super) fn prepare(job: &Job<'_>) -> Result<Prepared, EvalError> {
    let graph = quantise(job.graph, job.options.quantisation())?;
    let parameters = if job.options.toy {
        BfvPlan::toy(&graph, TOY_RING_DEGREE)?
    } else {
        BfvPlan::new(&graph, job.options.rings()?)?
    };
    let scheme = Bfv::new(&parameters, job.options.toy)?;
    let memory_bytes = memory(&graph, &scheme);
    let security_bits =
        EncryptionPlan::check(parameters.ring_degree, parameters.log2_q, memory_bytes)?;
    let mut plan = Plan::new("bfv", job, &graph, scheme.slots());
    plan.encryption = Some(EncryptionPlan {
        ring_degree: parameters.ring_degree,
        log2_qp: parameters.log2_q,
        moduli: format!(
            "{} primes (no special primes), {} plaintext moduli of {} bits",
            parameters.prime_bits.len(),
            parameters.plain_moduli.len(),
            parameters.plain_bits
        ),
        shares: scheme.shares(),
        security_bits,
        quality: Quality::Exact {
            value_bits: parameters.value_bits,
            noise_bits_left: parameters.noise_bits_left,
        },
        key_bytes: scheme.key_bytes(),
        ciphertext_bytes: graph.inputs * scheme.shares() * scheme.value_bytes(),
        memory_bytes,
        seconds: cost::predict(&graph, &scheme)?.times(plan.batches),
    });
    Ok(Prepared {
        plan,
        twin: Some(clear::integer(graph.clone(), job.images)?),
        evaluation: Box::new(Under { graph, scheme }),
        yardstick: None,
    })
}

/// Peak bytes of ciphertexts while one share is evaluated, and all keys.
fn memory(graph: &Graph<i64>, scheme: &Bfv) -> usize {
    let part = scheme.value_bytes() / 2;
    let (mut values, mut parts, mut peak) = (graph.inputs, 2, 0);
    for node in &graph.nodes {
        let (next, next_parts) = match &node.operation {
            Operation::Linear(linear) => (linear.outputs(), parts),
            _ => (values, 3),
        };
        peak = peak.max((values * parts + next * next_parts) * part);
        parts = if matches!(node.operation, Operation::Linear(_)) {
            2
        } else {
            3
        };
        values = next;
    }
    peak + scheme.key_bytes()
}

/// BFV with checked parameters: one [`BfvParameters`] for each plaintext modulus.
pub struct Bfv {
    shares: Vec<Arc<BfvParameters>>,
}

impl Bfv {
    /// Builds the parameters of `plan`.
    ///
    /// # Errors
    /// When they are below 128-bit security and `toy` is false, or `fhe` refuses them.
    pub fn new(plan: &BfvPlan, toy: bool) -> Result<Self, EvalError> {
        if !toy {
            security::check(plan.ring_degree, plan.log2_q)?;
        }
        let shares = plan.build()?;
        Ok(Self { shares })
    }

    fn part_bytes(&self) -> usize {
        self.shares[0].degree() * self.shares[0].moduli().len() * size_of::<u64>()
    }
}

/// Turns an error of `fhe` or `fhe-math` into ours.
fn library(error: impl std::fmt::Display) -> EvalError {
    EvalError::Library(error.to_string())
}

impl Scheme for Bfv {
    type Weight = i64;
    type Value = fhe::bfv::Ciphertext;
    type Client = BfvClient;
    type Server = BfvServer;

    fn slots(&self) -> usize {
        self.shares[0].degree()
    }

    fn shares(&self) -> usize {
        self.shares.len()
    }

    fn keys(&self) -> Result<(BfvClient, Vec<BfvServer>), EvalError> {
        let client = BfvClient::generate(&self.shares)?;
        let servers = client.evaluation_keys()?;
        Ok((client, servers))
    }

    fn key_bytes(&self) -> usize {
        // a relinearisation key is two polynomials for each prime, each with its Shoup quotients
        let primes = self.shares[0].moduli().len();
        self.shares.len() * primes * 2 * 2 * self.part_bytes()
    }

    fn value_bytes(&self) -> usize {
        2 * self.part_bytes()
    }
}
