//! Predicted memory, and predicted seconds: a few operations are timed on the real parameters, and counted.

use std::{borrow::Cow, time::Instant};

use cryptodl_fold::{
    Operation,
    graph::{Add, Layout, Linear, Matrix, Product, Tile, ValueId},
};
use ethnum::I256;
use rayon::prelude::*;

use super::{
    component::{Component, Operand, Value},
    error::BfvError,
    parts::parts_made,
    program::BfvProgram,
    secret::Secret,
};
use crate::plan::Seconds;

/// Numbers in each timed operation: enough to keep a few threads busy.
const SAMPLE: usize = 16;
const LAYOUT: Layout = Layout {
    channels: SAMPLE,
    positions: 1,
};
/// Outputs of the timed dense layer.
const ROWS: usize = 64;

/// Peak bytes of ciphertexts while one CRT component is evaluated, and all keys.
pub(super) fn memory(program: &BfvProgram) -> usize {
    let graph = &program.graph;
    let nodes = graph.nodes.iter().enumerate();
    let peaks = nodes.map(|(index, node)| {
        let alive = (0..=index).filter(|value| program.last_readers[*value] >= Some(index));
        let alive = alive.map(|value| graph.layout(ValueId(value)).len() * program.parts[value]);
        let parts = match node.operation {
            // all of its results are there before the first is relinearised
            Operation::Linear(_) => parts_made(node, &program.parts),
            _ => program.parts[ValueId::of_node(index).0],
        };
        alive.sum::<usize>() + node.output.len() * parts
    });
    peaks.max().unwrap_or(0) * program.part_bytes() + program.key_bytes()
}

/// Seconds of one operation on one number.
struct Rates {
    encrypt: f64,
    decrypt: f64,
    /// A square, and a product of two.
    square: f64,
    product: f64,
    relinearise: f64,
    /// A polynomial of a number times a weight.
    multiply: f64,
    /// Writing a polynomial of a linear layer's output.
    write: f64,
    /// A polynomial of a number times its factor in a sum.
    add: f64,
}

/// Predicted seconds for one batch of all components: times one on this machine, with the threads of the current pool.
///
/// # Errors
/// When the encryption library fails.
pub(super) fn predict(program: &BfvProgram) -> Result<Seconds, BfvError> {
    let rates = Rates::measure(program)?;
    let graph = &program.graph;
    let mut infer = 0.0;
    for (index, node) in graph.nodes.iter().enumerate() {
        let numbers = node.output.len() as f64;
        let parts = parts_made(node, &program.parts) as f64;
        infer += match &node.operation {
            Operation::Linear(linear) => {
                parts * (linear.dense_products() as f64 * rates.multiply + numbers * rates.write)
            }
            Operation::Product(_) if node.operands[0] == node.operands[1] => numbers * rates.square,
            Operation::Product(_) => numbers * rates.product,
            Operation::Power(_) => numbers * (2.0 * rates.square + rates.relinearise),
            _ => parts * numbers * node.operands.len() as f64 * rates.add,
        };
        if program.relinearises(index) {
            infer += numbers * rates.relinearise;
        }
    }
    let components = program.components.len() as f64;
    Ok(Seconds {
        encrypt: components * rates.encrypt * graph.inputs() as f64,
        infer: components * infer,
        decrypt: components * rates.decrypt * graph.output_scale.len() as f64,
    })
}

impl Rates {
    fn measure(program: &BfvProgram) -> Result<Self, BfvError> {
        let parameters = &program.components[0];
        let secret = Secret::generate(&program.components, 0)?;
        let component = Component::new(parameters.clone(), &secret.relinearisation()?)?;
        let column = vec![1; parameters.degree()];
        let fresh = || {
            (0..SAMPLE)
                .into_par_iter()
                .map(|_| secret.encrypt(&column))
                .collect()
        };
        let square = Product::default();

        let (encrypt, inputs): (f64, Value) = timed(fresh)?;
        let (product, _) = timed(|| {
            component.product(
                &square,
                LAYOUT,
                vec![borrowed(&inputs), reversed(&inputs)],
                false,
            )
        })?;
        let (square, squares) =
            timed(|| component.product(&square, LAYOUT, vec![owned(inputs)], false))?;
        // one product each: writing the outputs and, from three parts, relinearising them
        let (relinearise, outputs) = timed(|| component.linear(&diagonal(), vec![owned(squares)]))?;
        let (write, inputs) = timed(|| component.linear(&diagonal(), vec![owned(outputs)]))?;
        let terms = || vec![borrowed(&inputs), borrowed(&inputs)];
        let (add, _) = timed(|| component.add(&sum(), LAYOUT, terms(), false))?;
        let (dense, outputs) = timed(|| component.linear(&full(), vec![owned(inputs)]))?;
        let decrypted = || {
            outputs
                .par_iter()
                .map(|x| secret.decrypt(x, column.len()))
                .collect()
        };
        let (decrypt, _): (f64, Vec<_>) = timed(decrypted)?;

        let sample = SAMPLE as f64;
        let write = write / (2.0 * sample);
        let rows = ROWS as f64;
        Ok(Self {
            encrypt: encrypt / sample,
            decrypt: decrypt / rows,
            square: square / sample,
            product: product / sample,
            relinearise: (relinearise / sample - 3.0 * write).max(0.0),
            multiply: ((dense / 2.0 - rows * write) / (sample * rows)).max(0.0),
            write,
            add: add / (4.0 * sample),
        })
    }
}

fn timed<T>(run: impl FnOnce() -> Result<T, BfvError>) -> Result<(f64, T), BfvError> {
    let start = Instant::now();
    let value = run()?;
    Ok((start.elapsed().as_secs_f64(), value))
}

fn owned(value: Value) -> Operand<'static> {
    value.into_iter().map(Cow::Owned).collect()
}

fn borrowed(value: &Value) -> Operand<'_> {
    value.iter().map(Cow::Borrowed).collect()
}

/// So that no number meets itself.
fn reversed(value: &Value) -> Operand<'_> {
    value.iter().rev().map(Cow::Borrowed).collect()
}

/// A sum of two values with a factor each.
fn sum() -> Add<i64> {
    Add {
        factors: vec![vec![I256::from(3); SAMPLE]; 2],
        bias: vec![I256::ONE; SAMPLE],
    }
}

/// A layer with one input for each of its `SAMPLE` outputs.
fn diagonal() -> Linear<i64> {
    let tiles = (0..SAMPLE as u32).map(|i| Tile {
        matrix: 0,
        inputs: vec![i],
        outputs: vec![i],
    });
    sample_layer(tiles.collect(), 1, 1, SAMPLE)
}

/// A dense layer from `SAMPLE` numbers to `ROWS`.
fn full() -> Linear<i64> {
    let tile = Tile {
        matrix: 0,
        inputs: (0..SAMPLE as u32).collect(),
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
    }
}
