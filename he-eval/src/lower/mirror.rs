//! A network that answers with the mean over an image and its mirror image.
//!
//! Every layer is evaluated twice, on values side by side, with the same matrices. The first layer reads the pixels of the
//! mirror image where they are in the image itself, so the client sends nothing more; the last one takes the mean.

use cryptodl_network::Shape;

use crate::graph::{Graph, Linear, Operation, PADDING, Tile};

/// The graph of both; its last node is linear.
pub(super) fn both(mut graph: Graph<f64>, image: Shape) -> Graph<f64> {
    let last = graph.nodes.len() - 1;
    // Number of values of one half, none before the first layer: its inputs are the pixels.
    let mut half = None;
    for (index, node) in graph.nodes.iter_mut().enumerate() {
        match &mut node.operation {
            Operation::Linear(linear) => {
                let partner = |input: u32| match half {
                    _ if input == PADDING => PADDING,
                    Some(half) => input + half,
                    None => mirrored(input, image),
                };
                let outputs = linear.outputs() as u32;
                if index == last {
                    join(linear, partner);
                } else {
                    double(linear, partner);
                }
                half = Some(outputs);
            }
            Operation::Power(power) => {
                // Shorter if some are unknown: then those of the second half are, too.
                if power.typical.len() == power.lower.len() {
                    power.typical.extend_from_within(..);
                }
                power.lower.extend_from_within(..);
            }
            Operation::Function(_) => {}
        }
    }
    graph
}

/// Where a pixel of the mirror image is in the image.
fn mirrored(input: u32, image: Shape) -> u32 {
    let width = image.width as u32;
    let column = input % width;
    input - column + (width - 1 - column)
}

/// The layer on both halves.
fn double(linear: &mut Linear<f64>, partner: impl Fn(u32) -> u32) {
    let outputs = linear.outputs() as u32;
    let second = linear.tiles.iter().map(|tile| Tile {
        matrix: tile.matrix,
        inputs: tile.inputs.iter().map(|input| partner(*input)).collect(),
        outputs: tile.outputs.iter().map(|output| output + outputs).collect(),
    });
    let second: Vec<Tile> = second.collect();
    linear.tiles.extend(second);
    linear.bias.extend_from_within(..);
    linear.channels *= 2;
}

/// The layer's mean over both halves.
fn join(linear: &mut Linear<f64>, partner: impl Fn(u32) -> u32) {
    for matrix in &mut linear.matrices {
        let rows = (0..matrix.rows).flat_map(|row| {
            let row = matrix.row(row);
            row.iter().chain(row).map(|weight| weight / 2.0)
        });
        matrix.data = rows.collect();
        matrix.columns *= 2;
    }
    for tile in &mut linear.tiles {
        let second: Vec<u32> = tile.inputs.iter().map(|input| partner(*input)).collect();
        tile.inputs.extend(second);
    }
}
