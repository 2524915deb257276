//! Sign and ReLU as compositions of minimax polynomials: what high accuracy costs least.
//!
//! A single polynomial that is within `δ` of the sign on `[-1, -ε] ∪ [ε, 1]` needs a degree of order
//! `ln(1/δ) / ε`. A composition `p_k ∘ … ∘ p_1` of small odd ones has an enormous degree for few
//! products:
//!
//! 1. `p_1` is the minimax polynomial of the sign on `[-1, -ε] ∪ [ε, 1]`, with error `E_1`; so it
//!    maps the two pieces into `±[1 - E_1, 1 + E_1]`.
//! 2. `p_2` is the minimax polynomial of the sign there, with error `E_2`; and so on.
//! 3. The error of the composition is `E_k`. Then `|x| ≈ x s(x)` and `ReLU(x) ≈ x (1 + s(x)) / 2`,
//!    with `x` scaled to the interval; between `-ε` and `ε` too the result lies between 0 and about
//!    `|x|`, so its error is at most about `ε`.
//!
//! Among all compositions of polynomials of these degrees this one has the smallest error (each
//! stage is best on what the one before leaves).
//!
//! **When to use it**: for ReLU, maximum or comparison to many bits: with degrees 7, 15, 27 and
//! `ε = 2⁻⁸` ReLU is off by at most 2.4e-4 of the half-width, in 22 products and depth 13.
//!
//! **When it fails**: as a cheap activation. Three levels buy a far better trained quadratic.
//!
//! # References
//! - Lee, Lee, Lee, Kim, Kim & No (2020), Minimax approximation of sign function by composite
//!   polynomial for homomorphic comparison, ePrint 2020/834.
//! - Lee et al. (2021), Precise approximation of convolutional neural networks for homomorphically
//!   encrypted data, arXiv:2105.10879 (degrees 7, 15, 27 for ReLU).

use crate::certified::{CertifiedError, NotCertifiable, certify_within};
use crate::cost::{Algebra, Cost, Meter, Place, Plan};
use crate::fit::{FitError, Minimax};
use crate::function::Sign;
use crate::interval::Interval;
use crate::polynomial::Polynomial;

/// Polynomials are steep just beyond their pieces, so a stage must be certified tightly: what its
/// bound gives away, the next stage enlarges.
const TIGHT: f64 = 1e-9;

/// What the pieces of the next stage are widened by, relative, to hold what is proven.
const MARGIN: f64 = 1e-8;

/// Pieces of a stage narrower than this are no task for another: its polynomial would be huge
/// everywhere else.
const NOTHING_LEFT: f64 = 1e-6;

/// `factors[k-1] ∘ … ∘ factors[0]`, an approximation of the sign on `[-1, -ε] ∪ [ε, 1]`.
#[derive(Clone, Debug, PartialEq)]
pub struct CompositeSign {
    factors: Vec<Polynomial>,
    epsilon: f64,
    error: f64,
}

/// `x (1 + s(x / l)) / 2` with a composite sign `s`: ReLU on `[-l, l]`.
#[derive(Clone, Debug, PartialEq)]
pub struct CompositeRelu {
    sign: CompositeSign,
    half_width: f64,
}

