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

use std::{cmp::Ordering, collections::BinaryHeap};

use serde::{Deserialize, Serialize};

use crate::{Basis, Bounds, Function, Interval, Polynomial, fit::MinimaxReport};

/// The highest order of the expansion of `f`.
const ORDER: usize = 12;

/// Stop when the bound exceeds an attained error by at most this share.
const TOLERANCE: f64 = 1e-3;

/// Cells that are looked at before the bound is returned as it is.
const MOST_CELLS: usize = 6000;

/// Relative error that [`Function::value`] may have, in the returned value of `f`.
const VALUE_ERROR: f64 = 8.0 * f64::EPSILON;

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
/// lower bound. It takes 0.3 ms at degree 7, and 0.2 s at degree 63.
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

/// A cell and what is known of the error in it.
struct Cell {
    start: f64,
    end: f64,
    /// Bound over the cell.
    upper: f64,
    /// The error at its middle is at least this.
    lower: f64,
    /// The middle as `x`.
    at: f64,
}

impl PartialEq for Cell {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Cell {}

impl PartialOrd for Cell {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Cell {
    fn cmp(&self, other: &Self) -> Ordering {
        self.upper.total_cmp(&other.upper)
    }
}

/// `f - p` in the basis variable.
struct Difference<'a> {
    function: &'a dyn Function,
    basis: Basis,
    /// `x = shift + scale v`, exactly.
    shift: f64,
    scale: f64,
    /// The interval in the basis variable, rounded outwards.
    range: (f64, f64),
    /// Coefficients of `p^(j) / j!`, `j = 0, 1, …`.
    derivatives: Vec<Vec<Bounds>>,
}

impl<'a> Difference<'a> {
    fn new(function: &'a dyn Function, polynomial: &Polynomial, on: Interval) -> Self {
        let basis = polynomial.basis();
        let own = polynomial.interval();
        let (shift, scale) = match basis {
            Basis::Monomial => (0.0, 1.0),
            Basis::Chebyshev | Basis::Legendre => (own.centre(), own.half_width()),
        };
        let ends = [on.low(), on.high()].map(|x| {
            // the quotient of rounded differences is off by less than four units
            let v = (x - shift) / scale;
            let slack = if basis == Basis::Monomial {
                0.0
            } else {
                2.0 * f64::EPSILON * (v.abs() + (x.abs() + shift.abs()) / scale)
            };
            (v - slack, v + slack)
        });
        let exact = polynomial.coefficients().iter().map(|&c| Bounds::point(c));
        let mut derivatives = vec![exact.collect::<Vec<_>>()];
        for j in 1..polynomial.coefficients().len() {
            let next = differentiate(basis, &derivatives[j - 1], j);
            derivatives.push(next);
        }
        Self {
            function,
            basis,
            shift,
            scale,
            range: (ends[0].0, ends[1].1),
            derivatives,
        }
    }

    /// `x` as a set, from `v` as a set.
    fn x(&self, v: Bounds) -> Bounds {
        match self.basis {
            Basis::Monomial => v,
            Basis::Chebyshev | Basis::Legendre => {
                Bounds::point(self.shift) + Bounds::point(self.scale) * v
            }
        }
    }

