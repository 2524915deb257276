//! What the layers of a network do with tensors `[features, batch]`.
//!
//! With [`Kernels::Stock`] a convolution is a choice of rows (one row for each place in the window and each position,
//! copied whole) and one product `[out, in·k·k] × [in·k·k, positions·batch]`, whose result is `[out·positions, batch]`
//! without moving anything. With [`Kernels::Fused`] it is one operator, and so are a batch norm and the activation
//! behind it. A dense layer is one product in either case; in mixed precision, all but the last are convolutions.
//!
//! A mean pool right behind a convolution makes it a convolution with larger windows that lie farther apart. The filters
//! of that one are sums of shifted filters, which is one small product; and 2×2 means of 5×5 windows then take 36
//! products in place of 100. [`Kernels::Fused`] does so wherever it saves products.

use crate::blend::Blend;
use crate::kernels::Kernels;
use crate::nonlinearity::Nonlinear;
use crate::recipe::Boundary;
use crate::values::values;
use burn::tensor::module::{batch_norm, batch_norm_train};
use burn::tensor::{Int, Tensor};
use cryptodl_kernels::{
    Channel, Penalty, Pointwise, Precision, STEEPEST, Terms, Treatment, Windows, operators,
};
use cryptodl_network::BATCH_NORM_EPSILON;
use std::sync::Arc;
use stock::stock_convolution;

mod builder;
mod stock;

pub(crate) use builder::{Builder, Place};

/// A layer, or a few of them, with the positions of its parameters.
pub(crate) enum Module {
    Convolution {
        weight: usize,
        view: View,
        /// Makes filters that include a mean pool: `[k·k, k'·k']`.
        spread: Option<Box<Tensor<2>>>,
    },
    Dense {
        weight: usize,
        /// The same as a convolution of one position, which mixed precision computes.
        view: Option<Arc<Windows>>,
    },
    /// Gamma, beta, mean and variance follow each other.
    BatchNorm {
        gamma: usize,
        kernels: Kernels,
        /// The activation behind it, if it is part of this module.
        activation: Option<Nonlinear>,
    },
    MeanPool {
        view: View,
    },
    Activation(Nonlinear),
    Quantise {
        levels: u32,
        low: f64,
        high: f64,
    },
    /// Of two values.
    Add,
    /// Of two values.
    Product,
    /// Of any number of values.
    Concatenation,
}

/// A module and the values that it reads and makes, by their numbers in the network.
pub(crate) struct Placed {
    pub module: Module,
    pub reads: Vec<usize>,
    pub makes: usize,
}

/// Windows on an image.
pub(crate) enum View {
    /// Numbers of rows, for a convolution in the order `[in, window, position]`, for a pool in the order
    /// `[window, in, position]`; the row behind the last one is padding.
    Rows {
        rows: Box<Tensor<1, Int>>,
        padded: bool,
        window: usize,
    },
    Fused(Arc<Windows>),
}

/// A pass through the modules.
pub(crate) struct Running<'a> {
    weights: &'a [Tensor<2>],
    training: Option<Boundary>,
    precision: Precision,
    /// How activations are mixed.
    pub blend: Option<Blend>,
    /// Is shown the inputs of each activation, layer by layer.
    pub watch: Option<&'a mut dyn FnMut(&Tensor<2>)>,
    /// Constants added to the filters of linear layers, by the positions of their weights; may be empty.
    pub changes: &'a [Option<Tensor<2>>],
    pub excess: Option<Tensor<1>>,
    pub statistics: Vec<(usize, Tensor<2>)>,
}

impl<'a> Running<'a> {
    /// With the statistics of the batch if it is for training, with running ones otherwise.
    pub(crate) fn new(
        weights: &'a [Tensor<2>],
        training: Option<Boundary>,
        precision: Precision,
    ) -> Self {
        Self {
            weights,
            training,
            precision,
            blend: None,
            watch: None,
            changes: &[],
            excess: None,
            statistics: Vec::new(),
        }
    }

    /// Whether it is for training.
    pub(crate) fn is_training(&self) -> bool {
        self.training.is_some()
    }

