//! Every knob of training, in one place.

use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// What moves the matrices that a batch norm follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Optimiser {
    /// Orthogonalised momentum for them, AdamW for the rest: the better one for polynomial activations.
    Muon,
    /// AdamW for everything.
    AdamW,
}

/// How a network is trained. The default made the artifacts in `results/models/`, epochs and teacher aside.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Recipe {
    /// Start of every random choice: split, first weights, order, augmentation.
    pub seed: u64,
    /// Passes over the training images; more is better and slower.
    pub epochs: usize,
    /// Images a step. Larger batches are faster an image, and need a larger learning rate.
    pub batch: usize,
    /// Training images held out, to choose between recipes without looking at test images.
    pub validation_images: usize,
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
    /// Share of all steps during which the learning rate rises from 0; afterwards it falls linearly to 0.
    pub warm_up: f64,
    /// Gradients are scaled down to this norm, all tensors together; 0 switches it off.
    pub clip_norm: f64,
    /// Share of the averaged weights that is kept at each step. The averages, batch-norm statistics included, are what
    /// is evaluated and exported; 0 takes the last weights.
    pub average: f64,
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
    /// Activation inputs beyond this are punished, because a polynomial grows where the activation does not.
    pub boundary: f64,
    /// Weight of `mean(relu(|z| - boundary)²)` in the loss, summed over activation layers; 0 switches it off.
    pub boundary_weight: f64,
    /// How many values a weight of a linear layer may take, an odd number: integers around 0, times one step a row. They
    /// are rounded while training, and rounded in what is exported. 0 leaves weights real.
    #[serde(skip_serializing_if = "is_default")]
    pub weight_levels: u32,
    /// The same for the last linear layer, whose results go through no look-up table; 0: as many as `weight_levels`.
    #[serde(skip_serializing_if = "is_default")]
    pub output_weight_levels: u32,
    /// How many values the weighted sum in front of an activation may take, so that a look-up table of that size holds
    /// it; rows keep as many of their largest weights as fit. For networks that round the inputs of their linear
    /// layers. 0 sets no limit.
    #[serde(skip_serializing_if = "is_default")]
    pub accumulator_levels: u32,
    /// Bits of the integers, sign included, that encrypted evaluation on real numbers will round the weights of linear
    /// layers to (`encrypt --weight-bits`): training meets weights rounded like that, for fine-tuning; what is exported
    /// stays real. 0 switches it off.
    #[serde(skip_serializing_if = "is_default")]
    pub evaluation_bits: u32,
    /// Share of all steps over which the rounding of weights sets in.
    #[serde(skip_serializing_if = "is_default")]
    pub rounding_rise: f64,
    /// How fast batch-norm statistics follow those of the batches, per step.
    pub statistics_rate: f64,
    /// Images are turned by at most this, either way.
    pub rotation_degrees: f64,
    /// Images are stretched by at most this share, each axis on its own.
    pub scale: f64,
    /// Images are slanted by at most this: columns moved per row.
    pub shear: f64,
    /// Images are moved by at most this, each axis on its own.
    pub shift_pixels: f64,
    /// Standard deviation of a smooth random displacement of every point, each axis on its own; for handwriting.
    pub elastic_pixels: f64,
    /// Every other image, at random, is mirrored left to right; for photographs.
    pub flip: bool,
    /// Images are moved by at most this many whole pixels, each axis on its own; what comes in is mirrored at the edge.
    pub crop_pixels: usize,
    /// Side of a square at a random place that is set to the mean; 0 switches it off.
    pub cutout_pixels: usize,
}

