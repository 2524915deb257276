//! The kernels as operators of Burn's `flex` backend, with their gradients.

use crate::channel::{Channel, Terms};
use crate::mixed::{self, Rounded};
use crate::normalise::{self, Treatment};
use crate::precision::Precision;
use crate::windows::Windows;
use crate::{convolution, pool};
use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::CheckpointStrategy};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::ops::FloatTensorOps;
use burn::backend::tensor::FloatTensor;
use burn::backend::{
    Autodiff, Backend, Dispatch, ExtensionType, Flex, FlexDevice, backend_extension,
};
use burn::tensor::{Tensor, TensorData};
use std::sync::Arc;

/// What batch norm in training gives.
#[derive(ExtensionType)]
pub(crate) struct Normalised<B: Backend> {
    pub output: FloatTensor<B>,
    /// `[channels]`.
    pub mean: FloatTensor<B>,
    /// `[channels]`.
    pub variance: FloatTensor<B>,
    /// `[4, channels]`, without gradient: mean and variance of each of the two terms of a Hermite series.
    pub terms: FloatTensor<B>,
    /// `[1]`, without gradient.
    pub excess: FloatTensor<B>,
}

/// The operators. All values are `[features, batch]`.
#[backend_extension(Flex, Autodiff)]
pub(crate) trait Fused: Backend {
    fn convolution(
        values: FloatTensor<Self>,
        filters: FloatTensor<Self>,
        windows: Arc<Windows>,
        precision: Precision,
    ) -> FloatTensor<Self>;
    fn mean_pool(values: FloatTensor<Self>, windows: Arc<Windows>) -> FloatTensor<Self>;
    fn normalise(
        values: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        treatment: Arc<Treatment>,
    ) -> Normalised<Self>;
    /// With given statistics; without gradient.
    fn normalise_with(
        values: FloatTensor<Self>,
        channels: Arc<[Channel]>,
        treatment: Arc<Treatment>,
    ) -> FloatTensor<Self>;
}

/// A tensor whose values lie row-major, as a slice.
fn slice(tensor: &FloatTensor<Flex>) -> &[f32] {
    tensor.as_slice().expect("made contiguous, in 32 bits")
}

fn tensor(values: Vec<f32>, shape: impl Into<burn::tensor::Shape>) -> FloatTensor<Flex> {
    Flex::float_from_data(TensorData::new(values, shape), &FlexDevice)
}

/// Images in the batch.
fn batch(tensor: &FloatTensor<Flex>) -> usize {
    let shape = tensor.layout().shape();
    shape[shape.num_dims() - 1]
}

/// Values of a product, as precise as it takes them.
#[derive(Clone, Debug)]
enum Factor {
    Single(FloatTensor<Flex>),
    /// And the number of images.
    Mixed(Arc<Rounded>, usize),
}

impl Factor {
    /// Of a tensor whose values lie row-major.
    fn of(values: &FloatTensor<Flex>, precision: Precision) -> Self {
        match precision {
            Precision::Single => Self::Single(values.clone()),
            Precision::Mixed => Self::Mixed(Arc::new(Rounded::of(slice(values))), batch(values)),
        }
    }

    fn precision(&self) -> Precision {
        match self {
            Self::Single(_) => Precision::Single,
            Self::Mixed(..) => Precision::Mixed,
        }
    }
}

/// Outputs of a convolution.
fn convolved(values: &Factor, filters: &FloatTensor<Flex>, windows: &Windows) -> FloatTensor<Flex> {
    let filters = slice(filters);
    let (output, n) = match values {
        Factor::Single(values) => {
            let n = batch(values);
            (convolution::forward(filters, slice(values), n, windows), n)
        }
        Factor::Mixed(values, n) => (mixed::forward(filters, values, *n, windows), *n),
    };
    let rows = output.len() / n;
    tensor(output, [rows, n])
}

