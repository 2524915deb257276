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
//! The weights of a layer share one step, or nearly so, and a new weight that is larger than the others would make the
//! step of those that were trained coarser. So `y` is scaled, and `q` chosen, to make the new weights as large as the
//! largest of the layer that they stand in. (Where no power was passed there is no `q`, and weights at the end of the
//! connection are what they are.)

use std::ops::Range;

use cryptodl_network::Shape;

use super::stage::Affine;
use crate::graph::{Linear, Matrix, Node, Operation, Tile};

/// Channels that are carried by one matrix: more would be mostly products with zero, fewer are too small to be fast.
const TOGETHER: usize = 8;
/// `q` is no larger than this: beyond, what is subtracted would lose too many digits.
const LARGEST_Q: f64 = 1024.0;

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
        let weights = self.settle(factors, largest(linear), nodes);
        for matrix in &mut linear.matrices {
            let mut data = Vec::with_capacity(matrix.rows * (matrix.columns + channels));
            for (channel, weight) in weights.iter().enumerate() {
                data.extend(matrix.row(channel));
                data.extend(self.row(channel, channels, *weight));
            }
            matrix.columns += self.at.len() * channels;
            matrix.data = data;
        }
        for tile in &mut linear.tiles {
            let position = tile.outputs[0] as usize % positions;
            tile.inputs.extend(self.inputs(0..channels, position));
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
        let weights = self.settle(&factors, peak, nodes);
        let first = linear.outputs();
        let copies = crossing.copies();
        // ReLU wants the second one negative
        let signs = match crossing {
            Crossing::Relu => [1.0, -1.0],
            Crossing::Nothing | Crossing::Power(_) => [1.0, 1.0],
        };
        let signs = &signs[..copies];
        for sign in signs {
            for (factor, shift) in factors.iter().zip(&self.shift) {
                let bias = sign * factor * shift;
                linear.bias.extend(vec![bias; positions]);
            }
        }
        for from in (0..channels).step_by(TOGETHER) {
            let some = from..channels.min(from + TOGETHER);
            let mut data = Vec::new();
            for sign in signs {
                for (row, weight) in weights[some.clone()].iter().enumerate() {
                    data.extend(self.row(row, some.len(), sign * weight));
                }
            }
            let matrix = linear.matrices.len();
            linear.matrices.push(Matrix {
                rows: copies * some.len(),
                columns: self.at.len() * some.len(),
                data,
            });
            linear.tiles.extend((0..positions).map(|position| {
                Tile {
                    matrix,
                    inputs: self.inputs(some.clone(), position).collect(),
                    outputs: (0..copies)
                        .flat_map(|copy| some.clone().map(move |c| copy * channels + c))
                        .map(|row| (first + row * positions + position) as u32)
                        .collect(),
                }
            }));
        }
        linear.channels += copies * channels;
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

    /// Chooses `q` and writes it into the layers that made the values, so that each weight of `factors · x` is of size
    /// `peak`; returns those weights.
    fn settle(&self, factors: &[f64], peak: f64, nodes: &mut [Node<f64>]) -> Vec<f64> {
        let wanted = factors.iter().zip(&self.scale).map(|(f, s)| f * s);
        let wanted: Vec<f64> = wanted.collect();
        let Some((degree, index)) = self.open else {
            return wanted;
        };
        let positions = self.positions();
        let most = wanted.iter().fold(0.0, |most: f64, w| most.max(w.abs()));
        let peak = peak.max(most / LARGEST_Q);
        let chosen = |weight: &f64| {
            if *weight == 0.0 {
                1.0
            } else {
                weight.abs() / peak
            }
        };
        let chosen: Vec<f64> = wanted.iter().map(chosen).collect();
        let channels = chosen.iter().enumerate();
        if degree == 2 {
            let Operation::Linear(linear) = &mut nodes[index].operation else {
                unreachable!("values are passed by a linear layer");
            };
            for (channel, q) in channels {
                for (place, sign) in self.at.iter().zip([1.0, -1.0]) {
                    let first = place + channel * positions;
                    for bias in &mut linear.bias[first..first + positions] {
                        *bias += sign * q / 4.0;
                    }
                }
            }
        } else {
            let Operation::Power(power) = &mut nodes[index + 1].operation else {
                unreachable!("a power follows the layer that they were passed by");
            };
            for (channel, q) in channels {
                power.lower[self.at[0] / positions + channel][0] = *q;
            }
        }
        let pairs = wanted.iter().zip(&chosen);
        pairs.map(|(weight, q)| weight / q).collect()
    }

    /// A row that reads one of so many channels that [`Carried::inputs`] gathers.
    fn row(
        &self,
        channel: usize,
        channels: usize,
        weight: f64,
    ) -> impl Iterator<Item = f64> + use<> {
        (0..self.at.len() * channels).map(move |column| {
            let sign = if column < channels { 1.0 } else { -1.0 };
            if column % channels == channel {
                sign * weight
            } else {
                0.0
            }
        })
    }

    /// The values of some channels at a position.
    fn inputs(&self, channels: Range<usize>, position: usize) -> impl Iterator<Item = u32> + '_ {
        let positions = self.positions();
        let places = self.at.iter();
        places.flat_map(move |at| {
            channels
                .clone()
                .map(move |c| (at + c * positions + position) as u32)
        })
    }
}

/// The largest weight, 1 if there is none.
fn largest(linear: &Linear<f64>) -> f64 {
    let weights = linear.matrices.iter().flat_map(|matrix| &matrix.data);
    let peak = weights.fold(0.0, |peak: f64, weight| peak.max(weight.abs()));
    if peak > 0.0 { peak } else { 1.0 }
}
