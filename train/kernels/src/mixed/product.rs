//! Sums over the places of a window, of weights times what lies there.
//!
//! What is summed over at a place is laid out in pairs, and the pairs in steps of as many as the processor multiplies at
//! once: weights `[panel, place, step, row of the panel, pair of the step]`, values
//! `[source, block, step, pair of the step, column of the block]`. What is missing in either is 0.

use super::aligned::Aligned;
use crate::amx;
use crate::bfloat::{self, IMAGES, Run, rounded};
use crate::memory::zeros;
use rayon::prelude::*;

/// Columns of a block: images, where outputs or gradients of inputs are computed.
pub(super) const COLUMNS: usize = IMAGES;

/// Images of a place that a thread takes at once.
const SPAN: usize = 64;

/// What multiplies.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kernel {
    Vectors(bfloat::Unit),
    Matrices(amx::Unit),
}

impl Kernel {
    /// The fastest there is for sums over so many pairs at a place; none without AVX-512 BF16 or AMX.
    pub(super) fn of(pairs: usize) -> Option<Self> {
        match amx::Unit::detect() {
            // With fewer, most of a step would be zeros.
            Some(unit) if pairs >= amx::PAIRS / 2 => Some(Self::Matrices(unit)),
            _ => bfloat::Unit::detect().map(Self::Vectors),
        }
    }

    /// All that this processor has.
    #[cfg(test)]
    pub(super) fn all() -> impl Iterator<Item = Self> {
        let vectors = bfloat::Unit::detect().map(Self::Vectors);
        let matrices = amx::Unit::detect().map(Self::Matrices);
        vectors.into_iter().chain(matrices)
    }

    /// Rows of a panel.
    fn rows(self) -> usize {
        match self {
            Self::Vectors(_) => bfloat::ROWS,
            Self::Matrices(_) => amx::ROWS,
        }
    }

    /// Pairs of a step.
    fn pairs(self) -> usize {
        match self {
            Self::Vectors(_) => 1,
            Self::Matrices(_) => amx::PAIRS,
        }
    }

    /// Steps of a block's values that stay in the nearest cache while all weights pass: 16 KiB for vectors; 32 KiB for
    /// matrix registers, whose processors have a cache of 48.
    fn near(self) -> usize {
        match self {
            Self::Vectors(_) => 128,
            Self::Matrices(_) => 16,
        }
    }

    /// Steps that hold so many numbers at a place.
    pub(super) fn steps(self, numbers: usize) -> usize {
        numbers.div_ceil(2 * self.pairs())
    }

    /// Adds the products of a panel; `sums` are as many as its rows.
    fn tile(self, panel: &[u32], values: &[u32], runs: &[Run], sums: &mut [[f32; COLUMNS]]) {
        const EXACT: &str = "a panel has so many rows";
        match self {
            Self::Vectors(unit) => unit.tile(
                panel.as_chunks().0,
                values.as_chunks().0,
                runs,
                sums.try_into().expect(EXACT),
            ),
            Self::Matrices(unit) => unit.tile(
                panel.as_chunks().0,
                values.as_chunks().0,
                runs,
                sums.try_into().expect(EXACT),
            ),
        }
    }
}

pub(super) fn pair(first: u16, second: u16) -> u32 {
    u32::from(first) | u32::from(second) << 16
}

/// Weights `[row, place, inner]` as panels, in pairs of the innermost.
pub(super) fn panels(
    kernel: Kernel,
    rows: usize,
    places: usize,
    inner: usize,
    value: impl Fn(usize, usize, usize) -> f32 + Sync,
) -> Aligned<u32> {
    let (height, pairs) = (kernel.rows(), kernel.pairs());
    let step = height * pairs;
    let size = places * kernel.steps(inner) * step;
    let mut panels = Aligned::zeros(rows.div_ceil(height) * size);
    let panel = |(index, panel): (usize, &mut [u32])| {
        let first = index * height;
        let places = panel.chunks_exact_mut(kernel.steps(inner) * step);
        for (place, panel) in places.enumerate() {
            for row in first..rows.min(first + height) {
                for (index, step) in panel.chunks_exact_mut(step).enumerate() {
                    let places = step[(row - first) * pairs..][..pairs].iter_mut();
                    let numbers = (2 * index * pairs..inner).step_by(2);
                    for (pair_of, k) in places.zip(numbers) {
                        let second = if k + 1 < inner {
                            rounded(value(row, place, k + 1))
                        } else {
                            0
                        };
                        *pair_of = pair(rounded(value(row, place, k)), second);
                    }
                }
            }
        }
    };
    let whole = panels.as_mut();
    whole.par_chunks_exact_mut(size).enumerate().for_each(panel);
    panels
}

