//! A [`Network`] interpreted with Burn's tensors.
//!
//! [`Model`] is the structure alone; its weights are a list of matrices that is passed in. So the weights that are
//! trained, their running averages and those of an artifact all go through the same code.
//!
//! Values between layers are `[features, batch]`: the batch comes last. A convolution then is a choice of rows (one
//! row for each place in the window and each position, copied whole) and one product `[out, in·k·k] × [in·k·k,
//! positions·batch]`, whose result is `[out·positions, batch]` without moving anything; a dense layer is one product.

use crate::nonlinearity::Nonlinear;
use crate::random::Random;
use burn::tensor::module::{batch_norm, batch_norm_train};
use burn::tensor::{Device, Int, Tensor, TensorData};
use cryptodl_network::{
    BATCH_NORM_EPSILON, Layer, Network, NetworkError, Nonlinearity, Shape, Tensor as Stored,
};
use std::collections::BTreeMap;

/// What a list of numbers is, which decides how training treats it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// A weight whose outputs a batch norm rescales, so that only the direction of each row matters.
    Direction,
    /// Any other weight.
    Matrix,
    /// A bias, gamma or beta, or the coefficients of a learnable polynomial.
    Vector,
    /// A running mean or variance.
    Statistic,
    /// A bias that the batch norm behind it takes away again: stays 0.
    Fixed,
}

/// A tensor of the network. In memory it is a matrix: `[out, in·k·k]`, or `[1, n]` for a vector.
pub(crate) struct Parameter {
    /// Name in the artifact; learnable coefficients are called `layers.{i}.coefficients`.
    pub name: String,
    /// Shape in the artifact.
    pub shape: Vec<usize>,
    /// What it is.
    pub role: Role,
}

impl Parameter {
    /// Rows and columns in memory.
    fn sides(&self) -> [usize; 2] {
        match self.shape.split_first() {
            Some((rows, rest)) if !rest.is_empty() => [*rows, rest.iter().product()],
            _ => [1, self.shape.iter().product()],
        }
    }
}

/// A layer, with the positions of its parameters.
enum Module {
    /// Rows of the input in the order `[in, window, position]`; the row behind the last one is padding.
    Convolution {
        weight: usize,
        rows: Tensor<1, Int>,
        padded: bool,
    },
    Dense {
        weight: usize,
    },
    /// Gamma, beta, mean and variance follow each other.
    BatchNorm {
        gamma: usize,
        channels: usize,
    },
    /// Rows of the input in the order `[window, channel, position]`.
    MeanPool {
        rows: Tensor<1, Int>,
        window: usize,
    },
    Activation(Nonlinear),
}

/// The structure of a network.
pub(crate) struct Model {
    network: Network,
    modules: Vec<Module>,
    /// In the order of the weights.
    pub parameters: Vec<Parameter>,
}

/// What a training pass gives.
pub(crate) struct Pass {
    /// `[batch, classes]`.
    pub logits: Tensor<2>,
    /// `Σ mean(relu(|z| - boundary)²)` over the activation layers.
    pub excess: Option<Tensor<1>>,
    /// Position of a mean or variance, and its value over this batch.
    pub statistics: Vec<(usize, Tensor<2>)>,
}

impl Model {
    pub(crate) fn new(network: &Network, device: &Device) -> Result<Self, NetworkError> {
        network.validate()?;
        let mut parameters = Vec::new();
        let mut modules = Vec::new();
        let shapes = network.parameter_shapes()?;
        let mut input = network.input;
        for ((index, layer), output) in network.layers.iter().enumerate().zip(network.shapes()?) {
            let first = parameters.len();
            let prefix = format!("layers.{index}.");
            for (name, shape) in shapes.iter().filter(|(name, _)| name.starts_with(&prefix)) {
                let role = role(name, normalised(&network.layers[index + 1..]));
                parameters.push(Parameter {
                    name: name.clone(),
                    shape: shape.clone(),
                    role,
                });
            }
            modules.push(match layer {
                Layer::Convolution {
                    kernel,
                    stride,
                    padding,
                    ..
                } => {
                    let places = places(input, output, *kernel, *stride, *padding);
                    Module::Convolution {
                        weight: first,
                        rows: rows(places, device),
                        padded: *padding > 0,
                    }
                }
                Layer::Dense { .. } => Module::Dense { weight: first },
                Layer::BatchNorm => Module::BatchNorm {
                    gamma: first,
                    channels: input.channels,
                },
                Layer::MeanPool { kernel, stride } => {
                    let window = kernel * kernel;
                    let places = places(input, output, *kernel, *stride, 0);
                    let positions = output.height * output.width;
                    let by_window = (0..window).flat_map(|place| {
                        let (channels, places) = (0..input.channels, &places);
                        channels.flat_map(move |channel| {
                            places[(channel * window + place) * positions..][..positions]
                                .iter()
                                .copied()
                        })
                    });
                    Module::MeanPool {
                        rows: rows(by_window.collect(), device),
                        window,
                    }
                }
                Layer::Activation(nonlinearity) => {
                    let nonlinear = Nonlinear::new(nonlinearity, first);
                    if let Some(coefficients) = nonlinear.learnable() {
                        let shape = vec![coefficients.len()];
                        parameters.push(Parameter {
                            name: format!("{prefix}coefficients"),
                            shape,
                            role: Role::Vector,
                        });
                    }
                    Module::Activation(nonlinear)
                }
            });
            input = output;
        }
        Ok(Self {
            network: network.clone(),
            modules,
            parameters,
        })
    }

