//! Why `tfhe` refuses or fails.

use std::{io, path::PathBuf};

use cryptodl_fold::lookup::LookupError;
use cryptodl_wire::WireError;
use thiserror::Error;

use crate::{interface::WrongImage, limits::LimitError};

/// Why `tfhe` refused or failed.
#[derive(Debug, Error)]
pub enum TfheError {
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
    /// Too little memory.
    #[error(transparent)]
    Limit(#[from] LimitError),
    /// A specification that no compiler of ours writes.
    #[error("the specification has {0}, which this program cannot use: compile the network again")]
    Specification(&'static str),
    /// An image of the wrong size.
    #[error(transparent)]
    Image(#[from] WrongImage),
    /// Several images at once, or none.
    #[error("look-ups take images one by one, and there are {got}: encrypt and decrypt each alone")]
    Images {
        /// How many there are.
        got: usize,
    },
    /// A batch of another program, or at another step.
    #[error(
        "this batch is not what step {index} reads: take it through all steps of its program, in order"
    )]
    Batch {
        /// The step that it came to.
        index: usize,
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
    /// Not as many results as the network has.
    #[error("the network has {expected} encrypted results and there are {got}: they are others'")]
    Results {
        /// Ciphertexts that the specification tells of.
        expected: usize,
        /// Ciphertexts that came.
        got: usize,
    },
    /// Keys or ciphertexts of other parameters.
    #[error(
        "these keys or ciphertexts were made for other parameters than the network asks for: use those of its specification"
    )]
    OtherParameters,
    /// Ciphertexts of another key.
    #[error(
        "this was encrypted under another client key: keys and ciphertexts must be of one client"
    )]
    OtherKey,
    /// Two key files that do not belong together.
    #[error(
        "`{}` belongs to another client key: put the right one back, or take an empty folder for new keys", path.display()
    )]
    OtherClient {
        /// The evaluation key.
        path: PathBuf,
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
    #[error("`{}`: {source}", path.display())]
    Key {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: WireError,
    },
    /// A file that cannot be read or written.
    #[error("cannot use `{}`", path.display())]
    File {
        /// The file or folder.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}
