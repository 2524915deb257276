//! Lowering: a trained [`Artifact`] becomes a [`Graph`] of bare linear layers and activations.
//!
//! 1. Walk the layers, keeping the linear stage that is still open and the affine map that the
//!    next linear layer has to apply to its inputs.
//! 2. Batch norm and mean pooling change the open stage (or the affine map, if none is open).
//! 3. An activation `a_d z^d + …` is written as `a_d (y^d + Σ b_k y^k) + c` with `y = z + s`: `s`
//!    goes into the bias of the stage before, `a_d` and `c` into the affine map after.
//! 4. A stage is emitted as tiles: one matrix, applied at every position.
//! 5. A network that looks at mirror images too becomes two, side by side (`mirror.rs`).
//! 6. What a skip connection carries goes through the layers between as values of its own (`skip.rs`).
//!
//! Nothing is approximated: the graph computes what the network computes, up to rounding of `f64`.

mod mirror;
mod skip;
pub(crate) mod stage;

use approx::{Activation, Polynomial};
use cryptodl_network::{Artifact, BATCH_NORM_EPSILON, Layer, Nonlinearity, Shape, Tensor};
use thiserror::Error;

use crate::graph::{Function, Graph, Node, Operation, Power, Rounding};
use skip::{Carried, Crossing};
use stage::{Affine, Pool, Stage};

/// Why a network cannot be lowered.
#[derive(Debug, Error)]
pub enum LowerError {
    /// The network itself is inconsistent.
    #[error(transparent)]
    Network(#[from] cryptodl_network::NetworkError),
    /// An activation polynomial without any slope.
    #[error("the activation of layer {layer} is a constant: fit it again on another interval")]
    ConstantActivation {
        /// Index in the network.
        layer: usize,
    },
    /// An activation polynomial whose leading coefficient vanishes.
    #[error(
        "the polynomial of layer {layer} cannot be brought to leading coefficient 1: fit it with a lower degree"
    )]
    Leading {
        /// Index in the network.
        layer: usize,
    },
    /// Polynomials of each channel's own that would have to be evaluated in their own basis.
    #[error(
        "the polynomials of layer {layer} have degree {degree}, one for each channel: train them with a degree of at most 4, or one for all channels"
    )]
    ChannelDegree {
        /// Index in the network.
        layer: usize,
        /// The highest of their degrees.
        degree: usize,
    },
    /// A skip connection past something that cannot carry it.
    #[error("the skip connection cannot pass layer {layer}: {reason}")]
    Skip {
        /// Index in the network.
        layer: usize,
        /// What is in its way.
        reason: &'static str,
    },
    /// A tensor the network needs is not in the artifact.
    #[error("the artifact has no tensor `{name}`: train the network again")]
    MissingTensor {
        /// Its name.
        name: String,
    },
}