/// Values `[inner, place, batch]` in blocks of images, in pairs of the outermost.
pub(super) fn paired(
    kernel: Kernel,
    halves: &[u16],
    inner: usize,
    places: usize,
    batch: usize,
) -> Aligned<u32> {
    let pairs = kernel.steps(inner) * kernel.pairs();
    let size = pairs * batch.next_multiple_of(COLUMNS);
    let mut result = Aligned::zeros(places * size);
    let place = |(place, result): (usize, &mut [u32])| {
        for index in 0..inner.div_ceil(2) {
            let row = |k: usize| &halves[(k * places + place) * batch..][..batch];
            let first = row(2 * index);
            let second = (2 * index + 1 < inner).then(|| row(2 * index + 1));
            for (block, start) in (0..batch).step_by(COLUMNS).enumerate() {
                let end = batch.min(start + COLUMNS);
                let result = &mut result[(block * pairs + index) * COLUMNS..][..COLUMNS];
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
pub(super) struct Product<'a> {
    pub kernel: Kernel,
    pub panels: &'a [u32],
    pub values: &'a [u32],
    pub places: usize,
    /// At each place.
    pub steps: usize,
    /// Columns of all blocks.
    pub columns: usize,
}

impl Product<'_> {
    /// `[row, target, column]`; `seen` lists the place in the window and the source of all that a target sums over.
    pub(super) fn run(
        &self,
        rows: usize,
        targets: usize,
        seen: impl Fn(usize, &mut Vec<(usize, usize)>) + Sync,
    ) -> Vec<f32> {
        let mut result = zeros(rows * targets * self.columns);
        let spans = self.columns.div_ceil(SPAN);
        let mut tasks: Vec<Vec<&mut [f32]>> = Vec::new();
        tasks.resize_with(targets * spans, || Vec::with_capacity(rows));
        for (index, row) in result.chunks_exact_mut(self.columns).enumerate() {
            for (span, columns) in row.chunks_mut(SPAN).enumerate() {
                tasks[index % targets * spans + span].push(columns);
            }
        }
        tasks.into_par_iter().enumerate().for_each_init(
            || self.sums(rows),
            |sums, (index, mut rows)| {
                let mut sources = Vec::new();
                seen(index / spans, &mut sources);
                let first = index % spans * SPAN;
                for start in (0..rows[0].len()).step_by(COLUMNS) {
                    let sums = sums.as_mut().as_chunks_mut().0;
                    sums.fill([0.0; COLUMNS]);
                    self.add(&sources, (first + start) / COLUMNS, sums);
                    let end = rows[0].len().min(start + COLUMNS);
                    for (row, sums) in rows.iter_mut().zip(&*sums) {
                        row[start..end].copy_from_slice(&sums[..end - start]);
                    }
                }
            },
        );
        result
    }

    /// Place for the sums of so many rows, [`COLUMNS`] of each.
    pub(super) fn sums(&self, rows: usize) -> Aligned<f32> {
        Aligned::zeros(rows.next_multiple_of(self.kernel.rows()) * COLUMNS)
    }

    /// Adds the products of all rows for one block of columns.
    pub(super) fn add(
        &self,
        sources: &[(usize, usize)],
        block: usize,
        sums: &mut [[f32; COLUMNS]],
    ) {
        let (kernel, steps) = (self.kernel, self.steps);
        let blocks = self.columns.div_ceil(COLUMNS);
        let panel = self.places * steps * kernel.pairs() * kernel.rows();
        // As many runs together as the nearest cache holds.
        let near = kernel.near();
        let most = steps.min(near);
        let runs: Vec<Run> = sources
            .iter()
            .flat_map(|(place, source)| {
                (0..steps).step_by(most).map(move |first| Run {
                    weights: place * steps + first,
                    values: (source * blocks + block) * steps + first,
                    length: most.min(steps - first),
                })
            })
            .collect();
        for runs in runs.chunks(near / most) {
            let panels = self.panels.chunks_exact(panel);
            for (panel, sums) in panels.zip(sums.chunks_exact_mut(kernel.rows())) {
                kernel.tile(panel, self.values, runs, sums);
            }
        }
    }
}
