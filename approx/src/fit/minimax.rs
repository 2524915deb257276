//! The best approximation in the maximum norm, by the exchange algorithm of Remez.
//!
//! Minimises `max w(x) |f(x) - p(x)|` over an interval, or over a union of intervals
//! ([`Minimax::on_pieces`]), with weight 1 or any other ([`Minimax::weighted`]).
//!
//! 1. Split the symmetry off. On a set with centre 0 an even function (after its straight part is
//!    taken away: ReLU is `x/2 + |x|/2`) is a function of `z = u²`, and so is its best
//!    approximation: degree `n/2` in `z`. An odd one is `u` times a function of `z`; weight `u`.
//! 2. Run the exchange algorithm (module `remez`) in `z`, or in `u` where there is no symmetry.
//! 3. Read the Chebyshev coefficients off the values at Chebyshev nodes: `T_k(2z - 1) = T_{2k}(u)`.
//!
//! Why the symmetry: the best polynomial of degree 2 for `|x|` has five extrema where the theory
//! asks for four, and that of degree 3 is the same one. On a symmetric reference of four points the
//! levelled error is 0, and the algorithm stalls. In `z` every reference is as good as another.
//!
//! The error reported as `levelled_error` is a lower bound for **every** polynomial of the degree
//! (de la Vallée-Poussin), up to rounding; [`certify`](crate::certify) makes it rigorous.
//!
//! **When to use it**: when a bound on the error is what counts: it has the lowest degree for a
//! given error, and for Sigmoid or tanh the fewest levels of an encrypted circuit.
//!
//! **When it fails**: it spreads its error evenly, so typical inputs near 0 fare no better than rare
//! ones at the ends, where least squares would trade one for the other. Below about 1e-15 of the
//! function's size the error is rounding, and is not level.
//!
//! # References
//! - Pachón & Trefethen (2009), BIT 49:721–741.
//! - Varga & Carpenter (1985), On the Bernstein conjecture in approximation theory, Constructive
//!   Approximation 1:333–348 (the errors for `|x|`).
//! - Lee, Lee, Lee, Kim, Kim & No (2020), ePrint 2020/552 (unions of intervals for comparison).

use super::{Fit, FitError, check_degree, finish};
use crate::basis::Basis;
use crate::function::{Function, Symmetry};
use crate::interpolate::interpolate;
use crate::interval::Interval;
use crate::polynomial::Polynomial;
use crate::remez::{Problem, Solution};

/// A largest error above this share of the lower bound is no result.
const WORST_RATIO: f64 = 1.001;

/// Best approximation in the maximum norm; the result is in the Chebyshev basis.
#[derive(Clone, Copy, Debug)]
pub struct Minimax {
    /// Stop when the largest error exceeds the lower bound by at most this share.
    pub tolerance: f64,
}

impl Default for Minimax {
    /// Tolerance 1e-12, one exchange more than 1e-6.
    fn default() -> Self {
        Self { tolerance: 1e-12 }
    }
}

/// A best approximation with the evidence for it.
#[derive(Clone, Debug, PartialEq)]
pub struct MinimaxReport {
    /// The polynomial; its interval spans all pieces.
    pub polynomial: Polynomial,
    /// No polynomial of the degree has a smaller maximum (weighted) error, up to rounding.
    pub levelled_error: f64,
    /// The largest (weighted) error that was found.
    pub max_error: f64,
    /// Points in ascending order at which the error alternates in sign and is at least
    /// `levelled_error` in size: degree + 2 of them or more.
    pub alternation: Vec<f64>,
    /// How many references were tried.
    pub exchanges: usize,
}

impl Fit for Minimax {
    fn name(&self) -> &'static str {
        "minimax"
    }

    fn summary(&self) -> &'static str {
        "smallest maximum error, by the exchange algorithm of Remez"
    }

    fn fit(
        &self,
        function: &dyn Function,
        on: Interval,
        degree: usize,
    ) -> Result<Polynomial, FitError> {
        Ok(self.on_pieces(function, &[on], degree)?.polynomial)
    }
}

