//! The ways to find a polynomial for an activation, behind one trait, and the list of them.
//!
//! | name | file | the polynomial that … |
//! |---|---|---|
//! | `numerical` | `numerical.rs` | fits evenly spaced samples in the least-squares sense |
//! | `taylor` | `taylor.rs` | has the activation's derivatives at the centre |
//! | `chebyshev` | `chebyshev.rs` | minimises `∫ (f - p)² / √(1 - u²) du` |
//! | `legendre` | `legendre.rs` | minimises `∫ (f - p)² du` |
//! | `modified` | `modified.rs` | minimises `∫ (f - p)² exp(-1 / (1e-5 + u²)) du` |
//! | `derivative`, `derivative-u8` | `derivative.rs` | has the derivative that is nearest to the activation's |
//! | `interpolation` | `interpolation.rs` | passes through `f` at Chebyshev nodes |
//! | `minimax` | `minimax.rs` | minimises `max \|f - p\|` |
//! | `caratheodory-fejer` | `caratheodory_fejer.rs` | is nearly `minimax`, from one eigenvector |
//! | `hermite` | `hermite.rs` | minimises `E (f(X) - p(X))²` for a normal `X` |
//! | `fixed-point` | `fixed_point.rs` | is nearly `minimax` with coefficients of few bits |
//! | `tuned` | `tuned.rs` | minimises a p-norm with a penalty beyond the interval, or any loss of yours |
//! | [`Measured`] | `histogram.rs` | minimises `E (f(X) - p(X))²` for a measured `X` |
//! | [`CompositeSign`](crate::CompositeSign), [`CompositeRelu`](crate::CompositeRelu) | `../composite.rs` | is a composition of small ones, for sign and ReLU |
//!
//! The last two need data or several degrees, so they are made in code and not found by name. A new
//! method is one more file and one more line in [`methods`].

mod caratheodory_fejer;
mod chebyshev;
mod derivative;
mod fixed_point;
mod hermite;
mod histogram;
mod interpolation;
mod legendre;
mod minimax;
mod modified;
mod numerical;
mod taylor;
mod tuned;

pub use caratheodory_fejer::CaratheodoryFejer;
pub use chebyshev::Chebyshev;
pub use derivative::Derivative;
pub use fixed_point::{FixedPoint, Rounding};
pub use hermite::Hermite;
pub use histogram::{Histogram, HistogramError, Measured};
pub use interpolation::Interpolation;
pub use legendre::Legendre;
pub use minimax::{Minimax, MinimaxReport};
pub use modified::Modified;
pub use numerical::Numerical;
pub use taylor::Taylor;
pub use tuned::Tuned;

use crate::basis::Basis;
use crate::function::Function;
use crate::interval::Interval;
use crate::polynomial::Polynomial;
use crate::projection::{Weight, project};

/// The lowest degree a fit accepts: below it the activation would be a constant.
pub const MIN_DEGREE: usize = 1;

/// The highest degree a fit accepts: six ciphertext products in sequence.
pub const MAX_DEGREE: usize = 63;

/// A way to find a polynomial for an activation.
pub trait Fit: Send + Sync {
    /// The name in tables and on the command line: lower case, no spaces.
    fn name(&self) -> &'static str;

    /// One line on what the method does.
    fn summary(&self) -> &'static str;

    /// The polynomial of at most the given degree that stands in for `function` (an
    /// [`Activation`](crate::Activation), one of [`functions`](crate::functions), or your own) on
    /// the interval `on`.
    ///
    /// # Errors
    /// [`FitError::Degree`] outside [`MIN_DEGREE`]`..=`[`MAX_DEGREE`]; [`FitError::Overflow`] if
    /// the polynomial exceeds double precision on the interval.
    fn fit(
        &self,
        function: &dyn Function,
        on: Interval,
        degree: usize,
    ) -> Result<Polynomial, FitError>;
}

/// Why there is no polynomial.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum FitError {
    /// The degree is out of range.
    #[error("degree {degree} is out of range: take one from {MIN_DEGREE} to {MAX_DEGREE}")]
    Degree {
        /// The degree that was asked for.
        degree: usize,
    },
    /// No method has this name.
    #[error("unknown method `{name}`: the known ones are {known}")]
    UnknownMethod {
        /// The name that was given.
        name: String,
        /// The names that would have been accepted, separated by commas.
        known: String,
    },
    /// The Taylor coefficients that the method needs are not known.
    #[error("no Taylor series is known for `{function}` at the centre of the interval")]
    NoSeries {
        /// The name of the function.
        function: String,
    },
    /// The exchange algorithm found no polynomial whose error is level.
    #[error(
        "no equioscillation after {exchanges} exchanges: the largest error is {ratio:.3} times the lower bound"
    )]
    NotConverged {
        /// How many exchanges were made.
        exchanges: usize,
        /// The largest error, in units of the proven lower bound.
        ratio: f64,
    },
    /// There is nothing to fit on, or the pieces overlap.
    #[error("the pieces of a union must be disjoint, in ascending order, and at least one")]
    Pieces,
    /// A setting of the method is out of range.
    #[error("{value} is no {what}: it must be a number from {low} to {high}")]
    Parameter {
        /// What was set.
        what: &'static str,
        /// What it was set to.
        value: f64,
        /// The smallest that makes sense.
        low: f64,
        /// The largest.
        high: f64,
    },
    /// A loss cannot be minimised from where the search begins.
    #[error("the loss of the first candidate is {value}: it must be a finite number")]
    Loss {
        /// What it is.
        value: f64,
    },
    /// The polynomial's terms exceed double precision on the interval.
    #[error(
        "the polynomial of degree {degree} overflows on {interval}: lower the degree or narrow the interval"
    )]
    Overflow {
        /// The degree that was asked for.
        degree: usize,
        /// The interval that was asked for.
        interval: Interval,
    },
}