/// Folds a trained network into a graph of `f64` weights.
///
/// # Errors
/// When the network is inconsistent, a tensor is missing, an activation is constant or a skip connection passes
/// what cannot carry it.
pub fn lower(artifact: &Artifact) -> Result<Graph<f64>, LowerError> {
    let network = &artifact.network;
    let shapes = network.shapes()?;
    let mut lowering = Lowering {
        nodes: Vec::new(),
        shape: network.input,
        affine: Affine::normalisation(&network.normalisation),
        pool: None,
        stage: None,
        distribution: None,
        opened: 0,
        carried: None,
        joined: None,
    };
    for (index, (layer, &shape)) in network.layers.iter().zip(&shapes).enumerate() {
        lowering.layer(index, layer, shape, artifact)?;
    }
    let nodes = lowering.finish(network.layers.len(), network.mirrored)?;
    let classes = shapes.last().map_or(network.input.len(), Shape::len);
    let graph = Graph {
        inputs: network.input.len(),
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

/// The walk over the layers.
struct Lowering {
    nodes: Vec<Node<f64>>,
    /// Shape of the last emitted value, before `pool`.
    shape: Shape,
    /// The last emitted value `v` stands for `scale · v + shift`, channel by channel.
    affine: Affine,
    /// A mean pooling that the next linear layer must do.
    pool: Option<Pool>,
    /// The linear layer that later layers may still change.
    stage: Option<Stage>,
    /// Deviation (scale) and mean (shift) of the stage's channels, if it ends with a batch norm.
    distribution: Option<Affine>,
    /// Index of the layer that `stage` began with.
    opened: usize,
    /// What a skip connection carries past the layers in hand.
    carried: Option<Carried>,
    /// What has ended and is added to the outputs of `stage`, times a factor for each channel.
    joined: Option<(Carried, Vec<f64>)>,
}

impl Lowering {
    fn layer(
        &mut self,
        index: usize,
        layer: &Layer,
        after: Shape,
        artifact: &Artifact,
    ) -> Result<(), LowerError> {
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
                let fold = batch_norm(artifact, index)?;
                if self.stage.is_some() {
                    self.then(&fold);
                    self.distribution = Some(Affine {
                        scale: values(artifact, index, "gamma")?,
                        shift: values(artifact, index, "beta")?,
                    });
                } else {
                    self.affine.then(&fold);
                }
            }
            Layer::MeanPool { kernel, stride } => {
                let pool = Pool {
                    kernel: *kernel,
                    stride: *stride,
                };
                if self.joined.is_some() {
                    // a sum is pooled after it was made
                    self.emit_stage(Crossing::Nothing)?;
                }
                if let Some(stage) = &mut self.stage {
                    stage.then_pool(pool, after);
                    self.distribution = None;
                } else {
                    self.close_pool(index)?;
                    self.pool = Some(pool);
                }
            }
            Layer::Activation(nonlinearity) => self.activation(index, nonlinearity)?,
            Layer::Quantise { levels, low, high } => {
                let (levels, low, high) = (*levels as usize, *low, *high);
                self.ensure_stage(index)?;
                self.emit_stage(Crossing::Nothing)?;
                let rounding = Rounding { levels, low, high };
                self.push(index, Operation::Function(Function::Rounding(rounding)));
            }
            Layer::Skip => {
                self.emit_stage(Crossing::Nothing)?;
                self.close_pool(index)?;
                self.carried = Some(Carried::new(self.shape, &self.affine));
            }
            Layer::Add => {
                self.ensure_stage(index)?;
                let carried = self.carried.take();
                self.joined = carried.map(|carried| (carried, vec![1.0; after.channels]));
                self.distribution = None;
            }
        }
        Ok(())
    }

    /// Opens a new linear stage on the shape that the layers see.
    fn open(
        &mut self,
        index: usize,
        padding: usize,
        make: impl FnOnce(Shape) -> Stage,
    ) -> Result<(), LowerError> {
        self.emit_stage(Crossing::Nothing)?;
        if self
            .pool
            .is_some_and(|pool| !pool.merges(self.shape, padding))
        {
            self.close_pool(index)?;
        }
        let input = self.pool.map_or(self.shape, |pool| pool.output(self.shape));
        let mut stage = make(input);
        if let Some(pool) = self.pool.take() {
            stage.after_pool(pool, self.shape);
        }
        self.begin(index, stage);
        Ok(())
    }

    fn begin(&mut self, index: usize, stage: Stage) {
        (self.opened, self.stage) = (index, Some(stage));
    }

    /// Emits a waiting mean pooling as a linear layer of its own.
    fn close_pool(&mut self, index: usize) -> Result<(), LowerError> {
        if let Some(pool) = self.pool.take() {
            let mut stage = Stage::identity(self.shape);
            stage.then_pool(pool, pool.output(self.shape));
            self.begin(index, stage);
            self.emit_stage(Crossing::Nothing)?;
        }
        Ok(())
    }

    /// Ends the open stage, in front of what a skip connection crosses next.
    fn emit_stage(&mut self, crossing: Crossing) -> Result<(), LowerError> {
        self.distribution = None;
        if let Some(stage) = self.stage.take() {
            let mut linear = stage.emit(&self.affine);
            if let Some((carried, factors)) = self.joined.take() {
                carried.join(&mut linear, &factors, &mut self.nodes);
            }
            if let Some(carried) = &mut self.carried {
                let (layer, index) = (self.opened, self.nodes.len());
                carried
                    .pass(&mut linear, crossing, index, &mut self.nodes)
                    .map_err(|reason| LowerError::Skip { layer, reason })?;
            }
            self.push(self.opened, Operation::Linear(linear));
            self.shape = stage.output;
            self.affine = Affine::identity(self.shape.channels);
        }
        Ok(())
    }

    /// Appends a channel-wise affine map to the open stage.
    fn then(&mut self, next: &Affine) {
        if let Some(stage) = &mut self.stage {
            stage.then(next);
        }
        if let Some((_, factors)) = &mut self.joined {
            let pairs = factors.iter_mut().zip(&next.scale);
            pairs.for_each(|(factor, scale)| *factor *= scale);
        }
    }

    /// Makes sure that a stage is open, so that what follows sees the values that the layers see.
    fn ensure_stage(&mut self, index: usize) -> Result<(), LowerError> {
        if self.stage.is_none() {
            self.close_pool(index)?;
            self.begin(index, Stage::identity(self.shape));
        }
        Ok(())
    }

    fn activation(&mut self, index: usize, nonlinearity: &Nonlinearity) -> Result<(), LowerError> {
        self.ensure_stage(index)?;
        let output = self.stage.as_ref().expect("opened above").output;
        let channels = output.channels;
        let polynomials = match nonlinearity {
            Nonlinearity::Exact(activation) => {
                if self.carried.is_some() && *activation != Activation::Relu {
                    let reason = "the only exact activation that it can pass is ReLU";
                    return Err(LowerError::Skip {
                        layer: index,
                        reason,
                    });
                }
                self.emit_stage(Crossing::Relu)?;
                self.push(index, Operation::Function(Function::Exact(*activation)));
                return Ok(());
            }
            Nonlinearity::Polynomial { polynomial, .. } => std::slice::from_ref(polynomial),
            Nonlinearity::Channels { polynomials, .. } => polynomials,
        };
        // one polynomial stands for all channels, or each has its own
        let each = |value: &dyn Fn(&Polynomial) -> f64| -> Vec<f64> {
            (0..channels)
                .map(|channel| value(&polynomials[channel % polynomials.len()]))
                .collect()
        };
        match polynomials.iter().map(Polynomial::degree).max() {
            None | Some(0) => return Err(LowerError::ConstantActivation { layer: index }),
            Some(1) => {
                self.then(&Affine {
                    scale: each(&|p| p.to_monomial()[1]),
                    shift: each(&|p| p.to_monomial()[0]),
                });
                self.distribution = None;
                return Ok(());
            }
            Some(degree @ 2..=4) => {
                let monics: Vec<Monic> = (0..channels)
                    .map(|channel| &polynomials[channel % polynomials.len()])
                    .map(|polynomial| Monic::new(polynomial, degree))
                    .collect::<Option<_>>()
                    .ok_or(LowerError::Leading { layer: index })?;
                let part = |value: fn(&Monic) -> f64| monics.iter().map(value).collect::<Vec<_>>();
                self.then(&Affine {
                    scale: vec![1.0; channels],
                    shift: part(|monic| monic.shift),
                });
                let typical = self.distribution.take().map_or_else(Vec::new, |known| {
                    let channels = known.scale.iter().zip(&known.shift).zip(&monics);
                    channels
                        .map(|((deviation, mean), monic)| deviation.hypot(mean + monic.shift))
                        .collect()
                });
                let mut lower: Vec<Vec<f64>> =
                    monics.iter().map(|monic| monic.lower.clone()).collect();
                let crossing = Crossing::Power(degree);
                if let Some(carried) = &self.carried {
                    let channels = channels + crossing.copies() * carried.channels();
                    lower.resize(channels, vec![0.0; degree - 2]);
                }
                let power = Power {
                    degree,
                    lower,
                    positions: output.height * output.width,
                    typical,
                };
                self.emit_stage(crossing)?;
                self.affine = Affine {
                    scale: part(|monic| monic.factor),
                    shift: part(|monic| monic.constant),
                };
                self.push(index, Operation::Power(power));
                return Ok(());
            }
            Some(degree) => {
                let [polynomial] = polynomials else {
                    return Err(LowerError::ChannelDegree {
                        layer: index,
                        degree,
                    });
                };
                if self.carried.is_some() {
                    let reason = "it can pass polynomials of degree 4 at most";
                    return Err(LowerError::Skip {
                        layer: index,
                        reason,
                    });
                }
                let function = Function::Polynomial(polynomial.clone());
                self.emit_stage(Crossing::Nothing)?;
                self.push(index, Operation::Function(function));
            }
        }
        Ok(())
    }

    fn push(&mut self, index: usize, operation: Operation<f64>) {
        self.nodes.push(Node {
            name: format!("layers.{index}"),
            operation,
        });
    }

    /// The nodes; the last one is linear if there are to be `means` over two halves.
    fn finish(mut self, layers: usize, means: bool) -> Result<Vec<Node<f64>>, LowerError> {
        self.close_pool(layers)?;
        let ends = matches!(
            self.nodes.last().map(|node| &node.operation),
            Some(Operation::Linear(_))
        );
        if self.stage.is_none() && (!self.affine.is_identity() || means && !ends) {
            self.begin(layers, Stage::identity(self.shape));
        }
        self.emit_stage(Crossing::Nothing)?;
        Ok(self.nodes)
    }
}

