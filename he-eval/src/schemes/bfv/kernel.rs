//! Linear layers on residues: `out[o] = Σ w[o][i] · x[i] + bias[o]` modulo a prime, column by
//! column.
//!
//! A residue below 2^62 is split into halves of 31 bits, and each half is summed in `f64`:
//! `Σ |w| · 2^31 < 2^53`, so every sum is an exact integer and fused multiply-add units do the
//! work. The halves are put together and reduced once for each output word.
//!
//! The columns are cut into blocks that fit the second-level cache; blocks are independent and
//! run on all threads.

#![expect(
    unsafe_code,
    reason = "calls functions compiled for CPU features found at run time"
)]
#![expect(
    clippy::inline_always,
    reason = "a body is compiled once for each CPU level, inside the function that names it"
)]

use cryptodl_fold::{
    Graph, Operation,
    graph::{Linear, Matrix, PADDING, Tile},
};
use rayon::prelude::*;

use super::error::BfvError;

/// A row's absolute weights sum to less than this: with halves of 31 bits, sums stay exact in `f64`.
pub const MAX_ROW_SUM: i64 = 1 << 22;

/// Columns of one block: 16 AVX-512 registers' worth of words.
const BLOCK: usize = 128;
/// Bits of the low half of a residue.
const HALF_BITS: u32 = 31;
const SHIFT: f64 = (1u64 << HALF_BITS) as f64;
// a row of weights and a half of a residue fill the mantissa of an f64 at most
const _: () = assert!(MAX_ROW_SUM <= 1 << (53 - HALF_BITS));

/// Refuses layers whose sums would not be exact.
///
/// # Errors
/// When the absolute weights of a row sum to [`MAX_ROW_SUM`] or more.
pub(super) fn check(graph: &Graph<i64>) -> Result<(), BfvError> {
    for node in &graph.nodes {
        let Operation::Linear(linear) = &node.operation else {
            continue;
        };
        for matrix in &linear.matrices {
            let sums = (0..matrix.rows).map(|row| row_sum(matrix.row(row)));
            if let Some(sum) = sums.max().filter(|sum| *sum >= MAX_ROW_SUM) {
                return Err(BfvError::RowSum {
                    node: node.name.clone(),
                    sum,
                    limit: MAX_ROW_SUM,
                });
            }
        }
    }
    Ok(())
}

fn row_sum(row: &[i64]) -> i64 {
    row.iter().map(|w| w.abs()).sum()
}

/// The residues of all input values modulo one prime.
pub struct Residues<'a> {
    /// The prime, below 2^62.
    pub modulus: u64,
    /// One slice of words for each input value, all of one length.
    pub rows: Vec<&'a [u64]>,
}

/// Applies `layer` to `inputs`, writing one slice of words for each output value.
///
/// # Panics
/// When a row of weights is so large that sums would not be exact ([`Bfv`](super::Bfv) refuses to compile one),
/// or slices have different lengths.
pub fn apply(layer: &Linear<i64>, inputs: &Residues<'_>, bias: &[u64], outputs: Vec<&mut [u64]>) {
    let packed: Vec<Packed> = layer.matrices.iter().map(Packed::new).collect();
    let level = Level::detect();
    // regroup the outputs: one list of short slices for each block of columns
    let columns = outputs.first().map_or(0, |o| o.len());
    let mut blocks: Vec<Vec<&mut [u64]>> =
        (0..columns.div_ceil(BLOCK)).map(|_| Vec::new()).collect();
    for output in outputs {
        assert_eq!(output.len(), columns, "all outputs have the same length");
        for (block, piece) in blocks.iter_mut().zip(output.chunks_mut(BLOCK)) {
            block.push(piece);
        }
    }
    blocks
        .into_par_iter()
        .enumerate()
        .for_each_init(Panel::default, |panel, (index, mut out)| {
            for tile in &layer.tiles {
                panel.load(tile, inputs, index * BLOCK);
                let inverse = 1.0 / inputs.modulus as f64;
                let job = Job {
                    matrix: &packed[tile.matrix],
                    modulus: inputs.modulus,
                    inverse,
                    bias,
                };
                job.run(level, panel, tile, &mut out);
            }
        });
}

/// A matrix in the order the kernel reads it: four rows side by side, then along the columns.
struct Packed {
    columns: usize,
    /// `[rows / 4][columns][4]`, missing rows are zero.
    weights: Vec<[f64; ROWS]>,
}

/// Outputs computed together.
const ROWS: usize = 4;

impl Packed {
    fn new(matrix: &Matrix<i64>) -> Self {
        let groups = matrix.rows.div_ceil(ROWS);
        let mut weights = vec![[0.0; ROWS]; groups * matrix.columns];
        for row in 0..matrix.rows {
            let sum = row_sum(matrix.row(row));
            assert!(sum < MAX_ROW_SUM, "a row of weights sums to {sum}");
            for (column, &w) in matrix.row(row).iter().enumerate() {
                weights[row / ROWS * matrix.columns + column][row % ROWS] = w as f64;
            }
        }
        Self {
            columns: matrix.columns,
            weights,
        }
    }
}

