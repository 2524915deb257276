//! The server: the evaluation key and the program, no secret.

use std::{sync::Arc, time::Instant};

use cryptodl_ckks::{
    Bundle, Ciphertext, Evaluator, Inputs, LayerStep, RelinearisationKey, SeededBatch, Term,
};
use cryptodl_fold::graph::{Add, Node, Operation, Product};
use cryptodl_wire::Wire;
use rayon::prelude::*;

use super::{
    CkksError,
    batch::CkksBatch,
    polynomial,
    program::CkksProgram,
    segments::{Segment, Task},
};
use crate::scheme::{Observe, Server, Work};

/// Evaluates a program.
pub struct CkksServer {
    evaluator: Evaluator,
    program: Arc<CkksProgram>,
}

impl Server for CkksServer {
    type Program = CkksProgram;
    type Keys = RelinearisationKey;
    type Request = SeededBatch;
    type Response = Bundle;
    type Batch = CkksBatch;
    type Error = CkksError;

    fn new(program: Arc<CkksProgram>, keys: RelinearisationKey) -> Result<Self, CkksError> {
        let evaluator = Evaluator::new(&program.parameters, Some(keys))?;
        // once, before the first batch: fresh pages cost as much as what is computed on them
        program.reserve();
        Ok(Self { evaluator, program })
    }

    fn begin(&self, request: SeededBatch) -> Result<CkksBatch, CkksError> {
        let of_program = self.program.parameters.fingerprint();
        if Wire::parameters(&request).fingerprint() != of_program {
            return Err(CkksError::Request {
                reason: "it was encrypted with other parameters",
            });
        }
        if request.len() != self.program.graph.inputs() {
            return Err(CkksError::Request {
                reason: "it has not as many pixels as the network reads",
            });
        }
        Ok(CkksBatch::request(request))
    }

    fn steps(&self) -> usize {
        self.program.schedule.segments.len()
    }

    fn step(
        &self,
        index: usize,
        batch: &mut CkksBatch,
        observe: Observe<'_>,
    ) -> Result<(), CkksError> {
        let schedule = &self.program.schedule;
        let segment = &schedule.segments[index];
        for &value in self.program.expands(segment) {
            batch.expand(value)?;
        }
        let made = self.segment(segment, batch, observe)?;
        for &value in &segment.reads {
            if schedule.last_readers[value] == Some(index) {
                batch.forget(value);
            }
        }
        batch.keep(segment.makes, made);
        Ok(())
    }

    fn finish(&self, batch: CkksBatch) -> Result<Bundle, CkksError> {
        let last = self.program.schedule.segments.last();
        batch.result(last.map_or(0, |segment| segment.makes))
    }
}

