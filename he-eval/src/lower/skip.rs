//! What a skip connection carries, as values of a chain.
//!
//! A [`crate::graph::Graph`] is a chain, and every scheme evaluates nothing else. So what is carried past a linear layer
//! becomes rows of its own in that layer, and what is carried past an activation is made of the activation's own values,
//! two for each: with a number `q` that is free to choose,
//!
//! - `(y + q/4)² - (y - q/4)² = q·y` past squares,
//! - `(y³ + q·y) - y³ = q·y` past cubics, and the same past quartics,
//! - `relu(y) - relu(-y) = y` past ReLU.
//!
//! Weights of a layer share one step, or nearly so, and none of these may take it away from those that were trained: so
//! `y` is scaled, and `q` chosen, to make the new weights as large as the largest of the layer that they stand in.

use cryptodl_network::Shape;

use super::stage::Affine;
use crate::graph::{Linear, Matrix, Node, Operation, Tile};

/// What carried values go through behind a linear layer.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Crossing {
    /// Another linear layer follows, or nothing.
    Nothing,
    /// A monic power of that degree, 2 to 4.
    Power(usize),
    /// ReLU.
    Relu,
}

impl Crossing {
    /// How many values stand for each that is carried.
    pub fn copies(self) -> usize {
        match self {
            Self::Nothing => 1,
            Self::Power(_) | Self::Relu => 2,
        }
    }
}

/// Carried values `x`, of each channel `scale / q · (first - second) + shift`, without `second` if there is none.
pub(super) struct Carried {
    shape: Shape,
    /// Where the first and the second begin among the values that were made last.
    at: Vec<usize>,
    scale: Vec<f64>,
    shift: Vec<f64>,
    /// Degree of the power that made them and index of the linear layer before it, until `q` is chosen; otherwise it is 1.
    open: Option<(usize, usize)>,
}

impl Carried {
    /// All values that were made last, each channel standing for `affine` of them.
    pub fn new(shape: Shape, affine: &Affine) -> Self {
        Self {
            shape,
            at: vec![0],
            scale: affine.scale.clone(),
            shift: affine.shift.clone(),
            open: None,
        }
    }

    /// Number of channels.
    pub fn channels(&self) -> usize {
        self.shape.channels
    }

    fn positions(&self) -> usize {
        self.shape.height * self.shape.width
    }

    /// Adds `factors · x` to the outputs of a layer, which have the same shape.
    pub fn join(&self, linear: &mut Linear<f64>, factors: &[f64], nodes: &mut [Node<f64>]) {
        let (channels, positions) = (self.channels(), self.positions());
        let weights = self.weights(factors, largest(linear), nodes);
        for matrix in &mut linear.matrices {
            let mut data = Vec::with_capacity(matrix.rows * (matrix.columns + channels));
            for (channel, weight) in weights.iter().enumerate() {
                data.extend(matrix.row(channel));
                data.extend(self.row(channel, *weight));
            }
            matrix.columns += self.at.len() * channels;
            matrix.data = data;
        }
        for tile in &mut linear.tiles {
            let position = tile.outputs[0] as usize % positions;
            tile.inputs.extend(self.inputs(position));
        }
        for (index, bias) in linear.bias.iter_mut().enumerate() {
            let channel = index / positions;
            *bias += factors[channel] * self.shift[channel];
        }
    }