/// Knobs that came later are only written down where they are used, so that what was kept before still compares equal.
fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl Default for Recipe {
    fn default() -> Self {
        Self {
            seed: 1,
            epochs: 30,
            batch: 256,
            validation_images: 5_000,
            optimiser: Optimiser::Muon,
            learning_rate: 3e-3,
            muon_learning_rate: 0.05,
            muon_momentum: 0.6,
            weight_decay: 1e-2,
            warm_up: 0.1,
            clip_norm: 1.0,
            average: 0.998,
            label_smoothing: 0.1,
            teacher: None,
            teacher_weight: 0.9,
            temperature: 2.0,
            boundary: 3.0,
            boundary_weight: 0.1,
            weight_levels: 0,
            output_weight_levels: 0,
            accumulator_levels: 0,
            evaluation_bits: 0,
            rounding_rise: 0.0,
            statistics_rate: 0.1,
            rotation_degrees: 8.0,
            scale: 0.08,
            shear: 0.1,
            shift_pixels: 1.4,
            elastic_pixels: 0.5,
            flip: false,
            crop_pixels: 0,
            cutout_pixels: 0,
        }
    }
}

impl Recipe {
    /// One sentence about the first knob that makes no sense, for `images` training images.
    pub(crate) fn check(&self, images: usize) -> Result<(), String> {
        let finite = |value: f64| value.is_finite() && value >= 0.0;
        let share = |value: f64| (0.0..1.0).contains(&value);
        let checks = [
            (self.epochs >= 1, "epochs must be at least 1"),
            (
                self.batch >= 2,
                "batch must be at least 2: a batch norm needs more than one image",
            ),
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
            (share(self.average), "average must be in [0, 1)"),
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
            (finite(self.boundary), "boundary must be 0 or more"),
            (
                finite(self.boundary_weight),
                "boundary_weight must be 0 or more",
            ),
            (
                self.statistics_rate > 0.0 && self.statistics_rate <= 1.0,
                "statistics_rate must be in (0, 1]",
            ),
            (
                finite(self.rotation_degrees),
                "rotation_degrees must be 0 or more",
            ),
            (
                self.evaluation_bits == 0 || (2..=12).contains(&self.evaluation_bits),
                "evaluation_bits must be 0 or 2 to 12",
            ),
            (
                self.evaluation_bits == 0 || self.weight_levels == 0,
                "evaluation_bits and weight_levels are two ways to round the same weights: choose one",
            ),
            (share(self.rounding_rise), "rounding_rise must be in [0, 1)"),
            (share(self.scale), "scale must be in [0, 1)"),
            (finite(self.shear), "shear must be 0 or more"),
            (finite(self.shift_pixels), "shift_pixels must be 0 or more"),
            (
                finite(self.elastic_pixels),
                "elastic_pixels must be 0 or more",
            ),
        ];
        if let Some((_, sentence)) = checks.iter().find(|(good, _)| !good) {
            return Err((*sentence).to_owned());
        }
        if self.validation_images + 2 > images {
            return Err(format!(
                "validation_images = {} leaves too few of {images} images",
                self.validation_images
            ));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_knobs_are_the_default_and_unknown_ones_are_refused() {
        let recipe: Recipe =
            serde_json::from_str(r#"{"epochs": 3, "optimiser": "adamw"}"#).unwrap();
        assert_eq!(
            recipe,
            Recipe {
                epochs: 3,
                optimiser: Optimiser::AdamW,
                ..Recipe::default()
            }
        );
        assert!(
            serde_json::from_str::<Recipe>(r#"{"epoch": 3}"#)
                .unwrap_err()
                .to_string()
                .contains("`epoch`")
        );
    }

    #[test]
    fn knobs_that_make_no_sense_are_named() {
        Recipe::default().check(60_000).unwrap();
        for (recipe, word) in [
            (
                Recipe {
                    epochs: 0,
                    ..Recipe::default()
                },
                "epochs",
            ),
            (
                Recipe {
                    batch: 1,
                    ..Recipe::default()
                },
                "batch",
            ),
            (
                Recipe {
                    average: 1.0,
                    ..Recipe::default()
                },
                "average",
            ),
            (
                Recipe {
                    learning_rate: f64::NAN,
                    ..Recipe::default()
                },
                "learning_rate",
            ),
            (
                Recipe {
                    validation_images: 60_000,
                    ..Recipe::default()
                },
                "validation_images",
            ),
        ] {
            assert!(recipe.check(60_000).unwrap_err().contains(word), "{word}");
        }
    }
}
