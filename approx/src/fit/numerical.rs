//! Least squares through sampled points.
//!
//! 1. Sample `f` at `m` evenly spaced points of the interval, ends included.
//! 2. Solve `min Σ (f(x_i) - p(x_i))²` by a QR decomposition of the `m × (n + 1)` matrix
//!    `T_k(u_i)`, `u` being `x` mapped to `[-1, 1]`.
//!
//! Why not interpolate: a polynomial of degree `n` through `n + 1` evenly spaced points swings out
//! at the ends, by a factor that grows like `2^n` (Runge). With `m ≥ n²` points it does not, and the matrix is well
//! conditioned; so `m = 2 (n + 1)² + 1`, and at least 201.
//!
//! **When to use it**: when `f` is only known by its values; otherwise the result is that of the
//! `legendre` method, with a quadrature error.
//!
//! **When it fails**: as `legendre` does; and with a front between two samples, which it cannot see.
//!
//! # References
//! - Hesamifard, Takabi & Ghasemi (2017), CryptoDL, arXiv:1711.05189 (its first method).
//! - Rakhmanov (2007), Bounds for polynomials with a unit discrete norm, Annals of Mathematics
//!   165:55–88 (why `n²` points).

use nalgebra::{DMatrix, DVector};

use super::{Fit, FitError, check_degree, finish};
use crate::basis::Basis;
use crate::function::Function;
use crate::interval::Interval;
use crate::polynomial::Polynomial;

/// Fewest samples that are taken.
const FEWEST: usize = 201;

/// Least squares through evenly spaced samples; the result is in the Chebyshev basis.
#[derive(Clone, Copy, Debug, Default)]
pub struct Numerical {
    /// How many samples to take; `None` lets the degree decide. Fewer than `degree + 1` are never
    /// taken.
    pub points: Option<usize>,
}

impl Fit for Numerical {
    fn name(&self) -> &'static str {
        "numerical"
    }

    fn summary(&self) -> &'static str {
        "least squares through evenly spaced samples"
    }

    fn fit(
        &self,
        function: &dyn Function,
        on: Interval,
        degree: usize,
    ) -> Result<Polynomial, FitError> {
        check_degree(degree)?;
        let enough = (2 * (degree + 1).pow(2) + 1).max(FEWEST);
        let points = self.points.unwrap_or(enough).max(degree + 1);
        let coefficients = least_squares(|x| function.value(x), on, degree, points);
        finish(function, coefficients, Basis::Chebyshev, on)
    }
}

/// The Chebyshev coefficients of the polynomial of degree `degree` that is nearest to `f` at
/// `points` evenly spaced points, `points > degree`.
fn least_squares(f: impl Fn(f64) -> f64, on: Interval, degree: usize, points: usize) -> Vec<f64> {
    let units: Vec<f64> = (0..points)
        .map(|i| 2.0 * i as f64 / (points - 1) as f64 - 1.0)
        .collect();
    let mut matrix = DMatrix::zeros(points, degree + 1); // [points, degree + 1]
    for (i, &u) in units.iter().enumerate() {
        // cos(k arccos u) by the recurrence, one row at a time
        let (mut previous, mut current) = (u, 1.0);
        for k in 0..=degree {
            matrix[(i, k)] = current;
            (previous, current) = (current, 2.0 * u * current - previous);
        }
    }
    let mut values = DVector::from_iterator(points, units.iter().map(|&u| f(on.from_unit(u))));
    let qr = matrix.qr();
    qr.q_tr_mul(&mut values);
    let top = values.rows(0, degree + 1).into_owned();
    let solution = qr.r().solve_upper_triangular(&top);
    // distinct points, more than the degree: the columns are independent
    solution
        .expect("the Chebyshev matrix has full rank")
        .iter()
        .copied()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::activation::Activation;

    #[test]
    fn polynomials_are_reproduced_to_rounding() {
        let on: Interval = "-3:5".parse().unwrap();
        for degree in [1, 2, 5, 31, 63] {
            let exact: Vec<f64> = (0..=degree).map(|k| 1.0 / (1.0 + k as f64)).collect();
            let p = Polynomial::new(exact.clone(), Basis::Chebyshev, on).unwrap();
            let points = 2 * (degree + 1) * (degree + 1) + 1;
            let found = least_squares(|x| p.eval(x), on, degree, points);
            for (e, f) in exact.iter().zip(&found) {
                assert!((e - f).abs() < 1e-12, "degree {degree}: {e} {f}");
            }
        }
    }

    #[test]
    fn as_many_points_as_coefficients_interpolate() {
        let on: Interval = "-2:3".parse().unwrap();
        let fit = Numerical { points: Some(0) }; // raised to degree + 1 = 6
        let p = fit.fit(&Activation::Tanh, on, 5).unwrap();
        for i in 0..=5 {
            let x = -2.0 + f64::from(i);
            assert!((p.eval(x) - x.tanh()).abs() < 1e-14, "{x}");
        }
    }
}
