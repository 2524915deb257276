//! A linear layer prepared for the kernels.
//!
//! Kernels take inputs four at a time (*quads*), interleaved byte by byte, because that is what the
//! dot-product instructions read. Inputs that always appear together (pixels of one stride, channels
//! of one pixel) share a quad, so that it is interleaved once for all positions of a convolution.

use std::collections::HashMap;

use crate::error::Error;

/// An input outside the image: it contributes nothing.
pub const PADDING: u32 = u32::MAX;

/// Rows of weights that the kernels take at a time: the height of an AMX tile.
pub(super) const ROWS: usize = 16;
/// Quads of weights that the kernels take at a time: the depth of an AMX tile.
pub(super) const CHUNK: usize = 16;

/// A small dense matrix of integer weights.
#[derive(Clone, Debug)]
pub struct Matrix {
    /// Number of outputs.
    pub rows: usize,
    /// Number of gathered inputs.
    pub columns: usize,
    /// `[rows · columns]`, each from -32,000 to 32,000.
    pub data: Vec<i32>,
}

/// One application of a matrix.
#[derive(Clone, Debug)]
pub struct Tile {
    /// Index of the matrix.
    pub matrix: usize,
    /// The input of each matrix column; [`PADDING`] stands for zero.
    pub inputs: Vec<u32>,
    /// The output of each matrix row.
    pub outputs: Vec<u32>,
}

/// A linear layer: small dense matrices applied to gathers of the inputs.
#[derive(Clone, Debug)]
pub struct Layer {
    pub(super) inputs: usize,
    pub(super) outputs: usize,
    /// Four inputs each.
    pub(super) quads: Vec<[u32; 4]>,
    pub(super) matrices: Vec<Packed>,
    pub(super) tiles: Vec<Gather>,
    /// Bits of the largest `Σ |w| · 255` of one digit.
    pub(super) sum_bits: u32,
    /// Products with a weight, before anything is padded or merged.
    products: usize,
}

/// Weights in the order of the kernels.
#[derive(Clone, Debug)]
pub(super) struct Packed {
    pub rows: usize,
    /// Chunks of [`CHUNK`] quads.
    pub chunks: usize,
    /// Bytes of the weights, lowest first, one or two: `[digit][row tile][chunk][16 rows][64 bytes]`.
    pub digits: Vec<Vec<i8>>,
}

/// One application of a packed matrix.
#[derive(Clone, Debug)]
pub(super) struct Gather {
    pub matrix: usize,
    /// The quad of each four columns, padded to whole chunks with quads that meet zero weights.
    pub quads: Vec<u32>,
    /// How many of them are not padding.
    pub used: usize,
    /// For each chunk, whether its quads lie one after another.
    pub direct: Vec<bool>,
    pub outputs: Vec<u32>,
}

impl Layer {
    /// Prepares a layer of `inputs` values in and `outputs` values out.
    ///
    /// # Errors
    /// When an index is out of range, sizes do not match, an output is made twice or not at all, or
    /// weights are too large.
    pub fn new(
        inputs: usize,
        outputs: usize,
        matrices: &[Matrix],
        tiles: &[Tile],
    ) -> Result<Self, Error> {
        check(inputs, outputs, matrices, tiles)?;
        let products = tiles.iter().map(|tile| {
            let inside = tile.inputs.iter().filter(|&&i| i != PADDING).count();
            inside * tile.outputs.len()
        });
        let products = products.sum();
        let (matrices, tiles) = &merged(matrices, tiles);
        // inputs that came twice have weights that are sums
        check(inputs, outputs, matrices, tiles)?;
        let classes = classes(inputs, tiles);
        let orders: Vec<Vec<Option<usize>>> = matrices
            .iter()
            .enumerate()
            .map(|(index, matrix)| order(matrix, index, tiles, &classes))
            .collect();
        let mut known = HashMap::new();
        let mut quads: Vec<[u32; 4]> = Vec::new();
        let mut gathers = Vec::with_capacity(tiles.len());
        for tile in tiles {
            let taps = orders[tile.matrix].iter();
            let taps: Vec<u32> = taps
                .map(|tap| tap.map_or(PADDING, |tap| tile.inputs[tap]))
                .collect();
            let mut own: Vec<u32> = taps
                .chunks(4)
                .map(|taps| {
                    let quad = [taps[0], taps[1], taps[2], taps[3]];
                    *known.entry(quad).or_insert_with(|| {
                        quads.push(quad);
                        quads.len() as u32 - 1
                    })
                })
                .collect();
            let used = own.len();
            // what follows the last quad in memory: there is always room for a chunk
            while !own.len().is_multiple_of(CHUNK) {
                own.push(own.last().map_or(0, |last| last + 1));
            }
            gathers.push(Gather {
                matrix: tile.matrix,
                used,
                direct: own
                    .chunks(CHUNK)
                    .map(|chunk| chunk.windows(2).all(|pair| pair[1] == pair[0] + 1))
                    .collect(),
                quads: own,
                outputs: tile.outputs.clone(),
            });
        }
        let matrices: Vec<Packed> = matrices
            .iter()
            .zip(&orders)
            .map(|(matrix, order)| Packed::new(matrix, order))
            .collect();
        let sum = matrices.iter().map(Packed::largest_sum).max().unwrap_or(0);
        let sum_bits = u64::BITS - sum.leading_zeros();
        if sum_bits > MAX_SUM_BITS {
            return Err(Error::Layer(format!(
                "the weights of one output sum to {}, and at most 2^{MAX_SUM_BITS} / 255 can be",
                sum / 255
            )));
        }
        Ok(Self {
            inputs,
            outputs,
            quads,
            matrices,
            tiles: gathers,
            sum_bits,
            products,
        })
    }

