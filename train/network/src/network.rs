//! A feed-forward network as a list of layers, and the shapes that follow from it.

use crate::{Nonlinearity, Normalisation};
use approx::Polynomial;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// Added to a batch-norm variance before the square root, in training and in evaluation alike.
pub const BATCH_NORM_EPSILON: f64 = 1e-5;

/// No network kept as data has more layers, values in a layer or values in a parameter tensor than this: what a file
/// announces is refused before any memory is set aside for it.
const MAX_LAYERS: usize = 1_000;
const MAX_VALUES: usize = 1 << 26;

/// No layer rounds to more values than this: look-up tables double in price with every bit.
const MAX_LEVELS: u32 = 256;

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
    /// A layer that cannot follow the one before it.
    #[error("layer {index} ({layer}) does not fit its input of shape {input}: {reason}")]
    Layer {
        /// Index in [`Network::layers`].
        index: usize,
        /// Kind of the layer.
        layer: &'static str,
        /// What the layer before it gives.
        input: Shape,
        /// What is wrong.
        reason: &'static str,
    },
}

/// Sizes of a value between layers: `[channels, height, width]`, stored row-major. A dense layer gives `[n, 1, 1]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Shape {
    /// Channels, or features after a dense layer.
    pub channels: usize,
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
}

impl Shape {
    /// Number of values, saturating.
    pub fn len(&self) -> usize {
        self.channels
            .saturating_mul(self.height)
            .saturating_mul(self.width)
    }

    /// True if there is no value at all.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl std::fmt::Display for Shape {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}×{}×{}", self.channels, self.height, self.width)
    }
}

/// One step of a network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Layer {
    /// Convolution with square kernels and a bias: `[c, h, w]` → `[out_channels, h', w']`,
    /// `h' = ⌊(h + 2·padding - kernel) / stride⌋ + 1`.
    Convolution {
        /// Number of filters.
        out_channels: usize,
        /// Side of the kernel.
        kernel: usize,
        /// Step between positions.
        stride: usize,
        /// Rows and columns of zeros around the input.
        padding: usize,
    },
    /// Matrix and bias on the flattened input (`c·h·w + y·w + x`): `[c, h, w]` → `[outputs, 1, 1]`.
    Dense {
        /// Number of outputs.
        outputs: usize,
    },
    /// `gamma · (x - mean) / √(variance + BATCH_NORM_EPSILON) + beta`, per channel (per feature after a dense layer).
    BatchNorm,
    /// Mean over square windows, no padding: `h' = ⌊(h - kernel) / stride⌋ + 1`.
    MeanPool {
        /// Side of the window.
        kernel: usize,
        /// Step between windows.
        stride: usize,
    },
    /// The same function on every value.
    Activation(Nonlinearity),
    /// The nearest of `levels` equally spaced values: `low + step · round((clamp(x, low, high) - low) / step)`,
    /// `step = (high - low) / (levels - 1)`, halves go up. As the first layer it is done by the client, on input values before they
    /// are encrypted; elsewhere it stands right behind an activation, whose look-up table does it.
    Quantise {
        /// How many values, 2 to 256.
        levels: u32,
        /// The lowest value.
        low: f64,
        /// The highest value.
        high: f64,
    },
    /// Where a skip connection begins: the values here are added again at the next [`Layer::Add`], which is what makes
    /// the layers between a residual block (He et al. 2016, arXiv 1512.03385). One ends before the next begins.
    /// Encrypted, each value costs two powers for every activation that it is carried past; those must be polynomials of
    /// degree 4 at most, and no layer between may change height or width. In the clear, ReLU may be passed as well.
    Skip,
    /// Where it ends: what the layers since [`Layer::Skip`] made, of the same shape, plus what was there before them.
    Add,
}

