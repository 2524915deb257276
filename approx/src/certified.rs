//! Proven bounds of the error: no point of the interval is left out, and rounding is counted.
//!
//! 1. Write both functions in the basis variable `v` of the polynomial (`x` itself, or `u`), and cut
//!    the range into cells.
//! 2. On a cell with middle `m` and radius `r` expand the difference: `f` by its Taylor
//!    coefficients at `m` and a remainder over the cell ([`Function::enclose`]), `p` by its own,
//!    which are exact. `f - p = Σ d_j t^j`, `|t| ≤ r`, every `d_j` an interval.
//! 3. Bound it: the largest `|d_0 + d_1 t + d_2 t²|` exactly, plus `Σ_{j≥3} |d_j| r^j`. What the
//!    bound gives away falls like `r³`.
//! 4. Halve the cell with the largest bound, until that is within the tolerance of an error that is
//!    attained at some middle, or until the cells or their number reach a limit.
//!
//! Near a kink or a jump `enclose` has fewer terms and the bound is coarser; there the cells become
//! small, and no case distinction is needed.
//!
//! What is proven: `|f(x) - p(x)| ≤ upper` for every real `x` of the interval, for the exact
//! polynomial and for the rounded value that [`Polynomial::eval`] returns. The proof assumes IEEE 754
//! arithmetic and library functions with errors below 8 units in the last place. Evaluation in
//! Clenshaw's or Horner's scheme is bounded by its rounding errors `ρ_k`, which act like errors of the
//! coefficients: `Σ |ρ_k|` at most, since `|T_k|` and `|P_k|` do not exceed 1.
//!
//! # References
//! - Moore, Kearfott & Cloud (2009), Introduction to Interval Analysis, ch. 6 and 11.
//! - Makino & Berz (2003), Taylor models and other validated functional inclusion methods.
//! - Higham (2002), Accuracy and Stability of Numerical Algorithms, 2nd ed., §5.1 (running errors).

mod difference;

use std::collections::BinaryHeap;

use serde::{Deserialize, Serialize};

use crate::fit::MinimaxReport;
use crate::function::Function;
use crate::interval::Interval;
use crate::polynomial::Polynomial;
use difference::{Cell, Difference};

/// Stop when the bound exceeds an attained error by at most this share.
const TOLERANCE: f64 = 1e-3;

/// Cells that are looked at before the bound is returned as it is.
const MOST_CELLS: usize = 6000;

/// What is proven about the largest error of a polynomial.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct CertifiedError {
    /// No error on the interval is larger.
    pub upper: f64,
    /// Somewhere on the interval the error is at least this large.
    pub lower: f64,
    /// A place where it is: the middle of a cell.
    pub lower_at: f64,
    /// How many cells were needed.
    pub cells: usize,
}

impl CertifiedError {
    /// How much the bound may give away, as a share of the attained error: `upper / lower - 1`.
    pub fn gap(&self) -> f64 {
        self.upper / self.lower - 1.0
    }
}

/// Nothing is known of a function that a proof could rest on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "no bounds are known for `{function}`: give them with `Custom::with_enclosure` or `Custom::with_lipschitz_bound`"
)]
pub struct NotCertifiable {
    /// The name of the function.
    pub function: String,
}

/// A rigorous upper bound of `|f - p|` on the polynomial's own interval, with an attained error as
/// lower bound. For the Sigmoid it takes 0.2 ms at degree 7, and 20 ms at
/// degree 63.
///
/// # Errors
/// [`NotCertifiable`] if `function` has no [`enclose`](Function::enclose).
///
/// ```
/// use approx::{Activation, certify, method};
///
/// let p = method("minimax")?.fit(&Activation::Sigmoid, "-8:8".parse()?, 9)?;
/// let error = certify(&Activation::Sigmoid, &p)?;
/// assert!(error.lower <= error.upper && error.upper < 0.013);
/// assert!(error.gap() < 2e-3); // the bound gives away next to nothing
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn certify(
    function: &dyn Function,
    polynomial: &Polynomial,
) -> Result<CertifiedError, NotCertifiable> {
    certify_on(function, polynomial, polynomial.interval())
}