    /// Number of input values.
    pub fn inputs(&self) -> usize {
        self.inputs
    }

    /// Number of output values.
    pub fn outputs(&self) -> usize {
        self.outputs
    }

    /// Number of products with a weight for each column, as the matrices were given.
    pub fn products(&self) -> usize {
        self.products
    }

    /// Bytes of the weights: one, or two if any needs more than eight bits.
    pub(super) fn digits(&self) -> usize {
        self.matrices
            .iter()
            .map(|m| m.digits.len())
            .max()
            .unwrap_or(1)
    }
}

/// Largest `Σ |w| · 255` of one digit, in bits: four bytes of such sums fit in 53.
const MAX_SUM_BITS: u32 = 28;
/// Largest weight.
const MAX_WEIGHT: u32 = 32_000;

fn check(inputs: usize, outputs: usize, matrices: &[Matrix], tiles: &[Tile]) -> Result<(), Error> {
    let fail = |text: String| Err(Error::Layer(text));
    for (index, matrix) in matrices.iter().enumerate() {
        if matrix.rows.checked_mul(matrix.columns) != Some(matrix.data.len()) {
            return fail(format!("matrix {index} has {} weights", matrix.data.len()));
        }
        if let Some(w) = matrix.data.iter().find(|w| w.unsigned_abs() > MAX_WEIGHT) {
            return fail(format!("weight {w} is beyond {MAX_WEIGHT}"));
        }
    }
    let mut made = vec![false; outputs];
    for (index, tile) in tiles.iter().enumerate() {
        let Some(matrix) = matrices.get(tile.matrix) else {
            return fail(format!("tile {index} uses matrix {}", tile.matrix));
        };
        if tile.inputs.len() != matrix.columns || tile.outputs.len() != matrix.rows {
            return fail(format!("tile {index} does not fit its matrix"));
        }
        let outside = |i: &&u32| **i != PADDING && **i as usize >= inputs;
        if let Some(i) = tile.inputs.iter().find(outside) {
            return fail(format!("tile {index} reads input {i} of {inputs}"));
        }
        for &output in &tile.outputs {
            match made.get_mut(output as usize) {
                Some(made) if !*made => *made = true,
                _ => return fail(format!("output {output} is made twice or does not exist")),
            }
        }
    }
    match made.iter().position(|made| !made) {
        Some(output) => fail(format!("no tile makes output {output}")),
        None => Ok(()),
    }
}

/// Puts neighbouring tiles of few rows together, as long as they fill one tile of the kernels: a
/// convolution with five channels then makes three positions at a time.
fn merged(matrices: &[Matrix], tiles: &[Tile]) -> (Vec<Matrix>, Vec<Tile>) {
    let mut known: HashMap<(Vec<usize>, Vec<u32>), usize> = HashMap::new();
    let (mut new_matrices, mut new_tiles) = (Vec::new(), Vec::new());
    let mut rest = tiles;
    while !rest.is_empty() {
        // the inputs of the tiles together, each once, and how many tiles they are
        let mut union: Vec<u32> = Vec::new();
        let (mut count, mut rows) = (0, 0);
        for tile in rest {
            let new = tile
                .inputs
                .iter()
                .filter(|i| **i != PADDING && !union.contains(i));
            let grown: Vec<u32> = union.iter().chain(new).copied().collect();
            rows += tile.outputs.len();
            if count > 0 && (rows > ROWS || grown.len() > 4 * CHUNK) {
                break;
            }
            (union, count) = (grown, count + 1);
        }
        let (group, others) = rest.split_at(count);
        rest = others;
        let place = |input: &u32| match union.iter().position(|known| known == input) {
            Some(place) => place as u32,
            None => PADDING,
        };
        // groups that combine the same matrices in the same way share one
        let places: Vec<u32> = group
            .iter()
            .flat_map(|t| t.inputs.iter().map(place))
            .collect();
        let parts: Vec<usize> = group.iter().map(|tile| tile.matrix).collect();
        let matrix = *known.entry((parts, places)).or_insert_with(|| {
            new_matrices.push(combined(matrices, group, &place, union.len()));
            new_matrices.len() - 1
        });
        new_tiles.push(Tile {
            matrix,
            inputs: union.clone(),
            outputs: group
                .iter()
                .flat_map(|t| t.outputs.iter().copied())
                .collect(),
        });
    }
    (new_matrices, new_tiles)
}