impl Layer {
    fn kind(&self) -> &'static str {
        match self {
            Self::Convolution { .. } => "convolution",
            Self::Dense { .. } => "dense",
            Self::BatchNorm => "batch norm",
            Self::MeanPool { .. } => "mean pool",
            Self::Activation(_) => "activation",
            Self::Quantise { .. } => "quantise",
            Self::Skip => "skip",
            Self::Add => "add",
        }
    }

    /// Shape of the output for an input of the given shape, or what is wrong.
    fn output(&self, input: Shape) -> Result<Shape, &'static str> {
        let output = match *self {
            Self::Convolution {
                out_channels,
                kernel,
                stride,
                padding,
            } => {
                if padding >= kernel {
                    return Err("the padding must be smaller than the kernel");
                }
                Shape {
                    channels: out_channels,
                    height: windows(input.height, kernel, stride, padding)?,
                    width: windows(input.width, kernel, stride, padding)?,
                }
            }
            Self::Dense { outputs } => Shape {
                channels: outputs,
                height: 1,
                width: 1,
            },
            Self::MeanPool { kernel, stride } => Shape {
                channels: input.channels,
                height: windows(input.height, kernel, stride, 0)?,
                width: windows(input.width, kernel, stride, 0)?,
            },
            Self::Quantise { levels, low, high } => {
                if !(2..=MAX_LEVELS).contains(&levels) {
                    return Err("levels must be 2 to 256");
                }
                // A finite difference also means that both ends are finite.
                if !(low < high && (high - low).is_finite()) {
                    return Err("low must be less than high, both finite");
                }
                input
            }
            Self::Activation(ref nonlinearity) => {
                nonlinearity.check(input.channels)?;
                input
            }
            Self::BatchNorm | Self::Skip | Self::Add => input,
        };
        if output.is_empty() || output.len() > MAX_VALUES {
            return Err("the output would be empty or too large");
        }
        if self
            .parameters(input)
            .iter()
            .any(|(_, shape)| values(shape) > MAX_VALUES)
        {
            return Err("the weights would be too large");
        }
        Ok(output)
    }

    /// Names and shapes of the tensors of this layer for an input of the given shape.
    fn parameters(&self, input: Shape) -> Vec<(&'static str, Vec<usize>)> {
        match *self {
            Self::Convolution {
                out_channels,
                kernel,
                ..
            } => vec![
                ("weight", vec![out_channels, input.channels, kernel, kernel]),
                ("bias", vec![out_channels]),
            ],
            Self::Dense { outputs } => vec![
                ("weight", vec![outputs, input.len()]),
                ("bias", vec![outputs]),
            ],
            Self::BatchNorm => ["gamma", "beta", "mean", "variance"]
                .map(|name| (name, vec![input.channels]))
                .to_vec(),
            Self::MeanPool { .. }
            | Self::Activation(_)
            | Self::Quantise { .. }
            | Self::Skip
            | Self::Add => Vec::new(),
        }
    }
}

/// Begins or ends a skip connection, or says why that cannot be.
fn skips(
    layer: &Layer,
    index: usize,
    input: Shape,
    carried: &mut Option<(usize, Shape)>,
) -> Result<(), &'static str> {
    match layer {
        Layer::Skip if carried.is_some() => Err("the skip connection before has not ended"),
        Layer::Skip => {
            *carried = Some((index, input));
            Ok(())
        }
        Layer::Add => match carried.take() {
            Some((_, shape)) if shape == input => Ok(()),
            Some(_) => Err("what the skip connection carries has another shape"),
            None => Err("no skip connection has begun"),
        },
        Layer::Quantise { .. } if carried.is_some() => {
            Err("a skip connection cannot pass a layer that rounds")
        }
        _ => Ok(()),
    }
}

/// Number of window positions along one side.
fn windows(
    side: usize,
    kernel: usize,
    stride: usize,
    padding: usize,
) -> Result<usize, &'static str> {
    if kernel == 0 || stride == 0 {
        return Err("kernel and stride must be at least 1");
    }
    // `padding < kernel` alone does not bound it: a hostile kernel may be close to the largest integer.
    let padded = padding
        .checked_mul(2)
        .and_then(|twice| twice.checked_add(side));
    match padded {
        Some(padded) if kernel <= padded => Ok((padded - kernel) / stride + 1),
        Some(_) => Err("the kernel is larger than the padded input"),
        None => Err("the padding is too large"),
    }
}

/// Number of values of a tensor shape, saturating.
pub(crate) fn values(shape: &[usize]) -> usize {
    shape
        .iter()
        .fold(1, |product: usize, &side| product.saturating_mul(side))
}

/// A network: what it reads, and its layers in order.
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
    pub layers: Vec<Layer>,
    /// Whether it answers with the mean of its results for an image and for its mirror image, left to right; for
    /// photographs. The server makes the mirror image itself, out of the same ciphertexts; all layers cost twice.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub mirrored: bool,
}

