//! Rows of real weights as whole multiples of one step each.

use ethnum::I256;

use super::LookupError;
use crate::linear::{Linear, Matrix};

/// Largest multiple of a step: weights of 8 bits with their sign.
const MOST: i64 = 127;

/// How far a weight may be from a whole multiple, in steps: weights are kept in 32 bits, which leaves
/// 1e-5 of 127 steps, and sums of them a little more.
const TOLERANCE: f64 = 1e-3;

/// A layer of whole-number weights whose real value `o` is `step(o) · accumulator + constant[o]`.
pub(super) struct Scaled {
    pub linear: Linear<i64>,
    pub constant: Vec<f64>,
    /// One for each matrix row.
    steps: Vec<f64>,
    /// The matrix row of each output.
    row: Vec<usize>,
}

impl Scaled {
    pub fn step(&self, output: usize) -> f64 {
        self.steps[self.row[output]]
    }

    /// Counts rows whose step is a whole multiple of the smallest one in units of that, for tables that
    /// must repeat together.
    pub fn share_step(&mut self) {
        let matrix = &mut self.linear.matrices[0];
        let rows = matrix.data.chunks_exact_mut(matrix.columns);
        let used: Vec<_> = (rows.zip(&mut self.steps))
            .filter(|(row, _)| row.iter().any(|&q| q != 0))
            .collect();
        let least = used
            .iter()
            .fold(f64::INFINITY, |least, (_, step)| least.min(**step));
        for (row, step) in used {
            let ratio = (*step / least).round();
            if ratio <= MOST as f64
                && (*step / (least * ratio) - 1.0).abs() < TOLERANCE / MOST as f64
            {
                for q in row {
                    *q *= ratio as i64;
                }
                *step /= ratio;
            }
        }
    }
}

/// Finds the whole multiples; the stage has one matrix.
pub(super) fn whole(linear: &Linear<f64>, node: &str) -> Result<Scaled, LookupError> {
    let matrix = &linear.matrices[0];
    let mut steps = Vec::with_capacity(matrix.rows);
    let mut data = Vec::with_capacity(matrix.data.len());
    for row in 0..matrix.rows {
        let (step, multiples) =
            multiples(matrix.row(row)).ok_or_else(|| LookupError::NotWhole {
                node: node.into(),
                row,
                most: MOST,
            })?;
        steps.push(step);
        data.extend(multiples);
    }
    let mut row = vec![0; linear.outputs()];
    for tile in &linear.tiles {
        for (r, &output) in tile.outputs.iter().enumerate() {
            row[output as usize] = r;
        }
    }
    Ok(Scaled {
        linear: Linear {
            matrices: vec![Matrix {
                rows: matrix.rows,
                columns: matrix.columns,
                data,
            }],
            tiles: linear.tiles.clone(),
            bias: vec![I256::ZERO; linear.outputs()],
        },
        constant: linear.bias.clone(),
        steps,
        row,
    })
}

/// The largest step of which all weights are whole multiples, and the multiples.
fn multiples(weights: &[f64]) -> Option<(f64, Vec<i64>)> {
    let largest = weights.iter().fold(0.0_f64, |a, w| a.max(w.abs()));
    if largest == 0.0 {
        return Some((1.0, vec![0; weights.len()]));
    }
    (1..=MOST).find_map(|most| {
        let step = largest / most as f64;
        let near = |w: &f64| (w / step - (w / step).round()).abs() <= TOLERANCE;
        weights.iter().all(near).then(|| {
            let whole: Vec<i64> = weights.iter().map(|w| (w / step).round() as i64).collect();
            // least squares: the largest weight alone carries its own rounding
            let products: f64 = weights.iter().zip(&whole).map(|(w, &q)| w * q as f64).sum();
            let squares: f64 = whole.iter().map(|&q| (q * q) as f64).sum();
            (products / squares, whole)
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_found_through_the_rounding_of_32_bits() {
        for (scale, whole) in [
            (0.037_f32, vec![3_i64, -7, 0, 1]),
            (1.9e-4, vec![127, -126, 64, 5]),
            (2.0, vec![4, -2, 0]),
        ] {
            let weights: Vec<f64> = whole.iter().map(|&q| f64::from(q as f32 * scale)).collect();
            let (step, found) = multiples(&weights).unwrap();
            let shared = whole[0] / found[0];
            assert!(found.iter().zip(&whole).all(|(f, q)| f * shared == *q));
            assert!((step / (f64::from(scale) * shared as f64) - 1.0).abs() < 1e-6);
        }
    }

    #[test]
    fn rows_share_the_smallest_step_if_they_are_multiples_of_it() {
        let linear = |data: Vec<f64>| Linear {
            matrices: vec![Matrix {
                rows: 4,
                columns: 2,
                data,
            }],
            tiles: vec![crate::linear::Tile {
                matrix: 0,
                inputs: vec![0, 1],
                outputs: vec![0, 1, 2, 3],
            }],
            bias: vec![0.0; 4],
        };
        let data = vec![0.1, 0.2, 0.6, 0.0, 0.0, 0.0, 0.25, 0.25];
        let mut scaled = whole(&linear(data), "layer").unwrap();
        assert_eq!(scaled.linear.matrices[0].data, [1, 2, 1, 0, 0, 0, 1, 1]);
        scaled.share_step();
        // 0.25 is no whole multiple of 0.1
        assert_eq!(scaled.linear.matrices[0].data, [1, 2, 6, 0, 0, 0, 1, 1]);
        assert!((scaled.step(1) - 0.1).abs() < 1e-12 && (scaled.step(3) - 0.25).abs() < 1e-12);
    }

    #[test]
    fn weights_without_a_step_are_found_out() {
        let weights: Vec<f64> = (1..40).map(|i| f64::from(i).sqrt()).collect();
        assert!(multiples(&weights).is_none());
        assert_eq!(multiples(&[0.0, 0.0]), Some((1.0, vec![0, 0])));
    }
}