    /// What comes out of a module that reads these values. `skipped` tells whether the bias at a position need not be
    /// added.
    pub(crate) fn apply(
        &mut self,
        module: &Module,
        inputs: Vec<Tensor<2>>,
        skipped: impl Fn(usize) -> bool,
    ) -> Tensor<2> {
        let mut inputs = inputs.into_iter();
        let x = inputs.next().expect("a module reads a value");
        let weights = self.weights;
        // Batch norm takes most biases away again; those are 0, and a pass over all values can be saved.
        let skipped = |position: usize| {
            let nothing = || values(&weights[position]).iter().all(|bias| *bias == 0.0);
            skipped(position) || self.training.is_none() && nothing()
        };
        let biased = |x: Tensor<2>, position: usize| {
            if skipped(position) {
                x
            } else {
                x + weights[position].clone().transpose()
            }
        };
        match module {
            Module::Convolution {
                weight,
                view,
                spread,
            } => {
                let batch = x.dims()[1];
                let mut filters = weights[*weight].clone(); // [out, in·k·k]
                let [out, _] = filters.dims();
                if let Some(spread) = spread {
                    filters = widened(filters, spread);
                }
                let filters = self.changed(filters, *weight);
                let outputs = match view {
                    View::Fused(windows) => {
                        operators::convolve(x, filters, windows, self.precision)
                    }
                    View::Rows { rows, padded, .. } => stock_convolution(x, filters, rows, *padded),
                };
                if skipped(weight + 1) {
                    return outputs;
                }
                let [features, _] = outputs.dims();
                let by_channel = outputs.reshape([out, features / out * batch]);
                biased(by_channel, weight + 1).reshape([features, batch])
            }
            Module::Dense { weight, view } => {
                let filters = self.changed(weights[*weight].clone(), *weight);
                let outputs = match view {
                    Some(windows) if self.precision == Precision::Mixed => {
                        operators::convolve(x, filters, windows, Precision::Mixed)
                    }
                    _ => filters.matmul(x),
                };
                biased(outputs, weight + 1)
            }
            Module::BatchNorm {
                gamma,
                kernels,
                activation,
            } => match kernels {
                Kernels::Stock => self.stock_norm(x, *gamma),
                Kernels::Fused => self.fused_norm(x, *gamma, activation.as_ref()),
            },
            Module::MeanPool { view } => match view {
                View::Fused(windows) => operators::mean_pool(x, windows),
                View::Rows { rows, window, .. } => {
                    let batch = x.dims()[1];
                    let outputs = rows.dims()[0] / window;
                    let windows = x
                        .select(0, rows.as_ref().clone())
                        .reshape([*window, outputs * batch]);
                    windows.mean_dim(0).reshape([outputs, batch])
                }
            },
            Module::Activation(nonlinear) => self.activate(x, nonlinear),
            Module::Quantise { levels, low, high } => rounded(x, *levels, *low, *high),
            Module::Add => x + inputs.next().expect("a sum has two terms"),
            Module::Product => x * inputs.next().expect("a product has two factors"),
            // channels are rows, one behind the other
            Module::Concatenation => Tensor::cat(std::iter::once(x).chain(inputs).collect(), 0),
        }
    }

    /// With what is added to the filters at a position, if anything is.
    fn changed(&self, filters: Tensor<2>, position: usize) -> Tensor<2> {
        match self.changes.get(position) {
            Some(Some(change)) if filters.is_autodiff() => filters + change.clone().autodiff(),
            Some(Some(change)) => filters + change.clone(),
            _ => filters,
        }
    }

    fn activate(&mut self, x: Tensor<2>, nonlinear: &Nonlinear) -> Tensor<2> {
        if let Some(watch) = &mut self.watch {
            watch(&x);
        }
        if let Some(boundary) = self.training {
            let beyond = burn::tensor::activation::relu(x.clone().abs() - boundary.at);
            let punished = match boundary.penalty {
                Penalty::Square => beyond.clone() * beyond,
                Penalty::Exponential => {
                    let near = beyond.clone().clamp_max(f64::from(STEEPEST));
                    near.clone().exp() * (beyond - near + 1.0) - 1.0
                }
            };
            self.add_excess(punished.mean());
        }
        match nonlinear {
            Nonlinear::Hermite(hermite) => hermite.apply(&x, |mean, term| {
                let channels = self.weights[mean].dims()[1];
                let one = Tensor::ones([channels], &term.device());
                self.stock_norm_at(term, one.clone(), one * 0.0, mean)
            }),
            _ => nonlinear.apply(x, self.weights, self.blend),
        }
    }

    fn add_excess(&mut self, excess: Tensor<1>) {
        self.excess = Some(match self.excess.take() {
            Some(sum) => sum + excess,
            None => excess,
        });
    }

    fn vector(&self, position: usize) -> Tensor<1> {
        self.weights[position].clone().squeeze_dim(0)
    }

    fn stock_norm(&mut self, x: Tensor<2>, gamma: usize) -> Tensor<2> {
        let (scale, shift) = (self.vector(gamma), self.vector(gamma + 1));
        self.stock_norm_at(x, scale, shift, gamma + 2)
    }

