//! From the layers of a network to modules: what is computed together becomes one.

use super::stock::{places, pool_rows, rows};
use super::{Module, Placed, View};
use crate::kernels::Kernels;
use crate::nonlinearity::Nonlinear;
use burn::tensor::{Device, Tensor, TensorData};
use cryptodl_kernels::Windows;
use cryptodl_network::{Layer, Shape};
use std::sync::Arc;

/// Where a node of the network stands.
pub(crate) struct Place<'a> {
    /// The values that it reads, by number.
    pub reads: Vec<usize>,
    /// The value that it makes.
    pub makes: usize,
    /// Shape of the first value that it reads.
    pub input: Shape,
    /// Shape of what it makes.
    pub output: Shape,
    /// How many nodes read each value.
    pub readers: &'a [usize],
}

/// A convolution that a mean pool may still join.
struct Pending {
    reads: Vec<usize>,
    makes: usize,
    weight: usize,
    kernel: usize,
    stride: usize,
    padding: usize,
    input: Shape,
    output: Shape,
    spread: Option<Box<Tensor<2>>>,
}

/// Makes modules of layers.
pub(crate) struct Builder<'a> {
    kernels: Kernels,
    device: &'a Device,
    modules: Vec<Placed>,
    pending: Option<Pending>,
}

impl<'a> Builder<'a> {
    pub(crate) fn new(kernels: Kernels, device: &'a Device) -> Self {
        Self {
            kernels,
            device,
            modules: Vec::new(),
            pending: None,
        }
    }

    /// Adds a layer whose parameters begin at `first`.
    pub(crate) fn add(
        &mut self,
        layer: &Layer,
        nonlinear: Option<Nonlinear>,
        first: usize,
        place: Place<'_>,
    ) {
        if let Layer::MeanPool { kernel, stride } = layer
            && self.joined(*kernel, *stride, &place)
        {
            return;
        }
        self.flush();
        let Place {
            reads,
            makes,
            input,
            output,
            readers,
        } = place;
        let module = match *layer {
            Layer::Convolution {
                kernel,
                stride,
                padding,
                ..
            } => {
                self.pending = Some(Pending {
                    reads,
                    makes,
                    weight: first,
                    kernel,
                    stride,
                    padding,
                    input,
                    output,
                    spread: None,
                });
                return;
            }
            Layer::Dense { .. } => {
                let flat = |shape: Shape| Shape {
                    channels: shape.len(),
                    height: 1,
                    width: 1,
                };
                let windows = || Windows::new(flat(input), flat(output), 1, 1, 0);
                let view = (self.kernels == Kernels::Fused).then(|| Arc::new(windows()));
                Module::Dense {
                    weight: first,
                    view,
                }
            }
            Layer::BatchNorm => Module::BatchNorm {
                gamma: first,
                kernels: self.kernels,
                activation: None,
            },
            Layer::MeanPool { kernel, stride } => {
                let view = match self.kernels {
                    Kernels::Fused => {
                        View::Fused(Arc::new(Windows::new(input, output, kernel, stride, 0)))
                    }
                    Kernels::Stock => pool_rows(input, output, kernel, stride, self.device),
                };
                Module::MeanPool { view }
            }
            Layer::Quantise { levels, low, high } => Module::Quantise { levels, low, high },
            Layer::Add => Module::Add,
            Layer::Product => Module::Product,
            Layer::Concatenation => Module::Concatenation,
            Layer::Activation(_) => {
                let nonlinear = nonlinear.expect("given for every activation");
                let fits = nonlinear.pointwise(None).is_some();
                match self.modules.last_mut() {
                    Some(Placed {
                        module:
                            Module::BatchNorm {
                                kernels: Kernels::Fused,
                                activation: activation @ None,
                                ..
                            },
                        makes: made,
                        ..
                    }) if fits && reads == [*made] && readers[*made] == 1 => {
                        *activation = Some(nonlinear);
                        *made = makes;
                        return;
                    }
                    _ => Module::Activation(nonlinear),
                }
            }
        };
        self.modules.push(Placed {
            module,
            reads,
            makes,
        });
    }

    /// Whether a mean pool became part of the convolution before it.
    fn joined(&mut self, kernel: usize, stride: usize, place: &Place<'_>) -> bool {
        let Some(pending) = &mut self.pending else {
            return false;
        };
        let output = place.output;
        if place.reads != [pending.makes] || place.readers[pending.makes] != 1 {
            return false;
        }
        let wide = pending.kernel + pending.stride * (kernel - 1);
        let products = |kernel: usize, shape: Shape| kernel * kernel * shape.len();
        let saves = products(wide, output) < products(pending.kernel, pending.output);
        if self.kernels == Kernels::Stock || !saves || pending.spread.is_some() {
            return false;
        }
        let spread = spread(pending.kernel, wide, kernel, pending.stride);
        let data = TensorData::new(spread, [pending.kernel.pow(2), wide.pow(2)]);
        pending.spread = Some(Box::new(Tensor::from_data(data, self.device)));
        pending.kernel = wide;
        pending.stride *= stride;
        pending.output = output;
        pending.makes = place.makes;
        true
    }

    fn flush(&mut self) {
        let Some(pending) = self.pending.take() else {
            return;
        };
        let Pending {
            reads,
            makes,
            weight,
            kernel,
            stride,
            padding,
            input,
            output,
            spread,
        } = pending;
        let view = match self.kernels {
            Kernels::Fused => View::Fused(Arc::new(Windows::new(
                input, output, kernel, stride, padding,
            ))),
            Kernels::Stock => View::Rows {
                rows: Box::new(rows(
                    places(input, output, kernel, stride, padding),
                    self.device,
                )),
                padded: padding > 0,
                window: kernel * kernel,
            },
        };
        let module = Module::Convolution {
            weight,
            view,
            spread,
        };
        self.modules.push(Placed {
            module,
            reads,
            makes,
        });
    }

    /// The modules of all layers.
    pub(crate) fn modules(mut self) -> Vec<Placed> {
        self.flush();
        // What decides between classes is not rounded, and costs little.
        if let Some(Placed {
            module: Module::Dense { view, .. },
            ..
        }) = self.modules.last_mut()
        {
            *view = None;
        }
        self.modules
    }
}

/// `[narrow·narrow, wide·wide]`: a filter times this is the mean of its shifts by `0..shifts` steps both ways.
fn spread(narrow: usize, wide: usize, shifts: usize, step: usize) -> Vec<f32> {
    let share = 1.0 / (shifts * shifts) as f32;
    let mut matrix = vec![0.0; (narrow * wide).pow(2)];
    for (row, matrix) in matrix.chunks_exact_mut(wide * wide).enumerate() {
        let (y, x) = (row / narrow, row % narrow);
        for (down, right) in (0..shifts).flat_map(|d| (0..shifts).map(move |r| (d, r))) {
            matrix[(y + step * down) * wide + x + step * right] += share;
        }
    }
    matrix
}
