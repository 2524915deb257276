//! Recipes as they are written down: all knobs side by side, without the groups.
//!
//! Files, manifests and artifacts have held recipes like that from the beginning, and people set knobs by these names. A
//! recipe is compared with an earlier one as text, so the order stays, too; knobs that came later stand where they came.

use super::{
    Augmentation, Averaging, Boundary, Clipping, Coefficients, Optimisation, Optimiser,
    Polynomials, Recipe, Rounding, Schedule, Targets,
};
use approx::Activation;
use cryptodl_kernels::{Penalty, Precision};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::path::PathBuf;

/// Every knob, see [`Recipe`] and its groups for what it does.
#[derive(Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent knobs, each on or off"
)]
struct Flat {
    seed: u64,
    epochs: usize,
    batch: usize,
    validation_images: usize,
    precision: Precision,
    optimiser: Optimiser,
    learning_rate: f64,
    muon_learning_rate: f64,
    muon_momentum: f64,
    weight_decay: f64,
    warm_up: f64,
    #[serde(skip_serializing_if = "is_default")]
    schedule: Schedule,
    clip_norm: f64,
    #[serde(skip_serializing_if = "is_default")]
    clipping: Clipping,
    average: f64,
    label_smoothing: f64,
    #[serde(skip_serializing_if = "is_default")]
    start: Option<PathBuf>,
    teacher: Option<PathBuf>,
    teacher_weight: f64,
    temperature: f64,
    #[serde(rename = "boundary")]
    at: f64,
    #[serde(rename = "boundary_weight")]
    weight: f64,
    #[serde(skip_serializing_if = "is_default")]
    weight_levels: u32,
    #[serde(skip_serializing_if = "is_default")]
    output_weight_levels: u32,
    #[serde(skip_serializing_if = "is_default")]
    accumulator_levels: u32,
    #[serde(skip_serializing_if = "is_default")]
    evaluation_bits: u32,
    #[serde(skip_serializing_if = "is_default")]
    half: bool,
    #[serde(skip_serializing_if = "is_default")]
    rounding_rise: f64,
    #[serde(skip_serializing_if = "is_default")]
    penalty: Penalty,
    #[serde(skip_serializing_if = "is_default")]
    near_linear: f64,
    #[serde(skip_serializing_if = "is_default")]
    replacement: f64,
    #[serde(skip_serializing_if = "is_default")]
    replacement_clip: bool,
    #[serde(skip_serializing_if = "is_default")]
    coefficients: Coefficients,
    #[serde(skip_serializing_if = "is_default")]
    hermite: bool,
    #[serde(skip_serializing_if = "is_default")]
    replaced: Option<Activation>,
    statistics_rate: f64,
    #[serde(skip_serializing_if = "is_default")]
    measure_statistics: bool,
    standardise: bool,
    rotation_degrees: f64,
    scale: f64,
    shear: f64,
    shift_pixels: f64,
    elastic_pixels: f64,
    #[serde(skip_serializing_if = "is_default")]
    mirror: bool,
    flip: bool,
    crop_pixels: usize,
    cutout_pixels: usize,
    #[serde(skip_serializing_if = "is_default")]
    cutmix: f64,
}

/// Knobs that came later are only written down where they are used, so that what was kept before still compares equal.
fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl Default for Flat {
    fn default() -> Self {
        Recipe::default().into()
    }
}

impl Serialize for Recipe {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Flat::from(self.clone()).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Recipe {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Flat::deserialize(deserializer).map(Self::from)
    }
}

/// Both ways between knobs side by side and knobs in groups. One that is missing here does not compile.
macro_rules! groups {
    ($($own:ident),*; $($group:ident: $Group:ident { $($knob:ident),* })*) => {
        impl From<Flat> for Recipe {
            fn from(flat: Flat) -> Self {
                Self {
                    $($own: flat.$own,)*
                    $($group: $Group { $($knob: flat.$knob),* },)*
                }
            }
        }

        impl From<Recipe> for Flat {
            fn from(recipe: Recipe) -> Self {
                Self {
                    $($own: recipe.$own,)*
                    $($($knob: recipe.$group.$knob,)*)*
                }
            }
        }
    };
}

