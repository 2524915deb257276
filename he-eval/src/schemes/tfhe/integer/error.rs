//! Why `tfhe-integer` refuses or fails.

use cryptodl_fold::QuantiseError;
use thiserror::Error;

use crate::{interface::WrongImage, limits::LimitError};

/// Why `tfhe-integer` refused or failed.
#[derive(Debug, Error)]
pub enum IntegerError {
    /// The weights cannot be made integers.
    #[error(transparent)]
    Quantise(#[from] QuantiseError),
    /// Too little memory.
    #[error(transparent)]
    Limit(#[from] LimitError),
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
    /// An image of the wrong size.
    #[error(transparent)]
    Image(#[from] WrongImage),
    /// Several images at once, or none.
    #[error("encrypted integers take images one by one, and there are {got}: encrypt each alone")]
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
}
