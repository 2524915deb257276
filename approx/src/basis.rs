//! The three ways to write a polynomial down, and the arithmetic that differs between them.
//!
//! Everything here works on coefficients over the reference variable: `x` itself for
//! [`Basis::Monomial`], `u` in `[-1, 1]` for the other two. [`Polynomial`](crate::Polynomial)
//! supplies the interval.

use serde::{Deserialize, Serialize};

/// What the coefficients of a [`Polynomial`](crate::Polynomial) multiply.
///
/// `u` is the interval mapped to `[-1, 1]`: `u = (2x - low - high) / (high - low)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Basis {
    /// Powers of `x`: `Σ c_k x^k`. Readable, and ill-conditioned beyond degree 10 or so.
    Monomial,
    /// Chebyshev polynomials of the first kind: `Σ c_k T_k(u)`.
    Chebyshev,
    /// Legendre polynomials, `P_k(1) = 1`: `Σ c_k P_k(u)`.
    Legendre,
}

impl Basis {
    /// `Σ c_k φ_k(t)` by the backward (Horner or Clenshaw) recurrence, `O(n)`.
    ///
    /// Chebyshev: `b_k = c_k + 2t b_{k+1} - b_{k+2}`. Legendre:
    /// `b_k = c_k + (2k+1)/(k+1) t b_{k+1} - (k+1)/(k+2) b_{k+2}`. At `k = 0` the Chebyshev factor
    /// is 1 and not 2.
    pub(crate) fn eval(self, coefficients: &[f64], t: f64) -> f64 {
        let (mut b1, mut b2) = (0.0, 0.0);
        for (k, &c) in coefficients.iter().enumerate().rev() {
            let (linear, back) = self.clenshaw(k);
            (b1, b2) = (c + linear * t * b1 - back * b2, b1);
        }
        b1
    }

    /// The same recurrence with polynomials in place of numbers: `Σ c_k φ_k(scale x + shift)`
    /// multiplied out in powers of `x`, `O(n²)`.
    pub(crate) fn expand(self, coefficients: &[f64], scale: f64, shift: f64) -> Vec<f64> {
        let n = coefficients.len();
        let (mut b1, mut b2) = (vec![0.0; n], vec![0.0; n]);
        for (k, &c) in coefficients.iter().enumerate().rev() {
            let (linear, back) = self.clenshaw(k);
            for i in (0..n).rev() {
                let lower = if i == 0 { 0.0 } else { b1[i - 1] };
                b2[i] = linear * (shift * b1[i] + scale * lower) - back * b2[i];
            }
            b2[0] += c;
            std::mem::swap(&mut b1, &mut b2);
        }
        b1
    }

    /// The factors of `t b_{k+1}` and of `b_{k+2}` in step `k` of the backward recurrence.
    pub(crate) fn clenshaw(self, k: usize) -> (f64, f64) {
        let k_ = k as f64;
        match self {
            Self::Monomial => (1.0, 0.0),
            Self::Chebyshev if k == 0 => (1.0, 1.0),
            Self::Chebyshev => (2.0, 1.0),
            Self::Legendre => ((2.0 * k_ + 1.0) / (k_ + 1.0), (k_ + 1.0) / (k_ + 2.0)),
        }
    }

    /// Coefficients of `t p(t)`, one longer than those of `p`.
    ///
    /// `t T_k = (T_{k+1} + T_{k-1}) / 2`, `t P_k = ((k+1) P_{k+1} + k P_{k-1}) / (2k+1)`.
    pub(crate) fn times_variable(self, coefficients: &[f64]) -> Vec<f64> {
        let mut product = vec![0.0; coefficients.len() + 1];
        for (k, &c) in coefficients.iter().enumerate() {
            let k_ = k as f64;
            let (up, down) = match self {
                Self::Monomial => (1.0, 0.0),
                Self::Chebyshev if k == 0 => (1.0, 0.0),
                Self::Chebyshev => (0.5, 0.5),
                Self::Legendre => ((k_ + 1.0) / (2.0 * k_ + 1.0), k_ / (2.0 * k_ + 1.0)),
            };
            product[k + 1] += up * c;
            if k > 0 {
                product[k - 1] += down * c;
            }
        }
        product
    }

    /// Coefficients of `dp/dt`, one shorter (`[0]` for a constant).
    ///
    /// Downwards, from `T_{k+1}'/(k+1) - T_{k-1}'/(k-1) = 2 T_k` and
    /// `P_{k+1}' - P_{k-1}' = (2k+1) P_k`.
    pub(crate) fn differentiate(self, coefficients: &[f64]) -> Vec<f64> {
        let n = coefficients.len();
        // two zeros above the top save the recurrences their special cases
        let mut d = vec![0.0; n + 2];
        for k in (0..n - 1).rev() {
            let (k_, c) = (k as f64, coefficients[k + 1]);
            d[k] = match self {
                Self::Monomial => (k_ + 1.0) * c,
                Self::Chebyshev if k == 0 => c + 0.5 * d[2],
                Self::Chebyshev => 2.0 * (k_ + 1.0) * c + d[k + 2],
                Self::Legendre => (2.0 * k_ + 1.0) * (c + d[k + 2] / (2.0 * k_ + 5.0)),
            };
        }
        d.truncate(n.max(2) - 1);
        d
    }

    /// Coefficients of an antiderivative in `t`, one longer; the caller sets the constant.
    ///
    /// `∫T_k = T_{k+1}/(2(k+1)) - T_{k-1}/(2(k-1))`, `∫P_k = (P_{k+1} - P_{k-1})/(2k+1)`.
    pub(crate) fn integrate(self, coefficients: &[f64]) -> Vec<f64> {
        let mut integral = vec![0.0; coefficients.len() + 1];
        for (k, &c) in coefficients.iter().enumerate() {
            let k_ = k as f64;
            let (up, down) = match self {
                Self::Monomial => (1.0 / (k_ + 1.0), 0.0),
                Self::Chebyshev if k == 0 => (1.0, 0.0),
                Self::Chebyshev if k == 1 => (0.25, 0.0),
                Self::Chebyshev => (0.5 / (k_ + 1.0), 0.5 / (k_ - 1.0)),
                Self::Legendre => (1.0 / (2.0 * k_ + 1.0), 1.0 / (2.0 * k_ + 1.0)),
            };
            integral[k + 1] += up * c;
            if k > 0 {
                integral[k - 1] -= down * c;
            }
        }
        integral
    }
}
