//! Least squares for normally distributed inputs: the truncated Hermite series.
//!
//! Minimises `E (f(X) - p(X))²` for `X` normal with a given mean and deviation:
//! `p = Σ c_k He_k((x - μ)/σ)`, `c_k = E f(X) He_k((X - μ)/σ) / k!`, over the whole line.
//!
//! **When to use it**: behind batch normalisation, whose outputs are near enough to `N(0, 1)`: it
//! spends the degree where the values are.
//!
//! **When it fails**: beyond three deviations nothing holds the polynomial, and it leaves the
//! function quickly; a deep network multiplies such excursions. For sharp functions convergence is
//! slow: the series of a step falls like `k^(-3/4)`.
//!
//! # References
//! - Ghorbani, Mei, Misiakiewicz & Montanari (2021), arXiv:1906.08899, §A (Hermite expansions of activations).
//! - Szegő (1939), Orthogonal Polynomials, ch. 5.

use super::{Fit, FitError, check_degree, finish};
use crate::basis::Basis;
use crate::function::Function;
use crate::interval::Interval;
use crate::polynomial::Polynomial;
use crate::projection::project_samples;
use crate::quadrature;

/// Half-width of the range of integration in deviations: at 20 even the product of two Hermite
/// polynomials of degree 63 is below rounding.
const REACH: f64 = 20.0;

/// Least squares, normal weight; the result is in the Chebyshev basis.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Hermite {
    /// Mean and deviation; `None` means the centre of the interval and a third of its half-width,
    /// so that the interval holds 99.7 % of the values.
    pub law: Option<(f64, f64)>,
}

impl Hermite {
    /// For inputs with mean 0.
    pub fn with_deviation(deviation: f64) -> Self {
        Self {
            law: Some((0.0, deviation)),
        }
    }
}

impl Fit for Hermite {
    fn name(&self) -> &'static str {
        "hermite"
    }

    fn summary(&self) -> &'static str {
        "least squares for normally distributed inputs: the truncated Hermite series"
    }

    fn fit(
        &self,
        function: &dyn Function,
        on: Interval,
        degree: usize,
    ) -> Result<Polynomial, FitError> {
        check_degree(degree)?;
        let (mean, deviation) = self.law.unwrap_or((on.centre(), on.half_width() / 3.0));
        let reach = REACH * deviation;
        // the rule grades towards a kink or a front at x = 0
        let special = function.kink().unwrap_or(0.0);
        let (mut units, mut roots, mut samples) = (Vec::new(), Vec::new(), Vec::new());
        for node in quadrature::graded((special - mean) / reach) {
            let x = mean + reach * node.u;
            let steps = REACH * node.u;
            let root = (node.weight * node.sine).sqrt() * (-0.25 * steps * steps).exp();
            let value = function.value(x);
            // far out a value may overflow where the weight has vanished long before
            if root > 0.0 && value.is_finite() {
                units.push(on.to_unit(x));
                roots.push(root);
                samples.push(value);
            }
        }
        let mut coefficients = project_samples(&units, &roots, &samples, degree, Basis::Chebyshev);
        coefficients.resize(degree + 1, 0.0);
        finish(function, coefficients, Basis::Chebyshev, on)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::activation::Activation;
    use crate::function::Exponential;

    #[test]
    fn relu_has_its_known_hermite_series() {
        // He series of ReLU for N(0, 1): 1/√(2π), 1/2, 1/(2√(2π)), 0, -1/(24√(2π))
        let p = Hermite::with_deviation(1.0)
            .fit(&Activation::Relu, "-3:3".parse().unwrap(), 4)
            .unwrap();
        let a = (2.0 * std::f64::consts::PI).sqrt().recip();
        let (c0, c2, c4) = (a, a / 2.0, -a / 24.0);
        // He_2 = x² - 1, He_4 = x⁴ - 6x² + 3
        let expected = [c0 - c2 + 3.0 * c4, 0.5, c2 - 6.0 * c4, 0.0, c4];
        for (found, e) in p.to_monomial().iter().zip(expected) {
            assert!((found - e).abs() < 1e-13, "{found} {e}");
        }
    }

    #[test]
    fn the_exponential_has_its_known_series_for_any_deviation() {
        // E exp(σZ) He_k(Z) / k! = exp(σ²/2) σ^k / k!; at degree 1: e^{σ²/2} (1 + x)
        for sigma in [0.3, 1.0, 2.0] {
            let p = Hermite::with_deviation(sigma)
                .fit(&Exponential, "-2:2".parse().unwrap(), 1)
                .unwrap();
            let scale = (sigma * sigma / 2.0).exp();
            for c in p.to_monomial() {
                assert!((c / scale - 1.0).abs() < 1e-12, "{sigma}: {c}");
            }
        }
    }
}
