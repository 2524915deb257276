//! What the server runs: a schedule with integer layers, and the memory that it takes.

use std::collections::HashMap;

use cryptodl_ckks::{
    Parameters,
    columns::{Layer, Matrix, Tile},
};
use cryptodl_fold::{
    graph::{Graph, Operation},
    linear::Linear,
    rounding::Stepped,
};

use super::{
    CkksError,
    client::CkksSpec,
    segments::{Schedule, Segment, Task},
};

/// A schedule with all that its segments need.
pub struct CkksProgram {
    /// What was compiled for clients.
    pub(super) spec: CkksSpec,
    pub(super) graph: Graph<f64>,
    pub(super) schedule: Schedule,
    pub(super) parameters: Parameters,
    /// Scale of each value of the schedule.
    pub(super) scales: Vec<f64>,
    /// For each node, the step of its weights.
    pub(super) steps: Vec<f64>,
    /// For each node that is linear, the layer with integer weights.
    pub(super) layers: Vec<Option<Layer>>,
}

impl CkksProgram {
    pub(super) fn new(
        stepped: Stepped,
        schedule: Schedule,
        scales: Vec<f64>,
        spec: &CkksSpec,
    ) -> Result<Self, CkksError> {
        let nodes = &stepped.graph.nodes;
        let layers = nodes.iter().zip(&stepped.steps).map(|(node, &step)| {
            let Operation::Linear(linear) = &node.operation else {
                return Ok(None);
            };
            let operands = node.operands.iter();
            let inputs = operands.map(|operand| stepped.graph.layout(*operand).len());
            Ok::<_, CkksError>(Some(prepared(linear, inputs.sum(), step)?))
        });
        let layers = layers.collect::<Result<_, _>>()?;
        Ok(Self {
            graph: stepped.graph,
            steps: stepped.steps,
            schedule,
            parameters: spec.parameters()?,
            spec: spec.clone(),
            scales,
            layers,
        })
    }

    /// Primes that a value is kept with.
    pub(super) fn primes(&self, value: usize) -> usize {
        let base = self.parameters.primes() - self.schedule.levels();
        self.schedule.primes(base, value)
    }

    /// Numbers of a value of the schedule.
    pub(super) fn numbers(&self, value: usize) -> usize {
        match value
            .checked_sub(1)
            .and_then(|node| self.graph.nodes.get(node))
        {
            Some(node) => node.output.len(),
            None if value == 0 => self.graph.inputs(),
            // a value at another scale
            None => {
                let segments = self.schedule.segments.iter();
                let from = segments.rev().find(|segment| segment.makes == value);
                from.map_or(0, |segment| self.numbers(segment.reads[0]))
            }
        }
    }

    /// Rows of residues that a segment makes on the way (in blocks) and in the end, by primes: `(blocks, result)`.
    fn rows(&self, segment: &Segment) -> (Option<usize>, usize) {
        let numbers = self.numbers(segment.makes);
        let result = self.primes(segment.makes);
        let before = result + segment.levels;
        let components = match &segment.work {
            Task::Run {
                square: Some(_), ..
            }
            | Task::Product(_) => 3,
            _ => 2,
        };
        let kept = if segment.levels > 0 { 2 } else { components };
        let blocks =
            matches!(segment.work, Task::Run { .. }).then_some(numbers * components * before);
        (blocks, numbers * kept * result)
    }

    /// How many buffers of so many rows are needed at the same time: the values that are still to be read, the blocks
    /// of a segment, and its result.
    fn buffers(&self) -> HashMap<usize, usize> {
        let mut needed = HashMap::new();
        let mut live: Vec<(usize, usize)> = Vec::new();
        for (index, segment) in self.schedule.segments.iter().enumerate() {
            let (blocks, result) = self.rows(segment);
            let together: Vec<usize> = live
                .iter()
                .map(|(_, rows)| *rows)
                .chain(blocks)
                .chain([result])
                .collect();
            for rows in &together {
                let count = together.iter().filter(|other| *other == rows).count();
                let most = needed.entry(*rows).or_insert(0);
                *most = count.max(*most);
            }
            live.push((segment.makes, result));
            live.retain(|(value, _)| {
                self.schedule.last_readers[*value].is_none_or(|last| last > index)
            });
        }
        needed
    }

    /// Sets aside the memory that a batch needs.
    pub(super) fn reserve(&self) {
        for (rows, count) in self.buffers() {
            self.parameters.reserve(rows, count);
        }
    }

    /// Peak bytes of keys, ciphertexts and pixels: all buffers are kept for the next batch. `images` are those of
    /// one batch.
    pub(super) fn memory_bytes(&self, images: usize) -> usize {
        let row = self.parameters.ring_degree() * size_of::<u64>();
        let primes = self.parameters.primes();
        let inputs = self.graph.inputs();
        let pixels = inputs * images * size_of::<u32>();
        let segments = self.schedule.segments.iter();
        let expanded = segments
            .clone()
            .any(|segment| self.expands(segment).contains(&0));
        // the inputs as the client makes them, as they are sent, and in full where they must be
        let sent = (2 + 2 * usize::from(expanded)) * inputs * primes * row;
        let layers: usize = self
            .buffers()
            .iter()
            .map(|(rows, count)| rows * count * row)
            .sum();
        // copies of what goes into a polynomial, its results, and both as they lie in bundles
        let polynomials: usize = segments
            .filter(|segment| matches!(segment.work, Task::Polynomial { .. }))
            .map(|segment| {
                let after = self.primes(segment.makes);
                self.numbers(segment.makes) * (4 * after + 2 * segment.levels) * row
            })
            .sum();
        let keys = (2 * primes + 1) * primes * row;
        pixels + sent + layers + polynomials + keys
    }

    /// The values that a segment reads in full, so that pixels among them must be expanded.
    pub(super) fn expands<'a>(&self, segment: &'a Segment) -> &'a [usize] {
        match segment.work {
            Task::Run { .. } => &segment.reads[segment.inputs(&self.graph)..],
            _ => &segment.reads,
        }
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
