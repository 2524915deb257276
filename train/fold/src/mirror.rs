//! A network that answers with the mean over an image and its mirror image.
//!
//! Every value is made twice, its second half from the mirror image, with the same matrices. What reads the pixels of the
//! mirror image finds them where they are in the image itself, so the client sends nothing more; the last layer takes the
//! mean.

use cryptodl_network::{Shape, ValueId};

use crate::graph::{Graph, Operation};
use crate::linear::{Linear, PADDING, Tile};

/// The graph of both; its last node is linear, and only linear layers read the pixels.
pub(crate) fn both(mut graph: Graph<f64>, image: Shape) -> Graph<f64> {
    let last = graph.nodes.len() - 1;
    let sizes: Vec<usize> = (0..=last)
        .map(|value| graph.layout(ValueId(value)).len())
        .collect();
    for (index, node) in graph.nodes.iter_mut().enumerate() {
        let operands: Vec<(ValueId, usize)> = (node.operands.iter())
            .map(|operand| (*operand, sizes[operand.0]))
            .collect();
        match &mut node.operation {
            Operation::Linear(linear) if index == last => {
                join(linear, &Halves::new(&operands, image));
                continue;
            }
            Operation::Linear(linear) => double(linear, &Halves::new(&operands, image)),
            Operation::Product(product) => product.shifts.iter_mut().for_each(twice),
            Operation::Power(power) => {
                twice(&mut power.shift);
                twice(&mut power.lower);
            }
            Operation::Add(add) => {
                add.factors.iter_mut().for_each(twice);
                twice(&mut add.bias);
            }
            Operation::Polynomial(_) | Operation::Function(_) => {}
            Operation::Table(_) => {
                unreachable!("tables are made of networks without mirror images")
            }
        }
        node.output.channels *= 2;
        if let Some(statistics) = &mut node.statistics {
            twice(&mut statistics.mean);
            twice(&mut statistics.deviation);
        }
    }
    graph
}

fn twice<T: Clone>(list: &mut Vec<T>) {
    list.extend_from_within(..);
}

/// Where the numbers of a linear layer's operands are once each operand has two halves.
struct Halves {
    /// Of each operand: its first number as counted so far, its size, and the first number of its first and its second
    /// half from now on.
    operands: Vec<Operand>,
    image: Shape,
}

struct Operand {
    old: usize,
    size: usize,
    new: usize,
    /// The pixels have one half alone.
    is_image: bool,
}

impl Halves {
    fn new(operands: &[(ValueId, usize)], image: Shape) -> Self {
        let (mut old, mut new) = (0, 0);
        let operands = operands.iter().map(|(value, size)| {
            let is_image = *value == ValueId::INPUT;
            let operand = Operand {
                old,
                size: *size,
                new,
                is_image,
            };
            old += size;
            new += if is_image { *size } else { 2 * size };
            operand
        });
        Self {
            operands: operands.collect(),
            image,
        }
    }

    /// A number in the first and in the second half.
    fn of(&self, input: u32) -> [u32; 2] {
        if input == PADDING {
            return [PADDING; 2];
        }
        let number = input as usize;
        let operand = self.operands.iter().rfind(|operand| operand.old <= number);
        let operand = operand.expect("the first begins with 0");
        let local = number - operand.old;
        let second = if operand.is_image {
            mirrored(local, self.image)
        } else {
            local + operand.size
        };
        [operand.new + local, operand.new + second].map(|number| number as u32)
    }
}

/// Where a pixel of the mirror image is in the image.
fn mirrored(pixel: usize, image: Shape) -> usize {
    let column = pixel % image.width;
    pixel - column + (image.width - 1 - column)
}

/// The layer on both halves.
fn double(linear: &mut Linear<f64>, halves: &Halves) {
    let outputs = linear.outputs() as u32;
    let mut seconds = Vec::with_capacity(linear.tiles.len());
    for tile in &mut linear.tiles {
        let (first, second) = split(&tile.inputs, halves);
        tile.inputs = first;
        seconds.push(Tile {
            matrix: tile.matrix,
            inputs: second,
            outputs: tile.outputs.iter().map(|output| output + outputs).collect(),
        });
    }
    linear.tiles.extend(seconds);
    twice(&mut linear.bias);
}

/// The layer's mean over both halves.
fn join(linear: &mut Linear<f64>, halves: &Halves) {
    for matrix in &mut linear.matrices {
        let rows = (0..matrix.rows).flat_map(|row| {
            let row = matrix.row(row);
            row.iter().chain(row).map(|weight| weight / 2.0)
        });
        matrix.data = rows.collect();
        matrix.columns *= 2;
    }
    for tile in &mut linear.tiles {
        let (mut first, second) = split(&tile.inputs, halves);
        first.extend(second);
        tile.inputs = first;
    }
}

/// The inputs of both halves.
fn split(inputs: &[u32], halves: &Halves) -> (Vec<u32>, Vec<u32>) {
    inputs
        .iter()
        .map(|input| <(u32, u32)>::from(halves.of(*input)))
        .unzip()
}
