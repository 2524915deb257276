//! A linear layer: small dense matrices applied to gathers of the input numbers.
//!
//! A convolution is one matrix applied at every position; a dense layer is one tile.

use serde::{Deserialize, Serialize};

use crate::weight::Weight;

/// See the [module](self).
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(bound = "")]
pub struct Linear<T: Weight> {
    /// The distinct matrices.
    pub matrices: Vec<Matrix<T>>,
    /// Where they are applied. Every output belongs to exactly one tile.
    pub tiles: Vec<Tile>,
    /// One bias an output, `[channels · positions]`.
    pub bias: Vec<T::Bias>,
}

/// A row-major matrix.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Matrix<T> {
    /// Number of outputs.
    pub rows: usize,
    /// Number of gathered inputs.
    pub columns: usize,
    /// `[rows · columns]`.
    pub data: Vec<T>,
}

impl<T> Matrix<T> {
    /// Row `row` of the matrix.
    pub fn row(&self, row: usize) -> &[T] {
        &self.data[row * self.columns..(row + 1) * self.columns]
    }
}

/// One application of a matrix.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Tile {
    /// Index into [`Linear::matrices`].
    pub matrix: usize,
    /// The input number of each matrix column, counted through all operands; [`PADDING`] stands for zero.
    pub inputs: Vec<u32>,
    /// The output number of each matrix row.
    pub outputs: Vec<u32>,
}

/// An input outside the image: it contributes nothing.
pub const PADDING: u32 = u32::MAX;

impl<T: Weight> Linear<T> {
    /// Number of output numbers.
    pub fn outputs(&self) -> usize {
        self.bias.len()
    }

    /// Products of a value with a plaintext weight, padding not counted.
    pub fn products(&self) -> usize {
        let inside = |tile: &Tile| tile.inputs.iter().filter(|&&i| i != PADDING).count();
        let products = |tile: &Tile| inside(tile) * tile.outputs.len();
        self.tiles.iter().map(products).sum()
    }

    /// Products including those with padding: what the kernels are timed by.
    pub fn dense_products(&self) -> usize {
        let products = |tile: &Tile| tile.inputs.len() * tile.outputs.len();
        self.tiles.iter().map(products).sum()
    }

    /// The weights of every output and its tile.
    pub fn rows(&self) -> Vec<(&[T], &Tile)> {
        let mut rows: Vec<(&[T], &Tile)> = vec![(&[], &self.tiles[0]); self.outputs()];
        for tile in &self.tiles {
            for (row, &output) in tile.outputs.iter().enumerate() {
                rows[output as usize] = (self.matrices[tile.matrix].row(row), tile);
            }
        }
        rows
    }
}
