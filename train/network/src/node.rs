//! Values and the nodes that make them.

use serde::{Deserialize, Serialize};

use crate::layer::Layer;

/// A value of a graph: 0 is what the graph reads, `i + 1` what node `i` makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ValueId(pub usize);

impl ValueId {
    /// What the graph reads.
    pub const INPUT: Self = Self(0);

    /// What a node makes.
    pub fn of_node(node: usize) -> Self {
        Self(node + 1)
    }

    /// The node that makes it; none for the input.
    pub fn node(self) -> Option<usize> {
        self.0.checked_sub(1)
    }
}

/// A layer and the values that it reads: one for most layers, two for sums and products, more for concatenations.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Node {
    /// What it does.
    pub layer: Layer,
    /// What it reads.
    pub inputs: Vec<ValueId>,
}

/// Nodes in the making.
#[derive(Clone, Debug, Default)]
pub struct Nodes(Vec<Node>);

impl Nodes {
    /// None yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends a node.
    pub fn push(&mut self, layer: Layer, inputs: Vec<ValueId>) -> ValueId {
        self.0.push(Node { layer, inputs });
        ValueId(self.0.len())
    }

    /// A layer of a value.
    pub fn then(&mut self, value: ValueId, layer: Layer) -> ValueId {
        self.push(layer, vec![value])
    }

    /// Layers of a value, one after another.
    pub fn then_all(&mut self, value: ValueId, layers: impl IntoIterator<Item = Layer>) -> ValueId {
        let layers = layers.into_iter();
        layers.fold(value, |value, layer| self.then(value, layer))
    }

    /// The sum of two values.
    pub fn add(&mut self, a: ValueId, b: ValueId) -> ValueId {
        self.push(Layer::Add, vec![a, b])
    }

    /// The product of two values.
    pub fn product(&mut self, a: ValueId, b: ValueId) -> ValueId {
        self.push(Layer::Product, vec![a, b])
    }

    /// The channels of several values.
    pub fn concatenation(&mut self, values: &[ValueId]) -> ValueId {
        self.push(Layer::Concatenation, values.to_vec())
    }

    /// The nodes.
    pub fn into_nodes(self) -> Vec<Node> {
        self.0
    }
}
