//! What can be imitated: a trait that any function of one real variable can implement, and the list
//! of those that come with the crate.
//!
//! [`Activation`] is the short list that networks are trained with, a `Copy` enum; every fit takes
//! any [`Function`], so the two are used alike:
//!
//! ```
//! use approx::{Activation, Custom, function, method, sampled_error};
//!
//! let on = "-4:4".parse()?;
//! let fit = method("chebyshev")?;
//! let relu = fit.fit(&Activation::Relu, on, 4)?;
//! let gelu = fit.fit(&*function("gelu")?, on, 4)?;
//! let mine = Custom::new("bump", |x: f64| 1.0 / (1.0 + x * x));
//! let bump = fit.fit(&mine, on, 12)?;
//! assert!(sampled_error(&mine, &bump, 500).max_error < 0.08);
//! # assert!(relu.degree() == 4 && gelu.degree() == 4);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A new function is one more struct and one more line in [`functions`].

mod combined;
mod custom;
mod piecewise;
mod smooth;

pub(crate) use combined::Combined;
pub use custom::Custom;
pub use piecewise::{Absolute, LeakyRelu, Sign, Step};
pub use smooth::{Exponential, Gelu, Silu, Softplus};

use crate::activation::Activation;
use crate::bounds::Bounds;
use crate::series::{self, Real};

/// A real function `f: R → R` that a polynomial shall stand in for.
///
/// Only [`name`](Self::name) and [`value`](Self::value) must be written. What else is known of the
/// function makes fits better (symmetry, kink), possible (Taylor series) or certifiable
/// ([`enclose`](Self::enclose)).
pub trait Function: Send + Sync {
    /// The name in tables and on the command line: lower case, no spaces.
    fn name(&self) -> &str;

    /// `f(x)`, for any finite `x`.
    fn value(&self, x: f64) -> f64;

    /// `f'(x)`. Where it does not exist, any value between the one-sided ones.
    ///
    /// Unless overridden, a central difference, good to some ten digits.
    fn derivative(&self, x: f64) -> f64 {
        // the cube root of the rounding unit balances truncation, h², against rounding, 1e-16 / h
        let h = 6e-6 * x.abs().max(1.0);
        (self.value(x + h) - self.value(x - h)) / (2.0 * h)
    }

    /// How `f(-x)` follows from `f(x)`. It must hold exactly.
    fn symmetry(&self) -> Symmetry {
        Symmetry::None
    }

    /// Where `f` or `f'` jumps, if anywhere.
    fn kink(&self) -> Option<f64> {
        None
    }

    /// A function without the kink or the jump, which tends to `f` as `sharpness` grows; its
    /// transition is about `1 / sharpness` wide. `None` if `f` is smooth itself.
    fn smooth(&self, sharpness: f64) -> Option<Box<dyn Function>> {
        let _ = sharpness;
        None
    }

    /// The Taylor coefficients `f^(k)(at) / k!` for `k = 0 … order`; `None` if `f` has no such
    /// series, or it is not known.
    fn taylor(&self, at: f64, order: usize) -> Option<Vec<f64>> {
        let _ = (at, order);
        None
    }

    /// Rigorous bounds `c_0 … c_k`, `k ≤ order`, such that for all `x` and `y` in `at`
    /// `f(y) = Σ_{j<k} f^(j)(x)/j! (y - x)^j + r (y - x)^k` with some `r` in `c_k`, and
    /// `f^(j)(x)/j!` in `c_j`. Error bounds are certified with it; `None` if nothing is known.
    ///
    /// Where `f` has a kink inside `at`, `k` is 1 (`c_1` bounds the slopes of all chords); where it
    /// jumps, `k` is 0.
    fn enclose(&self, at: Bounds, order: usize) -> Option<Vec<Bounds>> {
        let _ = (at, order);
        None
    }
}

/// What the reflection `x → -x` does to a function.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Symmetry {
    /// Nothing that is known of.
    None,
    /// `f(x) - slope x` is even: ReLU, with slope 1/2.
    Even {
        /// The slope of the odd part.
        slope: f64,
    },
    /// `f(x) - constant` is odd: the Sigmoid, with constant 1/2.
    Odd {
        /// `f(0)`.
        constant: f64,
    },
}

