//! `f - p` and its bounds over a cell: steps 1 to 3 of the proof.

use std::cmp::Ordering;

use crate::basis::Basis;
use crate::bounds::Bounds;
use crate::function::Function;
use crate::interval::Interval;
use crate::polynomial::Polynomial;

/// The highest order of the expansion of `f`.
const ORDER: usize = 12;

/// Relative error that [`Function::value`] may have, in the returned value of `f`.
const VALUE_ERROR: f64 = 8.0 * f64::EPSILON;

/// A cell and what is known of the error in it.
pub(super) struct Cell {
    pub start: f64,
    pub end: f64,
    /// Bound over the cell.
    pub upper: f64,
    /// The error at its middle is at least this.
    pub lower: f64,
    /// The middle as `x`.
    pub at: f64,
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
pub(super) struct Difference<'a> {
    function: &'a dyn Function,
    basis: Basis,
    /// `x = shift + scale v`, exactly.
    shift: f64,
    scale: f64,
    /// The interval in the basis variable, rounded outwards.
    pub range: (f64, f64),
    /// Coefficients of `p^(j) / j!`, `j = 0, 1, …`.
    derivatives: Vec<Vec<Bounds>>,
}

impl<'a> Difference<'a> {
    pub fn new(function: &'a dyn Function, polynomial: &Polynomial, on: Interval) -> Self {
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
    pub fn cell(&self, start: f64, end: f64) -> Option<Cell> {
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
    pub fn at(&self, x: f64) -> Option<Bounds> {
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