impl Minimax {
    /// The best approximation on a union of disjoint intervals, given in ascending order. Between
    /// the pieces nothing is asked of the polynomial.
    ///
    /// # Errors
    /// As [`Fit::fit`]; [`FitError::Pieces`] if the pieces overlap or there is none;
    /// [`FitError::NotConverged`] if the largest error is not within 0.1 % of the lower bound.
    ///
    /// ```
    /// use approx::{Sign, fit::Minimax};
    ///
    /// let pieces = ["-1:-0.1".parse()?, "0.1:1".parse()?];
    /// let sign = Minimax::default().on_pieces(&Sign, &pieces, 15)?;
    /// assert!(sign.max_error < 0.135 && sign.alternation.len() >= 17);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn on_pieces(
        &self,
        function: &dyn Function,
        pieces: &[Interval],
        degree: usize,
    ) -> Result<MinimaxReport, FitError> {
        self.weighted(function, pieces, degree, &|_| 1.0)
    }

    /// The best approximation in the sense of `max w(x) |f(x) - p(x)|`. The weight must be positive
    /// and finite on the pieces.
    ///
    /// # Errors
    /// As [`on_pieces`](Self::on_pieces).
    pub fn weighted(
        &self,
        function: &dyn Function,
        pieces: &[Interval],
        degree: usize,
        weight: &dyn Fn(f64) -> f64,
    ) -> Result<MinimaxReport, FitError> {
        check_degree(degree)?;
        let ascending = pieces.windows(2).all(|p| p[0].high() < p[1].low());
        let (Some(first), Some(last), true) = (pieces.first(), pieces.last(), ascending) else {
            return Err(FitError::Pieces);
        };
        let on = Interval::new(first.low(), last.high()).map_err(|_| FitError::Pieces)?;
        let units: Vec<(f64, f64)> = pieces
            .iter()
            .map(|piece| {
                let [low, high] = [piece.low(), piece.high()].map(|x| on.to_unit(x));
                (low.clamp(-1.0, 1.0), high.clamp(-1.0, 1.0))
            })
            .collect();
        let set = Set { on, units, weight };
        match function.symmetry() {
            Symmetry::Even { slope } if set.is_symmetric() => {
                self.even(function, slope, &set, degree)
            }
            Symmetry::Odd { constant } if set.is_symmetric() => {
                self.odd(function, constant, &set, degree)
            }
            _ => self.plain(function, &set, degree),
        }
    }

    /// `q(z)` for `f(x) - slope x`, `z = u²`.
    fn even(
        self,
        function: &dyn Function,
        slope: f64,
        set: &Set,
        degree: usize,
    ) -> Result<MinimaxReport, FitError> {
        let x = |z: f64| set.on.from_unit(z.sqrt());
        let solution = self.solve(&Problem {
            rounding: argument_rounding(function, set.on),
            function: &|z| function.value(x(z)) - slope * x(z),
            weight: &|z| (set.weight)(x(z)),
            pieces: set.squares(0.0),
            special: vec![0.0],
            open: false,
            degree: degree / 2,
        })?;
        let mut coefficients = vec![0.0; degree + 1];
        let in_z = series_in_z(&solution, set.squares(0.0)[0].0, degree / 2);
        for (k, c) in in_z.into_iter().enumerate() {
            coefficients[2 * k] = c;
        }
        coefficients[1] += slope * set.on.half_width();
        // z and -z share a sign: mirrored extrema alternate, the innermost one counts once
        let right: Vec<f64> = solution.reference.iter().map(|&z| x(z)).collect();
        let mut alternation: Vec<f64> = right.iter().skip(1).rev().map(|x| -x).collect();
        alternation.extend(right);
        Self::report(function, set.on, coefficients, &solution, alternation)
    }

    /// `u q(z)` for `f(x) - constant`.
    fn odd(
        self,
        function: &dyn Function,
        constant: f64,
        set: &Set,
        degree: usize,
    ) -> Result<MinimaxReport, FitError> {
        // the error vanishes at 0, so the reference stays away from it: 1e-8 in u is near enough
        const NEAREST: f64 = 1e-16;
        let x = |z: f64| set.on.from_unit(z.sqrt());
        let order = (degree - 1) / 2;
        let solution = self.solve(&Problem {
            rounding: argument_rounding(function, set.on),
            function: &|z| (function.value(x(z)) - constant) / z.sqrt(),
            weight: &|z| z.sqrt() * (set.weight)(x(z)),
            pieces: set.squares(NEAREST),
            special: vec![NEAREST],
            open: set.units.len() == 1,
            degree: order,
        })?;
        let in_z = series_in_z(&solution, set.squares(NEAREST)[0].0, order);
        let mut even = vec![0.0; 2 * order + 1];
        for (k, c) in in_z.into_iter().enumerate() {
            even[2 * k] = c;
        }
        let mut coefficients = Basis::Chebyshev.times_variable(&even);
        coefficients.resize(degree + 1, 0.0);
        coefficients[0] += constant;
        let right: Vec<f64> = solution.reference.iter().map(|&z| x(z)).collect();
        let mut alternation: Vec<f64> = right.iter().rev().map(|x| -x).collect();
        alternation.extend(right);
        Self::report(function, set.on, coefficients, &solution, alternation)
    }

    fn plain(
        self,
        function: &dyn Function,
        set: &Set,
        degree: usize,
    ) -> Result<MinimaxReport, FitError> {
        let x = |u: f64| set.on.clamp(set.on.from_unit(u));
        let special = [Some(0.0), function.kink()];
        let solution = self.solve(&Problem {
            rounding: argument_rounding(function, set.on),
            function: &|u| function.value(x(u)),
            weight: &|u| (set.weight)(x(u)),
            pieces: set.units.clone(),
            special: special
                .into_iter()
                .flatten()
                .map(|x| set.on.to_unit(x))
                .collect(),
            open: false,
            degree,
        })?;
        let coefficients = interpolate(|u| solution.interpolant.eval(u), degree);
        let alternation = solution.reference.iter().map(|&u| x(u)).collect();
        Self::report(function, set.on, coefficients, &solution, alternation)
    }

    fn solve(self, problem: &Problem) -> Result<Solution, FitError> {
        let solution = problem.solve(self.tolerance);
        if solution.largest <= WORST_RATIO * solution.levelled + solution.rounding {
            Ok(solution)
        } else {
            Err(FitError::NotConverged {
                exchanges: solution.exchanges,
                ratio: solution.largest / solution.levelled,
            })
        }
    }

    fn report(
        function: &dyn Function,
        on: Interval,
        coefficients: Vec<f64>,
        solution: &Solution,
        alternation: Vec<f64>,
    ) -> Result<MinimaxReport, FitError> {
        Ok(MinimaxReport {
            polynomial: finish(function, coefficients, Basis::Chebyshev, on)?,
            levelled_error: solution.levelled,
            max_error: solution.largest,
            alternation,
            exchanges: solution.exchanges,
        })
    }
}