impl CompositeSign {
    /// The composition of minimax polynomials of these (odd) degrees, the first one applied first.
    ///
    /// # Errors
    /// [`FitError::Degree`] for a degree out of range; [`FitError::Pieces`] if `epsilon` is not
    /// between 0 and 1, if there is no degree, or if the error is below 1e-6 before the last stage.
    ///
    /// ```
    /// use approx::CompositeSign;
    ///
    /// let sign = CompositeSign::new(&[7, 15, 27], 1.0 / 256.0)?;
    /// assert!(sign.error() < 2e-4);
    /// assert!((sign.eval(0.5) - 1.0).abs() < 1e-3 && (sign.eval(-0.004) + 1.0).abs() < 1e-3);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn new(degrees: &[usize], epsilon: f64) -> Result<Self, FitError> {
        if degrees.is_empty() {
            return Err(FitError::Pieces);
        }
        let (mut low, mut high) = (epsilon, 1.0);
        let (mut factors, mut error) = (Vec::new(), 1.0);
        for &degree in degrees {
            let piece = |a: f64, b: f64| Interval::new(a, b).map_err(|_| FitError::Pieces);
            if low <= 0.0 || error < NOTHING_LEFT {
                return Err(FitError::Pieces);
            }
            let pieces = [piece(-high, -low)?, piece(low, high)?];
            let stage = Minimax::default().on_pieces(&Sign, &pieces, degree)?;
            error = stage.max_error * (1.0 + MARGIN) + 1e-14;
            (low, high) = (1.0 - error, 1.0 + error);
            factors.push(stage.polynomial);
        }
        Ok(Self {
            factors,
            epsilon,
            error,
        })
    }

    /// The factors, the first one applied first.
    pub fn factors(&self) -> &[Polynomial] {
        &self.factors
    }

    /// Below this the sign is not told.
    pub fn epsilon(&self) -> f64 {
        self.epsilon
    }

    /// The largest error for `ε ≤ |u| ≤ 1`, as the exchange algorithm found it.
    pub fn error(&self) -> f64 {
        self.error
    }

    /// The same, proven: the image of each stage is enclosed, and the next one certified on it.
    ///
    /// # Errors
    /// [`NotCertifiable`] never happens for the sign; the signature is that of
    /// [`certify`](crate::certify).
    pub fn certify(&self) -> Result<CertifiedError, NotCertifiable> {
        let mut report = CertifiedError {
            upper: 1.0,
            lower: 0.0,
            lower_at: 1.0,
            cells: 0,
        };
        let (mut low, mut high) = (self.epsilon, 1.0);
        for factor in &self.factors {
            // odd, so the right piece is enough
            let Ok(piece) = Interval::new(low, high) else {
                return Ok(report);
            };
            report = certify_within(&Sign, factor, piece, TIGHT)?;
            (low, high) = (
                (1.0 - report.upper).next_down(),
                (1.0 + report.upper).next_up(),
            );
            if low <= 0.0 {
                // the next stage sees both signs: nothing is proven beyond the trivial
                report.upper = f64::INFINITY;
                return Ok(report);
            }
        }
        Ok(report)
    }

    /// `s(u)`, for `|u| ≤ 1`.
    pub fn eval(&self, u: f64) -> f64 {
        self.factors
            .iter()
            .fold(u, |value, factor| factor.eval(value))
    }

    /// `s(u)` on encrypted values, each factor by Paterson–Stockmeyer.
    pub fn evaluate<A: Algebra>(&self, algebra: &mut A, u: &A::Value) -> A::Value {
        self.factors.iter().fold(u.clone(), |value, factor| {
            Plan::PatersonStockmeyer
                .evaluate(algebra, factor, &value)
                .expect("a minimax polynomial of the sign is no constant")
        })
    }

    /// What [`evaluate`](Self::evaluate) takes.
    pub fn cost(&self) -> Cost {
        let mut meter = Meter::default();
        let end = self.evaluate(&mut meter, &Place::default());
        meter.cost_at(end)
    }
}

impl CompositeRelu {
    /// ReLU on `[-half_width, half_width]`.
    ///
    /// # Errors
    /// As [`CompositeSign::new`].
    pub fn new(degrees: &[usize], epsilon: f64, half_width: f64) -> Result<Self, FitError> {
        if !(half_width > 0.0 && half_width.is_finite()) {
            return Err(FitError::Pieces);
        }
        Ok(Self {
            sign: CompositeSign::new(degrees, epsilon)?,
            half_width,
        })
    }

    /// The sign inside.
    pub fn sign(&self) -> &CompositeSign {
        &self.sign
    }

