//! What can go wrong between an artifact and a measurement, whatever the scheme.

use std::error::Error;

use cryptodl_fold::FoldError;
use thiserror::Error;

use crate::{reference::ReferenceError, scheme::Scheme};

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
    Fold(#[from] FoldError),
    /// The scheme refused or failed, and says why.
    #[error(transparent)]
    Scheme(Box<dyn Error + Send + Sync>),
    /// The evaluation without encryption failed.
    #[error(transparent)]
    Reference(#[from] ReferenceError),
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

impl EvalError {
    /// An error of a scheme.
    pub(crate) fn scheme<S: Scheme>(error: S::Error) -> Self
    where
        S::Error: 'static,
    {
        Self::Scheme(Box::new(error))
    }
}
