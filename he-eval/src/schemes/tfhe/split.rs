//! The last layer as partial sums: a wide range decrypts exactly in several narrow pieces.

use std::ops::Range;

use cryptodl_fold::graph::{Linear, Matrix, Tile};

/// The columns of each of `parts` pieces of a row.
pub(super) fn columns(count: usize, parts: usize) -> impl Iterator<Item = Range<usize>> + Clone {
    (0..parts).map(move |part| part * count / parts..(part + 1) * count / parts)
}

/// The layer whose outputs `o · parts .. (o + 1) · parts` add up to output `o` of `linear`.
pub(super) fn split(linear: &Linear<i64>, parts: usize) -> Linear<i64> {
    let mut matrices = Vec::new();
    for matrix in &linear.matrices {
        for part in columns(matrix.columns, parts) {
            let rows = (0..matrix.rows).flat_map(|row| matrix.row(row)[part.clone()].to_vec());
            matrices.push(Matrix {
                rows: matrix.rows,
                columns: part.len(),
                data: rows.collect(),
            });
        }
    }
    let mut tiles = Vec::new();
    for tile in &linear.tiles {
        for (index, part) in columns(tile.inputs.len(), parts).enumerate() {
            let outputs = tile.outputs.iter();
            tiles.push(Tile {
                matrix: tile.matrix * parts + index,
                inputs: tile.inputs[part].to_vec(),
                outputs: outputs.map(|o| o * parts as u32 + index as u32).collect(),
            });
        }
    }
    let bias = linear.bias.iter();
    Linear {
        matrices,
        tiles,
        // none: the constant is added after decryption
        bias: bias.flat_map(|&b| std::iter::repeat_n(b, parts)).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ethnum::I256;

    #[test]
    fn the_parts_add_up() {
        let linear = Linear {
            matrices: vec![Matrix {
                rows: 2,
                columns: 5,
                data: (1..=10).collect(),
            }],
            tiles: vec![Tile {
                matrix: 0,
                inputs: vec![4, 3, 2, 1, 0],
                outputs: vec![1, 0],
            }],
            bias: vec![I256::ZERO; 2],
        };
        let values = [7_i64, -3, 11, 2, 5];
        let sums = |linear: &Linear<i64>| {
            let rows = linear.rows().into_iter();
            let sums = rows.map(|(weights, tile)| {
                let pairs = weights.iter().zip(&tile.inputs);
                pairs.map(|(w, &i)| w * values[i as usize]).sum()
            });
            sums.collect::<Vec<i64>>()
        };
        for parts in [1, 2, 4, 8] {
            let pieces: Vec<i64> = sums(&split(&linear, parts));
            let whole: Vec<i64> = pieces.chunks(parts).map(|c| c.iter().sum()).collect();
            assert_eq!(whole, sums(&linear), "{parts} parts");
        }
    }
}
