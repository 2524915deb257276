//! Mean pooling `[channels·h·w, n] → [channels·h'·w', n]`.

use crate::memory::zeros;
use crate::windows::Windows;
use rayon::prelude::*;

/// Means over the windows.
pub fn forward(values: &[f32], batch: usize, windows: &Windows) -> Vec<f32> {
    let size = windows.inputs * batch;
    assert_eq!(values.len(), windows.channels * size);
    let share = 1.0 / windows.places as f32;
    let mut means = zeros(windows.channels * windows.positions * batch);
    means
        .par_chunks_exact_mut(windows.positions * batch)
        .zip(values.par_chunks_exact(size))
        .for_each(|(means, values)| {
            for (position, means) in means.chunks_exact_mut(batch).enumerate() {
                for place in 0..windows.places {
                    if let Some(source) = windows.source(place, position) {
                        add(means, &values[source * batch..][..batch], share);
                    }
                }
            }
        });
    means
}

/// Gradient of the values, for gradients of the means.
pub fn gradient(gradients: &[f32], batch: usize, windows: &Windows) -> Vec<f32> {
    let size = windows.positions * batch;
    assert_eq!(gradients.len(), windows.channels * size);
    let share = 1.0 / windows.places as f32;
    let mut result = zeros(windows.channels * windows.inputs * batch);
    result
        .par_chunks_exact_mut(windows.inputs * batch)
        .zip(gradients.par_chunks_exact(size))
        .for_each(|(result, gradients)| {
            for (input, result) in result.chunks_exact_mut(batch).enumerate() {
                for (_, position) in windows.readers(input) {
                    add(result, &gradients[position * batch..][..batch], share);
                }
            }
        });
    result
}

fn add(sums: &mut [f32], values: &[f32], share: f32) {
    for (sum, value) in sums.iter_mut().zip(values) {
        *sum += share * value;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::normals;
    use cryptodl_network::Shape;

    #[test]
    fn means_are_those_of_the_windows_and_gradients_go_back_where_they_came_from() {
        let shape = |height, width| Shape {
            channels: 2,
            height,
            width,
        };
        let windows = Windows::new(shape(4, 2), shape(2, 1), 2, 2, 0);
        let batch = 3;
        let values = normals(16 * batch, 1);
        let means = forward(&values, batch, &windows);
        assert_eq!(means.len(), 4 * batch);
        // The second channel's lower window, second image.
        let seen = [12, 13, 14, 15].map(|row| values[row * batch + 1]);
        let mean = seen.iter().sum::<f32>() / 4.0;
        assert!(
            (means[3 * batch + 1] - mean).abs() < 1e-6,
            "{means:?} {mean}"
        );
        let gradients = normals(4 * batch, 2);
        for (index, found) in gradient(&gradients, batch, &windows).iter().enumerate() {
            let (row, image) = (index / batch, index % batch);
            let expected = gradients[row / 4 * batch + image] / 4.0;
            assert_eq!(found.to_bits(), expected.to_bits());
        }
    }
}