groups! {
    seed, epochs, batch, validation_images, precision, start, standardise, mirror;
    optimisation: Optimisation {
        optimiser, learning_rate, muon_learning_rate, muon_momentum, weight_decay, warm_up,
        schedule, clip_norm, clipping
    }
    averaging: Averaging {
        average, statistics_rate, measure_statistics
    }
    targets: Targets {
        label_smoothing, teacher, teacher_weight, temperature
    }
    boundary: Boundary {
        at, weight, penalty
    }
    rounding: Rounding {
        weight_levels, output_weight_levels, accumulator_levels, evaluation_bits, half,
        rounding_rise
    }
    polynomials: Polynomials {
        near_linear, replacement, replacement_clip, coefficients, hermite, replaced
    }
    augmentation: Augmentation {
        rotation_degrees, scale, shear, shift_pixels, elastic_pixels, flip, crop_pixels,
        cutout_pixels, cutmix
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the default was written as before there were groups.
    const DEFAULT: &str = r#"{"seed":1,"epochs":30,"batch":256,"validation_images":5000,"precision":"single","optimiser":"muon","learning_rate":0.003,"muon_learning_rate":0.05,"muon_momentum":0.6,"weight_decay":0.01,"warm_up":0.1,"clip_norm":1.0,"average":0.998,"label_smoothing":0.1,"teacher":null,"teacher_weight":0.9,"temperature":2.0,"boundary":3.0,"boundary_weight":0.1,"statistics_rate":0.1,"standardise":false,"rotation_degrees":8.0,"scale":0.08,"shear":0.1,"shift_pixels":1.4,"elastic_pixels":0.5,"flip":false,"crop_pixels":0,"cutout_pixels":0}"#;

    #[test]
    fn the_default_is_written_as_it_always_was() {
        assert_eq!(serde_json::to_string(&Recipe::default()).unwrap(), DEFAULT);
    }

    #[test]
    fn every_knob_comes_back_and_stands_in_its_place() {
        // None is the default, and no two are equal.
        let text = r#"{"seed":2,"epochs":3,"batch":4,"validation_images":5,"precision":"mixed","optimiser":"adamw","learning_rate":0.06,"muon_learning_rate":0.07,"muon_momentum":0.08,"weight_decay":0.09,"warm_up":0.11,"schedule":"cosine","clip_norm":0.12,"clipping":"selective","average":0.13,"label_smoothing":0.14,"start":"s","teacher":"t","teacher_weight":0.15,"temperature":0.16,"boundary":0.17,"boundary_weight":0.18,"weight_levels":19,"output_weight_levels":20,"accumulator_levels":21,"evaluation_bits":22,"half":true,"rounding_rise":0.23,"penalty":"exponential","near_linear":0.24,"replacement":0.25,"replacement_clip":true,"coefficients":"channel","hermite":true,"replaced":"tanh","statistics_rate":0.26,"measure_statistics":true,"standardise":true,"rotation_degrees":0.27,"scale":0.28,"shear":0.29,"shift_pixels":0.3,"elastic_pixels":0.31,"mirror":true,"flip":true,"crop_pixels":32,"cutout_pixels":33,"cutmix":0.34}"#;
        let recipe: Recipe = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&recipe).unwrap(), text);
        let Augmentation { shear, cutmix, .. } = recipe.augmentation;
        assert_eq!((shear, cutmix), (0.29, 0.34));
        let Boundary { at, weight, .. } = recipe.boundary;
        assert_eq!((at, weight), (0.17, 0.18));
        let (rate, bits) = (
            recipe.optimisation.learning_rate,
            recipe.rounding.evaluation_bits,
        );
        assert_eq!((rate, bits), (0.06, 22));
    }

    #[test]
    fn missing_knobs_are_the_default_and_unknown_ones_are_refused() {
        let recipe: Recipe =
            serde_json::from_str(r#"{"epochs": 3, "optimiser": "adamw"}"#).unwrap();
        assert_eq!(
            recipe,
            Recipe {
                epochs: 3,
                optimisation: Optimisation {
                    optimiser: Optimiser::AdamW,
                    ..Optimisation::default()
                },
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
    fn knobs_that_came_later_are_written_only_where_they_are_used() {
        let text = serde_json::to_string(&Recipe::default()).unwrap();
        for knob in [
            "start",
            "schedule",
            "clipping",
            "penalty",
            "near_linear",
            "replace",
        ] {
            assert!(!text.contains(knob), "{knob} in {text}");
        }
        let recipe = Recipe {
            optimisation: Optimisation {
                schedule: Schedule::Cosine,
                ..Optimisation::default()
            },
            polynomials: Polynomials {
                near_linear: 0.25,
                ..Polynomials::default()
            },
            ..Recipe::default()
        };
        let text = serde_json::to_string(&recipe).unwrap();
        assert_eq!(serde_json::from_str::<Recipe>(&text).unwrap(), recipe);
    }
}
