//! Convolutions and their gradients in mixed precision: values, filters and gradients are rounded to bf16 (8 bits of
//! mantissa, the exponents of 32-bit floats) before they are multiplied, products are exact, sums have 32 bits.
//!
//! 1. Values are rounded once, and kept so for the gradient of the filters.
//! 2. Outputs and the gradient of the input are the same product: at each place of the result, the weights of a few
//!    places in a window times what lies there. What is summed over (channels of the input, or outputs) is laid out in
//!    pairs, a block of images at a time, so that nothing is gathered: `[place, block, pair, image]`.
//! 3. Gradient of the filters: taps of a few positions are gathered, so that they stay in the nearest cache, and
//!    multiplied with all outputs, pairs of images at a time.
//!
//! A processor without AVX-512 BF16 multiplies the rounded numbers in 32 bits. Their products fit into 32-bit floats, so
//! results differ by the order of the sums only, as they do between processors in single precision.
//!
//! # References
//! - Kalamkar et al. (2019), *A study of BFLOAT16 for deep learning training*, arXiv 1905.12322.

use super::bfloat::{IMAGES, OUTPUTS, ROWS, Run, Sums, TAPS, Unit, rounded, widened};
use super::convolution;
use super::windows::Windows;
use rayon::prelude::*;

/// Pairs of a tile's values that stay in the nearest cache while all weights pass: 16 KiB.
const PAIRS: usize = 128;

/// Images of a place that a thread takes at once.
const SPAN: usize = 64;

/// Numbers of each output in a group of positions: 2 KiB of each.
const GROUP_NUMBERS: usize = 1024;

/// bf16 numbers that begin where a line of the cache does.
#[derive(Debug)]
pub(crate) struct Rounded(Aligned<u16>);

impl Rounded {
    /// Rounds values.
    pub(crate) fn of(values: &[f32]) -> Self {
        let mut halves = Aligned::zeros(values.len());
        let unit = Unit::detect();
        halves
            .as_mut()
            .par_chunks_mut(1 << 14)
            .zip(values.par_chunks(1 << 14))
            .for_each(|(halves, values)| match unit {
                Some(unit) => unit.round(values, halves),
                None => {
                    for (half, value) in halves.iter_mut().zip(values) {
                        *half = rounded(*value);
                    }
                }
            });
        Self(halves)
    }

    fn halves(&self) -> &[u16] {
        self.0.as_ref()
    }

    fn widened(&self) -> Vec<f32> {
        self.halves().iter().map(|half| widened(*half)).collect()
    }
}

/// Outputs `[out·positions, batch]` of filters `[out, taps]` on values `[channels·inputs, batch]`.
pub(crate) fn forward(
    filters: &[f32],
    values: &Rounded,
    batch: usize,
    windows: &Windows,
) -> Vec<f32> {
    let Some(unit) = Unit::detect() else {
        let filters = Rounded::of(filters).widened();
        return convolution::forward(&filters, &values.widened(), batch, windows);
    };
    let Windows {
        channels,
        places,
        inputs,
        positions,
        ..
    } = *windows;
    let taps = windows.taps();
    let outputs = filters.len() / taps;
    assert_eq!(filters.len(), outputs * taps);
    assert_eq!(values.halves().len(), channels * inputs * batch);
    let panels = panels(outputs, places, channels, |row, place, channel| {
        filters[row * taps + channel * places + place]
    });
    let values = paired(values.halves(), channels, inputs, batch);
    let product = Product {
        unit,
        panels: panels.as_ref(),
        values: values.as_ref(),
        places,
        pairs: channels.div_ceil(2),
        batch,
    };
    product.run(outputs, positions, |position, seen| {
        seen.extend((0..places).filter_map(|place| {
            let source = windows.source(place, position)?;
            Some((place, source))
        }));
    })
}

/// Gradient of the values, for gradients `[out·positions, batch]` of the outputs.
pub(crate) fn input_gradient(
    filters: &[f32],
    gradients: &Rounded,
    batch: usize,
    windows: &Windows,
) -> Vec<f32> {
    let Some(unit) = Unit::detect() else {
        let filters = Rounded::of(filters).widened();
        return convolution::input_gradient(&filters, &gradients.widened(), batch, windows);
    };
    let Windows {
        channels,
        places,
        inputs,
        positions,
        ..
    } = *windows;
    let taps = windows.taps();
    let outputs = filters.len() / taps;
    assert_eq!(gradients.halves().len(), outputs * positions * batch);
    let panels = panels(channels, places, outputs, |channel, place, output| {
        filters[output * taps + channel * places + place]
    });
    let gradients = paired(gradients.halves(), outputs, positions, batch);
    let product = Product {
        unit,
        panels: panels.as_ref(),
        values: gradients.as_ref(),
        places,
        pairs: outputs.div_ceil(2),
        batch,
    };
    product.run(channels, inputs, |input, seen| {
        seen.extend(windows.readers(input));
    })
}

