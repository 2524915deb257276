//! Functions of two straight pieces that meet, or do not meet, at 0.

use super::{Combined, Function, Symmetry, padded};
use crate::activation::Activation;
use crate::bounds::Bounds;

/// `left x` for `x < 0`, `right x` for `x > 0`: the Taylor coefficients at `at`; none at the kink.
pub(super) fn taylor(left: f64, right: f64, at: f64, order: usize) -> Option<Vec<f64>> {
    if at == 0.0 {
        return None;
    }
    let slope = if at < 0.0 { left } else { right };
    let mut series = padded(vec![slope * at, slope], order.max(1));
    series.truncate(order + 1);
    Some(series)
}

/// The same as bounds; across the kink up to order 1. `left < right`.
pub(super) fn enclose(left: f64, right: f64, at: Bounds, order: usize) -> Vec<Bounds> {
    let [low, high] = [at.low(), at.high()].map(|x| {
        let slope = if x < 0.0 { left } else { right };
        Bounds::point(slope) * Bounds::point(x)
    });
    let mut values = low.hull(high);
    if at.contains(0.0) {
        values = values.hull(Bounds::point(0.0));
    }
    let slopes = match (at.low() >= 0.0, at.high() <= 0.0) {
        (true, false) => Bounds::point(right),
        (false, true) => Bounds::point(left),
        // across the kink, or nothing but the kink
        _ => Bounds::new(left, right),
    };
    let straight = (at.low() >= 0.0) != (at.high() <= 0.0);
    let mut series = vec![values, slopes];
    if straight {
        series = padded(series, order.max(1));
    }
    series.truncate(order + 1);
    series
}

/// `x` for `x > 0`, `slope x` for `x < 0`: never quite flat.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LeakyRelu {
    /// The slope on the left, between 0 and 1.
    pub slope: f64,
}

impl Default for LeakyRelu {
    /// Slope 0.01, as in the training frameworks.
    fn default() -> Self {
        Self { slope: 0.01 }
    }
}

impl Function for LeakyRelu {
    fn name(&self) -> &'static str {
        "leaky-relu"
    }

    fn value(&self, x: f64) -> f64 {
        if x < 0.0 { self.slope * x } else { x }
    }

    fn derivative(&self, x: f64) -> f64 {
        if x > 0.0 { 1.0 } else { self.slope }
    }

    fn symmetry(&self) -> Symmetry {
        Symmetry::Even {
            slope: 0.5 * (1.0 + self.slope),
        }
    }

    fn kink(&self) -> Option<f64> {
        Some(0.0)
    }

    fn smooth(&self, sharpness: f64) -> Option<Box<dyn Function>> {
        let mut smooth = Combined::softplus(sharpness);
        smooth.scale *= 1.0 - self.slope;
        smooth.slope = self.slope;
        Some(Box::new(smooth))
    }

    fn taylor(&self, at: f64, order: usize) -> Option<Vec<f64>> {
        taylor(self.slope, 1.0, at, order)
    }

    fn enclose(&self, at: Bounds, order: usize) -> Option<Vec<Bounds>> {
        Some(enclose(self.slope, 1.0, at, order))
    }
}

/// `|x|`: what is left of ReLU without its straight half, `ReLU(x) = x/2 + |x|/2`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Absolute;

impl Function for Absolute {
    fn name(&self) -> &'static str {
        "abs"
    }

    fn value(&self, x: f64) -> f64 {
        x.abs()
    }

    fn derivative(&self, x: f64) -> f64 {
        Sign.value(x)
    }

    fn symmetry(&self) -> Symmetry {
        Symmetry::Even { slope: 0.0 }
    }

    fn kink(&self) -> Option<f64> {
        Some(0.0)
    }

    fn smooth(&self, sharpness: f64) -> Option<Box<dyn Function>> {
        let mut smooth = Combined::softplus(sharpness);
        smooth.scale *= 2.0;
        smooth.slope = -1.0;
        Some(Box::new(smooth))
    }

    fn taylor(&self, at: f64, order: usize) -> Option<Vec<f64>> {
        taylor(-1.0, 1.0, at, order)
    }

    fn enclose(&self, at: Bounds, order: usize) -> Option<Vec<Bounds>> {
        Some(enclose(-1.0, 1.0, at, order))
    }
}

/// `-1`, `0` at 0, `1`: comparison itself. No polynomial comes closer than 1 on an interval that
/// contains 0; fit it on `[-1, -ε] ∪ [ε, 1]` instead.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sign;

/// `0`, `1/2` at 0, `1`: `(1 + sign(x)) / 2`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Step;

/// Bounds of a function that is `left` on the left of 0, `right` on the right.
fn enclose_jump(left: f64, right: f64, at: Bounds, order: usize) -> Vec<Bounds> {
    if at.low() > 0.0 {
        padded(vec![Bounds::point(right)], order)
    } else if at.high() < 0.0 {
        padded(vec![Bounds::point(left)], order)
    } else {
        vec![Bounds::new(left, right)]
    }
}

/// The Taylor coefficients of such a function.
fn taylor_of_constant(value: f64, at: f64, order: usize) -> Option<Vec<f64>> {
    (at != 0.0).then(|| padded(vec![value], order))
}

impl Function for Sign {
    fn name(&self) -> &'static str {
        "sign"
    }

    fn value(&self, x: f64) -> f64 {
        if x == 0.0 { 0.0 } else { x.signum() }
    }

    fn derivative(&self, _: f64) -> f64 {
        0.0
    }

    fn symmetry(&self) -> Symmetry {
        Symmetry::Odd { constant: 0.0 }
    }

    fn kink(&self) -> Option<f64> {
        Some(0.0)
    }

    fn smooth(&self, sharpness: f64) -> Option<Box<dyn Function>> {
        Some(Box::new(Combined {
            inner: Activation::Tanh,
            rate: 0.5 * sharpness,
            scale: 1.0,
            slope: 0.0,
        }))
    }

    fn taylor(&self, at: f64, order: usize) -> Option<Vec<f64>> {
        taylor_of_constant(self.value(at), at, order)
    }

    fn enclose(&self, at: Bounds, order: usize) -> Option<Vec<Bounds>> {
        Some(enclose_jump(-1.0, 1.0, at, order))
    }
}

impl Function for Step {
    fn name(&self) -> &'static str {
        "step"
    }

    fn value(&self, x: f64) -> f64 {
        0.5 + 0.5 * Sign.value(x)
    }

    fn derivative(&self, _: f64) -> f64 {
        0.0
    }

    fn symmetry(&self) -> Symmetry {
        Symmetry::Odd { constant: 0.5 }
    }

    fn kink(&self) -> Option<f64> {
        Some(0.0)
    }

    fn smooth(&self, sharpness: f64) -> Option<Box<dyn Function>> {
        Some(Box::new(Combined {
            inner: Activation::Sigmoid,
            rate: sharpness,
            scale: 1.0,
            slope: 0.0,
        }))
    }

    fn taylor(&self, at: f64, order: usize) -> Option<Vec<f64>> {
        taylor_of_constant(self.value(at), at, order)
    }

    fn enclose(&self, at: Bounds, order: usize) -> Option<Vec<Bounds>> {
        Some(enclose_jump(0.0, 1.0, at, order))
    }
}
