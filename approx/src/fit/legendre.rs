//! Least squares with the uniform weight.
//!
//! Minimises `∫ (f(x) - p(x))² du` over `u ∈ [-1, 1]`, `u` being `x` mapped to the interval. The
//! answer is the Legendre series of `f` cut off after `P_n`:
//! `p = Σ c_k P_k(u)`, `c_k = (k + 1/2) ∫ f P_k du`.
//!
//! **When to use it**: when the values a network meets are spread evenly over the interval; it has
//! the smallest root-mean-square error there is.
//!
//! **When it fails**: at the ends of the interval, where for a smooth function the error is up to `√n`
//! times that of the Chebyshev weight; and, as every polynomial does, slowly at a kink.
//!
//! # References
//! - Hesamifard, Takabi & Ghasemi (2017), CryptoDL, arXiv:1711.05189. Their public code has this
//!   weight under the label "Chebyshev", and the Chebyshev weight under "Legendre".

use super::{Fit, FitError, least_squares};
use crate::basis::Basis;
use crate::function::Function;
use crate::interval::Interval;
use crate::polynomial::Polynomial;
use crate::projection::Weight;

/// Least squares, weight 1; the result is in the Legendre basis.
#[derive(Clone, Copy, Debug, Default)]
pub struct Legendre;

impl Fit for Legendre {
    fn name(&self) -> &'static str {
        "legendre"
    }

    fn summary(&self) -> &'static str {
        "least squares with uniform weight: the truncated Legendre series"
    }

    fn fit(
        &self,
        function: &dyn Function,
        on: Interval,
        degree: usize,
    ) -> Result<Polynomial, FitError> {
        least_squares(function, Weight::Uniform, on, degree, Basis::Legendre)
    }
}
