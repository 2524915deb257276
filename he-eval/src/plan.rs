//! The plan: what a run will need and cost, known and printed before it starts.

use std::fmt;

use cryptodl_network::Artifact;

use crate::{
    EvalError, Options,
    graph::{Graph, Operation},
    quantise::quantise,
    scheme::Scheme,
    schemes::bfv::{Bfv, BfvPlan, cost},
    security, system,
};

/// Parameters, sizes and predicted times of a run.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Scheme name.
    pub scheme: String,
    /// Network name.
    pub network: String,
    /// Images to evaluate.
    pub images: usize,
    /// Images in one batch.
    pub slots: usize,
    /// Batches needed.
    pub batches: usize,
    /// Threads.
    pub threads: usize,
    /// Ciphertext products in sequence.
    pub depth: usize,
    /// Ciphertext products for one batch (of one share).
    pub ciphertext_products: usize,
    /// Products with a plaintext weight for one batch (of one share).
    pub plain_products: usize,
    /// Everything that only an encrypted run has.
    pub encryption: Option<EncryptionPlan>,
}

/// The encrypted part of a [`Plan`].
#[derive(Clone, Debug)]
pub struct EncryptionPlan {
    /// The scheme's parameters.
    pub parameters: BfvPlan,
    /// Security in bits by the published table.
    pub security_bits: u32,
    /// Evaluation keys of all shares.
    pub key_bytes: usize,
    /// Input ciphertexts of one batch, all shares.
    pub ciphertext_bytes: usize,
    /// Predicted peak of ciphertexts and keys in memory.
    pub memory_bytes: usize,
    /// Predicted seconds for all batches, from operations timed on this machine.
    pub seconds: cost::Seconds,
}

/// Plans a run of `scheme` on `artifact`; for encrypted schemes this times a few operations.
///
/// # Errors
/// When the scheme is unknown, the network cannot be evaluated with it, no secure parameters are
/// large enough, or memory is too small.
pub fn plan(
    scheme: &str,
    artifact: &Artifact,
    images: usize,
    options: &Options,
) -> Result<Plan, EvalError> {
    let float = crate::lower(artifact)?;
    let name = artifact.network.name.as_str();
    match scheme {
        "clear" => Ok(Plan::clear(scheme, name, &float, images, options)),
        "clear-integer" => {
            let integer = quantise(&float, options.quantisation())?;
            Ok(Plan::clear(scheme, name, &integer, images, options))
        }
        "bfv" => {
            let integer = quantise(&float, options.quantisation())?;
            Ok(options
                .pool()?
                .install(|| Plan::bfv(name, &integer, images, options))?
                .0)
        }
        other => Err(crate::unknown_scheme(other)),
    }
}

impl Plan {
    fn clear<T: crate::graph::Weight>(
        scheme: &str,
        network: &str,
        graph: &Graph<T>,
        images: usize,
        options: &Options,
    ) -> Self {
        let slots = images.clamp(1, CLEAR_SLOTS);
        Self {
            scheme: scheme.into(),
            network: network.into(),
            images,
            slots,
            batches: images.div_ceil(slots),
            threads: options.threads(),
            depth: graph.depth(),
            ciphertext_products: graph.ciphertext_products(),
            plain_products: graph.plain_products(),
            encryption: None,
        }
    }

    /// The plan and the scheme with its parameters. Runs in the caller's thread pool.
    pub(crate) fn bfv(
        network: &str,
        graph: &Graph<i64>,
        images: usize,
        options: &Options,
    ) -> Result<(Self, Bfv), EvalError> {
        let parameters = if options.toy {
            BfvPlan::toy(graph, TOY_RING_DEGREE)?
        } else {
            BfvPlan::new(graph)?
        };
        let scheme = Bfv::new(&parameters, options.toy)?;
        let memory_bytes = memory(graph, &scheme);
        if let Some(available) = system::available_bytes().filter(|&bytes| bytes < memory_bytes) {
            let (needed, available) = (memory_bytes >> 20, available >> 20);
            return Err(EvalError::Memory { needed, available });
        }
        let batches = images.div_ceil(scheme.slots());
        let one = cost::predict(graph, &scheme)?;
        let all = |seconds: f64| seconds * batches as f64;
        let encryption = EncryptionPlan {
            security_bits: security::security_bits(parameters.ring_degree, parameters.log2_q),
            key_bytes: scheme.key_bytes(),
            ciphertext_bytes: graph.inputs * scheme.shares() * scheme.value_bytes(),
            memory_bytes,
            seconds: cost::Seconds {
                encrypt: all(one.encrypt),
                infer: all(one.infer),
                decrypt: all(one.decrypt),
            },
            parameters,
        };
        let plan = Self {
            scheme: "bfv".into(),
            slots: scheme.slots(),
            batches,
            encryption: Some(encryption),
            ..Self::clear("bfv", network, graph, images, options)
        };
        Ok((plan, scheme))
    }
}

/// Images that the clear schemes evaluate at a time: columns that stay in cache.
pub(crate) const CLEAR_SLOTS: usize = 500;
/// Ring degree of `--toy` runs.
const TOY_RING_DEGREE: usize = 1024;

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

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mib = |bytes: usize| bytes as f64 / f64::from(1 << 20);
        writeln!(
            f,
            "plan: {} with {}, {} threads",
            self.network, self.scheme, self.threads
        )?;
        writeln!(
            f,
            "  images         {} in {} batches of {}",
            self.images, self.batches, self.slots
        )?;
        writeln!(
            f,
            "  depth          {} ciphertext products in sequence",
            self.depth
        )?;
        write!(
            f,
            "  work           {} ciphertext and {} plaintext products a batch",
            self.ciphertext_products, self.plain_products
        )?;
        let Some(encryption) = &self.encryption else {
            return Ok(());
        };
        let EncryptionPlan {
            parameters: p,
            seconds,
            ..
        } = encryption;
        writeln!(f, " and plaintext modulus")?;
        writeln!(
            f,
            "  parameters     N = {}, log2 Q = {:.0} in {} primes (no special primes), {} plaintext moduli of {} bits",
            p.ring_degree,
            p.log2_q,
            p.prime_bits.len(),
            p.plain_moduli.len(),
            p.plain_bits
        )?;
        writeln!(
            f,
            "  integers       {} bits at most, for any image",
            p.value_bits
        )?;
        writeln!(f, "  security       {} bits", encryption.security_bits)?;
        writeln!(
            f,
            "  noise          about {:.0} bits left",
            p.noise_bits_left
        )?;
        writeln!(
            f,
            "  memory         keys {:.0} MiB, inputs {:.0} MiB a batch, peak about {:.0} MiB",
            mib(encryption.key_bytes),
            mib(encryption.ciphertext_bytes),
            mib(encryption.memory_bytes)
        )?;
        write!(
            f,
            "  predicted      encrypt {:.1} s, infer {:.1} s, decrypt {:.1} s",
            seconds.encrypt, seconds.infer, seconds.decrypt
        )
    }
}
