//! What is applied to every value on its own.

use approx::{Activation, Polynomial};
use serde::{Deserialize, Serialize};

/// What is applied to every value on its own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Nonlinearity {
    /// The activation itself: what training in the clear uses; of the encrypted schemes, those that look up tables can
    /// evaluate it.
    Exact(Activation),
    /// A polynomial in its place.
    Polynomial {
        /// The polynomial, applied far outside its interval too if a value lands there.
        polynomial: Polynomial,
        /// Whether training moves the coefficients.
        learnable: bool,
    },
    /// A polynomial of its own for each channel (each feature after a dense layer). Of degree 2, and with linear layers
    /// or batch norms on both sides, it can do no more than one polynomial for all: `a z² + b z + c` is
    /// `a (z + b / 2a)² + c - b² / 4a`, whose shift is a beta and whose factor and constant are weights and a bias of the
    /// layer behind. From degree 3 on it can.
    Channels {
        /// One for each channel, alike in degree, basis and interval.
        polynomials: Vec<Polynomial>,
        /// Whether training moves the coefficients.
        learnable: bool,
    },
}

impl Nonlinearity {
    /// A polynomial of it, the first where each channel has its own; none for an activation itself.
    pub fn polynomial(&self) -> Option<&Polynomial> {
        match self {
            Self::Exact(_) => None,
            Self::Polynomial { polynomial, .. } => Some(polynomial),
            Self::Channels { polynomials, .. } => polynomials.first(),
        }
    }

    /// Whether training moves its coefficients.
    pub fn is_learnable(&self) -> bool {
        match self {
            Self::Exact(_) => false,
            Self::Polynomial { learnable, .. } | Self::Channels { learnable, .. } => *learnable,
        }
    }

    /// What is wrong with it behind a layer of so many channels.
    pub(crate) fn check(&self, channels: usize) -> Result<(), &'static str> {
        let Self::Channels { polynomials, .. } = self else {
            return Ok(());
        };
        if polynomials.len() != channels {
            return Err("it must have one polynomial for each channel");
        }
        let kind = |p: &Polynomial| (p.coefficients().len(), p.basis(), p.interval());
        let alike = polynomials
            .windows(2)
            .all(|pair| kind(&pair[0]) == kind(&pair[1]));
        if alike {
            Ok(())
        } else {
            Err("its polynomials must be alike in degree, basis and interval")
        }
    }
}
