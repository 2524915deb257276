//! A [`Network`] interpreted with Burn's tensors.
//!
//! [`Model`] is the structure alone; its weights are a list of matrices that is passed in. So the weights that are
//! trained, their running averages and those of an artifact all go through the same code.
//!
//! Values between layers are `[features, batch]`: the batch comes last. What each layer does is in [`crate::layers`].

use crate::TrainError;
use crate::blend::Blend;
use crate::hermite::Hermite;
use crate::kernels::Kernels;
use crate::layers::{Builder, Module, Place, Placed, Running};
use crate::nonlinearity::Nonlinear;
use crate::random::Random;
use crate::recipe::Boundary;
use crate::values::values;
use approx::Activation;
use burn::tensor::{Device, Tensor, TensorData};
use cryptodl_kernels::Precision;
use cryptodl_network::{
    Layer, Network, NetworkError, Nonlinearity, Shape, Tensor as Stored, ValueId,
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
    /// Whether it is the gamma or beta of a batch norm.
    pub(crate) fn is_of_batch_norm(&self) -> bool {
        matches!(kind(&self.name), "gamma" | "beta")
    }

    /// Rows and columns in memory.
    fn sides(&self) -> [usize; 2] {
        match self.shape.split_first() {
            Some((rows, rest)) if !rest.is_empty() => [*rows, rest.iter().product()],
            _ => [1, self.shape.iter().product()],
        }
    }
}

/// The structure of a network.
pub(crate) struct Model {
    network: Network,
    modules: Vec<Placed>,
    /// For each value of the network, by number, how many modules read it.
    reads: Vec<usize>,
    kernels: Kernels,
    precision: Precision,
    /// In the order of the weights.
    pub parameters: Vec<Parameter>,
}

/// What a training pass gives.
pub(crate) struct Pass {
    /// `[batch, classes]`.
    pub logits: Tensor<2>,
    /// What lies beyond the boundary, as the recipe's `penalty` counts it, summed over the activation layers. It has to
    /// enter the loss with the weight that the pass was given: some operators count that in their gradients already.
    pub excess: Option<Tensor<1>>,
    /// Position of a mean or variance, and its value over this batch.
    pub statistics: Vec<(usize, Tensor<2>)>,
}

impl Model {
    /// With the fastest operators that run on the device.
    pub(crate) fn new(network: &Network, device: &Device) -> Result<Self, NetworkError> {
        Self::with(network, Kernels::of(device), device)
    }

    /// With operators of choice; [`Kernels::Fused`] only runs on the `flex` backend.
    pub(crate) fn with(
        network: &Network,
        kernels: Kernels,
        device: &Device,
    ) -> Result<Self, NetworkError> {
        Self::with_series(network, kernels, None, device)
    }

    /// The same; where an activation is named, its Hermite series stands in place of each polynomial, of equal degree.
    pub(crate) fn with_series(
        network: &Network,
        kernels: Kernels,
        series: Option<Activation>,
        device: &Device,
    ) -> Result<Self, NetworkError> {
        network.validate()?;
        let mut parameters = Vec::new();
        let mut builder = Builder::new(kernels, device);
        let shapes = network.parameter_shapes()?;
        let outputs = network.shapes()?;
        let readers = network.readers();
        let counts: Vec<usize> = readers.iter().map(Vec::len).collect();
        let inputs = network.input_shapes()?;
        let nodes = network.nodes.iter().zip(inputs.into_iter().zip(&outputs));
        for (index, (node, (input, output))) in nodes.enumerate() {
            let layer = &node.layer;
            let first = parameters.len();
            let prefix = format!("layers.{index}.");
            for (name, shape) in shapes.iter().filter(|(name, _)| name.starts_with(&prefix)) {
                let role = role(name, normalised(network, &readers, index));
                parameters.push(Parameter {
                    name: name.clone(),
                    shape: shape.clone(),
                    role,
                });
            }
            let nonlinear = match layer {
                Layer::Activation(nonlinearity) => {
                    Some(match (series, nonlinearity.polynomial()) {
                        (Some(activation), Some(polynomial)) => Nonlinear::Hermite(Hermite::new(
                            activation,
                            polynomial.degree(),
                            first,
                            polynomial.interval(),
                        )),
                        _ => Nonlinear::new(nonlinearity, first),
                    })
                }
                _ => None,
            };
            if let Some(Nonlinear::Hermite(hermite)) = &nonlinear {
                parameters.extend(hermite.names().map(|name| Parameter {
                    name: format!("{prefix}{name}"),
                    shape: vec![input.channels],
                    role: Role::Statistic,
                }));
            }
            if let Some((shape, _)) = nonlinear.as_ref().and_then(Nonlinear::learnable) {
                parameters.push(Parameter {
                    name: format!("{prefix}coefficients"),
                    shape,
                    role: Role::Vector,
                });
            }
            let place = Place {
                reads: node.inputs.iter().map(|value| value.0).collect(),
                makes: index + 1,
                input,
                output: *output,
                readers: &counts,
            };
            builder.add(layer, nonlinear, first, place);
        }
        let modules = builder.modules();
        let mut reads = vec![0; outputs.len() + 1];
        for value in modules.iter().flat_map(|placed| &placed.reads) {
            reads[*value] += 1;
        }
        Ok(Self {
            network: network.clone(),
            modules,
            reads,
            kernels,
            precision: Precision::Single,
            parameters,
        })
    }