impl Network {
    /// Shape after each layer, so one entry a layer.
    ///
    /// # Errors
    /// Names the first layer that does not fit, see [`NetworkError`].
    pub fn shapes(&self) -> Result<Vec<Shape>, NetworkError> {
        if self.layers.is_empty() || self.layers.len() > MAX_LAYERS {
            return Err(NetworkError::LayerCount(self.layers.len()));
        }
        if self.input.is_empty() || self.input.len() > MAX_VALUES {
            return Err(NetworkError::Input(self.input));
        }
        let mut input = self.input;
        let mut shapes = Vec::with_capacity(self.layers.len());
        // Where a skip connection has begun, and what it carries.
        let mut carried = None;
        for (index, layer) in self.layers.iter().enumerate() {
            let before = index.checked_sub(1).map(|before| &self.layers[before]);
            let rounded = matches!(layer, Layer::Quantise { .. });
            let output = match before {
                Some(before) if rounded && !matches!(before, Layer::Activation(_)) => {
                    Err("it must be the first layer or stand right behind an activation")
                }
                _ => skips(layer, index, input, &mut carried).and_then(|()| layer.output(input)),
            };
            input = output.map_err(|reason| NetworkError::Layer {
                index,
                layer: layer.kind(),
                input,
                reason,
            })?;
            shapes.push(input);
        }
        if let Some((index, input)) = carried {
            return Err(NetworkError::Layer {
                index,
                layer: Layer::Skip.kind(),
                input,
                reason: "the skip connection never ends",
            });
        }
        Ok(shapes)
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

    /// Name and shape of every tensor, in layer order: `layers.{i}.{weight|bias|gamma|beta|mean|variance}`.
    /// Convolution weights are `[out, in, kernel, kernel]`, dense weights `[out, in]`.
    ///
    /// # Errors
    /// As [`Network::shapes`].
    pub fn parameter_shapes(&self) -> Result<Vec<(String, Vec<usize>)>, NetworkError> {
        let outputs = self.shapes()?;
        let inputs = std::iter::once(self.input).chain(outputs);
        Ok((self.layers.iter().zip(inputs).enumerate())
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
        for layer in &mut network.layers {
            if let Layer::Activation(old) = layer {
                old.clone_from(nonlinearity);
            }
        }
        network
    }

    /// The activations in order.
    pub fn activations(&self) -> Vec<&Nonlinearity> {
        self.layers
            .iter()
            .filter_map(|layer| match layer {
                Layer::Activation(nonlinearity) => Some(nonlinearity),
                _ => None,
            })
            .collect()
    }

    /// How many values an activation is applied to for one image: what decides the cost of encrypted evaluation.
    /// A value that a skip connection carries past an activation counts as two, because two powers carry it, see
    /// [`Layer::Skip`]. Zero for a network that [`Network::validate`] refuses.
    pub fn activation_outputs(&self) -> usize {
        let shapes = self.shapes().unwrap_or_default();
        let (mut carried, mut count) = (0, 0);
        for (layer, shape) in self.layers.iter().zip(shapes) {
            match layer {
                Layer::Skip => carried = 2 * shape.len(),
                Layer::Add => carried = 0,
                Layer::Activation(_) => count += shape.len() + carried,
                _ => {}
            }
        }
        count * self.passes()
    }

    /// How often the layers are evaluated for an image.
    fn passes(&self) -> usize {
        1 + usize::from(self.mirrored)
    }

    /// Products of a value and a weight for one image, layer by layer as they stand here; pools and batch norms do not
    /// count, since evaluation folds them into their neighbours. Zero for a network that [`Network::validate`] refuses.
    pub fn multiply_accumulates(&self) -> usize {
        let outputs = self.shapes().unwrap_or_default();
        let inputs = std::iter::once(self.input).chain(outputs.iter().copied());
        let layers = self.layers.iter().zip(inputs).zip(&outputs);
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
                | Layer::Skip
                | Layer::Add => 0,
            })
            .sum();
        products * self.passes()
    }

    /// Ciphertext products in sequence: what decides the size of the ring. An activation that is still exact counts as
    /// the quadratic that would take its place.
    pub fn depth(&self) -> usize {
        let activations = self.activations().into_iter();
        activations
            .map(|nonlinearity| nonlinearity.polynomial().map_or(1, Polynomial::depth))
            .sum()
    }
}

#[cfg(test)]
mod tests;
