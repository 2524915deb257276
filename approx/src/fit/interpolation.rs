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

use std::f64::consts::PI;

use super::{Fit, FitError, check_degree, finish};
use crate::{Basis, Function, Interval, Polynomial};

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

/// The zeros of `T_count`, in descending order; symmetric to the last bit.
pub(crate) fn nodes(count: usize) -> Vec<f64> {
    (0..count)
        // the sine of an odd argument: exactly odd about the middle, exactly 0 there
        .map(|j| {
            let steps = count as f64 - 1.0 - 2.0 * j as f64;
            (0.5 * PI * steps / count as f64).sin()
        })
        .collect()
}

/// The Chebyshev coefficients of the polynomial of degree `degree` through `f` at the nodes in
/// `[-1, 1]`.
pub(crate) fn interpolate(f: impl Fn(f64) -> f64, degree: usize) -> Vec<f64> {
    let count = degree + 1;
    let values: Vec<f64> = nodes(count).into_iter().map(f).collect();
    (0..count)
        .map(|k| {
            let sum: f64 = values
                .iter()
                .enumerate()
                .map(|(j, value)| {
                    // reduced to one turn in whole numbers, which is exact
                    let turn = (k * (2 * j + 1)) % (4 * count);
                    value * (PI * turn as f64 / (2.0 * count as f64)).cos()
                })
                .sum();
            sum * if k == 0 { 1.0 } else { 2.0 } / count as f64
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Activation;

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

    #[test]
    fn nodes_are_symmetric_to_the_last_bit() {
        for count in [2, 5, 64] {
            let nodes = nodes(count);
            for (left, right) in nodes.iter().zip(nodes.iter().rev()) {
                assert!((left + right).abs() == 0.0);
            }
        }
    }

    #[test]
    fn chebyshev_polynomials_are_reproduced() {
        for k in [0, 1, 5, 63] {
            let found = interpolate(|u| (k as f64 * u.acos()).cos(), 63);
            for (i, c) in found.iter().enumerate() {
                let expected = f64::from(u8::from(i == k));
                // acos is ill-conditioned at the ends, k times
                assert!((c - expected).abs() < 1e-13, "T_{k}: {c} at {i}");
            }
        }
    }
}
