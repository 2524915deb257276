//! The linear layer that is being built: a convolution with everything affine folded in.
//!
//! A dense layer is the convolution whose kernel covers its whole input.

use cryptodl_network::Shape;

use crate::{
    affine::Affine,
    linear::{Linear, Matrix, PADDING, Tile},
    matrices::Origin,
};

/// Mean over `kernel × kernel` windows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pool {
    /// Side of a window.
    pub kernel: usize,
    /// Step between windows.
    pub stride: usize,
}

impl Pool {
    pub fn output(self, input: Shape) -> Shape {
        let out = |size: usize| (size - self.kernel) / self.stride + 1;
        Shape {
            channels: input.channels,
            height: out(input.height),
            width: out(input.width),
        }
    }

    /// Whether a linear layer with this padding can do the pooling itself: padding of the pooled
    /// image must be whole windows of padding of the image itself.
    pub fn merges(self, input: Shape, padding: usize) -> bool {
        let covers = |size: usize| size.is_multiple_of(self.stride);
        padding == 0 || (self.kernel == self.stride && covers(input.height) && covers(input.width))
    }
}

/// A convolution with kernel `[rows, columns]` and square stride and padding.
#[derive(Clone)]
pub(crate) struct Stage {
    /// `[out, in, rows, columns]`.
    weight: Vec<f64>,
    bias: Vec<f64>,
    input: Shape,
    pub output: Shape,
    rows: usize,
    columns: usize,
    stride: usize,
    padding: usize,
    /// Whether it is a layer of the network, and not there to do what another left to do.
    pub is_trained: bool,
    /// What the rows were multiplied by.
    row_scale: Vec<f64>,
    /// What became of each place of the kernel as it was trained: `[places, rows · columns]`.
    spread: Vec<f64>,
}

impl Stage {
    fn new(
        weight: Vec<f64>,
        bias: Vec<f64>,
        (input, output): (Shape, Shape),
        (rows, columns): (usize, usize),
        (stride, padding): (usize, usize),
    ) -> Self {
        let places = rows * columns;
        Self {
            weight,
            input,
            output,
            rows,
            columns,
            stride,
            padding,
            is_trained: true,
            row_scale: vec![1.0; bias.len()],
            spread: (0..places * places)
                .map(|i| f64::from(u8::from(i / places == i % places)))
                .collect(),
            bias,
        }
    }

    pub fn convolution(
        weight: Vec<f64>,
        bias: Vec<f64>,
        input: Shape,
        output: Shape,
        stride: usize,
        padding: usize,
    ) -> Self {
        let kernel = (weight.len() / (output.channels * input.channels)).isqrt();
        let window = (kernel, kernel);
        Self::new(weight, bias, (input, output), window, (stride, padding))
    }

    pub fn dense(weight: Vec<f64>, bias: Vec<f64>, input: Shape, output: Shape) -> Self {
        let window = (input.height, input.width);
        Self::new(weight, bias, (input, output), window, (1, 0))
    }

    pub fn identity(shape: Shape) -> Self {
        let n = shape.channels;
        let weight = (0..n * n)
            .map(|i| if i / n == i % n { 1.0 } else { 0.0 })
            .collect();
        let stage = Self::new(weight, vec![0.0; n], (shape, shape), (1, 1), (1, 0));
        Self {
            is_trained: false,
            ..stage
        }
    }

    /// Appends a channel-wise affine map to the output.
    pub fn then(&mut self, next: &Affine) {
        let fan_in = self.weight.len() / self.bias.len();
        for (o, weights) in self.weight.chunks_mut(fan_in).enumerate() {
            for weight in weights {
                *weight *= next.scale[o];
            }
            self.bias[o] = next.scale[o] * self.bias[o] + next.shift[o];
            self.row_scale[o] *= next.scale[o];
        }
    }

    /// Appends a mean pooling to the output: the kernel grows by `(pool - 1) · stride`.
    pub fn then_pool(&mut self, pool: Pool, output: Shape) {
        self.spread(pool.kernel, self.stride);
        self.stride *= pool.stride;
        self.output = output;
    }

    /// Reads an image that is still to be pooled, of shape `input`.
    pub fn after_pool(&mut self, pool: Pool, input: Shape) {
        self.dilate(pool.stride);
        self.spread(pool.kernel, 1);
        self.stride *= pool.stride;
        self.padding *= pool.stride;
        self.input = input;
    }

