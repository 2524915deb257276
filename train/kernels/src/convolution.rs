//! Convolutions `[in·h·w, n] → [out·h'·w', n]` and their gradients. A filter is a row `[in·k·k]`.
//!
//! - Outputs: for each position, the values in its window are gathered for as many images as a tile holds, and
//!   multiplied with all filters. The matrix of all patches never exists.
//! - Gradient of the input: for each place of the image, the gradients of the outputs that saw it are multiplied with
//!   the weights it was seen through. So each value is written once, and no two threads write the same.
//! - Gradient of the filters: each is a sum over positions and images. A few taps, which stay in the nearest cache, are
//!   multiplied with all outputs, for a group of positions at a time.

use crate::memory::zeros;
use crate::product::{
    self, DOT, FEW_DOT, FEW_ROWS, ROWS, Sizes, Sums, VECTORS, dot, load, many_registers, store,
    tile,
};
use crate::windows::Windows;
use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

/// Values of a tap that stay in the nearest cache together: 4 KiB of each.
const GROUP_VALUES: usize = 1024;

/// Outputs `[out·positions, batch]` of filters `[out, taps]` on values `[channels·inputs, batch]`.
pub fn forward(filters: &[f32], values: &[f32], batch: usize, windows: &Windows) -> Vec<f32> {
    let taps = windows.taps();
    let outputs = filters.len() / taps;
    assert_eq!(filters.len(), outputs * taps);
    assert_eq!(values.len(), windows.channels * windows.inputs * batch);
    let sizes = product::sizes();
    let packed = panels(outputs, taps, sizes.rows, |row, tap| {
        filters[row * taps + tap]
    });
    let mut result = zeros(outputs * windows.positions * batch);
    by_place(&mut result, windows.positions, batch)
        .into_par_iter()
        .enumerate()
        .for_each(|(position, rows)| {
            Arch::new().dispatch(Forward {
                packed: &packed,
                values,
                batch,
                windows,
                position,
                rows,
            });
        });
    result
}

/// Gradient of the values, for gradients `[out·positions, batch]` of the outputs.
pub fn input_gradient(
    filters: &[f32],
    gradients: &[f32],
    batch: usize,
    windows: &Windows,
) -> Vec<f32> {
    let Windows {
        channels,
        places,
        inputs,
        positions,
        ..
    } = *windows;
    let taps = windows.taps();
    let outputs = filters.len() / taps;
    assert_eq!(gradients.len(), outputs * positions * batch);
    let sizes = product::sizes();
    // For each few channels and each place of the window, the weights of all outputs.
    let packed = panels(channels, places * outputs, sizes.rows, |channel, column| {
        filters[column % outputs * taps + channel * places + column / outputs]
    });
    let blocked = blocked(gradients, outputs, positions, batch, sizes);
    let mut result = zeros(channels * inputs * batch);
    by_place(&mut result, inputs, batch)
        .into_par_iter()
        .enumerate()
        .for_each(|(input, rows)| {
            Arch::new().dispatch(InputGradient {
                packed: &packed,
                blocked: &blocked,
                outputs,
                batch,
                windows,
                input,
                rows,
            });
        });
    result
}

/// Gradient of the filters `[out, taps]`, for gradients `[out·positions, batch]` of the outputs.
pub fn filter_gradient(
    gradients: &[f32],
    values: &[f32],
    batch: usize,
    windows: &Windows,
) -> Vec<f32> {
    let taps = windows.taps();
    let outputs = gradients.len() / (windows.positions * batch);
    assert_eq!(values.len(), windows.channels * windows.inputs * batch);
    let nothing = vec![0.0; batch];
    // Some pieces a thread, so that an early one takes over from a late one; the results are the same however many.
    let together = product::sizes().taps;
    let pieces = 4 * rayon::current_num_threads();
    let piece = taps.div_ceil(pieces).next_multiple_of(together);
    let mut transposed = vec![0.0; taps * outputs];
    transposed
        .par_chunks_mut(piece * outputs)
        .enumerate()
        .for_each(|(index, sums)| {
            Arch::new().dispatch(FilterGradient {
                gradients,
                values,
                nothing: &nothing,
                outputs,
                batch,
                windows,
                first: index * piece,
                sums,
            });
        });
    let mut result = vec![0.0; taps * outputs];
    for (output, row) in result.chunks_exact_mut(taps).enumerate() {
        for (value, column) in row.iter_mut().zip(transposed.chunks_exact(outputs)) {
            *value = column[output];
        }
    }
    result
}

/// The rows `[channel, place, batch]` of each place.
fn by_place(values: &mut [f32], places: usize, batch: usize) -> Vec<Vec<&mut [f32]>> {
    let mut rows: Vec<Vec<&mut [f32]>> = (0..places).map(|_| Vec::new()).collect();
    for (index, row) in values.chunks_exact_mut(batch).enumerate() {
        rows[index % places].push(row);
    }
    rows
}

