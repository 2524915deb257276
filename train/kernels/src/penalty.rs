//! What is done about activation inputs beyond the boundary.

use serde::{Deserialize, Serialize};

/// How activation inputs beyond the boundary are punished; `e = relu(|z| - boundary)`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Penalty {
    /// `e²`: a range penalty as in Baruch et al. (2023), arXiv 2304.14836.
    #[default]
    Square,
    /// `exp(e) - 1`, in a straight line from [`STEEPEST`] on so that nothing overflows: for degrees that grow faster
    /// than a square. After Al Hossain & Rahman (2025), arXiv 2505.11589.
    Exponential,
}

/// How far beyond the boundary an exponential penalty goes over into a straight line.
pub const STEEPEST: f32 = 8.0;

/// The penalty of a value that lies so far beyond the boundary, at least 0.
#[inline(always)]
pub(crate) fn exponential(beyond: f32) -> f32 {
    let near = beyond.min(STEEPEST);
    near.exp() * (1.0 + beyond - near) - 1.0
}
