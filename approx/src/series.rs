//! Taylor coefficients of the standard functions, to any order, by their recurrences.
//!
//! Each recurrence is written once, over [`Real`]: with `f64` it gives the coefficients at a point,
//! with [`Bounds`] rigorous enclosures of them at every point of a range.
//!
//! | function | recurrence for its coefficients at `a` |
//! |---|---|
//! | `t = tanh` | `t' = 1 - t²`: `(k + 1) t_{k+1} = [k = 0] - Σ t_i t_{k-i}` |
//! | sigmoid | `1/2 + tanh(x/2) / 2` |
//! | sine | `s'' = -s`: `(k + 1) (k + 2) s_{k+2} = -s_k` |
//! | softplus | integral of the sigmoid |
//! | `φ = exp(-x²/2) / √(2π)` | `φ' = -x φ`: `(k + 1) φ_{k+1} = -(a φ_k + φ_{k-1})` |
//! | `Φ` | integral of `φ` |
//! | SiLU, GELU | product with `a + t` |
//!
//! # References
//! - Griewank & Walther (2008), Evaluating Derivatives, 2nd ed., ch. 13 (Taylor recurrences).
//! - Tucker (2011), Validated Numerics, ch. 5 (the same with intervals).

use std::{
    f64::consts::{FRAC_1_SQRT_2, FRAC_PI_2, PI},
    ops::{Add, Mul, Neg, Sub},
};

use crate::bounds::Bounds;

/// `1 / (1 + exp(-x))`, with an exponential that is never above 1: no overflow, and full
/// relative accuracy in the left tail.
pub(crate) fn sigmoid(x: f64) -> f64 {
    let small = (-x.abs()).exp();
    (if x < 0.0 { small } else { 1.0 }) / (1.0 + small)
}

/// The derivative of the Sigmoid, `exp(-|x|) / (1 + exp(-|x|))²`. Unlike `s (1 - s)` it keeps full
/// relative accuracy in both tails.
pub(crate) fn bump(x: f64) -> f64 {
    let small = (-x.abs()).exp();
    small / (1.0 + small).powi(2)
}

/// `ln(1 + exp(x))`, the smooth twin of ReLU, whose derivative is the Sigmoid.
pub(crate) fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}

/// `Φ(x)`, the probability that a standard normal variable is below `x`.
pub(crate) fn normal_below(x: f64) -> f64 {
    0.5 * libm::erfc(-x * FRAC_1_SQRT_2)
}

/// `φ(x) = exp(-x²/2) / √(2π)`.
pub(crate) fn normal_density(x: f64) -> f64 {
    (-0.5 * x * x).exp() / (2.0 * PI).sqrt()
}

/// What the recurrences need of a number.
pub(crate) trait Real:
    Copy + Add<Output = Self> + Sub<Output = Self> + Mul<Output = Self> + Neg<Output = Self>
{
    /// The number `x`.
    fn constant(x: f64) -> Self;
    /// The quotient by `1, 2, 3, …`.
    fn over(self, divisor: f64) -> Self;
    fn exp(self) -> Self;
    fn tanh(self) -> Self;
    fn sin(self) -> Self;
    fn cos(self) -> Self;
    fn sigmoid(self) -> Self;
    fn bump(self) -> Self;
    fn softplus(self) -> Self;
    fn normal_below(self) -> Self;
    fn normal_density(self) -> Self;
}

impl Real for f64 {
    fn constant(x: f64) -> Self {
        x
    }
    fn over(self, divisor: f64) -> Self {
        self / divisor
    }
    fn exp(self) -> Self {
        self.exp()
    }
    fn tanh(self) -> Self {
        self.tanh()
    }
    fn sin(self) -> Self {
        self.sin()
    }
    fn cos(self) -> Self {
        self.cos()
    }
    fn sigmoid(self) -> Self {
        sigmoid(self)
    }
    fn bump(self) -> Self {
        bump(self)
    }
    fn softplus(self) -> Self {
        softplus(self)
    }
    fn normal_below(self) -> Self {
        normal_below(self)
    }
    fn normal_density(self) -> Self {
        normal_density(self)
    }
}