/// The coefficients of `T_k(2z - 1)` of the solution, which was found for `z` from `low` to 1.
///
/// The barycentric form must not be evaluated far outside the points it is made of, so the
/// coefficients are read off on `[low, 1]`, and then moved to `[0, 1]` by Clenshaw's recurrence with
/// polynomials in place of numbers.
fn series_in_z(solution: &Solution, low: f64, order: usize) -> Vec<f64> {
    let (middle, half) = (0.5 + 0.5 * low, 0.5 - 0.5 * low);
    let inside = interpolate(|t| solution.interpolant.eval(middle + half * t), order);
    // s = (z - middle) / half as a function of t = 2z - 1
    let (rate, shift) = (0.5 / half, (0.5 - middle) / half);
    let basis = Basis::Chebyshev;
    let (mut b1, mut b2) = (vec![0.0], vec![0.0]);
    for (k, c) in inside.iter().enumerate().rev() {
        let (linear, back) = basis.clenshaw(k);
        let mut next: Vec<f64> = basis
            .times_variable(&b1)
            .iter()
            .map(|b| linear * rate * b)
            .collect();
        for (i, n) in next.iter_mut().enumerate() {
            let at = |b: &[f64]| b.get(i).copied().unwrap_or(0.0);
            *n += linear * shift * at(&b1) - back * at(&b2);
        }
        next[0] += c;
        (b1, b2) = (next, b1);
    }
    // the first step multiplied zero, so the last entry is zero
    b1.truncate(order + 1);
    b1
}

/// Where the approximation is to be good, in the unit variable, and how much it matters.
struct Set<'a> {
    on: Interval,
    units: Vec<(f64, f64)>,
    weight: &'a dyn Fn(f64) -> f64,
}

impl Set<'_> {
    /// Whether the set is its own mirror image, and the weight too (at 33 points of each piece).
    fn is_symmetric(&self) -> bool {
        let mirrored = self.units.iter().rev().map(|&(low, high)| (-high, -low));
        self.on.centre() == 0.0
            && mirrored.eq(self.units.iter().copied())
            && self.units.iter().all(|&(low, high)| {
                (0..=32).all(|i| {
                    let x = self.on.from_unit(low + (high - low) * f64::from(i) / 32.0);
                    let (here, there) = ((self.weight)(x), (self.weight)(-x));
                    (here - there).abs() <= 1e-14 * here.abs()
                })
            })
    }

    /// The right half of the pieces in `z = u²`, not below `nearest`.
    fn squares(&self, nearest: f64) -> Vec<(f64, f64)> {
        self.units
            .iter()
            .filter(|(_, high)| *high > 0.0)
            .map(|&(low, high)| ((low.max(0.0) * low.max(0.0)).max(nearest), high * high))
            .collect()
    }
}

/// What rounding its argument may change about the function's value: four units of the largest argument times the
/// largest slope. It counts far from 0, where a function like the sine still moves.
fn argument_rounding(function: &dyn Function, on: Interval) -> f64 {
    let slope = |i: u32| {
        function
            .derivative(on.from_unit(f64::from(i) / 32.0 - 1.0))
            .abs()
    };
    let steepest = (0..=64).map(slope).fold(0.0, f64::max);
    4.0 * f64::EPSILON * on.low().abs().max(on.high().abs()) * steepest
}

#[cfg(test)]
mod tests;
