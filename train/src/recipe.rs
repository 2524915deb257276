//! Every knob of training, in one place.

mod checks;

use approx::Activation;
use cryptodl_network::{Layer, Network, NetworkError, Nonlinearity};
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

/// How precise the products of training are. Validation and test always compute in single precision; statistics that
/// are measured for the export are those of training passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// 32-bit floats throughout.
    Single,
    /// Values, filters and gradients are rounded to bf16 (8 bits of mantissa) where they enter the products of
    /// convolutions and of dense layers but the last, in both passes. Sums, weights, the last layer, batch norms, loss,
    /// optimiser and averages stay in 32 bits. Faster on processors with AVX-512 BF16 or AMX; others compute the same,
    /// rounding included, no faster than in single precision. Only for training on the processor.
    Mixed,
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

/// How activation inputs beyond the boundary are punished; `e = relu(|z| - boundary)`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Penalty {
    /// `e²`: a range penalty as in Baruch et al. (2023), arXiv 2304.14836.
    #[default]
    Square,
    /// `exp(e) - 1`, in a straight line from `e = 8` on so that nothing overflows: for degrees that grow faster than a
    /// square. After Al Hossain & Rahman (2025), arXiv 2505.11589.
    Exponential,
}

/// What training may do with the coefficients of polynomials.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Coefficients {
    /// What the network says: they are frozen, or learned for each layer.
    #[default]
    Given,
    /// They are learned, one set a layer.
    Layer,
    /// They are learned, one set a channel. Of degree 2, a batch norm before and a linear layer behind make that
    /// redundant, see [`Nonlinearity::Channels`].
    Channel,
}

impl Coefficients {
    /// The network with polynomials of that kind.
    pub(crate) fn applied(self, network: &Network) -> Result<Network, NetworkError> {
        let mut network = network.clone();
        if self == Self::Given {
            return Ok(network);
        }
        let shapes = network.shapes()?;
        for (layer, shape) in network.layers.iter_mut().zip(shapes) {
            let Layer::Activation(used) = layer else {
                continue;
            };
            match (self, &mut *used) {
                (Self::Channel, Nonlinearity::Polynomial { polynomial, .. }) => {
                    let polynomials = vec![polynomial.clone(); shape.channels];
                    *used = Nonlinearity::Channels {
                        polynomials,
                        learnable: true,
                    };
                }
                (
                    _,
                    Nonlinearity::Polynomial { learnable, .. }
                    | Nonlinearity::Channels { learnable, .. },
                ) => *learnable = true,
                (_, Nonlinearity::Exact(_)) => {}
            }
        }
        Ok(network)
    }
}

