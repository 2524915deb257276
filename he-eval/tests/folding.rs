//! Folding must not change what a network computes.

mod blocks;
mod common;
mod straight;

use approx::Activation;
use blocks::{block, residual};
use common::{artifact, network, pixels, polynomial};
use cryptodl_he_eval::lower;
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
    let all = || networks().into_iter().chain(residual_networks());
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
        let graph = lower(&artifact).unwrap_or_else(|e| panic!("{name}: {e}"));
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

/// Skip connections past everything that they can pass.
#[expect(clippy::too_many_lines, reason = "a table")]
fn residual_networks() -> Vec<(&'static str, Network)> {
    let conv = |out_channels| Layer::Convolution {
        out_channels,
        kernel: 3,
        stride: 1,
        padding: 1,
    };
    let pool = || Layer::MeanPool {
        kernel: 2,
        stride: 2,
    };
    let dense = |outputs| Layer::Dense { outputs };
    let quadratic = || polynomial(&[0.7, 1.9, 0.8]);
    let relu = || Layer::Activation(Nonlinearity::Exact(Activation::Relu));
    let twice = |activation: &Layer| [block(activation), block(activation)].concat();
    let powers: [(&str, Layer); 5] = [
        ("linear", polynomial(&[0.2, 1.5])),
        ("quadratic", quadratic()),
        ("cubic", polynomial(&[0.2, 1.5, 0.1, -0.3])),
        ("quartic", polynomial(&[0.7, 1.9, 0.8, 0.2, -0.1])),
        ("relu", relu()),
    ];
    let mut networks = Vec::new();
    for (name, activation) in powers {
        networks.push((name, residual(&activation, block(&activation))));
        networks.push((name, residual(&activation, twice(&activation))));
    }
    networks.extend([
        ("nothing to pass", residual(&quadratic(), Vec::new())),
        (
            "a linear layer to pass",
            residual(&quadratic(), vec![conv(3)]),
        ),
        (
            "from the image itself, past a pool behind it",
            network(
                1,
                vec![
                    Layer::Skip,
                    conv(3),
                    quadratic(),
                    conv(1),
                    Layer::Add,
                    pool(),
                    dense(3),
                ],
            ),
        ),
        (
            "from a pool to an activation, batch norm first",
            network(
                2,
                vec![
                    conv(2),
                    quadratic(),
                    pool(),
                    Layer::Skip,
                    Layer::BatchNorm,
                    conv(2),
                    quadratic(),
                    Layer::Add,
                    quadratic(),
                    dense(3),
                ],
            ),
        ),
        (
            "from a linear layer, with dense ones between, to the end",
            network(
                1,
                vec![
                    dense(4),
                    Layer::Skip,
                    dense(5),
                    Layer::BatchNorm,
                    quadratic(),
                    dense(4),
                    Layer::Add,
                ],
            ),
        ),
        (
            "one behind the other",
            network(
                1,
                vec![
                    dense(4),
                    quadratic(),
                    Layer::Skip,
                    dense(4),
                    quadratic(),
                    dense(4),
                    Layer::Add,
                    Layer::Skip,
                    dense(4),
                    Layer::BatchNorm,
                    quadratic(),
                    dense(4),
                    Layer::Add,
                    dense(3),
                ],
            ),
        ),
    ]);
    networks
}

#[test]
fn a_skip_connection_costs_two_products_a_value_and_no_layer() {
    let activation = polynomial(&[0.7, 1.9, 0.8]);
    let network = residual(&activation, block(&activation));
    let graph = lower(&artifact(network.clone(), 1)).unwrap();
    assert_eq!((graph.depth(), graph.linears().count()), (3, 4));
    // 32 values, then 48 and twice the 32 that are carried, then 32
    assert_eq!(graph.ciphertext_products(), 32 + 48 + 64 + 32);
    assert_eq!(graph.ciphertext_products(), network.activation_outputs());
}

