//! How far a stand-in is from what it imitates, measured on a grid.

use serde::{Deserialize, Serialize};

use crate::function::Function;
use crate::polynomial::Polynomial;

/// The distance between an activation and a polynomial on the polynomial's interval.
///
/// Sampled, not certified: the true maximum is at least `max_error`, up to rounding.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct ErrorReport {
    /// The largest `|f(x) - p(x)|` found.
    pub max_error: f64,
    /// The `x` where it was found.
    pub max_error_at: f64,
    /// The root of the mean of `(f(x) - p(x))²` over the interval, by the trapezoidal rule on the grid.
    pub rms_error: f64,
}

/// The error of `polynomial` as a stand-in for `function`, on its own interval.
///
/// 1. Take `points` points (at least 3 are used), evenly spaced, ends included; and `x = 0`,
///    where activations have their kink, and the function's own kink, if they lie inside.
/// 2. Around each grid maximum of `|f - p|` that is within a factor two of the largest, close in
///    on the maximum between the neighbouring grid points by golden-section search.
///
/// A wave of the error that fits between two grid points can be missed: take at least ten points
/// a degree, and more for a steep front. Where the polynomial overflows the error is infinite.
pub fn sampled_error(
    function: &dyn Function,
    polynomial: &Polynomial,
    points: usize,
) -> ErrorReport {
    let on = polynomial.interval();
    let steps = points.max(3) - 1;
    let error_at = |x: f64| {
        let error = (function.value(x) - polynomial.eval(x)).abs();
        if error.is_nan() { f64::INFINITY } else { error }
    };

    // from_unit may round past an end, and the map of 1 need not be `high` exactly
    let grid: Vec<f64> = (0..=steps)
        .map(|i| on.clamp(on.from_unit(2.0 * i as f64 / steps as f64 - 1.0)))
        .collect();
    let errors: Vec<f64> = grid.iter().map(|&x| error_at(x)).collect();
    let largest = errors.iter().copied().fold(0.0, f64::max);

    let mut worst = (error_at(on.clamp(0.0)), on.clamp(0.0));
    if let Some(kink) = function.kink().map(|kink| on.clamp(kink))
        && error_at(kink) > worst.0
    {
        worst = (error_at(kink), kink);
    }
    for i in 0..=steps {
        let (left, right) = (i.saturating_sub(1), (i + 1).min(steps));
        if errors[i] >= errors[left] && errors[i] >= errors[right] && errors[i] >= 0.5 * largest {
            let refined = golden_section(error_at, grid[left], grid[right]);
            for candidate in [(errors[i], grid[i]), refined] {
                if candidate.0 > worst.0 {
                    worst = candidate;
                }
            }
        }
    }

    // scaled by the largest, so that squares of huge errors do not overflow
    let scale = if largest > 0.0 && largest.is_finite() {
        largest
    } else {
        1.0
    };
    let squares: f64 = errors.iter().map(|e| (e / scale).powi(2)).sum();
    let ends = 0.5 * ((errors[0] / scale).powi(2) + (errors[steps] / scale).powi(2));
    let rms_error = scale * ((squares - ends) / steps as f64).sqrt();
    ErrorReport {
        max_error: worst.0,
        max_error_at: worst.1,
        rms_error,
    }
}

/// The largest `g(x)` met on the way to a local maximum of `g` in `[low, high]`, and its place.
fn golden_section(g: impl Fn(f64) -> f64, mut low: f64, mut high: f64) -> (f64, f64) {
    const RATIO: f64 = 0.618_033_988_749_894_9;
    let mut best = (f64::NEG_INFINITY, low);
    // 0.618^40 = 4e-9 of a grid step: the maximum is flat, so its value is long exact
    for _ in 0..40 {
        let width = high - low;
        let (left, right) = (high - RATIO * width, low + RATIO * width);
        let (at_left, at_right) = (g(left), g(right));
        for candidate in [(at_left, left), (at_right, right)] {
            if candidate.0 > best.0 {
                best = candidate;
            }
        }
        if at_left > at_right {
            high = right;
        } else {
            low = left;
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::activation::Activation;
    use crate::basis::Basis;
    use crate::interval::Interval;

    fn polynomial(coefficients: &[f64], on: &str) -> Polynomial {
        let on: Interval = on.parse().unwrap();
        Polynomial::new(coefficients.to_vec(), Basis::Monomial, on).unwrap()
    }

    #[test]
    fn a_known_error_is_measured_with_its_place() {
        // ReLU - (x²/2 + x/2 + 1/16) is ±1/16 at 0, ±1/2 and ±1: the minimax quadratic
        let p = polynomial(&[1.0 / 16.0, 0.5, 0.5], "-1:1");
        for points in [3, 10, 11, 1000] {
            let report = sampled_error(&Activation::Relu, &p, points);
            assert!((report.max_error - 0.0625).abs() < 1e-15, "{report:?}");
        }
        // ∫₀¹ (x/2 - x²/2 - 1/16)² dx, term by term
        let report = sampled_error(&Activation::Relu, &p, 100_001);
        let mean_square: f64 =
            1.0 / 12.0 + 1.0 / 20.0 + 1.0 / 256.0 - 1.0 / 8.0 - 1.0 / 32.0 + 1.0 / 48.0;
        assert!(
            (report.rms_error - mean_square.sqrt()).abs() < 1e-9,
            "{report:?}"
        );
    }

    #[test]
    fn a_maximum_between_grid_points_is_found() {
        // tanh(x) - x/2 peaks where cosh² x = 2
        let p = polynomial(&[0.0, 0.5], "-1:1.5");
        let at = 2.0_f64.sqrt().acosh();
        let report = sampled_error(&Activation::Tanh, &p, 8);
        assert!(
            (report.max_error - (at.tanh() - at / 2.0)).abs() < 1e-12,
            "{report:?}"
        );
        assert!((report.max_error_at.abs() - at).abs() < 1e-6, "{report:?}");
    }

    #[test]
    fn the_kink_is_met_even_when_no_grid_point_falls_on_it() {
        let p = polynomial(&[1.0, 0.5], "-0.7:1.9");
        let report = sampled_error(&Activation::Relu, &p, 6);
        assert_eq!((report.max_error, report.max_error_at), (1.0, 0.0));
    }

    #[test]
    #[expect(clippy::float_cmp, reason = "these values are exact")]
    fn overflow_counts_as_an_infinite_error() {
        let p = polynomial(&[0.0, 1e300, -1e300], "-1e100:1e100");
        let report = sampled_error(&Activation::Relu, &p, 100);
        assert_eq!(report.max_error, f64::INFINITY);
    }
}
