//! A feed-forward network as a graph of layers, and the shapes that follow from it.
//!
//! The graph is in static single assignment: every node makes one value, which any node behind may read. So skip
//! connections, projections on them, gates and concatenations are readers of values, and a straight network is a chain.

use crate::layer::{Layer, MAX_VALUES, Shape, values};
use crate::node::{Node, Nodes, ValueId};
use crate::{Nonlinearity, Normalisation};
use approx::Polynomial;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Added to a batch-norm variance before the square root, in training and in evaluation alike.
pub const BATCH_NORM_EPSILON: f64 = 1e-5;

/// No network kept as data has more layers than this.
const MAX_LAYERS: usize = 1_000;

/// No node reads more values than this.
const MAX_INPUTS: usize = 64;

/// Why a network makes no sense.
#[derive(Debug, Error, PartialEq)]
pub enum NetworkError {
    /// No network of that name is in the zoo.
    #[error("unknown network `{name}`: known ones are {}", known.join(", "))]
    Unknown {
        /// What was asked for.
        name: String,
        /// Every name that would have worked.
        known: Vec<&'static str>,
    },
    /// The name could not be the stem of a file.
    #[error("network name `{0}` must be 1 to 64 letters, digits, `-` or `_`")]
    Name(String),
    /// Nothing to compute, or more than any network here needs.
    #[error("a network has 1 to {MAX_LAYERS} layers, this one has {0}")]
    LayerCount(usize),
    /// The input is empty or larger than any image.
    #[error("input shape {0} must have 1 to {MAX_VALUES} values")]
    Input(Shape),
    /// Mean and deviation do not fit the input channels.
    #[error(
        "normalisation needs one finite mean and one positive deviation for each of {channels} channels"
    )]
    Normalisation {
        /// Channels of the input.
        channels: usize,
    },
    /// A node that reads what is not made before it, or more than any network here needs.
    #[error(
        "layer {index} ({layer}) reads value {value}, and only values 0 to {index} are made before it"
    )]
    Value {
        /// The node.
        index: usize,
        /// Kind of its layer.
        layer: &'static str,
        /// What it reads.
        value: usize,
    },
    /// A node that reads too much.
    #[error("layer {index} reads {count} values, and {MAX_INPUTS} is the limit")]
    Inputs {
        /// The node.
        index: usize,
        /// How many values it reads.
        count: usize,
    },
    /// A node whose value is lost.
    #[error("nothing reads what layer {index} ({layer}) makes: remove it, or read it")]
    Unread {
        /// The node.
        index: usize,
        /// Kind of its layer.
        layer: &'static str,
    },
    /// A layer that does not fit what it reads.
    #[error("layer {index} ({layer}) does not fit its input of shape {input}: {reason}")]
    Layer {
        /// The node.
        index: usize,
        /// Kind of its layer.
        layer: &'static str,
        /// The first value that it reads.
        input: Shape,
        /// What is wrong.
        reason: &'static str,
    },
}

/// A network: what it reads, and its nodes in an order in which they can be evaluated; the last one makes the answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Network {
    /// Name in the zoo and stem of its files.
    pub name: String,
    /// Shape of an image.
    pub input: Shape,
    /// How pixels become input values.
    pub normalisation: Normalisation,
    /// What happens to them.
    pub nodes: Vec<Node>,
    /// Whether it answers with the mean of its results for an image and for its mirror image, left to right; for
    /// photographs. The server makes the mirror image itself, out of the same ciphertexts; all layers cost twice.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub mirrored: bool,
}

impl Network {
    /// A network whose layers each read what the one before them made.
    pub fn chain(
        name: impl Into<String>,
        input: Shape,
        normalisation: Normalisation,
        layers: Vec<Layer>,
    ) -> Self {
        let mut nodes = Nodes::new();
        nodes.then_all(ValueId::INPUT, layers);
        Self::new(name, input, normalisation, nodes)
    }

    /// A network of these nodes.
    pub fn new(
        name: impl Into<String>,
        input: Shape,
        normalisation: Normalisation,
        nodes: Nodes,
    ) -> Self {
        Self {
            name: name.into(),
            input,
            normalisation,
            nodes: nodes.into_nodes(),
            mirrored: false,
        }
    }

