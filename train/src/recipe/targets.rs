//! What answers are compared with.

use super::check::{Check, finite, share};
use std::path::PathBuf;

/// What the answers of the network are compared with.
#[derive(Clone, Debug, PartialEq)]
pub struct Targets {
    /// Share of probability that the target spreads over all classes.
    pub label_smoothing: f64,
    /// A trained network whose answers are the target together with the labels; for a network that is too small to
    /// learn as well from labels alone. It must have been trained with the same seed and number of validation images,
    /// so that it has not seen them either.
    pub teacher: Option<PathBuf>,
    /// Share of the loss that compares with the teacher instead of the labels.
    pub teacher_weight: f64,
    /// Logits of teacher and network are divided by this before they are compared: above 1, the order of the wrong
    /// classes counts too.
    pub temperature: f64,
}

impl Default for Targets {
    fn default() -> Self {
        Self {
            label_smoothing: 0.1,
            teacher: None,
            teacher_weight: 0.9,
            temperature: 2.0,
        }
    }
}

impl Targets {
    /// What must hold of its knobs.
    pub(super) fn checks(&self) -> Vec<Check> {
        vec![
            (
                share(self.label_smoothing),
                "label_smoothing must be in [0, 1)",
            ),
            (
                finite(self.teacher_weight) && self.teacher_weight <= 1.0,
                "teacher_weight must be in [0, 1]",
            ),
            (
                finite(self.temperature) && self.temperature > 0.0,
                "temperature must be more than 0",
            ),
        ]
    }
}