    /// The approximation of `max(0, x)`.
    pub fn eval(&self, x: f64) -> f64 {
        0.5 * x * (1.0 + self.sign.eval(x / self.half_width))
    }

    /// The same on encrypted values.
    pub fn evaluate<A: Algebra>(&self, algebra: &mut A, x: &A::Value) -> A::Value {
        let u = algebra.scale(x, 1.0 / self.half_width);
        let sign = self.sign.evaluate(algebra, &u);
        let half = algebra.scale(x, 0.5);
        let product = algebra.multiply(&half, &sign);
        algebra.add(&product, &half)
    }

    /// What [`evaluate`](Self::evaluate) takes.
    pub fn cost(&self) -> Cost {
        let mut meter = Meter::default();
        let end = self.evaluate(&mut meter, &Place::default());
        meter.cost_at(end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::activation::Activation;
    use crate::cost::Clear;

    #[test]
    fn the_error_on_both_pieces_is_the_one_reported_and_proven() {
        for (degrees, epsilon) in [
            (&[3, 5][..], 0.1),
            (&[7, 7], 0.05),
            (&[7, 15, 27], 1.0 / 256.0),
        ] {
            let sign = CompositeSign::new(degrees, epsilon).unwrap();
            let mut largest = 0.0_f64;
            for i in 0..=20_000 {
                // dense towards ε
                let u = epsilon.powf(f64::from(i) / 20_000.0);
                largest = largest.max((sign.eval(u) - 1.0).abs());
                assert!((sign.eval(u) + sign.eval(-u)).abs() < 1e-12, "odd");
            }
            let proven = sign.certify().unwrap();
            assert!(largest <= proven.upper, "{largest} {proven:?}");
            assert!(
                proven.upper < 1.05 * sign.error() + 1e-12,
                "{proven:?} {}",
                sign.error()
            );
            assert!(largest <= sign.error() + 1e-12 && largest > 0.9 * sign.error());
        }
    }

    #[test]
    fn one_factor_is_the_minimax_polynomial() {
        let epsilon = 0.25;
        let sign = CompositeSign::new(&[1], epsilon).unwrap();
        // the error reported includes the margin for the next stage
        assert!((sign.error() - (2.0 / (1.0 + epsilon) - 1.0)).abs() < 2.0 * MARGIN);
    }

    #[test]
    fn relu_of_degrees_7_15_27_is_good_to_twelve_bits() {
        let relu = CompositeRelu::new(&[7, 15, 27], 1.0 / 256.0, 50.0).unwrap();
        let mut largest = 0.0_f64;
        for i in -10_000..=10_000 {
            let x = f64::from(i) / 200.0;
            largest = largest.max((relu.eval(x) - Activation::Relu.value(x)).abs());
        }
        assert!(largest / 50.0 < 2.5e-4, "{largest}");
        let cost = relu.cost();
        assert!(
            cost.depth == 13 && cost.ciphertext_products == 22,
            "{cost:?}"
        );
        for x in [-50.0, -3.0, 0.1, 20.0] {
            let found = relu.evaluate(&mut Clear, &x);
            assert!((found - relu.eval(x)).abs() < 1e-9, "{x}: {found}");
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        assert_eq!(CompositeSign::new(&[], 0.1), Err(FitError::Pieces));
        assert_eq!(CompositeSign::new(&[27, 27, 3], 0.5), Err(FitError::Pieces));
        for epsilon in [0.0, -1.0, 1.0, 2.0, f64::NAN] {
            assert_eq!(
                CompositeSign::new(&[3], epsilon),
                Err(FitError::Pieces),
                "{epsilon}"
            );
        }
        assert!(matches!(
            CompositeSign::new(&[0], 0.1),
            Err(FitError::Degree { .. })
        ));
        assert_eq!(CompositeRelu::new(&[3], 0.1, 0.0), Err(FitError::Pieces));
    }
}