    /// The running mean is at a position of the weights, the variance behind it.
    fn stock_norm_at(
        &mut self,
        x: Tensor<2>,
        scale: Tensor<1>,
        shift: Tensor<1>,
        mean: usize,
    ) -> Tensor<2> {
        let [features, batch] = x.dims();
        let [channels] = scale.dims();
        let values: Tensor<3> = x.reshape([1, channels, features / channels * batch]);
        let normed = if self.training.is_some() {
            let normed = batch_norm_train(values, scale, shift, BATCH_NORM_EPSILON);
            self.statistics.push((mean, normed.mean.unsqueeze()));
            self.statistics
                .push((mean + 1, normed.variance.unsqueeze()));
            normed.output
        } else {
            let (mean, variance) = (self.vector(mean), self.vector(mean + 1));
            batch_norm(values, scale, shift, mean, variance, BATCH_NORM_EPSILON)
        };
        normed.reshape([features, batch])
    }

    fn fused_norm(
        &mut self,
        x: Tensor<2>,
        gamma: usize,
        activation: Option<&Nonlinear>,
    ) -> Tensor<2> {
        let pointwise = activation.map(|activation| activation.pointwise(self.blend));
        if let Some(activation) = activation
            && (pointwise == Some(None) || self.watch.is_some())
        {
            // the kernel does not know this blend, or keeps to itself what is to be seen
            let x = self.fused_norm(x, gamma, None);
            return self.activate(x, activation);
        }
        let boundary = self.training.filter(|_| activation.is_some());
        let treatment = Treatment {
            pointwise: pointwise.flatten().unwrap_or(Pointwise::Identity),
            penalty: boundary.map_or(Penalty::Square, |boundary| boundary.penalty),
            epsilon: BATCH_NORM_EPSILON as f32,
            boundary: boundary.map_or(0.0, |boundary| boundary.at as f32),
            boundary_weight: boundary.map_or(0.0, |boundary| boundary.weight as f32),
        };
        let terms_at = match activation {
            Some(Nonlinear::Hermite(hermite)) => Some(hermite.position),
            _ => None,
        };
        if self.training.is_none() {
            let [scale, shift, mean, variance] =
                std::array::from_fn(|offset| values(&self.weights[gamma + offset]));
            let terms: Option<[Vec<f32>; 4]> = terms_at.map(|position| {
                std::array::from_fn(|offset| values(&self.weights[position + offset]))
            });
            let channels: Vec<Channel> = (0..scale.len())
                .map(|channel| Channel {
                    gamma: scale[channel],
                    beta: shift[channel],
                    mean: mean[channel],
                    variance: variance[channel],
                    terms: terms.as_ref().map_or_else(Terms::default, |terms| {
                        let at = |part: usize| terms[part][channel];
                        Terms {
                            mean: [at(0), at(2)],
                            variance: [at(1), at(3)],
                        }
                    }),
                })
                .collect();
            return operators::normalise_with(x, channels, treatment);
        }
        let found = operators::normalise(x, self.vector(gamma), self.vector(gamma + 1), treatment);
        self.statistics.push((gamma + 2, found.mean.unsqueeze()));
        self.statistics
            .push((gamma + 3, found.variance.unsqueeze()));
        if let Some(position) = terms_at {
            let parts = found.terms.split(1, 0).into_iter().enumerate();
            self.statistics
                .extend(parts.map(|(offset, part)| (position + offset, part)));
        }
        if activation.is_some() {
            self.add_excess(found.excess);
        }
        found.output
    }
}

/// Filters `[out, in·k·k]` made larger by a mean pool: `[out, in·k'·k']`.
pub(crate) fn widened(filters: Tensor<2>, spread: &Tensor<2>) -> Tensor<2> {
    let [out, taps] = filters.dims();
    let [narrow, wide] = spread.dims();
    filters
        .reshape([out * taps / narrow, narrow])
        .matmul(spread.clone())
        .reshape([out, taps / narrow * wide])
}

/// The nearest of `levels` equally spaced values; gradients pass as if it were the clamp alone.
fn rounded(x: Tensor<2>, levels: u32, low: f64, high: f64) -> Tensor<2> {
    let step = (high - low) / f64::from(levels - 1);
    let inside = x.clamp(low, high);
    let value = inside.clone().inner();
    let nearest = ((value.clone() - low) / step + 0.5).floor() * step + low;
    if !inside.is_autodiff() {
        return nearest;
    }
    // What is added and taken away again may cost the last bit: training alone pays it.
    inside + (nearest - value).autodiff()
}

#[cfg(test)]
mod tests;
