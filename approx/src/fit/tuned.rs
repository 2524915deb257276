//! The polynomial that minimises a loss of your choice.
//!
//! Built in are p-norms of the error, with a penalty for what happens beyond the interval:
//! `L = ‖f - p‖_q + w ‖f - p‖_q'`, `‖e‖_q = (mean |e|^q)^(1/q)`, the first mean over the interval and
//! the second over a collar on both sides of it. A loss of your own is any function of the
//! polynomial ([`Tuned::minimising`]).
//!
//! 1. For a norm, sample `f` on the rule of the least-squares fits, and take as variables the
//!    coefficients in the polynomials that are orthonormal for its weight, so that the problem is as
//!    well conditioned as it can be. Begin with least squares; it is the answer for `q = 2`.
//! 2. Minimise by L-BFGS with the exact gradient, doubling `q` from 2 up to the one that is wanted,
//!    each time from the last result: for a large `q` the norm is flat far from its minimum.
//! 3. For a loss of your own begin with the Chebyshev series, use differences for the gradient, and
//!    let the simplex of Nelder and Mead go on from there, which needs no gradient.
//! 4. The best candidate that was ever looked at is the result, so it is never worse than the first.
//!
//! Norms are convex, so what is found is the minimum. Nothing is random: results are reproducible.
//!
//! **When to use it**: when inputs may leave the interval, which every other method takes for granted
//! that they do not; between least squares (`q = 2`) and minimax (`q → ∞`), for errors that are small on
//! average and have no spikes; when what you care for can be written down.
//!
//! **When it fails**: every condition beyond the interval costs accuracy inside it, and the more the
//! higher the degree. A loss of your own that is not smooth is minimised well up to degree 8 or so;
//! one that has several minima may end in the nearest. It is the slowest method.
//!
//! # References
//! - Liu & Nocedal (1989), On the limited memory BFGS method for large scale optimization,
//!   Mathematical Programming 45:503–528.
//! - Nelder & Mead (1965), A simplex method for function minimization, Computer Journal 7:308–313.
//! - Powell (1981), Approximation Theory and Methods, ch. 14 (best approximation in the 1-norm).

mod norm;
mod search;

use std::fmt;

use super::{Chebyshev, Fit, FitError, check_degree, finish};
use crate::basis::Basis;
use crate::function::{Custom, Function};
use crate::interval::Interval;
use crate::polynomial::Polynomial;
use norm::Rule;
use search::{Objective, descend, simplex};

/// Above this the norm differs from the maximum by less than 2 %, and the minimum is as sharp as that.
const LARGEST_EXPONENT: f64 = 256.0;

/// What is minimised.
enum Loss {
    /// The error in a norm, and what it is beyond the interval.
    Norm {
        exponent: f64,
        /// Width of the collar on either side, in half-widths.
        reach: f64,
        weight: f64,
    },
    Own(Own),
}

type Own = Box<dyn Fn(&dyn Function, &Polynomial) -> f64 + Send + Sync>;

/// The minimum of a loss; the result is in the Chebyshev basis.
///
/// ```
/// use approx::{Activation, Fit, Polynomial, fit::Tuned};
///
/// let on = "-8:8".parse()?;
/// let beyond = |p: &Polynomial| (p.eval(10.0) - 1.0).abs();
/// let loose = Tuned::norm(8.0).fit(&Activation::Sigmoid, on, 7)?;
/// let tied = Tuned::norm(8.0).penalising(0.25, 0.5).fit(&Activation::Sigmoid, on, 7)?;
/// assert!(beyond(&tied) < 0.1 * beyond(&loose));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Tuned {
    loss: Loss,
}

impl Default for Tuned {
    /// The 8-norm, with a tenth of the 8-norm over another quarter of the half-width on either side.
    fn default() -> Self {
        Self::norm(8.0).penalising(0.25, 0.1)
    }
}

impl Tuned {
    /// The norm `(mean |f - p|^exponent)^(1/exponent)` over the interval; the exponent is 1 to 256.
    pub fn norm(exponent: f64) -> Self {
        let (reach, weight) = (0.0, 0.0);
        Self {
            loss: Loss::Norm {
                exponent,
                reach,
                weight,
            },
        }
    }

    /// Adds `weight` times the same norm over the points beyond the interval, up to `reach` half-widths
    /// beyond either end. It replaces the penalty that was there; a loss of your own stays as it is.
    #[must_use]
    pub fn penalising(self, reach: f64, weight: f64) -> Self {
        match self.loss {
            Loss::Norm { exponent, .. } => Self {
                loss: Loss::Norm {
                    exponent,
                    reach,
                    weight,
                },
            },
            Loss::Own(_) => self,
        }
    }

