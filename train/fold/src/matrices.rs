//! The matrices of linear layers as evaluation folds them, and the way back to the filters that are trained.
//!
//! Training that gets used to rounding wants to know, at every step, what evaluation would make of each layer's filters:
//! the walk is that of [`crate::fold()`], without the positions that a matrix is applied at.

use nalgebra::DMatrix;

use crate::linear::Matrix;

/// The matrix of one linear layer of a network.
#[derive(Clone, Debug)]
pub struct Folded {
    /// The node of the network.
    pub node: usize,
    /// `[out, in · window]`.
    pub matrix: Matrix<f64>,
    /// How it came from the layer's filters.
    pub origin: Origin,
}

/// How a folded matrix came from filters `[out, in, place]` as they are trained: rows and columns were scaled by the batch
/// norms around, and pools made a kernel of `window` places of the one that was trained.
#[derive(Clone, Debug, PartialEq)]
pub struct Origin {
    /// One factor for each row.
    pub row_scale: Vec<f64>,
    /// One factor for each input channel.
    pub column_scale: Vec<f64>,
    /// What became of each place of the kernel: `[places, window]`.
    pub spread: Vec<f64>,
    /// Places of the folded kernel.
    pub window: usize,
}

impl Origin {
    /// Filters `[out, in, window]` whose folding is `matrix`; where a factor is zero, `instead`.
    pub fn unscaled(&self, matrix: &[f64], instead: &[f64]) -> Vec<f64> {
        let fan_in = self.column_scale.len() * self.window;
        let weights = matrix.iter().zip(instead).enumerate();
        weights
            .map(|(i, (w, instead))| {
                let channel = i % fan_in / self.window;
                let factor = self.row_scale[i / fan_in] * self.column_scale[channel];
                if factor == 0.0 { *instead } else { w / factor }
            })
            .collect()
    }

    /// Filters `[out, in, place]` of the kernel that was trained, whose spread comes nearest to `filters`
    /// `[out, in, window]`, by least squares.
    pub fn narrowed(&self, filters: &[f64]) -> Vec<f64> {
        let places = self.spread.len() / self.window;
        let spread = DMatrix::from_row_slice(places, self.window, &self.spread);
        let gram = &spread * spread.transpose();
        // places of a kernel spread to different windows, so they are independent
        let inverse = gram
            .try_inverse()
            .unwrap_or_else(|| DMatrix::identity(places, places));
        let back = inverse * spread;
        let narrow = filters.chunks(self.window).flat_map(|plane| {
            let place = |row: usize| {
                let row = back.row(row);
                row.iter().zip(plane).map(|(a, b)| a * b).sum::<f64>()
            };
            (0..places).map(place).collect::<Vec<f64>>()
        });
        narrow.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_scaled_and_spread_comes_back() {
        // a kernel of two places, each spread over two of four
        let origin = Origin {
            row_scale: vec![2.0, 0.5],
            column_scale: vec![3.0, 0.0],
            spread: vec![0.5, 0.5, 0.0, 0.0, 0.0, 0.5, 0.5, 0.0],
            window: 4,
        };
        let filters = [1.0, -2.0, 0.5, 4.0, -1.0, 3.0, 2.0, 2.0];
        let wide: Vec<f64> = filters
            .chunks(2)
            .flat_map(|pair| {
                let at = |i: usize| pair[0] * origin.spread[i] + pair[1] * origin.spread[4 + i];
                (0..4).map(at).collect::<Vec<f64>>()
            })
            .collect();
        let scaled: Vec<f64> = wide
            .iter()
            .enumerate()
            .map(|(i, w)| w * origin.row_scale[i / 8] * origin.column_scale[i % 8 / 4])
            .collect();
        let back = origin.unscaled(&scaled, &wide);
        assert!(back.iter().zip(&wide).all(|(a, b)| (a - b).abs() < 1e-12));
        let narrow = origin.narrowed(&back);
        assert!(
            narrow
                .iter()
                .zip(filters)
                .all(|(a, b)| (a - b).abs() < 1e-12)
        );
    }
}
