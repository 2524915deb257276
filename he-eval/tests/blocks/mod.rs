//! Networks with a skip connection.

use cryptodl_network::{Layer, Network};

use super::common::network;

/// Convolution, activation, and a block that is added to what enters it, with `inside` in front of its last layers;
/// then a dense layer.
pub fn residual(activation: &Layer, inside: Vec<Layer>) -> Network {
    let convolution = |kernel, stride, padding| Layer::Convolution {
        out_channels: 2,
        kernel,
        stride,
        padding,
    };
    let mut layers = vec![
        convolution(3, 2, 1),
        Layer::BatchNorm,
        activation.clone(),
        Layer::Skip,
    ];
    layers.extend(inside);
    layers.extend([
        convolution(3, 1, 1),
        Layer::BatchNorm,
        Layer::Add,
        Layer::BatchNorm,
        activation.clone(),
        Layer::Dense { outputs: 3 },
    ]);
    network(1, layers)
}

/// What usually stands in front of the last convolution of a block: a wider one, batch norm, activation.
pub fn block(activation: &Layer) -> Vec<Layer> {
    let convolution = Layer::Convolution {
        out_channels: 3,
        kernel: 3,
        stride: 1,
        padding: 1,
    };
    vec![convolution, Layer::BatchNorm, activation.clone()]
}
