//! Logits and accuracy of trained networks.

use crate::datasets::Images;
use crate::model::Model;
use crate::{TrainError, batches};
use burn::tensor::{Device, Tensor, TensorData};
use cryptodl_network::Artifact;

/// Images that are evaluated together.
pub(crate) const BATCH: usize = 500;

/// Logits of the first `limit` images (of all without a limit), one row an image, computed with Burn in 32 bits.
///
/// # Errors
/// [`TrainError::Data`] if the images have another shape than the network's input, [`TrainError::Tensor`] if a tensor
/// does not fit the network.
pub fn logits(
    artifact: &Artifact,
    images: &Images,
    limit: Option<usize>,
) -> Result<Vec<Vec<f32>>, TrainError> {
    let device = Device::default();
    let model = Model::new(&artifact.network, &device)?;
    let weights = model
        .weights(&artifact.tensors, &device)
        .map_err(TrainError::Tensor)?;
    fits(&model, images)?;
    let indices: Vec<usize> = (0..images.len().min(limit.unwrap_or(usize::MAX))).collect();
    Ok(logits_of(&model, &weights, images, &indices))
}

/// Share of rows whose largest value is at the label; 0 for no rows.
pub fn accuracy(logits: &[Vec<f32>], labels: &[u8]) -> f64 {
    let right = logits
        .iter()
        .zip(labels)
        .filter(|(row, label)| largest(row) == usize::from(**label))
        .count();
    right as f64 / logits.len().max(1) as f64
}

/// Position of the largest value, the first one of equals.
pub(crate) fn largest(row: &[f32]) -> usize {
    (1..row.len()).fold(
        0,
        |best, index| if row[index] > row[best] { index } else { best },
    )
}

/// The images have the shape that the network reads.
pub(crate) fn fits(model: &Model, images: &Images) -> Result<(), TrainError> {
    if images.shape == model.input() {
        return Ok(());
    }
    let reason = format!("it reads {}, they are {}", model.input(), images.shape);
    Err(TrainError::Data {
        network: model.network().name.clone(),
        reason,
    })
}

/// Logits of the images of the given indices.
pub(crate) fn logits_of(
    model: &Model,
    weights: &[Tensor<2>],
    images: &Images,
    indices: &[usize],
) -> Vec<Vec<f32>> {
    let mut rows = Vec::with_capacity(indices.len());
    for indices in indices.chunks(BATCH) {
        let batch = batches::plain(images, indices, &model.network().normalisation);
        let output = model.infer(weights, input(model, batch.values, &weights[0].device()));
        let classes = output.dims()[1];
        rows.extend(
            crate::values::values(&output)
                .chunks_exact(classes)
                .map(<[f32]>::to_vec),
        );
    }
    rows
}

/// Share of the images of the given indices that are classified right.
pub(crate) fn accuracy_of(
    model: &Model,
    weights: &[Tensor<2>],
    images: &Images,
    indices: &[usize],
) -> f64 {
    let labels: Vec<u8> = indices.iter().map(|index| images.labels[*index]).collect();
    accuracy(&logits_of(model, weights, images, indices), &labels)
}

/// Values of images as a tensor `[n, C·H·W]`.
pub(crate) fn input(model: &Model, values: Vec<f32>, device: &Device) -> Tensor<2> {
    let features = model.input().len();
    let n = values.len() / features;
    Tensor::from_data(TensorData::new(values, [n, features]), device)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernels::Kernels;
    use crate::random::Random;
    use std::path::Path;

    #[test]
    fn accuracy_counts_the_largest_logit() {
        let logits = vec![
            vec![0.1, 0.9],
            vec![0.5, 0.5],
            vec![-1.0, -2.0],
            vec![3.0, 4.0],
        ];
        assert!((accuracy(&logits, &[1, 0, 1, 1]) - 0.75).abs() < 1e-12);
        assert!(accuracy(&[], &[]).abs() < 1e-12);
    }

    #[test]
    fn shipped_networks_answer_alike_with_both_kinds_of_operators() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../results/models");
        let mut count = 0;
        let files = [folder.clone(), folder.join("larger")]
            .into_iter()
            .filter_map(|folder| std::fs::read_dir(folder).ok())
            .flatten()
            .flatten()
            .filter(|entry| entry.path().extension() == Some("safetensors".as_ref()));
        for entry in files {
            let artifact = Artifact::load(&entry.path()).unwrap();
            let shape = artifact.network.input;
            let mut random = Random::at([3]);
            let pixels = (0..50 * shape.len()).map(|_| (256.0 * random.uniform()) as u8);
            let images = Images {
                shape,
                pixels: pixels.collect(),
                labels: vec![0; 50],
            };
            let [stock, fused] = [Kernels::Stock, Kernels::Fused].map(|kernels| {
                let device = Device::flex();
                let model = Model::with(&artifact.network, kernels, &device).unwrap();
                let weights = model.weights(&artifact.tensors, &device).unwrap();
                logits_of(&model, &weights, &images, &(0..50).collect::<Vec<_>>())
            });
            let (stock, fused) = (stock.concat(), fused.concat());
            let largest = stock.iter().fold(1.0_f32, |most, x| most.max(x.abs()));
            for (a, b) in stock.iter().zip(&fused) {
                // 32-bit sums in another order, through a few quadratics: 1e-4 of the largest logit.
                assert!((a - b).abs() < 1e-4 * largest, "{a} {b} of {largest}");
            }
            count += 1;
        }
        assert!(count > 0);
    }
}
