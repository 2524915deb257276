//! Weights on a grid: each row of a linear layer holds small integers times one step.
//!
//! 1. The step of a row is the smallest one with which its largest weight is at most `m` steps and, where accumulators
//!    are limited, the absolute integers `|q|` of the row sum to at most `B`. So the row keeps its largest entries.
//! 2. Each weight becomes the nearest multiple `q · step`.
//! 3. In training the rounded weights are what images meet, and their gradients move the real ones behind them
//!    (straight through). Over the first share of the steps (`rounding_rise`), real weights turn into rounded ones bit
//!    by bit, so that a sparse row can choose its entries before it must do with them.
//!
//! Sines need no such limit: `sin(x + π) = -sin(x)`, and so does a look-up on the torus. In front of one, without a
//! batch norm between, `accumulator_levels` is the number of values in half a turn: the step is fixed, `π` divided by
//! `accumulator_levels` and by the distance of the inputs' values, and sums may go round as often as they like.
//!
//! `B`: inputs that a rounding layer made are `low + step · k`, `k = 0 … levels - 1`. So `Σ q k` takes at most
//! `Σ|q| · (levels - 1) + 1` values, which a limit of `accumulator_levels` turns into
//! `Σ|q| ≤ (accumulator_levels - 1) / (levels - 1)`.
//!
//! # References
//! - Bengio, Léonard, Courville (2013), *Estimating or propagating gradients through stochastic neurons*, arXiv
//!   1308.3432, for gradients straight through a rounding.
//! - Li, Zhang, Liu (2016), *Ternary weight networks*, arXiv 1605.04711.

use crate::model::Model;
use crate::recipe::Rounding;
use crate::values::values;
use approx::Activation;
use burn::tensor::{Tensor, TensorData};
use cryptodl_network::{Layer, Network, Nonlinearity, ValueId};
use std::f64::consts::PI;

/// What the weights of a network are rounded to.
pub(crate) struct RoundedWeights {
    /// What each weight of the model must keep to; none: it stays real.
    limits: Vec<Option<Limit>>,
    /// Share of all steps over which rounding sets in.
    rise: f64,
}

/// What the integers of a row must keep to.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Limit {
    /// The largest absolute integer.
    largest: u32,
    /// The largest sum of absolute integers of a row.
    sum: Option<u32>,
    /// The step, where it is not the row's to choose.
    step: Option<f32>,
}

impl RoundedWeights {
    /// The grids that are asked for, or none; the error is one sentence about a knob that makes no sense.
    pub(crate) fn new(model: &Model, rounding: &Rounding) -> Result<Option<Self>, String> {
        for (levels, name) in [
            (rounding.weight_levels, "weight_levels"),
            (rounding.output_weight_levels, "output_weight_levels"),
        ] {
            if levels != 0 && (levels % 2 == 0 || !(3..=255).contains(&levels)) {
                return Err(format!(
                    "{name} must be 0 or an odd number from 3 to 255: as many weights below 0 as above"
                ));
            }
        }
        if rounding.weight_levels == 0 {
            return if rounding.accumulator_levels > 0 {
                Err("accumulator_levels needs weights on a grid: set weight_levels too".to_owned())
            } else if rounding.output_weight_levels > 0 {
                Err(
                    "output_weight_levels needs weight_levels, which the other layers get"
                        .to_owned(),
                )
            } else {
                Ok(None)
            };
        }
        let network = model.network();
        let linear =
            |layer: &Layer| matches!(layer, Layer::Convolution { .. } | Layer::Dense { .. });
        let layers: Vec<&Layer> = network.layers().collect();
        let last = layers.iter().rposition(|layer| linear(layer));
        let mut limits: Vec<Option<Limit>> = model.parameters.iter().map(|_| None).collect();
        for index in (0..layers.len()).filter(|index| linear(layers[*index])) {
            let is_last = Some(index) == last;
            let levels = match rounding.output_weight_levels {
                own if is_last && own > 0 => own,
                _ => rounding.weight_levels,
            };
            let looked_up = !is_last && rounding.accumulator_levels > 0;
            let (mut sum, mut step) = (None, None);
            if looked_up {
                let (inputs, distance) = rounded_inputs(network, index)?;
                if turns(network, index) {
                    let half_turn = f64::from(rounding.accumulator_levels) * distance;
                    step = Some((PI / half_turn) as f32);
                } else {
                    sum = Some(largest_sum(inputs, index, rounding.accumulator_levels)?);
                }
            }
            let name = format!("layers.{index}.weight");
            let position = model.parameters.iter().position(|p| p.name == name);
            let largest = (levels - 1) / 2;
            limits[position.expect("every linear layer has weights")] =
                Some(Limit { largest, sum, step });
        }
        let rise = rounding.rounding_rise;
        Ok(Some(Self { limits, rise }))
    }

