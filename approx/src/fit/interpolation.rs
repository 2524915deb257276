//! Interpolation at Chebyshev nodes.
//!
//! 1. Sample `f` at the `n + 1` zeros of `T_{n+1}`: `u_j = cos((2j + 1) π / (2n + 2))`.
//! 2. The polynomial through these points has the coefficients
//!    `c_k = 2/(n+1) Σ f_j cos(k (2j + 1) π / (2n + 2))`, half of that for `k = 0`: a discrete cosine
//!    transform, `O(n²)` here.
//!
//! Unlike evenly spaced points these never make the polynomial swing out: its maximum error is
//! within a factor `2 + (2/π) ln(n + 1)` of the best possible one.
//!
//! **When to use it**: when `f` is expensive or known at a few points only; it takes `n + 1` values
//! and no integral, and is within a factor of two of `chebyshev`.
//!
//! **When it fails**: never badly. A kink or a front between two nodes is not seen, so on an interval
//! much wider than a front the result depends on where the nodes happen to fall.
//!
//! # References
//! - Trefethen (2019), Approximation Theory and Approximation Practice, ch. 2, 4 and 15.

use super::{Fit, FitError, check_degree, finish};
use crate::basis::Basis;
use crate::function::Function;
use crate::interpolate::interpolate;
use crate::interval::Interval;
use crate::polynomial::Polynomial;

/// Interpolation at the zeros of `T_{n+1}`; the result is in the Chebyshev basis.
#[derive(Clone, Copy, Debug, Default)]
pub struct Interpolation;

impl Fit for Interpolation {
    fn name(&self) -> &'static str {
        "interpolation"
    }

    fn summary(&self) -> &'static str {
        "interpolation at Chebyshev nodes"
    }

    fn fit(
        &self,
        function: &dyn Function,
        on: Interval,
        degree: usize,
    ) -> Result<Polynomial, FitError> {
        check_degree(degree)?;
        let coefficients = interpolate(|u| function.value(on.from_unit(u)), degree);
        finish(function, coefficients, Basis::Chebyshev, on)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::activation::Activation;
    use crate::interpolate::nodes;

    #[test]
    fn it_passes_through_the_function_at_the_nodes() {
        let on: Interval = "-3:5".parse().unwrap();
        for degree in [1, 2, 7, 30, 63] {
            let p = Interpolation.fit(&Activation::Relu, on, degree).unwrap();
            for u in nodes(degree + 1) {
                let x = on.from_unit(u);
                let error = p.eval(x) - Activation::Relu.value(x);
                assert!(error.abs() < 1e-13, "{degree} {x}: {error}");
            }
        }
    }
}