/// Gradient of the filters `[out, taps]`, for gradients `[out·positions, batch]` of the outputs.
pub(crate) fn filter_gradient(
    gradients: &Rounded,
    values: &Rounded,
    batch: usize,
    windows: &Windows,
) -> Vec<f32> {
    let Some(unit) = Unit::detect() else {
        let (gradients, values) = (gradients.widened(), values.widened());
        return convolution::filter_gradient(&gradients, &values, batch, windows);
    };
    let (gradients, values) = (gradients.halves(), values.halves());
    let taps = windows.taps();
    let outputs = gradients.len() / (windows.positions * batch);
    assert_eq!(values.len(), windows.channels * windows.inputs * batch);
    // Some pieces a thread, so that an early one takes over from a late one; the results are the same however many.
    let pieces = 4 * rayon::current_num_threads();
    let piece = taps.div_ceil(pieces).next_multiple_of(TAPS);
    let mut transposed = vec![0.0; taps * outputs];
    transposed
        .par_chunks_mut(piece * outputs)
        .enumerate()
        .for_each(|(index, sums)| {
            let gradient = FilterGradient {
                unit,
                gradients,
                values,
                outputs,
                batch,
                windows,
            };
            gradient.run(index * piece, sums);
        });
    let mut result = vec![0.0; taps * outputs];
    for (output, row) in result.chunks_exact_mut(taps).enumerate() {
        for (value, column) in row.iter_mut().zip(transposed.chunks_exact(outputs)) {
            *value = column[output];
        }
    }
    result
}

/// Numbers that begin where a line of the cache does: vectors then never lie across two of them.
#[derive(Debug)]
struct Aligned<T> {
    buffer: Vec<T>,
    start: usize,
    length: usize,
}

impl<T: Copy + Default> Aligned<T> {
    fn zeros(length: usize) -> Self {
        const LINE: usize = 64;
        let buffer = vec![T::default(); length + LINE / size_of::<T>()];
        let start = buffer.as_ptr().align_offset(LINE);
        Self {
            buffer,
            start,
            length,
        }
    }

    fn as_mut(&mut self) -> &mut [T] {
        &mut self.buffer[self.start..self.start + self.length]
    }

    fn as_ref(&self) -> &[T] {
        &self.buffer[self.start..self.start + self.length]
    }
}

fn pair(first: u16, second: u16) -> u32 {
    u32::from(first) | u32::from(second) << 16
}

/// Weights `[row, place, inner]` in pairs of the innermost, as `[panel, place, pair, row of the panel]`; what is missing
/// is 0.
fn panels(
    rows: usize,
    places: usize,
    inner: usize,
    value: impl Fn(usize, usize, usize) -> f32 + Sync,
) -> Aligned<u32> {
    let size = places * inner.div_ceil(2) * ROWS;
    let mut panels = Aligned::zeros(rows.div_ceil(ROWS) * size);
    let panel = |(index, panel): (usize, &mut [u32])| {
        let first = index * ROWS;
        for row in first..rows.min(first + ROWS) {
            for place in 0..places {
                let pairs = panel[place * inner.div_ceil(2) * ROWS..].iter_mut();
                let pairs = pairs.skip(row - first).step_by(ROWS);
                for (pair_of, k) in pairs.zip((0..inner).step_by(2)) {
                    let second = if k + 1 < inner {
                        rounded(value(row, place, k + 1))
                    } else {
                        0
                    };
                    *pair_of = pair(rounded(value(row, place, k)), second);
                }
            }
        }
    };
    let whole = panels.as_mut();
    whole.par_chunks_exact_mut(size).enumerate().for_each(panel);
    panels
}

