//! Folding must not change what a network computes.

mod common;
mod straight;

use approx::Activation;
use common::{
    artifact,
    blocks::{block, graphs, residual},
    network, pixels, polynomial,
};
use cryptodl_fold::{Graph, fold};
use cryptodl_network::{Artifact, Layer, Network, Nonlinearity};
use straight::{folded, reference};

#[expect(clippy::too_many_lines, reason = "a table")]
fn networks() -> Vec<(&'static str, Network)> {
    let conv = |out_channels, kernel, stride, padding| Layer::Convolution {
        out_channels,
        kernel,
        stride,
        padding,
    };
    let pool = |kernel, stride| Layer::MeanPool { kernel, stride };
    let quadratic = || polynomial(&[0.7, 1.9, 0.8]);
    let relu = || Layer::Activation(Nonlinearity::Exact(Activation::Relu));
    let dense = |outputs| Layer::Dense { outputs };
    vec![
        ("plain", common::small(&[0.7, 1.9, 0.8])),
        ("cubic", common::small(&[0.2, 1.5, 0.1, -0.3])),
        ("quartic", common::small(&[0.7, 1.9, 0.8, 0.2, -0.1])),
        ("quintic", common::small(&[0.2, 1.5, 0.1, -0.3, 0.05, 0.1])),
        ("linear activation", common::small(&[0.2, 1.5])),
        (
            "pool after convolution, two channels in",
            network(
                2,
                vec![
                    conv(3, 3, 1, 1),
                    Layer::BatchNorm,
                    pool(2, 2),
                    quadratic(),
                    dense(3),
                ],
            ),
        ),
        (
            "pool before batch norm, stride 2",
            network(
                1,
                vec![
                    conv(2, 3, 2, 1),
                    pool(2, 2),
                    Layer::BatchNorm,
                    relu(),
                    dense(3),
                ],
            ),
        ),
        (
            "pool after activation, then padded convolution",
            network(
                1,
                vec![
                    conv(2, 3, 1, 1),
                    quadratic(),
                    pool(2, 2),
                    conv(2, 3, 1, 1),
                    quadratic(),
                    dense(3),
                ],
            ),
        ),
        (
            "overlapping pool after activation, then padded convolution",
            network(
                1,
                vec![
                    conv(2, 3, 1, 1),
                    quadratic(),
                    pool(3, 2),
                    conv(2, 3, 1, 1),
                    quadratic(),
                    dense(2),
                ],
            ),
        ),
        (
            "pool of an odd image, then padded convolution",
            network(
                1,
                vec![
                    conv(2, 2, 1, 0),
                    quadratic(),
                    pool(2, 2),
                    conv(2, 3, 1, 1),
                    quadratic(),
                    dense(2),
                ],
            ),
        ),
        (
            "overlapping pool after activation, then dense",
            network(
                1,
                vec![
                    conv(2, 3, 1, 1),
                    quadratic(),
                    Layer::BatchNorm,
                    pool(3, 2),
                    dense(3),
                ],
            ),
        ),
        (
            "batch norm first",
            network(
                2,
                vec![Layer::BatchNorm, conv(2, 3, 1, 1), quadratic(), dense(2)],
            ),
        ),
        ("activation first", network(2, vec![quadratic(), dense(3)])),
        ("activation last", network(1, vec![dense(3), quadratic()])),
        (
            "two pools",
            network(1, vec![pool(2, 2), pool(2, 2), dense(3)]),
        ),
        (
            "two convolutions",
            network(
                1,
                vec![conv(2, 3, 1, 1), conv(2, 3, 2, 1), quadratic(), dense(2)],
            ),
        ),
        (
            "rounded pixels and rounded activations",
            network(
                1,
                vec![
                    Layer::Quantise {
                        levels: 3,
                        low: -0.4,
                        high: 1.1,
                    },
                    conv(2, 3, 2, 1),
                    Layer::BatchNorm,
                    quadratic(),
                    Layer::Quantise {
                        levels: 16,
                        low: -0.5,
                        high: 2.5,
                    },
                    dense(3),
                ],
            ),
        ),
        ("nothing but batch norm", network(1, vec![Layer::BatchNorm])),
    ]
}

