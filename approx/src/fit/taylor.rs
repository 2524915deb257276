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
use crate::basis::Basis;
use crate::function::Function;
use crate::interval::Interval;
use crate::polynomial::Polynomial;

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
        function: &dyn Function,
        on: Interval,
        degree: usize,
    ) -> Result<Polynomial, FitError> {
        check_degree(degree)?;
        let centre = on.centre();
        let smooth = function.smooth(SHARPNESS / on.half_width());
        let series = match &smooth {
            Some(smooth) => smooth.taylor(centre, degree),
            None => function.taylor(centre, degree),
        };
        let series = series.ok_or_else(|| FitError::NoSeries {
            function: function.name().to_owned(),
        })?;
        if centre == 0.0 {
            return finish(function, series, Basis::Monomial, on);
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
        finish(function, coefficients, Basis::Chebyshev, on)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::activation::Activation;
    use crate::series::softplus;

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
