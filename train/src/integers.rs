//! Weights as encrypted evaluation on real numbers will round them, so that training can get used to it.
//!
//! 1. The layers are folded as for evaluation: a batch norm behind a linear layer scales its rows, what stands before
//!    it scales its columns, and a mean pool behind a convolution makes its filters larger.
//! 2. All weights of a folded layer share one step, `largest |w| / (2^(bits - 1) - 1)`. Along each row the error of a
//!    rounding is handed on to the next weight.
//! 3. The rounded layer is unfolded again. What rounding changed is added as a constant, so that gradients go straight
//!    through to the real weights, which are what is exported: evaluation rounds them itself.
//!
//! Batch norms are folded with their running statistics, as in evaluation, while a training step normalises by its
//! batch. Two things are rounded as they stand here and differently in evaluation: a linear layer behind a mean pool
//! that follows an activation, and filters that a pool would make larger without saving products.

use crate::layers::Module;
use crate::model::{Model, values};
use crate::{Recipe, TrainError};
use burn::tensor::{Device, Tensor, TensorData};
use cryptodl_network::{Artifact, BATCH_NORM_EPSILON, Layer, Nonlinearity};

/// The folded layers of a network, and how many bits they get.
pub(crate) struct Integers {
    layers: Vec<Folded>,
    /// The largest integer.
    largest: f64,
    /// Share of all steps over which rounding sets in.
    rise: f64,
}

/// A linear layer with the affine maps around it.
struct Folded {
    /// Position of the weight among those of the model.
    weight: usize,
    /// What the columns of each input channel are multiplied by, whatever the weights are.
    columns: Vec<f64>,
    /// Positions of the gammas of the batch norms that scale the columns.
    before: Vec<usize>,
    /// Positions of the gammas of the batch norms that scale the rows.
    behind: Vec<usize>,
}

/// A folded layer, rounded.
struct Rounded {
    /// Integers, row by row.
    integers: Vec<i64>,
    /// What the rounding adds to the filters that the model computes with.
    change: Vec<f32>,
    /// Rows and columns.
    sides: [usize; 2],
}

impl Integers {
    /// What the recipe asks for, or none; the error is one sentence about a network that it cannot be done for.
    pub(crate) fn new(model: &Model, recipe: &Recipe) -> Result<Option<Self>, String> {
        if recipe.evaluation_bits == 0 {
            return Ok(None);
        }
        let network = model.network();
        if network.mirrored || network.layers.contains(&Layer::Skip) {
            let sentence =
                "evaluation_bits knows neither skip connections nor mirror images: set it to 0";
            return Err(sentence.to_owned());
        }
        let position = |index: usize, name: &str| {
            let name = format!("layers.{index}.{name}");
            let found = model.parameters.iter().position(|p| p.name == name);
            found.expect("every layer has its parameters")
        };
        let mut layers: Vec<Folded> = Vec::new();
        let deviations = network.normalisation.deviation.iter();
        let mut columns: Vec<f64> = deviations.map(|d| 1.0 / f64::from(*d)).collect();
        let mut before = Vec::new();
        // Whether what comes next still belongs to the last linear layer.
        let mut open = false;
        let shapes = network.shapes().expect("a model has a valid network");
        for (index, layer) in network.layers.iter().enumerate() {
            match layer {
                Layer::Convolution { .. } | Layer::Dense { .. } => {
                    if open {
                        (columns, before) = (vec![1.0; shapes[index - 1].channels], Vec::new());
                    }
                    layers.push(Folded {
                        weight: position(index, "weight"),
                        columns: std::mem::take(&mut columns),
                        before: std::mem::take(&mut before),
                        behind: Vec::new(),
                    });
                    open = true;
                }
                Layer::BatchNorm => match layers.last_mut() {
                    Some(folded) if open => folded.behind.push(position(index, "gamma")),
                    _ => before.push(position(index, "gamma")),
                },
                // The same factor for every weight of a layer changes its step and no integer; skip connections are
                // refused before.
                Layer::MeanPool { .. } | Layer::Skip | Layer::Add => {}
                Layer::Activation(nonlinearity) if linear(nonlinearity) => {}
                Layer::Activation(_) | Layer::Quantise { .. } => {
                    (columns, before) = (vec![1.0; shapes[index].channels], Vec::new());
                    open = false;
                }
            }
        }
        Ok(Some(Self {
            layers,
            largest: f64::from((1_u32 << (recipe.evaluation_bits - 1)) - 1),
            rise: recipe.rounding_rise,
        }))
    }

