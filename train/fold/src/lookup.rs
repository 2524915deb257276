//! Lowering for schemes that look up: whole-number weights, and a table for everything between two
//! linear layers.
//!
//! 1. A rounding layer leaves one of a few equally spaced values `low + step · i`; what is kept is `i`.
//!    The one in front of the first linear layer becomes a table over the 256 values of a pixel.
//! 2. Batch norm and mean pooling fold into their linear layer, as in [`crate::fold()`].
//! 3. The weights of each row must be whole multiples `q` of one step `g`: then the layer's value is
//!    `g · (Σ q i) + constant`, and only the sum in brackets, the *accumulator*, is computed.
//! 4. The table of an accumulator holds, for every value it can take for any image, the rounded result
//!    of constant, activation and whatever else stands before the next rounding layer.
//!
//! The tables are made once, in `f64`; after that everything is whole numbers and exact, with or
//! without encryption.

mod check;
mod rows;
mod tables;

pub use check::check;

use cryptodl_network::{Artifact, Layer, Nonlinearity, Shape, ValueId};
use ethnum::I256;
use thiserror::Error;

use crate::{
    affine::Affine,
    error::FoldError,
    fold::layout,
    graph::{Graph, Layout, Node, Operation},
    linear::{Linear, PADDING, Tile},
    stage::{Pool, Stage},
    table::{Rounding, Table, Tables},
    tensor::parameters,
};
use tables::Step;

/// Values that an accumulator may take at most: no look-up in sight is larger.
pub const MOST_VALUES: usize = 1 << 16;

/// Why a network cannot be evaluated by look-up.
#[derive(Debug, Error)]
pub enum LookupError {
    /// See [`FoldError`].
    #[error(transparent)]
    Fold(#[from] FoldError),
    /// Something else than a rounding layer where only rounded values may go.
    #[error(
        "layer {layer} does not read rounded values: this scheme wants a rounding layer before every linear layer: train a network that has them"
    )]
    NotRounded {
        /// Index in the network.
        layer: usize,
    },
    /// A layer that the tables cannot take in.
    #[error(
        "layer {layer}, a mean pooling, stands between an activation and its rounding: put it after the rounding"
    )]
    PoolBeforeRounding {
        /// Index in the network.
        layer: usize,
    },
    /// A mean over an image and its mirror image.
    #[error(
        "the network looks at mirror images too, which look-ups do not: train it with `mirror = false`"
    )]
    Mirrored,
    /// A network that is no chain.
    #[error(
        "layer {layer} does not read what the layer before it made and nothing else, and look-ups know only chains: take a network without skip connections, products and concatenations"
    )]
    NoChain {
        /// The node of the network.
        layer: usize,
    },
    /// Weights that are no whole multiples of a step.
    #[error(
        "the weights of filter {row} of `{node}` are not whole multiples of one step up to {most}: train with `weight_levels` in the recipe"
    )]
    NotWhole {
        /// The linear layer.
        node: String,
        /// The filter.
        row: usize,
        /// Largest multiple.
        most: i64,
    },
    /// An accumulator beyond every table.
    #[error(
        "an accumulator of `{node}` can take {values} values, and {most} is the limit: train with a smaller `accumulator_levels` or `weight_levels` in the recipe"
    )]
    TooWide {
        /// The linear layer.
        node: String,
        /// How many values.
        values: u64,
        /// The limit.
        most: usize,
    },
}

/// The smallest and the largest value that any image can produce.
pub type Range = (i64, i64);

/// Folds a rounding network into tables and linear layers of whole-number weights: first the table of
/// the pixels, then linear layer and table in turn, last a linear layer.
///
/// # Errors
/// When a linear layer reads values that are not rounded, weights are not whole multiples of a step, or
/// an accumulator is too wide.
pub fn tables(artifact: &Artifact) -> Result<Graph<i64>, LookupError> {
    let network = &artifact.network;
    if network.mirrored {
        return Err(LookupError::Mirrored);
    }
    let shapes = network.shapes().map_err(FoldError::from)?;
    let mut walk = Walk {
        nodes: Vec::new(),
        shape: network.input,
        input: Input::Pixels,
        pool: None,
        stage: None,
        steps: vec![Step::Affine(Affine::normalisation(&network.normalisation))],
        ranges: vec![(0, 255); network.input.len()],
        opened: 0,
    };
    for (index, (node, &shape)) in network.nodes.iter().zip(&shapes).enumerate() {
        if node.inputs != [ValueId(index)] {
            return Err(LookupError::NoChain { layer: index });
        }
        walk.layer(index, &node.layer, shape, artifact)?;
    }
    walk.finish(network)
}

/// What the next linear layer reads.
enum Input {
    /// Pixels, 0 to 255, that nothing has rounded yet.
    Pixels,
    /// Level `i` of a channel stands for `scale · i + shift`.
    Levels(Affine),
}

