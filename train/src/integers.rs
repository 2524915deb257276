//! Weights as encrypted evaluation on real numbers will round them, so that training can get used to it.
//!
//! 1. The layers are folded by the very functions of evaluation ([`cryptodl_fold::fold_matrices`]): a batch norm behind a
//!    linear layer scales its rows, what stands before it scales its columns, and pools make its filters larger.
//! 2. They are rounded by the very functions of evaluation ([`cryptodl_fold::rounding`]): all weights of a folded layer
//!    share one step, and along each row the error of a rounding is handed on to the next weight.
//! 3. The rounded layer is unfolded again. What rounding changed is added as a constant, so that gradients go straight
//!    through to the real weights, which are what is exported: evaluation rounds them itself.
//!
//! Batch norms are folded with their running statistics, as in evaluation, while a training step normalises by its
//! batch. Where a pool made several weights of one that training computes with, the change is the nearest one by least
//! squares.

use crate::TrainError;
use crate::layers::{Module, widened};
use crate::model::Model;
use crate::recipe::Rounding;
use burn::tensor::{Device, Tensor, TensorData};
use cryptodl_fold::matrices::Folded;
use cryptodl_fold::rounding::{largest_weight, round_row, step};
use cryptodl_fold::{FoldError, fold_matrices};
use cryptodl_network::{Artifact, Network, Provenance};

/// How many bits the weights get, and when.
pub(crate) struct Integers {
    /// The largest integer.
    largest: f64,
    /// Share of all steps over which rounding sets in.
    rise: f64,
}

impl Integers {
    /// What is asked for, or none; the error is one sentence about a network that it cannot be done for.
    pub(crate) fn new(model: &Model, rounding: &Rounding) -> Result<Option<Self>, String> {
        if rounding.evaluation_bits == 0 {
            return Ok(None);
        }
        if model.network().mirrored {
            return Err("evaluation_bits knows no mirror images: set it to 0".to_owned());
        }
        Ok(Some(Self {
            largest: largest_weight(rounding.evaluation_bits).map_err(|e| e.to_string())?,
            rise: rounding.rounding_rise,
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
        // for a step, a polynomial that is learned may have no leading coefficient: then nothing is rounded
        for folded in matrices(model, weights).unwrap_or_default() {
            let name = format!("layers.{}.weight", folded.node);
            let position = model.parameters.iter().position(|p| p.name == name);
            let position = position.expect("every linear layer has weights");
            let filters = weights[position].clone().inner();
            let change = self.change(&folded, &filters, model.spread(position));
            changes[position] = Some(change * risen);
        }
        changes
    }

    /// What rounding adds to the filters that the model computes with.
    fn change(
        &self,
        folded: &Folded,
        filters: &Tensor<2>,
        spread: Option<&Tensor<2>>,
    ) -> Tensor<2> {
        let Folded { matrix, origin, .. } = folded;
        let (integers, step) = self.rounded(folded);
        let rounded: Vec<f64> = integers.iter().map(|q| *q as f64 * step).collect();
        // as the model has them, with the pools that it merged
        let wide = match spread {
            Some(spread) => widened(filters.clone(), spread),
            None => filters.clone(),
        };
        let difference: Vec<f64> = rounded
            .iter()
            .zip(&matrix.data)
            .map(|(r, w)| r - w)
            .collect();
        // a row or column that counts for nothing need not change
        let difference = origin.unscaled(&difference, &vec![0.0; difference.len()]);
        let sides = wide.dims();
        let same_window = sides[0] * sides[1] == difference.len();
        let tensor = |data: Vec<f64>, sides: [usize; 2]| {
            let data: Vec<f32> = data.into_iter().map(|x| x as f32).collect();
            Tensor::<2>::from_data(TensorData::new(data, sides), &filters.device())
        };
        if same_window {
            return tensor(difference, sides);
        }
        let narrow = tensor(origin.narrowed(&difference), filters.dims());
        match spread {
            Some(spread) => widened(narrow, spread),
            None => narrow,
        }
    }

    /// The integers of a layer, row by row, and their step.
    fn rounded(&self, Folded { matrix, .. }: &Folded) -> (Vec<i64>, f64) {
        let step = step(matrix.data.iter(), self.largest);
        let rows = matrix.data.chunks(matrix.columns.max(1));
        let integers = rows.flat_map(|row| round_row(row, 1.0 / step, self.largest));
        (integers.collect(), step)
    }
}

/// The folded matrices of the model's network with these weights.
fn matrices(model: &Model, weights: &[Tensor<2>]) -> Result<Vec<Folded>, FoldError> {
    let weights: Vec<Tensor<2>> = weights
        .iter()
        .map(|weight| weight.clone().inner())
        .collect();
    let (network, tensors): (Network, _) = model.export(&weights);
    fold_matrices(&Artifact {
        network,
        tensors,
        provenance: Provenance::default(),
    })
}

/// The integers that training with `evaluation_bits` takes for the weights of each linear layer of a trained network,
/// row by row: to be compared with those of evaluation.
///
/// # Errors
/// [`TrainError::Tensor`] if a tensor does not fit the network, [`TrainError::Recipe`] for bits out of range and for
/// networks with mirror images or that cannot be folded.
pub fn evaluation_weights(artifact: &Artifact, bits: u32) -> Result<Vec<Vec<i64>>, TrainError> {
    let device = Device::default();
    let model = Model::new(&artifact.network, &device)?;
    let weights = model
        .weights(&artifact.tensors, &device)
        .map_err(TrainError::Tensor)?;
    let rounding = Rounding {
        evaluation_bits: bits,
        ..Rounding::default()
    };
    let Some(integers) = Integers::new(&model, &rounding).map_err(TrainError::Recipe)? else {
        return Ok(Vec::new());
    };
    let folded = matrices(&model, &weights);
    let folded = folded.map_err(|error| TrainError::Recipe(error.to_string()))?;
    let layers = folded.iter();
    Ok(layers.map(|folded| integers.rounded(folded).0).collect())
}

impl Model {
    /// What makes the filters of a weight larger, if a mean pool became part of its convolution.
    fn spread(&self, position: usize) -> Option<&Tensor<2>> {
        self.modules().find_map(|module| match module {
            Module::Convolution { weight, spread, .. } if *weight == position => spread.as_deref(),
            _ => None,
        })
    }
}
