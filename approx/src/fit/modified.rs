//! Least squares with a weight that is next to nothing around `x = 0`: the paper's "modified
//! Chebyshev".
//!
//! Minimises `∫ (f(x) - p(x))² exp(-1 / (1e-5 + v²)) du` over the interval. `v` is 0 at `x = 0` and
//! 1 at the end on the same side: on a symmetric interval `|u|`, `u` being the variable mapped to
//! `[-1, 1]`, as in the paper. On any other the hole in the weight stays at `x = 0`, since it is
//! there for the kink of ReLU.
//!
//! **When to use it**: to get the straight parts of ReLU right, at the price of the kink.
//!
//! **When it fails**: around 0, where nothing holds the polynomial (the weight is below 1e-10 for
//! `|v| < 0.2`), and where most values of a batch-normalised network lie. For Sigmoid and tanh, all
//! of whose curvature is there, it is the wrong weight.
//!
//! # References
//! - Hesamifard, Takabi & Ghasemi (2017), CryptoDL, arXiv:1711.05189 (its fourth method).

use super::{Fit, FitError, least_squares};
use crate::basis::Basis;
use crate::function::Function;
use crate::interval::Interval;
use crate::polynomial::Polynomial;
use crate::projection::Weight;

/// Weighted least squares, weight `exp(-1 / (1e-5 + v²))`; the result is in the Chebyshev basis.
#[derive(Clone, Copy, Debug, Default)]
pub struct Modified;

impl Fit for Modified {
    fn name(&self) -> &'static str {
        "modified"
    }

    fn summary(&self) -> &'static str {
        "least squares with weight exp(-1/(1e-5 + u²)), close to zero around x = 0"
    }

    fn fit(
        &self,
        function: &dyn Function,
        on: Interval,
        degree: usize,
    ) -> Result<Polynomial, FitError> {
        let weight = Weight::AwayFromZero {
            offset: 1e-5,
            power: 2,
        };
        least_squares(function, weight, on, degree, Basis::Chebyshev)
    }
}