impl Symmetry {
    /// Whether the coefficient of degree `k` of any polynomial that inherits the symmetry is zero,
    /// on an interval with centre 0, in a basis of alternately even and odd functions.
    pub(crate) fn kills(self, k: usize) -> bool {
        let even = k.is_multiple_of(2);
        match self {
            Self::None => false,
            Self::Even { slope } => !even && (k > 1 || slope == 0.0),
            Self::Odd { constant } => even && (k > 0 || constant == 0.0),
        }
    }
}

/// A word that names no function.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown function `{name}`: the known ones are {known}")]
pub struct UnknownFunction {
    /// The word that was given.
    pub name: String,
    /// The names that would have been accepted, separated by commas.
    pub known: String,
}

/// Every function that has a name, in the order in which tables list them; those of
/// [`activations`](crate::activations) come first.
pub fn functions() -> Vec<Box<dyn Function>> {
    vec![
        Box::new(Activation::Relu),
        Box::new(Activation::Sigmoid),
        Box::new(Activation::Tanh),
        Box::new(Activation::Sine),
        Box::new(LeakyRelu::default()),
        Box::new(Gelu),
        Box::new(Silu),
        Box::new(Softplus),
        Box::new(Exponential),
        Box::new(Absolute),
        Box::new(Sign),
        Box::new(Step),
    ]
}

/// The function with this name.
///
/// # Errors
/// [`UnknownFunction`], which lists the known names.
pub fn function(name: &str) -> Result<Box<dyn Function>, UnknownFunction> {
    functions()
        .into_iter()
        .find(|function| function.name() == name)
        .ok_or_else(|| UnknownFunction {
            name: name.to_owned(),
            known: functions()
                .iter()
                .map(|function| function.name().to_owned())
                .collect::<Vec<_>>()
                .join(", "),
        })
}

impl Function for Activation {
    fn name(&self) -> &str {
        Self::name(*self)
    }

    fn value(&self, x: f64) -> f64 {
        Self::value(*self, x)
    }

    fn derivative(&self, x: f64) -> f64 {
        Self::derivative(*self, x)
    }

    fn symmetry(&self) -> Symmetry {
        match self {
            Self::Relu => Symmetry::Even { slope: 0.5 },
            Self::Sigmoid => Symmetry::Odd { constant: 0.5 },
            Self::Tanh | Self::Sine => Symmetry::Odd { constant: 0.0 },
        }
    }

    fn kink(&self) -> Option<f64> {
        (*self == Self::Relu).then_some(0.0)
    }

    fn smooth(&self, sharpness: f64) -> Option<Box<dyn Function>> {
        (*self == Self::Relu).then(|| Box::new(Combined::softplus(sharpness)) as Box<dyn Function>)
    }

    fn taylor(&self, at: f64, order: usize) -> Option<Vec<f64>> {
        match self {
            Self::Relu => piecewise::taylor(0.0, 1.0, at, order),
            Self::Sigmoid => Some(series::sigmoid_series(at, order)),
            Self::Tanh => Some(series::tanh(at, order)),
            Self::Sine => Some(series::sine(at, order)),
        }
    }

    fn enclose(&self, at: Bounds, order: usize) -> Option<Vec<Bounds>> {
        Some(match self {
            Self::Relu => piecewise::enclose(0.0, 1.0, at, order),
            Self::Sigmoid => series::sigmoid_series(at, order),
            Self::Tanh => series::tanh(at, order),
            Self::Sine => series::sine(at, order),
        })
    }
}

/// `0 + 0 t + … `: pads a series of few terms with exact zeros up to `order`.
fn padded<R: Real>(mut series: Vec<R>, order: usize) -> Vec<R> {
    series.resize(order + 1, R::constant(0.0));
    series
}

#[cfg(test)]
mod tests {
    use super::*;

    const POINTS: [f64; 8] = [-7.3, -2.0, -0.4, -0.1, 0.2, 0.7, 2.5, 6.5];

