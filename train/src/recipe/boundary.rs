//! Where the inputs of activations should stay.

use super::check::{Check, finite};
use cryptodl_kernels::Penalty;

/// Where the inputs of activations should stay, and what it costs if they do not.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Boundary {
    /// Activation inputs beyond this are punished, because a polynomial grows where the activation does not.
    pub at: f64,
    /// Weight of `mean(relu(|z| - boundary)²)` in the loss, summed over activation layers; 0 switches it off.
    pub weight: f64,
    /// The function of what is beyond the boundary: another one than the square.
    pub penalty: Penalty,
}

impl Default for Boundary {
    fn default() -> Self {
        Self {
            at: 3.0,
            weight: 0.1,
            penalty: Penalty::Square,
        }
    }
}

impl Boundary {
    /// What must hold of its knobs.
    pub(super) fn checks(&self) -> Vec<Check> {
        vec![
            (finite(self.at), "boundary must be 0 or more"),
            (finite(self.weight), "boundary_weight must be 0 or more"),
        ]
    }
}