impl Fused for Flex {
    fn convolution(
        values: FloatTensor<Self>,
        filters: FloatTensor<Self>,
        windows: Arc<Windows>,
        precision: Precision,
    ) -> FloatTensor<Self> {
        let (values, filters) = (values.to_contiguous(), filters.to_contiguous());
        convolved(&Factor::of(&values, precision), &filters, &windows)
    }

    fn mean_pool(values: FloatTensor<Self>, windows: Arc<Windows>) -> FloatTensor<Self> {
        let values = values.to_contiguous();
        let n = batch(&values);
        let output = pool::forward(slice(&values), n, &windows);
        let rows = output.len() / n;
        tensor(output, [rows, n])
    }

    fn normalise(
        values: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        treatment: Arc<Treatment>,
    ) -> Normalised<Self> {
        let shape = values.layout().shape().clone();
        let (values, gamma, beta) = (
            values.to_contiguous(),
            gamma.to_contiguous(),
            beta.to_contiguous(),
        );
        let result = normalise::train(slice(&values), slice(&gamma), slice(&beta), &treatment);
        let channels = result.mean.len();
        Normalised {
            output: tensor(result.output, shape),
            mean: tensor(result.mean, [channels]),
            variance: tensor(result.variance, [channels]),
            terms: tensor(of_terms(&result.terms), [4, channels]),
            excess: tensor(vec![result.excess], [1]),
        }
    }

    fn normalise_with(
        values: FloatTensor<Self>,
        channels: Arc<[Channel]>,
        treatment: Arc<Treatment>,
    ) -> FloatTensor<Self> {
        let shape = values.layout().shape().clone();
        let values = values.to_contiguous();
        let output = normalise::infer(slice(&values), &channels, &treatment);
        tensor(output, shape)
    }
}

impl<C: CheckpointStrategy> Fused for Autodiff<Flex, C> {
    fn convolution(
        values: FloatTensor<Self>,
        filters: FloatTensor<Self>,
        windows: Arc<Windows>,
        precision: Precision,
    ) -> FloatTensor<Self> {
        let nodes = [values.node(), filters.node()];
        let values = Factor::of(&values.into_primitive().to_contiguous(), precision);
        let filters = filters.into_primitive().to_contiguous();
        let output = convolved(&values, &filters, &windows);
        match ConvolutionGradient
            .prepare::<C>(nodes)
            .compute_bound()
            .stateful()
        {
            OpsKind::Tracked(prepared) => prepared.finish((values, filters, windows), output),
            OpsKind::UnTracked(prepared) => prepared.finish(output),
        }
    }

    fn mean_pool(values: FloatTensor<Self>, windows: Arc<Windows>) -> FloatTensor<Self> {
        let node = values.node();
        let output = Flex::mean_pool(values.into_primitive(), windows.clone());
        match PoolGradient.prepare::<C>([node]).compute_bound().stateful() {
            OpsKind::Tracked(prepared) => prepared.finish(windows, output),
            OpsKind::UnTracked(prepared) => prepared.finish(output),
        }
    }

    fn normalise(
        values: FloatTensor<Self>,
        gamma: FloatTensor<Self>,
        beta: FloatTensor<Self>,
        treatment: Arc<Treatment>,
    ) -> Normalised<Self> {
        let nodes = [values.node(), gamma.node(), beta.node()];
        let values = values.into_primitive().to_contiguous();
        let gamma = gamma.into_primitive().to_contiguous();
        let beta = beta.into_primitive().to_contiguous();
        let result = Flex::normalise(
            values.clone(),
            gamma.clone(),
            beta.clone(),
            treatment.clone(),
        );
        let channels = channels(&gamma, &beta, &result);
        let output = match NormaliseGradient
            .prepare::<C>(nodes)
            .compute_bound()
            .stateful()
        {
            OpsKind::Tracked(prepared) => {
                prepared.finish((values, channels.into(), treatment), result.output)
            }
            OpsKind::UnTracked(prepared) => prepared.finish(result.output),
        };
        Normalised {
            output,
            mean: FloatTensor::<Self>::new(result.mean),
            variance: FloatTensor::<Self>::new(result.variance),
            terms: FloatTensor::<Self>::new(result.terms),
            excess: FloatTensor::<Self>::new(result.excess),
        }
    }