    /// First weights: rows of length about 1, gammas and variances 1, coefficients as fitted, all else 0.
    pub(crate) fn initial(&self, seed: u64, device: &Device) -> Vec<Tensor<2>> {
        let coefficients: BTreeMap<&str, &[f64]> = self.coefficients().collect();
        let weights = self
            .parameters
            .iter()
            .enumerate()
            .map(|(index, parameter)| {
                let [rows, columns] = parameter.sides();
                let mut random = Random::at([seed, INITIAL, index as u64]);
                let values: Vec<f32> =
                    if let Some(fitted) = coefficients.get(parameter.name.as_str()) {
                        fitted.iter().map(|c| *c as f32).collect()
                    } else if matches!(parameter.role, Role::Direction | Role::Matrix) {
                        let deviation = (1.0 / columns as f64).sqrt();
                        (0..rows * columns)
                            .map(|_| (deviation * random.normal()) as f32)
                            .collect()
                    } else {
                        let one = matches!(kind(&parameter.name), "gamma" | "variance");
                        vec![if one { 1.0 } else { 0.0 }; rows * columns]
                    };
                Tensor::from_data(TensorData::new(values, [rows, columns]), device)
            });
        weights.collect()
    }

    /// Weights of an artifact; the error names a tensor that is missing or of another size.
    pub(crate) fn weights(
        &self,
        artifact: &BTreeMap<String, Stored>,
        device: &Device,
    ) -> Result<Vec<Tensor<2>>, String> {
        let mut tensors = artifact.clone();
        // An artifact keeps trained coefficients in the polynomials of its network.
        for (name, coefficients) in self.coefficients() {
            let data: Vec<f32> = coefficients.iter().map(|c| *c as f32).collect();
            tensors.insert(
                name.to_owned(),
                Stored {
                    shape: vec![data.len()],
                    data,
                },
            );
        }
        self.restored(&tensors, device)
    }

    /// Weights from what [`Model::stored`] gave; the error names a tensor that is missing or of another size.
    pub(crate) fn restored(
        &self,
        tensors: &BTreeMap<String, Stored>,
        device: &Device,
    ) -> Result<Vec<Tensor<2>>, String> {
        let weights = self.parameters.iter().map(|parameter| {
            let sides = parameter.sides();
            let stored = tensors
                .get(&parameter.name)
                .filter(|tensor| tensor.data.len() == sides[0] * sides[1]);
            let data = stored.ok_or_else(|| parameter.name.clone())?.data.clone();
            Ok(Tensor::from_data(TensorData::new(data, sides), device))
        });
        weights.collect()
    }

    /// Name and fitted values of the coefficients of each learnable polynomial.
    fn coefficients(&self) -> impl Iterator<Item = (&str, &[f64])> {
        self.modules.iter().filter_map(|module| match module {
            Module::Activation(nonlinear) => {
                let position = nonlinear.position()?;
                Some((
                    self.parameters[position].name.as_str(),
                    nonlinear.learnable()?,
                ))
            }
            _ => None,
        })
    }

    /// Weights as tensors by name, in the shapes of the artifact.
    pub(crate) fn stored(&self, weights: &[Tensor<2>]) -> BTreeMap<String, Stored> {
        let pairs = self.parameters.iter().zip(weights);
        pairs
            .map(|(parameter, weight)| {
                (
                    parameter.name.clone(),
                    Stored {
                        shape: parameter.shape.clone(),
                        data: values(weight),
                    },
                )
            })
            .collect()
    }

