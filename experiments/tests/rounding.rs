//! Training and encrypted evaluation round weights alike.

use approx::{Activation, Interval};
use cryptodl_he_eval::graph::{Graph, Operation};
use cryptodl_he_eval::{lower, quantise::grid};
use cryptodl_network::{Artifact, Layer, Network, Nonlinearity, Provenance, Tensor, zoo};
use cryptodl_train::evaluation_weights;
use rand::{Rng, SeedableRng, rngs::StdRng};
use std::path::Path;

/// The integers of each linear layer of a graph that was rounded to steps.
fn integers(graph: &Graph<f64>, steps: &[f64]) -> Vec<Vec<i64>> {
    let linear = graph.nodes.iter().filter_map(|node| match &node.operation {
        Operation::Linear(linear) => Some(linear),
        _ => None,
    });
    let layers = linear.zip(steps).map(|(linear, step)| {
        let weights = linear.matrices.iter().flat_map(|matrix| &matrix.data);
        weights.map(|w| (w / step).round() as i64).collect()
    });
    layers.collect()
}

/// As if trained.
fn random(network: Network) -> Artifact {
    let mut rng = StdRng::seed_from_u64(5);
    let shapes = network.parameter_shapes().unwrap().into_iter();
    let tensors = shapes.map(|(name, shape)| {
        let kind = name.rsplit('.').next().unwrap().to_owned();
        let data = (0..shape.iter().product()).map(|_| match kind.as_str() {
            "gamma" | "variance" => rng.random_range(0.5..1.5),
            _ => rng.random_range(-1.0..1.0_f32),
        });
        let data = data.collect();
        (name, Tensor { shape, data })
    });
    Artifact {
        tensors: tensors.collect(),
        network,
        provenance: Provenance::default(),
    }
}

fn agree(artifact: &Artifact, bits: u32) {
    let name = &artifact.network.name;
    let graph = lower(artifact).unwrap();
    let rounded = grid(&graph, bits).unwrap();
    let evaluated = integers(&rounded.graph, &rounded.steps);
    let trained = evaluation_weights(artifact, bits).unwrap();
    assert_eq!(trained.len(), evaluated.len(), "{name}");
    for (layer, (trained, evaluated)) in trained.iter().zip(&evaluated).enumerate() {
        assert_eq!(trained.len(), evaluated.len(), "{name}, layer {layer}");
        // Filters with a pool in them are summed in 32 bits by training: a weight halfway between two integers may
        // go either way, and hands its error on to the next.
        let other = trained
            .iter()
            .zip(evaluated)
            .filter(|(a, b)| a != b)
            .count();
        assert!(
            other * 500 <= trained.len(),
            "{name} at {bits} bits, layer {layer}: {other} of {} differ",
            trained.len()
        );
        let far = trained
            .iter()
            .zip(evaluated)
            .any(|(a, b)| (a - b).abs() > 1);
        assert!(!far, "{name} at {bits} bits, layer {layer}");
    }
}

#[test]
fn training_takes_the_integers_that_evaluation_takes() {
    let on = Interval::new(-4.0, 4.0).unwrap();
    let quadratic = approx::method("chebyshev")
        .unwrap()
        .fit(&Activation::Relu, on, 2)
        .unwrap();
    let quadratic = Nonlinearity::Polynomial {
        polynomial: quadratic,
        learnable: false,
    };
    // Pools behind convolutions, padding, strides, colours.
    for name in ["cryptonets", "pooled", "lenet-w50", "plain-w20"] {
        let network = zoo::network(name).unwrap().with_activation(&quadratic);
        let artifact = random(network);
        for bits in [3, 8] {
            agree(&artifact, bits);
        }
    }
    // Batch norm that stands behind an activation scales columns.
    let mut late = zoo::network("pooled-w50")
        .unwrap()
        .with_activation(&quadratic);
    late.layers.insert(4, Layer::BatchNorm);
    agree(&random(late), 5);
}

#[test]
fn shipped_networks_are_rounded_alike() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../results/models");
    for name in ["cryptonets", "pooled"] {
        let artifact = Artifact::load(&folder.join(format!("{name}.safetensors"))).unwrap();
        agree(&artifact, 8);
    }
}