    fn normalise_with(
        values: FloatTensor<Self>,
        channels: Arc<[Channel]>,
        treatment: Arc<Treatment>,
    ) -> FloatTensor<Self> {
        let output = Flex::normalise_with(values.into_primitive(), channels, treatment);
        FloatTensor::<Self>::new(output)
    }
}

fn channels(
    gamma: &FloatTensor<Flex>,
    beta: &FloatTensor<Flex>,
    found: &Normalised<Flex>,
) -> Vec<Channel> {
    let [gamma, beta, mean, variance, terms] =
        [gamma, beta, &found.mean, &found.variance, &found.terms].map(slice);
    let count = gamma.len();
    (0..count)
        .map(|channel| Channel {
            gamma: gamma[channel],
            beta: beta[channel],
            mean: mean[channel],
            variance: variance[channel],
            terms: Terms {
                mean: [terms[channel], terms[2 * count + channel]],
                variance: [terms[count + channel], terms[3 * count + channel]],
            },
        })
        .collect()
}

/// Mean and variance of the first term in all channels, then those of the second.
fn of_terms(terms: &[Terms]) -> Vec<f32> {
    (0..2)
        .flat_map(|k| {
            let means = terms.iter().map(move |terms| terms.mean[k]);
            means.chain(terms.iter().map(move |terms| terms.variance[k]))
        })
        .collect()
}

#[derive(Debug)]
struct ConvolutionGradient;

impl Backward<Flex, 2> for ConvolutionGradient {
    /// Values, filters, windows.
    type State = (Factor, FloatTensor<Flex>, Arc<Windows>);

    fn backward(
        self,
        ops: Ops<Self::State, 2>,
        grads: &mut Gradients,
        _checkpointer: &mut Checkpointer,
    ) {
        let [values_node, filters_node] = ops.parents;
        let gradient = grads.consume::<Flex>(&ops.node).to_contiguous();
        let (values, filters, windows) = ops.state;
        let n = batch(&gradient);
        let gradient = Factor::of(&gradient, values.precision());
        if let Some(node) = values_node {
            let filters = slice(&filters);
            let found = match &gradient {
                Factor::Single(g) => convolution::input_gradient(filters, slice(g), n, &windows),
                Factor::Mixed(g, _) => mixed::input_gradient(filters, g, n, &windows),
            };
            let rows = found.len() / n;
            grads.register::<Flex>(node.id, tensor(found, [rows, n]));
        }
        if let Some(node) = filters_node {
            let shape = filters.layout().shape().clone();
            let found = match (&gradient, &values) {
                (Factor::Mixed(g, _), Factor::Mixed(v, _)) => {
                    mixed::filter_gradient(g, v, n, &windows)
                }
                (Factor::Single(g), Factor::Single(v)) => {
                    convolution::filter_gradient(slice(g), slice(v), n, &windows)
                }
                _ => unreachable!("the gradient was made as precise as the values"),
            };
            grads.register::<Flex>(node.id, tensor(found, shape));
        }
    }
}

#[derive(Debug)]
struct PoolGradient;

impl Backward<Flex, 1> for PoolGradient {
    type State = Arc<Windows>;

    fn backward(
        self,
        ops: Ops<Self::State, 1>,
        grads: &mut Gradients,
        _checkpointer: &mut Checkpointer,
    ) {
        let [node] = ops.parents;
        let gradient = grads.consume::<Flex>(&ops.node).to_contiguous();
        if let Some(node) = node {
            let n = batch(&gradient);
            let found = pool::gradient(slice(&gradient), n, &ops.state);
            let rows = found.len() / n;
            grads.register::<Flex>(node.id, tensor(found, [rows, n]));
        }
    }
}

