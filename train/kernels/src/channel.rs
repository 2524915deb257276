//! The numbers of a channel: what a batch norm knows of it.

/// Moments of the two terms of a quadratic Hermite series, see `Pointwise::Terms`.
#[derive(Clone, Copy, Debug, Default)]
pub struct Terms {
    /// Of the first term and of the second.
    pub mean: [f32; 2],
    /// Biased, as all variances here.
    pub variance: [f32; 2],
}

/// The numbers of a channel.
#[derive(Clone, Copy, Debug)]
pub struct Channel {
    /// Factor of what is normalised.
    pub gamma: f32,
    /// Added to that.
    pub beta: f32,
    /// Of the values.
    pub mean: f32,
    /// Biased: the mean of squared distances.
    pub variance: f32,
    /// Those of the terms of `Pointwise::Terms`; zeros for anything else.
    pub terms: Terms,
}

impl Channel {
    /// `gamma / √(variance + epsilon)`.
    pub(crate) fn scale(self, epsilon: f32) -> f32 {
        self.gamma / (self.variance + epsilon).sqrt()
    }
}