    /// Step 2 and 3 for the cell between two values of `v`.
    fn cell(&self, start: f64, end: f64) -> Option<Cell> {
        let middle = 0.5 * (start + end);
        let radius = (end - middle).max(middle - start).next_up();
        let over_cell = self.x(Bounds::new(start, end));
        let at_middle = self.x(Bounds::point(middle));
        let mut expansion = self.function.enclose(over_cell, ORDER)?;
        // a remainder may be taken at any order that both expansions reach
        let order = expansion.len() - 1;
        if order > 0 {
            let exact = self.function.enclose(at_middle, order - 1)?;
            expansion.truncate(exact.len() + 1);
            let count = exact.len().min(expansion.len() - 1);
            expansion[..count].copy_from_slice(&exact[..count]);
        }
        // from powers of x - x(m) to powers of v - m
        let mut factor = Bounds::point(1.0);
        for c in &mut expansion {
            *c = *c * factor;
            factor = factor * Bounds::point(self.scale);
        }

        let p = self.expand(middle, radius);
        let count = p.coefficients.len().max(expansion.len());
        let zero = Bounds::point(0.0);
        let get = |series: &[Bounds], j: usize| series.get(j).copied().unwrap_or(zero);
        let mut rest = 0.0_f64;
        let mut power = Bounds::point(1.0);
        let mut low_terms = [zero; 3];
        for j in 0..count {
            let d = get(&expansion, j) - get(&p.coefficients, j);
            if let Some(term) = low_terms.get_mut(j) {
                *term = d;
            } else {
                rest = (rest + (d * power).magnitude()).next_up();
            }
            power = power * Bounds::point(radius);
        }
        // what the rounded values of p and f may add; twice, to be safe from its own rounding
        let value = expansion[0].magnitude();
        let rounding = 2.0 * (p.rounding + VALUE_ERROR * value);
        let upper = (quadratic(low_terms, radius) + rest + rounding)
            .next_up()
            .next_up();
        let lower = if order > 0 {
            low_terms[0].mignitude()
        } else {
            0.0
        };
        Some(Cell {
            start,
            end,
            upper: if upper.is_nan() { f64::INFINITY } else { upper },
            lower,
            at: at_middle.middle(),
        })
    }

    /// `f(x) - p(x)` at one point.
    fn at(&self, x: f64) -> Option<Bounds> {
        let value = self.function.enclose(Bounds::point(x), 0)?[0];
        // the nearest v is off by a few units; the slope of p turns that into an error of p
        let v = (x - self.shift) / self.scale;
        let slack = 4.0 * f64::EPSILON * (v.abs() + (x.abs() + self.shift.abs()) / self.scale);
        let p = self.expand(v, slack);
        let moved = p
            .coefficients
            .iter()
            .skip(1)
            .rev()
            .fold(0.0, |sum: f64, c| (sum * slack + c.magnitude()).next_up());
        Some(value - (p.coefficients[0] + Bounds::around(0.0, (moved * slack).next_up())))
    }

