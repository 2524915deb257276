//! Mean pooling `[channels·h·w, n] → [channels·h'·w', n]`.

use super::windows::Windows;
use super::zeros;
use rayon::prelude::*;

/// Means over the windows.
pub(crate) fn forward(values: &[f32], batch: usize, windows: &Windows) -> Vec<f32> {
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
pub(crate) fn gradient(gradients: &[f32], batch: usize, windows: &Windows) -> Vec<f32> {
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
