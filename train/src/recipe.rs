//! Every knob of training, in one place: what a run is, and a group for each part of training.

mod augmentation;
mod averaging;
mod boundary;
mod check;
mod flat;
mod optimisation;
mod polynomials;
mod rounding;
mod targets;

pub use augmentation::Augmentation;
pub use averaging::Averaging;
pub use boundary::Boundary;
pub use optimisation::{Clipping, Optimisation, Optimiser, Schedule};
pub use polynomials::{Coefficients, Polynomials};
pub use rounding::Rounding;
pub use targets::Targets;

use cryptodl_kernels::Precision;
use std::path::PathBuf;

/// How a network is trained. The default is for handwriting; each shipped network holds the one that made it.
///
/// In files and on the command line all knobs stand side by side: `epochs`, `muon_learning_rate`, `boundary_weight`.
/// There, knobs that are missing have their defaults, and unknown ones are refused.
#[derive(Clone, Debug, PartialEq)]
pub struct Recipe {
    /// Start of every random choice: split, first weights, order, augmentation.
    pub seed: u64,
    /// Passes over the training images; more is better and slower.
    pub epochs: usize,
    /// Images a step. Larger batches are faster an image, and need a larger learning rate.
    pub batch: usize,
    /// Training images held out, to choose between recipes without looking at test images.
    pub validation_images: usize,
    /// How precise the products of training are: `mixed` is faster where the processor has instructions for it.
    pub precision: Precision,
    /// A trained network to begin from instead of random weights: to fine-tune it, or to replace its activations. The
    /// layers must be the same but for the activations, whose coefficients are those of the network that is trained.
    /// Seed and number of validation images must be those of its training, as for `teacher`.
    pub start: Option<PathBuf>,
    /// Each image is brought to one brightness and contrast, before it is moved; for photographs. The network says so, and
    /// whoever encrypts an image does it first.
    pub standardise: bool,
    /// The network answers with the mean over an image and its mirror image: in validation and test, and wherever it is
    /// evaluated. Encrypted, that costs twice as much. Steps of training look at one image.
    pub mirror: bool,
    /// How steps are made of gradients.
    pub optimisation: Optimisation,
    /// What is averaged over steps: weights and batch-norm statistics.
    pub averaging: Averaging,
    /// What the answers of the network are compared with.
    pub targets: Targets,
    /// Where the inputs of activations should stay, and what it costs if they do not.
    pub boundary: Boundary,
    /// How weights are rounded, in training and in what is exported.
    pub rounding: Rounding,
    /// How polynomials take the place of activations while training goes on.
    pub polynomials: Polynomials,
    /// How training images are varied at random.
    pub augmentation: Augmentation,
}

impl Default for Recipe {
    fn default() -> Self {
        Self {
            seed: 1,
            epochs: 30,
            batch: 256,
            validation_images: 5_000,
            precision: Precision::Single,
            start: None,
            standardise: false,
            mirror: false,
            optimisation: Optimisation::default(),
            averaging: Averaging::default(),
            targets: Targets::default(),
            boundary: Boundary::default(),
            rounding: Rounding::default(),
            polynomials: Polynomials::default(),
            augmentation: Augmentation::default(),
        }
    }
}

impl Recipe {
    /// Whether its knobs make sense together, whatever they are used for.
    ///
    /// # Errors
    /// One sentence about the first knob that does not.
    pub fn check(&self) -> Result<(), String> {
        let own = vec![
            (self.epochs >= 1, "epochs must be at least 1"),
            (
                self.batch >= 2,
                "batch must be at least 2: a batch norm needs more than one image",
            ),
        ];
        let checks = [
            own,
            self.optimisation.checks(),
            self.averaging.checks(),
            self.targets.checks(),
            self.boundary.checks(),
            self.rounding.checks(),
            self.polynomials.checks(),
            self.augmentation.checks(),
        ];
        match checks.into_iter().flatten().find(|(good, _)| !good) {
            Some((_, sentence)) => Err(sentence.to_owned()),
            None => Ok(()),
        }
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
                    averaging: Averaging {
                        average: 1.0,
                        ..Averaging::default()
                    },
                    ..Recipe::default()
                },
                "average",
            ),
            (
                Recipe {
                    optimisation: Optimisation {
                        learning_rate: f64::NAN,
                        ..Optimisation::default()
                    },
                    ..Recipe::default()
                },
                "learning_rate",
            ),
            (
                Recipe {
                    polynomials: Polynomials {
                        near_linear: 0.1,
                        replacement: 0.1,
                        ..Polynomials::default()
                    },
                    ..Recipe::default()
                },
                "exclude each other",
            ),
            (
                Recipe {
                    rounding: Rounding {
                        half: true,
                        evaluation_bits: 8,
                        ..Rounding::default()
                    },
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
