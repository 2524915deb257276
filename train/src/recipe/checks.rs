//! Which knobs of a recipe make sense together.

use super::{Coefficients, Recipe};

impl Recipe {
    /// Whether its knobs make sense together, whatever they are used for.
    ///
    /// # Errors
    /// One sentence about the first knob that does not.
    pub fn check(&self) -> Result<(), String> {
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
            (
                !self.hermite
                    || self.near_linear == 0.0
                        && self.replacement == 0.0
                        && self.coefficients == Coefficients::Given,
                "hermite goes without near_linear, replacement and coefficients",
            ),
            (
                finite(self.near_linear) && self.near_linear <= 1.0,
                "near_linear must be in [0, 1]",
            ),
            (
                finite(self.replacement) && self.replacement <= 1.0,
                "replacement must be in [0, 1]",
            ),
            (
                self.near_linear == 0.0 || self.replacement == 0.0,
                "near_linear and replacement exclude each other: set one of them to 0",
            ),
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
                !self.replacement_clip || self.replacement > 0.0,
                "replacement_clip is about what replacement does: set that to more than 0",
            ),
            (share(self.scale), "scale must be in [0, 1)"),
            (
                finite(self.cutmix) && self.cutmix <= 1.0,
                "cutmix must be in [0, 1]",
            ),
            (finite(self.shear), "shear must be 0 or more"),
            (finite(self.shift_pixels), "shift_pixels must be 0 or more"),
            (
                finite(self.elastic_pixels),
                "elastic_pixels must be 0 or more",
            ),
        ];
        let mut checks = checks.into_iter().chain(self.rounding());
        match checks.find(|(good, _)| !good) {
            Some((_, sentence)) => Err(sentence.to_owned()),
            None => Ok(()),
        }
    }

    /// The same for the knobs that round weights.
    fn rounding(&self) -> [(bool, &'static str); 5] {
        let rise = self.rounding_rise;
        [
            (
                self.evaluation_bits == 0 || (2..=12).contains(&self.evaluation_bits),
                "evaluation_bits must be 0 or 2 to 12",
            ),
            (
                self.evaluation_bits == 0 || self.weight_levels == 0,
                "evaluation_bits and weight_levels are two ways to round the same weights: choose one",
            ),
            (
                !self.half || self.evaluation_bits == 0 && self.weight_levels == 0,
                "half rounds weights that evaluation_bits or weight_levels round already: choose one",
            ),
            (
                (0.0..1.0).contains(&rise),
                "rounding_rise must be in [0, 1)",
            ),
            (
                rise == 0.0 || self.weight_levels > 0 || self.evaluation_bits > 0,
                "rounding_rise is about the rounding of weight_levels or evaluation_bits: set one of them",
            ),
        ]
    }

    /// The same for `images` training images.
    pub(crate) fn check_for(&self, images: usize) -> Result<(), String> {
        self.check()?;
        if self.validation_images.saturating_add(2) > images {
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
    fn knobs_that_make_no_sense_are_named() {
        Recipe::default().check_for(60_000).unwrap();
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
                    near_linear: 0.1,
                    replacement: 0.1,
                    ..Recipe::default()
                },
                "exclude each other",
            ),
            (
                Recipe {
                    half: true,
                    evaluation_bits: 8,
                    ..Recipe::default()
                },
                "half",
            ),
            (
                Recipe {
                    validation_images: 60_000,
                    ..Recipe::default()
                },
                "validation_images",
            ),
        ] {
            assert!(
                recipe.check_for(60_000).unwrap_err().contains(word),
                "{word}"
            );
        }
    }
}