    /// The weights with those of linear layers rounded: what is evaluated and exported.
    pub(crate) fn rounded(&self, weights: &[Tensor<2>]) -> Vec<Tensor<2>> {
        let pairs = weights.iter().zip(&self.limits);
        pairs
            .map(|(weight, limit)| match limit {
                Some(limit) => {
                    let weight = weight.clone().inner();
                    let mut data = values(&weight);
                    for row in data.chunks_exact_mut(weight.dims()[1]) {
                        limit.round(row);
                    }
                    Tensor::from_data(TensorData::new(data, weight.dims()), &weight.device())
                }
                None => weight.clone(),
            })
            .collect()
    }

    /// What images meet in training, after a `share` of all steps; gradients go straight through to `weights`.
    pub(crate) fn trained(&self, weights: &[Tensor<2>], share: f64) -> Vec<Tensor<2>> {
        let risen = if share < self.rise {
            share / self.rise
        } else {
            1.0
        };
        let pairs = weights.iter().zip(self.rounded(weights));
        pairs
            .zip(&self.limits)
            .map(|((weight, rounded), limit)| match limit {
                Some(_) => {
                    let change = (rounded - weight.clone().inner()) * risen;
                    weight.clone() + change.autodiff()
                }
                None => rounded,
            })
            .collect()
    }
}

/// How many values the inputs of the linear layer at `index` can take, and how far apart.
fn rounded_inputs(network: &Network, index: usize) -> Result<(u32, f64), String> {
    let before = network.nodes[index].inputs[0].node();
    match before.map(|before| &network.nodes[before].layer) {
        Some(Layer::Quantise { levels, low, high }) => {
            Ok((*levels, (high - low) / f64::from(levels - 1)))
        }
        _ => Err(format!(
            "accumulator_levels needs inputs on a grid, and no rounding stands before layer {index} of `{}`",
            network.name
        )),
    }
}

/// Whether a sine reads the sums of the linear layer at `index` as they are.
fn turns(network: &Network, index: usize) -> bool {
    let sine = Layer::Activation(Nonlinearity::Exact(Activation::Sine));
    let readers = network.readers().swap_remove(ValueId::of_node(index).0);
    matches!(readers[..], [reader] if network.nodes[reader].layer == sine)
}

/// The largest `Σ|q|` of a row of the linear layer at `index`, whose inputs take `levels` values.
fn largest_sum(levels: u32, index: usize, accumulator_levels: u32) -> Result<u32, String> {
    match accumulator_levels.saturating_sub(1) / (levels - 1) {
        0 => Err(format!(
            "accumulator_levels = {accumulator_levels} has no room for a single weight at layer {index}, whose inputs have {levels} levels"
        )),
        sum => Ok(sum),
    }
}

impl Limit {
    /// Rounds the weights of one row.
    fn round(self, row: &mut [f32]) {
        let step = self.step(row);
        if step > 0.0 {
            let largest = self.largest as f32;
            for weight in row {
                *weight = (*weight / step).round().clamp(-largest, largest) * step;
            }
        }
    }

    /// The smallest step that keeps the row within the limit, and a little more: a number of 12 bits, whose multiples
    /// are exact. 0 for a row of zeros.
    fn step(self, row: &[f32]) -> f32 {
        if let Some(step) = self.step {
            return step;
        }
        let peak = row
            .iter()
            .fold(0.0_f32, |most, weight| most.max(weight.abs()));
        let mut step = peak / self.largest as f32;
        if let Some(sum) = self.sum {
            // As the step shrinks past |w| / (q - 1/2), a weight goes from q - 1 to q: one more in the sum.
            let least = step;
            let mut jumps: Vec<f32> = (row.iter())
                .flat_map(|weight| {
                    let jumps = (1..=self.largest).map(|q| weight.abs() / (q as f32 - 0.5));
                    jumps.take_while(|jump| *jump > 0.999 * least)
                })
                .collect();
            let sum = sum as usize;
            if jumps.len() > sum {
                let (_, first_too_many, _) =
                    jumps.select_nth_unstable_by(sum, |a, b| b.total_cmp(a));
                step = step.max(*first_too_many * (1.0 + 1e-6));
            }
        }
        f32::from_bits((step.to_bits() + 0xfff) & !0xfff)
    }
}

#[cfg(test)]
mod tests;
