//! Folding: a trained [`Artifact`] becomes a [`Graph`] of bare linear layers, products, polynomials and sums.
//!
//! 1. Walk the nodes of the network. Each of its values is held as values of the graph with an affine map and a mean
//!    pooling that whatever reads them has to apply; or, where it has one reader alone, as linear layers and sums that
//!    are still open.
//! 2. Batch norm and mean pooling change what is open (or the affine map, if nothing is).
//! 3. An activation `a_d z^d + …` is written as `a_d (y^d + Σ b_k y^k) + c` with `y = z + s`: `s` goes into the bias of
//!    what is open (or in front of the power), `a_d` and `c` into the affine map after.
//! 4. A sum takes in the affine maps of its terms as factors and a bias; a product and a power, too, in their results.
//!    A concatenation is not made: the linear layer behind reads its parts.
//! 5. A linear layer is emitted as tiles: one matrix, applied at every position.
//! 6. A network that looks at mirror images too becomes two, side by side (`mirror.rs`).
//!
//! Nothing is approximated: the graph computes what the network computes, up to rounding of `f64`.

mod activation;
mod held;
mod joins;

use cryptodl_network::{Artifact, Layer, Network, Shape, ValueId};

use crate::{
    affine::Affine,
    error::FoldError,
    graph::{Add, Function, Graph, Layout, Node, Operation, Statistics},
    linear::Linear,
    matrices::Folded,
    mirror,
    stage::{Pool, Stage},
    table::Rounding,
    tensor::parameters,
};
use held::{Held, Open, Part, Term, Values};

/// Folds a trained network into a graph of `f64` weights.
///
/// # Errors
/// When the network is inconsistent, a tensor is missing, or an activation is constant or of too high a degree.
pub fn fold(artifact: &Artifact) -> Result<Graph<f64>, FoldError> {
    let network = &artifact.network;
    let mut folding = Folding::new(artifact)?;
    folding.walk()?;
    let (nodes, classes) = folding.finish();
    let graph = Graph {
        input: layout(network.input),
        input_levels: 255,
        nodes,
        output_scale: vec![1.0; classes],
        output_shift: vec![0.0; classes],
    };
    Ok(if network.mirrored {
        mirror::both(graph, network.input)
    } else {
        graph
    })
}

/// The matrices of the linear layers alone, in the order of their nodes: what [`fold()`] makes of them.
///
/// # Errors
/// As there.
pub fn fold_matrices(artifact: &Artifact) -> Result<Vec<Folded>, FoldError> {
    let mut folding = Folding::new(artifact)?;
    folding.matrices = Some(Vec::new());
    folding.walk()?;
    let answer = folding.read(ValueId(artifact.network.nodes.len()));
    folding.close(answer);
    let mut matrices = folding.matrices.unwrap_or_default();
    matrices.sort_by_key(|folded| folded.node);
    Ok(matrices)
}

/// Size of a value of that shape.
pub(crate) fn layout(shape: Shape) -> Layout {
    Layout {
        channels: shape.channels,
        positions: shape.height * shape.width,
    }
}

/// The walk over the nodes.
struct Folding<'a> {
    artifact: &'a Artifact,
    network: &'a Network,
    /// What each node of the network makes.
    shapes: Vec<Shape>,
    /// How often each value of the network is still to be read.
    readers: Vec<usize>,
    /// The values of the network that are still to be read.
    held: Vec<Option<Held>>,
    /// The nodes of the graph so far.
    nodes: Vec<Node<f64>>,
    /// The matrices alone, if nothing else is wanted.
    matrices: Option<Vec<Folded>>,
}

impl<'a> Folding<'a> {
    fn new(artifact: &'a Artifact) -> Result<Self, FoldError> {
        let network = &artifact.network;
        let shapes = network.shapes()?;
        let mut readers: Vec<usize> = network.readers().iter().map(Vec::len).collect();
        // the answer is read by whoever asked
        readers[network.nodes.len()] = 1;
        let input = Values {
            parts: vec![Part {
                value: ValueId::INPUT,
                channels: network.input.channels,
            }],
            shape: network.input,
            affine: Affine::normalisation(&network.normalisation),
            pool: None,
        };
        let mut held: Vec<Option<Held>> = vec![None; readers.len()];
        held[0] = Some(Held::Values(input));
        Ok(Self {
            artifact,
            network,
            shapes,
            readers,
            held,
            nodes: Vec::new(),
            matrices: None,
        })
    }

    fn walk(&mut self) -> Result<(), FoldError> {
        (0..self.network.nodes.len()).try_for_each(|index| self.node(index))
    }