    #[test]
    fn every_function_has_its_own_name_and_is_found_by_it() {
        let all = functions();
        let names: Vec<_> = all.iter().map(|function| function.name()).collect();
        for (i, name) in names.iter().enumerate() {
            assert_eq!(function(name).unwrap().name(), *name);
            assert!(!names[..i].contains(name), "{name} twice");
        }
        let error = function("swoosh").err().unwrap().to_string();
        assert_eq!(
            error,
            "unknown function `swoosh`: the known ones are relu, sigmoid, tanh, sine, leaky-relu, \
             gelu, silu, softplus, exp, abs, sign, step"
        );
    }

    #[test]
    fn derivatives_agree_with_central_differences() {
        for function in functions() {
            for x in POINTS {
                let difference = (function.value(x + 1e-5) - function.value(x - 1e-5)) / 2e-5;
                let found = function.derivative(x);
                // h² truncation plus 1e-16 / h rounding
                assert!(
                    (found - difference).abs() < 1e-9 * (1.0 + x.exp()),
                    "{} {x}: {found} {difference}",
                    function.name()
                );
            }
        }
    }

    #[test]
    fn declared_symmetries_hold() {
        for function in functions() {
            for x in POINTS {
                let (here, there) = (function.value(x), function.value(-x));
                let violation = match function.symmetry() {
                    Symmetry::None => 0.0,
                    Symmetry::Even { slope } => (here - slope * x) - (there + slope * x),
                    Symmetry::Odd { constant } => (here - constant) + (there - constant),
                };
                assert!(violation.abs() < 1e-15, "{} {x}", function.name());
            }
        }
    }

    #[test]
    fn taylor_series_sum_to_the_function_near_the_point() {
        for function in functions() {
            for at in [-3.0, 0.4, 2.0] {
                let series = function.taylor(at, 40).unwrap();
                assert_eq!(series.len(), 41);
                for t in [-0.3, 0.2] {
                    let sum = series.iter().rev().fold(0.0, |sum, c| sum * t + c);
                    let value = function.value(at + t);
                    assert!(
                        (sum - value).abs() < 1e-14 * value.abs().max(1.0),
                        "{} {at}: {sum} {value}",
                        function.name()
                    );
                }
            }
        }
    }

    #[test]
    fn enclosures_hold_for_taylor_expansions_between_any_two_points_also_across_a_kink() {
        for function in functions() {
            for (low, high) in [
                (-0.5, 0.25),
                (-0.2, 0.0),
                (0.0, 0.3),
                (1.0, 1.5),
                (-9.0, -8.8),
            ] {
                let bounds = function.enclose(Bounds::new(low, high), 5).unwrap();
                assert!(bounds.len() <= 6 && !bounds.is_empty());
                let k = bounds.len() - 1;
                for i in 0..=12 {
                    let x = (low + (high - low) * f64::from(i) / 12.0).clamp(low, high);
                    let value = function.value(x);
                    assert!(bounds[0].contains(value), "{} {x}", function.name());
                    // the remainder of order k, from the expansion at x of order k - 1
                    let at_x = function.enclose(Bounds::point(x), k).unwrap();
                    if at_x.len() < k {
                        continue;
                    }
                    for j in 0..=12 {
                        let y = (low + (high - low) * f64::from(j) / 12.0).clamp(low, high);
                        let t = Bounds::point(y) - Bounds::point(x);
                        let mut sum = bounds[k];
                        for c in at_x[..k].iter().rev() {
                            sum = sum * t + *c;
                        }
                        assert!(
                            sum.contains(function.value(y)),
                            "{} {x} {y}: {sum:?}",
                            function.name()
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn smooth_versions_tend_to_the_function() {
        for function in functions() {
            let Some(smooth) = function.smooth(1e3) else {
                assert!(function.kink().is_none(), "{}", function.name());
                continue;
            };
            for x in [-2.0, -0.5, 0.1, 3.0] {
                let error = (smooth.value(x) - function.value(x)).abs();
                assert!(error < 1e-12, "{} {x}: {error}", function.name());
                let error = (smooth.derivative(x) - function.derivative(x)).abs();
                assert!(error < 1e-12, "{} {x}: {error}", function.name());
            }
        }
    }
}
