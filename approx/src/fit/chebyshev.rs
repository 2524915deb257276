//! Least squares with the Chebyshev weight: "standard Chebyshev polynomials".
//!
//! Minimises `∫ (f(x) - p(x))² / √(1 - u²) du` over `u ∈ [-1, 1]`, `u` being `x` mapped to the
//! interval. The answer is the Chebyshev series of `f` cut off after `T_n`:
//! `p = c_0 + Σ c_k T_k(u)`, `c_k = (2/π) ∫ f cos(kθ) dθ`, `u = cos θ`.
//!
//! **When to use it**: the default choice. Its maximum error is within a factor
//! `2 + (4/π²) ln(n + 1)` of the best possible one: 2.9 at degree 8; for ReLU it is 1.7 at degree 2
//! and tends to 2.3.
//!
//! **When it fails**: never badly; but at a kink (ReLU) the error falls only like `1/n`, and for a
//! Sigmoid on an interval much wider than its front nearly as slowly, until `n` reaches the width.
//! The weight favours the ends of the interval, where a network has few values.
//!
//! # References
//! - Hesamifard, Takabi & Ghasemi (2017), CryptoDL, arXiv:1711.05189 (its third method).
//! - Trefethen (2019), Approximation Theory and Approximation Practice, ch. 4 and 15.

use super::{Fit, FitError, least_squares};
use crate::basis::Basis;
use crate::function::Function;
use crate::interval::Interval;
use crate::polynomial::Polynomial;
use crate::projection::Weight;

/// Weighted least squares, weight `1 / √(1 - u²)`; the result is in the Chebyshev basis.
#[derive(Clone, Copy, Debug, Default)]
pub struct Chebyshev;

impl Fit for Chebyshev {
    fn name(&self) -> &'static str {
        "chebyshev"
    }

    fn summary(&self) -> &'static str {
        "least squares with weight 1/sqrt(1 - u²): the truncated Chebyshev series"
    }

    fn fit(
        &self,
        function: &dyn Function,
        on: Interval,
        degree: usize,
    ) -> Result<Polynomial, FitError> {
        least_squares(function, Weight::Chebyshev, on, degree, Basis::Chebyshev)
    }
}
