//! The lowest degree that does: the theorem behind polynomial activations, with a proof for each
//! case.
//!
//! For a continuous function and any error there is a polynomial (Weierstrass); this module finds
//! the lowest degree at which a given method has a certified error below a bound. Errors of most
//! methods do not fall with every degree, so all degrees are tried in ascending order; sampling
//! rules most of them out before anything is proven.

use crate::certified::{CertifiedError, NotCertifiable, certify};
use crate::fit::{Fit, FitError, MAX_DEGREE, MIN_DEGREE};
use crate::function::Function;
use crate::interval::Interval;
use crate::polynomial::Polynomial;
use crate::sampled::sampled_error;

/// The first polynomial whose error is proven to be below the bound.
#[derive(Clone, Debug, PartialEq)]
pub struct LowestDegree {
    /// The degree that was asked for.
    pub degree: usize,
    /// What came out.
    pub polynomial: Polynomial,
    /// What is proven about it.
    pub error: CertifiedError,
}

/// Why the search came to no answer.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SearchError {
    /// The bound is not a positive number.
    #[error("the error bound must be a positive number, not {bound}")]
    Bound {
        /// What was given.
        bound: f64,
    },
    /// A fit failed for a reason other than its degree.
    #[error(transparent)]
    Fit(#[from] FitError),
    /// Nothing can be proven about the function.
    #[error(transparent)]
    NotCertifiable(#[from] NotCertifiable),
}

/// The lowest degree up to `limit` (at most [`MAX_DEGREE`]) whose certified error on `on` is at most
/// `bound`; `None` if there is none.
///
/// Degrees whose polynomial overflows, or has no level error, count as not good enough.
///
/// # Errors
/// [`SearchError`] for a bound that is not positive, a function without bounds, or one that the
/// method cannot fit at all.
///
/// ```
/// use approx::{Activation, lowest_degree, method};
///
/// let on = "-8:8".parse()?;
/// let best = lowest_degree(&*method("minimax")?, &Activation::Sigmoid, on, 0.01, 63)?;
/// let series = lowest_degree(&*method("taylor")?, &Activation::Sigmoid, on, 0.01, 63)?;
/// assert_eq!(best.unwrap().degree, 9);
/// assert!(series.is_none()); // it diverges beyond π
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn lowest_degree(
    method: &dyn Fit,
    function: &dyn Function,
    on: Interval,
    bound: f64,
    limit: usize,
) -> Result<Option<LowestDegree>, SearchError> {
    if !(bound > 0.0 && bound.is_finite()) {
        return Err(SearchError::Bound { bound });
    }
    for degree in MIN_DEGREE..=limit.min(MAX_DEGREE) {
        let polynomial = match method.fit(function, on, degree) {
            Ok(polynomial) => polynomial,
            Err(FitError::Overflow { .. } | FitError::NotConverged { .. }) => continue,
            Err(error) => return Err(error.into()),
        };
        if sampled_error(function, &polynomial, 10 * degree + 50).max_error > bound {
            continue;
        }
        let error = certify(function, &polynomial)?;
        if error.upper <= bound {
            return Ok(Some(LowestDegree {
                degree,
                polynomial,
                error,
            }));
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::activation::Activation;
    use crate::fit::{method, methods};
    use crate::function::{Absolute, Custom};

    #[test]
    fn the_answer_is_good_enough_and_one_less_is_not() {
        let on = "-1:1".parse().unwrap();
        let minimax = method("minimax").unwrap();
        // E_2 = 0.125, E_4 = 0.0676, E_6 = 0.0459 for |x|
        for (bound, degree) in [(0.126, 2), (0.124, 4), (0.068, 4), (0.067, 6), (0.0460, 6)] {
            let found = lowest_degree(&*minimax, &Absolute, on, bound, 63).unwrap();
            let found = found.unwrap();
            assert_eq!(found.degree, degree, "{bound}");
            assert!(found.error.upper <= bound);
        }
    }

    #[test]
    fn no_method_beats_minimax() {
        let on = "-4:4".parse().unwrap();
        let lowest = |name: &str| {
            lowest_degree(&*method(name).unwrap(), &Activation::Tanh, on, 0.02, 31)
                .unwrap()
                .map_or(usize::MAX, |found| found.degree)
        };
        let best = lowest("minimax");
        for method in methods() {
            assert!(best <= lowest(method.name()), "{}", method.name());
        }
    }

    #[test]
    fn none_up_to_the_limit_is_an_answer() {
        let on = "-8:8".parse().unwrap();
        let minimax = method("minimax").unwrap();
        let found = lowest_degree(&*minimax, &Activation::Relu, on, 1e-6, 40).unwrap();
        assert_eq!(found, None);
    }

    #[test]
    fn what_cannot_be_searched_is_refused() {
        let on = "-8:8".parse().unwrap();
        let minimax = method("minimax").unwrap();
        for bound in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            let error = lowest_degree(&*minimax, &Activation::Relu, on, bound, 9).unwrap_err();
            assert!(error.to_string().starts_with("the error bound must be"));
        }
        let mine = Custom::new("mine", f64::sin);
        let error = lowest_degree(&*minimax, &mine, on, 0.9, 63).unwrap_err();
        assert!(matches!(error, SearchError::NotCertifiable(_)), "{error}");
    }
}
