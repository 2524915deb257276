//! The server: the evaluation key and the program, no secret.

use std::{collections::HashMap, sync::Arc, time::Instant};

use cryptodl_ckks::{
    Bundle, Ciphertext, Evaluator, Inputs, Parameters, SeededBatch, Stage,
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
    graph::{Linear, Node, Operation},
    quantise::Grid,
    scheme::{Observe, Server, Stage as Ended},
};

/// One feature of a batch.
pub enum CkksValue {
    /// As the client sends it: one of a batch, half a ciphertext and a seed each.
    Sent(Arc<SeededBatch>, usize),
    /// One of the results of a layer.
    Full(Arc<Bundle>, usize),
}

impl CkksValue {
    /// The ciphertext in full.
    pub(super) fn full(&self) -> Ciphertext {
        match self {
            Self::Sent(batch, index) => batch.get(*index).expand(),
            Self::Full(bundle, index) => bundle.get(*index),
        }
    }
}

/// What the server does with the nodes of one graph.
pub(super) struct Program {
    inputs: usize,
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
            inputs: grid.graph.inputs,
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

    /// What each group makes: values, parts before rescaling, primes before and after.
    fn results(&self, primes: usize) -> impl Iterator<Item = (usize, usize, usize, usize)> + '_ {
        let mut left = primes;
        let mut values = self.inputs;
        self.groups.iter().map(move |group| {
            let linear = match group {
                Group::Square { square, after, .. } => after.unwrap_or(*square),
                Group::Linear(node) | Group::Polynomial { node, .. } => *node,
            };
            if let Some((layer, _)) = &self.layers[linear] {
                values = layer.outputs();
            } else if let Group::Square {
                before: Some(node), ..
            } = group
            {
                values = self.layers[*node]
                    .as_ref()
                    .map_or(values, |(layer, _)| layer.outputs());
            }
            let parts = match group {
                Group::Square { .. } => 3,
                _ => 2,
            };
            let before = left;
            left -= group.levels();
            (values, parts, before, left)
        })
    }

    /// How many buffers of so many rows the layers need at the same time: the results of one, its blocks, and the
    /// results of the one before.
    fn buffers(&self, primes: usize) -> HashMap<usize, usize> {
        let mut needed = HashMap::new();
        let mut inputs = None;
        for (group, (values, parts, before, after)) in self.groups.iter().zip(self.results(primes))
        {
            let left = if before > after { 2 } else { parts };
            let results = values * left * after;
            let blocks = match group {
                Group::Polynomial { .. } => None,
                _ => Some(values * parts * before),
            };
            let together: Vec<usize> = [inputs, blocks, Some(results)]
                .into_iter()
                .flatten()
                .collect();
            for rows in &together {
                let count = together.iter().filter(|other| *other == rows).count();
                let most = needed.entry(*rows).or_insert(0);
                *most = count.max(*most);
            }
            inputs = Some(results);
        }
        needed
    }

    /// Sets aside the memory that a batch needs.
    pub fn reserve(&self, parameters: &Parameters) {
        for (rows, count) in self.buffers(parameters.primes()) {
            parameters.reserve(rows, count);
        }
    }

    /// Peak bytes of keys, ciphertexts and pixels: all buffers are kept for the next batch. `images` are those of
    /// one batch.
    pub fn memory_bytes(&self, parameters: &Parameters, images: usize) -> usize {
        let row = parameters.ring_degree() * size_of::<u64>();
        let primes = parameters.primes();
        let pixels = self.inputs * images * size_of::<u32>();
        // the inputs as the client makes them, and as they are sent
        let inputs = 2 * self.inputs * primes * row;
        let layers: usize = self
            .buffers(primes)
            .iter()
            .map(|(rows, count)| rows * count * row)
            .sum();
        // copies of what goes into a polynomial, its results, and both as they lie in bundles
        let polynomials = self.groups.iter().zip(self.results(primes));
        let polynomials: usize = polynomials
            .filter(|(group, _)| matches!(group, Group::Polynomial { .. }))
            .map(|(_, (values, _, before, after))| values * (2 * before + 2 * after) * row)
            .sum();
        let keys = (2 * primes + 1) * primes * row;
        pixels + inputs + layers + polynomials + keys
    }
}

