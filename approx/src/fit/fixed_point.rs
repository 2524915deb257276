//! Coefficients of few bits, without paying for it more than necessary.
//!
//! 1. Find the best polynomial of degree `n` (`minimax`), and round its highest coefficient.
//! 2. Subtract that term from the function, and find the best polynomial of degree `n - 1` for the
//!    rest, round its highest coefficient, and so on down to the constant.
//! 3. Change single coefficients by one step as long as the largest error on a grid falls; do the
//!    same from the coefficients rounded each alone, and keep the better result.
//!
//! In step 2 every coefficient makes up, as far as it can, for the rounding of those before it.
//! Step 3 removes what the greedy order has missed, and makes sure that the result is never worse
//! than rounding each coefficient alone.
//!
//! **When to use it**: for schemes over integers (BFV, BGV, TFHE), where plaintext bits are the
//! budget; powers of two make products with coefficients free.
//!
//! **When it fails**: where rounding each coefficient alone is good enough: Chebyshev polynomials are
//! nearly independent of each other, and the gain is 3 % of the error on average over the named
//! functions at 4 to 8 bits. With few bits in the Chebyshev basis, coefficients of high degree that are
//! below half a unit vanish, and the result is of lower degree. The search is local: a lattice
//! search may do a little better.
//!
//! # References
//! - Brisebarre & Chevillard (2007), Efficient polynomial L∞-approximations, ARITH 18 (the problem,
//!   and the lattice search).

use super::{Fit, FitError, Minimax, check_degree, finish};
use crate::basis::Basis;
use crate::function::{Function, Symmetry};
use crate::interval::Interval;
use crate::polynomial::Polynomial;

/// What a coefficient may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rounding {
    /// A multiple of `2^-bits`.
    Bits(u32),
    /// A sum of so many signed powers of two (1: a power of two itself), or zero.
    PowersOfTwo(u32),
}

impl Rounding {
    /// The nearest allowed number.
    pub fn round(self, x: f64) -> f64 {
        match self {
            Self::Bits(bits) => {
                let unit = 0.5_f64.powi(bits as i32);
                (x / unit).round() * unit
            }
            Self::PowersOfTwo(terms) => {
                let mut rest = x;
                for _ in 0..terms {
                    if rest == 0.0 || !rest.is_finite() {
                        break;
                    }
                    let below = rest.abs().log2().floor().exp2();
                    // the middle between 1 and 2 is 1.5
                    let nearest = if rest.abs() > 1.5 * below {
                        2.0 * below
                    } else {
                        below
                    };
                    rest -= nearest.copysign(rest);
                }
                x - rest
            }
        }
    }

    /// The allowed numbers next to an allowed one, below and above in size.
    fn neighbours(self, c: f64) -> [f64; 2] {
        match self {
            Self::Bits(bits) => {
                let unit = 0.5_f64.powi(bits as i32);
                [c - unit, c + unit]
            }
            Self::PowersOfTwo(_) => [self.round(0.6 * c), self.round(1.6 * c)],
        }
    }
}

/// Nearly best approximation with rounded Chebyshev coefficients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FixedPoint {
    /// What the coefficients are rounded to.
    pub rounding: Rounding,
}

impl Default for FixedPoint {
    /// Multiples of `2^-12`: three and a half decimal places.
    fn default() -> Self {
        Self {
            rounding: Rounding::Bits(12),
        }
    }
}

/// A function less the terms that are fixed already.
struct Rest<'a> {
    function: &'a dyn Function,
    fixed: Polynomial,
}

impl Function for Rest<'_> {
    fn name(&self) -> &str {
        self.function.name()
    }

    fn value(&self, x: f64) -> f64 {
        self.function.value(x) - self.fixed.eval(x)
    }

    fn symmetry(&self) -> Symmetry {
        // the fixed terms have the symmetry of the polynomial; odd ones enter at degree 1, last
        match self.function.symmetry() {
            _ if self.fixed.interval().centre() != 0.0 => Symmetry::None,
            symmetry => symmetry,
        }
    }

    fn kink(&self) -> Option<f64> {
        self.function.kink()
    }
}