    /// With training passes of another precision than single; others stay single. The error says what is missing.
    pub(crate) fn in_precision(self, precision: Precision) -> Result<Self, TrainError> {
        if precision == Precision::Mixed && self.kernels == Kernels::Stock {
            let sentence = "precision = \"mixed\" only trains with the processor's fused operators: take \"single\"";
            return Err(TrainError::Recipe(sentence.to_owned()));
        }
        Ok(Self { precision, ..self })
    }

    /// First weights: rows of length about 1, gammas and variances 1, coefficients as fitted, all else 0.
    pub(crate) fn initial(&self, seed: u64, device: &Device) -> Vec<Tensor<2>> {
        let coefficients: BTreeMap<&str, Vec<f64>> = self.coefficients().collect();
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
            let shape = vec![data.len()];
            tensors.insert(name.to_owned(), Stored { shape, data });
        }
        // Terms of a series have no statistics yet: they begin as those of a standard normal distribution.
        for Parameter { name, shape, .. } in &self.parameters {
            if name.contains(".hermite") {
                let value = if kind(name) == "variance" { 1.0 } else { 0.0 };
                let data = vec![value; shape.iter().product()];
                let shape = shape.clone();
                tensors.insert(name.clone(), Stored { shape, data });
            }
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
    fn coefficients(&self) -> impl Iterator<Item = (&str, Vec<f64>)> {
        self.nonlinearities().filter_map(|nonlinear| {
            let position = nonlinear.position()?;
            let (_, fitted) = nonlinear.learnable()?;
            Some((self.parameters[position].name.as_str(), fitted))
        })
    }

    /// The activations in order.
    fn nonlinearities(&self) -> impl Iterator<Item = &Nonlinear> {
        self.modules().filter_map(|module| match module {
            Module::Activation(nonlinear)
            | Module::BatchNorm {
                activation: Some(nonlinear),
                ..
            } => Some(nonlinear),
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
        for (index, node) in network.nodes.iter_mut().enumerate() {
            let name = format!("layers.{index}.coefficients");
            if let (Layer::Activation(used), Some(trained)) =
                (&mut node.layer, tensors.remove(&name))
            {
                let coefficients: Vec<f64> = trained.data.iter().map(|c| f64::from(*c)).collect();
                set_coefficients(used, &coefficients);
            }
        }
        let folded = self
            .nonlinearities()
            .filter_map(|nonlinear| match nonlinear {
                Nonlinear::Hermite(hermite) => Some(hermite.folded(weights)),
                _ => None,
            });
        // With a series, every polynomial of the network is one.
        let used = network
            .nodes
            .iter_mut()
            .filter_map(|node| match &mut node.layer {
                Layer::Activation(used) if used.polynomial().is_some() => Some(used),
                _ => None,
            });
        for (used, folded) in used.zip(folded) {
            if let Some(folded) = folded {
                *used = folded;
            }
        }
        tensors.retain(|name, _| !name.contains(".hermite"));
        (network, tensors)
    }

    /// Logits `[batch, classes]` of input values `[batch, features]`, with running statistics; means over the mirror images
    /// where the network says so.
    pub(crate) fn infer(&self, weights: &[Tensor<2>], input: Tensor<2>) -> Tensor<2> {
        let views = self.views(input).into_iter();
        let logits = views.map(|view| {
            self.run(Running::new(weights, None, Precision::Single), view)
                .logits
        });
        let logits: Vec<Tensor<2>> = logits.collect();
        let count = logits.len() as f64;
        let sum = logits.into_iter().reduce(|sum, one| sum + one);
        sum.expect("every image is looked at") / count
    }

    /// Logits of the images alone, in the precision of training: what a teacher says.
    pub(crate) fn answer(&self, weights: &[Tensor<2>], input: Tensor<2>) -> Tensor<2> {
        self.run(Running::new(weights, None, self.precision), input)
            .logits
    }

    /// What the network looks at: the images `[batch, features]`, and their mirror images where it says so.
    fn views(&self, input: Tensor<2>) -> Vec<Tensor<2>> {
        if !self.network.mirrored {
            return vec![input];
        }
        let Shape { width, .. } = self.network.input;
        let [batch, features] = input.dims();
        let rows = input.clone().reshape([batch, features / width, width]);
        let mirrored = rows.flip([2]).reshape([batch, features]);
        vec![input, mirrored]
    }

    /// The same with the statistics of the batch, and activations mixed as `blend` says. `changes` are constants that are
    /// added to filters, by the positions of their weights; it may be empty.
    pub(crate) fn train(
        &self,
        weights: &[Tensor<2>],
        changes: &[Option<Tensor<2>>],
        input: Tensor<2>,
        boundary: Boundary,
        blend: Option<Blend>,
    ) -> Pass {
        let mut pass = Running::new(weights, Some(boundary), self.precision);
        pass.blend = blend;
        pass.changes = changes;
        self.run(pass, input)
    }

    /// As [`Model::infer`]; `seen` is shown the inputs `[features, batch]` of each activation, first layer first, then
    /// those for mirror images if the network looks at them.
    pub(crate) fn watch(
        &self,
        weights: &[Tensor<2>],
        input: Tensor<2>,
        seen: &mut dyn FnMut(&Tensor<2>),
    ) {
        for view in self.views(input) {
            let mut pass = Running::new(weights, None, Precision::Single);
            pass.watch = Some(seen);
            self.run(pass, view);
        }
    }

    fn run(&self, mut pass: Running<'_>, input: Tensor<2>) -> Pass {
        let training = pass.is_training();
        let mut left = self.reads.clone();
        let mut values: Vec<Option<Tensor<2>>> = vec![None; left.len()];
        values[0] = Some(input.transpose()); // [features, batch] from here on
        for Placed {
            module,
            reads,
            makes,
        } in &self.modules
        {
            let inputs = reads.iter().map(|&value| {
                left[value] -= 1;
                // what nobody reads again is not kept
                let read = if left[value] == 0 {
                    values[value].take()
                } else {
                    values[value].clone()
                };
                read.expect("made before it is read")
            });
            let inputs = inputs.collect();
            values[*makes] = Some(pass.apply(module, inputs, |position| {
                // A bias that stays 0 need not be added while training.
                training && self.parameters[position].role == Role::Fixed
            }));
        }
        let logits = values
            .pop()
            .flatten()
            .expect("the last node makes the answer");
        Pass {
            logits: logits.transpose(),
            excess: pass.excess,
            statistics: pass.statistics,
        }
    }

    /// What the network is computed with, in order.
    pub(crate) fn modules(&self) -> impl Iterator<Item = &Module> {
        self.modules.iter().map(|placed| &placed.module)
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

/// Puts trained coefficients into the polynomials of an activation. Numbers that are not finite change nothing.
fn set_coefficients(used: &mut Nonlinearity, coefficients: &[f64]) {
    let polynomials = match used {
        Nonlinearity::Exact(_) => return,
        Nonlinearity::Polynomial { polynomial, .. } => std::slice::from_mut(polynomial),
        Nonlinearity::Channels { polynomials, .. } => polynomials.as_mut_slice(),
    };
    let length = coefficients.len() / polynomials.len();
    for (polynomial, trained) in polynomials.iter_mut().zip(coefficients.chunks(length)) {
        let (basis, interval) = (polynomial.basis(), polynomial.interval());
        if let Ok(trained) = approx::Polynomial::new(trained.to_vec(), basis, interval) {
            *polynomial = trained;
        }
    }
}

/// Purpose of the random numbers of the first weights.
const INITIAL: u64 = 4;

/// Whether a batch norm, and nothing else, reads what a node makes, pooled or not.
fn normalised(network: &Network, readers: &[Vec<usize>], mut node: usize) -> bool {
    while let [reader] = readers[ValueId::of_node(node).0][..] {
        match network.nodes[reader].layer {
            Layer::MeanPool { .. } => node = reader,
            Layer::BatchNorm => return true,
            _ => return false,
        }
    }
    false
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