/// `[inner, place, batch]` in pairs of the outermost, as `[place, block, pair, image of the block]`; what is missing is 0.
fn paired(halves: &[u16], inner: usize, places: usize, batch: usize) -> Aligned<u32> {
    let pairs = inner.div_ceil(2);
    let mut result = Aligned::zeros(places * pairs * batch.next_multiple_of(IMAGES));
    let size = pairs * batch.next_multiple_of(IMAGES);
    let place = |(place, result): (usize, &mut [u32])| {
        for index in 0..pairs {
            let row = |k: usize| &halves[(k * places + place) * batch..][..batch];
            let first = row(2 * index);
            let second = (2 * index + 1 < inner).then(|| row(2 * index + 1));
            for (block, start) in (0..batch).step_by(IMAGES).enumerate() {
                let end = batch.min(start + IMAGES);
                let result = &mut result[(block * pairs + index) * IMAGES..][..IMAGES];
                if let Some(second) = second {
                    let both = first[start..end].iter().zip(&second[start..end]);
                    for (result, (first, second)) in result.iter_mut().zip(both) {
                        *result = pair(*first, *second);
                    }
                } else {
                    for (result, first) in result.iter_mut().zip(&first[start..end]) {
                        *result = pair(*first, 0);
                    }
                }
            }
        }
    };
    let whole = result.as_mut();
    whole.par_chunks_exact_mut(size).enumerate().for_each(place);
    result
}

/// Weights of places in windows, times what lies there.
struct Product<'a> {
    unit: Unit,
    /// `[panel, place, pair, row of the panel]`.
    panels: &'a [u32],
    /// `[source, block, pair, image of the block]`.
    values: &'a [u32],
    places: usize,
    pairs: usize,
    batch: usize,
}

impl Product<'_> {
    /// `[row, target, batch]`; `seen` lists the place in the window and the source of all that a target sums over.
    fn run(
        &self,
        rows: usize,
        targets: usize,
        seen: impl Fn(usize, &mut Vec<(usize, usize)>) + Sync,
    ) -> Vec<f32> {
        let mut result = vec![0.0; rows * targets * self.batch];
        let spans = self.batch.div_ceil(SPAN);
        let mut tasks: Vec<Vec<&mut [f32]>> = Vec::new();
        tasks.resize_with(targets * spans, || Vec::with_capacity(rows));
        for (index, row) in result.chunks_exact_mut(self.batch).enumerate() {
            for (span, images) in row.chunks_mut(SPAN).enumerate() {
                tasks[index % targets * spans + span].push(images);
            }
        }
        tasks.into_par_iter().enumerate().for_each_init(
            || vec![Sums::default(); rows.div_ceil(ROWS)],
            |sums, (index, mut rows)| {
                let mut sources = Vec::new();
                seen(index / spans, &mut sources);
                let first = index % spans * SPAN;
                for start in (0..rows[0].len()).step_by(IMAGES) {
                    self.block(&sources, (first + start) / IMAGES, sums);
                    let end = rows[0].len().min(start + IMAGES);
                    for (row, sums) in rows.iter_mut().zip(sums.as_flattened()) {
                        row[start..end].copy_from_slice(&sums[..end - start]);
                    }
                }
            },
        );
        result
    }

    /// The sums of all rows for one block of images.
    fn block(&self, sources: &[(usize, usize)], block: usize, sums: &mut [Sums]) {
        let Self { places, pairs, .. } = *self;
        let blocks = self.batch.div_ceil(IMAGES);
        let (panels, _) = self.panels.as_chunks::<ROWS>();
        let (values, _) = self.values.as_chunks::<IMAGES>();
        sums.fill(Sums::default());
        // As many runs together as the nearest cache holds.
        let most = pairs.min(PAIRS);
        let runs: Vec<Run> = sources
            .iter()
            .flat_map(|(place, source)| {
                (0..pairs).step_by(most).map(move |first| Run {
                    weights: place * pairs + first,
                    values: (source * blocks + block) * pairs + first,
                    length: most.min(pairs - first),
                })
            })
            .collect();
        for runs in runs.chunks(PAIRS / most) {
            for (panel, sums) in panels.chunks_exact(places * pairs).zip(&mut *sums) {
                self.unit.tile(panel, values, runs, sums);
            }
        }
    }
}

/// The gradients of some taps of all filters.
struct FilterGradient<'a> {
    unit: Unit,
    gradients: &'a [u16],
    values: &'a [u16],
    outputs: usize,
    batch: usize,
    windows: &'a Windows,
}

