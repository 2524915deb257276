//! A trained network folded into linear layers and bare activations.
//!
//! Everything that is affine (normalisation of the pixels, batch norm, mean pooling, the shift,
//! factor and constant of a polynomial) is inside the linear layers; what remains between them is
//! `y^d` and, for degrees 3 and 4, its lower terms.

use approx::{Activation, Polynomial, cheapest_plan};
use ethnum::I256;

/// The number type of a graph's weights: `f64` as trained, `i64` after quantisation.
pub trait Weight: Copy + Send + Sync + 'static {
    /// The type of what is added rather than multiplied with, biases and lower terms: integer ones
    /// carry the scale of a whole layer and need more bits.
    type Bias: Copy + std::fmt::Debug + Send + Sync + 'static;
}

impl Weight for f64 {
    type Bias = f64;
}

impl Weight for i64 {
    type Bias = I256;
}

/// A folded network: a straight chain of nodes from pixels to logits.
#[derive(Clone, Debug)]
pub struct Graph<T: Weight> {
    /// Number of input values (pixels, row-major `[channel, y, x]`).
    pub inputs: usize,
    /// The client encodes a pixel `p` in `0..=255` as `round(p · input_levels / 255)`.
    pub input_levels: u32,
    /// The layers, each reading the output of the one before.
    pub nodes: Vec<Node<T>>,
    /// The logit of class `k` is the last node's value `k` divided by `output_scale[k]`, plus
    /// `output_shift[k]`.
    pub output_scale: Vec<f64>,
    /// See `output_scale`; zero where the bias is in the last layer.
    pub output_shift: Vec<f64>,
}

/// One layer of a [`Graph`].
#[derive(Clone, Debug)]
pub struct Node<T: Weight> {
    /// What it came from, for messages and profiles: `layers.3`.
    pub name: String,
    /// What it computes.
    pub operation: Operation<T>,
}

/// What a node computes.
#[derive(Clone, Debug)]
pub enum Operation<T: Weight> {
    /// A weighted sum plus a bias.
    Linear(Linear<T>),
    /// A monic polynomial of degree 2, 3 or 4 without its second-highest term.
    Power(Power<T>),
    /// Any other function of one value.
    Function(Function),
}

/// A monic, depressed polynomial `y^d + b_(d-2) y^(d-2) + … + b_1 y` applied to every value.
#[derive(Clone, Debug)]
pub struct Power<T: Weight> {
    /// The degree `d`, 2, 3 or 4.
    pub degree: usize,
    /// `[b_1, …, b_(d-2)]` for each channel (empty for degree 2).
    pub lower: Vec<Vec<T::Bias>>,
    /// Values of one channel; value `i` belongs to channel `i / positions`.
    pub positions: usize,
    /// Root mean square of each channel's values `y` over the training images, known where a batch
    /// norm came before (empty where none did, shorter where a skip connection brings channels of
    /// its own). In real units, whatever the weights are.
    pub typical: Vec<f64>,
}

/// A function that is not a polynomial of degree 4 at most.
#[derive(Clone, Debug)]
pub enum Function {
    /// The original activation; only the clear float scheme evaluates it.
    Exact(Activation),
    /// A polynomial of degree 5 or more, in its own basis; schemes on real numbers evaluate it.
    Polynomial(Polynomial),
    /// Rounding to equally spaced values; the clear float scheme evaluates it.
    Rounding(Rounding),
    /// Whole numbers looked up, a table for each value: see [`crate::lookup`].
    Tables(Tables),
}

/// Clamps to `low..=high`, then rounds to the nearest of `levels` equally spaced values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rounding {
    /// How many values, at least 2.
    pub levels: usize,
    /// The lowest value.
    pub low: f64,
    /// The highest value.
    pub high: f64,
}

impl Rounding {
    /// Distance of neighbouring values.
    pub fn step(&self) -> f64 {
        (self.high - self.low) / (self.levels - 1) as f64
    }

    /// Which value `x` becomes, counted from the lowest.
    pub fn level(&self, x: f64) -> i64 {
        ((x.clamp(self.low, self.high) - self.low) / self.step()).round() as i64
    }

    /// What `x` becomes.
    pub fn value(&self, x: f64) -> f64 {
        self.low + self.level(x) as f64 * self.step()
    }
}

/// Look-up tables of whole numbers, one for each value; many values share one.
#[derive(Clone, Debug)]
pub struct Tables {
    /// The distinct tables.
    pub tables: Vec<Table>,
    /// The table of each value.
    pub of: Vec<u32>,
}

/// A function of the whole numbers from `low` on, value by value.
#[derive(Clone, Debug, PartialEq)]
pub struct Table {
    /// The smallest argument.
    pub low: i64,
    /// The results for `low`, `low + 1`, …
    pub results: Vec<i64>,
}

