//! Predicting seconds: a few operations are timed on the real parameters, and counted.

use std::time::Instant;

use cryptodl_ckks::{
    Evaluator, Parameters, SecretKey, SeededBatch, Stage,
    columns::{Layer, Matrix, Tile},
};
use rayon::prelude::*;

use super::{Ckks, groups::Group, library};
use crate::{
    EvalError,
    graph::{Graph, Linear, Operation},
    plan::Seconds,
};
use approx::cheapest_plan;

/// Values in each timed operation: enough to keep a few threads busy.
const SAMPLE: usize = 64;
/// Outputs of the timed dense layer.
const ROWS: usize = 128;

/// Predicted seconds for one batch, with the threads of the current pool.
///
/// # Errors
/// When the encryption crate fails.
pub fn predict(graph: &Graph<f64>, scheme: &Ckks) -> Result<Seconds, EvalError> {
    let unit = Unit::measure(scheme)?;
    let primes = scheme.parameters.primes();
    let mut left = primes;
    let mut infer = unit.expand * graph.inputs as f64;
    let mut values = graph.inputs;
    for group in scheme.program.groups() {
        let share = left as f64 / primes as f64;
        match group {
            Group::Linear(node) => {
                let (seconds, outputs) = unit.linear(graph, *node, values);
                infer += share * 2.0 / 3.0 * seconds;
                values = outputs;
            }
            Group::Square {
                before,
                after,
                rescale,
                ..
            } => {
                if let Some(node) = before {
                    let (seconds, outputs) = unit.linear(graph, *node, values);
                    infer += share * 2.0 / 3.0 * seconds;
                    values = outputs;
                }
                infer += share * unit.square * values as f64;
                if let Some(node) = after {
                    let (seconds, outputs) = unit.linear(graph, *node, values);
                    infer += share * seconds;
                    values = outputs;
                }
                if *rescale {
                    // transforms are as many as pairs of primes
                    infer += share * share * unit.switch * values as f64;
                }
            }
            Group::Polynomial { polynomials, .. } => {
                let costs = polynomials.iter().filter_map(cheapest_plan);
                let most = costs
                    .map(|(_, cost)| cost.ciphertext_products + cost.levels)
                    .max();
                let products = most.unwrap_or(0) as f64;
                infer += share * share * products * unit.switch * values as f64;
            }
        }
        left -= group.levels();
    }
    Ok(Seconds {
        encrypt: unit.encrypt * graph.inputs as f64,
        infer,
        decrypt: unit.decrypt * values as f64,
    })
}

/// Seconds of one value each, with all primes and all threads at work.
struct Unit {
    encrypt: f64,
    expand: f64,
    /// A value read by a linear layer, three parts.
    read: f64,
    /// A product with a weight.
    product: f64,
    /// A result of a linear layer.
    write: f64,
    square: f64,
    /// Relinearisation and rescaling.
    switch: f64,
    decrypt: f64,
}

impl Unit {
    fn measure(scheme: &Ckks) -> Result<Self, EvalError> {
        // parameters of its own, whose memory is gone before the run
        let literal = scheme.parameters.literal();
        let parameters = Parameters::toy(literal).map_err(library)?;
        let secret = SecretKey::generate(&parameters);
        let key = secret.relinearisation_key();
        let evaluator = Evaluator::new(&parameters, Some(key)).map_err(library)?;
        let primes = scheme.parameters.primes();
        let slots: Vec<f64> = (0..scheme.parameters.slots())
            .map(|i| (i % 256) as f64)
            .collect();
        let scale = scheme.program.input_scale;
        let sample = 0..SAMPLE;
        let encrypted = || {
            let all = sample.clone().into_par_iter();
            all.map(|_| secret.encrypt(&slots, scale, primes))
                .collect::<Result<Vec<_>, _>>()
        };
        let (encrypt, sent) = timed(encrypted)?;
        let batch = SeededBatch::new(&sent).map_err(library)?;
        let inputs = batch.expand();
        let narrow = dense(1)?;
        let wide = dense(ROWS)?;
        let squares = [Stage::Square];
        let bias = vec![0.0; ROWS];
        let one = [Stage::Square, stage(&narrow, &bias)];
        let many = [Stage::Square, stage(&wide, &bias)];
        let (square, _) = timed(|| evaluator.run(&squares, &inputs))?;
        let (expanded, _) = timed(|| evaluator.run(&squares, &batch))?;
        let (few, _) = timed(|| evaluator.run(&one, &inputs))?;
        let (most, blocks) = timed(|| evaluator.run(&many, &inputs))?;
        let (switch, _) = timed(|| evaluator.collect(&blocks, primes > 1))?;
        let (decrypt, _) = timed(|| {
            let all = (0..inputs.len()).into_par_iter();
            all.map(|i| secret.decrypt(&inputs.get(i)))
                .collect::<Result<Vec<_>, _>>()
        })?;
        let value = 1.0 / SAMPLE as f64;
        let row = (most - few).max(0.0) / (ROWS - 1) as f64;
        Ok(Self {
            encrypt: encrypt * value,
            expand: (expanded - square).max(0.0) * value,
            read: (few - square).max(0.0) * value,
            // a sum of 64 products costs about as much as putting its bytes together
            product: row * 0.5 * value,
            write: row * 0.5,
            square: square * value,
            switch: switch / ROWS as f64,
            decrypt: decrypt * value,
        })
    }

    /// Seconds of a linear layer on three parts, and its outputs.
    fn linear(&self, graph: &Graph<f64>, node: usize, values: usize) -> (f64, usize) {
        let Operation::Linear(linear) = &graph.nodes[node].operation else {
            return (0.0, values);
        };
        let outputs = linear.outputs();
        let seconds = self.read * values as f64
            + self.product * padded_products(linear) as f64
            + self.write * outputs as f64;
        (seconds, outputs)
    }
}

/// Products with weights, rows and columns filled up as the kernels do.
fn padded_products(linear: &Linear<f64>) -> usize {
    let tiles = linear.tiles.iter();
    tiles
        .map(|tile| {
            tile.inputs.len().next_multiple_of(64) * tile.outputs.len().next_multiple_of(16)
        })
        .sum()
}

fn stage<'a>(layer: &'a Layer, bias: &'a [f64]) -> Stage<'a> {
    Stage::Linear {
        layer,
        step: 1.0,
        bias: &bias[..layer.outputs()],
    }
}

/// A dense layer of [`SAMPLE`] inputs.
fn dense(rows: usize) -> Result<Layer, EvalError> {
    let matrix = Matrix {
        rows,
        columns: SAMPLE,
        data: vec![3; rows * SAMPLE],
    };
    let tile = Tile {
        matrix: 0,
        inputs: (0..SAMPLE as u32).collect(),
        outputs: (0..rows as u32).collect(),
    };
    Layer::new(SAMPLE, rows, &[matrix], &[tile]).map_err(library)
}

/// The faster of two runs, so that the first touch of memory does not count.
fn timed<T>(run: impl Fn() -> Result<T, cryptodl_ckks::Error>) -> Result<(f64, T), EvalError> {
    run().map_err(library)?;
    let start = Instant::now();
    let value = run().map_err(library)?;
    Ok((start.elapsed().as_secs_f64(), value))
}
