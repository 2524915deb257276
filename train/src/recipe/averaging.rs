//! What is averaged over steps.

use super::check::{Check, share};

/// What is averaged over steps: weights and batch-norm statistics.
#[derive(Clone, Debug, PartialEq)]
pub struct Averaging {
    /// Share of the averaged weights that is kept at each step. The averages, batch-norm statistics included, are what
    /// is evaluated and exported; 0 takes the last weights.
    pub average: f64,
    /// How fast batch-norm statistics follow those of the batches, per step.
    pub statistics_rate: f64,
    /// Whether the averaged weights get the statistics that they give themselves on 10,000 training images, instead of
    /// averages of those of the steps: averages of weights vary less, and squares notice (Izmailov et al. 2018, arXiv
    /// 1803.05407, section 3.2). They are medians over batches of 100 images, because of the few that explode.
    pub measure_statistics: bool,
}

impl Default for Averaging {
    fn default() -> Self {
        Self {
            average: 0.998,
            statistics_rate: 0.1,
            measure_statistics: false,
        }
    }
}

impl Averaging {
    /// What must hold of its knobs.
    pub(super) fn checks(&self) -> Vec<Check> {
        vec![
            (share(self.average), "average must be in [0, 1)"),
            (
                self.statistics_rate > 0.0 && self.statistics_rate <= 1.0,
                "statistics_rate must be in (0, 1]",
            ),
        ]
    }
}
