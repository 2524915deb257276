//! The Taylor polynomial at the centre of the interval.
//!
//! `p = Σ f^(k)(c) / k! · (x - c)^k`, to any order, by one recurrence: `t = tanh` satisfies
//! `t' = 1 - t²`, so its coefficients at any point satisfy
//! `(k + 1) t_{k+1} = [k = 0] - Σ t_i t_{k-i}`; and `sigmoid(x) = 1/2 + tanh(x/2) / 2`.
//!
//! ReLU has no Taylor series at its kink. The smooth stand-in is the softplus
//! `ln(1 + exp(κ x)) / κ`, whose derivative is the Sigmoid of `κ x`. It differs from ReLU by at most
//! `ln 2 / κ`, and its series converges within `π / κ` of the centre, so sharpness has a price. The
//! choice here is `κ = 3 / half_width`: as sharp as it can be, to a whole number, with a series that
//! converges on the whole interval (`π > 3`), whatever the interval. Fits on different `[-l, l]` are
//! then copies of each other, as ReLU is of itself.
//!
//! **When to use it**: for Sigmoid within `|x| < π` and tanh within `|x| < π/2` of the centre; as
//! the baseline that it is in the paper.
//!
//! **When it fails**: beyond that radius the series diverges and a higher degree makes it worse:
//! tanh on `[-8, 8]` at degree 9 is off by 2.8 million. For ReLU the error never falls below that of
//! the softplus, `0.23 · half_width` at the kink.
//!
//! # References
//! - Hesamifard, Takabi & Ghasemi (2017), CryptoDL, arXiv:1711.05189 (its second method).
//! - Griewank & Walther (2008), Evaluating Derivatives, 2nd ed., ch. 13 (Taylor recurrences).

use super::{Fit, FitError, check_degree, finish};
use crate::{Activation, Basis, Interval, Polynomial, activation::softplus};

/// The Taylor polynomial at the centre.
///
/// The result is in the monomial basis on a symmetric interval; on any other, where powers of `x`
/// would cancel, in the Chebyshev basis.
#[derive(Clone, Copy, Debug, Default)]
pub struct Taylor;

/// The softplus that stands in for ReLU has `κ = SHARPNESS / half_width`. Above π the series
/// would diverge at the ends of the interval.
const SHARPNESS: f64 = 3.0;

impl Fit for Taylor {
    fn name(&self) -> &'static str {
        "taylor"
    }

    fn summary(&self) -> &'static str {
        "Taylor polynomial at the centre; for ReLU that of a softplus"
    }

    fn fit(
        &self,
        activation: &Activation,
        on: Interval,
        degree: usize,
    ) -> Result<Polynomial, FitError> {
        check_degree(degree)?;
        let centre = on.centre();
        let series = match activation {
            Activation::Relu => softplus_series(SHARPNESS / on.half_width(), centre, degree),
            Activation::Sigmoid => sigmoid_series(centre, degree),
            Activation::Tanh => tanh_series(centre, degree),
        };
        if centre == 0.0 {
            return finish(*activation, series, Basis::Monomial, on);
        }
        // (x - c)^k = half_width^k u^k, and powers of u are positive sums of T_k: no cancellation
        let mut coefficients = vec![0.0];
        for c in series.iter().rev() {
            coefficients = Basis::Chebyshev.times_variable(&coefficients);
            for b in &mut coefficients {
                *b *= on.half_width();
            }
            coefficients[0] += c;
        }
        coefficients.truncate(degree + 1);
        finish(*activation, coefficients, Basis::Chebyshev, on)
    }
}

/// Taylor coefficients of tanh at `at`, those of `1, (x - at), …, (x - at)^order`.
fn tanh_series(at: f64, order: usize) -> Vec<f64> {
    let mut t = vec![at.tanh()];
    for k in 0..order {
        let square: f64 = (0..=k).map(|i| t[i] * t[k - i]).sum();
        // 1 - tanh² without the cancellation in the tails
        let next = if k == 0 {
            Activation::Tanh.derivative(at)
        } else {
            -square
        };
        t.push(next / (k as f64 + 1.0));
    }
    t
}