    /// Shape of what each node makes, so one entry a node.
    ///
    /// # Errors
    /// Names the first node that does not fit, see [`NetworkError`].
    pub fn shapes(&self) -> Result<Vec<Shape>, NetworkError> {
        if self.nodes.is_empty() || self.nodes.len() > MAX_LAYERS {
            return Err(NetworkError::LayerCount(self.nodes.len()));
        }
        if self.input.is_empty() || self.input.len() > MAX_VALUES {
            return Err(NetworkError::Input(self.input));
        }
        let mut shapes = vec![self.input];
        for (index, node) in self.nodes.iter().enumerate() {
            let layer = node.layer.kind();
            if node.inputs.len() > MAX_INPUTS {
                let count = node.inputs.len();
                return Err(NetworkError::Inputs { index, count });
            }
            if let Some(&ValueId(value)) = node.inputs.iter().find(|value| value.0 > index) {
                return Err(NetworkError::Value {
                    index,
                    layer,
                    value,
                });
            }
            let inputs: Vec<Shape> = node.inputs.iter().map(|value| shapes[value.0]).collect();
            let output = self
                .rounds_in_place(node)
                .and_then(|()| node.layer.output(&inputs));
            let output = output.map_err(|reason| NetworkError::Layer {
                index,
                layer,
                input: inputs.first().copied().unwrap_or(self.input),
                reason,
            })?;
            shapes.push(output);
        }
        let readers = self.readers();
        let made = readers[1..self.nodes.len()].iter();
        if let Some(index) = made
            .enumerate()
            .find_map(|(i, r)| r.is_empty().then_some(i))
        {
            let layer = self.nodes[index].layer.kind();
            return Err(NetworkError::Unread { index, layer });
        }
        shapes.remove(0);
        Ok(shapes)
    }

