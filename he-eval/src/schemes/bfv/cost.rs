//! Predicting seconds: a few operations are timed on the real parameters, and counted.

use std::time::Instant;

use ethnum::I256;

use super::Bfv;
use crate::{
    EvalError,
    graph::{Graph, Linear, Matrix, Operation, Power, Tile},
    plan::Seconds,
    scheme::{Client, NodeByNode, Scheme},
};

/// Values in each timed operation: enough to keep a few threads busy.
const SAMPLE: usize = 16;
/// Outputs of the timed dense layer.
const ROWS: usize = 64;

/// Predicted seconds for one batch of all shares: times one share on this machine, with the threads of the
/// current pool.
///
/// # Errors
/// When the encryption library fails.
pub fn predict(graph: &Graph<i64>, scheme: &Bfv) -> Result<Seconds, EvalError> {
    let one = Bfv {
        shares: vec![scheme.shares[0].clone()],
    };
    let (client, servers) = one.keys()?;
    let server = &servers[0];
    let features = vec![vec![1; one.slots()]; SAMPLE];
    let fresh = || client.encrypt(0, &features);
    let square = Power {
        degree: 2,
        lower: Vec::new(),
        positions: SAMPLE,
        typical: Vec::new(),
    };

    let (encrypt, inputs) = timed(fresh)?;
    let (product, squares) = timed(|| server.power(&square, inputs))?;
    // one product each: writing the outputs and, from three parts, relinearising them
    let (relinearise, outputs) = timed(|| server.linear(&diagonal(), squares))?;
    let (write, inputs) = timed(|| server.linear(&diagonal(), outputs))?;
    let (dense, outputs) = timed(|| server.linear(&full(), inputs))?;
    let (decrypt, _) = timed(|| client.decrypt(&[outputs], one.slots()))?;

    let write_one = write / (2 * SAMPLE) as f64;
    let product_one = product / SAMPLE as f64;
    let multiply_one = ((dense / 2.0 - ROWS as f64 * write_one) / (SAMPLE * ROWS) as f64).max(0.0);
    let relinearise_one = (relinearise / SAMPLE as f64 - 3.0 * write_one).max(0.0);
    let mut infer = 0.0;
    let mut parts = 2.0;
    let mut values = graph.inputs;
    for node in &graph.nodes {
        match &node.operation {
            Operation::Linear(linear) => {
                let outputs = linear.outputs() as f64;
                infer +=
                    parts * (linear.dense_products() as f64 * multiply_one + outputs * write_one);
                if parts > 2.0 {
                    infer += outputs * relinearise_one;
                }
                (parts, values) = (2.0, linear.outputs());
            }
            Operation::Power(power) => {
                let extra = (power.products() - 1) as f64;
                infer += values as f64 * (product_one + extra * (product_one + relinearise_one));
                parts = 3.0;
            }
            Operation::Function(_) => return Err(EvalError::NotPolynomial),
        }
    }
    let shares = scheme.shares() as f64;
    Ok(Seconds {
        encrypt: shares * encrypt / SAMPLE as f64 * graph.inputs as f64,
        infer: shares * infer,
        decrypt: shares * decrypt / ROWS as f64 * values as f64,
    })
}

fn timed<T>(run: impl FnOnce() -> Result<T, EvalError>) -> Result<(f64, T), EvalError> {
    let start = Instant::now();
    let value = run()?;
    Ok((start.elapsed().as_secs_f64(), value))
}

/// A layer with one input for each of its `SAMPLE` outputs.
fn diagonal() -> Linear<i64> {
    let tiles = 0..SAMPLE as u32;
    let tiles = tiles
        .map(|i| Tile {
            matrix: 0,
            inputs: vec![i],
            outputs: vec![i],
        })
        .collect();
    sample_layer(tiles, 1, 1, SAMPLE)
}

/// A dense layer from `SAMPLE` values to `ROWS`.
fn full() -> Linear<i64> {
    let inputs = (0..SAMPLE as u32).collect();
    let tile = Tile {
        matrix: 0,
        inputs,
        outputs: (0..ROWS as u32).collect(),
    };
    sample_layer(vec![tile], ROWS, SAMPLE, ROWS)
}

fn sample_layer(tiles: Vec<Tile>, rows: usize, columns: usize, outputs: usize) -> Linear<i64> {
    Linear {
        matrices: vec![Matrix {
            rows,
            columns,
            data: vec![3; rows * columns],
        }],
        tiles,
        bias: vec![I256::ONE; outputs],
        channels: outputs,
        positions: 1,
    }
}