/// As [`certify`], on another interval: a piece of the polynomial's own, or one beyond it.
///
/// # Errors
/// As [`certify`].
pub fn certify_on(
    function: &dyn Function,
    polynomial: &Polynomial,
    on: Interval,
) -> Result<CertifiedError, NotCertifiable> {
    certify_within(function, polynomial, on, TOLERANCE)
}

/// As [`certify_on`], until the bound exceeds an attained error by at most the share `tolerance`.
pub(crate) fn certify_within(
    function: &dyn Function,
    polynomial: &Polynomial,
    on: Interval,
    tolerance: f64,
) -> Result<CertifiedError, NotCertifiable> {
    let difference = Difference::new(function, polynomial, on);
    let missing = || NotCertifiable {
        function: function.name().to_owned(),
    };
    let mut queue = BinaryHeap::new();
    let (low, high) = difference.range;
    // the first cells resolve the waves of a polynomial of this degree at all
    let first = 2 * polynomial.coefficients().len();
    let mut report = CertifiedError {
        upper: 0.0,
        lower: 0.0,
        lower_at: on.centre(),
        cells: 0,
    };
    // evenly spaced in the angle: waves are narrower towards the ends
    let cut = |i: usize| {
        let theta = std::f64::consts::PI * i as f64 / first as f64;
        let s = (0.5 - 0.5 * theta.cos()).clamp(0.0, 1.0);
        (low + s * (high - low)).clamp(low, high)
    };
    let mut pending: Vec<(f64, f64)> = Vec::new();
    let mut start = low;
    for i in 1..=first {
        let end = if i == first { high } else { cut(i) };
        if end > start {
            pending.push((start, end));
            start = end;
        }
    }
    loop {
        for (start, end) in pending.drain(..) {
            let cell = difference.cell(start, end).ok_or_else(missing)?;
            if cell.lower > report.lower {
                (report.lower, report.lower_at) = (cell.lower, cell.at);
            }
            queue.push(cell);
            report.cells += 1;
        }
        let top = queue.peek().expect("a range has cells");
        report.upper = top.upper;
        let middle = 0.5 * (top.start + top.end);
        let small = middle <= top.start || middle >= top.end;
        let close = report.upper <= (1.0 + tolerance) * report.lower;
        // where the polynomial overflows, smaller cells do not help for long
        let hopeless = report.upper == f64::INFINITY && report.cells > MOST_CELLS / 8;
        if close || small || hopeless || report.cells >= MOST_CELLS {
            return Ok(report);
        }
        let Cell { start, end, .. } = queue.pop().expect("just seen");
        pending.extend([(start, middle), (middle, end)]);
    }
}

/// A proven lower bound of the error of **every** polynomial of a degree, after de la
/// Vallée-Poussin: if the error of one polynomial alternates in sign at `degree + 2` points, no
/// polynomial of the degree can be better than the smallest of these errors.
///
/// Together with [`certify`] it proves how close to optimal a fit is: the best error lies between
/// the two. 0 if the alternation has fewer points or is not proven.
///
/// # Errors
/// As [`certify`].
///
/// ```
/// use approx::{Activation, certify, fit::Minimax, least_error};
///
/// let best = Minimax::default().on_pieces(&Activation::Relu, &["-1:1".parse()?], 6)?;
/// let upper = certify(&Activation::Relu, &best.polynomial)?.upper;
/// let lower = least_error(&Activation::Relu, &best, 6)?;
/// assert!(lower <= upper && upper < 1.001 * lower);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn least_error(
    function: &dyn Function,
    report: &MinimaxReport,
    degree: usize,
) -> Result<f64, NotCertifiable> {
    let polynomial = &report.polynomial;
    let difference = Difference::new(function, polynomial, polynomial.interval());
    let mut least = f64::INFINITY;
    let mut signs: Vec<bool> = Vec::new();
    for &x in &report.alternation {
        let error = difference.at(x).ok_or_else(|| NotCertifiable {
            function: function.name().to_owned(),
        })?;
        least = least.min(error.mignitude());
        signs.push(error.low() > 0.0);
    }
    let alternates = signs.windows(2).all(|pair| pair[0] != pair[1]);
    let enough = signs.len() >= degree + 2;
    Ok(if alternates && enough { least } else { 0.0 })
}

#[cfg(test)]
mod tests;
