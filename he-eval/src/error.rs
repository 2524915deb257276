//! What can go wrong between an artifact and a measurement.

use thiserror::Error;

use std::path::PathBuf;

use crate::{lookup::LookupError, lower::LowerError, quantise::QuantiseError};

/// Why a network was not evaluated.
#[derive(Debug, Error)]
pub enum EvalError {
    /// No scheme of that name.
    #[error("unknown scheme `{name}`: choose one of {known}")]
    UnknownScheme {
        /// What was asked for.
        name: String,
        /// What there is.
        known: String,
    },
    /// The artifact cannot be folded.
    #[error(transparent)]
    Lower(#[from] LowerError),
    /// The folded graph cannot be made integer.
    #[error(transparent)]
    Quantise(#[from] QuantiseError),
    /// The network cannot be evaluated by look-up.
    #[error(transparent)]
    Lookup(#[from] LookupError),
    /// No parameter set looks up or decrypts an accumulator reliably.
    #[error(
        "an accumulator of `{node}` can take {values} values with weights of norm {norm:.1}, and no parameter set gets it right: {set} would fail with probability 2^{log2_failure:.1}, and 2^-128 is the limit; train with a smaller `accumulator_levels` or `weight_levels` in the recipe"
    )]
    NoLookUp {
        /// The linear layer.
        node: String,
        /// Values that its widest accumulator can take.
        values: usize,
        /// Root of the sum of the squared weights.
        norm: f64,
        /// The set that comes closest.
        set: &'static str,
        /// log2 of its failure probability.
        log2_failure: f64,
    },
    /// A result that no ciphertext of this key decrypts to.
    #[error(
        "result {output} is no number that the network can produce, or its noise fills {noise:.2} of the room for it: it was encrypted under another key, or damaged"
    )]
    WrongKey {
        /// Which result.
        output: usize,
        /// Share of the half-box that the noise fills.
        noise: f64,
    },
    /// One of two key files is not there.
    #[error(
        "`{}` is missing and the other key is there: put it back, or take an empty folder for new keys", path.display()
    )]
    KeyMissing {
        /// The file.
        path: PathBuf,
    },
    /// A key file that cannot be used.
    #[cfg(feature = "tfhe")]
    #[error("`{}`: {source}", path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: crate::schemes::tfhe::WireError,
    },
    /// A file that cannot be read or written.
    #[error("cannot use `{}`: {reason}", path.display())]
    File {
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        reason: String,
    },
    /// Values too wide for encrypted integers.
    #[error(
        "a value of this network has {bits} bits and {most} is the limit: use fewer activation layers, a lower degree or fewer --weight-bits"
    )]
    WideInteger {
        /// Bits of the widest value with its sign.
        bits: u32,
        /// The limit.
        most: u32,
    },
    /// A run that would take too long.
    #[error(
        "this would take about {seconds:.0} s for each image, and {most:.0} s is the limit: ask for any cost if that is meant"
    )]
    TooSlow {
        /// Predicted.
        seconds: f64,
        /// The limit.
        most: f64,
    },
    /// An activation that an encrypted scheme cannot evaluate.
    #[error(
        "the network has an activation that this scheme cannot evaluate: only scheme `clear` evaluates functions that are no polynomials, and only `clear` and `ckks` degrees above 4"
    )]
    NotPolynomial,
    /// A batch of the wrong width.
    #[error(
        "the network reads {expected} values and got {got}: use the data set it was trained on"
    )]
    WrongInputs {
        /// What the graph reads.
        expected: usize,
        /// What it was given.
        got: usize,
    },
    /// Images and labels that do not belong together.
    #[error("{pixels} pixels and {labels} labels do not make images of {size} pixels each")]
    Mismatch {
        /// Bytes of pixels.
        pixels: usize,
        /// Number of labels.
        labels: usize,
        /// Pixels of one image.
        size: usize,
    },
    /// Nothing to evaluate.
    #[error("there are no images to evaluate: ask for at least one")]
    NoImages,
    /// No parameter set is secure and large enough.
    #[error(
        "no 128-bit secure parameters up to ring degree 32768 hold this network: depth {depth}, {value_bits}-bit integers; use fewer activation layers, a lower degree or fewer --weight-bits"
    )]
    NoParameters {
        /// Ciphertext products in sequence.
        depth: usize,
        /// Bits of the largest output.
        value_bits: u32,
    },
    /// No parameter set has enough levels and precision.
    #[error(
        "no 128-bit secure parameters up to ring degree 32768 have {levels} levels with enough precision: use fewer activation layers or a lower degree"
    )]
    NoLevels {
        /// Levels that the network takes.
        levels: usize,
    },
    /// A ring degree that no scheme offers.
    #[error("there is no ring of degree {asked}: choose 4096, 8192, 16384 or 32768")]
    RingDegree {
        /// What was asked for.
        asked: usize,
    },
    /// Results that may have left the range of the modulus.
    #[error(
        "decrypted results fill all but {bits:.1} bits of the modulus, so they cannot be trusted: the logits are larger than the planner expects"
    )]
    Overflow {
        /// Bits between the largest coefficient and the bound.
        bits: f64,
    },
    /// Parameters below the promised security.
    #[error(
        "ring degree {ring_degree} with a {log2_qp:.0}-bit modulus is below 128-bit security (at most {limit} bits): ask for toy parameters if that is meant"
    )]
    Insecure {
        /// Ring degree N.
        ring_degree: usize,
        /// Bits of the modulus, special primes included.
        log2_qp: f64,
        /// What the table allows.
        limit: u32,
    },
    /// The plan needs more memory than the machine has.
    #[error(
        "this run needs about {needed} MiB of memory and {available} MiB are free: use a smaller network or a machine with more memory"
    )]
    Memory {
        /// Predicted peak.
        needed: usize,
        /// What the system reports as available.
        available: usize,
    },
    /// The encryption library reported an error.
    #[error("the encryption library refused: {0}")]
    Library(String),
    /// Decryption is not trustworthy.
    #[error(
        "the noise reached the decryption bound ({bits:.1} bits left): report the network, since the planner promised room"
    )]
    Noise {
        /// Bits left.
        bits: f64,
    },
    /// A logit is infinite or no number.
    #[error(
        "a logit is infinite or not a number: the network's weights or its polynomials grow without bound, so train it again with a larger `boundary_weight`"
    )]
    NotFinite,
    /// The thread pool could not be made.
    #[error("cannot start {threads} threads: {reason}")]
    Threads {
        /// How many were asked for.
        threads: usize,
        /// Why not.
        reason: String,
    },
}