impl FilterGradient<'_> {
    /// Sums `[tap, out]`, from the tap `first` on.
    fn run(&self, first: usize, sums: &mut [f32]) {
        let Self {
            outputs,
            batch,
            windows,
            ..
        } = *self;
        let positions = windows.positions;
        let group = (GROUP_NUMBERS / batch).max(1);
        let mut gathered = Aligned::zeros(TAPS * group * batch);
        for start in (0..positions).step_by(group) {
            let places = start..(start + group).min(positions);
            let length = places.len() * batch;
            for (index, sums) in sums.chunks_mut(TAPS * outputs).enumerate() {
                // Beyond the last tap it is computed again, and not kept.
                let last = first + index * TAPS + sums.len() / outputs - 1;
                for (t, row) in gathered
                    .as_mut()
                    .chunks_exact_mut(group * batch)
                    .enumerate()
                {
                    let tap = (first + index * TAPS + t).min(last);
                    for (position, numbers) in places.clone().zip(row.chunks_exact_mut(batch)) {
                        match windows.row(tap, position) {
                            Some(row) => {
                                numbers.copy_from_slice(&self.values[row * batch..][..batch]);
                            }
                            None => numbers.fill(0),
                        }
                    }
                }
                let taps =
                    std::array::from_fn(|t| &gathered.as_ref()[t * group * batch..][..length]);
                for output in (0..outputs).step_by(OUTPUTS) {
                    let rows = std::array::from_fn(|o| {
                        let row = (output + o).min(outputs - 1) * positions + start;
                        &self.gradients[row * batch..][..length]
                    });
                    let found = self.unit.dot(rows, taps);
                    for (sums, found) in sums.chunks_exact_mut(outputs).zip(&found) {
                        for (sum, found) in sums[output..].iter_mut().zip(found) {
                            *sum += found;
                        }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;
    use cryptodl_network::Shape;

    fn values(count: usize, seed: u64) -> Vec<f32> {
        let mut random = Random::at([seed]);
        (0..count).map(|_| random.normal() as f32).collect()
    }

    /// Products of rounded numbers are exact in 32 bits; some thousand terms are summed in another order.
    fn agree(found: &[f32], expected: &[f32], what: &str) {
        assert_eq!(found.len(), expected.len(), "{what}");
        let largest = expected.iter().fold(1.0_f32, |most, x| most.max(x.abs()));
        for (a, b) in found.iter().zip(expected) {
            assert!((a - b).abs() <= 1e-5 * largest, "{what}: {a} {b}");
        }
    }

    #[test]
    fn results_are_those_of_rounded_numbers_in_single_precision() {
        // Odd and even numbers of channels and outputs, one or many blocks of images, padding, windows apart, and sums
        // that are longer than what stays in the nearest cache.
        for (channels, outputs, side, kernel, stride, padding, batch) in [
            (3, 5, 6, 3, 1, 1, 37),
            (1, 9, 7, 4, 2, 0, 32),
            (4, 16, 5, 2, 1, 1, 200),
            (259, 11, 3, 3, 1, 1, 3),
            (7, 261, 2, 1, 1, 0, 66),
        ] {
            let shape = |channels, side| Shape {
                channels,
                height: side,
                width: side,
            };
            let positions = (side + 2 * padding - kernel) / stride + 1;
            let windows = Windows::new(
                shape(channels, side),
                shape(outputs, positions),
                kernel,
                stride,
                padding,
            );
            let filters = values(outputs * windows.taps(), 1);
            let input = Rounded::of(&values(channels * side * side * batch, 2));
            let gradient = Rounded::of(&values(outputs * positions * positions * batch, 3));
            let exact = Rounded::of(&filters).widened();
            let (wide_input, wide_gradient) = (input.widened(), gradient.widened());
            let what = format!("{channels} {outputs} {kernel} {batch}");
            agree(
                &forward(&filters, &input, batch, &windows),
                &convolution::forward(&exact, &wide_input, batch, &windows),
                &format!("outputs, {what}"),
            );
            agree(
                &input_gradient(&filters, &gradient, batch, &windows),
                &convolution::input_gradient(&exact, &wide_gradient, batch, &windows),
                &format!("gradient of the input, {what}"),
            );
            agree(
                &filter_gradient(&gradient, &input, batch, &windows),
                &convolution::filter_gradient(&wide_gradient, &wide_input, batch, &windows),
                &format!("gradient of the filters, {what}"),
            );
        }
    }
}