impl Table {
    /// The result for `x`.
    ///
    /// # Panics
    /// If `x` is outside: tables cover every value that any image can produce.
    pub fn at(&self, x: i64) -> i64 {
        self.results[(x - self.low) as usize]
    }
}

/// A linear layer: small dense matrices applied to gathers of the input values.
///
/// A convolution is one matrix applied at every position; a dense layer is one tile.
#[derive(Clone, Debug)]
pub struct Linear<T: Weight> {
    /// The distinct matrices.
    pub matrices: Vec<Matrix<T>>,
    /// Where they are applied. Every output belongs to exactly one tile.
    pub tiles: Vec<Tile>,
    /// One bias an output, `[channels · positions]`.
    pub bias: Vec<T::Bias>,
    /// Channels of the output; value `i` belongs to channel `i / positions`.
    pub channels: usize,
    /// Positions of the output.
    pub positions: usize,
}

/// A row-major matrix.
#[derive(Clone, Debug)]
pub struct Matrix<T> {
    /// Number of outputs.
    pub rows: usize,
    /// Number of gathered inputs.
    pub columns: usize,
    /// `[rows · columns]`.
    pub data: Vec<T>,
}

impl<T> Matrix<T> {
    /// Row `row` of the matrix.
    pub fn row(&self, row: usize) -> &[T] {
        &self.data[row * self.columns..(row + 1) * self.columns]
    }
}

/// One application of a matrix.
#[derive(Clone, Debug)]
pub struct Tile {
    /// Index into [`Linear::matrices`].
    pub matrix: usize,
    /// The input value of each matrix column; [`PADDING`] stands for zero.
    pub inputs: Vec<u32>,
    /// The output value of each matrix row.
    pub outputs: Vec<u32>,
}

/// An input outside the image: it contributes nothing.
pub const PADDING: u32 = u32::MAX;

impl<T: Weight> Linear<T> {
    /// Number of output values.
    pub fn outputs(&self) -> usize {
        self.bias.len()
    }

    /// Products of a value with a plaintext weight, padding not counted.
    pub fn products(&self) -> usize {
        self.tiles
            .iter()
            .map(|tile| {
                let inside = tile.inputs.iter().filter(|&&i| i != PADDING).count();
                inside * tile.outputs.len()
            })
            .sum()
    }

    /// Products including those with padding: what the kernels are timed by.
    pub fn dense_products(&self) -> usize {
        self.tiles
            .iter()
            .map(|tile| tile.inputs.len() * tile.outputs.len())
            .sum()
    }
}

impl<T: Weight> Power<T> {
    /// Ciphertext products for one value.
    pub fn products(&self) -> usize {
        match self.degree {
            2 => 1,
            _ => 2,
        }
    }
}

impl<T: Weight> Graph<T> {
    /// Ciphertext products in sequence.
    pub fn depth(&self) -> usize {
        self.activations().map(|(depth, _, _)| depth).sum()
    }

    /// Ciphertext products for one image (or one batch).
    pub fn ciphertext_products(&self) -> usize {
        self.activations()
            .map(|(_, products, values)| products * values)
            .sum()
    }

    /// Products of a value with a plaintext weight for one image (or one batch).
    pub fn plain_products(&self) -> usize {
        self.linears().map(Linear::products).sum()
    }

    /// The linear layers in order.
    pub fn linears(&self) -> impl Iterator<Item = &Linear<T>> {
        self.nodes.iter().filter_map(|node| match &node.operation {
            Operation::Linear(linear) => Some(linear),
            _ => None,
        })
    }

    /// The polynomials in order: products in sequence and in all for one value, and the number of values.
    fn activations(&self) -> impl Iterator<Item = (usize, usize, usize)> {
        let mut values = self.inputs;
        self.nodes
            .iter()
            .filter_map(move |node| match &node.operation {
                Operation::Linear(linear) => {
                    values = linear.outputs();
                    None
                }
                Operation::Power(power) => Some((power.products(), power.products(), values)),
                Operation::Function(Function::Polynomial(polynomial)) => {
                    let (_, cost) = cheapest_plan(polynomial)?;
                    Some((cost.depth, cost.ciphertext_products, values))
                }
                Operation::Function(_) => None,
            })
    }

    /// What the client encodes pixel `pixel` as.
    pub fn encode(&self, pixel: u8) -> u32 {
        (u32::from(pixel) * self.input_levels + 127) / 255
    }
}

impl<T: Weight> Operation<T> {
    /// `linear` or `activation`.
    pub fn kind(&self) -> &'static str {
        match self {
            Operation::Linear(_) => "linear",
            Operation::Power(_) | Operation::Function(_) => "activation",
        }
    }
}