#[test]
fn folding_changes_nothing() {
    let all = || networks().into_iter().chain(graph_networks());
    let mirrored = all().map(|(name, network)| {
        let mirrored = true;
        (
            name,
            Network {
                mirrored,
                ..network
            },
        )
    });
    for (name, network) in all().chain(mirrored) {
        let artifact = artifact(network, 1);
        let graph = fold(&artifact).unwrap_or_else(|e| panic!("{name}: {e}"));
        for image in pixels(&artifact.network, 5, 2).chunks(artifact.network.input.len()) {
            let expected = reference(&artifact, image);
            let got = folded(&graph, image);
            assert_eq!(got.len(), expected.len(), "{name}");
            let size = expected.iter().fold(1.0, |a: f64, v| a.max(v.abs()));
            for (a, b) in got.iter().zip(&expected) {
                // only the order of f64 operations differs; quartics cancel a few digits
                assert!((a - b).abs() < 1e-9 * size, "{name}: {a} is not {b}");
            }
        }
    }
}

/// Graphs with every kind of activation.
fn graph_networks() -> Vec<(&'static str, Network)> {
    let relu = Layer::Activation(Nonlinearity::Exact(Activation::Relu));
    let polynomials: [&[f64]; 5] = [
        &[0.2, 1.5],
        &[0.7, 1.9, 0.8],
        &[0.2, 1.5, 0.1, -0.3],
        &[0.7, 1.9, 0.8, 0.2, -0.1],
        &[0.2, 1.5, 0.1, -0.3, 0.05, 0.1],
    ];
    let activations = polynomials.map(polynomial).into_iter().chain([relu]);
    let mut networks: Vec<(&str, Network)> = activations.clone().flat_map(|a| graphs(&a)).collect();
    networks.extend(activations.map(|activation| {
        let twice = [block(&activation), block(&activation)].concat();
        ("two blocks in one", residual(&activation, twice))
    }));
    networks
}

#[test]
fn a_skip_connection_costs_neither_a_product_nor_a_layer() {
    let activation = polynomial(&[0.7, 1.9, 0.8]);
    let network = residual(&activation, block(&activation));
    let graph = fold(&artifact(network.clone(), 1)).unwrap();
    assert_eq!((graph.depth(), graph.linears().count()), (3, 4));
    assert_eq!(graph.ciphertext_products(), 32 + 48 + 32);
    assert_eq!(graph.ciphertext_products(), network.activation_outputs());
}

#[test]
fn nothing_affine_is_left_outside_of_linear_layers_and_sums() {
    use cryptodl_fold::Operation;
    let quadratic = polynomial(&[0.7, 1.9, 0.8]);
    let counts = |wanted: &str| {
        let (_, network) = graphs(&quadratic)
            .into_iter()
            .find(|(name, _)| *name == wanted)
            .unwrap();
        let graph = fold(&artifact(network, 1)).unwrap();
        let count = |kind: fn(&Operation<f64>) -> bool| {
            graph
                .nodes
                .iter()
                .filter(|node| kind(&node.operation))
                .count()
        };
        (
            count(|o| matches!(o, Operation::Linear(_))),
            count(|o| matches!(o, Operation::Product(_))),
            count(|o| matches!(o, Operation::Add(_))),
            graph.nodes.len(),
        )
    };
    assert_eq!(counts("a residual block"), (4, 3, 1, 8));
    assert_eq!(counts("two skip connections that overlap"), (4, 2, 1, 7));
    assert_eq!(counts("a projection on a skip connection"), (5, 3, 1, 9));
    assert_eq!(counts("pre-activation blocks"), (4, 3, 2, 9));
    assert_eq!(counts("a concatenation"), (4, 2, 0, 6));
    assert_eq!(counts("a gate"), (3, 1, 0, 4));
}

