//! Functions of one normalised value, and their slopes.

/// What is applied to each normalised value.
#[derive(Clone, Debug, PartialEq)]
pub enum Pointwise {
    /// Nothing.
    Identity,
    /// ReLU.
    Relu,
    /// `c_0 + z (c_1 + z (c_2 + …))`, up to degree 4.
    Powers(Vec<f32>),
    /// `(1 - share) relu(z) + share p(z)`, `p` as in `Powers`.
    Replaced {
        /// As in [`Pointwise::Powers`].
        powers: Vec<f32>,
        /// From 0, ReLU alone, to 1, the polynomial alone.
        share: f32,
        /// Where `p` sees its inputs as they are; beyond, it sees the nearer end.
        within: Option<[f32; 2]>,
    },
    /// `c_0`, `c_1` and `c_2` of a Hermite series with normalised terms, one normalised over its channel.
    Terms([f32; 3]),
}

/// A function of one value.
pub(crate) trait Function: Copy + Send + Sync {
    fn value(self, z: f32) -> f32;
    fn slope(self, z: f32) -> f32;
}

#[derive(Clone, Copy)]
pub(crate) struct Identity;

impl Function for Identity {
    #[inline(always)]
    fn value(self, z: f32) -> f32 {
        z
    }
    #[inline(always)]
    fn slope(self, _: f32) -> f32 {
        1.0
    }
}

#[derive(Clone, Copy)]
pub(crate) struct Relu;

impl Function for Relu {
    #[inline(always)]
    fn value(self, z: f32) -> f32 {
        if z > 0.0 { z } else { 0.0 }
    }
    #[inline(always)]
    fn slope(self, z: f32) -> f32 {
        if z > 0.0 { 1.0 } else { 0.0 }
    }
}

#[derive(Clone, Copy)]
pub(crate) struct Powers<const N: usize>(pub(crate) [f32; N]);

impl<const N: usize> Powers<N> {
    pub(crate) fn new(coefficients: &[f32]) -> Self {
        Self(std::array::from_fn(|k| {
            coefficients.get(k).copied().unwrap_or(0.0)
        }))
    }
}

impl<const N: usize> Function for Powers<N> {
    #[inline(always)]
    fn value(self, z: f32) -> f32 {
        (self.0.iter().rev()).fold(0.0, |sum, coefficient| sum * z + coefficient)
    }
    #[inline(always)]
    fn slope(self, z: f32) -> f32 {
        (1..N)
            .rev()
            .fold(0.0, |sum, k| sum * z + k as f32 * self.0[k])
    }
}

#[derive(Clone, Copy)]
pub(crate) struct Replaced {
    powers: Powers<5>,
    share: f32,
    low: f32,
    high: f32,
}

impl Replaced {
    pub(crate) fn new(powers: &[f32], share: f32, within: Option<[f32; 2]>) -> Self {
        let [low, high] = within.unwrap_or([f32::NEG_INFINITY, f32::INFINITY]);
        Self {
            powers: Powers::new(powers),
            share,
            low,
            high,
        }
    }
}

impl Function for Replaced {
    #[inline(always)]
    fn value(self, z: f32) -> f32 {
        let polynomial = self.powers.value(z.max(self.low).min(self.high));
        (1.0 - self.share) * Relu.value(z) + self.share * polynomial
    }
    #[inline(always)]
    fn slope(self, z: f32) -> f32 {
        let inside = z >= self.low && z <= self.high;
        let slope = if inside { self.powers.slope(z) } else { 0.0 };
        (1.0 - self.share) * Relu.slope(z) + self.share * slope
    }
}
