//! Predicting seconds: a few operations are timed on the real parameters, and counted.

use std::time::Instant;

use cryptodl_ckks::{
    Evaluator, LayerStep, Parameters, SecretKey, SeededBatch,
    columns::{Layer, Matrix, Tile},
};
use rayon::prelude::*;

use super::{CkksError, program::CkksProgram, segments::Task};
use crate::plan::Seconds;
use approx::cheapest_plan;
use cryptodl_fold::{graph::Operation, linear::Linear};

/// Values in each timed operation: enough to keep a few threads busy.
const SAMPLE: usize = 64;
/// Outputs of the timed dense layer.
const ROWS: usize = 128;

/// Predicted seconds for one batch, with the threads of the current pool.
///
/// # Errors
/// When the encryption crate fails.
pub fn predict(program: &CkksProgram) -> Result<Seconds, CkksError> {
    let graph = &program.graph;
    let rates = Rates::measure(program)?;
    let all = program.parameters.primes();
    let inputs = graph.inputs() as f64;
    let mut infer = rates.expand * inputs;
    for segment in &program.schedule.segments {
        let primes = program.primes(segment.makes) + segment.levels;
        let share = primes as f64 / all as f64;
        let made = program.numbers(segment.makes) as f64;
        let inputs = &segment.reads[..segment.inputs(graph)];
        let read: usize = inputs.iter().map(|&value| program.numbers(value)).sum();
        // transforms are as many as pairs of primes
        let switch = share * share * rates.switch * made;
        match &segment.work {
            Task::Run {
                before,
                square,
                after,
                ..
            } => {
                let mut values = read;
                // a value has two components until it is squared, three after
                let mut components = 2.0 / 3.0;
                for node in [before, square, after].into_iter().flatten() {
                    if let Operation::Linear(linear) = &graph.nodes[*node].operation {
                        infer += share * components * rates.linear(linear, values);
                        values = linear.outputs();
                    } else {
                        infer += share * rates.square * values as f64;
                        components = 1.0;
                    }
                }
                if segment.levels > 0 {
                    infer += switch;
                }
            }
            Task::Product(_) => infer += share * rates.square * made + switch,
            // two digits' worth of transforms in place of one a prime
            Task::Sum(_) | Task::Align => infer += switch * 2.0 / primes as f64,
            Task::Polynomial { polynomials, .. } => {
                let costs = polynomials.iter().filter_map(cheapest_plan);
                let most = costs
                    .map(|(_, cost)| cost.ciphertext_products + cost.levels)
                    .max();
                infer += most.unwrap_or(0) as f64 * switch;
            }
        }
    }
    let results = program.numbers(program.schedule.result()) as f64;
    Ok(Seconds {
        encrypt: rates.encrypt * inputs,
        infer,
        decrypt: rates.decrypt * results,
    })
}

/// Seconds of one value each, with all primes and all threads at work.
struct Rates {
    encrypt: f64,
    expand: f64,
    /// A value read by a linear layer, three components.
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

impl Rates {
    fn measure(program: &CkksProgram) -> Result<Self, CkksError> {
        // parameters of its own, whose memory is gone before the run
        let literal = program.parameters.literal();
        let parameters = Parameters::toy(literal)?;
        let secret = SecretKey::generate(&parameters);
        let key = secret.relinearisation_key();
        let evaluator = Evaluator::new(&parameters, Some(key))?;
        let primes = program.parameters.primes();
        let slots: Vec<f64> = (0..program.parameters.slots())
            .map(|i| (i % 256) as f64)
            .collect();
        let scale = program.scales[0];
        let sample = 0..SAMPLE;
        let encrypted = || {
            let all = sample.clone().into_par_iter();
            all.map(|_| secret.encrypt(&slots, scale, primes))
                .collect::<Result<Vec<_>, _>>()
        };
        let (encrypt, sent) = timed(encrypted)?;
        let batch = SeededBatch::new(&sent)?;
        let inputs = batch.expand();
        let narrow = dense(1)?;
        let wide = dense(ROWS)?;
        let squares = [LayerStep::Square];
        let bias = vec![0.0; ROWS];
        let one = [LayerStep::Square, linear_step(&narrow, &bias)];
        let many = [LayerStep::Square, linear_step(&wide, &bias)];
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

    /// Seconds of a linear layer on three components of so many values.
    fn linear(&self, linear: &Linear<f64>, values: usize) -> f64 {
        self.read * values as f64
            + self.product * padded_products(linear) as f64
            + self.write * linear.outputs() as f64
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

fn linear_step<'a>(layer: &'a Layer, bias: &'a [f64]) -> LayerStep<'a> {
    LayerStep::Linear {
        layer,
        step: 1.0,
        bias: &bias[..layer.outputs()],
    }
}

/// A dense layer of [`SAMPLE`] inputs.
fn dense(rows: usize) -> Result<Layer, CkksError> {
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
    Ok(Layer::new(SAMPLE, rows, &[matrix], &[tile])?)
}

/// The faster of two runs, so that the first touch of memory does not count.
fn timed<T>(run: impl Fn() -> Result<T, cryptodl_ckks::Error>) -> Result<(f64, T), CkksError> {
    run()?;
    let start = Instant::now();
    let value = run()?;
    Ok((start.elapsed().as_secs_f64(), value))
}