/// The matrices of several tiles, one under the other, on the inputs of all of them.
fn combined(
    matrices: &[Matrix],
    group: &[Tile],
    place: &impl Fn(&u32) -> u32,
    columns: usize,
) -> Matrix {
    let mut data: Vec<i32> = Vec::new();
    for tile in group {
        let matrix = &matrices[tile.matrix];
        for row in matrix.data.chunks(matrix.columns.max(1)) {
            let first = data.len();
            data.resize(first + columns, 0);
            for (w, input) in row.iter().zip(&tile.inputs) {
                // an input may come twice, and its weights add up
                if let Some(slot) = data[first..].get_mut(place(input) as usize) {
                    // what is too large stays too large, and is refused
                    *slot = slot.saturating_add(*w);
                }
            }
        }
    }
    Matrix {
        rows: group.iter().map(|tile| tile.outputs.len()).sum(),
        columns,
        data,
    }
}

/// For each input the class of inputs that are in the same tiles.
fn classes(inputs: usize, tiles: &[Tile]) -> Vec<usize> {
    let mut members = vec![Vec::new(); inputs];
    for (index, tile) in tiles.iter().enumerate() {
        for &input in tile.inputs.iter().filter(|&&i| i != PADDING) {
            members[input as usize].push(index);
        }
    }
    let mut known = HashMap::new();
    members
        .into_iter()
        .map(|tiles| {
            let next = known.len();
            *known.entry(tiles).or_insert(next)
        })
        .collect()
}

/// The order in which the kernels take the columns of a matrix, in fours; `None` is an empty place.
///
/// Columns whose inputs are of one class come together, as seen from the tile with the least padding;
/// if that would leave too many places empty, the columns stay as they are.
fn order(matrix: &Matrix, index: usize, tiles: &[Tile], classes: &[usize]) -> Vec<Option<usize>> {
    let fours = |columns: &[usize]| {
        let mut places: Vec<Option<usize>> = columns.iter().copied().map(Some).collect();
        places.resize(columns.len().next_multiple_of(4), None);
        places
    };
    let plain: Vec<usize> = (0..matrix.columns).collect();
    let padding = |tile: &&Tile| tile.inputs.iter().filter(|&&i| i == PADDING).count();
    let own = tiles.iter().filter(|tile| tile.matrix == index);
    let Some(reference) = own.min_by_key(padding) else {
        return fours(&plain);
    };
    let mut groups: Vec<(usize, Vec<usize>)> = Vec::new();
    for (column, &input) in reference.inputs.iter().enumerate() {
        let class = classes
            .get(input as usize)
            .map_or(usize::MAX, |&class| class);
        match groups.iter_mut().find(|(known, _)| *known == class) {
            Some((_, columns)) => columns.push(column),
            None => groups.push((class, vec![column])),
        }
    }
    let grouped: Vec<Option<usize>> = groups.iter().flat_map(|(_, c)| fours(c)).collect();
    if grouped.len() <= matrix.columns.next_multiple_of(4) * 5 / 4 {
        grouped
    } else {
        fours(&plain)
    }
}

impl Packed {
    fn new(matrix: &Matrix, order: &[Option<usize>]) -> Self {
        let wide = matrix.data.iter().any(|w| !(-128..128).contains(w));
        let quads = order.len() / 4;
        let chunks = quads.div_ceil(CHUNK);
        let row_tiles = matrix.rows.div_ceil(ROWS);
        let mut digits =
            vec![vec![0; row_tiles * chunks * ROWS * 4 * CHUNK]; 1 + usize::from(wide)];
        for row in 0..matrix.rows {
            for (place, column) in order.iter().enumerate() {
                let Some(column) = *column else { continue };
                let w = matrix.data[row * matrix.columns + column];
                let tile = row / ROWS * chunks + place / (4 * CHUNK);
                let at = (tile * ROWS + row % ROWS) * 4 * CHUNK + place % (4 * CHUNK);
                // the signed byte nearest below, and what is left
                let low = w as i8;
                digits[0][at] = low;
                if wide {
                    digits[1][at] = ((w - i32::from(low)) >> 8) as i8;
                }
            }
        }
        Self {
            rows: matrix.rows,
            chunks,
            digits,
        }
    }

    /// The 64 weights of one row and one chunk.
    pub fn row(&self, digit: usize, row: usize, chunk: usize) -> &[i8] {
        let tile = row / ROWS * self.chunks + chunk;
        let at = (tile * ROWS + row % ROWS) * 4 * CHUNK;
        &self.digits[digit][at..at + 4 * CHUNK]
    }

    /// Largest `Σ |w| · 255` of one row; of both digits together, since they meet in one sum.
    fn largest_sum(&self) -> u64 {
        let sum = |row: usize| -> u64 {
            let chunks = (0..self.chunks).flat_map(|chunk| {
                (0..self.digits.len()).flat_map(move |digit| self.row(digit, row, chunk))
            });
            chunks.map(|w| u64::from(w.unsigned_abs())).sum()
        };
        255 * (0..self.rows).map(sum).max().unwrap_or(0)
    }
}
