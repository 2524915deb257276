//! Gradients of filters: sums over positions and images.
//!
//! With vectors, taps of a few positions are gathered, so that they stay in the nearest cache, and multiplied with all
//! outputs, pairs of images at a time. With matrix registers it is a [`Product`]: outputs are its rows, positions its
//! places, images what is summed over, and the channels at one place of the window its columns.

use super::aligned::Aligned;
use super::product::{COLUMNS, Kernel, Product, pair};
use crate::amx;
use crate::bfloat::{OUTPUTS, TAPS, Unit};
use crate::windows::Windows;
use rayon::prelude::*;

/// Numbers of each output in a group of positions, with vectors: 2 KiB, so that taps stay in the nearest cache.
const GROUP_NUMBERS: usize = 1024;

/// Numbers of all outputs in a group of positions, with matrix registers: 512 KiB stay in the second cache while all
/// taps pass.
const ALL_NUMBERS: usize = 1 << 18;

/// Gradient of the filters `[out, taps]`, for gradients `[out·positions, batch]` of the outputs and values
/// `[channels·inputs, batch]`.
pub(super) fn gradient(
    kernel: Kernel,
    gradients: &[u16],
    values: &[u16],
    batch: usize,
    windows: &Windows,
) -> Vec<f32> {
    let outputs = gradients.len() / (windows.positions * batch);
    assert_eq!(values.len(), windows.channels * windows.inputs * batch);
    match kernel {
        Kernel::Vectors(unit) => {
            let gradient = ByVectors {
                unit,
                gradients,
                values,
                outputs,
                batch,
                windows,
            };
            gradient.all()
        }
        Kernel::Matrices(_) => {
            let panels = panels(gradients, outputs, windows.positions, batch);
            let values = transposed(values, windows.channels, windows.inputs, batch);
            let product = Product {
                kernel,
                panels: panels.as_ref(),
                values: values.as_ref(),
                places: windows.positions,
                steps: kernel.steps(batch),
                columns: windows.channels,
            };
            let group = (ALL_NUMBERS / (outputs * batch)).max(1);
            by_matrices(&product, outputs, group, windows)
        }
    }
}

/// One group of positions after the other, so that the gradients of a group stay in the second cache.
fn by_matrices(product: &Product, outputs: usize, group: usize, windows: &Windows) -> Vec<f32> {
    let Windows {
        channels,
        places,
        positions,
        ..
    } = *windows;
    let blocks = channels.div_ceil(COLUMNS);
    // `[block, place]`, so that neighbours share what they multiply.
    let mut targets: Vec<_> = (0..blocks * places)
        .map(|_| product.sums(outputs))
        .collect();
    let piece = targets.len().div_ceil(4 * rayon::current_num_threads());
    targets
        .par_chunks_mut(piece)
        .enumerate()
        .for_each(|(index, targets)| {
            let mut sources = Vec::new();
            for start in (0..positions).step_by(group) {
                for (target, sums) in (index * piece..).zip(&mut *targets) {
                    let place = target % places;
                    let group = start..positions.min(start + group);
                    sources.clear();
                    sources.extend(group.filter_map(|position| {
                        let source = windows.source(place, position)?;
                        Some((position, source))
                    }));
                    product.add(&sources, target / places, sums.as_mut().as_chunks_mut().0);
                }
            }
        });
    let taps = windows.taps();
    let mut result = vec![0.0; outputs * taps];
    for (target, sums) in targets.iter().enumerate() {
        let (block, place) = (target / places, target % places);
        let first = block * COLUMNS;
        let sums = sums.as_ref().as_chunks::<COLUMNS>().0;
        for (row, sums) in result.chunks_exact_mut(taps).zip(sums) {
            let filters = row[first * places..].chunks_exact_mut(places);
            for (filter, sum) in filters.zip(sums) {
                filter[place] = *sum;
            }
        }
    }
    result
}

