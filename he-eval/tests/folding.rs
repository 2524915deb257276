//! Folding must not change what a network computes.

mod common;

use approx::Activation;
use common::{artifact, network, pixels, polynomial};
use cryptodl_he_eval::{
    graph::{Function, Graph, Operation, PADDING},
    lower,
};
use cryptodl_network::{
    Artifact, BATCH_NORM_EPSILON, Layer, Network, Nonlinearity, Normalisation, Shape,
};

/// The network layer by layer, straight from the definitions.
fn reference(artifact: &Artifact, image: &[u8]) -> Vec<f64> {
    let network = &artifact.network;
    let mut shape = network.input;
    let area = shape.height * shape.width;
    let mut x: Vec<f64> = image
        .iter()
        .enumerate()
        .map(|(i, &p)| {
            let Normalisation {
                mean, deviation, ..
            } = &network.normalisation;
            (f64::from(p) / 255.0 - f64::from(mean[i / area])) / f64::from(deviation[i / area])
        })
        .collect();
    for (index, (layer, after)) in network
        .layers
        .iter()
        .zip(network.shapes().unwrap())
        .enumerate()
    {
        let tensor = |name: &str| &artifact.tensor(&format!("layers.{index}.{name}")).data;
        x = match layer {
            Layer::Convolution {
                kernel,
                stride,
                padding,
                ..
            } => convolution(
                &x,
                (shape, after),
                (tensor("weight"), tensor("bias")),
                (*kernel, *stride, *padding),
            ),
            Layer::Dense { outputs } => (0..*outputs)
                .map(|o| {
                    let row = &tensor("weight")[o * x.len()..(o + 1) * x.len()];
                    let sum: f64 = row.iter().zip(&x).map(|(&w, v)| f64::from(w) * v).sum();
                    sum + f64::from(tensor("bias")[o])
                })
                .collect(),
            Layer::BatchNorm => {
                let positions = shape.height * shape.width;
                let at = |name: &str, i: usize| f64::from(tensor(name)[i / positions]);
                x.iter()
                    .enumerate()
                    .map(|(i, v)| {
                        let spread = (at("variance", i) + BATCH_NORM_EPSILON).sqrt();
                        at("gamma", i) * (v - at("mean", i)) / spread + at("beta", i)
                    })
                    .collect()
            }
            Layer::MeanPool { kernel, stride } => mean_pool(&x, shape, after, *kernel, *stride),
            Layer::Activation(Nonlinearity::Exact(activation)) => {
                x.iter().map(|&v| activation.value(v)).collect()
            }
            Layer::Activation(Nonlinearity::Polynomial { polynomial, .. }) => {
                x.iter().map(|&v| polynomial.eval(v)).collect()
            }
            Layer::Activation(Nonlinearity::Channels { polynomials, .. }) => {
                let positions = shape.height * shape.width;
                let own = |i: usize| &polynomials[i / positions];
                x.iter().enumerate().map(|(i, &v)| own(i).eval(v)).collect()
            }
            Layer::Quantise { levels, low, high } => {
                let step = (high - low) / f64::from(levels - 1);
                let round = |v: f64| low + step * ((v.clamp(*low, *high) - low) / step).round();
                x.iter().map(|&v| round(v)).collect()
            }
        };
        shape = after;
    }
    x
}

fn convolution(
    x: &[f64],
    (before, after): (Shape, Shape),
    (weight, bias): (&[f32], &[f32]),
    (kernel, stride, padding): (usize, usize, usize),
) -> Vec<f64> {
    let mut out = Vec::new();
    for o in 0..after.channels {
        for oy in 0..after.height {
            for ox in 0..after.width {
                let mut sum = f64::from(bias[o]);
                for c in 0..before.channels {
                    for ky in 0..kernel {
                        for kx in 0..kernel {
                            let (y, x0) = (oy * stride + ky, ox * stride + kx);
                            let inside = |v: usize, size: usize| v >= padding && v < size + padding;
                            if inside(y, before.height) && inside(x0, before.width) {
                                let at = (c * before.height + y - padding) * before.width;
                                let w =
                                    weight[((o * before.channels + c) * kernel + ky) * kernel + kx];
                                sum += f64::from(w) * x[at + x0 - padding];
                            }
                        }
                    }
                }
                out.push(sum);
            }
        }
    }
    out
}

fn mean_pool(x: &[f64], before: Shape, after: Shape, kernel: usize, stride: usize) -> Vec<f64> {
    let mut out = Vec::new();
    for c in 0..after.channels {
        for oy in 0..after.height {
            for ox in 0..after.width {
                let mut sum = 0.0;
                for dy in 0..kernel {
                    for dx in 0..kernel {
                        let row = c * before.height + oy * stride + dy;
                        sum += x[row * before.width + ox * stride + dx];
                    }
                }
                out.push(sum / (kernel * kernel) as f64);
            }
        }
    }
    out
}

/// The folded graph on one image, straight from its definition.
fn folded(graph: &Graph<f64>, image: &[u8]) -> Vec<f64> {
    let mut x: Vec<f64> = image.iter().map(|&p| f64::from(graph.encode(p))).collect();
    for node in &graph.nodes {
        x = match &node.operation {
            Operation::Linear(linear) => {
                let mut out = linear.bias.clone();
                for tile in &linear.tiles {
                    for (row, &o) in tile.outputs.iter().enumerate() {
                        for (w, &i) in linear.matrices[tile.matrix]
                            .row(row)
                            .iter()
                            .zip(&tile.inputs)
                        {
                            out[o as usize] += if i == PADDING { 0.0 } else { w * x[i as usize] };
                        }
                    }
                }
                out
            }
            Operation::Power(power) => x
                .iter()
                .enumerate()
                .map(|(i, &y)| {
                    let lower = &power.lower[i / power.positions];
                    let terms = lower.iter().enumerate();
                    y.powi(power.degree as i32)
                        + terms.map(|(k, b)| b * y.powi(k as i32 + 1)).sum::<f64>()
                })
                .collect(),
            Operation::Function(Function::Exact(activation)) => {
                x.iter().map(|&v| activation.value(v)).collect()
            }
            Operation::Function(Function::Polynomial(polynomial)) => {
                x.iter().map(|&v| polynomial.eval(v)).collect()
            }
            Operation::Function(Function::Rounding(rounding)) => {
                x.iter().map(|&v| rounding.value(v)).collect()
            }
            Operation::Function(Function::Tables(_)) => unreachable!("for integer graphs only"),
        };
    }
    x
}

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
    for (name, network) in networks() {
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