impl Fit for FixedPoint {
    fn name(&self) -> &'static str {
        "fixed-point"
    }

    fn summary(&self) -> &'static str {
        "nearly minimax, with Chebyshev coefficients rounded to 12 bits one after another"
    }

    fn fit(
        &self,
        function: &dyn Function,
        on: Interval,
        degree: usize,
    ) -> Result<Polynomial, FitError> {
        check_degree(degree)?;
        let symmetry = function.symmetry();
        let free: Vec<usize> = (0..=degree)
            .filter(|&k| on.centre() != 0.0 || !symmetry.kills(k))
            .collect();
        let mut fixed = vec![0.0; degree + 1];
        let mut alone = fixed.clone();
        for &k in free.iter().rev().filter(|&&k| k > 0) {
            let current = best_rest(function, &fixed, on, k)?;
            if fixed.iter().all(|c| *c == 0.0) {
                let rounded = current
                    .coefficients()
                    .iter()
                    .map(|c| self.rounding.round(*c));
                alone = rounded
                    .chain(std::iter::repeat(0.0))
                    .take(degree + 1)
                    .collect();
            }
            fixed[k] = self.rounding.round(current.coefficients()[k]);
        }
        let grid = Grid::new(function, on, degree);
        if free[0] == 0 {
            fixed[0] = self.rounding.round(grid.middle(&fixed));
        }
        let best = [fixed, alone]
            .map(|start| grid.polish(self.rounding, &free, start))
            .into_iter()
            .min_by(|a, b| a.1.total_cmp(&b.1))
            .expect("there are two");
        finish(function, best.0, Basis::Chebyshev, on)
    }
}

/// The best polynomial of degree `k` for what the fixed terms leave.
fn best_rest(
    function: &dyn Function,
    fixed: &[f64],
    on: Interval,
    k: usize,
) -> Result<Polynomial, FitError> {
    let overflow = |_| FitError::Overflow {
        degree: k,
        interval: on,
    };
    let fixed = Polynomial::new(fixed.to_vec(), Basis::Chebyshev, on).map_err(overflow)?;
    let rest = Rest { function, fixed };
    match Minimax::default().fit(&rest, on, k) {
        // at rounding level there is nothing to balance, and least squares does as well
        Err(FitError::NotConverged { .. }) => super::Chebyshev.fit(&rest, on, k),
        other => other,
    }
}

/// Where errors are compared: enough points for a polynomial of the degree, and the kink.
struct Grid {
    values: Vec<f64>,
    /// `T_k` at every point.
    basis: Vec<Vec<f64>>,
}

impl Grid {
    fn new(function: &dyn Function, on: Interval, degree: usize) -> Self {
        let points = 24 * (degree as i32 + 2);
        let kink = function.kink().map(|kink| on.to_unit(on.clamp(kink)));
        let units: Vec<f64> = (0..=points)
            .map(|i| (std::f64::consts::PI * f64::from(i) / f64::from(points)).cos())
            .chain(kink)
            .collect();
        let values = units.iter().map(|&u| function.value(on.from_unit(u)));
        let mut basis = vec![vec![1.0; units.len()], units.clone()];
        for k in 2..=degree {
            let terms = units.iter().zip(&basis[k - 1]).zip(&basis[k - 2]);
            let next = terms.map(|((u, one), two)| 2.0 * u * one - two).collect();
            basis.push(next);
        }
        Self {
            values: values.collect(),
            basis,
        }
    }

    fn errors(&self, coefficients: &[f64]) -> Vec<f64> {
        let mut errors = self.values.clone();
        for (c, column) in coefficients.iter().zip(&self.basis) {
            for (error, t) in errors.iter_mut().zip(column) {
                *error -= c * t;
            }
        }
        errors
    }

    /// The constant that balances the largest errors above and below.
    fn middle(&self, coefficients: &[f64]) -> f64 {
        let errors = self.errors(coefficients);
        let low = errors.iter().copied().fold(f64::INFINITY, f64::min);
        let high = errors.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        0.5 * (low + high)
    }