/// Gradients `[out, position, batch]` as panels, in pairs of images.
fn panels(gradients: &[u16], outputs: usize, positions: usize, batch: usize) -> Aligned<u32> {
    let steps = batch.div_ceil(2 * amx::PAIRS);
    let size = positions * steps * amx::ROWS * amx::PAIRS;
    let mut panels = Aligned::zeros(outputs.div_ceil(amx::ROWS) * size);
    let slabs = panels
        .as_mut()
        .as_chunks_mut::<{ amx::ROWS * amx::PAIRS }>()
        .0;
    slabs
        .par_chunks_exact_mut(steps)
        .enumerate()
        .for_each(|(index, slabs)| {
            let (panel, position) = (index / positions, index % positions);
            let first = panel * amx::ROWS;
            for output in first..outputs.min(first + amx::ROWS) {
                let row = &gradients[(output * positions + position) * batch..][..batch];
                for (slab, numbers) in slabs.iter_mut().zip(row.chunks(2 * amx::PAIRS)) {
                    copy_pairs(&mut slab[(output - first) * amx::PAIRS..], numbers);
                }
            }
        });
    panels
}

/// Values `[channel, source, batch]` as `[source, block of channels, step, pair of images, channel]`.
fn transposed(values: &[u16], channels: usize, inputs: usize, batch: usize) -> Aligned<u32> {
    let steps = batch.div_ceil(2 * amx::PAIRS);
    let blocks = channels.div_ceil(COLUMNS);
    let size = steps * amx::PAIRS * COLUMNS;
    let mut result = Aligned::zeros(inputs * blocks * size);
    let block = |(index, result): (usize, &mut [u32])| {
        let (source, first) = (index / blocks, index % blocks * COLUMNS);
        for (step, slab) in result.chunks_exact_mut(amx::PAIRS * COLUMNS).enumerate() {
            let images = step * 2 * amx::PAIRS..batch.min((step + 1) * 2 * amx::PAIRS);
            let mut rows = [[0; amx::PAIRS]; COLUMNS];
            for (channel, row) in (first..channels).zip(&mut rows) {
                let numbers = &values[(channel * inputs + source) * batch..][images.clone()];
                copy_pairs(row, numbers);
            }
            for (pair, columns) in slab.as_chunks_mut::<COLUMNS>().0.iter_mut().enumerate() {
                *columns = std::array::from_fn(|channel| rows[channel][pair]);
            }
        }
    };
    let whole = result.as_mut();
    whole.par_chunks_exact_mut(size).enumerate().for_each(block);
    result
}

/// Numbers as pairs; behind an odd number of them stands 0.
fn copy_pairs(pairs: &mut [u32], numbers: &[u16]) {
    let (whole, rest) = numbers.as_chunks::<2>();
    for (pair_of, [first, second]) in pairs.iter_mut().zip(whole) {
        *pair_of = pair(*first, *second);
    }
    if let [last] = rest {
        pairs[whole.len()] = pair(*last, 0);
    }
}

/// The gradients of filters by vectors.
struct ByVectors<'a> {
    unit: Unit,
    gradients: &'a [u16],
    values: &'a [u16],
    outputs: usize,
    batch: usize,
    windows: &'a Windows,
}

impl ByVectors<'_> {
    /// `[out, taps]`.
    fn all(&self) -> Vec<f32> {
        let (outputs, taps) = (self.outputs, self.windows.taps());
        // Some pieces a thread, so that an early one takes over from a late one; the results are the same however many.
        let pieces = 4 * rayon::current_num_threads();
        let piece = taps.div_ceil(pieces).next_multiple_of(TAPS);
        let mut transposed = vec![0.0; taps * outputs];
        transposed
            .par_chunks_mut(piece * outputs)
            .enumerate()
            .for_each(|(index, sums)| self.some(index * piece, sums));
        let mut result = vec![0.0; taps * outputs];
        for (output, row) in result.chunks_exact_mut(taps).enumerate() {
            for (value, column) in row.iter_mut().zip(transposed.chunks_exact(outputs)) {
                *value = column[output];
            }
        }
        result
    }

    /// Sums `[tap, out]`, from the tap `first` on.
    fn some(&self, first: usize, sums: &mut [f32]) {
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