/// `p(z) = factor · (y^d + Σ lower_k y^k) + constant` with `y = z + shift`, `k = 1 … d - 2`.
struct Monic {
    shift: f64,
    factor: f64,
    constant: f64,
    lower: Vec<f64>,
}

impl Monic {
    /// None if the polynomial is of a lower degree, or nearly so.
    fn new(polynomial: &Polynomial, degree: usize) -> Option<Self> {
        let mut c = polynomial.to_monomial();
        c.resize(degree + 1, 0.0);
        let factor = c[degree];
        let shift = c[degree - 1] / (degree as f64 * factor);
        // Taylor shift by Horner: the coefficients of p(y - shift) in powers of y.
        for low in 0..degree {
            for k in (low..degree).rev() {
                c[k] -= shift * c[k + 1];
            }
        }
        let lower: Vec<f64> = c[1..degree - 1].iter().map(|b| b / factor).collect();
        let finite = lower
            .iter()
            .chain([&shift, &c[0], &factor])
            .all(|v| v.is_finite());
        finite.then(|| Self {
            shift,
            factor,
            constant: c[0],
            lower,
        })
    }
}

fn tensor<'a>(artifact: &'a Artifact, index: usize, name: &str) -> Result<&'a Tensor, LowerError> {
    let name = format!("layers.{index}.{name}");
    artifact
        .tensors
        .get(&name)
        .ok_or(LowerError::MissingTensor { name })
}

