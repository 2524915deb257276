//! Layers and the shapes of what is between them.

use serde::{Deserialize, Serialize};

use crate::Nonlinearity;

/// No network kept as data has more values in a layer or in a parameter tensor than this: what a file announces is
/// refused before any memory is set aside for it.
pub(crate) const MAX_VALUES: usize = 1 << 26;

/// No layer rounds to more values than this: look-up tables double in price with every bit.
const MAX_LEVELS: u32 = 256;

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
    /// The sum of two values of one shape: with a value and what a few layers made of it, a residual block (He et al.
    /// 2016, arXiv 1512.03385). Encrypted, it costs next to nothing.
    Add,
    /// The product of two values of one shape, number by number: a gate `F(x) ⊙ x`. Encrypted, a ciphertext product a
    /// number.
    Product,
    /// The channels of two or more values of one height and width, one behind the other.
    Concatenation,
}

impl Layer {
    /// In words.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::Convolution { .. } => "convolution",
            Self::Dense { .. } => "dense",
            Self::BatchNorm => "batch norm",
            Self::MeanPool { .. } => "mean pool",
            Self::Activation(_) => "activation",
            Self::Quantise { .. } => "quantise",
            Self::Add => "add",
            Self::Product => "product",
            Self::Concatenation => "concatenation",
        }
    }

    /// Shape of the output for inputs of the given shapes, or what is wrong.
    pub(crate) fn output(&self, inputs: &[Shape]) -> Result<Shape, &'static str> {
        let input = self.joined(inputs)?;
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
            Self::BatchNorm | Self::Add | Self::Product => input,
            Self::Concatenation => {
                let channels = inputs
                    .iter()
                    .try_fold(0_usize, |sum, input| sum.checked_add(input.channels));
                let channels = channels.ok_or("it would have too many channels")?;
                Shape { channels, ..input }
            }
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

    /// The first input, if there are as many as the layer wants and they fit together.
    fn joined(&self, inputs: &[Shape]) -> Result<Shape, &'static str> {
        let (Some(&first), count) = (inputs.first(), inputs.len()) else {
            return Err("it reads nothing");
        };
        match self {
            Self::Add | Self::Product if count != 2 => Err("it joins two values"),
            Self::Add | Self::Product if inputs[1] != first => {
                Err("the two values that it joins have different shapes")
            }
            Self::Concatenation if count < 2 => Err("it joins two values or more"),
            Self::Concatenation => {
                let side = |shape: &Shape| (shape.height, shape.width);
                if inputs.iter().any(|input| side(input) != side(&first)) {
                    return Err("the values that it joins differ in height or width");
                }
                Ok(first)
            }
            Self::Add | Self::Product => Ok(first),
            _ if count > 1 => Err("it reads one value"),
            _ => Ok(first),
        }
    }

    /// Names and shapes of the tensors of this layer for an input of the given shape.
    pub(crate) fn parameters(&self, input: Shape) -> Vec<(&'static str, Vec<usize>)> {
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
            | Self::Add
            | Self::Product
            | Self::Concatenation => Vec::new(),
        }
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
