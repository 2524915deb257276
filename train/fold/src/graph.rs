//! A folded network: values with ids, nodes that read values and make one each.
//!
//! Everything that is affine (normalisation of the pixels, batch norm, mean pooling, the factor and constant of a
//! polynomial) is inside the linear layers and the factors of sums; what remains between them are products of two values
//! and, for degrees above 2, polynomials.
//!
//! A graph is in static single assignment: a value is made once, by the node of its number, and read by any node behind.
//! So the last reader of every value is known ([`Graph::last_readers`]), and memory is a schedule.

use approx::{Activation, Polynomial, cheapest_plan};
pub use cryptodl_network::ValueId;
use serde::{Deserialize, Serialize};

pub use crate::linear::{Linear, Matrix, PADDING, Tile};
pub use crate::table::{Rounding, Table, Tables};
pub use crate::weight::Weight;

/// Size of a value: number `i` of it belongs to channel `i / positions`.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Layout {
    /// Channels.
    pub channels: usize,
    /// Positions of each channel.
    pub positions: usize,
}

impl Layout {
    /// Numbers in all.
    pub fn len(self) -> usize {
        self.channels * self.positions
    }

    /// Whether there are none.
    pub fn is_empty(self) -> bool {
        self.len() == 0
    }
}

/// A folded network.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(bound = "")]
pub struct Graph<T: Weight> {
    /// What it reads, [`ValueId::INPUT`]: pixels, row-major `[channel, y, x]`.
    pub input: Layout,
    /// What the client encodes pixels with: see [`encode`].
    pub input_levels: u32,
    /// In an order in which they can be evaluated; the last one makes the result. Never empty.
    pub nodes: Vec<Node<T>>,
    /// The logit of class `k` is the result's number `k` divided by `output_scale[k]`, plus `output_shift[k]`.
    pub output_scale: Vec<f64>,
    /// See `output_scale`; zero where the bias is in the last layer.
    pub output_shift: Vec<f64>,
}

/// One operation of a [`Graph`].
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(bound = "")]
pub struct Node<T: Weight> {
    /// What it came from, for messages and profiles: `layers.3`.
    pub name: String,
    /// The values that it reads, made by nodes before it.
    pub operands: Vec<ValueId>,
    /// What it computes.
    pub operation: Operation<T>,
    /// Size of what it makes.
    pub output: Layout,
    /// Of what it makes, where a batch norm told.
    pub statistics: Option<Statistics>,
}

/// Mean and standard deviation of each channel over the training images, in real units whatever the weights are.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Statistics {
    /// Means.
    pub mean: Vec<f64>,
    /// Standard deviations.
    pub deviation: Vec<f64>,
}

/// What a node computes.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(bound = "")]
pub enum Operation<T: Weight> {
    /// A weighted sum plus a bias; several operands are read as one value, one behind the other (concatenation).
    Linear(Linear<T>),
    /// `(a + s) · (b + t)`, number by number; a square is the product of a value with itself.
    Product(Product<T>),
    /// A monic polynomial of degree 3 or 4 without its second-highest term.
    Power(Power<T>),
    /// A polynomial of degree 5 or more, in its own basis: for schemes on real numbers.
    Polynomial(Polynomial),
    /// A sum of values of one size, each times a factor for each channel.
    Add(Add<T>),
    /// Whole numbers looked up, a table for each: see [`crate::lookup`].
    Table(Tables),
    /// What only a clear evaluation in floating point can do.
    Function(Function),
}

/// A product of two values of one size.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(bound = "")]
pub struct Product<T: Weight> {
    /// What is added to the first and to the second operand before, for each channel; empty: nothing.
    pub shifts: [Vec<T::Bias>; 2],
}

/// A monic, depressed polynomial `y^d + b_(d-2) y^(d-2) + … + b_1 y`, `y = x + shift`, of every number.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(bound = "")]
pub struct Power<T: Weight> {
    /// The degree `d`, 3 or 4.
    pub degree: usize,
    /// What is added before, for each channel; empty: nothing.
    pub shift: Vec<T::Bias>,
    /// `[b_1, …, b_(d-2)]` for each channel.
    pub lower: Vec<Vec<T::Bias>>,
}

/// `Σ factors[k][channel] · operand k + bias[channel]`.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(bound = "")]
pub struct Add<T: Weight> {
    /// A factor for each channel, for each operand; an empty list stands for ones.
    pub factors: Vec<Vec<T::Bias>>,
    /// One for each channel; empty: nothing.
    pub bias: Vec<T::Bias>,
}

/// A function that is no polynomial.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub enum Function {
    /// The original activation.
    Exact(Activation),
    /// Rounding to equally spaced values.
    Rounding(Rounding),
}

/// What the client encodes a pixel as: `round(pixel · levels / 255)`.
pub fn encode(pixel: u8, levels: u32) -> u32 {
    (u32::from(pixel) * levels + 127) / 255
}

impl<T: Weight> Graph<T> {
    /// Numbers that it reads.
    pub fn inputs(&self) -> usize {
        self.input.len()
    }

    /// Size of a value.
    pub fn layout(&self, value: ValueId) -> Layout {
        match value.node() {
            None => self.input,
            Some(node) => self.nodes[node].output,
        }
    }

    /// What a batch norm told of a value.
    pub fn statistics(&self, value: ValueId) -> Option<&Statistics> {
        self.nodes[value.node()?].statistics.as_ref()
    }

    /// The value that the last node makes.
    pub fn result(&self) -> ValueId {
        ValueId::of_node(self.nodes.len() - 1)
    }

    /// For each value, by number, the last node that reads it; none for the result.
    pub fn last_readers(&self) -> Vec<Option<usize>> {
        let mut last = vec![None; self.nodes.len() + 1];
        for (index, node) in self.nodes.iter().enumerate() {
            for operand in &node.operands {
                last[operand.0] = Some(index);
            }
        }
        last
    }

    /// For each value, by number, how many times it is read.
    pub fn readers(&self) -> Vec<usize> {
        let mut count = vec![0; self.nodes.len() + 1];
        for operand in self.nodes.iter().flat_map(|node| &node.operands) {
            count[operand.0] += 1;
        }
        count
    }

    /// Ciphertext products in sequence: the most on any path.
    pub fn depth(&self) -> usize {
        let mut depths = vec![0];
        for node in &self.nodes {
            let before = node.operands.iter().map(|operand| depths[operand.0]).max();
            depths.push(before.unwrap_or(0) + node.operation.cost().0);
        }
        depths[self.nodes.len()]
    }

    /// Ciphertext products for one image (or one batch).
    pub fn ciphertext_products(&self) -> usize {
        let products = |node: &Node<T>| node.operation.cost().1 * node.output.len();
        self.nodes.iter().map(products).sum()
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
}

impl<T: Weight> Operation<T> {
    /// `linear`, `activation`, `product` or `add`.
    pub fn kind(&self) -> &'static str {
        match self {
            Operation::Linear(_) => "linear",
            Operation::Product(_) => "product",
            Operation::Add(_) => "add",
            _ => "activation",
        }
    }

    /// Ciphertext products of one number: in sequence and in all.
    fn cost(&self) -> (usize, usize) {
        match self {
            Operation::Product(_) => (1, 1),
            Operation::Power(_) => (2, 2),
            Operation::Polynomial(polynomial) => cheapest_plan(polynomial)
                .map_or((0, 0), |(_, cost)| (cost.depth, cost.ciphertext_products)),
            Operation::Linear(_)
            | Operation::Add(_)
            | Operation::Table(_)
            | Operation::Function(_) => (0, 0),
        }
    }
}