    /// Appends rows to the layer that will be node `index`, so that the values are still there behind it and behind what
    /// it is followed by. The error is what is in the way.
    pub fn pass(
        &mut self,
        linear: &mut Linear<f64>,
        crossing: Crossing,
        index: usize,
        nodes: &mut [Node<f64>],
    ) -> Result<(), &'static str> {
        let (channels, positions) = (self.channels(), self.positions());
        if linear.positions != positions {
            return Err("it changes height or width");
        }
        let peak = largest(linear);
        let scaling = |scale: &f64| match (self.open, scale.abs()) {
            (None, scale) if scale > 0.0 => peak / scale,
            // `q` does it, or there is nothing to scale
            _ => 1.0,
        };
        let factors: Vec<f64> = self.scale.iter().map(scaling).collect();
        let weights = self.weights(&factors, peak, nodes);
        let first = linear.outputs();
        let copies = crossing.copies();
        let mut data = Vec::new();
        for copy in 0..copies {
            // ReLU wants the second one negative
            let sign = match crossing {
                Crossing::Relu if copy == 1 => -1.0,
                _ => 1.0,
            };
            for (channel, weight) in weights.iter().enumerate() {
                data.extend(self.row(channel, sign * weight));
                let bias = sign * factors[channel] * self.shift[channel];
                linear.bias.extend(vec![bias; positions]);
            }
        }
        let rows = copies * channels;
        linear.tiles.extend((0..positions).map(|position| {
            Tile {
                matrix: linear.matrices.len(),
                inputs: self.inputs(position).collect(),
                outputs: (0..rows)
                    .map(|row| (first + row * positions + position) as u32)
                    .collect(),
            }
        }));
        linear.matrices.push(Matrix {
            rows,
            columns: self.at.len() * channels,
            data,
        });
        linear.channels += rows;
        self.at = (0..copies)
            .map(|copy| first + copy * channels * positions)
            .collect();
        self.scale = factors.iter().map(|factor| factor.recip()).collect();
        self.shift = vec![0.0; channels];
        self.open = match crossing {
            Crossing::Power(degree) => Some((degree, index)),
            Crossing::Nothing | Crossing::Relu => None,
        };
        Ok(())
    }

    /// The weights of `factors · x`, and with them `q`, which goes into the layers that made the values: each is then of
    /// size `peak`.
    fn weights(&self, factors: &[f64], peak: f64, nodes: &mut [Node<f64>]) -> Vec<f64> {
        let wanted = factors.iter().zip(&self.scale).map(|(f, s)| f * s);
        let wanted: Vec<f64> = wanted.collect();
        let Some((degree, index)) = self.open else {
            return wanted;
        };
        let positions = self.positions();
        let chosen = |weight: &f64| {
            if *weight == 0.0 {
                1.0
            } else {
                weight.abs() / peak
            }
        };
        let chosen: Vec<f64> = wanted.iter().map(chosen).collect();
        let channels = chosen.iter().enumerate();
        match (degree, &mut nodes[index..]) {
            (2, [node, ..]) => {
                if let Operation::Linear(linear) = &mut node.operation {
                    for (channel, q) in channels {
                        for (place, sign) in self.at.iter().zip([1.0, -1.0]) {
                            let first = place + channel * positions;
                            for bias in &mut linear.bias[first..first + positions] {
                                *bias += sign * q / 4.0;
                            }
                        }
                    }
                }
            }
            (_, [_, node, ..]) => {
                if let Operation::Power(power) = &mut node.operation {
                    for (channel, q) in channels {
                        power.lower[self.at[0] / positions + channel][0] = *q;
                    }
                }
            }
            _ => unreachable!("a linear layer and its power were emitted"),
        }
        let pairs = wanted.iter().zip(&chosen);
        pairs.map(|(weight, q)| weight / q).collect()
    }

    /// A row that reads one channel of what [`Carried::inputs`] gathers.
    fn row(&self, channel: usize, weight: f64) -> impl Iterator<Item = f64> + use<> {
        let channels = self.channels();
        (0..self.at.len() * channels).map(move |column| {
            let sign = if column < channels { 1.0 } else { -1.0 };
            if column % channels == channel {
                sign * weight
            } else {
                0.0
            }
        })
    }

    /// The values of all channels at a position.
    fn inputs(&self, position: usize) -> impl Iterator<Item = u32> + '_ {
        let (channels, positions) = (self.channels(), self.positions());
        let places = self.at.iter();
        places
            .flat_map(move |at| (0..channels).map(move |c| (at + c * positions + position) as u32))
    }
}

/// The largest weight, 1 if there is none.
fn largest(linear: &Linear<f64>) -> f64 {
    let weights = linear.matrices.iter().flat_map(|matrix| &matrix.data);
    let peak = weights.fold(0.0, |peak: f64, weight| peak.max(weight.abs()));
    if peak > 0.0 { peak } else { 1.0 }
}
