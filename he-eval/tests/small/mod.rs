//! Networks for schemes that take images one by one.

use cryptodl_network::{Artifact, Layer};

use super::common::{artifact, network};

/// Makes the weights of each filter whole multiples of one step, up to `most`.
pub fn whole(mut artifact: Artifact, most: i32) -> Artifact {
    for (name, tensor) in &mut artifact.tensors {
        if name.ends_with(".weight") {
            let fan_in = tensor.data.len() / tensor.shape[0];
            for row in tensor.data.chunks_mut(fan_in) {
                let largest = row.iter().fold(0.0_f32, |a, w| a.max(w.abs()));
                let step = largest / most as f32;
                for w in row {
                    *w = (*w / step).round() * step;
                }
            }
        }
    }
    artifact
}

/// Rounded pixels, convolution, batch norm, activation, rounding, mean pooling, dense, activation,
/// rounding, dense: everything that a look-up takes in, with weights of -1, 0 and 1 multiples.
pub fn rounding(activation: &Layer, levels: u32, seed: u64) -> Artifact {
    let round = |low, high| Layer::Quantise { levels, low, high };
    let layers = vec![
        // not one whole number of steps from 0, so that padding is no level
        Layer::Quantise {
            levels: 2,
            low: -0.55,
            high: 1.2,
        },
        Layer::Convolution {
            out_channels: 2,
            kernel: 3,
            stride: 2,
            padding: 1,
        },
        Layer::BatchNorm,
        activation.clone(),
        round(-0.3, 1.9),
        Layer::MeanPool {
            kernel: 2,
            stride: 2,
        },
        Layer::Dense { outputs: 4 },
        activation.clone(),
        round(0.0, 1.5),
        Layer::Dense { outputs: 3 },
    ];
    whole(artifact(network(1, layers), seed), 1)
}