/// A matrix in panels of a few rows, each panel column by column; missing rows are 0.
fn panels(
    rows: usize,
    columns: usize,
    together: usize,
    value: impl Fn(usize, usize) -> f32,
) -> Vec<f32> {
    let mut packed = vec![0.0; rows.next_multiple_of(together) * columns];
    for (index, panel) in packed.chunks_exact_mut(together * columns).enumerate() {
        for (column, place) in panel.chunks_exact_mut(together).enumerate() {
            let present = together.min(rows - index * together);
            for (row, place) in place[..present].iter_mut().enumerate() {
                *place = value(index * together + row, column);
            }
        }
    }
    packed
}

/// `[out, position, batch]` as `[position, block of images, out, image]`; missing images are 0.
fn blocked(
    gradients: &[f32],
    outputs: usize,
    positions: usize,
    batch: usize,
    sizes: Sizes,
) -> Vec<f32> {
    let block = sizes.images;
    let mut result = vec![0.0; positions * outputs * batch.next_multiple_of(block)];
    let size = result.len() / positions;
    result
        .par_chunks_exact_mut(size)
        .enumerate()
        .for_each(|(position, result)| {
            for (index, panel) in result.chunks_exact_mut(outputs * block).enumerate() {
                let first = index * block;
                let present = block.min(batch - first);
                for (output, row) in panel.chunks_exact_mut(block).enumerate() {
                    let from = (output * positions + position) * batch + first;
                    row[..present].copy_from_slice(&gradients[from..from + present]);
                }
            }
        });
    result
}

/// Writes the sums of a tile to the rows, from image `first` on.
#[inline(always)]
fn write<S: Simd, const R: usize>(
    simd: S,
    sums: &Sums<S::f32s, R>,
    rows: &mut [&mut [f32]],
    first: usize,
) {
    for (row, sums) in rows.iter_mut().zip(sums) {
        store(simd, sums, &mut row[first..]);
    }
}

/// The outputs of one position.
struct Forward<'a, 'b> {
    packed: &'a [f32],
    values: &'a [f32],
    batch: usize,
    windows: &'a Windows,
    position: usize,
    rows: Vec<&'b mut [f32]>,
}

impl WithSimd for Forward<'_, '_> {
    type Output = ();
    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        if many_registers::<S>() {
            self.run::<S, ROWS>(simd);
        } else {
            self.run::<S, FEW_ROWS>(simd);
        }
    }
}

impl Forward<'_, '_> {
    #[inline(always)]
    fn run<S: Simd, const R: usize>(mut self, simd: S) {
        let block = VECTORS * S::F32_LANES;
        let taps = self.windows.taps();
        let sources: Vec<Option<usize>> = (0..taps)
            .map(|tap| Some(self.windows.row(tap, self.position)? * self.batch))
            .collect();
        // Padding stays 0.
        let mut patch = vec![[simd.splat_f32s(0.0); VECTORS]; taps];
        let (weights, _) = self.packed.as_chunks::<R>();
        for first in (0..self.batch).step_by(block) {
            for (vectors, source) in patch.iter_mut().zip(&sources) {
                if let Some(source) = source {
                    let row = &self.values[*source..source + self.batch];
                    *vectors = load(simd, &row[first..]);
                }
            }
            for (weights, rows) in weights.chunks_exact(taps).zip(self.rows.chunks_mut(R)) {
                let zero = [[simd.splat_f32s(0.0); VECTORS]; R];
                let sums = tile(simd, weights, &patch, zero);
                write(simd, &sums, rows, first);
            }
        }
    }
}

/// The gradients of one place of the image.
struct InputGradient<'a, 'b> {
    packed: &'a [f32],
    blocked: &'a [f32],
    outputs: usize,
    batch: usize,
    windows: &'a Windows,
    input: usize,
    rows: Vec<&'b mut [f32]>,
}

impl WithSimd for InputGradient<'_, '_> {
    type Output = ();
    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        if many_registers::<S>() {
            self.run::<S, ROWS>(simd);
        } else {
            self.run::<S, FEW_ROWS>(simd);
        }
    }
}

impl InputGradient<'_, '_> {
    #[inline(always)]
    fn run<S: Simd, const R: usize>(mut self, simd: S) {
        let block = VECTORS * S::F32_LANES;
        let blocks = self.batch.div_ceil(block);
        let outputs = self.outputs;
        let (weights, _) = self.packed.as_chunks::<R>();
        let gradients: &[[S::f32s; VECTORS]] = bytemuck::cast_slice(self.blocked);
        let readers: Vec<(usize, usize)> = self.windows.readers(self.input).collect();
        for index in 0..blocks {
            let panels = weights.chunks_exact(self.windows.places * outputs);
            for (weights, rows) in panels.zip(self.rows.chunks_mut(R)) {
                let mut sums = [[simd.splat_f32s(0.0); VECTORS]; R];
                for (place, position) in &readers {
                    let weights = &weights[place * outputs..][..outputs];
                    let gradients = &gradients[(position * blocks + index) * outputs..][..outputs];
                    sums = tile(simd, weights, gradients, sums);
                }
                write(simd, &sums, rows, index * block);
            }
        }
    }
}

