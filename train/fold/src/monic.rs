//! A polynomial as a monic one without its second-highest term, and the affine maps around it.

use approx::{Polynomial, taylor_shift};

/// `p(z) = factor · (y^d + Σ lower_k y^k) + constant` with `y = z + shift`, `k = 1 … d - 2`.
pub(crate) struct Monic {
    pub degree: usize,
    pub shift: f64,
    pub factor: f64,
    pub constant: f64,
    pub lower: Vec<f64>,
}

impl Monic {
    /// None if the polynomial is of a lower degree, or nearly so.
    pub fn new(polynomial: &Polynomial, degree: usize) -> Option<Self> {
        let mut c = polynomial.to_monomial();
        c.resize(degree + 1, 0.0);
        let factor = c[degree];
        let shift = c[degree - 1] / (degree as f64 * factor);
        // of p(y - shift), in powers of y
        taylor_shift(&mut c, -shift);
        let lower: Vec<f64> = c[1..degree - 1].iter().map(|b| b / factor).collect();
        let finite = lower
            .iter()
            .chain([&shift, &c[0], &factor])
            .all(|v| v.is_finite());
        finite.then(|| Self {
            degree,
            shift,
            factor,
            constant: c[0],
            lower,
        })
    }

    /// The same of `x` where `z = scale · x + offset`: a value need not be scaled in front of it. `scale` is not 0.
    pub fn behind(self, scale: f64, offset: f64) -> Self {
        // y = scale · (x + (offset + shift) / scale)
        let degree = self.degree as i32;
        let lower = self.lower.iter().zip(1..);
        Self {
            degree: self.degree,
            shift: (offset + self.shift) / scale,
            factor: self.factor * scale.powi(degree),
            constant: self.constant,
            lower: lower.map(|(b, k)| b * scale.powi(k - degree)).collect(),
        }
    }
}
