//! Small networks with random weights, built in code.

#![allow(dead_code, reason = "each test file uses some of it")]

pub mod blocks;

use std::collections::BTreeMap;

use approx::{Basis, Interval, Polynomial};
use cryptodl_network::{
    Artifact, Layer, Network, Nodes, Nonlinearity, Normalisation, Provenance, Shape, Tensor,
    ValueId,
};
use rand::{Rng, SeedableRng, rngs::StdRng};

/// A network of `layers` on images of `channels × 8 × 8`.
pub fn network(channels: usize, layers: Vec<Layer>) -> Network {
    let mut nodes = Nodes::new();
    nodes.then_all(ValueId::INPUT, layers);
    graph(channels, nodes)
}

/// A network of these nodes on images of `channels × 8 × 8`.
pub fn graph(channels: usize, nodes: Nodes) -> Network {
    let input = Shape {
        channels,
        height: 8,
        width: 8,
    };
    let normalisation = Normalisation {
        mean: (0..channels).map(|c| 0.2 + 0.1 * c as f32).collect(),
        deviation: (0..channels).map(|c| 0.3 + 0.1 * c as f32).collect(),
        standardised: false,
    };
    Network::new("fixture", input, normalisation, nodes)
}

/// Random tensors of the right shapes, as if trained.
pub fn artifact(network: Network, seed: u64) -> Artifact {
    let mut rng = StdRng::seed_from_u64(seed);
    let shapes = network
        .parameter_shapes()
        .expect("the fixture is consistent");
    let mut tensors = BTreeMap::new();
    for (name, shape) in shapes {
        let count: usize = shape.iter().product();
        let fan_in = (count / shape[0]).max(1) as f32;
        let data = (0..count).map(|_| {
            let unit: f32 = rng.random_range(-1.0..1.0);
            match name.rsplit('.').next() {
                Some("weight") => unit * (3.0 / fan_in).sqrt(),
                Some("gamma") => 1.0 + 0.3 * unit,
                Some("variance") => 1.0 + 0.5 * unit,
                _ => 0.3 * unit,
            }
        });
        let data = data.collect();
        tensors.insert(name, Tensor { shape, data });
    }
    Artifact {
        network,
        tensors,
        provenance: provenance(),
    }
}

fn provenance() -> Provenance {
    Provenance {
        dataset: "fixture".into(),
        activation: "relu".into(),
        method: "fixture".into(),
        degree: 2,
        low: -4.0,
        high: 4.0,
        seed: 0,
        epochs: 0,
        train_accuracy: 0.0,
        validation_accuracy: 0.0,
        test_accuracy: 0.0,
        train_s: 0.0,
        recipe: serde_json::Value::Null,
        command: String::new(),
        commit: String::new(),
        created: String::new(),
    }
}

/// An activation with these coefficients of `T_k(u)`, `u = x / 4`.
pub fn polynomial(coefficients: &[f64]) -> Layer {
    let on = Interval::new(-4.0, 4.0).expect("a valid interval");
    let polynomial = Polynomial::new(coefficients.to_vec(), Basis::Chebyshev, on);
    let polynomial = polynomial.expect("a valid polynomial");
    Layer::Activation(Nonlinearity::Polynomial {
        polynomial,
        learnable: false,
    })
}

/// `images` random images.
pub fn pixels(network: &Network, images: usize, seed: u64) -> Vec<u8> {
    let mut rng = StdRng::seed_from_u64(seed);
    (0..images * network.input.len())
        .map(|_| rng.random())
        .collect()
}

/// Convolution, batch norm, activation, dense, batch norm, activation, dense.
pub fn small(coefficients: &[f64]) -> Network {
    network(
        1,
        vec![
            Layer::Convolution {
                out_channels: 2,
                kernel: 3,
                stride: 2,
                padding: 1,
            },
            Layer::BatchNorm,
            polynomial(coefficients),
            Layer::Dense { outputs: 4 },
            Layer::BatchNorm,
            polynomial(coefficients),
            Layer::Dense { outputs: 3 },
        ],
    )
}
