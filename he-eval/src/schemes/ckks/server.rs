//! The server: the evaluation key and the program, no secret.

use std::{sync::Arc, time::Instant};

use cryptodl_ckks::{
    Ciphertext, Evaluator, Parameters, SeededCiphertext, Stage,
    columns::{Layer, Matrix, Tile},
};
use rayon::prelude::*;

use super::{
    CkksPlan,
    groups::{Group, groups},
    library, polynomial,
};
use crate::{
    EvalError,
    graph::{Graph, Linear, Node, Operation},
    quantise::Grid,
    scheme::{Observe, Server},
};

/// One feature of a batch.
pub enum CkksValue {
    /// As the client sends it: half a ciphertext and a seed.
    Sent(SeededCiphertext),
    /// A ciphertext.
    Full(Ciphertext),
}

/// What the server does with the nodes of one graph.
pub(super) struct Program {
    nodes: usize,
    groups: Vec<Group>,
    /// Scale of each group's results.
    scales: Vec<f64>,
    /// For each node that is linear, the layer with integer weights and its step.
    layers: Vec<Option<(Layer, f64)>>,
    pub input_scale: f64,
}

impl Program {
    pub fn new(grid: &Grid, plan: &CkksPlan) -> Result<Self, EvalError> {
        let nodes = &grid.graph.nodes;
        let mut steps = grid.steps.iter();
        let mut inputs = grid.graph.inputs;
        let layers = nodes.iter().map(|node| match &node.operation {
            Operation::Linear(linear) => {
                let step = *steps.next().expect("every linear layer has a step");
                let layer = prepared(linear, inputs, step).map_err(library)?;
                inputs = linear.outputs();
                Ok(Some((layer, step)))
            }
            _ => Ok(None),
        });
        Ok(Self {
            nodes: nodes.len(),
            groups: groups(nodes)?,
            scales: plan.scales.clone(),
            layers: layers.collect::<Result<_, EvalError>>()?,
            input_scale: plan.input_scale,
        })
    }

    pub fn groups(&self) -> &[Group] {
        &self.groups
    }

    /// Peak bytes of keys and ciphertexts.
    pub fn memory_bytes(&self, graph: &Graph<f64>, parameters: &Parameters) -> usize {
        let row = parameters.ring_degree() * size_of::<u64>();
        let mut primes = parameters.primes();
        let key = primes * primes * 2 * row;
        let mut values = graph.inputs;
        // the first inputs are there as they were sent, too
        let mut peak = 3 * values * primes * row;
        for group in &self.groups {
            let nodes = match group {
                Group::Square { square, after, .. } => after.unwrap_or(*square),
                Group::Linear(node) | Group::Polynomial { node, .. } => *node,
            };
            let outputs = match &graph.nodes[nodes].operation {
                Operation::Linear(linear) => linear.outputs(),
                _ => values,
            };
            let parts = if matches!(group, Group::Square { .. }) {
                3
            } else {
                2
            };
            let made = outputs * parts * primes * row;
            peak = peak.max(2 * values * primes * row + made);
            primes -= group.levels();
            // blocks and the ciphertexts that are made of them
            peak = peak.max(made + outputs * parts * primes * row);
            values = outputs;
        }
        peak + key
    }
}

fn prepared(
    linear: &Linear<f64>,
    inputs: usize,
    step: f64,
) -> Result<Layer, cryptodl_ckks::Error> {
    let matrices = linear.matrices.iter().map(|matrix| Matrix {
        rows: matrix.rows,
        columns: matrix.columns,
        data: matrix
            .data
            .iter()
            .map(|w| (w / step).round() as i32)
            .collect(),
    });
    let tiles = linear.tiles.iter().map(|tile| Tile {
        matrix: tile.matrix,
        inputs: tile.inputs.clone(),
        outputs: tile.outputs.clone(),
    });
    Layer::new(
        inputs,
        linear.outputs(),
        &matrices.collect::<Vec<_>>(),
        &tiles.collect::<Vec<_>>(),
    )
}

/// Evaluates a program.
pub struct CkksServer {
    evaluator: Evaluator,
    program: Arc<Program>,
}

impl CkksServer {
    pub(super) fn new(evaluator: Evaluator, program: Arc<Program>) -> Self {
        Self { evaluator, program }
    }