/// Every method, in the order in which tables list them: the only place that knows all of them.
pub fn methods() -> Vec<Box<dyn Fit>> {
    vec![
        Box::new(Numerical::default()),
        Box::new(Taylor),
        Box::new(Chebyshev),
        Box::new(Legendre),
        Box::new(Modified),
        Box::new(Derivative::default()),
        Box::new(Derivative::eighth_power()),
        Box::new(Interpolation),
        Box::new(Minimax::default()),
        Box::new(CaratheodoryFejer),
        Box::new(Hermite::default()),
        Box::new(FixedPoint::default()),
        Box::new(Tuned::default()),
    ]
}

/// The method with this name.
///
/// # Errors
/// [`FitError::UnknownMethod`], which lists the known names.
pub fn method(name: &str) -> Result<Box<dyn Fit>, FitError> {
    methods()
        .into_iter()
        .find(|method| method.name() == name)
        .ok_or_else(|| FitError::UnknownMethod {
            name: name.to_owned(),
            known: methods()
                .iter()
                .map(|method| method.name())
                .collect::<Vec<_>>()
                .join(", "),
        })
}

/// The first line of every fit.
fn check_degree(degree: usize) -> Result<(), FitError> {
    if (MIN_DEGREE..=MAX_DEGREE).contains(&degree) {
        Ok(())
    } else {
        Err(FitError::Degree { degree })
    }
}

/// The whole of a fit by weighted least squares.
fn least_squares(
    function: &dyn Function,
    weight: Weight,
    on: Interval,
    degree: usize,
    basis: Basis,
) -> Result<Polynomial, FitError> {
    check_degree(degree)?;
    let coefficients = project(|x| function.value(x), weight, on, degree, basis);
    finish(function, coefficients, basis, on)
}

/// The last line of every fit: make the symmetry exact and check that the result is usable.
fn finish(
    function: &dyn Function,
    mut coefficients: Vec<f64>,
    basis: Basis,
    on: Interval,
) -> Result<Polynomial, FitError> {
    let degree = coefficients.len() - 1;
    // Methods are linear in the function, or treat `x` and `-x` alike, so their polynomials inherit
    // its symmetry up to rounding; and an evaluator saves the work for a coefficient that is
    // exactly zero.
    if on.centre() == 0.0 {
        let symmetry = function.symmetry();
        for (k, c) in coefficients.iter_mut().enumerate() {
            if symmetry.kills(k) {
                *c = 0.0;
            }
        }
    }
    let overflow = FitError::Overflow {
        degree,
        interval: on,
    };
    let polynomial = Polynomial::new(coefficients, basis, on).map_err(|_| overflow.clone())?;
    let bound: f64 = polynomial.term_sizes().iter().sum();
    if bound.is_finite() {
        Ok(polynomial)
    } else {
        Err(overflow)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::activation::Activation;

    #[test]
    fn every_method_has_its_own_name_and_is_found_by_it() {
        let names: Vec<_> = methods().iter().map(|method| method.name()).collect();
        for (i, name) in names.iter().enumerate() {
            assert_eq!(method(name).unwrap().name(), *name);
            assert!(!names[..i].contains(name), "{name} twice");
            assert!(!method(name).unwrap().summary().is_empty());
        }
    }

    #[test]
    fn an_unknown_method_is_told_the_known_ones() {
        let error = method("guess").err().unwrap().to_string();
        let known = "numerical, taylor, chebyshev, legendre, modified, derivative, derivative-u8, \
                     interpolation, minimax, caratheodory-fejer, hermite, fixed-point, tuned";
        assert_eq!(
            error,
            format!("unknown method `guess`: the known ones are {known}")
        );
    }

    #[test]
    fn every_method_refuses_degrees_out_of_range() {
        let on = "-8:8".parse().unwrap();
        for method in methods() {
            for degree in [0, 64, 200, usize::MAX] {
                let error = method
                    .fit(&Activation::Tanh, on, degree)
                    .unwrap_err()
                    .to_string();
                let sentence = format!("degree {degree} is out of range: take one from 1 to 63");
                assert_eq!(error, sentence, "{}", method.name());
            }
        }
    }
}