    /// The Taylor coefficients of `p` at `v`, and the rounding error of its evaluation near it.
    fn expand(&self, v: f64, radius: f64) -> Expansion {
        let mut rounding = 0.0;
        let coefficients: Vec<Bounds> = self
            .derivatives
            .iter()
            .enumerate()
            .map(|(j, derivative)| {
                let (value, error) = evaluate(self.basis, derivative, v);
                if j == 0 {
                    rounding = error;
                }
                Bounds::around(value, error)
            })
            .collect();
        // `eval` maps x to v in three rounded operations
        if self.basis != Basis::Monomial {
            let slip = 4.0 * f64::EPSILON * (v.abs() + 2.0 * self.shift.abs() / self.scale);
            let slope = coefficients
                .iter()
                .skip(1)
                .rev()
                .fold(0.0, |sum, c| sum * (radius + slip) + c.magnitude());
            // coefficient j of the derivative has a factor j ≤ the degree
            rounding += coefficients.len() as f64 * slope * slip;
        }
        Expansion {
            coefficients,
            rounding,
        }
    }
}

struct Expansion {
    coefficients: Vec<Bounds>,
    rounding: f64,
}

/// The largest `|d_0 + d_1 t + d_2 t²|` for `|t| ≤ r`, rounded up.
fn quadratic([d0, d1, d2]: [Bounds; 3], r: f64) -> f64 {
    let at = |t: f64| {
        let t = Bounds::point(t);
        (d0 + t * (d1 + t * d2)).magnitude()
    };
    let ends = at(r).max(at(-r));
    let (slope, bend) = (d1.middle(), d2.middle());
    if slope.abs() >= 2.0 * bend.abs() * r {
        // no vertex of the middle parabola inside; those nearby differ by their widths
        return ends + (d1.width() + d2.width() * r) * r;
    }
    // value of the middle parabola at its vertex, and what the widths add anywhere
    let vertex = -slope / (2.0 * bend);
    let spread = d0.width() + (d1.width() + d2.width() * r) * r;
    let inside = (d0.middle() + vertex * (slope + vertex * bend)).abs();
    let rounding = 8.0 * f64::EPSILON * (d0.magnitude() + (slope.abs() + bend.abs() * r) * r);
    ends.max(inside + spread + rounding) + spread
}

/// The value by Clenshaw's or Horner's scheme, and a bound of its error, from rounding and from the
/// widths of the coefficients.
fn evaluate(basis: Basis, coefficients: &[Bounds], v: f64) -> (f64, f64) {
    let (mut b1, mut b2) = (0.0, 0.0);
    let (mut error, mut outside) = (0.0, 1.0_f64);
    for (k, c) in coefficients.iter().enumerate().rev() {
        let (linear, back) = basis.clenshaw(k);
        let (centre, product, behind) = (c.middle(), linear * v * b1, back * b2);
        let next = centre + product - behind;
        // five rounded operations on terms of these sizes, and the width of c
        let local = 4.0 * f64::EPSILON * (centre.abs() + product.abs() + behind.abs())
            + 0.5 * c.width()
            + f64::MIN_POSITIVE;
        error = match basis {
            Basis::Monomial => error * v.abs() + local,
            Basis::Chebyshev | Basis::Legendre => error + local,
        };
        (b1, b2) = (next, b1);
    }
    if basis != Basis::Monomial && v.abs() > 1.0 {
        // |T_k(v)| and |P_k(v)| are at most (|v| + √(v² - 1))^k there
        let growth = v.abs() + (v * v - 1.0).sqrt();
        outside = growth.powi(coefficients.len() as i32);
    }
    let bound = error * outside * (1.0 + 1e-10);
    (b1, if bound.is_nan() { f64::INFINITY } else { bound })
}

/// The coefficients of the derivative over `j`, in interval arithmetic; as `Basis::differentiate`.
fn differentiate(basis: Basis, coefficients: &[Bounds], j: usize) -> Vec<Bounds> {
    use crate::series::Real;
    let n = coefficients.len();
    let mut d = vec![Bounds::point(0.0); n + 2];
    for k in (0..n - 1).rev() {
        let (k_, c) = (k as f64, coefficients[k + 1]);
        d[k] = match basis {
            Basis::Monomial => Bounds::point(k_ + 1.0) * c,
            Basis::Chebyshev if k == 0 => c + Bounds::point(0.5) * d[2],
            Basis::Chebyshev => Bounds::point(2.0 * (k_ + 1.0)) * c + d[k + 2],
            Basis::Legendre => Bounds::point(2.0 * k_ + 1.0) * (c + d[k + 2].over(2.0 * k_ + 5.0)),
        };
    }
    d.truncate(n.max(2) - 1);
    d.into_iter().map(|c| c.over(j as f64)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Absolute, Activation, Custom, Sign, fit::Minimax, functions, method};

    fn polynomial(coefficients: &[f64], basis: Basis, on: &str) -> Polynomial {
        Polynomial::new(coefficients.to_vec(), basis, on.parse().unwrap()).unwrap()
    }

    #[test]
    fn a_known_error_is_enclosed_tightly() {
        // ReLU - (x²/2 + x/2 + 1/16) is ±1/16 at its extrema
        let p = polynomial(&[0.0625, 0.5, 0.5], Basis::Monomial, "-1:1");
        let found = certify(&Activation::Relu, &p).unwrap();
        assert!(
            found.upper >= 0.0625 && found.upper < 0.0625 * 1.002,
            "{found:?}"
        );
        assert!(found.lower <= 0.0625 && found.gap() < 2e-3);
        // the same polynomial in the other bases: x² = (1 + T_2) / 2 = (1 + 2 P_2) / 3
        let p = polynomial(&[0.3125, 0.5, 0.25], Basis::Chebyshev, "-1:1");
        assert!((certify(&Activation::Relu, &p).unwrap().upper - found.upper).abs() < 1e-4);
        let p = polynomial(
            &[0.0625 + 1.0 / 6.0, 0.5, 1.0 / 3.0],
            Basis::Legendre,
            "-1:1",
        );
        assert!((certify(&Activation::Relu, &p).unwrap().upper - found.upper).abs() < 1e-4);
    }

    #[test]
    fn a_jump_inside_costs_its_full_height() {
        let p = polynomial(&[0.25, 1.0], Basis::Monomial, "-1:1");
        let found = certify(&Sign, &p).unwrap();
        // next to 0 on the left the error is 1.25
        assert!(found.upper >= 1.25 && found.upper < 1.26, "{found:?}");
        let right = certify_on(&Sign, &p, "0.5:1".parse().unwrap()).unwrap();
        assert!(right.upper >= 0.25 && right.upper < 0.2505, "{right:?}");
    }

    #[test]
    fn the_bound_is_tight_from_large_errors_down_to_rounding() {
        for (name, on, degree) in [
            ("tanh", "-4:4", 5),
            ("tanh", "-4:4", 63),
            ("sigmoid", "-8:8", 31),
            ("sigmoid", "-8:8", 63),
            ("gelu", "-5:3", 20),
            ("relu", "-2:7", 40),
            ("abs", "-1:1", 63),
            ("exp", "-3:3", 12),
        ] {
            let function = crate::function(name).unwrap();
            let fit = Minimax::default();
            let p = crate::Fit::fit(&fit, &*function, on.parse().unwrap(), degree).unwrap();
            let found = certify(&*function, &p).unwrap();
            let sampled = crate::sampled_error(&*function, &p, 2000).max_error;
            assert!(
                found.upper >= sampled,
                "{name} {degree}: {found:?} {sampled}"
            );
            assert!(found.gap() < 0.01, "{name} {degree}: {found:?} {sampled}");
        }
    }

    #[test]
    fn a_reproduced_polynomial_has_an_error_of_rounding_only() {
        let p = method("chebyshev")
            .unwrap()
            .fit(&Activation::Relu, "1:4".parse().unwrap(), 7)
            .unwrap();
        let found = certify(&Activation::Relu, &p).unwrap();
        assert!(found.upper < 1e-12, "{found:?}");
    }

    #[test]
    fn optimality_is_proven_for_every_function_without_a_jump() {
        for function in functions() {
            if ["sign", "step"].contains(&function.name()) {
                continue;
            }
            for on in ["-2:2", "-3:5"] {
                for degree in [1, 2, 5, 8] {
                    let best = Minimax::default()
                        .on_pieces(&*function, &[on.parse().unwrap()], degree)
                        .unwrap();
                    let lower = least_error(&*function, &best, degree).unwrap();
                    let upper = certify(&*function, &best.polynomial).unwrap().upper;
                    let name = function.name();
                    assert!(lower > 0.0 && lower <= upper, "{name} {on} {degree}");
                    assert!(
                        upper < 1.002 * lower,
                        "{name} {on} {degree}: {lower} {upper}"
                    );
                }
            }
        }
    }

    #[test]
    fn too_few_alternations_prove_nothing() {
        let mut best = Minimax::default()
            .on_pieces(&Absolute, &["-1:1".parse().unwrap()], 4)
            .unwrap();
        assert!(least_error(&Absolute, &best, 4).unwrap() > 0.06);
        best.alternation.truncate(3);
        assert!(least_error(&Absolute, &best, 4).unwrap() == 0.0);
    }

    #[test]
    fn a_function_without_bounds_is_refused_and_one_with_a_lipschitz_bound_is_not() {
        let plain = Custom::new("mine", f64::sin);
        let p = polynomial(&[0.0, 1.0], Basis::Monomial, "-1:1");
        let error = certify(&plain, &p).unwrap_err().to_string();
        assert!(
            error.starts_with("no bounds are known for `mine`"),
            "{error}"
        );
        let bounded = Custom::new("mine", f64::sin).with_lipschitz_bound(1.0, 1e-15);
        let found = certify(&bounded, &p).unwrap();
        let exact = 1.0 - 1.0_f64.sin();
        assert!(
            found.upper >= exact && found.upper < 1.01 * exact,
            "{found:?}"
        );
    }
}