impl Real for Bounds {
    fn constant(x: f64) -> Self {
        Self::point(x)
    }
    fn over(self, divisor: f64) -> Self {
        // 1 / divisor is rounded; its neighbours enclose it
        let inverse = 1.0 / divisor;
        self * Self::new(inverse.next_down(), inverse.next_up())
    }
    fn exp(self) -> Self {
        self.increasing(f64::exp)
    }
    fn tanh(self) -> Self {
        self.increasing(f64::tanh)
    }
    fn sin(self) -> Self {
        // its peaks lie a quarter of a turn behind those of the cosine
        self.wave(f64::sin, FRAC_PI_2)
    }
    fn cos(self) -> Self {
        self.wave(f64::cos, 0.0)
    }
    fn sigmoid(self) -> Self {
        self.increasing(sigmoid)
    }
    fn bump(self) -> Self {
        self.falling_from_zero(bump, 0.0)
    }
    fn softplus(self) -> Self {
        self.increasing(softplus)
    }
    fn normal_below(self) -> Self {
        // rounding x/√2 by half a unit moves erfc by about x² relative units in the left tail
        self.increasing_with(normal_below, |x| 1.0 + if x < 0.0 { x * x } else { 0.0 })
    }
    fn normal_density(self) -> Self {
        // the exponent x²/2 carries a relative rounding error, absolute error x² units
        let condition = self.magnitude().min(50.0).powi(2);
        self.falling_from_zero(normal_density, condition)
    }
}

/// Coefficients of `exp`.
pub(crate) fn exp<R: Real>(at: R, order: usize) -> Vec<R> {
    let mut series = vec![at.exp()];
    for k in 0..order {
        series.push(series[k].over(k as f64 + 1.0));
    }
    series
}

/// Coefficients of `tanh`.
pub(crate) fn tanh<R: Real>(at: R, order: usize) -> Vec<R> {
    let mut t = vec![at.tanh()];
    for k in 0..order {
        let next = if k == 0 {
            // 1 - tanh² = 4 bump(2x), without the cancellation in the tails
            R::constant(4.0) * (at + at).bump()
        } else {
            -convolution(&t, &t, k)
        };
        t.push(next.over(k as f64 + 1.0));
    }
    t
}

/// Coefficients of `sin`.
pub(crate) fn sine<R: Real>(at: R, order: usize) -> Vec<R> {
    let mut s = vec![at.sin(), at.cos()];
    for k in 0..order.saturating_sub(1) {
        s.push((-s[k]).over(((k + 1) * (k + 2)) as f64));
    }
    s.truncate(order + 1);
    s
}

/// Coefficients of the Sigmoid.
pub(crate) fn sigmoid_series<R: Real>(at: R, order: usize) -> Vec<R> {
    let mut s = tanh(R::constant(0.5) * at, order);
    // d/dx of tanh(x/2) / 2: one half for the factor, one more for each derivative
    let mut factor = 0.5;
    for c in &mut s {
        *c = R::constant(factor) * *c;
        factor *= 0.5;
    }
    s[0] = at.sigmoid();
    s
}

/// Coefficients of `ln(1 + exp(x))`.
pub(crate) fn softplus_series<R: Real>(at: R, order: usize) -> Vec<R> {
    integral(at.softplus(), sigmoid_series(at, order), order)
}

/// Coefficients of `x sigmoid(x)`.
pub(crate) fn silu<R: Real>(at: R, order: usize) -> Vec<R> {
    times_variable(at, &sigmoid_series(at, order))
}

/// Coefficients of `x Φ(x)`.
pub(crate) fn gelu<R: Real>(at: R, order: usize) -> Vec<R> {
    let mut density = vec![at.normal_density()];
    for k in 0..order {
        let mut sum = at * density[k];
        if k > 0 {
            sum = sum + density[k - 1];
        }
        density.push((-sum).over(k as f64 + 1.0));
    }
    times_variable(at, &integral(at.normal_below(), density, order))
}

/// `Σ a_i b_{k-i}`: coefficient `k` of a product.
fn convolution<R: Real>(a: &[R], b: &[R], k: usize) -> R {
    (0..=k).fold(R::constant(0.0), |sum, i| sum + a[i] * b[k - i])
}

