//! The derivative method: approximate the derivative, then integrate.
//!
//! 1. Take a smooth slope. For ReLU, whose derivative is a step, it is the paper's choice, the
//!    Sigmoid of `x` itself: on a wide interval nearly a step, on `[-1, 1]` nearly a line. The other
//!    functions with a kink or a jump are treated in the same way, by the slope of their smooth twin
//!    ([`Function::smooth`] with sharpness 1). Smooth functions have derivatives of their own.
//! 2. Project the slope on the polynomials of degree `n - 1`. For ReLU the weight is next to nothing
//!    around `x = 0`: `exp(-1 / (1e-6 + v²))`, or `exp(-1 / (1e-5 + v⁸))` in the variant
//!    `derivative-u8`, where `v` is 0 at `x = 0` and 1 at the end on the same side (`|u|` on a
//!    symmetric interval). For Sigmoid and tanh it is 1, in both variants, which then agree.
//! 3. Integrate. The constant makes `p` exact at one point: for ReLU at `x = 0` (the paper drops
//!    the constant), or at the end nearest to 0 if the interval leaves 0 out; for Sigmoid and
//!    tanh at the centre of the interval.
//!
//! Why no hole in the weight for Sigmoid and tanh: the paper applies the method to ReLU only, where
//! the hole keeps the fit away from the jump of the slope. Their slope does not jump, and all of it
//! lies where the hole would be: with the ReLU weight the fit of tanh on `[-8, 8]` at degree 3 would
//! be nearly constant (error 0.997 in place of 0.51). With weight 1 the method is least squares in
//! `p'`, a sound thing to want of an activation that is trained through its derivative.
//!
//! **When to use it**: for ReLU in a network that is trained with the polynomial in place: slope
//! and curvature are gentle, and `p(0) = 0`.
//!
//! **When it fails**: as an approximation. The error of the slope adds up towards the ends, and the
//! constant is not chosen to balance it: the maximum error for ReLU is above that of `chebyshev`. On
//! narrow intervals it imitates the softplus and not ReLU. The variant stops improving near degree
//! 34: there its hole is so wide that the rest of the slope is matched to double precision.
//!
//! # References
//! - Hesamifard, Takabi & Ghasemi (2017), CryptoDL, arXiv:1711.05189 (its own, fifth method). The
//!   weights are those of the authors' public code.

use super::{Fit, FitError, check_degree, finish};
use crate::basis::Basis;
use crate::function::Function;
use crate::interval::Interval;
use crate::polynomial::Polynomial;
use crate::projection::{Weight, project};

/// Projects a derivative and integrates; the result is in the Chebyshev basis.
#[derive(Clone, Copy, Debug)]
pub struct Derivative {
    name: &'static str,
    summary: &'static str,
    kink_weight: Weight,
}

impl Default for Derivative {
    /// The paper's method, weight `exp(-1 / (1e-6 + v²))`, name `derivative`.
    fn default() -> Self {
        Self {
            name: "derivative",
            summary: "integral of a fit to the derivative, weight exp(-1/(1e-6 + u²))",
            kink_weight: Weight::AwayFromZero {
                offset: 1e-6,
                power: 2,
            },
        }
    }
}

impl Derivative {
    /// The variant with weight `exp(-1 / (1e-5 + v⁸))`, name `derivative-u8`.
    pub fn eighth_power() -> Self {
        Self {
            name: "derivative-u8",
            summary: "integral of a fit to the derivative, weight exp(-1/(1e-5 + u⁸))",
            kink_weight: Weight::AwayFromZero {
                offset: 1e-5,
                power: 8,
            },
        }
    }
}

impl Fit for Derivative {
    fn name(&self) -> &'static str {
        self.name
    }

    fn summary(&self) -> &'static str {
        self.summary
    }

    fn fit(
        &self,
        function: &dyn Function,
        on: Interval,
        degree: usize,
    ) -> Result<Polynomial, FitError> {
        check_degree(degree)?;
        // sharpness 1: for ReLU the Sigmoid of x itself
        let smooth = function.smooth(1.0);
        let (anchor, weight) = match (&smooth, function.kink()) {
            (None, None) => (on.centre(), Weight::Uniform),
            (_, kink) => (on.clamp(kink.unwrap_or(0.0)), self.kink_weight),
        };
        let slope = |x| match &smooth {
            Some(smooth) => smooth.derivative(x),
            None => function.derivative(x),
        };
        let slope = project(slope, weight, on, degree - 1, Basis::Chebyshev);
        // dx = half_width du
        let mut coefficients = Basis::Chebyshev.integrate(&slope);
        for c in &mut coefficients {
            *c *= on.half_width();
        }
        let at_anchor = Basis::Chebyshev.eval(&coefficients, on.to_unit(anchor));
        coefficients[0] += function.value(anchor) - at_anchor;
        finish(function, coefficients, Basis::Chebyshev, on)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::activation::Activation;

    fn fit(activation: Activation, on: &str, degree: usize) -> Polynomial {
        Derivative::default()
            .fit(&activation, on.parse().unwrap(), degree)
            .unwrap()
    }

    #[test]
    fn the_constant_makes_it_exact_at_the_anchor() {
        for (activation, on, anchor) in [
            (Activation::Relu, "-8:8", 0.0),
            (Activation::Relu, "-1:7", 0.0),
            (Activation::Relu, "2:5", 2.0),
            (Activation::Relu, "-5:-2", -2.0),
            (Activation::Sigmoid, "-8:8", 0.0),
            (Activation::Tanh, "1:4", 2.5),
        ] {
            let error = fit(activation, on, 6).eval(anchor) - activation.value(anchor);
            assert!(error.abs() < 1e-14, "{activation} {on}: {error}");
        }
    }

    #[test]
    fn its_derivative_is_the_fit_to_the_slope() {
        for degree in [1, 2, 5, 20] {
            let on: Interval = "-3:5".parse().unwrap();
            let slope = fit(Activation::Tanh, "-3:5", degree).derivative();
            let f = |x| Activation::Tanh.derivative(x);
            let expected = project(f, Weight::Uniform, on, degree - 1, Basis::Chebyshev);
            for (found, expected) in slope.coefficients().iter().zip(expected) {
                assert!((found - expected).abs() < 1e-14, "degree {degree}");
            }
        }
    }
}
