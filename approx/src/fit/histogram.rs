//! Least squares for measured inputs.
//!
//! Minimises `E (f(X) - p(X))²` where `X` is distributed as a histogram says, evenly inside each of
//! its bins: a calibration run of the trained network fills one for each activation layer.
//!
//! **When to use it**: when inputs have been measured: no other fit has a smaller mean square error
//! on them.
//!
//! **When it fails**: where no value was counted nothing holds the polynomial. A `floor` puts some
//! weight everywhere on the interval, the cheapest insurance against inputs that calibration did
//! not see.
//!
//! # References
//! - Gautschi (2004), Orthogonal Polynomials: Computation and Approximation, §2.2 (discrete measures).

use serde::{Deserialize, Serialize};

use super::{Fit, FitError, check_degree, finish};
use crate::basis::Basis;
use crate::function::Function;
use crate::interval::Interval;
use crate::polynomial::Polynomial;
use crate::projection::project_samples;
use crate::quadrature;

/// How often values were seen in each of equally wide bins.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Unchecked")]
pub struct Histogram {
    on: Interval,
    counts: Vec<f64>,
}

/// What a histogram looks like before it is checked.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Unchecked {
    on: Interval,
    counts: Vec<f64>,
}

/// Why a list of numbers is no histogram.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a histogram needs finite counts of at least 0, and one above 0")]
pub struct HistogramError;

impl Histogram {
    /// Counts (or any other weights) of the bins that cut `on` into equal parts.
    ///
    /// # Errors
    /// [`HistogramError`] if a count is negative or not finite, or if none is positive.
    pub fn new(on: Interval, counts: Vec<f64>) -> Result<Self, HistogramError> {
        let good = counts.iter().all(|c| c.is_finite() && *c >= 0.0);
        if good && counts.iter().any(|c| *c > 0.0) {
            Ok(Self { on, counts })
        } else {
            Err(HistogramError)
        }
    }

    /// Counts values in `bins` bins; those outside `on` go to the first and the last one.
    ///
    /// # Errors
    /// [`HistogramError`] if there is no value or no bin.
    pub fn count(
        on: Interval,
        bins: usize,
        values: impl IntoIterator<Item = f64>,
    ) -> Result<Self, HistogramError> {
        let mut counts = vec![0.0; bins];
        if bins == 0 {
            return Err(HistogramError);
        }
        for value in values.into_iter().filter(|value| !value.is_nan()) {
            let share = 0.5 + 0.5 * on.to_unit(on.clamp(value));
            counts[((share * bins as f64) as usize).min(bins - 1)] += 1.0;
        }
        Self::new(on, counts)
    }

    /// The interval that the bins cut up.
    pub fn on(&self) -> Interval {
        self.on
    }

    /// The weights of the bins.
    pub fn counts(&self) -> &[f64] {
        &self.counts
    }
}

impl TryFrom<Unchecked> for Histogram {
    type Error = HistogramError;

    fn try_from(raw: Unchecked) -> Result<Self, Self::Error> {
        Self::new(raw.on, raw.counts)
    }
}

/// Least squares with a measured weight; the result is in the Chebyshev basis.
///
/// ```
/// use approx::{Activation, Fit, fit::{Histogram, Measured}};
///
/// let seen = [-0.3, 0.1, 0.2, 0.9, -0.7, 0.4];
/// let histogram = Histogram::count("-1:1".parse()?, 16, seen)?;
/// let p = Measured::new(histogram, 0.01).fit(&Activation::Relu, "-1:1".parse()?, 4)?;
/// assert_eq!(p.depth(), 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Measured {
    histogram: Histogram,
    floor: f64,
}

impl Measured {
    /// Inputs distributed as in `histogram`; a share `floor` of the weight (0 to 1) is spread
    /// evenly over the interval of the fit instead.
    pub fn new(histogram: Histogram, floor: f64) -> Self {
        Self {
            histogram,
            floor: floor.clamp(0.0, 1.0),
        }
    }
}

