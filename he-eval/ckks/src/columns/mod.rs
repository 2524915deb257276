//! Plaintext-weight layers and squares, run together on a few columns of residues at a time.
//!
//! With one feature a ciphertext, a linear layer acts on every column of residues (one position of
//! the transform, modulo one prime) alone, and so does a square, as long as its three components are kept.
//! A run of such steps therefore goes through the layers block by block of columns, in cache, and only
//! its results are written to memory.
//!
//! A linear layer modulo q is computed in bytes:
//! 1. Every residue is split into its bytes, each byte position a *plane*.
//! 2. For each plane the product of the 8-bit weights with the bytes is exact in 32 bits.
//! 3. The sums of the planes are put together, `Σ_p 2^(8p) sum_p + bias`, and reduced modulo q.
//!
//! Weights of more than eight bits are split into two signed bytes; sums of equal weight meet in one.

mod bare;
mod kernel;
mod layer;
mod operands;
mod portable;
#[cfg(target_arch = "x86_64")]
mod x86;

use std::time::Instant;

pub use bare::bare_rate;
pub use kernel::Kernel;
pub use layer::{Layer, Matrix, PADDING, Tile};

use crate::modulus::Modulus;
use layer::CHUNK;

/// Columns in a block.
pub const BLOCK: usize = 32;

/// The residues of one value in one block.
pub(crate) type Row = [u64; BLOCK];

/// Most planes that residues split into, and that sums have with weights of two bytes.
const MAX_PLANES: usize = 8;

/// One step of a run.
#[derive(Clone, Copy)]
pub(crate) enum ColumnStep<'a> {
    /// A linear layer, and its biases modulo the prime.
    Linear { layer: &'a Layer, bias: &'a [u64] },
    /// Two components become three. Before, a shift modulo the prime is added to each value; none if there are none.
    Square { shifts: &'a [u64] },
}

/// Seconds of each kind of step, summed over threads.
#[derive(Clone, Copy, Debug, Default)]
pub struct Times {
    /// Linear layers, by index among the steps.
    pub linear: [f64; 2],
    /// Squares.
    pub square: f64,
}

/// Buffers of one thread.
#[derive(Default)]
pub(crate) struct Scratch {
    /// Results of a step, `[value · components + component]`.
    words: [Vec<Row>; 2],
    /// Bytes of the values of one component, `[value]`.
    planes: Vec<Planes>,
    /// Interleaved bytes, `[quad][plane]`.
    quads: Vec<Quad>,
    /// Copies of quads that do not lie together, for one chunk.
    panel: Vec<Quad>,
    /// Sums of products, `[row][plane]`.
    sums: Vec<Sums>,
}

/// The bytes of one value in one block, plane by plane, columns in the order that [`Quad`]s need.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
pub(crate) struct Planes([[u8; BLOCK]; MAX_PLANES]);

/// One plane of four values: column by column, the byte of each.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
pub(crate) struct Quad([[u8; 4]; BLOCK]);

/// Sums of products of one row and plane.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
pub(crate) struct Sums([i32; BLOCK]);

impl Planes {
    const ZERO: Self = Self([[0; BLOCK]; MAX_PLANES]);
}

impl Quad {
    const ZERO: Self = Self([[0; 4]; BLOCK]);
}

impl Sums {
    const ZERO: Self = Self([0; BLOCK]);
}

/// Where the values of a step are read.
#[derive(Clone, Copy)]
enum Source<'a> {
    Slices(&'a [&'a Row]),
    Rows(&'a [Row]),
}

impl<'a> Source<'a> {
    fn row(self, index: usize) -> &'a Row {
        match self {
            Self::Slices(rows) => rows[index],
            Self::Rows(rows) => &rows[index],
        }
    }

    /// One component of the square of a value of two components, plus its shift.
    fn square(
        self,
        (kernel, m): (Kernel, &Modulus),
        shifts: &[u64],
        value: usize,
        component: usize,
        to: &mut Row,
    ) {
        let mut shifted = [0; BLOCK];
        let mut first = self.row(2 * value);
        if let Some(&shift) = shifts.get(value) {
            // a constant is itself in every slot of the transform
            for (to, x) in shifted.iter_mut().zip(first) {
                *to = m.add(*x, shift);
            }
            first = &shifted;
        }
        let second = self.row(2 * value + 1);
        let (a, b) = match component {
            0 => (first, first),
            1 => (first, second),
            _ => (second, second),
        };
        kernel.multiply(m, a, b, component == 1, to);
    }
}

