//! Which nodes of a graph are evaluated together, in which order, and how many levels each of these segments takes.
//!
//! - *linear, square, linear* is one run over blocks of residue columns, in cache; a sum that takes in what the run
//!   makes is made in the same pass that relinearises and rescales it. Any of the four may be missing but one.
//! - Sums of values that no run makes, and products of two different values, are passes of their own.
//! - Other polynomials are circuits on ciphertexts.
//! - What a linear layer reads of several operands must have one scale: each is brought to it first ([`Task::Align`]).

use approx::{Basis, Interval, Polynomial, cheapest_plan, taylor_shift};
use cryptodl_ckks::noise::Sizes;
use cryptodl_fold::{
    QuantiseError,
    graph::{Graph, Operation, Power, ValueId},
};

use super::CkksError;

/// Nodes that are evaluated together.
#[derive(Clone, Debug, PartialEq)]
pub struct Segment {
    /// What is done.
    pub work: Task,
    /// The values that it reads, by their places among all values of the schedule.
    pub reads: Vec<usize>,
    /// The value that it makes.
    pub makes: usize,
    /// Primes that it drops.
    pub levels: usize,
}

impl Segment {
    /// How many of the values that it reads are not terms of a sum.
    pub fn inputs(&self, graph: &Graph<f64>) -> usize {
        match &self.work {
            Task::Run {
                sum: Some((node, _)),
                ..
            } => self.reads.len() + 1 - graph.nodes[*node].operands.len(),
            _ => self.reads.len(),
        }
    }
}

/// The work of a [`Segment`]; nodes by their indices.
#[derive(Clone, Debug, PartialEq)]
pub enum Task {
    /// A linear layer, a square, a linear layer and a sum, in this order. The first reads `reads` but for the last
    /// `terms`, which are what the sum adds.
    Run {
        /// The linear layer before.
        before: Option<usize>,
        /// The square.
        square: Option<usize>,
        /// The linear layer after.
        after: Option<usize>,
        /// The sum, and which of its operands the run makes.
        sum: Option<(usize, usize)>,
    },
    /// A product of two values.
    Product(usize),
    /// A sum of values.
    Sum(usize),
    /// A value at another scale.
    Align,
    /// A polynomial for each channel.
    Polynomial {
        /// The activation.
        node: usize,
        /// One polynomial for each channel, or one for all.
        polynomials: Vec<Polynomial>,
        /// Levels of its circuit, by a dry run of the evaluator.
        levels: usize,
    },
}

/// All segments in order, and how deep every value lies.
#[derive(Clone, Debug, PartialEq)]
pub struct Schedule {
    /// The segments.
    pub segments: Vec<Segment>,
    /// For each value the levels between it and the result: 0 is the input, `i + 1` what node `i` makes, others are
    /// values at another scale. Zero for values that lie inside a run.
    pub above: Vec<usize>,
    /// For each value, the last segment that reads it.
    pub last_readers: Vec<Option<usize>>,
}

impl Schedule {
    /// Schedules a graph.
    ///
    /// # Errors
    /// When an activation is not a polynomial.
    pub fn new(graph: &Graph<f64>) -> Result<Self, CkksError> {
        let mut segments = Finder::new(graph).segments()?;
        let mut values = graph.nodes.len() + 1;
        segments = aligned(segments, graph, &mut values);
        let mut above = vec![0; values];
        let mut last_readers = vec![None; values];
        for (index, segment) in segments.iter().enumerate().rev() {
            for &value in &segment.reads {
                above[value] = above[value].max(above[segment.makes] + segment.levels);
                last_readers[value].get_or_insert(index);
            }
        }
        Ok(Self {
            segments,
            above,
            last_readers,
        })
    }

    /// Levels from the input to the result.
    pub fn levels(&self) -> usize {
        self.above[0]
    }

    /// Primes that a value is kept with, so many of which are never dropped.
    pub fn primes(&self, base: usize, value: usize) -> usize {
        base + self.above[value]
    }

    /// The prime that a segment's rescaling divides by; 1 without.
    pub fn divisor(&self, base: usize, sizes: &Sizes, segment: &Segment) -> f64 {
        if segment.levels == 0 {
            1.0
        } else {
            sizes.primes[self.primes(base, segment.makes)]
        }
    }

    /// The value that the last segment makes.
    pub fn result(&self) -> usize {
        self.segments.last().map_or(0, |segment| segment.makes)
    }
}

/// Finds the segments from the last node to the first: what is claimed by one belongs to no other.
struct Finder<'a> {
    graph: &'a Graph<f64>,
    readers: Vec<usize>,
    claimed: Vec<bool>,
}

impl<'a> Finder<'a> {
    fn new(graph: &'a Graph<f64>) -> Self {
        Self {
            graph,
            readers: graph.readers(),
            claimed: vec![false; graph.nodes.len()],
        }
    }

    fn segments(mut self) -> Result<Vec<Segment>, CkksError> {
        let mut segments = Vec::new();
        for index in (0..self.graph.nodes.len()).rev() {
            if !self.claimed[index] {
                segments.push(self.segment(index)?);
            }
        }
        segments.reverse();
        Ok(segments)
    }

