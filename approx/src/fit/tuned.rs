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

use std::{cell::RefCell, fmt};

use argmin::{
    core::{CostFunction, Error, Executor, Gradient},
    solver::{linesearch::MoreThuenteLineSearch, neldermead::NelderMead, quasinewton::LBFGS},
};

use super::{Chebyshev, Fit, FitError, check_degree, finish};
use crate::{
    Basis, Custom, Function, Interval, Polynomial, Symmetry,
    projection::{Element, orthonormal},
    quadrature,
};

/// Above this the norm differs from the maximum by less than 2 %, and the minimum is as sharp as that.
const LARGEST_EXPONENT: f64 = 256.0;

/// Pairs of steps that L-BFGS remembers.
const MEMORY: usize = 16;

/// Steps of L-BFGS for each exponent; on average some 20 are taken.
const DESCENTS: u64 = 200;

/// Looks without progress that end a descent: at the limit of double precision a line search would go
/// on for ever.
const PATIENCE: usize = 20;

/// Steps of the simplex for each variable, in each of its two rounds.
const SIMPLEX_STEPS: u64 = 200;

/// A loss below this share of the function's size is rounding.
const ROUNDING: f64 = 1e-14;

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

/// Samples of the function with their weights, and the variables.
struct Rule {
    /// `f` at the points, less what symmetry knows beforehand.
    values: Vec<f64>,
    /// The share of each point in the mean over its part: the interval, or the collar.
    shares: Vec<f64>,
    /// Points of the interval; the others are of the collar.
    inside: usize,
    weight: f64,
    /// Orthonormal polynomials: their values at the points, and their Chebyshev coefficients.
    basis: Vec<Element>,
    /// The Chebyshev coefficient that symmetry knows beforehand, and its value.
    known: (usize, f64),
}

impl Rule {
    fn new(function: &dyn Function, on: Interval, degree: usize, reach: f64, weight: f64) -> Self {
        // an even or odd function asks for half the points and half the polynomials
        let symmetry = match function.symmetry() {
            symmetry if on.centre() == 0.0 => symmetry,
            _ => Symmetry::None,
        };
        let (parity, known) = match symmetry {
            Symmetry::None => (None, (0, 0.0)),
            Symmetry::Even { slope } => (Some(0), (1, slope * on.half_width())),
            Symmetry::Odd { constant } => (Some(1), (0, constant)),
        };
        let special = on.to_unit(function.kink().unwrap_or(0.0));
        let mut points: Vec<(f64, f64)> = quadrature::graded(special)
            .iter()
            .map(|node| (node.u, 0.5 * node.weight * node.sine))
            .collect();
        if reach > 0.0 && weight > 0.0 {
            for (u, share) in quadrature::gauss_legendre(32) {
                let beyond = 1.0 + 0.5 * reach * (1.0 + u);
                points.extend([(-beyond, 0.25 * share), (beyond, 0.25 * share)]);
            }
        }
        let value = |u: f64| {
            let straight = if known.0 == 1 { u } else { 1.0 };
            function.value(on.from_unit(u)) - known.1 * straight
        };
        // beyond the interval the function may overflow
        points.retain(|&(u, share)| share > 0.0 && value(u).is_finite());
        let units: Vec<f64> = points.iter().map(|point| point.0).collect();
        let roots: Vec<f64> = points
            .iter()
            .map(|&(u, share)| share.sqrt() * if u.abs() <= 1.0 { 1.0 } else { weight })
            .collect();
        let kept = |u: f64| parity.is_none() || u >= 0.0;
        let mut basis = orthonormal(&units, &roots, degree, Basis::Chebyshev);
        if let Some(parity) = parity {
            let mut k = 0;
            basis.retain(|_| {
                k += 1;
                (k - 1) % 2 == parity
            });
        }
        for element in &mut basis {
            let values = element.values.iter().zip(&roots).zip(&units);
            element.values = values
                .filter(|(_, u)| kept(**u))
                .map(|((value, root), _)| value / root)
                .collect();
        }
        points.retain(|&(u, _)| kept(u));
        let whole = if parity.is_none() { 1.0 } else { 2.0 };
        Self {
            values: points.iter().map(|&(u, _)| value(u)).collect(),
            shares: points.iter().map(|&(_, share)| whole * share).collect(),
            inside: points.iter().filter(|(u, _)| u.abs() <= 1.0).count(),
            weight,
            basis,
            known,
        }
    }