fn values(artifact: &Artifact, index: usize, name: &str) -> Result<Vec<f64>, LowerError> {
    Ok(tensor(artifact, index, name)?
        .data
        .iter()
        .map(|&v| f64::from(v))
        .collect())
}

pub(crate) fn parameters(
    artifact: &Artifact,
    index: usize,
) -> Result<(Vec<f64>, Vec<f64>), LowerError> {
    Ok((
        values(artifact, index, "weight")?,
        values(artifact, index, "bias")?,
    ))
}

/// Batch norm at inference: `γ (x - μ) / √(σ² + ε) + β`, channel by channel.
pub(crate) fn batch_norm(artifact: &Artifact, index: usize) -> Result<Affine, LowerError> {
    let gamma = values(artifact, index, "gamma")?;
    let beta = values(artifact, index, "beta")?;
    let mean = values(artifact, index, "mean")?;
    let variance = values(artifact, index, "variance")?;
    let scale: Vec<f64> = gamma
        .iter()
        .zip(&variance)
        .map(|(g, v)| g / (v + BATCH_NORM_EPSILON).sqrt())
        .collect();
    let shift = scale
        .iter()
        .zip(&mean)
        .zip(&beta)
        .map(|((s, m), b)| b - s * m)
        .collect();
    Ok(Affine { scale, shift })
}
