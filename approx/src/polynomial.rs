//! The stand-in: coefficients, basis and interval in one value, so that none travels without the
//! others.

use serde::{Deserialize, Serialize};

use crate::basis::Basis;
use crate::interpolate::interpolate;
use crate::interval::Interval;

/// Trailing coefficients that contribute less than this share of the largest one are rounding.
const NEGLIGIBLE: f64 = 1e-12;

/// A real polynomial `p`, meant to be used on an interval.
///
/// It is evaluated in the basis it was fitted in and never multiplied out, which is what keeps
/// degree 63 accurate to rounding. As JSON:
/// `{"coefficients":[…],"basis":"chebyshev","interval":{"low":-8.0,"high":8.0}}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Unchecked")]
pub struct Polynomial {
    coefficients: Vec<f64>,
    basis: Basis,
    interval: Interval,
}

/// What a polynomial looks like before it is checked.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Unchecked {
    coefficients: Vec<f64>,
    basis: Basis,
    interval: Interval,
}

/// Why a list of numbers is no polynomial.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum PolynomialError {
    /// The list is empty.
    #[error("a polynomial needs at least one coefficient")]
    NoCoefficients,
    /// A coefficient is infinite or not a number.
    #[error("coefficient {index} of the polynomial is {value}, not a finite number")]
    NotFinite {
        /// Its place in the list, from 0.
        index: usize,
        /// What stands there.
        value: f64,
    },
}

/// Makes the coefficients of `p(x)` in powers of `x` those of `p(x + by)`: the Taylor shift, by Horner's rule.
pub fn taylor_shift(coefficients: &mut [f64], by: f64) {
    let degree = coefficients.len().saturating_sub(1);
    for low in 0..degree {
        for k in (low..degree).rev() {
            coefficients[k] += by * coefficients[k + 1];
        }
    }
}

impl Polynomial {
    /// The polynomial `Σ coefficients[k] φ_k`, with `φ_k` from `basis` over `interval`.
    ///
    /// # Errors
    /// [`PolynomialError`] if there is no coefficient, or one is not finite.
    pub fn new(
        coefficients: Vec<f64>,
        basis: Basis,
        interval: Interval,
    ) -> Result<Self, PolynomialError> {
        if coefficients.is_empty() {
            return Err(PolynomialError::NoCoefficients);
        }
        if let Some(index) = coefficients.iter().position(|c| !c.is_finite()) {
            return Err(PolynomialError::NotFinite {
                index,
                value: coefficients[index],
            });
        }
        Ok(Self {
            coefficients,
            basis,
            interval,
        })
    }

    /// The coefficients, the constant's first; never empty.
    pub fn coefficients(&self) -> &[f64] {
        &self.coefficients
    }

    /// What the coefficients multiply.
    pub fn basis(&self) -> Basis {
        self.basis
    }

    /// Where the polynomial stands in for something.
    pub fn interval(&self) -> Interval {
        self.interval
    }

    /// The true degree: the largest `k` whose term reaches 1e-12 of the largest term on the
    /// interval; 0 for a constant and for zero.
    pub fn degree(&self) -> usize {
        let sizes = self.term_sizes();
        let largest = sizes.iter().copied().fold(0.0, f64::max);
        sizes
            .iter()
            .rposition(|&size| size > 0.0 && size >= NEGLIGIBLE * largest)
            .unwrap_or(0)
    }

    /// The largest value of each term `|c_k φ_k|` on the interval.
    pub(crate) fn term_sizes(&self) -> Vec<f64> {
        let reach = match self.basis {
            Basis::Monomial => self.interval.low().abs().max(self.interval.high().abs()),
            // |T_k| and |P_k| are at most 1
            Basis::Chebyshev | Basis::Legendre => 1.0,
        };
        let terms = self.coefficients.iter().zip(0..);
        terms
            .map(|(c, k)| {
                if *c == 0.0 {
                    0.0
                } else {
                    c.abs() * reach.powi(k)
                }
            })
            .collect()
    }

    /// `p(x)`, by Horner's rule or Clenshaw's recurrence. Points outside the interval are allowed;
    /// there a polynomial of high degree soon leaves the function it imitates.
    pub fn eval(&self, x: f64) -> f64 {
        let t = match self.basis {
            Basis::Monomial => x,
            Basis::Chebyshev | Basis::Legendre => self.interval.to_unit(x),
        };
        self.basis.eval(&self.coefficients, t)
    }

    /// How many units of the basis variable one unit of `x` is: `du/dx`.
    fn rate(&self) -> f64 {
        match self.basis {
            Basis::Monomial => 1.0,
            Basis::Chebyshev | Basis::Legendre => 1.0 / self.interval.half_width(),
        }
    }

    /// `dp/dx`, in the same basis over the same interval.
    #[must_use]
    pub fn derivative(&self) -> Self {
        let rate = self.rate();
        let coefficients = self.basis.differentiate(&self.coefficients);
        self.with(coefficients.into_iter().map(|c| c * rate).collect())
    }