/// How a network is trained. The default is for handwriting; each shipped network holds the one that made it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "independent knobs, each on or off"
)]
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
    #[serde(skip_serializing_if = "is_default")]
    pub schedule: Schedule,
    /// Gradients are scaled down to this norm, all tensors together; 0 switches it off.
    pub clip_norm: f64,
    /// Which gradients that is about.
    #[serde(skip_serializing_if = "is_default")]
    pub clipping: Clipping,
    /// Share of the averaged weights that is kept at each step. The averages, batch-norm statistics included, are what
    /// is evaluated and exported; 0 takes the last weights.
    pub average: f64,
    /// Share of probability that the target spreads over all classes.
    pub label_smoothing: f64,
    /// A trained network to begin from instead of random weights: to fine-tune it, or to replace its activations. The
    /// layers must be the same but for the activations, whose coefficients are those of the network that is trained.
    /// Seed and number of validation images must be those of its training, as for `teacher`.
    #[serde(skip_serializing_if = "is_default")]
    pub start: Option<PathBuf>,
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
    /// it; rows keep as many of their largest weights as fit. In front of a sine, which repeats as the table does, the
    /// values of half a turn instead: then rows may have as many weights as they like. For networks that round the inputs
    /// of their linear layers. 0 sets no limit.
    #[serde(skip_serializing_if = "is_default")]
    pub accumulator_levels: u32,
    /// Bits of the integers, sign included, that encrypted evaluation on real numbers will round the weights of linear
    /// layers to (`encrypt --weight-bits`): training meets weights rounded like that, for fine-tuning; what is exported
    /// stays real. 0 switches it off.
    #[serde(skip_serializing_if = "is_default")]
    pub evaluation_bits: u32,
    /// Whether the weights of linear layers are rounded to 16-bit floats, 11 bits of them mantissa, before the network is
    /// evaluated and exported: its file is half as large.
    #[serde(skip_serializing_if = "is_default")]
    pub half: bool,
    /// Share of all steps over which the rounding of weights sets in.
    #[serde(skip_serializing_if = "is_default")]
    pub rounding_rise: f64,
    /// The function of what is beyond the boundary: another one than the square.
    #[serde(skip_serializing_if = "is_default")]
    pub penalty: Penalty,
    /// Share of all steps during which activations turn from `z` into their polynomials: `(1 - t) z + t p(z)`, `t` from
    /// 0 to 1. A deep network of polynomials is tame at first and learns to keep its inputs small. 0 switches it off.
    #[serde(skip_serializing_if = "is_default")]
    pub near_linear: f64,
    /// The same from the activation that the polynomial stands for: best with a `start` that was trained with it.
    /// After Baruch et al. (2022), *A methodology for training homomorphic encryption friendly neural networks*.
    #[serde(skip_serializing_if = "is_default")]
    pub replacement: f64,
    /// Whether the polynomial sees inputs cut to its interval while it is not alone yet.
    #[serde(skip_serializing_if = "is_default")]
    pub replacement_clip: bool,
    /// What training may do with the coefficients of polynomials.
    #[serde(skip_serializing_if = "is_default")]
    pub coefficients: Coefficients,
    /// Whether each polynomial is the Hermite series of `replaced` instead, of the same degree, its terms normalised one
    /// by one for each channel and folded into polynomials of each channel when exported (AESPA).
    #[serde(skip_serializing_if = "is_default")]
    pub hermite: bool,
    /// The activation that `replacement` begins with and `hermite` expands; ReLU if none is named. `cryptodl` names the one that was fitted.
    #[serde(skip_serializing_if = "is_default")]
    pub replaced: Option<Activation>,
    /// How fast batch-norm statistics follow those of the batches, per step.
    pub statistics_rate: f64,
    /// Whether the averaged weights get the statistics that they give themselves on 10,000 training images, instead of
    /// averages of those of the steps: averages of weights vary less, and squares notice (Izmailov et al. 2018, arXiv
    /// 1803.05407, section 3.2). They are medians over batches of 100 images, because of the few that explode.
    #[serde(skip_serializing_if = "is_default")]
    pub measure_statistics: bool,
    /// Each image is brought to one brightness and contrast, before it is moved; for photographs. The network says so, and
    /// whoever encrypts an image does it first.
    pub standardise: bool,
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
    /// The network answers with the mean over an image and its mirror image: in validation and test, and wherever it is
    /// evaluated. Encrypted, that costs twice as much. Steps of training look at one image.
    #[serde(skip_serializing_if = "is_default")]
    pub mirror: bool,
    /// Every other image, at random, is mirrored left to right; for photographs.
    pub flip: bool,
    /// Images are moved by at most this many whole pixels, each axis on its own; what comes in is mirrored at the edge.
    pub crop_pixels: usize,
    /// Side of a square at a random place that is set to the mean; 0 switches it off.
    pub cutout_pixels: usize,
    /// Share of the images that get a patch of another image, whose label then counts by its share of the area (CutMix):
    /// against learning images by heart. 0 switches it off.
    #[serde(skip_serializing_if = "is_default")]
    pub cutmix: f64,
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
            precision: Precision::Single,
            optimiser: Optimiser::Muon,
            learning_rate: 3e-3,
            muon_learning_rate: 0.05,
            muon_momentum: 0.6,
            weight_decay: 1e-2,
            warm_up: 0.1,
            schedule: Schedule::Linear,
            clip_norm: 1.0,
            clipping: Clipping::All,
            average: 0.998,
            label_smoothing: 0.1,
            start: None,
            teacher: None,
            teacher_weight: 0.9,
            temperature: 2.0,
            boundary: 3.0,
            boundary_weight: 0.1,
            weight_levels: 0,
            output_weight_levels: 0,
            accumulator_levels: 0,
            evaluation_bits: 0,
            half: false,
            rounding_rise: 0.0,
            penalty: Penalty::Square,
            near_linear: 0.0,
            replacement: 0.0,
            replacement_clip: false,
            replaced: None,
            coefficients: Coefficients::Given,
            hermite: false,
            statistics_rate: 0.1,
            measure_statistics: false,
            standardise: false,
            rotation_degrees: 8.0,
            scale: 0.08,
            shear: 0.1,
            shift_pixels: 1.4,
            elastic_pixels: 0.5,
            mirror: false,
            flip: false,
            crop_pixels: 0,
            cutout_pixels: 0,
            cutmix: 0.0,
        }
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
            schedule: Schedule::Cosine,
            near_linear: 0.25,
            ..Recipe::default()
        };
        let text = serde_json::to_string(&recipe).unwrap();
        assert_eq!(serde_json::from_str::<Recipe>(&text).unwrap(), recipe);
    }
}