impl Fit for Measured {
    fn name(&self) -> &'static str {
        "measured"
    }

    fn summary(&self) -> &'static str {
        "least squares weighted by a histogram of inputs"
    }

    fn fit(
        &self,
        function: &dyn Function,
        on: Interval,
        degree: usize,
    ) -> Result<Polynomial, FitError> {
        check_degree(degree)?;
        let total: f64 = self.histogram.counts.iter().sum();
        let share = 1.0 / self.histogram.counts.len() as f64;
        let (mut units, mut roots, mut samples) = (Vec::new(), Vec::new(), Vec::new());
        let mut add = |x: f64, weight: f64| {
            if weight > 0.0 {
                units.push(on.to_unit(x));
                roots.push(weight.sqrt());
                samples.push(function.value(x));
            }
        };
        let rule = quadrature::gauss_legendre(8);
        for (i, count) in self.histogram.counts.iter().enumerate() {
            for &(point, weight) in &rule {
                let along = share * (i as f64 + 0.5 + 0.5 * point);
                let x = self.histogram.on.from_unit(2.0 * along - 1.0);
                add(x, 0.5 * weight * count / total * (1.0 - self.floor));
            }
        }
        for node in quadrature::graded(on.to_unit(0.0)) {
            add(
                on.from_unit(node.u),
                0.5 * self.floor * node.weight * node.sine,
            );
        }
        let mut coefficients = project_samples(&units, &roots, &samples, degree, Basis::Chebyshev);
        coefficients.resize(degree + 1, 0.0);
        // the counts need not be symmetric, so neither is the result, whatever the function is
        let asymmetric = crate::function::Custom::new(function.name(), |_| 0.0);
        finish(&asymmetric, coefficients, Basis::Chebyshev, on)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::activation::Activation;
    use crate::fit::method;

    fn interval(text: &str) -> Interval {
        text.parse().unwrap()
    }

    #[test]
    fn a_flat_histogram_gives_the_legendre_fit() {
        for on in ["-1:1", "-2:6"] {
            let flat = Histogram::new(interval(on), vec![3.0; 64]).unwrap();
            let p = Measured::new(flat, 0.0)
                .fit(&Activation::Tanh, interval(on), 7)
                .unwrap();
            let q = method("legendre")
                .unwrap()
                .fit(&Activation::Tanh, interval(on), 7)
                .unwrap();
            for u in [-1.0, -0.3, 0.2, 1.0] {
                let x = q.interval().from_unit(u);
                assert!((p.eval(x) - q.eval(x)).abs() < 1e-10, "{on} {x}");
            }
        }
    }

    #[test]
    fn the_fit_is_good_where_the_values_are() {
        let mut counts = vec![0.0; 40];
        counts[30] = 1.0; // [2, 2.2] of -4:4
        let seen = Histogram::new(interval("-4:4"), counts).unwrap();
        let p = Measured::new(seen.clone(), 0.0)
            .fit(&Activation::Tanh, interval("-4:4"), 3)
            .unwrap();
        assert!((p.eval(2.1) - 2.1_f64.tanh()).abs() < 1e-5);
        // and the floor holds it elsewhere
        let held = Measured::new(seen, 0.2)
            .fit(&Activation::Tanh, interval("-4:4"), 3)
            .unwrap();
        assert!((held.eval(-4.0) + 1.0).abs() < 0.5, "{}", held.eval(-4.0));
    }

    #[test]
    fn values_are_counted_in_their_bins() {
        let values = [-9.0, -0.9, 0.1, 0.2, 5.0, f64::NAN];
        let histogram = Histogram::count(interval("-1:1"), 4, values).unwrap();
        assert_eq!(histogram.counts(), [2.0, 0.0, 2.0, 1.0]);
        let json = serde_json::to_string(&histogram).unwrap();
        assert_eq!(serde_json::from_str::<Histogram>(&json).unwrap(), histogram);
        for counts in [vec![], vec![0.0], vec![1.0, -1.0], vec![f64::NAN]] {
            assert_eq!(
                Histogram::new(interval("-1:1"), counts),
                Err(HistogramError)
            );
        }
    }
}
