//! The plan: what a run will need and cost, known and printed before it starts.

use std::fmt;

use crate::{
    EvalError,
    graph::{Graph, Weight},
    schemes::Job,
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
    /// Ring degree N.
    pub ring_degree: usize,
    /// log2 of the whole modulus, special primes included.
    pub log2_qp: f64,
    /// The moduli in words.
    pub moduli: String,
    /// Independent encryptions of each batch.
    pub shares: usize,
    /// Security in bits by the published table.
    pub security_bits: u32,
    /// What the results will be like.
    pub quality: Quality,
    /// Evaluation keys of all shares.
    pub key_bytes: usize,
    /// Input ciphertexts of one batch, all shares, as sent.
    pub ciphertext_bytes: usize,
    /// Predicted peak of ciphertexts and keys in memory.
    pub memory_bytes: usize,
    /// Predicted seconds for all batches, from operations timed on this machine.
    pub seconds: Seconds,
}

/// How good the decrypted results will be.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Quality {
    /// The integers are exact as long as noise stays below a bound.
    Exact {
        /// Bits of the largest output with its sign, for any image.
        value_bits: u32,
        /// Predicted bits between the noise and the bound.
        noise_bits_left: f64,
    },
    /// The results carry noise.
    Approximate {
        /// Predicted `-log2` of the root mean square error of a logit.
        precision_bits: f64,
    },
}

/// Predicted seconds.
#[derive(Clone, Copy, Debug, Default)]
pub struct Seconds {
    /// The client encrypting.
    pub encrypt: f64,
    /// The server.
    pub infer: f64,
    /// The client decrypting.
    pub decrypt: f64,
}

impl Seconds {
    /// For so many batches.
    pub(crate) fn times(self, batches: usize) -> Self {
        let batches = batches as f64;
        Self {
            encrypt: batches * self.encrypt,
            infer: batches * self.infer,
            decrypt: batches * self.decrypt,
        }
    }
}

impl Plan {
    /// The part that every scheme shares.
    pub(crate) fn new<T: Weight>(
        scheme: &str,
        job: &Job<'_>,
        graph: &Graph<T>,
        slots: usize,
    ) -> Self {
        Self {
            scheme: scheme.into(),
            network: job.network.into(),
            images: job.images,
            slots,
            batches: job.images.div_ceil(slots),
            threads: job.options.threads(),
            depth: graph.depth(),
            ciphertext_products: graph.ciphertext_products(),
            plain_products: graph.plain_products(),
            encryption: None,
        }
    }
}

impl EncryptionPlan {
    /// Security of a ring degree and modulus, after a check of the memory that is needed.
    pub(crate) fn check(
        ring_degree: usize,
        log2_qp: f64,
        memory_bytes: usize,
    ) -> Result<u32, EvalError> {
        Self::check_memory(memory_bytes)?;
        Ok(security::security_bits(ring_degree, log2_qp))
    }

    /// Refuses what does not fit in memory.
    pub(crate) fn check_memory(memory_bytes: usize) -> Result<(), EvalError> {
        if let Some(available) = system::available_bytes().filter(|&bytes| bytes < memory_bytes) {
            let (needed, available) = (memory_bytes >> 20, available >> 20);
            return Err(EvalError::Memory { needed, available });
        }
        Ok(())
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
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
        match &self.encryption {
            Some(encryption) => encryption.fmt(f),
            None => Ok(()),
        }
    }
}

impl fmt::Display for EncryptionPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mib = |bytes: usize| bytes as f64 / f64::from(1 << 20);
        if self.shares > 1 {
            write!(f, ", {} times", self.shares)?;
        }
        writeln!(f)?;
        writeln!(
            f,
            "  parameters     N = {}, log2 QP = {:.0}: {}",
            self.ring_degree, self.log2_qp, self.moduli
        )?;
        writeln!(f, "  security       {} bits", self.security_bits)?;
        match self.quality {
            Quality::Exact {
                value_bits,
                noise_bits_left,
            } => writeln!(
                f,
                "  results        exact: integers of {value_bits} bits at most for any image, about {noise_bits_left:.0} bits of noise left"
            )?,
            Quality::Approximate { precision_bits } => writeln!(
                f,
                "  results        logits to about {precision_bits:.1} bits after the point"
            )?,
        }
        writeln!(
            f,
            "  memory         keys {:.0} MiB, inputs {:.0} MiB a batch, peak about {:.0} MiB",
            mib(self.key_bytes),
            mib(self.ciphertext_bytes),
            mib(self.memory_bytes)
        )?;
        write!(
            f,
            "  predicted      encrypt {:.2} s, infer {:.2} s, decrypt {:.2} s",
            self.seconds.encrypt, self.seconds.infer, self.seconds.decrypt
        )
    }
}