    fn errors(&self, variables: &[f64]) -> Vec<f64> {
        let mut errors: Vec<f64> = self.values.iter().map(|value| -value).collect();
        for (a, q) in variables.iter().zip(&self.basis) {
            for (error, value) in errors.iter_mut().zip(&q.values) {
                *error += a * value;
            }
        }
        errors
    }

    /// The norms over the interval and over the collar, the latter times its weight; and the factors
    /// that make of a change of each error the change of their sum.
    fn norms(&self, errors: &[f64], exponent: f64) -> (f64, Vec<f64>) {
        let (mut total, mut slopes) = (0.0, vec![0.0; errors.len()]);
        let whole = (exponent.fract() == 0.0).then_some(exponent as i32 - 1);
        let parts = [
            (0..self.inside, 1.0),
            (self.inside..errors.len(), self.weight),
        ];
        for (part, weight) in parts {
            // powers of the largest error itself might overflow
            let largest = errors[part.clone()]
                .iter()
                .fold(0.0_f64, |m, e| m.max(e.abs()));
            if largest == 0.0 {
                continue;
            }
            let mut mean = 0.0;
            for i in part.clone() {
                let ratio = errors[i].abs() / largest;
                let power = match whole {
                    Some(whole) => ratio.powi(whole),
                    None => ratio.powf(exponent - 1.0),
                };
                mean += self.shares[i] * power * ratio;
                slopes[i] = self.shares[i] * power * errors[i].signum();
            }
            let norm = mean.powf(1.0 / exponent);
            total += weight * largest * norm;
            for slope in &mut slopes[part] {
                *slope *= weight * norm / mean;
            }
        }
        (total, slopes)
    }

    /// The Chebyshev coefficients of the polynomial of the smallest norm.
    fn minimise(&self, exponent: f64, degree: usize) -> Vec<f64> {
        // least squares: inner products with orthonormal polynomials
        let square = |i: usize| {
            self.shares[i]
                * if i < self.inside {
                    1.0
                } else {
                    self.weight * self.weight
                }
        };
        let mut variables: Vec<f64> = Vec::new();
        for q in &self.basis {
            let rest = self.errors(&variables);
            let inner: f64 = (0..rest.len())
                .map(|i| -square(i) * rest[i] * q.values[i])
                .sum();
            variables.push(inner);
        }
        let size = self.values.iter().fold(0.0_f64, |m, v| m.max(v.abs()));
        let mut next = exponent.min(2.0);
        loop {
            let (scale, _) = self.norms(&self.errors(&variables), next);
            if scale <= ROUNDING * size {
                break;
            }
            let problem = Norm {
                rule: self,
                exponent: next,
                origin: &variables,
                scale,
            };
            let steps = descend(&problem, self.basis.len());
            variables = problem.at(&steps);
            if next.to_bits() == exponent.to_bits() {
                break;
            }
            next = exponent.min(2.0 * next);
        }
        let mut coefficients = vec![0.0; degree + 1];
        coefficients[self.known.0] = self.known.1;
        for (a, q) in variables.iter().zip(&self.basis) {
            for (c, own) in coefficients.iter_mut().zip(&q.coefficients) {
                *c += a * own;
            }
        }
        coefficients
    }
}

/// A norm as a function of steps away from a first candidate, in units of its loss.
struct Norm<'a> {
    rule: &'a Rule,
    exponent: f64,
    origin: &'a [f64],
    scale: f64,
}

impl Norm<'_> {
    fn at(&self, steps: &[f64]) -> Vec<f64> {
        let moved = self.origin.iter().zip(steps);
        moved.map(|(a, step)| a + self.scale * step).collect()
    }
}

