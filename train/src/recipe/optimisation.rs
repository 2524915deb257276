//! How steps are made of gradients.

use super::check::{Check, finite, share};
use serde::{Deserialize, Serialize};

/// What moves the matrices that a batch norm follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Optimiser {
    /// Orthogonalised momentum for them, AdamW for the rest: the better one for polynomial activations.
    Muon,
    /// AdamW for everything.
    AdamW,
}

/// How the learning rate goes after the warm-up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Schedule {
    /// In a straight line to 0.
    #[default]
    Linear,
    /// Along half a wave to 0: longer near the peak and near 0 (Loshchilov & Hutter 2017, arXiv 1608.03983).
    Cosine,
    /// It stays at the peak: for a training whose length is not known yet.
    Constant,
    /// At the peak until two thirds of all steps, then in a straight line to 0.
    Trapezoid,
}

/// Which gradients are clipped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Clipping {
    /// All, by one factor.
    #[default]
    All,
    /// All but those of batch norms, by one factor: gamma and beta must follow the distribution of activation inputs
    /// however steep the polynomials are. After Al Hossain & Rahman (2025), arXiv 2505.11589.
    Selective,
}

/// How steps are made of gradients.
#[derive(Clone, Debug, PartialEq)]
pub struct Optimisation {
    /// Which optimiser.
    pub optimiser: Optimiser,
    /// Peak step of AdamW.
    pub learning_rate: f64,
    /// Peak step of Muon: the share by which a filter may turn in one step.
    pub muon_learning_rate: f64,
    /// How much of the last Muon step is kept in the next.
    pub muon_momentum: f64,
    /// AdamW shrinks matrices by this times the step.
    pub weight_decay: f64,
    /// Share of all steps during which the learning rate rises from 0; afterwards it goes as `schedule` says.
    pub warm_up: f64,
    /// How the learning rate goes after the warm-up.
    pub schedule: Schedule,
    /// Gradients are scaled down to this norm, all tensors together; 0 switches it off.
    pub clip_norm: f64,
    /// Which gradients that is about.
    pub clipping: Clipping,
}

impl Default for Optimisation {
    fn default() -> Self {
        Self {
            optimiser: Optimiser::Muon,
            learning_rate: 3e-3,
            muon_learning_rate: 0.05,
            muon_momentum: 0.6,
            weight_decay: 1e-2,
            warm_up: 0.1,
            schedule: Schedule::Linear,
            clip_norm: 1.0,
            clipping: Clipping::All,
        }
    }
}

impl Optimisation {
    /// What must hold of its knobs.
    pub(super) fn checks(&self) -> Vec<Check> {
        vec![
            (
                finite(self.learning_rate),
                "learning_rate must be 0 or more",
            ),
            (
                finite(self.muon_learning_rate),
                "muon_learning_rate must be 0 or more",
            ),
            (share(self.muon_momentum), "muon_momentum must be in [0, 1)"),
            (finite(self.weight_decay), "weight_decay must be 0 or more"),
            (share(self.warm_up), "warm_up must be in [0, 1)"),
            (finite(self.clip_norm), "clip_norm must be 0 or more"),
        ]
    }
}