#[test]
fn a_mirror_image_costs_the_same_again_and_no_weight() {
    let one = common::small(&[0.7, 1.9, 0.8]);
    let both = Network {
        mirrored: true,
        ..one.clone()
    };
    let [lowered, twice] = [&one, &both].map(|n| lower(&artifact(n.clone(), 1)).unwrap());
    assert_eq!(
        (twice.inputs, twice.depth()),
        (lowered.inputs, lowered.depth())
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
    let first = |graph: &cryptodl_he_eval::graph::Graph<f64>| {
        graph.linears().next().unwrap().matrices[0].data.clone()
    };
    assert_eq!(first(&twice), first(&lowered));
}

#[test]
fn weights_of_skip_connections_are_no_larger_than_those_beside_them() {
    let activation = polynomial(&[0.7, 1.9, 0.8]);
    let graph = lower(&artifact(residual(&activation, block(&activation)), 1)).unwrap();
    let peaks: Vec<Vec<f64>> = graph
        .linears()
        .map(|linear| {
            let matrices = linear.matrices.iter();
            let peak = |data: &[f64]| data.iter().fold(0.0, |peak: f64, w| peak.max(w.abs()));
            matrices.map(|matrix| peak(&matrix.data)).collect()
        })
        .collect();
    // the second layer carries values in rows of their own, the third adds them in columns
    let [own, carried] = peaks[1][..] else {
        panic!("{peaks:?}")
    };
    assert!((own - carried).abs() < 1e-12, "{peaks:?}");
    let third = graph.linears().nth(2).unwrap().matrices[0].row(0).to_vec();
    let (own, added) = third.split_at(third.len() - 4);
    let peak = own.iter().fold(0.0, |peak: f64, w| peak.max(w.abs()));
    assert!(
        peak > 0.0 && added.iter().all(|w| w.abs() < peak * 2.0),
        "{third:?}"
    );
}

#[test]
fn what_a_skip_connection_cannot_pass_is_named() {
    let tanh = Layer::Activation(Nonlinearity::Exact(Activation::Tanh));
    let quintic = polynomial(&[0.2, 1.5, 0.1, -0.3, 0.05, 0.1]);
    let quadratic = polynomial(&[0.7, 1.9, 0.8]);
    let convolution = |kernel, padding| Layer::Convolution {
        out_channels: 2,
        kernel,
        stride: 1,
        padding,
    };
    let wider = vec![convolution(2, 1), quadratic.clone(), convolution(2, 0)];
    for (network, layer, words) in [
        (residual(&tanh, block(&tanh)), 6, "ReLU"),
        (residual(&quintic, block(&quintic)), 6, "degree 4"),
        (residual(&quadratic, wider), 4, "height or width"),
    ] {
        let error = lower(&artifact(network, 1)).unwrap_err().to_string();
        assert!(
            error.contains(words) && error.contains(&format!("layer {layer}")),
            "{error}"
        );
    }
}

#[test]
fn pooling_after_a_convolution_costs_no_layer() {
    let linears = |wanted: &str| {
        let (_, network) = networks()
            .into_iter()
            .find(|(name, _)| *name == wanted)
            .unwrap();
        lower(&artifact(network, 1)).unwrap().linears().count()
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
    let graph = lower(&artifact(common::small(&[0.7, 1.9, 0.8]), 1)).unwrap();
    assert_eq!(graph.depth(), 2);
    assert_eq!(graph.ciphertext_products(), 2 * 16 + 4);
}

#[test]
fn a_constant_activation_is_refused() {
    let error = lower(&artifact(common::small(&[0.7]), 1)).unwrap_err();
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
    network.layers[2] = Layer::Activation(Nonlinearity::Channels {
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
        let graph = lower(&artifact).unwrap();
        for image in pixels(&artifact.network, 3, 9).chunks(graph.inputs) {
            let (got, expected) = (folded(&graph, image), reference(&artifact, image));
            let size = expected.iter().fold(1.0, |a: f64, v| a.max(v.abs()));
            for (a, b) in got.iter().zip(&expected) {
                // as in `folding_changes_nothing`
                assert!((a - b).abs() < 1e-9 * size, "{pair:?}: {a} is not {b}");
            }
        }
    }
    let error = lower(&channels([&[0.7, 1.9, 0.8], &[0.2, 0.4, 0.0]])).unwrap_err();
    assert!(error.to_string().contains("leading coefficient"), "{error}");
    let high: [&[f64]; 2] = [
        &[0.7, 1.9, 0.8, 0.3, 0.2, 0.1],
        &[0.2, 0.4, 0.1, 0.1, 0.1, 0.3],
    ];
    let error = lower(&channels(high)).unwrap_err();
    assert!(error.to_string().contains("degree of at most 4"), "{error}");
}