    /// Any loss: a number for a function and a candidate, the smaller the better.
    ///
    /// ```
    /// use approx::{Activation, Fit, fit::Tuned, sampled_error};
    ///
    /// // a small error, and above all the right value at 0
    /// let fit = Tuned::minimising(|f, p| {
    ///     sampled_error(f, p, 101).rms_error + 10.0 * (f.value(0.0) - p.eval(0.0)).abs()
    /// });
    /// let p = fit.fit(&Activation::Relu, "-1:1".parse()?, 4)?;
    /// assert!(p.eval(0.0).abs() < 1e-6);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn minimising(
        loss: impl Fn(&dyn Function, &Polynomial) -> f64 + Send + Sync + 'static,
    ) -> Self {
        Self {
            loss: Loss::Own(Box::new(loss)),
        }
    }
}

impl fmt::Debug for Tuned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.loss {
            Loss::Norm {
                exponent,
                reach,
                weight,
            } => f
                .debug_struct("Tuned")
                .field("exponent", exponent)
                .field("reach", reach)
                .field("weight", weight)
                .finish(),
            Loss::Own(_) => f.debug_struct("Tuned").finish_non_exhaustive(),
        }
    }
}

impl Fit for Tuned {
    fn name(&self) -> &'static str {
        "tuned"
    }

    fn summary(&self) -> &'static str {
        "smallest 8-norm of the error, with a penalty for the error beyond the interval"
    }

    /// # Errors
    /// As the trait says; also [`FitError::Parameter`] for an exponent or a penalty out of range, and
    /// [`FitError::Loss`] for a loss of your own that is no finite number at its first candidate.
    fn fit(
        &self,
        function: &dyn Function,
        on: Interval,
        degree: usize,
    ) -> Result<Polynomial, FitError> {
        check_degree(degree)?;
        match &self.loss {
            Loss::Norm {
                exponent,
                reach,
                weight,
            } => {
                for (what, value, low, high) in [
                    ("exponent of a norm", *exponent, 1.0, LARGEST_EXPONENT),
                    ("reach of a penalty", *reach, 0.0, 1e3),
                    ("weight of a penalty", *weight, 0.0, 1e6),
                ] {
                    if !(low..=high).contains(&value) {
                        return Err(FitError::Parameter {
                            what,
                            value,
                            low,
                            high,
                        });
                    }
                }
                let rule = Rule::new(function, on, degree, *reach, *weight);
                finish(
                    function,
                    rule.minimise(*exponent, degree),
                    Basis::Chebyshev,
                    on,
                )
            }
            Loss::Own(loss) => own(loss, function, on, degree),
        }
    }
}

/// A loss of the user's own, in the same units.
struct Given<'a> {
    loss: &'a Own,
    function: &'a dyn Function,
    origin: Polynomial,
    /// Of the variables: the error of the first candidate.
    size: f64,
    scale: f64,
}

impl Given<'_> {
    fn at(&self, steps: &[f64]) -> Option<Polynomial> {
        let moved = self.origin.coefficients().iter().zip(steps);
        let coefficients = moved.map(|(c, step)| c + self.size * step).collect();
        Polynomial::new(coefficients, Basis::Chebyshev, self.origin.interval()).ok()
    }
}

impl Objective for Given<'_> {
    fn value(&self, steps: &[f64]) -> f64 {
        let candidate = self.at(steps);
        let loss = candidate.map_or(f64::NAN, |p| (self.loss)(self.function, &p));
        if loss.is_nan() {
            f64::INFINITY
        } else {
            loss / self.scale
        }
    }

    /// Central differences: the cube root of the rounding unit balances `h²` against `1e-16 / h`.
    fn gradient(&self, steps: &[f64]) -> Vec<f64> {
        const STEP: f64 = 6e-6;
        let mut steps = steps.to_vec();
        (0..steps.len())
            .map(|k| {
                let here = steps[k];
                steps[k] = here + STEP;
                let above = self.value(&steps);
                steps[k] = here - STEP;
                let below = self.value(&steps);
                steps[k] = here;
                (above - below) / (2.0 * STEP)
            })
            .collect()
    }
}

fn own(
    loss: &Own,
    function: &dyn Function,
    on: Interval,
    degree: usize,
) -> Result<Polynomial, FitError> {
    let origin = Chebyshev.fit(function, on, degree)?;
    let value = loss(function, &origin);
    if !value.is_finite() {
        return Err(FitError::Loss { value });
    }
    let error = crate::sampled::sampled_error(function, &origin, 10 * degree + 50).max_error;
    let largest = origin
        .coefficients()
        .iter()
        .fold(0.0_f64, |m, c| m.max(c.abs()));
    let count = degree + 1;
    let problem = Given {
        loss,
        function,
        origin,
        size: error.max(1e-6 * largest).max(f64::MIN_POSITIVE),
        scale: if value == 0.0 { 1.0 } else { value.abs() },
    };
    let steps = descend(&problem, count);
    let steps = simplex(&problem, steps);
    let best = problem
        .at(&steps)
        .expect("a candidate of finite loss has finite coefficients");
    // the loss need not be symmetric, so neither is the result, whatever the function is
    let asymmetric = Custom::new(function.name(), |_| 0.0);
    finish(
        &asymmetric,
        best.coefficients().to_vec(),
        Basis::Chebyshev,
        on,
    )
}

#[cfg(test)]
mod tests;