    /// Rounding is the client's work, or that of the activation's look-up right before it.
    fn rounds_in_place(&self, node: &Node) -> Result<(), &'static str> {
        let Layer::Quantise { .. } = node.layer else {
            return Ok(());
        };
        let before = node.inputs.first().and_then(|value| value.node());
        match before.map(|before| &self.nodes[before].layer) {
            None | Some(Layer::Activation(_)) => Ok(()),
            Some(_) => Err("it must be the first layer or stand right behind an activation"),
        }
    }

    /// For each value, by number, the nodes that read it; twice if they read it twice.
    pub fn readers(&self) -> Vec<Vec<usize>> {
        let mut readers = vec![Vec::new(); self.nodes.len() + 1];
        for (index, node) in self.nodes.iter().enumerate() {
            for value in &node.inputs {
                if let Some(readers) = readers.get_mut(value.0) {
                    readers.push(index);
                }
            }
        }
        readers
    }

    /// Whether every node reads what the one before it made and nothing else.
    pub fn is_chain(&self) -> bool {
        let mut nodes = self.nodes.iter().enumerate();
        nodes.all(|(index, node)| node.inputs == [ValueId(index)])
    }

    /// The layers in order.
    pub fn layers(&self) -> impl Iterator<Item = &Layer> {
        self.nodes.iter().map(|node| &node.layer)
    }

    /// Shape of the first value that each node reads.
    ///
    /// # Errors
    /// As [`Network::shapes`].
    pub fn input_shapes(&self) -> Result<Vec<Shape>, NetworkError> {
        let shapes = self.shapes()?;
        let of = |value: ValueId| value.node().map_or(self.input, |node| shapes[node]);
        Ok(self.nodes.iter().map(|node| of(node.inputs[0])).collect())
    }

    /// Checks everything that can be checked without tensors: name, normalisation, shapes.
    ///
    /// # Errors
    /// The first thing that is wrong, see [`NetworkError`].
    pub fn validate(&self) -> Result<(), NetworkError> {
        let fits = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        if self.name.is_empty() || self.name.len() > 64 || !self.name.chars().all(fits) {
            // The name may come from a file: a message of reasonable length whatever it holds.
            return Err(NetworkError::Name(
                self.name.escape_debug().take(80).collect(),
            ));
        }
        self.shapes()?;
        let Normalisation {
            mean, deviation, ..
        } = &self.normalisation;
        let channels = self.input.channels;
        let good = mean.len() == channels
            && deviation.len() == channels
            && mean.iter().all(|m| m.is_finite())
            && deviation.iter().all(|d| d.is_finite() && *d > 0.0);
        if good {
            Ok(())
        } else {
            Err(NetworkError::Normalisation { channels })
        }
    }

    /// Name and shape of every tensor, in the order of the nodes: `layers.{node}.{weight|bias|gamma|beta|mean|variance}`.
    /// Convolution weights are `[out, in, kernel, kernel]`, dense weights `[out, in]`.
    ///
    /// # Errors
    /// As [`Network::shapes`].
    pub fn parameter_shapes(&self) -> Result<Vec<(String, Vec<usize>)>, NetworkError> {
        let inputs = self.input_shapes()?;
        Ok((self.layers().zip(inputs).enumerate())
            .flat_map(|(index, (layer, input))| {
                let parameters = layer.parameters(input).into_iter();
                parameters.map(move |(name, shape)| (format!("layers.{index}.{name}"), shape))
            })
            .collect())
    }

    /// Number of trained values: weights, biases, gammas and betas (running means and variances are not trained).
    ///
    /// # Errors
    /// As [`Network::shapes`].
    pub fn parameters(&self) -> Result<usize, NetworkError> {
        let shapes = self.parameter_shapes()?;
        let trained = shapes
            .iter()
            .filter(|(name, _)| !name.ends_with("mean") && !name.ends_with("variance"));
        Ok(trained.map(|(_, shape)| values(shape)).sum())
    }

    /// The same network with every activation replaced.
    #[must_use]
    pub fn with_activation(&self, nonlinearity: &Nonlinearity) -> Self {
        let mut network = self.clone();
        for node in &mut network.nodes {
            if let Layer::Activation(old) = &mut node.layer {
                old.clone_from(nonlinearity);
            }
        }
        network
    }

    /// The activations in order.
    pub fn activations(&self) -> Vec<&Nonlinearity> {
        self.layers()
            .filter_map(|layer| match layer {
                Layer::Activation(nonlinearity) => Some(nonlinearity),
                _ => None,
            })
            .collect()
    }

    /// How many values an activation or a [`Layer::Product`] makes for one image: what decides the cost of encrypted
    /// evaluation. Zero for a network that [`Network::validate`] refuses.
    pub fn activation_outputs(&self) -> usize {
        let shapes = self.shapes().unwrap_or_default();
        let outputs = self.layers().zip(shapes).filter_map(|(layer, shape)| {
            matches!(layer, Layer::Activation(_) | Layer::Product).then_some(shape.len())
        });
        outputs.sum::<usize>() * self.passes()
    }

    /// How often the layers are evaluated for an image.
    fn passes(&self) -> usize {
        1 + usize::from(self.mirrored)
    }

    /// Products of a value and a weight for one image, layer by layer as they stand here; pools and batch norms do not
    /// count, since evaluation folds them into their neighbours. Zero for a network that [`Network::validate`] refuses.
    pub fn multiply_accumulates(&self) -> usize {
        let outputs = self.shapes().unwrap_or_default();
        let inputs = self.input_shapes().unwrap_or_default();
        let layers = self.layers().zip(inputs).zip(&outputs);
        let products: usize = layers
            .map(|((layer, input), output)| match *layer {
                Layer::Convolution { kernel, .. } => {
                    output.len() * input.channels * kernel * kernel
                }
                Layer::Dense { .. } => output.len() * input.len(),
                Layer::BatchNorm
                | Layer::MeanPool { .. }
                | Layer::Activation(_)
                | Layer::Quantise { .. }
                | Layer::Add
                | Layer::Product
                | Layer::Concatenation => 0,
            })
            .sum();
        products * self.passes()
    }

    /// Ciphertext products in sequence, the most on any path: what decides the size of the ring. An activation that is
    /// still exact counts as the quadratic that would take its place. Zero for a network that [`Network::validate`]
    /// refuses.
    pub fn depth(&self) -> usize {
        if self.shapes().is_err() {
            return 0;
        }
        let mut depths = vec![0];
        for node in &self.nodes {
            let before = node.inputs.iter().map(|value| depths[value.0]).max();
            let own = match &node.layer {
                Layer::Activation(nonlinearity) => {
                    nonlinearity.polynomial().map_or(1, Polynomial::depth)
                }
                Layer::Product => 1,
                _ => 0,
            };
            depths.push(before.unwrap_or(0) + own);
        }
        depths[self.nodes.len()]
    }
}

#[cfg(test)]
mod tests;