/// The gathered inputs of one tile for one block of columns, as halves.
#[derive(Default)]
struct Panel {
    low: Vec<[f64; BLOCK]>,
    high: Vec<[f64; BLOCK]>,
}

impl Panel {
    fn load(&mut self, tile: &Tile, inputs: &Residues<'_>, start: usize) {
        self.low.resize(tile.inputs.len(), [0.0; BLOCK]);
        self.high.resize(tile.inputs.len(), [0.0; BLOCK]);
        let slots = self.low.iter_mut().zip(&mut self.high);
        for ((low, high), &input) in slots.zip(&tile.inputs) {
            if input == PADDING {
                (*low, *high) = ([0.0; BLOCK], [0.0; BLOCK]);
                continue;
            }
            let row = inputs.rows[input as usize];
            let words = &row[start..row.len().min(start + BLOCK)];
            for ((l, h), &word) in low.iter_mut().zip(high.iter_mut()).zip(words) {
                // both halves fit an i32, for which every CPU has a conversion
                *l = f64::from((word & ((1 << HALF_BITS) - 1)) as i32);
                *h = f64::from((word >> HALF_BITS) as i32);
            }
        }
    }
}

/// Vector instructions to use.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Level {
    Portable,
    #[cfg(target_arch = "x86_64")]
    Avx2,
    #[cfg(target_arch = "x86_64")]
    Avx512,
}

impl Level {
    fn detect() -> Self {
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512dq") {
                return Self::Avx512;
            }
            if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                return Self::Avx2;
            }
        }
        Self::Portable
    }
}

/// One matrix modulo one prime.
struct Job<'a> {
    matrix: &'a Packed,
    modulus: u64,
    inverse: f64,
    bias: &'a [u64],
}