    fn node(&mut self, index: usize) -> Result<(), FoldError> {
        let network = self.network;
        let node = &network.nodes[index];
        let after = self.shapes[index];
        let inputs: Vec<Held> = node.inputs.iter().map(|input| self.read(*input)).collect();
        let mut inputs = inputs.into_iter();
        let mut next = || inputs.next().expect("the network was checked");
        let made = match &node.layer {
            Layer::Convolution {
                stride, padding, ..
            } => {
                let (weight, bias) = parameters(self.artifact, index)?;
                let make =
                    |input| Stage::convolution(weight, bias, input, after, *stride, *padding);
                Held::Open(self.linear(index, next(), *padding, make))
            }
            Layer::Dense { .. } => {
                let (weight, bias) = parameters(self.artifact, index)?;
                let make = |input| Stage::dense(weight, bias, input, after);
                Held::Open(self.linear(index, next(), 0, make))
            }
            Layer::BatchNorm => self.batch_norm(index, next())?,
            Layer::MeanPool { kernel, stride } => {
                let pool = Pool {
                    kernel: *kernel,
                    stride: *stride,
                };
                self.pool(index, next(), pool, after)
            }
            Layer::Activation(nonlinearity) => self.activation(index, next(), nonlinearity)?,
            Layer::Quantise { levels, low, high } => {
                let (levels, low, high) = (*levels as usize, *low, *high);
                let rounding = Function::Rounding(Rounding { levels, low, high });
                let values = self.bare(index, next());
                Held::Values(self.apply(index, &values, Operation::Function(rounding)))
            }
            Layer::Add => Held::Open(self.add(index, next(), next())),
            Layer::Product => {
                let factors = [next(), next()];
                Held::Values(self.product(index, factors))
            }
            Layer::Concatenation => Held::Values(self.concatenation(index, inputs, after)),
        };
        let value = ValueId::of_node(index);
        // several readers want one value
        let made = if self.readers[value.0] > 1 {
            Held::Values(self.close(made))
        } else {
            made
        };
        self.held[value.0] = Some(made);
        Ok(())
    }

    /// A value of the network, for one of its readers.
    fn read(&mut self, value: ValueId) -> Held {
        let left = &mut self.readers[value.0];
        *left -= 1;
        let held = &mut self.held[value.0];
        let read = if *left == 0 {
            held.take()
        } else {
            held.clone()
        };
        read.expect("made before it is read")
    }

    /// Begins a linear layer on the shape that the layers see.
    fn linear(
        &mut self,
        index: usize,
        input: Held,
        padding: usize,
        make: impl FnOnce(Shape) -> Stage,
    ) -> Open {
        let mut from = self.close(input);
        if from
            .pool
            .is_some_and(|pool| !pool.merges(from.shape, padding))
        {
            from = self.pooled(index, from);
        }
        let mut stage = make(from.seen());
        if let Some(pool) = from.pool.take() {
            stage.after_pool(pool, from.shape);
        }
        Open::linear(index, stage, from)
    }

    fn batch_norm(&mut self, index: usize, input: Held) -> Result<Held, FoldError> {
        let fold = Affine::batch_norm(self.artifact, index)?;
        let values = |name| crate::tensor::values(self.artifact, index, name);
        Ok(match input {
            Held::Open(mut open) => {
                open.then(&fold);
                let deviation = values("gamma")?.iter().map(|gamma| gamma.abs()).collect();
                let mean = values("beta")?;
                open.statistics = Some(Statistics { mean, deviation });
                Held::Open(open)
            }
            Held::Values(mut from) => {
                let mean = values("mean")?;
                let variance = values("variance")?;
                let deviation = variance.iter().map(|variance| variance.sqrt()).collect();
                self.learn(&from, &Statistics { mean, deviation });
                from.affine.then(&fold);
                Held::Values(from)
            }
        })
    }

    /// Notes what a batch norm knows of values that it reads.
    fn learn(&mut self, values: &Values, known: &Statistics) {
        if values.pool.is_some() {
            return;
        }
        for (part, some) in values.ranges() {
            let Some(node) = part.value.node().map(|node| &mut self.nodes[node]) else {
                continue;
            };
            let Affine { scale, shift } = values.affine.channels(some.clone());
            if node.statistics.is_none() && !scale.contains(&0.0) {
                let mean = known.mean[some.clone()].iter().zip(&shift).zip(&scale);
                let deviation = known.deviation[some].iter().zip(&scale);
                node.statistics = Some(Statistics {
                    mean: mean
                        .map(|((mean, shift), scale)| (mean - shift) / scale)
                        .collect(),
                    deviation: deviation.map(|(d, scale)| d / scale.abs()).collect(),
                });
            }
        }
    }

    fn pool(&mut self, index: usize, input: Held, pool: Pool, after: Shape) -> Held {
        match input {
            Held::Open(mut open) if open.terms.len() == 1 => {
                let Term::Linear { stage, .. } = &mut open.terms[0] else {
                    unreachable!("a single term is a linear layer");
                };
                stage.then_pool(pool, after);
                (open.output, open.statistics) = (after, None);
                Held::Open(open)
            }
            // a sum is pooled after it was made, by what reads it
            input => {
                let mut values = self.close(input);
                if values.pool.is_some() {
                    values = self.pooled(index, values);
                }
                values.pool = Some(pool);
                Held::Values(values)
            }
        }
    }