    /// Replaces the kernel by the mean of its copies shifted by `0, step, …, (count - 1) · step`.
    fn spread(&mut self, count: usize, step: usize) {
        let share = 1.0 / (count * count) as f64;
        let grown = (
            self.rows + (count - 1) * step,
            self.columns + (count - 1) * step,
        );
        self.rebuild(grown, |old, new, columns, new_columns| {
            for (i, &w) in old.iter().enumerate() {
                let (y, x) = (i / columns, i % columns);
                for dy in 0..count {
                    for dx in 0..count {
                        new[(y + dy * step) * new_columns + x + dx * step] += w * share;
                    }
                }
            }
        });
    }

    /// Puts `step - 1` zeros between the rows and columns of the kernel.
    fn dilate(&mut self, step: usize) {
        let grown = ((self.rows - 1) * step + 1, (self.columns - 1) * step + 1);
        self.rebuild(grown, |old, new, columns, new_columns| {
            for (i, &w) in old.iter().enumerate() {
                new[(i / columns) * step * new_columns + (i % columns) * step] = w;
            }
        });
    }

    fn rebuild(
        &mut self,
        (rows, columns): (usize, usize),
        fill: impl Fn(&[f64], &mut [f64], usize, usize),
    ) {
        let area = self.rows * self.columns;
        let rebuilt = |planes: &[f64]| {
            let mut new = vec![0.0; planes.len() / area * rows * columns];
            let pairs = planes.chunks(area).zip(new.chunks_mut(rows * columns));
            for (old, new) in pairs {
                fill(old, new, self.columns, columns);
            }
            new
        };
        let (weight, spread) = (rebuilt(&self.weight), rebuilt(&self.spread));
        (self.weight, self.spread) = (weight, spread);
        (self.rows, self.columns) = (rows, columns);
    }

    /// The matrix of the finished layer, reading values `v` that stand for `affine(v)`.
    pub fn matrix(&self, affine: &Affine) -> Matrix<f64> {
        let window = self.rows * self.columns;
        let fan_in = self.input.channels * window;
        let weights = self.weight.iter().enumerate();
        let data = weights.map(|(i, w)| w * affine.scale[i % fan_in / window]);
        Matrix {
            rows: self.output.channels,
            columns: fan_in,
            data: data.collect(),
        }
    }

    /// How the matrix came from the filters as they were trained.
    pub fn origin(&self, affine: &Affine) -> Origin {
        Origin {
            row_scale: self.row_scale.clone(),
            column_scale: affine.scale.clone(),
            spread: self.spread.clone(),
            window: self.rows * self.columns,
        }
    }

    /// The finished layer, reading values `v` that stand for `affine(v)`.
    pub fn emit(&self, affine: &Affine) -> Linear<f64> {
        let window = self.rows * self.columns;
        let fan_in = self.input.channels * window;
        let channel = |column: usize| column / window;
        let positions = self.output.height * self.output.width;
        let mut bias = vec![0.0; self.output.len()];
        let mut tiles = Vec::with_capacity(positions);
        for position in 0..positions {
            let (oy, ox) = (position / self.output.width, position % self.output.width);
            let inputs = self.gather(oy, ox);
            let outputs: Vec<u32> = (0..self.output.channels)
                .map(|o| (o * positions + position) as u32)
                .collect();
            for (o, &output) in outputs.iter().enumerate() {
                let row = &self.weight[o * fan_in..(o + 1) * fan_in];
                // padding is zero after the affine map, so only taps inside the image shift
                let taps = row.iter().zip(&inputs).enumerate();
                let shift: f64 = taps
                    .filter(|(_, (_, input))| **input != PADDING)
                    .map(|(column, (w, _))| w * affine.shift[channel(column)])
                    .sum();
                bias[output as usize] = self.bias[o] + shift;
            }
            tiles.push(Tile {
                matrix: 0,
                inputs,
                outputs,
            });
        }
        Linear {
            matrices: vec![self.matrix(affine)],
            tiles,
            bias,
        }
    }

    /// The input value under each tap of the kernel at output position `(oy, ox)`.
    fn gather(&self, oy: usize, ox: usize) -> Vec<u32> {
        let mut inputs = Vec::with_capacity(self.input.channels * self.rows * self.columns);
        for c in 0..self.input.channels {
            for ky in 0..self.rows {
                for kx in 0..self.columns {
                    let y = (oy * self.stride + ky).checked_sub(self.padding);
                    let x = (ox * self.stride + kx).checked_sub(self.padding);
                    inputs.push(match (y, x) {
                        (Some(y), Some(x)) if y < self.input.height && x < self.input.width => {
                            ((c * self.input.height + y) * self.input.width + x) as u32
                        }
                        _ => PADDING,
                    });
                }
            }
        }
        inputs
    }
}
