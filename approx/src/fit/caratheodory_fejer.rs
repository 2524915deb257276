//! Carathéodory–Fejér approximation: nearly the best one, without iteration.
//!
//! 1. Chebyshev coefficients `c_k` of `f` up to some `M > n`, by interpolation.
//! 2. The Hankel matrix of the tail, `H_{ij} = c_{n+1+i+j}`, symmetric; its eigenvalue `λ` of largest
//!    modulus and eigenvector `v`. `|λ|` is nearly the smallest possible maximum error.
//! 3. Continue the tail downwards so that the error curve becomes a nearly perfect circle:
//!    `b_k = -Σ_{j≥1} b_{k+j} v_j / v_0` for `k = n … -n`, starting from `b_k = c_k` above `n`.
//! 4. `p = Σ_{k≤n} (c_k - b_k - b_{-k}) T_k`, one `b_0` only for `k = 0`.
//!
//! Why it works: on the circle the best extension of a power series tail is known in closed form
//! (Carathéodory, Fejér, Schur), and `T_k` is half of `z^k + z^{-k}`. For a smooth function the
//! difference to the best approximation is of the order of the tail's next power, often below
//! rounding.
//!
//! **When to use it**: for smooth functions as a fast `minimax`, and as a check of it: two methods
//! that have nothing in common agree.
//!
//! **When it fails**: at a kink. The tail must be cut somewhere, and that of ReLU falls like `1/k²`
//! only; what is cut off is an error the method does not see. On intervals much wider than the
//! front of a Sigmoid the same happens.
//!
//! # References
//! - Gutknecht & Trefethen (1982), Real polynomial Chebyshev approximation by the
//!   Carathéodory–Fejér method, SIAM J. Numer. Anal. 19:358–371.
//! - Trefethen (2019), Approximation Theory and Approximation Practice, ch. 20.

use nalgebra::{DMatrix, SymmetricEigen};

use super::{Fit, FitError, check_degree, finish};
use crate::basis::Basis;
use crate::function::{Function, Symmetry};
use crate::interpolate::interpolate;
use crate::interval::Interval;
use crate::polynomial::Polynomial;

/// Coefficients of the tail that are looked at, at most.
const TAIL: usize = 96;

/// Tail coefficients below this share of the largest coefficient are rounding.
const NEGLIGIBLE: f64 = 1e-16;

/// Near-best approximation from an eigenvector; the result is in the Chebyshev basis.
#[derive(Clone, Copy, Debug, Default)]
pub struct CaratheodoryFejer;

impl Fit for CaratheodoryFejer {
    fn name(&self) -> &'static str {
        "caratheodory-fejer"
    }

    fn summary(&self) -> &'static str {
        "nearly minimax, from one eigenvector of the tail of the Chebyshev series"
    }

    fn fit(
        &self,
        function: &dyn Function,
        on: Interval,
        degree: usize,
    ) -> Result<Polynomial, FitError> {
        check_degree(degree)?;
        // twice as many nodes as are kept: what interpolation folds back is small
        let all = interpolate(|u| function.value(on.from_unit(u)), 2 * (degree + TAIL));
        let largest = all.iter().fold(0.0_f64, |m, c| m.max(c.abs()));
        let mut c = all[..=degree + TAIL].to_vec();
        // symmetry would make the first entry of the tail zero; one degree more avoids that, and
        // adds a term that is zero
        let symmetric = on.centre() == 0.0;
        let shifted = match function.symmetry() {
            Symmetry::Even { .. } => symmetric && degree.is_multiple_of(2),
            Symmetry::Odd { .. } => symmetric && !degree.is_multiple_of(2),
            Symmetry::None => false,
        };
        let n = degree + usize::from(shifted);
        while c.len() > n + 1 && c[c.len() - 1].abs() <= NEGLIGIBLE * largest {
            c.pop();
        }
        let mut p = c[..(n + 1).min(c.len())].to_vec();
        p.resize(n + 1, 0.0);
        if c.len() > n + 1 {
            for (p, correction) in p.iter_mut().zip(corrections(&c[n + 1..], n)) {
                *p -= correction;
            }
        }
        p.truncate(degree + 1);
        finish(function, p, Basis::Chebyshev, on)
    }
}

/// Steps 2 and 3: `b_k + b_{-k}` for `k = 0 … n` (`b_0` once), from the tail `c_{n+1} …`; zeros if the
/// eigenvector does not begin with a number to divide by.
fn corrections(tail: &[f64], n: usize) -> Vec<f64> {
    let size = tail.len();
    let hankel = DMatrix::from_fn(size, size, |i, j| tail.get(i + j).copied().unwrap_or(0.0));
    let eigen = SymmetricEigen::new(hankel);
    let (index, _) = eigen
        .eigenvalues
        .iter()
        .enumerate()
        .fold((0, 0.0_f64), |best, (i, l)| {
            if l.abs() > best.1 { (i, l.abs()) } else { best }
        });
    let v = eigen.eigenvectors.column(index);
    // a normalised vector whose first entry is this small would blow rounding up
    if v[0].abs() < 1e-8 {
        return vec![0.0; n + 1];
    }
    // b holds b_{-n} … b_n and the tail; filled from the right
    let mut b = vec![0.0; 2 * n + 1];
    b.extend_from_slice(tail);
    for k in (0..=2 * n).rev() {
        let sum: f64 = (1..size).map(|j| b[k + j] * v[j]).sum();
        b[k] = -sum / v[0];
    }
    (0..=n)
        .map(|k| if k == 0 { b[n] } else { b[n + k] + b[n - k] })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::activation::Activation;
    use crate::fit::Minimax;
    use crate::function::function;
    use crate::sampled::sampled_error;

    #[test]
    fn for_smooth_functions_it_is_minimax() {
        for (name, on, degree) in [
            ("exp", "-1:1", 4),
            ("tanh", "-2:2", 7),
            ("tanh", "-2:2", 8),
            ("sigmoid", "-4:4", 9),
            ("gelu", "-2:3", 10),
            ("silu", "-4:4", 8),
        ] {
            let f = function(name).unwrap();
            let on: Interval = on.parse().unwrap();
            let best = Minimax::default().on_pieces(&*f, &[on], degree).unwrap();
            let p = CaratheodoryFejer.fit(&*f, on, degree).unwrap();
            let ratio = sampled_error(&*f, &p, 3000).max_error / best.max_error;
            assert!(ratio < 1.01, "{name} {degree}: {ratio}");
        }
    }

    #[test]
    fn at_a_kink_it_is_still_better_than_cutting_the_series() {
        let on: Interval = "-1:1".parse().unwrap();
        for degree in [4, 9, 16] {
            let error = |fit: &dyn Fit| {
                let p = fit.fit(&Activation::Relu, on, degree).unwrap();
                sampled_error(&Activation::Relu, &p, 3000).max_error
            };
            assert!(
                error(&CaratheodoryFejer) < error(&super::super::Chebyshev),
                "{degree}"
            );
        }
    }
}
