//! Why `ckks` refused or failed.

use cryptodl_fold::QuantiseError;
use thiserror::Error;

use crate::{limits::LimitError, scheme::WrongImage};

/// Why `ckks` refused or failed.
#[derive(Debug, Error)]
pub enum CkksError {
    /// The weights cannot be rounded.
    #[error(transparent)]
    Quantise(#[from] QuantiseError),
    /// Security, memory or ring.
    #[error(transparent)]
    Limit(#[from] LimitError),
    /// An image of the wrong size.
    #[error(transparent)]
    Image(#[from] WrongImage),
    /// The encryption crate reported an error.
    #[error(transparent)]
    Ckks(#[from] cryptodl_ckks::Error),
    /// A polynomial that is a constant.
    #[error("the network has a polynomial that is a constant: fit it again on another interval")]
    Constant,
    /// No parameter set has enough levels and precision.
    #[error(
        "no 128-bit secure parameters up to ring degree 32768 have {levels} levels with enough precision: use fewer activation layers or a lower degree"
    )]
    NoLevels {
        /// Levels that the network takes.
        levels: usize,
    },
    /// Results that may have left the range of the modulus.
    #[error(
        "decrypted results fill all but {bits:.1} bits of the modulus, so they cannot be trusted: the logits are larger than the planner expects"
    )]
    Overflow {
        /// Bits between the largest coefficient and the bound.
        bits: f64,
    },
    /// A request for another network.
    #[error(
        "this request does not belong here: {reason}; encrypt with the specification that was compiled with the program"
    )]
    Request {
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A response to nothing that this client sent.
    #[error("this response does not belong here: {reason}")]
    Response {
        /// What is wrong with it.
        reason: &'static str,
    },
    /// A batch that has not been through the steps before.
    #[error("this batch does not belong here: {reason}")]
    Batch {
        /// What is wrong with it.
        reason: &'static str,
    },
}
