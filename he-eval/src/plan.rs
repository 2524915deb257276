//! The plan: what a run will need and cost, known and printed before it starts.

use std::fmt;

use cryptodl_fold::{Graph, graph::Weight};
use cryptodl_wire::{Document, Kind};
use serde::{Deserialize, Serialize};

/// Parameters, sizes and predicted times of a run.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Plan {
    /// Scheme name.
    pub scheme: String,
    /// Network name.
    pub network: String,
    /// Images to evaluate.
    pub images: usize,
    /// Batches needed.
    pub batches: usize,
    /// Threads.
    pub threads: usize,
    /// What each batch needs.
    pub cost: Cost,
}

impl Document for Plan {
    const KIND: Kind = Kind {
        tag: *b"plan",
        name: "a plan",
    };
}

/// What the evaluation of one batch needs.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Cost {
    /// Images in one batch.
    pub slots: usize,
    /// Ciphertext products in sequence.
    pub depth: usize,
    /// Ciphertext products for one batch (of one component).
    pub ciphertext_products: usize,
    /// Products with a plaintext weight for one batch (of one component).
    pub plain_products: usize,
    /// Everything that only an encrypted evaluation has.
    pub encryption: Option<EncryptionPlan>,
}

/// What only an encrypted evaluation has.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct EncryptionPlan {
    /// Ring degree N.
    pub ring_degree: usize,
    /// log2 of the whole modulus, special primes included.
    pub log2_qp: f64,
    /// Name of the parameter set, if it has one.
    pub parameter_set: Option<String>,
    /// The moduli in words, for people.
    pub moduli: String,
    /// Independent encryptions of each batch: see [`crate::scheme::Client::components`].
    pub components: usize,
    /// Security in bits by the published table.
    pub security_bits: u32,
    /// What the results will be like.
    pub quality: Quality,
    /// Bytes of the evaluation keys of all components.
    pub key_bytes: usize,
    /// Input ciphertexts of one batch, all components, as sent.
    pub ciphertext_bytes: usize,
    /// Predicted peak of ciphertexts and keys in memory.
    pub memory_bytes: usize,
    /// Predicted seconds for one batch, from operations timed on this machine.
    pub seconds: Seconds,
}

/// How good the decrypted results will be.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
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
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Serialize)]
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

impl Cost {
    /// The part that every scheme shares.
    pub fn new<T: Weight>(graph: &Graph<T>, slots: usize) -> Self {
        Self {
            slots,
            depth: graph.depth(),
            ciphertext_products: graph.ciphertext_products(),
            plain_products: graph.plain_products(),
            encryption: None,
        }
    }
}

impl Plan {
    /// Predicted seconds of all batches; zero where nothing is predicted.
    pub fn seconds(&self) -> Seconds {
        let encryption = self.cost.encryption.as_ref();
        encryption.map_or_else(Seconds::default, |encryption| {
            encryption.seconds.times(self.batches)
        })
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
            self.images, self.batches, self.cost.slots
        )?;
        writeln!(
            f,
            "  depth          {} ciphertext products in sequence",
            self.cost.depth
        )?;
        write!(
            f,
            "  work           {} ciphertext and {} plaintext products a batch",
            self.cost.ciphertext_products, self.cost.plain_products
        )?;
        match &self.cost.encryption {
            Some(encryption) => encryption.describe(self.seconds(), f),
            None => Ok(()),
        }
    }
}

impl EncryptionPlan {
    /// With the seconds of all batches.
    fn describe(&self, seconds: Seconds, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mib = |bytes: usize| bytes as f64 / f64::from(1 << 20);
        if self.components > 1 {
            write!(f, ", {} times", self.components)?;
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
            seconds.encrypt, seconds.infer, seconds.decrypt
        )
    }
}
