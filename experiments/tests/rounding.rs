//! Training and encrypted evaluation round weights alike, because they call the same functions.

use approx::{Activation, Interval};
use cryptodl_fold::graph::Operation;
use cryptodl_fold::{fold, rounding};
use cryptodl_network::{Artifact, Layer, Network, Nodes, Nonlinearity, Provenance, Tensor, zoo};
use cryptodl_train::evaluation_weights;
use rand::{Rng, SeedableRng, rngs::StdRng};
use std::path::Path;

/// The integers of each linear layer as evaluation rounds them.
fn evaluated(artifact: &Artifact, bits: u32) -> Vec<Vec<i64>> {
    let stepped = rounding::steps(&fold(artifact).unwrap(), bits).unwrap();
    let nodes = stepped.graph.nodes.iter().zip(&stepped.steps);
    let layers = nodes.filter_map(|(node, step)| match &node.operation {
        Operation::Linear(linear) => {
            let weights = linear.matrices.iter().flat_map(|matrix| &matrix.data);
            Some(weights.map(|w| (w / step).round() as i64).collect())
        }
        _ => None,
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
    let trained = evaluation_weights(artifact, bits).unwrap();
    let evaluated = evaluated(artifact, bits);
    assert!(!trained.is_empty());
    assert!(
        trained == evaluated,
        "{} at {bits} bits is rounded to other integers",
        artifact.network.name
    );
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
    // Pools behind convolutions and in front of dense layers, padding, strides, colours, skip connections.
    for name in [
        "cryptonets",
        "pooled",
        "lenet-w50",
        "plain-w20",
        "compact",
        "residual-w10",
        "airbench-w10",
        "airbench96-w10",
    ] {
        let network = zoo::network(name).unwrap().with_activation(&quadratic);
        let artifact = random(network);
        for bits in [3, 8] {
            agree(&artifact, bits);
        }
    }
    // Batch norm that stands behind an activation scales columns.
    let pooled = zoo::network("pooled-w50")
        .unwrap()
        .with_activation(&quadratic);
    let mut layers: Vec<Layer> = pooled.layers().cloned().collect();
    layers.insert(4, Layer::BatchNorm);
    let late = Network::chain("late", pooled.input, pooled.normalisation.clone(), layers);
    agree(&random(late), 5);
    // A gate, and a concatenation.
    let mut nodes = Nodes::new();
    let layers: Vec<Layer> = pooled.layers().take(4).cloned().collect();
    let entry = nodes.then_all(cryptodl_network::ValueId::INPUT, layers);
    let same = Layer::Convolution {
        out_channels: pooled.shapes().unwrap()[3].channels,
        kernel: 3,
        stride: 1,
        padding: 1,
    };
    let inner = nodes.then_all(entry, [same, Layer::BatchNorm]);
    let gated = nodes.product(inner, entry);
    let all = nodes.concatenation(&[gated, entry]);
    nodes.then(all, Layer::Dense { outputs: 10 });
    let joined = Network::new("joined", pooled.input, pooled.normalisation.clone(), nodes);
    agree(&random(joined), 5);
}

#[test]
fn shipped_networks_are_rounded_alike() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../results/models");
    for name in ["cryptonets", "pooled", "larger/residual"] {
        let artifact = Artifact::load(&folder.join(format!("{name}.safetensors"))).unwrap();
        if !artifact.network.mirrored {
            agree(&artifact, 8);
        }
    }
}
