//! The quadratic Hermite series of an activation with both of its terms normalised, as a pointwise function.
//!
//! With `z = s · d + beta` of [`crate::normalise`] and `h_1 = z`, `h_2 = (z² - 1) / √2`:
//! 1. `y = c_0 + Σ c_k t_k`, `t_k = (h_k - m_k) / √(v_k + ε)`: of each channel a quadratic in `z`, whose coefficients
//!    depend on the moments. `m_1 = beta` and `v_1 = s² v` follow from those of the batch norm, so does
//!    `m_2 = (beta² + v_1 - 1) / √2`; only `v_2` takes a pass of its own.
//! 2. Backward, for gradients `g` of `y` and means `⟨·⟩` over the channel:
//!    `∂z = Σ c_k h_k' / √(v_k + ε) · (g - ⟨g⟩ - t_k ⟨g t_k⟩)`, `h_1' = 1`, `h_2' = √2 z`.
//!
//! So no degree drowns the others, whatever reaches the activation.
//!
//! # References
//! - Park, Kim, Kim, Ahn (2022), *AESPA: accuracy preserving low-degree polynomial activation for fast private
//!   inference*, arXiv 2201.06699, section 3.

use crate::channel::{Channel, Terms};
use crate::pointwise::Powers;
use crate::sums::{BLOCK, sum};
use pulp::{Simd, WithSimd};
use std::f32::consts::{FRAC_1_SQRT_2, SQRT_2};

impl Terms {
    fn deviations(self, epsilon: f32) -> [f32; 2] {
        self.variance.map(|variance| (variance + epsilon).sqrt())
    }

    /// The quadratic in `z`.
    pub(crate) fn powers(self, [c0, c1, c2]: [f32; 3], epsilon: f32) -> Powers<3> {
        let [first, second] = self.deviations(epsilon);
        let (first, second) = (c1 / first, c2 / second);
        let constant = c0 - first * self.mean[0] - second * (self.mean[1] + FRAC_1_SQRT_2);
        Powers([constant, first, second * FRAC_1_SQRT_2])
    }
}

/// Finds the moments of the terms of a channel whose own are known.
pub(crate) struct TermMoments<'a> {
    pub values: &'a [f32],
    pub channel: Channel,
    pub epsilon: f32,
}

impl WithSimd for TermMoments<'_> {
    type Output = Terms;
    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> Terms {
        let Channel {
            beta,
            mean,
            variance,
            ..
        } = self.channel;
        let scale = self.channel.scale(self.epsilon);
        let first = scale * scale * variance;
        let square = beta * beta + first;
        let squares = sum(self.values, self.values, |x, _| {
            let z = (x - mean) * scale + beta;
            let off = z * z - square;
            off * off
        });
        Terms {
            mean: [beta, (square - 1.0) * FRAC_1_SQRT_2],
            variance: [first, (0.5 * squares / self.values.len() as f64) as f32],
        }
    }
}

/// What the gradient of `z` is made of, the same for all values of a channel.
#[derive(Clone, Copy)]
pub(crate) struct Slopes {
    terms: Terms,
    /// `c_k / √(v_k + ε)`.
    factors: [f32; 2],
    /// `⟨g⟩`.
    mean: f32,
    /// `⟨g t_k⟩ / √(v_k + ε)`.
    along: [f32; 2],
}

impl Slopes {
    #[inline(always)]
    pub(crate) fn new(
        values: &[f32],
        gradients: &[f32],
        channel: Channel,
        [_, c1, c2]: [f32; 3],
        epsilon: f32,
    ) -> Self {
        let Channel {
            beta, mean, terms, ..
        } = channel;
        let scale = channel.scale(epsilon);
        let [mut all, mut first, mut second] = [0.0; 3];
        // Block by block, so that the sums find their values in the nearest cache
        for (values, gradients) in values.chunks(BLOCK).zip(gradients.chunks(BLOCK)) {
            all += sum(values, gradients, |_, g| g);
            first += sum(values, gradients, |x, g| {
                g * ((x - mean) * scale + beta - terms.mean[0])
            });
            second += sum(values, gradients, |x, g| {
                let z = (x - mean) * scale + beta;
                g * ((z * z - 1.0) * FRAC_1_SQRT_2 - terms.mean[1])
            });
        }
        let n = values.len() as f64;
        let [d1, d2] = terms.deviations(epsilon);
        let along = |sum: f64, deviation: f32| (sum / n) as f32 / (deviation * deviation);
        Self {
            terms,
            factors: [c1 / d1, c2 / d2],
            mean: (all / n) as f32,
            along: [along(first, d1), along(second, d2)],
        }
    }

    /// The gradient of a value `z`.
    #[inline(always)]
    pub(crate) fn at(&self, z: f32, gradient: f32) -> f32 {
        let g = gradient - self.mean;
        let first = z - self.terms.mean[0];
        let second = (z * z - 1.0) * FRAC_1_SQRT_2 - self.terms.mean[1];
        self.factors[0] * (g - first * self.along[0])
            + SQRT_2 * z * self.factors[1] * (g - second * self.along[1])
    }
}
