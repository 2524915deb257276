//! Smooth functions, each with its Taylor series to any order.

use super::{Function, Symmetry};
use crate::bounds::Bounds;
use crate::series;

/// `x Φ(x)`, with the error function and not its tanh imitation (Hendrycks & Gimpel 2016,
/// arXiv:1606.08415).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Gelu;

/// `x / (1 + exp(-x))`, also called swish.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Silu;

/// `ln(1 + exp(x))`, the smooth twin of ReLU.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Softplus;

/// `exp(x)`, the heart of softmax.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Exponential;

impl Function for Gelu {
    fn name(&self) -> &'static str {
        "gelu"
    }

    fn value(&self, x: f64) -> f64 {
        x * series::normal_below(x)
    }

    fn derivative(&self, x: f64) -> f64 {
        // beyond 40 the density is below the smallest number, and x² may overflow
        series::normal_below(x) + x.clamp(-40.0, 40.0) * series::normal_density(x)
    }

    fn symmetry(&self) -> Symmetry {
        // Φ - 1/2 is odd
        Symmetry::Even { slope: 0.5 }
    }

    fn taylor(&self, at: f64, order: usize) -> Option<Vec<f64>> {
        Some(series::gelu(at, order))
    }

    fn enclose(&self, at: Bounds, order: usize) -> Option<Vec<Bounds>> {
        Some(series::gelu(at, order))
    }
}

impl Function for Silu {
    fn name(&self) -> &'static str {
        "silu"
    }

    fn value(&self, x: f64) -> f64 {
        x * series::sigmoid(x)
    }

    fn derivative(&self, x: f64) -> f64 {
        // beyond 800 the slope of the Sigmoid is 0
        series::sigmoid(x) + x.clamp(-800.0, 800.0) * series::bump(x)
    }

    fn symmetry(&self) -> Symmetry {
        // the Sigmoid minus 1/2 is odd
        Symmetry::Even { slope: 0.5 }
    }

    fn taylor(&self, at: f64, order: usize) -> Option<Vec<f64>> {
        Some(series::silu(at, order))
    }

    fn enclose(&self, at: Bounds, order: usize) -> Option<Vec<Bounds>> {
        Some(series::silu(at, order))
    }
}

impl Function for Softplus {
    fn name(&self) -> &'static str {
        "softplus"
    }

    fn value(&self, x: f64) -> f64 {
        series::softplus(x)
    }

    fn derivative(&self, x: f64) -> f64 {
        series::sigmoid(x)
    }

    fn symmetry(&self) -> Symmetry {
        // ln(1 + exp(x)) = x/2 + ln(2 cosh(x/2))
        Symmetry::Even { slope: 0.5 }
    }

    fn taylor(&self, at: f64, order: usize) -> Option<Vec<f64>> {
        Some(series::softplus_series(at, order))
    }

    fn enclose(&self, at: Bounds, order: usize) -> Option<Vec<Bounds>> {
        Some(series::softplus_series(at, order))
    }
}

impl Function for Exponential {
    fn name(&self) -> &'static str {
        "exp"
    }

    fn value(&self, x: f64) -> f64 {
        x.exp()
    }

    fn derivative(&self, x: f64) -> f64 {
        x.exp()
    }

    fn taylor(&self, at: f64, order: usize) -> Option<Vec<f64>> {
        Some(series::exp(at, order))
    }

    fn enclose(&self, at: Bounds, order: usize) -> Option<Vec<Bounds>> {
        Some(series::exp(at, order))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_take_their_textbook_values() {
        // Φ(1) = 0.841344746068542948585…
        assert!((Gelu.value(1.0) - 0.841_344_746_068_542_9).abs() < 1e-15);
        assert!((Gelu.value(-1.0) + 0.158_655_253_931_457_05).abs() < 1e-15);
        assert!((Silu.value(1.0) - 0.731_058_578_630_004_9).abs() < 1e-15);
        assert!((Softplus.value(0.0) - 2.0_f64.ln()).abs() < 1e-16);
        assert!((Exponential.value(1.0) - std::f64::consts::E).abs() < 1e-15);
    }

    #[test]
    fn the_tails_do_not_overflow_into_something_that_is_no_number() {
        for function in [&Gelu as &dyn Function, &Silu, &Softplus] {
            for x in [-1e308, -800.0, -40.0, 40.0, 800.0, 1e308] {
                assert!(function.value(x).is_finite(), "{} {x}", function.name());
                assert!(
                    function.derivative(x).is_finite(),
                    "{} {x}",
                    function.name()
                );
            }
        }
    }
}