/// Runs `steps` on one block.
///
/// `inputs[value · components + component]` are reduced residues; so are the results, `[value][component]`, as many
/// as the last step makes.
pub(crate) fn evaluate(
    kernel: Kernel,
    m: &Modulus,
    steps: &[ColumnStep<'_>],
    inputs: &[&Row],
    output: &mut [Row],
    scratch: &mut Scratch,
    times: &mut Times,
) {
    let Scratch {
        words: [from, to],
        planes,
        quads,
        panel,
        sums,
    } = scratch;
    let mut work = Work {
        kernel,
        m,
        planes,
        quads,
        panel,
        sums,
    };
    let mut components = 2;
    let mut squared = None;
    let mut linear = 0;
    for (index, step) in steps.iter().enumerate() {
        let start = Instant::now();
        let last = index + 1 == steps.len();
        let source = if linear == 0 {
            Source::Slices(inputs)
        } else {
            Source::Rows(from)
        };
        match step {
            ColumnStep::Square { shifts } => {
                // a linear layer that follows squares what it reads
                squared = Some(*shifts);
                components = 3;
                if last {
                    for (value, out) in output.chunks_mut(3).enumerate() {
                        for (component, out) in out.iter_mut().enumerate() {
                            source.square((kernel, m), shifts, value, component, out);
                        }
                    }
                }
                times.square += start.elapsed().as_secs_f64();
            }
            ColumnStep::Linear { layer, bias } => {
                let target = if last {
                    &mut *output
                } else {
                    to.resize(layer.outputs * components, [0; BLOCK]);
                    to.as_mut_slice()
                };
                let mut squaring = 0.0;
                for component in 0..components {
                    squaring += work.spread(layer, source, components, component, squared);
                    work.linear(layer, components, component, bias, target);
                }
                squared = None;
                times.square += squaring;
                times.linear[linear.min(1)] += start.elapsed().as_secs_f64() - squaring;
                linear += 1;
                if !last {
                    std::mem::swap(from, to);
                }
            }
        }
    }
}

struct Work<'a> {
    kernel: Kernel,
    m: &'a Modulus,
    planes: &'a mut Vec<Planes>,
    quads: &'a mut Vec<Quad>,
    panel: &'a mut Vec<Quad>,
    sums: &'a mut Vec<Sums>,
}

impl Work<'_> {
    /// Bytes of a residue.
    fn planes(&self) -> usize {
        self.m.bits().div_ceil(8) as usize
    }

    /// Steps 1 and half of 2 for one component: bytes of all values, interleaved. Returns the seconds that
    /// squaring took, if the values are to be squared first, with their shifts.
    fn spread(
        &mut self,
        layer: &Layer,
        source: Source<'_>,
        components: usize,
        component: usize,
        squared: Option<&[u64]>,
    ) -> f64 {
        let count = self.planes();
        self.planes.resize(layer.inputs.max(4), Planes::ZERO);
        // room for a chunk behind the last quad
        self.quads
            .resize((layer.quads.len() + CHUNK) * count, Quad::ZERO);
        let mut square = [0; BLOCK];
        let mut seconds = 0.0;
        if let Some(shifts) = squared {
            let start = Instant::now();
            for (value, planes) in self.planes[..layer.inputs].iter_mut().enumerate() {
                source.square((self.kernel, self.m), shifts, value, component, &mut square);
                self.kernel.split(&square, planes);
            }
            seconds = start.elapsed().as_secs_f64();
        } else {
            for (value, planes) in self.planes[..layer.inputs].iter_mut().enumerate() {
                self.kernel
                    .split(source.row(value * components + component), planes);
            }
        }
        for (quad, to) in layer.quads.iter().zip(self.quads.chunks_mut(count)) {
            let of = |input: u32| match input {
                PADDING => &Planes::ZERO,
                input => &self.planes[input as usize],
            };
            self.kernel.interleave(quad.map(of), to);
        }
        seconds
    }

    /// Steps 2 and 3 for one component.
    fn linear(
        &mut self,
        layer: &Layer,
        components: usize,
        component: usize,
        bias: &[u64],
        output: &mut [Row],
    ) {
        let planes = self.planes();
        let sums = planes + layer.digits() - 1;
        for gather in &layer.tiles {
            let matrix = &layer.matrices[gather.matrix];
            let rows = matrix.rows.next_multiple_of(layer::ROWS);
            self.sums
                .resize((rows * sums).max(self.sums.len()), Sums::ZERO);
            self.kernel.product(
                matrix,
                gather,
                planes,
                sums,
                self.quads,
                self.panel,
                &mut self.sums[..rows * sums],
            );
            for (&out, sums) in gather.outputs.iter().zip(self.sums.chunks(sums)) {
                let bias = if component == 0 {
                    bias[out as usize]
                } else {
                    0
                };
                let to = &mut output[out as usize * components + component];
                self.kernel.combine(self.m, layer.sum_bits, sums, bias, to);
            }
        }
    }
}

#[cfg(test)]
mod tests;