struct Walk {
    nodes: Vec<Node<i64>>,
    /// Shape of the last emitted values, before `pool`.
    shape: Shape,
    input: Input,
    /// A mean pooling that the next linear layer must do.
    pool: Option<Pool>,
    /// The linear layer that later layers may still change.
    stage: Option<Stage>,
    /// What is applied to each value after the stage (to the pixels, if they are still bare).
    steps: Vec<Step>,
    /// Ranges of the last emitted values.
    ranges: Vec<Range>,
    opened: usize,
}

impl Walk {
    fn layer(
        &mut self,
        index: usize,
        layer: &Layer,
        after: Shape,
        artifact: &Artifact,
    ) -> Result<(), LookupError> {
        match layer {
            Layer::Convolution {
                stride, padding, ..
            } => {
                let (weight, bias) = parameters(artifact, index)?;
                self.open(index, *padding, |input| {
                    Stage::convolution(weight, bias, input, after, *stride, *padding)
                })?;
            }
            Layer::Dense { .. } => {
                let (weight, bias) = parameters(artifact, index)?;
                self.open(index, 0, |input| Stage::dense(weight, bias, input, after))?;
            }
            Layer::BatchNorm => {
                let fold = Affine::batch_norm(artifact, index)?;
                match (&mut self.stage, &mut self.input) {
                    (Some(stage), _) if self.steps.is_empty() => stage.then(&fold),
                    (None, Input::Levels(affine)) if self.steps.is_empty() => affine.then(&fold),
                    _ => self.steps.push(Step::Affine(fold)),
                }
            }
            Layer::MeanPool { kernel, stride } => {
                let pool = Pool {
                    kernel: *kernel,
                    stride: *stride,
                };
                match &mut self.stage {
                    _ if !self.steps.is_empty() => {
                        return Err(LookupError::PoolBeforeRounding { layer: index });
                    }
                    Some(stage) => stage.then_pool(pool, after),
                    None if self.pool.is_none() => self.pool = Some(pool),
                    None => return Err(LookupError::NotRounded { layer: index }),
                }
            }
            Layer::Add | Layer::Product | Layer::Concatenation => {
                return Err(LookupError::NoChain { layer: index });
            }
            Layer::Activation(nonlinearity) => {
                self.needs_stage(index)?;
                self.steps.push(match nonlinearity {
                    Nonlinearity::Exact(activation) => Step::Exact(*activation),
                    Nonlinearity::Polynomial { polynomial, .. } => {
                        Step::Polynomials(vec![polynomial.clone(); after.channels])
                    }
                    Nonlinearity::Channels { polynomials, .. } => {
                        Step::Polynomials(polynomials.clone())
                    }
                });
            }
            Layer::Quantise { levels, low, high } => {
                self.needs_stage(index)?;
                self.round(Rounding {
                    levels: *levels as usize,
                    low: *low,
                    high: *high,
                })?;
            }
        }
        Ok(())
    }

    /// Opens a linear stage on rounded values of the shape that the layers see.
    fn open(
        &mut self,
        index: usize,
        padding: usize,
        make: impl FnOnce(Shape) -> Stage,
    ) -> Result<(), LookupError> {
        if let (Input::Pixels, None, [Step::Affine(normalise)]) =
            (&self.input, &self.stage, self.steps.as_slice())
        {
            // pixels that no layer rounds are levels of their own, 0 to 255
            self.input = Input::Levels(Affine {
                scale: normalise.scale.clone(),
                shift: normalise.shift.clone(),
            });
            self.steps.clear();
            let node = tables::pixels_as_they_are(self.shape);
            self.push(node.0, Operation::Table(node.1), layout(self.shape));
        }
        let open = self.stage.is_some() || !self.steps.is_empty();
        let merges = |pool: Pool| pool.merges(self.shape, padding);
        if open || !self.pool.is_none_or(merges) {
            return Err(LookupError::NotRounded { layer: index });
        }
        let input = self.pool.map_or(self.shape, |pool| pool.output(self.shape));
        let mut stage = make(input);
        if let Some(pool) = self.pool.take() {
            stage.after_pool(pool, self.shape);
        }
        (self.opened, self.stage) = (index, Some(stage));
        Ok(())
    }

    /// An activation of values that no linear layer has just made reads them through an identity.
    fn needs_stage(&mut self, index: usize) -> Result<(), LookupError> {
        let bare = matches!(self.input, Input::Pixels);
        if self.stage.is_none() && !bare {
            self.identity(index)?;
        }
        Ok(())
    }

    fn identity(&mut self, index: usize) -> Result<(), LookupError> {
        if let Some(pool) = self.pool.take() {
            let mut stage = Stage::identity(self.shape);
            stage.then_pool(pool, pool.output(self.shape));
            (self.opened, self.stage) = (index, Some(stage));
            return Ok(());
        }
        self.open(index, 0, Stage::identity)
    }

