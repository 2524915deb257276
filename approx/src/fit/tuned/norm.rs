//! Norms of the error over an interval and beyond it, and their minimum.

use super::search::{Objective, descend};
use crate::basis::Basis;
use crate::function::{Function, Symmetry};
use crate::interval::Interval;
use crate::projection::{Element, orthonormal};
use crate::quadrature;

/// A loss below this share of the function's size is rounding.
const ROUNDING: f64 = 1e-14;

/// Samples of the function with their weights, and the variables.
pub(super) struct Rule {
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
    pub fn new(
        function: &dyn Function,
        on: Interval,
        degree: usize,
        reach: f64,
        weight: f64,
    ) -> Self {
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
    pub fn minimise(&self, exponent: f64, degree: usize) -> Vec<f64> {
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