    /// The network with trained coefficients in its polynomials, and the tensors that belong to it.
    pub(crate) fn export(&self, weights: &[Tensor<2>]) -> (Network, BTreeMap<String, Stored>) {
        let mut tensors = self.stored(weights);
        let mut network = self.network.clone();
        for (index, layer) in network.layers.iter_mut().enumerate() {
            let name = format!("layers.{index}.coefficients");
            if let (Layer::Activation(Nonlinearity::Polynomial { polynomial, .. }), Some(trained)) =
                (layer, tensors.remove(&name))
            {
                let coefficients = trained.data.iter().map(|c| f64::from(*c)).collect();
                // Coefficients that are not finite would have stopped training before.
                if let Ok(trained) =
                    approx::Polynomial::new(coefficients, polynomial.basis(), polynomial.interval())
                {
                    *polynomial = trained;
                }
            }
        }
        (network, tensors)
    }

    /// Logits `[batch, classes]` of input values `[batch, features]`, with running statistics.
    pub(crate) fn infer(&self, weights: &[Tensor<2>], input: Tensor<2>) -> Tensor<2> {
        self.run(weights, input, None).logits
    }

    /// The same with the statistics of the batch.
    pub(crate) fn train(&self, weights: &[Tensor<2>], input: Tensor<2>, boundary: f64) -> Pass {
        self.run(weights, input, Some(boundary))
    }

    fn run(&self, weights: &[Tensor<2>], input: Tensor<2>, training: Option<f64>) -> Pass {
        let batch = input.dims()[0];
        let vector = |position: usize| weights[position].clone().squeeze_dim(0);
        // A bias that stays 0 need not be added while training.
        let biased = |x: Tensor<2>, position: usize| {
            let skipped = training.is_some() && self.parameters[position].role == Role::Fixed;
            if skipped {
                x
            } else {
                x + weights[position].clone().transpose()
            }
        };
        let mut excess: Option<Tensor<1>> = None;
        let mut statistics = Vec::new();
        let mut x = input.transpose(); // [features, batch] from here on
        for module in &self.modules {
            x = match module {
                Module::Convolution {
                    weight,
                    rows,
                    padded,
                } => {
                    if *padded {
                        let zeros = Tensor::zeros([1, batch], &x.device());
                        x = Tensor::cat(vec![x, zeros], 0);
                    }
                    let filters = weights[*weight].clone(); // [out, in·k·k]
                    let [out, inputs] = filters.dims();
                    let positions = rows.dims()[0] / inputs;
                    let patches = x
                        .select(0, rows.clone())
                        .reshape([inputs, positions * batch]);
                    biased(filters.matmul(patches), weight + 1).reshape([out * positions, batch])
                }
                Module::Dense { weight } => biased(weights[*weight].clone().matmul(x), weight + 1),
                Module::BatchNorm { gamma, channels } => {
                    let [features, _] = x.dims();
                    let values: Tensor<3> = x.reshape([1, *channels, features / channels * batch]);
                    let (scale, shift) = (vector(*gamma), vector(gamma + 1));
                    let normed = if training.is_some() {
                        let normed = batch_norm_train(values, scale, shift, BATCH_NORM_EPSILON);
                        statistics.push((gamma + 2, normed.mean.unsqueeze()));
                        statistics.push((gamma + 3, normed.variance.unsqueeze()));
                        normed.output
                    } else {
                        let (mean, variance) = (vector(gamma + 2), vector(gamma + 3));
                        batch_norm(values, scale, shift, mean, variance, BATCH_NORM_EPSILON)
                    };
                    normed.reshape([features, batch])
                }
                Module::MeanPool { rows, window } => {
                    let outputs = rows.dims()[0] / window;
                    let windows = x
                        .select(0, rows.clone())
                        .reshape([*window, outputs * batch]);
                    windows.mean_dim(0).reshape([outputs, batch])
                }
                Module::Activation(nonlinear) => {
                    if let Some(boundary) = training {
                        let beyond = burn::tensor::activation::relu(x.clone().abs() - boundary);
                        let mean = (beyond.clone() * beyond).mean();
                        excess = Some(excess.map_or(mean.clone(), |sum| sum + mean));
                    }
                    nonlinear.apply(x, weights)
                }
            };
        }
        Pass {
            logits: x.transpose(),
            excess,
            statistics,
        }
    }

    /// Shape of an image.
    pub(crate) fn input(&self) -> Shape {
        self.network.input
    }

    /// The network as it was given.
    pub(crate) fn network(&self) -> &Network {
        &self.network
    }
}

/// For each place `(channel, y, x)` of a window, for each position of the output: which value of the input lies there.
/// Padding is numbered as the value behind the last one.
fn places(input: Shape, output: Shape, kernel: usize, stride: usize, padding: usize) -> Vec<usize> {
    let mut places =
        Vec::with_capacity(input.channels * kernel * kernel * output.height * output.width);
    for channel in 0..input.channels {
        for (y, x) in (0..kernel).flat_map(|y| (0..kernel).map(move |x| (y, x))) {
            for (row, column) in
                (0..output.height).flat_map(|r| (0..output.width).map(move |c| (r, c)))
            {
                // Counted from the corner of the padded input.
                let (row, column) = (row * stride + y, column * stride + x);
                let inside = |place: usize, side: usize| (padding..padding + side).contains(&place);
                places.push(
                    if inside(row, input.height) && inside(column, input.width) {
                        (channel * input.height + row - padding) * input.width + column - padding
                    } else {
                        input.len()
                    },
                );
            }
        }
    }
    places
}