/// The gradients of some taps of all filters.
struct FilterGradient<'a, 'b> {
    gradients: &'a [f32],
    values: &'a [f32],
    /// Zeros, as many as images.
    nothing: &'a [f32],
    outputs: usize,
    batch: usize,
    windows: &'a Windows,
    /// First of the taps.
    first: usize,
    /// `[tap, out]`.
    sums: &'b mut [f32],
}

impl WithSimd for FilterGradient<'_, '_> {
    type Output = ();
    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        if many_registers::<S>() {
            self.run::<S, { DOT[0] }, { DOT[1] }>(simd);
        } else {
            self.run::<S, { FEW_DOT[0] }, { FEW_DOT[1] }>(simd);
        }
    }
}

impl FilterGradient<'_, '_> {
    #[inline(always)]
    fn run<S: Simd, const O: usize, const T: usize>(self, simd: S) {
        let Self {
            outputs,
            batch,
            windows,
            ..
        } = self;
        let positions = windows.positions;
        let group = (GROUP_VALUES / batch).max(1);
        let mut taps_of_group: Vec<[&[f32]; T]> = Vec::with_capacity(group);
        let mut outputs_of_group: Vec<[&[f32]; O]> = Vec::with_capacity(group);
        for start in (0..positions).step_by(group) {
            let places = start..(start + group).min(positions);
            for (index, sums) in self.sums.chunks_mut(T * outputs).enumerate() {
                // Beyond the last tap it is computed again, and not kept.
                let last = self.first + index * T + sums.len() / outputs - 1;
                let tap = |t: usize| (self.first + index * T + t).min(last);
                taps_of_group.clear();
                taps_of_group.extend(places.clone().map(|position| {
                    std::array::from_fn(|t| match windows.row(tap(t), position) {
                        Some(row) => &self.values[row * batch..][..batch],
                        None => self.nothing,
                    })
                }));
                for output in (0..outputs).step_by(O) {
                    outputs_of_group.clear();
                    outputs_of_group.extend(places.clone().map(|position| {
                        std::array::from_fn(|o| {
                            let row = (output + o).min(outputs - 1) * positions + position;
                            &self.gradients[row * batch..][..batch]
                        })
                    }));
                    let lanes = dot(simd, &outputs_of_group, &taps_of_group, batch);
                    for (t, sums) in sums.chunks_exact_mut(outputs).enumerate() {
                        for (sum, lanes) in sums[output..].iter_mut().zip(&lanes) {
                            *sum += simd.reduce_sum_f32s(lanes[t]);
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
    use crate::samples::normals;
    use cryptodl_network::Shape;

    fn dot(a: &[f32], b: &[f32]) -> f64 {
        assert_eq!(a.len(), b.len());
        let products = a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b));
        products.sum()
    }

    /// The definition, one sum after the other.
    fn defined(filters: &[f32], values: &[f32], batch: usize, windows: &Windows) -> Vec<f64> {
        let (taps, positions) = (windows.taps(), windows.positions);
        let mut result = Vec::new();
        for filter in filters.chunks_exact(taps) {
            for position in 0..positions {
                for image in 0..batch {
                    let seen = filter.iter().enumerate().filter_map(|(tap, weight)| {
                        let row = windows.row(tap, position)?;
                        Some(f64::from(*weight) * f64::from(values[row * batch + image]))
                    });
                    result.push(seen.sum());
                }
            }
        }
        result
    }

    #[test]
    fn outputs_are_sums_over_windows_and_gradients_their_transposes() {
        // Padding, windows apart, numbers of images and of outputs that fill no vector and no tile.
        for (channels, outputs, side, kernel, stride, padding, batch) in [
            (3, 5, 6, 3, 1, 1, 37),
            (1, 9, 7, 4, 2, 0, 32),
            (19, 2, 5, 2, 1, 1, 3),
            (130, 17, 1, 1, 1, 0, 65),
        ] {
            let shape = |channels, side| Shape {
                channels,
                height: side,
                width: side,
            };
            let to = (side + 2 * padding - kernel) / stride + 1;
            let (input, output) = (shape(channels, side), shape(outputs, to));
            let windows = Windows::new(input, output, kernel, stride, padding);
            let filters = normals(outputs * windows.taps(), 1);
            let values = normals(input.len() * batch, 2);
            let gradients = normals(output.len() * batch, 3);
            let found = forward(&filters, &values, batch, &windows);
            let expected = defined(&filters, &values, batch, &windows);
            assert_eq!(found.len(), expected.len());
            for (found, expected) in found.iter().zip(expected) {
                // Up to 130 terms of size 1 in 32 bits.
                assert!(
                    (f64::from(*found) - expected).abs() < 1e-4,
                    "{found} {expected}"
                );
            }
            // The outputs are linear in filters and in values, so gradients are those of `Σ gradient · output`.
            let sum = dot(&gradients, &found);
            let of_values = input_gradient(&filters, &gradients, batch, &windows);
            let of_filters = filter_gradient(&gradients, &values, batch, &windows);
            let size = dot(&found, &found).sqrt() * dot(&gradients, &gradients).sqrt();
            for sum_again in [dot(&of_values, &values), dot(&of_filters, &filters)] {
                assert!((sum_again - sum).abs() < 1e-6 * size, "{sum_again} {sum}");
            }
        }
    }
}