    /// The segment that ends with node `index`.
    fn segment(&mut self, index: usize) -> Result<Segment, CkksError> {
        let node = &self.graph.nodes[index];
        // the result of all is neither relinearised nor rescaled
        let rescaled = usize::from(index + 1 < self.graph.nodes.len());
        let work = match &node.operation {
            Operation::Linear(_) => self.ending(index).unwrap_or(Task::Run {
                before: Some(index),
                square: None,
                after: None,
                sum: None,
            }),
            Operation::Product(_) => self.ending(index).unwrap_or(Task::Product(index)),
            Operation::Add(add) => {
                let host = (0..node.operands.len()).find_map(|operand| {
                    let made = node.operands[operand].node()?;
                    let alone = self.readers[made + 1] == 1 && !self.claimed[made];
                    // the sum has the scale of what the run makes, which therefore has no factor
                    if !alone || !add.factors[operand].is_empty() {
                        return None;
                    }
                    Some((operand, self.ending(made)?))
                });
                match host {
                    Some((operand, mut run)) => {
                        if let Task::Run { sum, .. } = &mut run {
                            *sum = Some((index, operand));
                        }
                        run
                    }
                    None => Task::Sum(index),
                }
            }
            Operation::Power(power) => polynomial(index, monic(power)?)?,
            Operation::Polynomial(p) => polynomial(index, vec![p.clone()])?,
            operation @ (Operation::Table(_) | Operation::Function(_)) => {
                return Err(QuantiseError::of(operation, &node.name).into());
            }
        };
        let levels = match &work {
            Task::Run { square: None, .. } => 0,
            // one more brings the scale to where the circuit wants it
            Task::Polynomial { levels, .. } => levels + 1,
            _ => rescaled,
        };
        let reads = match &work {
            Task::Run {
                before,
                square,
                after,
                sum,
            } => {
                for node in [before, square, after].into_iter().flatten() {
                    self.claimed[*node] = true;
                }
                let first = before.or(*square).or(*after).expect("a run has a node");
                let first = &self.graph.nodes[first];
                let mut reads: Vec<ValueId> = first.operands.clone();
                if before.is_none() && square.is_some() {
                    // both operands are the same
                    reads.truncate(1);
                }
                if let Some((node, host)) = sum {
                    let terms = self.graph.nodes[*node].operands.iter().enumerate();
                    let others = terms.filter(|(operand, _)| operand != host);
                    reads.extend(others.map(|(_, value)| *value));
                }
                reads
            }
            _ => node.operands.clone(),
        };
        self.claimed[index] = true;
        Ok(Segment {
            work,
            reads: reads.into_iter().map(|value| value.0).collect(),
            makes: index + 1,
            levels,
        })
    }

    /// The run with a square that ends with node `index`, a linear layer or the square itself.
    fn ending(&self, index: usize) -> Option<Task> {
        let node = &self.graph.nodes[index];
        let (square, after) = match (&node.operation, node.operands[..].split_first()) {
            (Operation::Linear(_), Some((operand, []))) => {
                let square = operand.node()?;
                (self.readers[operand.0] == 1 && !self.claimed[square]).then_some(())?;
                (square, Some(index))
            }
            (Operation::Product(_), _) => (index, None),
            _ => return None,
        };
        let read = self.square(square)?;
        let before = read.node().filter(|&linear| {
            let is_linear = matches!(self.graph.nodes[linear].operation, Operation::Linear(_));
            // The square reads it twice. Behind a square of its own it ends the run of that one: there are fewer results
            // of it to relinearise than squares.
            let is_free = self.readers[read.0] == 2 && !self.claimed[linear];
            is_linear && is_free && self.ending(linear).is_none()
        });
        Some(Task::Run {
            before,
            square: Some(square),
            after,
            sum: None,
        })
    }

    /// What node `index` reads, if it is a square.
    fn square(&self, index: usize) -> Option<ValueId> {
        let node = &self.graph.nodes[index];
        let Operation::Product(product) = &node.operation else {
            return None;
        };
        let same = node.operands[0] == node.operands[1] && product.shifts[0] == product.shifts[1];
        same.then_some(node.operands[0])
    }
}

/// Puts segments in front that bring the operands of one linear layer to one scale.
fn aligned(segments: Vec<Segment>, graph: &Graph<f64>, values: &mut usize) -> Vec<Segment> {
    let mut all = Vec::with_capacity(segments.len());
    for mut segment in segments {
        if let Task::Run {
            before: Some(node), ..
        } = segment.work
        {
            let operands = graph.nodes[node].operands.len();
            if operands > 1 {
                for read in &mut segment.reads[..operands] {
                    all.push(Segment {
                        work: Task::Align,
                        reads: vec![*read],
                        makes: *values,
                        levels: 1,
                    });
                    *read = *values;
                    *values += 1;
                }
            }
        }
        all.push(segment);
    }
    all
}

fn polynomial(node: usize, polynomials: Vec<Polynomial>) -> Result<Task, CkksError> {
    let levels = polynomials
        .iter()
        .map(|p| cheapest_plan(p).map(|(_, cost)| cost.levels));
    let levels = levels
        .collect::<Option<Vec<usize>>>()
        .ok_or(CkksError::Constant)?;
    Ok(Task::Polynomial {
        node,
        polynomials,
        levels: levels.into_iter().max().unwrap_or(0),
    })
}

/// `y^d + Σ b_k y^k`, `y = x + shift`, for each channel.
fn monic(power: &Power<f64>) -> Result<Vec<Polynomial>, CkksError> {
    let on = Interval::new(-1.0, 1.0).expect("in order");
    let channels = power.lower.iter().enumerate().map(|(channel, lower)| {
        let mut coefficients = vec![0.0];
        coefficients.extend(lower);
        coefficients.resize(power.degree, 0.0);
        coefficients.push(1.0);
        if let Some(&shift) = power.shift.get(channel) {
            taylor_shift(&mut coefficients, shift);
        }
        Polynomial::new(coefficients, Basis::Monomial, on).map_err(|_| CkksError::Constant)
    });
    channels.collect()
}