    fn stage<'a>(&'a self, node: usize, operation: &'a Operation<f64>) -> Stage<'a> {
        match (operation, &self.program.layers[node]) {
            (Operation::Linear(linear), Some((layer, step))) => Stage::Linear {
                layer,
                step: *step,
                bias: &linear.bias,
            },
            _ => Stage::Square,
        }
    }

    /// Linear layers and at most one square, and what is rescaled of them.
    fn run(
        &self,
        nodes: &[Node<f64>],
        first: usize,
        rescale: bool,
        inputs: &[Ciphertext],
        observe: Observe<'_>,
    ) -> Result<Vec<Ciphertext>, EvalError> {
        let stages: Vec<Stage<'_>> = nodes
            .iter()
            .enumerate()
            .map(|(i, node)| self.stage(first + i, &node.operation))
            .collect();
        let start = Instant::now();
        let blocks = self.evaluator.run(&stages, inputs).map_err(library)?;
        let seconds = start.elapsed().as_secs_f64();
        // threads share the wall time in proportion to what they did
        let times = blocks.times;
        let mut linear = times.linear.into_iter();
        let work: Vec<f64> = nodes
            .iter()
            .map(|node| match node.operation {
                Operation::Linear(_) => linear.next().unwrap_or(0.0),
                _ => times.square,
            })
            .collect();
        let all: f64 = work.iter().sum();
        for (node, work) in nodes.iter().zip(work) {
            let kind = match node.operation {
                Operation::Linear(_) => "linear",
                _ => "square",
            };
            observe(&node.name, kind, seconds * work / all.max(f64::MIN_POSITIVE));
        }
        let last = &nodes[nodes.len() - 1].name;
        let start = Instant::now();
        let collected = self.evaluator.collect(&blocks, rescale).map_err(library)?;
        let seconds = start.elapsed().as_secs_f64();
        let share = collected.relinearise_share;
        if rescale {
            observe(last, "relinearise", seconds * share);
            observe(last, "rescale", seconds * (1.0 - share));
        } else {
            observe(last, "gather", seconds);
        }
        Ok(collected.ciphertexts)
    }
}

impl Server for CkksServer {
    type Weight = f64;
    type Value = CkksValue;

    fn advance(
        &self,
        nodes: &[Node<f64>],
        inputs: Vec<CkksValue>,
        observe: Observe<'_>,
    ) -> Result<(usize, Vec<CkksValue>), EvalError> {
        let first = self.program.nodes - nodes.len();
        let start = Instant::now();
        let sent = inputs.iter().any(|value| matches!(value, CkksValue::Sent(_)));
        let inputs: Vec<Ciphertext> = inputs
            .into_par_iter()
            .map(|value| match value {
                CkksValue::Sent(seeded) => seeded.expand(),
                CkksValue::Full(c) => c,
            })
            .collect();
        if sent {
            observe(&nodes[0].name, "expand", start.elapsed().as_secs_f64());
        }
        let mut at = 0;
        let found = self.program.groups.iter().zip(&self.program.scales).find(|(group, _)| {
            at += group.nodes();
            at > first
        });
        let (group, &target) = found.expect("the program covers the graph");
        let count = group.nodes();
        let outputs = match group {
            Group::Linear(_) => self.run(&nodes[..1], first, false, &inputs, observe)?,
            Group::Square { rescale, .. } => {
                self.run(&nodes[..count], first, *rescale, &inputs, observe)?
            }
            Group::Polynomial {
                polynomials,
                levels,
                ..
            } => {
                let start = Instant::now();
                let positions = match &nodes[0].operation {
                    Operation::Power(power) => power.positions,
                    _ => inputs.len(),
                };
                let outputs: Result<Vec<Ciphertext>, _> = inputs
                    .par_iter()
                    .enumerate()
                    .map(|(i, x)| {
                        let p = &polynomials[(i / positions).min(polynomials.len() - 1)];
                        polynomial::evaluate(&self.evaluator, p, x, *levels, target)
                    })
                    .collect();
                let seconds = start.elapsed().as_secs_f64();
                observe(&nodes[0].name, "polynomial", seconds);
                outputs.map_err(library)?
            }
        };
        Ok((count, outputs.into_iter().map(CkksValue::Full).collect()))
    }
}