impl CkksServer {
    fn segment(
        &self,
        segment: &Segment,
        batch: &CkksBatch,
        observe: Observe<'_>,
    ) -> Result<Bundle, CkksError> {
        let program = &*self.program;
        let nodes = &program.graph.nodes;
        let rescale = segment.levels > 0;
        let primes = program.primes(segment.makes) + segment.levels;
        let start = Instant::now();
        let (node, kind, made) = match &segment.work {
            Task::Run { .. } => return self.run(segment, batch, observe),
            Task::Product(node) => {
                let node = &nodes[*node];
                let Operation::Product(product) = &node.operation else {
                    unreachable!("segments know what their nodes are");
                };
                let [a, b] = [0, 1].map(|side: usize| batch.bundle(segment.reads[side]));
                let shifts = [0, 1].map(|side| shifts(product, side, node));
                let shifts = [shifts[0].as_slice(), shifts[1].as_slice()];
                let made = self.evaluator.product([a?, b?], shifts, primes, rescale)?;
                (node, "product", made)
            }
            Task::Sum(node) => {
                let node = &nodes[*node];
                let (add, scale) = (addition(node), self.before_rescaling(segment));
                let factors: Vec<Vec<f64>> = (0..segment.reads.len())
                    .map(|operand| factors(add, operand, node))
                    .collect();
                let terms = terms(batch, &segment.reads, &factors)?;
                let bias = bias(add, node);
                let made = self
                    .evaluator
                    .sum(&terms, &bias, (primes, scale), rescale)?;
                (node, "add", made)
            }
            Task::Align => {
                let ones = [Vec::new()];
                let terms = terms(batch, &segment.reads, &ones)?;
                let scale = self.before_rescaling(segment);
                let made = self.evaluator.sum(&terms, &[], (primes, scale), rescale)?;
                // of what reads it: alignment has no name of its own
                let readers = program.schedule.last_readers[segment.makes];
                let reader = readers.map_or(segment, |reader| &program.schedule.segments[reader]);
                (&nodes[reader.makes - 1], "align", made)
            }
            Task::Polynomial {
                node,
                polynomials,
                levels,
            } => {
                let node = &nodes[*node];
                let target = program.scales[segment.makes];
                let inputs = batch.bundle(segment.reads[0])?;
                let outputs: Result<Vec<Ciphertext>, _> = (0..inputs.len())
                    .into_par_iter()
                    .map(|i| {
                        let p =
                            &polynomials[(i / node.output.positions).min(polynomials.len() - 1)];
                        let x = inputs.get(i).drop_to(primes)?;
                        polynomial::evaluate(&self.evaluator, p, &x, *levels, target)
                    })
                    .collect();
                (node, "polynomial", Bundle::new(&outputs?)?)
            }
        };
        observe(Work {
            node: &node.name,
            kind,
            seconds: start.elapsed().as_secs_f64(),
            word_products: None,
            done: 1.0,
        });
        Ok(match segment.work {
            // what is read together must have one scale, and up to the rounding of doubles it has
            Task::Align => made.with_scale(program.scales[segment.makes]),
            _ => made,
        })
    }

    /// The scale of what a segment makes before it is rescaled.
    fn before_rescaling(&self, segment: &Segment) -> f64 {
        let scale = self.program.scales[segment.makes];
        if segment.levels > 0 {
            let dropped = self.program.primes(segment.makes);
            scale * self.program.parameters.prime(dropped) as f64
        } else {
            scale
        }
    }