fn prepared(linear: &Linear<f64>, inputs: usize, step: f64) -> Result<Layer, cryptodl_ckks::Error> {
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
        inputs: Inputs<'_>,
        observe: Observe<'_>,
    ) -> Result<Bundle, EvalError> {
        let stages: Vec<Stage<'_>> = nodes
            .iter()
            .enumerate()
            .map(|(i, node)| self.stage(first + i, &node.operation))
            .collect();
        let start = Instant::now();
        let blocks = self.evaluator.run(&stages, inputs).map_err(library)?;
        let seconds = start.elapsed().as_secs_f64();
        // every weight meets a residue of each part, position and prime; a square makes a third part
        let mut parts = 2;
        let products: Vec<u64> = stages
            .iter()
            .filter_map(|stage| match stage {
                Stage::Linear { layer, .. } => {
                    Some((layer.products() * parts * blocks.primes()) as u64)
                }
                Stage::Square => {
                    parts = 3;
                    None
                }
            })
            .collect();
        let n = self.evaluator.parameters().ring_degree() as u64;
        let mut layers = products.into_iter().map(|count| count * n);
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
            observe(Ended {
                node: &node.name,
                kind,
                seconds: seconds * work / all.max(f64::MIN_POSITIVE),
                word_products: match node.operation {
                    Operation::Linear(_) => layers.next(),
                    _ => None,
                },
                done: None,
            });
        }
        let last = |kind, seconds| Ended {
            node: &nodes[nodes.len() - 1].name,
            kind,
            seconds,
            word_products: None,
            done: None,
        };
        let start = Instant::now();
        let collected = self.evaluator.collect(&blocks, rescale).map_err(library)?;
        let seconds = start.elapsed().as_secs_f64();
        let share = collected.relinearise_share;
        if rescale {
            observe(last("relinearise", seconds * share));
            observe(last("rescale", seconds * (1.0 - share)));
        } else {
            observe(last("gather", seconds));
        }
        Ok(collected.bundle)
    }
}

/// Values in the piece of memory that they were made in: all of it, in its order.
fn whole(inputs: &[CkksValue]) -> Result<Inputs<'_>, EvalError> {
    let in_order = |same: &dyn Fn(usize, &CkksValue) -> bool, expected: usize| {
        let all = inputs.iter().enumerate();
        if inputs.len() == expected && all.into_iter().all(|(i, value)| same(i, value)) {
            return Ok(());
        }
        let got = inputs.len();
        Err(EvalError::WrongInputs { expected, got })
    };
    match inputs.first() {
        Some(CkksValue::Sent(batch, _)) => {
            let same = |i: usize, value: &CkksValue| matches!(value, CkksValue::Sent(other, index) if *index == i && Arc::ptr_eq(other, batch));
            in_order(&same, batch.len())?;
            Ok((&**batch).into())
        }
        Some(CkksValue::Full(bundle, _)) => {
            let same = |i: usize, value: &CkksValue| matches!(value, CkksValue::Full(other, index) if *index == i && Arc::ptr_eq(other, bundle));
            in_order(&same, bundle.len())?;
            Ok((&**bundle).into())
        }
        None => {
            let (expected, got) = (1, 0);
            Err(EvalError::WrongInputs { expected, got })
        }
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
        let first = self
            .program
            .nodes
            .checked_sub(nodes.len())
            .ok_or_else(|| EvalError::Library("these nodes are of another network".into()))?;
        let mut at = 0;
        let found = self
            .program
            .groups
            .iter()
            .zip(&self.program.scales)
            .find(|(group, _)| {
                at += group.nodes();
                at > first
            });
        let (group, &target) = found.expect("the program covers the graph");
        let count = group.nodes();
        let outputs = match group {
            Group::Linear(_) | Group::Square { .. } => {
                let rescale = group.levels() > 0;
                let nodes = &nodes[..count];
                self.run(nodes, first, rescale, whole(&inputs)?, observe)?
            }
            Group::Polynomial {
                polynomials,
                levels,
                ..
            } => {
                let inputs: Vec<Ciphertext> = inputs.iter().map(CkksValue::full).collect();
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
                observe(Ended {
                    node: &nodes[0].name,
                    kind: "polynomial",
                    seconds,
                    word_products: None,
                    done: None,
                });
                Bundle::new(&outputs.map_err(library)?).map_err(library)?
            }
        };
        let outputs = Arc::new(outputs);
        let values = (0..outputs.len()).map(|index| CkksValue::Full(outputs.clone(), index));
        Ok((count, values.collect()))
    }
}