    /// Ends the open stage, or the pixels' own steps, with a table.
    fn round(&mut self, rounding: Rounding) -> Result<(), LookupError> {
        let levels = Affine::uniform(
            self.stage
                .as_ref()
                .map_or(self.shape, |s| s.output)
                .channels,
            rounding.step(),
            rounding.low,
        );
        let steps = std::mem::take(&mut self.steps);
        let (name, tables) = match self.emit(MOST_VALUES, tables::is_sine(&steps))? {
            None => tables::of_pixels(self.shape, &steps, rounding),
            Some(scaled) => {
                let name = format!("layers.{}.table", self.opened);
                let positions = layout(self.shape).positions;
                let tables =
                    tables::of_accumulators(&scaled, positions, &self.ranges, &steps, rounding);
                (name, tables)
            }
        };
        self.ranges = table_ranges(&tables);
        self.push(name, Operation::Table(tables), layout(self.shape));
        self.input = Input::Levels(levels);
        Ok(())
    }

    /// Emits the open stage as whole-number weights with accumulators of at most so many values, with one
    /// step for all rows if they share one; none if no stage is open.
    fn emit(&mut self, most: usize, shared: bool) -> Result<Option<rows::Scaled>, LookupError> {
        let (Some(stage), Input::Levels(affine)) = (self.stage.take(), &self.input) else {
            return Ok(None);
        };
        let name = format!("layers.{}", self.opened);
        let mut scaled = rows::whole(&stage.emit(affine), &name)?;
        if shared {
            scaled.share_step();
        }
        self.shape = stage.output;
        self.ranges = linear_ranges(&scaled.linear, &self.ranges);
        let widest = self.ranges.iter().map(|(low, high)| high.abs_diff(*low));
        let values = widest.max().unwrap_or(0) + 1;
        if values > most as u64 {
            return Err(LookupError::TooWide {
                node: name,
                values,
                most,
            });
        }
        let linear = Operation::Linear(scaled.linear.clone());
        self.push(name, linear, layout(self.shape));
        Ok(Some(scaled))
    }

    /// Appends a node that reads what the one before it made.
    fn push(&mut self, name: String, operation: Operation<i64>, output: Layout) {
        self.nodes.push(Node {
            name,
            operands: vec![ValueId(self.nodes.len())],
            operation,
            output,
            statistics: None,
        });
    }

    fn finish(mut self, network: &cryptodl_network::Network) -> Result<Graph<i64>, LookupError> {
        let layers = network.nodes.len();
        if self.stage.is_none() {
            self.identity(layers)?;
        }
        if !self.steps.is_empty() {
            return Err(LookupError::NotRounded { layer: layers });
        }
        // no table comes after the last layer, so it may be wide
        let scaled = self.emit(1 << 40, false)?.expect("a stage is open");
        let outputs = 0..scaled.linear.outputs();
        Ok(Graph {
            input: layout(network.input),
            input_levels: 255,
            nodes: self.nodes,
            output_scale: outputs.map(|o| 1.0 / scaled.step(o)).collect(),
            output_shift: scaled.constant,
        })
    }
}

/// The ranges of the values after each node of a chain of linear layers and tables.
pub fn ranges(graph: &Graph<i64>) -> Vec<Vec<Range>> {
    let mut ranges = vec![(0, i64::from(graph.input_levels)); graph.inputs()];
    graph
        .nodes
        .iter()
        .map(|node| {
            match &node.operation {
                Operation::Linear(linear) => ranges = linear_ranges(linear, &ranges),
                Operation::Table(tables) => ranges = table_ranges(tables),
                _ => {}
            }
            ranges.clone()
        })
        .collect()
}

/// The ranges of the sums of a linear layer.
pub fn linear_ranges(linear: &Linear<i64>, inputs: &[Range]) -> Vec<Range> {
    let bias = |b: &I256| (b.as_i64(), b.as_i64());
    let mut ranges: Vec<Range> = linear.bias.iter().map(bias).collect();
    for_each_row(linear, |output, weights, tile| {
        let (low, high) = &mut ranges[output];
        for (&w, &input) in weights.iter().zip(&tile.inputs) {
            if input != PADDING {
                let (a, b) = inputs[input as usize];
                *low += (w * a).min(w * b);
                *high += (w * a).max(w * b);
            }
        }
    });
    ranges
}

/// The ranges of what tables give.
pub fn table_ranges(tables: &Tables) -> Vec<Range> {
    let range = |table: &Table| {
        let least = table.results.iter().min();
        let most = table.results.iter().max();
        (*least.expect("not empty"), *most.expect("not empty"))
    };
    let ranges: Vec<Range> = tables.tables.iter().map(range).collect();
    tables.of.iter().map(|&t| ranges[t as usize]).collect()
}

/// Calls `visit` with every output, its weights and its tile.
fn for_each_row(linear: &Linear<i64>, mut visit: impl FnMut(usize, &[i64], &Tile)) {
    for tile in &linear.tiles {
        for (row, &output) in tile.outputs.iter().enumerate() {
            visit(output as usize, linear.matrices[tile.matrix].row(row), tile);
        }
    }
}