/// Row numbers as a tensor.
fn rows(places: Vec<usize>, device: &Device) -> Tensor<1, Int> {
    let places: Vec<i32> = places.into_iter().map(|place| place as i32).collect();
    let length = places.len();
    Tensor::from_data(TensorData::new(places, [length]), device)
}

/// Purpose of the random numbers of the first weights.
const INITIAL: u64 = 4;

/// Whether the next layer that is no pooling is a batch norm.
fn normalised(following: &[Layer]) -> bool {
    let next = following
        .iter()
        .find(|layer| !matches!(layer, Layer::MeanPool { .. }));
    matches!(next, Some(Layer::BatchNorm))
}

fn role(name: &str, normalised: bool) -> Role {
    match kind(name) {
        "weight" if normalised => Role::Direction,
        "weight" => Role::Matrix,
        "mean" | "variance" => Role::Statistic,
        "bias" if normalised => Role::Fixed,
        _ => Role::Vector,
    }
}

/// Last word of a name, e.g. `weight`.
fn kind(name: &str) -> &str {
    name.rsplit('.').next().unwrap_or(name)
}

/// The values of a tensor, row-major.
pub(crate) fn values(tensor: &Tensor<2>) -> Vec<f32> {
    tensor
        .to_data()
        .try_into_vec()
        .expect("training computes in 32-bit floats")
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::module::{avg_pool2d, conv2d};
    use burn::tensor::ops::{AvgPoolOptions, ConvOptions};
    use cryptodl_network::Normalisation;

    const INPUT: Shape = Shape {
        channels: 3,
        height: 7,
        width: 6,
    };

    fn network(layer: Layer) -> Network {
        Network {
            name: "one-layer".into(),
            input: INPUT,
            normalisation: Normalisation {
                mean: vec![0.0; 3],
                deviation: vec![1.0; 3],
            },
            layers: vec![layer],
        }
    }

    fn random(rows: usize, columns: usize, seed: u64) -> Tensor<2> {
        let mut random = Random::at([seed]);
        let data: Vec<f32> = (0..rows * columns)
            .map(|_| random.normal() as f32)
            .collect();
        Tensor::from_data(TensorData::new(data, [rows, columns]), &Device::flex())
    }

    fn agree(ours: &Tensor<2>, other: &Tensor<2>) {
        assert_eq!(ours.dims(), other.dims());
        for (a, b) in values(ours).iter().zip(values(other)) {
            // Sums of up to 27 products in 32 bits.
            assert!((a - b).abs() < 1e-5, "{a} {b}");
        }
    }

    #[test]
    fn convolutions_agree_with_those_of_burn() {
        for (kernel, stride, padding) in [(1, 1, 0), (3, 1, 1), (3, 2, 0), (3, 2, 2), (5, 3, 4)] {
            let layer = Layer::Convolution {
                out_channels: 4,
                kernel,
                stride,
                padding,
            };
            let model = Model::new(&network(layer), &Device::flex()).unwrap();
            let weights = [random(4, 3 * kernel * kernel, 1) * 0.2, random(1, 4, 2)];
            let input = random(5, INPUT.len(), 3);
            let images = input.clone().reshape([5, 3, 7, 6]);
            let filters = weights[0].clone().reshape([4, 3, kernel, kernel]);
            let options = ConvOptions::new([stride; 2], [padding; 2], [1; 2], 1);
            let expected = conv2d(
                images,
                filters,
                Some(weights[1].clone().squeeze_dim(0)),
                options,
            );
            agree(&model.infer(&weights, input), &expected.flatten(1, 3));
        }
    }

    #[test]
    fn mean_pools_agree_with_those_of_burn() {
        for (kernel, stride) in [(1, 1), (2, 2), (3, 2), (4, 1)] {
            let model = Model::new(
                &network(Layer::MeanPool { kernel, stride }),
                &Device::flex(),
            )
            .unwrap();
            let input = random(5, INPUT.len(), 4);
            let options = AvgPoolOptions::new([kernel; 2]).with_stride([stride; 2]);
            let expected = avg_pool2d(input.clone().reshape([5, 3, 7, 6]), options);
            agree(&model.infer(&[], input), &expected.flatten(1, 3));
        }
    }
}