    /// The antiderivative whose value at the **centre** of the interval is `constant`, in the same
    /// basis. (On a symmetric interval the centre is `x = 0`, and `constant` is the constant term.
    /// Off it, anchoring at 0 would mean extrapolating.)
    #[must_use]
    pub fn integral(&self, constant: f64) -> Self {
        let rate = self.rate();
        let coefficients = self.basis.integrate(&self.coefficients);
        let integral = self.with(coefficients.into_iter().map(|c| c / rate).collect());
        let shift = constant - integral.eval(self.interval.centre());
        integral.shifted(shift)
    }

    /// `p + shift`.
    pub(crate) fn shifted(mut self, shift: f64) -> Self {
        // the first function of every basis is the constant 1
        self.coefficients[0] += shift;
        self
    }

    fn with(&self, coefficients: Vec<f64>) -> Self {
        Self {
            coefficients,
            basis: self.basis,
            interval: self.interval,
        }
    }

    /// The coefficients of `1, x, x², …`, as many as [`coefficients`](Self::coefficients).
    ///
    /// For printing and for evaluators of low degree. Multiplying out is ill-conditioned: on a
    /// symmetric interval some `0.4 degree` digits are lost, on an interval far from 0 more.
    pub fn to_monomial(&self) -> Vec<f64> {
        match self.basis {
            Basis::Monomial => self.coefficients.clone(),
            Basis::Chebyshev | Basis::Legendre => {
                let scale = self.rate();
                let shift = -self.interval.centre() * scale;
                self.basis.expand(&self.coefficients, scale, shift)
            }
        }
    }

    /// The coefficients of `T_k(u)`, as many as [`coefficients`](Self::coefficients), by
    /// interpolation at Chebyshev nodes; exact to rounding.
    pub fn to_chebyshev(&self) -> Vec<f64> {
        if self.basis == Basis::Chebyshev {
            return self.coefficients.clone();
        }
        let last = self.coefficients.len() - 1;
        let at = |u| self.eval(self.interval.from_unit(u));
        let mut found = interpolate(at, last);
        // the even part stays even and the odd part odd, each of the degree that it had
        if self.basis == Basis::Legendre || self.interval.centre() == 0.0 {
            for parity in [0, 1] {
                let own = (parity..=last).step_by(2);
                let top = own.clone().filter(|&k| self.coefficients[k] != 0.0).last();
                for k in own.filter(|&k| top.is_none_or(|top| k > top)) {
                    found[k] = 0.0;
                }
            }
        }
        found
    }

    /// The multiplicative depth: how many ciphertext-by-ciphertext products must follow one
    /// another to evaluate the polynomial on an encrypted `x`, `⌈log2 degree⌉`.
    ///
    /// Products with plaintext coefficients do not count. Degrees 0 and 1 need none, 2 needs 1,
    /// 3 and 4 need 2, 5 to 8 need 3: `x^k` is ready after `⌈log2 k⌉` products.
    pub fn depth(&self) -> usize {
        self.degree().max(1).next_power_of_two().ilog2() as usize
    }
}

impl TryFrom<Unchecked> for Polynomial {
    type Error = PolynomialError;