impl Job<'_> {
    fn run(&self, level: Level, panel: &Panel, tile: &Tile, out: &mut [&mut [u64]]) {
        match level {
            Level::Portable => self.product::<4, false>(panel, tile, out),
            // SAFETY: `Level::detect` found AVX2 and FMA on this CPU.
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => unsafe { self.product_avx2(panel, tile, out) },
            // SAFETY: `Level::detect` found AVX-512 F and DQ on this CPU.
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 => unsafe { self.product_avx512(panel, tile, out) },
        }
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2,fma")]
    fn product_avx2(&self, panel: &Panel, tile: &Tile, out: &mut [&mut [u64]]) {
        self.product::<4, true>(panel, tile, out);
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx512f,avx512dq,avx2,fma")]
    fn product_avx512(&self, panel: &Panel, tile: &Tile, out: &mut [&mut [u64]]) {
        self.product::<16, true>(panel, tile, out);
    }

    /// `WIDTH` columns and four rows at a time, so that the sums stay in registers.
    #[inline(always)]
    fn product<const WIDTH: usize, const FUSED: bool>(
        &self,
        panel: &Panel,
        tile: &Tile,
        out: &mut [&mut [u64]],
    ) {
        for (group, outputs) in tile.outputs.chunks(ROWS).enumerate() {
            let start = group * self.matrix.columns;
            let weights = &self.matrix.weights[start..start + self.matrix.columns];
            for column in (0..BLOCK).step_by(WIDTH) {
                let low = sums::<WIDTH, FUSED>(weights, &panel.low, column);
                let high = sums::<WIDTH, FUSED>(weights, &panel.high, column);
                for (row, &output) in outputs.iter().enumerate() {
                    let output = output as usize;
                    let words = out[output].iter_mut().skip(column).take(WIDTH);
                    for ((word, &l), &h) in words.zip(&low[row]).zip(&high[row]) {
                        *word = self.reduce(l, h, self.bias[output]);
                    }
                }
            }
        }
    }

    /// `low + 2^31 · high + bias` modulo the prime.
    ///
    /// The quotient is below 2^23, so an estimate in `f64` is off by one at most and the rest,
    /// between -2q and 2q, is right in wrapping 64-bit arithmetic.
    #[inline(always)]
    fn reduce(&self, low: f64, high: f64, bias: u64) -> u64 {
        let modulus = self.modulus as i64;
        let estimate = (high * SHIFT + low + bias as f64) * self.inverse;
        let rest = ((high as i64) << HALF_BITS)
            .wrapping_add(low as i64)
            .wrapping_add(bias as i64)
            .wrapping_sub((estimate as i64).wrapping_mul(modulus));
        let rest = if rest < 0 { rest + modulus } else { rest };
        let rest = if rest < 0 { rest + modulus } else { rest };
        (if rest >= modulus {
            rest - modulus
        } else {
            rest
        }) as u64
    }
}

#[inline(always)]
fn sums<const WIDTH: usize, const FUSED: bool>(
    weights: &[[f64; ROWS]],
    panel: &[[f64; BLOCK]],
    column: usize,
) -> [[f64; WIDTH]; ROWS] {
    let mut sum = [[0.0; WIDTH]; ROWS];
    for (w, x) in weights.iter().zip(panel) {
        let x: &[f64; WIDTH] = x[column..column + WIDTH]
            .try_into()
            .expect("WIDTH divides BLOCK");
        for row in 0..ROWS {
            for lane in 0..WIDTH {
                // without FMA hardware `mul_add` would be a slow library call
                sum[row][lane] = if FUSED {
                    w[row].mul_add(x[lane], sum[row][lane])
                } else {
                    w[row] * x[lane] + sum[row][lane]
                };
            }
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use ethnum::I256;
    use rand::{Rng, SeedableRng, rngs::StdRng};

    use super::*;

    const PRIME: u64 = (1 << 62) - 57;

    fn layer(rng: &mut StdRng, inputs: usize, rows: usize, largest: i64) -> Linear<i64> {
        let data = (0..rows * inputs)
            .map(|_| rng.random_range(-largest..=largest))
            .collect();
        let mut gather: Vec<u32> = (0..inputs as u32).collect();
        gather[0] = PADDING;
        Linear {
            matrices: vec![Matrix {
                rows,
                columns: inputs,
                data,
            }],
            tiles: vec![Tile {
                matrix: 0,
                inputs: gather,
                outputs: (0..rows as u32).collect(),
            }],
            bias: vec![I256::ZERO; rows],
        }
    }

    fn schoolbook(layer: &Linear<i64>, inputs: &Residues<'_>, bias: &[u64]) -> Vec<Vec<u64>> {
        let columns = inputs.rows[0].len();
        let row = |o: usize| {
            (0..columns).map(move |c| {
                let weights = layer.matrices[0].row(o).iter().zip(&inputs.rows).skip(1);
                let sum: i128 = weights
                    .map(|(&w, x)| i128::from(w) * i128::from(x[c]))
                    .sum();
                (sum + i128::from(bias[o])).rem_euclid(i128::from(inputs.modulus)) as u64
            })
        };
        (0..bias.len()).map(|o| row(o).collect()).collect()
    }

    #[test]
    fn every_level_equals_schoolbook_on_random_and_extreme_values() {
        let mut rng = StdRng::seed_from_u64(7);
        for (inputs, rows, largest, columns) in
            [(1, 1, 1, 1), (26, 5, 127, 300), (900, 7, 4000, 130)]
        {
            for extreme in [false, true] {
                let layer = layer(&mut rng, inputs, rows, largest);
                let word = |rng: &mut StdRng| {
                    if extreme {
                        PRIME - 1
                    } else {
                        rng.random_range(0..PRIME)
                    }
                };
                let data: Vec<Vec<u64>> = (0..inputs)
                    .map(|_| (0..columns).map(|_| word(&mut rng)).collect())
                    .collect();
                let bias: Vec<u64> = (0..rows).map(|_| word(&mut rng)).collect();
                let residues = Residues {
                    modulus: PRIME,
                    rows: data.iter().map(Vec::as_slice).collect(),
                };
                let expected = schoolbook(&layer, &residues, &bias);
                let packed = Packed::new(&layer.matrices[0]);
                for level in levels() {
                    let mut got = vec![vec![0; columns]; rows];
                    for start in (0..columns).step_by(BLOCK) {
                        let mut panel = Panel::default();
                        panel.load(&layer.tiles[0], &residues, start);
                        let job = Job {
                            matrix: &packed,
                            modulus: PRIME,
                            inverse: 1.0 / PRIME as f64,
                            bias: &bias,
                        };
                        let end = columns.min(start + BLOCK);
                        let mut out: Vec<&mut [u64]> =
                            got.iter_mut().map(|o| &mut o[start..end]).collect();
                        job.run(level, &panel, &layer.tiles[0], &mut out);
                    }
                    assert_eq!(
                        got, expected,
                        "{level:?}, {inputs} inputs, extreme {extreme}"
                    );
                }
                let mut got = vec![vec![0; columns]; rows];
                apply(
                    &layer,
                    &residues,
                    &bias,
                    got.iter_mut().map(Vec::as_mut_slice).collect(),
                );
                assert_eq!(got, expected);
            }
        }
    }

    /// Every level this CPU has.
    fn levels() -> Vec<Level> {
        let mut levels = vec![Level::Portable];
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                levels.push(Level::Avx2);
            }
            if Level::detect() == Level::Avx512 {
                levels.push(Level::Avx512);
            }
        }
        levels
    }

    #[test]
    #[should_panic(expected = "a row of weights sums to")]
    fn a_row_too_large_to_be_exact_is_refused() {
        Packed::new(&Matrix {
            rows: 1,
            columns: 1,
            data: vec![MAX_ROW_SUM],
        });
    }
}