    /// What is added to the filters of each linear layer after a `share` of all steps: by the positions of the weights.
    pub(crate) fn changes(
        &self,
        model: &Model,
        weights: &[Tensor<2>],
        share: f64,
    ) -> Vec<Option<Tensor<2>>> {
        let risen = if share < self.rise {
            (share / self.rise) as f32
        } else {
            1.0
        };
        let mut changes: Vec<Option<Tensor<2>>> = weights.iter().map(|_| None).collect();
        for folded in &self.layers {
            let Rounded { change, sides, .. } = self.round(folded, model, weights);
            let device = weights[folded.weight].device().inner();
            let change = Tensor::from_data(TensorData::new(change, sides), &device);
            changes[folded.weight] = Some(change * risen);
        }
        changes
    }

    fn round(&self, folded: &Folded, model: &Model, weights: &[Tensor<2>]) -> Rounded {
        let weight = weights[folded.weight].clone().inner();
        let filters = match model.spread(folded.weight) {
            Some(spread) => crate::layers::widened(weight, spread),
            None => weight,
        };
        let sides @ [_, fan_in] = filters.dims();
        let filters = values(&filters);
        let factors = |gammas: &[usize], channel: usize| -> f64 {
            let factor = |gamma: &usize| {
                let at = |offset: usize| {
                    f64::from(values(&weights[gamma + offset].clone().inner())[channel])
                };
                at(0) / (at(3) + BATCH_NORM_EPSILON).sqrt()
            };
            gammas.iter().map(factor).product()
        };
        let rows: Vec<f64> = (0..sides[0])
            .map(|row| factors(&folded.behind, row))
            .collect();
        let columns = folded.columns.iter().enumerate();
        let columns: Vec<f64> = columns
            .map(|(channel, factor)| factor * factors(&folded.before, channel))
            .collect();
        let window = fan_in / columns.len();
        let factor = |index: usize| rows[index / fan_in] * columns[index % fan_in / window];
        let real: Vec<f64> = filters
            .iter()
            .enumerate()
            .map(|(index, w)| f64::from(*w) * factor(index))
            .collect();
        let peak = real.iter().fold(0.0, |peak: f64, w| peak.max(w.abs()));
        let step = if peak > 0.0 { peak / self.largest } else { 1.0 };
        let integers: Vec<i64> = real
            .chunks_exact(fan_in)
            .flat_map(|row| self.diffused(row, step))
            .collect();
        let change = filters
            .iter()
            .zip(&integers)
            .enumerate()
            .map(|(index, (w, integer))| {
                let factor = factor(index);
                // A row or column that counts for nothing need not change.
                if factor == 0.0 {
                    0.0
                } else {
                    (*integer as f64 * step / factor - f64::from(*w)) as f32
                }
            });
        let change = change.collect();
        Rounded {
            integers,
            change,
            sides,
        }
    }

    /// The integers of a row, each rounding error handed on to the next weight.
    fn diffused(&self, row: &[f64], step: f64) -> Vec<i64> {
        let mut carry = 0.0;
        let integers = row.iter().map(|w| {
            let wanted = w / step + carry;
            let rounded = wanted.round().clamp(-self.largest, self.largest);
            carry = wanted - rounded;
            rounded as i64
        });
        integers.collect()
    }
}

/// Whether it is a polynomial of degree 1, which evaluation folds into the layer before.
fn linear(nonlinearity: &Nonlinearity) -> bool {
    matches!(nonlinearity, Nonlinearity::Polynomial { polynomial, .. } if polynomial.degree() == 1)
}

/// The integers that training with `evaluation_bits` takes for the weights of each linear layer of a trained network,
/// row by row: to be compared with those of evaluation.
///
/// # Errors
/// [`TrainError::Tensor`] if a tensor does not fit the network, [`TrainError::Recipe`] for bits out of range and for
/// networks with skip connections or mirror images.
pub fn evaluation_weights(artifact: &Artifact, bits: u32) -> Result<Vec<Vec<i64>>, TrainError> {
    let device = Device::default();
    let model = Model::new(&artifact.network, &device)?;
    let weights = model
        .weights(&artifact.tensors, &device)
        .map_err(TrainError::Tensor)?;
    let recipe = Recipe {
        evaluation_bits: bits,
        ..Recipe::default()
    };
    recipe.check().map_err(TrainError::Recipe)?;
    let Some(integers) = Integers::new(&model, &recipe).map_err(TrainError::Recipe)? else {
        return Ok(Vec::new());
    };
    let layers = integers.layers.iter();
    Ok(layers
        .map(|folded| integers.round(folded, &model, &weights).integers)
        .collect())
}

impl Model {
    /// What makes the filters of a weight larger, if a mean pool became part of its convolution.
    fn spread(&self, position: usize) -> Option<&Tensor<2>> {
        self.modules().iter().find_map(|module| match module {
            Module::Convolution { weight, spread, .. } if *weight == position => spread.as_deref(),
            _ => None,
        })
    }
}