impl Objective for Norm<'_> {
    fn value(&self, steps: &[f64]) -> f64 {
        let errors = self.rule.errors(&self.at(steps));
        self.rule.norms(&errors, self.exponent).0 / self.scale
    }

    fn gradient(&self, steps: &[f64]) -> Vec<f64> {
        let errors = self.rule.errors(&self.at(steps));
        let (_, slopes) = self.rule.norms(&errors, self.exponent);
        let dot = |q: &Element| q.values.iter().zip(&slopes).map(|(v, s)| v * s).sum();
        self.rule.basis.iter().map(dot).collect()
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
    let error = crate::sampled_error(function, &origin, 10 * degree + 50).max_error;
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

/// What the solvers minimise.
trait Objective {
    fn value(&self, steps: &[f64]) -> f64;
    fn gradient(&self, steps: &[f64]) -> Vec<f64>;
}

/// The best candidate that a solver has looked at, and how often it has looked since.
struct Best {
    value: f64,
    steps: Vec<f64>,
    since: usize,
}

impl Best {
    fn new<O: Objective>(objective: &O, steps: Vec<f64>) -> RefCell<Self> {
        RefCell::new(Self {
            value: objective.value(&steps),
            steps,
            since: 0,
        })
    }
}

/// Keeps the best candidate, whether the solver comes to an end or gives up; and makes it give up when
/// `patience` looks in a row have found none that is better.
struct Watched<'a, O> {
    objective: &'a O,
    best: &'a RefCell<Best>,
    patience: usize,
}

impl<O: Objective> CostFunction for Watched<'_, O> {
    type Param = Vec<f64>;
    type Output = f64;

    fn cost(&self, steps: &Vec<f64>) -> Result<f64, Error> {
        // a solver that divides by a difference of nothing asks for steps that are no numbers
        let value = if steps.iter().all(|step| step.is_finite()) {
            self.objective.value(steps)
        } else {
            f64::INFINITY
        };
        let mut best = self.best.borrow_mut();
        best.since += 1;
        if value < best.value {
            *best = Best {
                value,
                steps: steps.clone(),
                since: 0,
            };
        }
        if best.since > self.patience {
            return Err(Error::msg("nothing better in sight"));
        }
        Ok(value)
    }
}

impl<O: Objective> Gradient for Watched<'_, O> {
    type Param = Vec<f64>;
    type Gradient = Vec<f64>;

    fn gradient(&self, steps: &Vec<f64>) -> Result<Vec<f64>, Error> {
        Ok(self.objective.gradient(steps))
    }
}

/// L-BFGS from the origin.
fn descend<O: Objective>(objective: &O, count: usize) -> Vec<f64> {
    let origin = vec![0.0; count];
    let best = Best::new(objective, origin.clone());
    let problem = Watched {
        objective,
        best: &best,
        patience: PATIENCE,
    };
    let solver = LBFGS::new(MoreThuenteLineSearch::new(), MEMORY);
    // it ends in one way or another; what it has found is kept
    let _ = Executor::new(problem, solver)
        .configure(|state| state.param(origin).max_iters(DESCENTS))
        .timer(false)
        .run();
    best.into_inner().steps
}

/// Nelder and Mead's simplex, twice: the second begins small and upright where the first collapsed.
fn simplex<O: Objective>(objective: &O, from: Vec<f64>) -> Vec<f64> {
    let best = Best::new(objective, from);
    for edge in [0.1, 0.01] {
        let corner = best.borrow().steps.clone();
        let mut corners = vec![corner.clone()];
        corners.extend((0..corner.len()).map(|k| {
            let mut other = corner.clone();
            other[k] += edge;
            other
        }));
        let problem = Watched {
            objective,
            best: &best,
            patience: usize::MAX,
        };
        let solver = NelderMead::new(corners)
            .with_sd_tolerance(1e-13)
            .expect("a tolerance above 0");
        let steps = SIMPLEX_STEPS * corner.len() as u64;
        let _ = Executor::new(problem, solver)
            .configure(|state| state.max_iters(steps))
            .timer(false)
            .run();
    }
    best.into_inner().steps
}

#[cfg(test)]
mod tests;