#[test]
fn a_mirror_image_costs_the_same_again_and_no_weight() {
    let one = common::small(&[0.7, 1.9, 0.8]);
    let both = Network {
        mirrored: true,
        ..one.clone()
    };
    let [lowered, twice] = [&one, &both].map(|n| fold(&artifact(n.clone(), 1)).unwrap());
    assert_eq!(
        (twice.inputs(), twice.depth()),
        (lowered.inputs(), lowered.depth())
    );
    assert_eq!(
        (twice.ciphertext_products(), twice.plain_products()),
        (
            2 * lowered.ciphertext_products(),
            2 * lowered.plain_products()
        )
    );
    assert_eq!(both.activation_outputs(), 2 * one.activation_outputs());
    assert_eq!(both.multiply_accumulates(), 2 * one.multiply_accumulates());
    let first = |graph: &Graph<f64>| graph.linears().next().unwrap().matrices[0].data.clone();
    assert_eq!(first(&twice), first(&lowered));
}

#[test]
fn pooling_after_a_convolution_costs_no_layer() {
    let linears = |wanted: &str| {
        let (_, network) = networks()
            .into_iter()
            .find(|(name, _)| *name == wanted)
            .unwrap();
        fold(&artifact(network, 1)).unwrap().linears().count()
    };
    assert_eq!(linears("pool after convolution, two channels in"), 2);
    assert_eq!(linears("overlapping pool after activation, then dense"), 2);
    assert_eq!(
        linears("overlapping pool after activation, then padded convolution"),
        4
    );
}

#[test]
fn a_quadratic_activation_is_one_product_a_value() {
    let graph = fold(&artifact(common::small(&[0.7, 1.9, 0.8]), 1)).unwrap();
    assert_eq!(graph.depth(), 2);
    assert_eq!(graph.ciphertext_products(), 2 * 16 + 4);
}

#[test]
fn a_constant_activation_is_refused() {
    let error = fold(&artifact(common::small(&[0.7]), 1)).unwrap_err();
    assert!(
        error.to_string().contains("layer 2 is a constant"),
        "{error}"
    );
}

/// Two channels with polynomials of their own behind a convolution, then a dense layer.
fn channels(coefficients: [&[f64]; 2]) -> Artifact {
    let of = |coefficients: &[f64]| match polynomial(coefficients) {
        Layer::Activation(Nonlinearity::Polynomial { polynomial, .. }) => polynomial,
        other => panic!("{other:?} is no polynomial"),
    };
    let mut network = common::small(&[0.7, 1.9, 0.8]);
    network.nodes[2].layer = Layer::Activation(Nonlinearity::Channels {
        polynomials: coefficients.map(of).to_vec(),
        learnable: true,
    });
    artifact(network, 3)
}

#[test]
fn channels_keep_polynomials_of_their_own() {
    let pairs: [[&[f64]; 2]; 4] = [
        [&[0.1, 1.5], &[0.3, -0.7]],
        [&[0.7, 1.9, 0.8], &[-0.2, 0.4, 1.1]],
        [&[0.7, 1.9, 0.8, 0.3], &[-0.2, 0.4, 1.1, -0.5]],
        [&[0.7, 1.9, 0.8, 0.3, 0.2], &[-0.2, 0.4, 1.1, 0.0, 0.6]],
    ];
    for pair in pairs {
        let artifact = channels(pair);
        let graph = fold(&artifact).unwrap();
        for image in pixels(&artifact.network, 3, 9).chunks(graph.inputs()) {
            let (got, expected) = (folded(&graph, image), reference(&artifact, image));
            let size = expected.iter().fold(1.0, |a: f64, v| a.max(v.abs()));
            for (a, b) in got.iter().zip(&expected) {
                // as in `folding_changes_nothing`
                assert!((a - b).abs() < 1e-9 * size, "{pair:?}: {a} is not {b}");
            }
        }
    }
    let error = fold(&channels([&[0.7, 1.9, 0.8], &[0.2, 0.4, 0.0]])).unwrap_err();
    assert!(error.to_string().contains("leading coefficient"), "{error}");
    let high: [&[f64]; 2] = [
        &[0.7, 1.9, 0.8, 0.3, 0.2, 0.1],
        &[0.2, 0.4, 0.1, 0.1, 0.1, 0.3],
    ];
    let error = fold(&channels(high)).unwrap_err();
    assert!(error.to_string().contains("degree of at most 4"), "{error}");
}
