//! `x ↦ scale · x + shift`, channel by channel: what folding carries along until a linear layer takes it in.

use cryptodl_network::{Artifact, BATCH_NORM_EPSILON, Normalisation};

use crate::{error::FoldError, tensor::values};

/// See the [module](self).
#[derive(Clone, Debug)]
pub(crate) struct Affine {
    pub scale: Vec<f64>,
    pub shift: Vec<f64>,
}

impl Affine {
    pub fn identity(channels: usize) -> Self {
        Self::uniform(channels, 1.0, 0.0)
    }

    pub fn uniform(channels: usize, scale: f64, shift: f64) -> Self {
        Self {
            scale: vec![scale; channels],
            shift: vec![shift; channels],
        }
    }

    /// From a pixel in `0..=255` to what the first layer was trained on.
    pub fn normalisation(normalisation: &Normalisation) -> Self {
        let pairs = normalisation.mean.iter().zip(&normalisation.deviation);
        let (scale, shift) = pairs
            .map(|(&mean, &deviation)| {
                (
                    1.0 / (255.0 * f64::from(deviation)),
                    -f64::from(mean) / f64::from(deviation),
                )
            })
            .unzip();
        Self { scale, shift }
    }

    /// Appends `next`: afterwards the map is `next ∘ self`.
    pub fn then(&mut self, next: &Affine) {
        for c in 0..self.scale.len() {
            self.scale[c] *= next.scale[c];
            self.shift[c] = next.scale[c] * self.shift[c] + next.shift[c];
        }
    }

    pub fn is_identity(&self) -> bool {
        // exact on purpose: only a map that was never touched may be left out
        #[expect(clippy::float_cmp, reason = "compares with what `uniform` stored")]
        let scaled = self.scale.iter().any(|&s| s != 1.0);
        !scaled && self.shift.iter().all(|&s| s == 0.0)
    }

    /// Batch norm at inference: `γ (x - μ) / √(σ² + ε) + β`.
    pub fn batch_norm(artifact: &Artifact, index: usize) -> Result<Self, FoldError> {
        let gamma = values(artifact, index, "gamma")?;
        let beta = values(artifact, index, "beta")?;
        let mean = values(artifact, index, "mean")?;
        let variance = values(artifact, index, "variance")?;
        let scale: Vec<f64> = gamma
            .iter()
            .zip(&variance)
            .map(|(g, v)| g / (v + BATCH_NORM_EPSILON).sqrt())
            .collect();
        let shift = scale
            .iter()
            .zip(&mean)
            .zip(&beta)
            .map(|((s, m), b)| b - s * m)
            .collect();
        Ok(Self { scale, shift })
    }

    /// Some of the channels.
    pub fn channels(&self, some: std::ops::Range<usize>) -> Self {
        Self {
            scale: self.scale[some.clone()].to_vec(),
            shift: self.shift[some].to_vec(),
        }
    }

    /// Appends the channels of another map behind those of this one.
    pub fn extend(&mut self, other: &Affine) {
        self.scale.extend(&other.scale);
        self.shift.extend(&other.shift);
    }

    /// Whether some channel forgets its value.
    pub fn forgets(&self) -> bool {
        self.scale.contains(&0.0)
    }
}
