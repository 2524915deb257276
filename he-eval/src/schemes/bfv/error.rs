//! Why `bfv` refuses or fails.

use cryptodl_fold::QuantiseError;
use thiserror::Error;

use crate::{interface::WrongImage, limits::LimitError};

/// Why `bfv` refused or failed.
#[derive(Debug, Error)]
pub enum BfvError {
    /// The weights cannot be made integers.
    #[error(transparent)]
    Quantise(#[from] QuantiseError),
    /// Too little security or memory, or a ring that there is not.
    #[error(transparent)]
    Limit(#[from] LimitError),
    /// A row too large for sums that must be exact.
    #[error(
        "the weights of one output of `{node}` sum to {sum}, and sums are exact below {limit}: use fewer --weight-bits"
    )]
    RowSum {
        /// The node's name.
        node: String,
        /// Sum of the absolute weights.
        sum: i64,
        /// What the kernels can take.
        limit: i64,
    },
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
    /// A specification that no compiler of ours writes.
    #[error(
        "the specification asks for {0}, which this program never does: compile the network again"
    )]
    Specification(&'static str),
    /// An image of the wrong size.
    #[error(transparent)]
    Image(#[from] WrongImage),
    /// Keys of another program.
    #[error(
        "the program has {expected} CRT components and these are relinearisation keys for {got}, or for other parameters: take the keys of a client of the same specification"
    )]
    Keys {
        /// CRT components of the program.
        expected: usize,
        /// Keys that came.
        got: usize,
    },
    /// A request for another network.
    #[error(
        "this request has other parameters, another CRT component or another number of pixels than the program takes: encrypt with the specification that was compiled with it"
    )]
    Request,
    /// A batch of another program, or at another step.
    #[error(
        "this batch is not what step {index} reads: take it through all steps of its program, in order"
    )]
    Batch {
        /// The step that it came to.
        index: usize,
    },
    /// Results that do not belong together.
    #[error(
        "a result is put together from those of all {components} CRT components, in order, and these are others"
    )]
    Results {
        /// CRT components of the specification.
        components: usize,
    },
    /// The encryption library reported an error.
    #[error("the encryption library refused")]
    Library(#[from] fhe::Error),
}

impl From<fhe_math::Error> for BfvError {
    fn from(error: fhe_math::Error) -> Self {
        Self::Library(error.into())
    }
}