    /// Linear layers and at most one square, a sum, and what is rescaled of them.
    fn run(
        &self,
        segment: &Segment,
        batch: &CkksBatch,
        observe: Observe<'_>,
    ) -> Result<Bundle, CkksError> {
        let Task::Run {
            before,
            square,
            after,
            sum,
        } = &segment.work
        else {
            unreachable!("called for runs");
        };
        let program = &*self.program;
        let nodes = &program.graph.nodes;
        let (inputs, others) = segment.reads.split_at(segment.inputs(&program.graph));
        let rescale = segment.levels > 0;
        let primes = program.primes(segment.makes) + segment.levels;
        let pieces = inputs.iter().map(|&value| batch.piece(value));
        let pieces = pieces.collect::<Result<Vec<_>, _>>()?;
        let squared = square.map(|node| match &nodes[node].operation {
            Operation::Product(product) => shifts(product, 0, &nodes[node]),
            _ => unreachable!("segments know what their nodes are"),
        });
        let parts = [*before, *square, *after].into_iter().flatten();
        let run: Vec<(&Node<f64>, LayerStep<'_>)> = parts
            .map(|node| (&nodes[node], self.step(node, squared.as_deref())))
            .collect();
        let steps: Vec<LayerStep<'_>> = run.iter().map(|(_, step)| *step).collect();
        let start = Instant::now();
        let blocks = self.evaluator.run(&steps, Inputs::new(pieces, primes))?;
        self.report(&run, &blocks, start.elapsed().as_secs_f64(), observe);
        let start = Instant::now();
        let (mut factors_of_others, mut biases) = (Vec::new(), Vec::new());
        let mut name = &run[run.len() - 1].0.name;
        if let Some((node, host)) = sum {
            let node = &nodes[*node];
            let add = addition(node);
            let operands = (0..node.operands.len()).filter(|operand| operand != host);
            factors_of_others = operands
                .map(|operand| factors(add, operand, node))
                .collect();
            biases = bias(add, node);
            name = &node.name;
        }
        let terms = terms(batch, others, &factors_of_others)?;
        let collected = self
            .evaluator
            .collect_sum(&blocks, &terms, &biases, rescale)?;
        let seconds = start.elapsed().as_secs_f64();
        let share = collected.relinearise_share;
        let mut last = |kind, seconds| {
            observe(Work {
                node: name,
                kind,
                seconds,
                word_products: None,
                done: 1.0,
            });
        };
        if rescale {
            last("relinearise", seconds * share);
            last("rescale", seconds * (1.0 - share));
        } else {
            last("gather", seconds);
        }
        Ok(collected.bundle)
    }

    fn step<'a>(&'a self, node: usize, shifts: Option<&'a [f64]>) -> LayerStep<'a> {
        let program = &self.program;
        match (&program.graph.nodes[node].operation, &program.layers[node]) {
            (Operation::Linear(linear), Some(layer)) => LayerStep::Linear {
                layer,
                step: program.steps[node],
                bias: &linear.bias,
            },
            _ => match shifts {
                Some([]) | None => LayerStep::Square,
                Some(shifts) => LayerStep::ShiftedSquare { shifts },
            },
        }
    }

    /// Tells how long each node of a run took: threads share the wall time in proportion to what they did.
    fn report(
        &self,
        run: &[(&Node<f64>, LayerStep<'_>)],
        blocks: &cryptodl_ckks::Blocks,
        seconds: f64,
        observe: Observe<'_>,
    ) {
        let n = self.evaluator.parameters().ring_degree() as u64;
        let mut components = 2;
        let mut linear = blocks.times.linear.into_iter();
        let work: Vec<(f64, Option<u64>)> = run
            .iter()
            .map(|(_, step)| match step {
                // every weight meets a residue of each component, position and prime
                LayerStep::Linear { layer, .. } => {
                    let products = (layer.products() * components * blocks.primes()) as u64 * n;
                    (linear.next().unwrap_or(0.0), Some(products))
                }
                LayerStep::Square | LayerStep::ShiftedSquare { .. } => {
                    // a square makes a third component
                    components = 3;
                    (blocks.times.square, None)
                }
            })
            .collect();
        let all: f64 = work.iter().map(|(work, _)| work).sum();
        for ((node, step), (work, word_products)) in run.iter().zip(work) {
            observe(Work {
                node: &node.name,
                kind: match step {
                    LayerStep::Linear { .. } => "linear",
                    _ => "square",
                },
                seconds: seconds * work / all.max(f64::MIN_POSITIVE),
                word_products,
                done: 0.5,
            });
        }
    }
}

fn addition(node: &Node<f64>) -> &Add<f64> {
    match &node.operation {
        Operation::Add(add) => add,
        _ => unreachable!("segments know what their nodes are"),
    }
}

/// The terms of a sum, with their factors.
fn terms<'a>(
    batch: &'a CkksBatch,
    values: &[usize],
    factors: &'a [Vec<f64>],
) -> Result<Vec<Term<'a>>, CkksError> {
    let terms = values.iter().zip(factors).map(|(&value, factors)| {
        Ok(Term {
            values: batch.bundle(value)?,
            factors,
        })
    });
    terms.collect()
}

/// What one channel's number is, for each number of a channel; nothing if there is nothing.
fn spread(channels: &[f64], node: &Node<f64>) -> Vec<f64> {
    let positions = node.output.positions;
    let channels = channels.iter();
    channels
        .flat_map(|x| std::iter::repeat_n(*x, positions))
        .collect()
}

fn factors(add: &Add<f64>, operand: usize, node: &Node<f64>) -> Vec<f64> {
    spread(&add.factors[operand], node)
}

fn bias(add: &Add<f64>, node: &Node<f64>) -> Vec<f64> {
    spread(&add.bias, node)
}

fn shifts(product: &Product<f64>, side: usize, node: &Node<f64>) -> Vec<f64> {
    spread(&product.shifts[side], node)
}