    /// Makes sure that a mean pooling is done: in a linear layer of its own, if it is still to do.
    fn pooled(&mut self, index: usize, values: Values) -> Values {
        if values.pool.is_none() {
            return values;
        }
        self.made(index, values)
    }

    /// What the layers see, as one value of the graph: through a linear layer of its own.
    fn made(&mut self, index: usize, values: Values) -> Values {
        self.close(Held::Open(Self::identity(index, values)))
    }

    /// The linear layer that only does what is left to do.
    fn identity(index: usize, mut values: Values) -> Open {
        let mut stage = Stage::identity(values.shape);
        if let Some(pool) = values.pool.take() {
            stage.then_pool(pool, pool.output(values.shape));
        }
        Open::linear(index, stage, values)
    }

    /// What the layers see, as one value of the graph; it may be that already.
    fn bare(&mut self, index: usize, held: Held) -> Values {
        let values = self.close(held);
        if values.is_bare() {
            values
        } else {
            self.made(index, values)
        }
    }

    /// Ends what is open.
    fn close(&mut self, held: Held) -> Values {
        let open = match held {
            Held::Values(values) => return values,
            Held::Open(open) => open,
        };
        let layout = layout(open.output);
        let single = open.terms.len() == 1;
        let mut sum = Add {
            factors: Vec::new(),
            bias: vec![0.0; layout.channels],
        };
        let mut operands = Vec::new();
        for term in open.terms {
            match term {
                Term::Linear { index, stage, from } => {
                    let linear = Operation::Linear(self.emit(index, &stage, &from.affine));
                    let inputs = from.parts.iter().map(|part| part.value).collect();
                    operands.push(self.push(index, inputs, linear, layout));
                    sum.factors.push(Vec::new());
                }
                Term::Values(values) => {
                    operands.push(values.parts[0].value);
                    sum.factors.push(some(values.affine.scale, 1.0));
                    let bias = sum.bias.iter_mut().zip(values.affine.shift);
                    bias.for_each(|(sum, shift)| *sum += shift);
                }
            }
        }
        let value = match operands[..] {
            [value] if single => value,
            _ => {
                sum.bias = some(sum.bias, 0.0);
                self.push(open.index, operands, Operation::Add(sum), layout)
            }
        };
        let node = value.node().expect("made just now");
        self.nodes[node].statistics = open.statistics;
        Values::single(value, open.output)
    }

    /// The linear layer; without positions if only matrices are wanted.
    fn emit(&mut self, index: usize, stage: &Stage, affine: &Affine) -> Linear<f64> {
        let Some(matrices) = &mut self.matrices else {
            return stage.emit(affine);
        };
        if stage.is_trained {
            matrices.push(Folded {
                node: index,
                matrix: stage.matrix(affine),
                origin: stage.origin(affine),
            });
        }
        Linear {
            matrices: Vec::new(),
            tiles: Vec::new(),
            bias: Vec::new(),
        }
    }

    /// Applies an operation to a bare value.
    fn apply(&mut self, index: usize, values: &Values, operation: Operation<f64>) -> Values {
        let operands = vec![values.parts[0].value];
        let value = self.push(index, operands, operation, layout(values.shape));
        Values::single(value, values.shape)
    }

    fn push(
        &mut self,
        index: usize,
        operands: Vec<ValueId>,
        operation: Operation<f64>,
        output: Layout,
    ) -> ValueId {
        self.nodes.push(Node {
            name: format!("layers.{index}"),
            operands,
            operation,
            output,
            statistics: None,
        });
        ValueId::of_node(self.nodes.len() - 1)
    }

    /// The nodes, and the size of the result. The last node is linear if there are to be means over two halves.
    fn finish(mut self) -> (Vec<Node<f64>>, usize) {
        let layers = self.network.nodes.len();
        let answer = self.read(ValueId(layers));
        let mut values = self.close(answer);
        let last = self.nodes.len().checked_sub(1).map(ValueId::of_node);
        let is_linear = |node: &Node<f64>| matches!(node.operation, Operation::Linear(_));
        let ends = self.nodes.last().is_some_and(is_linear) || !self.network.mirrored;
        if !values.is_bare() || last != Some(values.parts[0].value) || !ends {
            values = self.made(layers, values);
        }
        (self.nodes, values.shape.len())
    }
}

/// No list at all if it holds nothing but `neutral`.
fn some(list: Vec<f64>, neutral: f64) -> Vec<f64> {
    #[expect(
        clippy::float_cmp,
        reason = "only what was never touched may be left out"
    )]
    let untouched = list.iter().all(|x| *x == neutral);
    if untouched { Vec::new() } else { list }
}