    /// Step 3: the coefficients after single steps, and their largest error.
    fn polish(&self, rounding: Rounding, free: &[usize], start: Vec<f64>) -> (Vec<f64>, f64) {
        let mut coefficients = start;
        let mut errors = self.errors(&coefficients);
        let mut largest = errors.iter().fold(0.0_f64, |m, e| m.max(e.abs()));
        // every accepted step lowers the error, and a few sweeps find them all
        for _ in 0..20 {
            let before = largest;
            for &k in free {
                for next in rounding.neighbours(coefficients[k]) {
                    let change = next - coefficients[k];
                    let moved = errors.iter().zip(&self.basis[k]);
                    let worst = moved.fold(0.0_f64, |m, (e, t)| m.max((e - change * t).abs()));
                    if worst < largest {
                        largest = worst;
                        coefficients[k] = next;
                        for (e, t) in errors.iter_mut().zip(&self.basis[k]) {
                            *e -= change * t;
                        }
                        break;
                    }
                }
            }
            if largest >= before {
                break;
            }
        }
        (coefficients, largest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::activation::Activation;
    use crate::fit::method;
    use crate::function::functions;
    use crate::sampled::sampled_error;

    #[test]
    fn coefficients_are_on_the_grid() {
        let on: Interval = "-3:5".parse().unwrap();
        for bits in [0, 3, 8, 20] {
            let fit = FixedPoint {
                rounding: Rounding::Bits(bits),
            };
            let p = fit.fit(&Activation::Sigmoid, on, 9).unwrap();
            for c in p.coefficients() {
                assert!((c * f64::from(1_u32 << bits)).fract() == 0.0, "{c}");
            }
        }
        let fit = FixedPoint {
            rounding: Rounding::PowersOfTwo(1),
        };
        let p = fit.fit(&Activation::Tanh, on, 5).unwrap();
        for c in p.coefficients().iter().filter(|c| **c != 0.0) {
            assert!(c.abs().log2().fract() == 0.0, "{c}");
        }
    }

    #[test]
    fn rounding_goes_to_the_nearest() {
        let bits = Rounding::Bits(2);
        assert!((bits.round(0.3) - 0.25).abs() < 1e-15 && (bits.round(-0.4) + 0.5).abs() < 1e-15);
        let power = |terms, x| Rounding::PowersOfTwo(terms).round(x);
        for (terms, x, expected) in [
            (1, 0.3, 0.25),
            (1, 0.4, 0.5),
            (1, -3.5, -4.0),
            (2, 0.7, 0.75),
            (3, 0.0, 0.0),
        ] {
            assert!((power(terms, x) - expected).abs() < 1e-15, "{terms} {x}");
        }
    }

    #[test]
    fn it_beats_rounding_each_coefficient_alone() {
        let on: Interval = "-4:4".parse().unwrap();
        let minimax = method("minimax").unwrap();
        let (mut logarithms, mut count) = (0.0, 0.0);
        for function in functions() {
            for degree in [5, 8, 11] {
                for bits in [4, 6, 8] {
                    let rounding = Rounding::Bits(bits);
                    let best = minimax.fit(&*function, on, degree).unwrap();
                    let alone = best
                        .coefficients()
                        .iter()
                        .map(|c| rounding.round(*c))
                        .collect();
                    let alone = Polynomial::new(alone, Basis::Chebyshev, on).unwrap();
                    let together = FixedPoint { rounding }.fit(&*function, on, degree).unwrap();
                    let error = |p: &Polynomial| sampled_error(&*function, p, 500).max_error;
                    let ratio = error(&together) / error(&alone);
                    // the grid of the search is not that of the report
                    assert!(ratio < 1.01, "{} {degree} {bits}: {ratio}", function.name());
                    logarithms += ratio.ln();
                    count += 1.0;
                }
            }
        }
        let mean: f64 = logarithms / count;
        assert!(
            mean.exp() < 0.98,
            "errors are {} of the others on average",
            mean.exp()
        );
    }
}