#[derive(Debug)]
struct NormaliseGradient;

impl Backward<Flex, 3> for NormaliseGradient {
    /// Values, numbers of the channels, what was done with them.
    type State = (FloatTensor<Flex>, Arc<[Channel]>, Arc<Treatment>);

    fn backward(
        self,
        ops: Ops<Self::State, 3>,
        grads: &mut Gradients,
        _checkpointer: &mut Checkpointer,
    ) {
        let [values_node, gamma_node, beta_node] = ops.parents;
        let gradient = grads.consume::<Flex>(&ops.node).to_contiguous();
        let (values, channels, treatment) = ops.state;
        let shape = values.layout().shape().clone();
        let found = normalise::gradients(slice(&values), slice(&gradient), &channels, &treatment);
        if let Some(node) = values_node {
            grads.register::<Flex>(node.id, tensor(found.values, shape));
        }
        let count = channels.len();
        if let Some(node) = gamma_node {
            grads.register::<Flex>(node.id, tensor(found.gamma, [count]));
        }
        if let Some(node) = beta_node {
            grads.register::<Flex>(node.id, tensor(found.beta, [count]));
        }
    }
}

/// Outputs `[out·positions, batch]` of filters `[out, taps]` on values `[features, batch]`.
///
/// # Panics
/// Where the tensors are on another backend than `flex`, or of other sizes than the windows.
pub fn convolve(
    values: Tensor<2>,
    filters: Tensor<2>,
    windows: &Arc<Windows>,
    precision: Precision,
) -> Tensor<2> {
    let output = <Dispatch as Fused>::convolution(
        values.into_dispatch(),
        filters.into_dispatch(),
        windows.clone(),
        precision,
    );
    Tensor::from_dispatch(output)
}

/// Means `[channels·positions, batch]` of values `[features, batch]`.
///
/// # Panics
/// As [`convolve`].
pub fn mean_pool(values: Tensor<2>, windows: &Arc<Windows>) -> Tensor<2> {
    Tensor::from_dispatch(<Dispatch as Fused>::mean_pool(
        values.into_dispatch(),
        windows.clone(),
    ))
}

/// What a batch norm in training gives.
pub struct Found {
    /// `[features, batch]`.
    pub output: Tensor<2>,
    /// `[channels]`.
    pub mean: Tensor<1>,
    /// `[channels]`.
    pub variance: Tensor<1>,
    /// `[4, channels]`, without gradient: mean and variance of each of the two terms of a Hermite series.
    pub terms: Tensor<2>,
    /// `[1]`, without gradient: mean of the penalties of all values.
    pub excess: Tensor<1>,
}

/// Batch norm and activation of values `[features, batch]`, gamma and beta `[channels]`, with the statistics of the values
/// themselves.
///
/// The boundary loss has no gradient of its own: what it would give, times the weight in `treatment`, is part of the
/// gradient of the output already.
pub fn normalise(
    values: Tensor<2>,
    gamma: Tensor<1>,
    beta: Tensor<1>,
    treatment: Treatment,
) -> Found {
    let result = <Dispatch as Fused>::normalise(
        values.into_dispatch(),
        gamma.into_dispatch(),
        beta.into_dispatch(),
        Arc::new(treatment),
    );
    Found {
        output: Tensor::from_dispatch(result.output),
        mean: Tensor::from_dispatch(result.mean),
        variance: Tensor::from_dispatch(result.variance),
        terms: Tensor::from_dispatch(result.terms),
        excess: Tensor::from_dispatch(result.excess),
    }
}

/// Batch norm and activation of values `[features, batch]` with given statistics. Not for training: it has no gradient.
pub fn normalise_with(
    values: Tensor<2>,
    channels: Vec<Channel>,
    treatment: Treatment,
) -> Tensor<2> {
    Tensor::from_dispatch(<Dispatch as Fused>::normalise_with(
        values.into_dispatch(),
        channels.into(),
        Arc::new(treatment),
    ))
}