    fn try_from(raw: Unchecked) -> Result<Self, Self::Error> {
        Self::new(raw.coefficients, raw.basis, raw.interval)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASES: [Basis; 3] = [Basis::Monomial, Basis::Chebyshev, Basis::Legendre];

    fn interval(text: &str) -> Interval {
        text.parse().unwrap()
    }

    fn sample(basis: Basis) -> Polynomial {
        let coefficients = vec![0.5, -1.0, 0.25, 2.0, -0.75, 0.125];
        Polynomial::new(coefficients, basis, interval("-1:3")).unwrap()
    }

    #[test]
    fn basis_functions_take_their_textbook_values() {
        let on = interval("-2:2"); // so u = x / 2
        let at = |basis, k: usize, x: f64| {
            let mut unit = vec![0.0; k + 1];
            unit[k] = 1.0;
            Polynomial::new(unit, basis, on).unwrap().eval(x)
        };
        for x in [-2.0, -0.7, 0.0, 1.1, 2.0] {
            let u: f64 = x / 2.0;
            assert!((at(Basis::Monomial, 3, x) - x.powi(3)).abs() < 1e-14);
            assert!((at(Basis::Chebyshev, 5, x) - (5.0 * u.acos()).cos()).abs() < 1e-14);
            assert!((at(Basis::Chebyshev, 63, x) - (63.0 * u.acos()).cos()).abs() < 1e-12);
            assert!((at(Basis::Legendre, 3, x) - (2.5 * u.powi(3) - 1.5 * u)).abs() < 1e-14);
        }
        assert!((at(Basis::Legendre, 63, 2.0) - 1.0).abs() < 1e-12);
    }

    #[test]
    fn the_monomial_form_has_the_same_values() {
        for basis in BASES {
            let p = sample(basis);
            let monomial = Polynomial::new(p.to_monomial(), Basis::Monomial, p.interval()).unwrap();
            for x in [-1.0, -0.3, 0.0, 1.7, 3.0, 4.0] {
                let (expected, found) = (p.eval(x), monomial.eval(x));
                assert!(
                    (expected - found).abs() < 1e-12 * (1.0 + expected.abs()),
                    "{basis:?} {x}"
                );
            }
        }
    }

    #[test]
    fn the_chebyshev_form_keeps_the_parts_of_either_parity() {
        // even but for the linear term, as fits of ReLU are
        let c = vec![0.3, 0.5, 0.7, 0.0, -0.2, 0.0, 0.1];
        for (basis, on) in [
            (Basis::Legendre, "-1:3"),
            (Basis::Legendre, "-2:2"),
            (Basis::Monomial, "-2:2"),
        ] {
            let p = Polynomial::new(c.clone(), basis, interval(on)).unwrap();
            let found = p.to_chebyshev();
            assert_eq!((found[3], found[5]), (0.0, 0.0), "{basis:?}");
            let q = Polynomial::new(found, Basis::Chebyshev, interval(on)).unwrap();
            for x in [-1.0, 0.3, 2.0] {
                assert!((p.eval(x) - q.eval(x)).abs() < 1e-13, "{basis:?} {x}");
            }
        }
    }

    #[test]
    fn differentiation_undoes_integration() {
        for basis in BASES {
            let p = sample(basis);
            let back = p.integral(7.0).derivative();
            for (c, b) in p.coefficients().iter().zip(back.coefficients()) {
                assert!((c - b).abs() < 1e-13, "{basis:?}: {c} {b}");
            }
            assert_eq!(p.coefficients().len(), back.coefficients().len());
            assert!(
                (p.integral(7.0).eval(1.0) - 7.0).abs() < 1e-13,
                "the centre of -1:3 is 1"
            );
        }
    }

    #[test]
    fn derivatives_agree_with_central_differences() {
        for basis in BASES {
            let p = sample(basis);
            let slope = p.derivative();
            for x in [-0.9, 0.2, 1.0, 2.6] {
                let difference = (p.eval(x + 1e-5) - p.eval(x - 1e-5)) / 2e-5;
                assert!((slope.eval(x) - difference).abs() < 1e-6, "{basis:?} {x}");
            }
        }
    }

    #[test]
    fn the_derivative_of_a_constant_is_zero() {
        for basis in BASES {
            let constant = Polynomial::new(vec![3.0], basis, interval("-1:3")).unwrap();
            assert_eq!(constant.derivative().coefficients(), [0.0]);
        }
    }

    #[test]
    fn the_degree_ignores_what_is_only_rounding() {
        let degree = |coefficients: &[f64], basis, on: &str| {
            Polynomial::new(coefficients.to_vec(), basis, interval(on))
                .unwrap()
                .degree()
        };
        assert_eq!(degree(&[0.0, 0.0], Basis::Chebyshev, "-1:1"), 0);
        assert_eq!(degree(&[1.0, 2.0, 3.0, 1e-14], Basis::Chebyshev, "-1:1"), 2);
        assert_eq!(degree(&[1.0, 2.0, 3.0, 1e-11], Basis::Chebyshev, "-1:1"), 3);
        // 1e-14 x³ is large where x reaches 1000
        assert_eq!(
            degree(&[0.0, 1.0, 0.0, 1e-14], Basis::Monomial, "-1000:1000"),
            3
        );
        assert_eq!(degree(&[0.0, 1.0, 0.0, 1e-14], Basis::Monomial, "-1:1"), 1);
    }

    #[test]
    fn the_depth_is_the_logarithm_of_the_degree() {
        let depth = |degree: usize| {
            Polynomial::new(vec![1.0; degree + 1], Basis::Chebyshev, interval("-1:1"))
                .unwrap()
                .depth()
        };
        let depths: Vec<_> = [0, 1, 2, 3, 4, 5, 8, 9, 63]
            .into_iter()
            .map(depth)
            .collect();
        assert_eq!(depths, [0, 0, 1, 2, 2, 3, 3, 4, 6]);
    }

    #[test]
    fn json_reads_back_as_the_same_polynomial_and_is_checked() {
        for basis in BASES {
            let p = sample(basis);
            let json = serde_json::to_string(&p).unwrap();
            assert_eq!(serde_json::from_str::<Polynomial>(&json).unwrap(), p);
        }
        let read = |text| serde_json::from_str::<Polynomial>(text).map_err(|e| e.to_string());
        let json = r#"{"coefficients":[],"basis":"legendre","interval":{"low":0,"high":1}}"#;
        assert_eq!(
            read(json),
            Err("a polynomial needs at least one coefficient".into())
        );
        let error = Polynomial::new(vec![0.0, f64::NAN], Basis::Monomial, interval("0:1"));
        let sentence = "coefficient 1 of the polynomial is NaN, not a finite number";
        assert_eq!(error.unwrap_err().to_string(), sentence);
    }
}