/// Taylor coefficients of the Sigmoid at `at`.
fn sigmoid_series(at: f64, order: usize) -> Vec<f64> {
    let mut s = tanh_series(0.5 * at, order);
    // d/dx of tanh(x/2) / 2: one half for the factor, one more for each derivative
    let mut factor = 0.5;
    for c in &mut s {
        *c *= factor;
        factor *= 0.5;
    }
    s[0] = Activation::Sigmoid.value(at);
    s
}

/// Taylor coefficients of `ln(1 + exp(κ x)) / κ` at `at`: the integral of those of `sigmoid(κ x)`.
fn softplus_series(kappa: f64, at: f64, order: usize) -> Vec<f64> {
    let mut series = vec![softplus(kappa * at) / kappa];
    let mut power = 1.0;
    for (k, s) in sigmoid_series(kappa * at, order - 1)
        .into_iter()
        .enumerate()
    {
        series.push(power * s / (k as f64 + 1.0));
        power *= kappa;
    }
    series
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(found: &[f64], expected: &[f64]) {
        assert_eq!(found.len(), expected.len());
        for (f, e) in found.iter().zip(expected) {
            assert!((f - e).abs() < 1e-14, "{found:?} is not {expected:?}");
        }
    }

    #[test]
    fn the_series_at_zero_are_the_textbook_ones() {
        let third = 1.0 / 3.0;
        close(
            &tanh_series(0.0, 7),
            &[0.0, 1.0, 0.0, -third, 0.0, 2.0 / 15.0, 0.0, -17.0 / 315.0],
        );
        close(
            &sigmoid_series(0.0, 5),
            &[0.5, 0.25, 0.0, -1.0 / 48.0, 0.0, 1.0 / 480.0],
        );
        let softplus = [
            2.0_f64.ln(),
            0.5,
            0.125,
            0.0,
            -1.0 / 192.0,
            0.0,
            1.0 / 2880.0,
        ];
        close(&softplus_series(1.0, 0.0, 6), &softplus);
    }

    #[test]
    fn the_series_elsewhere_sum_to_the_function() {
        for at in [-2.5, 0.3, 1.0] {
            let x: f64 = at + 0.4;
            let sum = |series: Vec<f64>| Basis::Monomial.eval(&series, 0.4);
            assert!((sum(tanh_series(at, 63)) - x.tanh()).abs() < 1e-14, "{at}");
            let sigmoid = Activation::Sigmoid.value(x);
            assert!(
                (sum(sigmoid_series(at, 63)) - sigmoid).abs() < 1e-14,
                "{at}"
            );
            let soft = softplus(3.0 * x) / 3.0;
            assert!(
                (sum(softplus_series(3.0, at, 63)) - soft).abs() < 1e-14,
                "{at}"
            );
        }
    }

    #[test]
    fn within_the_radius_it_converges_and_beyond_it_does_not() {
        let error = |on: &str, degree| {
            let p = Taylor
                .fit(&Activation::Tanh, on.parse().unwrap(), degree)
                .unwrap();
            (p.eval(p.interval().high()) - p.interval().high().tanh()).abs()
        };
        // radius π/2 about 0 and about 1.2 (the poles are at ±iπ/2), a little more about the latter
        assert!(error("-1:1", 63) < 1e-11);
        assert!(error("0.7:1.7", 63) < 1e-14);
        assert!(error("-8:8", 9) > 1e5);
    }

    #[test]
    fn the_softplus_that_stands_in_for_relu_converges_on_any_interval() {
        for on in ["-1:1", "-300:300", "-3:17", "2:5"] {
            let on: Interval = on.parse().unwrap();
            let p = Taylor.fit(&Activation::Relu, on, 63).unwrap();
            let kappa = 3.0 / on.half_width();
            for u in [-1.0, -0.5, 0.0, 0.7, 1.0] {
                let x = on.from_unit(u);
                let expected = softplus(kappa * x) / kappa;
                // the first term left out: (3/π)^64 / 64 of the half-width
                assert!(
                    (p.eval(x) - expected).abs() < 1e-3 * on.half_width(),
                    "{on} {x}"
                );
            }
        }
    }
}