/// The antiderivative with this value, cut off after `order`.
fn integral<R: Real>(value: R, slope: Vec<R>, order: usize) -> Vec<R> {
    let terms = slope.into_iter().zip(1..=order);
    std::iter::once(value)
        .chain(terms.map(|(c, k)| c.over(k as f64)))
        .collect()
}

/// The product with `a + t`.
fn times_variable<R: Real>(at: R, series: &[R]) -> Vec<R> {
    (0..series.len())
        .map(|k| {
            let product = at * series[k];
            if k == 0 {
                product
            } else {
                product + series[k - 1]
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::basis::Basis;

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
            &tanh(0.0, 7),
            &[0.0, 1.0, 0.0, -third, 0.0, 2.0 / 15.0, 0.0, -17.0 / 315.0],
        );
        close(
            &sigmoid_series(0.0, 5),
            &[0.5, 0.25, 0.0, -1.0 / 48.0, 0.0, 1.0 / 480.0],
        );
        close(&sine(0.0, 4), &[0.0, 1.0, 0.0, -third / 2.0, 0.0]);
        close(&sine(0.3, 0), &[0.3_f64.sin()]);
        let softplus = [
            2.0_f64.ln(),
            0.5,
            0.125,
            0.0,
            -1.0 / 192.0,
            0.0,
            1.0 / 2880.0,
        ];
        close(&softplus_series(0.0, 6), &softplus);
        close(&exp(0.0, 4), &[1.0, 1.0, 0.5, third / 2.0, third / 8.0]);
        close(&silu(0.0, 4), &[0.0, 0.5, 0.25, 0.0, -1.0 / 48.0]);
        let peak = (2.0 * PI).sqrt().recip();
        close(&gelu(0.0, 4), &[0.0, 0.5, peak, 0.0, -peak / 6.0]);
    }

    #[test]
    fn the_series_elsewhere_sum_to_the_function() {
        for at in [-2.5, 0.3, 1.0] {
            let x: f64 = at + 0.4;
            let sum = |series: Vec<f64>| Basis::Monomial.eval(&series, 0.4);
            assert!((sum(tanh(at, 63)) - x.tanh()).abs() < 1e-14, "{at}");
            assert!((sum(sine(at, 30)) - x.sin()).abs() < 1e-14, "{at}");
            assert!((sum(sigmoid_series(at, 63)) - sigmoid(x)).abs() < 1e-14);
            assert!((sum(softplus_series(at, 63)) - softplus(x)).abs() < 1e-14);
            assert!((sum(silu(at, 63)) - x * sigmoid(x)).abs() < 1e-14, "{at}");
            assert!((sum(gelu(at, 63)) - x * normal_below(x)).abs() < 1e-14);
            assert!((sum(exp(at, 30)) - x.exp()).abs() < 1e-14 * x.exp().max(1.0));
        }
    }

    #[test]
    fn enclosures_over_a_range_contain_the_series_at_its_points() {
        type Pair = (fn(f64, usize) -> Vec<f64>, fn(Bounds, usize) -> Vec<Bounds>);
        let pairs: [Pair; 7] = [
            (exp, exp),
            (tanh, tanh),
            (sine, sine),
            (sigmoid_series, sigmoid_series),
            (softplus_series, softplus_series),
            (silu, silu),
            (gelu, gelu),
        ];
        for (points, ranges) in pairs {
            for (low, high) in [(-0.3, 0.4), (2.0, 2.1), (-9.0, -8.5), (-30.0, -29.0)] {
                let enclosure = ranges(Bounds::new(low, high), 12);
                for i in 0..=10 {
                    let x = low + (high - low) * f64::from(i) / 10.0;
                    for (c, bounds) in points(x, 12).iter().zip(&enclosure) {
                        // the point series has rounding errors of its own
                        let slack = 1e-13 * c.abs();
                        assert!(
                            bounds.low() <= c + slack && c - slack <= bounds.high(),
                            "{x}: {c} {bounds:?}"
                        );
                    }
                }
            }
        }
    }
}
