//! Shapes, and what is refused.

use super::*;
use approx::Activation;

fn network(layers: Vec<Layer>) -> Network {
    let mut nodes = Nodes::new();
    nodes.then_all(ValueId::INPUT, layers);
    graph(nodes)
}

fn graph(nodes: Nodes) -> Network {
    let input = Shape {
        channels: 1,
        height: 8,
        width: 8,
    };
    let normalisation = Normalisation {
        mean: vec![0.0],
        deviation: vec![1.0],
        standardised: false,
    };
    Network::new("test", input, normalisation, nodes)
}

#[test]
fn shapes_follow_the_layers() {
    let network = network(vec![
        Layer::Convolution {
            out_channels: 3,
            kernel: 3,
            stride: 2,
            padding: 1,
        },
        Layer::BatchNorm,
        Layer::MeanPool {
            kernel: 2,
            stride: 2,
        },
        Layer::Activation(Nonlinearity::Exact(Activation::Relu)),
        Layer::Dense { outputs: 5 },
    ]);
    let shapes: Vec<String> = network
        .shapes()
        .unwrap()
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(shapes, ["3×4×4", "3×4×4", "3×2×2", "3×2×2", "5×1×1"]);
    assert_eq!(network.activation_outputs(), 12);
    assert_eq!(network.multiply_accumulates(), 48 * 9 + 5 * 12);
    assert_eq!(network.depth(), 1);
    assert_eq!(network.parameters(), Ok(3 * 9 + 3 + 6 + 5 * 12 + 5));
    assert_eq!(
        network.parameter_shapes().unwrap()[0],
        ("layers.0.weight".into(), vec![3, 1, 3, 3])
    );
    network.validate().unwrap();
}

#[test]
fn layers_that_do_not_fit_are_refused() {
    for layer in [
        Layer::Convolution {
            out_channels: 0,
            kernel: 3,
            stride: 1,
            padding: 0,
        },
        Layer::Convolution {
            out_channels: 1,
            kernel: 0,
            stride: 1,
            padding: 0,
        },
        Layer::Convolution {
            out_channels: 1,
            kernel: 3,
            stride: 0,
            padding: 0,
        },
        Layer::Convolution {
            out_channels: 1,
            kernel: 9,
            stride: 1,
            padding: 0,
        },
        Layer::Convolution {
            out_channels: 1,
            kernel: usize::MAX,
            stride: 1,
            padding: usize::MAX - 1,
        },
        Layer::Convolution {
            out_channels: usize::MAX,
            kernel: 8,
            stride: 1,
            padding: 0,
        },
        Layer::MeanPool {
            kernel: 9,
            stride: 1,
        },
        Layer::Dense { outputs: 0 },
        Layer::Dense {
            outputs: usize::MAX / 2,
        },
    ] {
        let error = network(vec![layer]).validate().unwrap_err();
        assert!(
            matches!(error, NetworkError::Layer { index: 0, .. }),
            "{error}"
        );
    }
    assert_eq!(
        network(Vec::new()).validate(),
        Err(NetworkError::LayerCount(0))
    );
}

#[test]
fn rounding_layers_stand_first_or_behind_an_activation() {
    let quantise = |levels, low, high| Layer::Quantise { levels, low, high };
    let relu = Layer::Activation(Nonlinearity::Exact(Activation::Relu));
    let dense = Layer::Dense { outputs: 2 };
    let good = network(vec![
        quantise(2, 0.0, 1.0),
        dense.clone(),
        relu,
        quantise(256, -1.0, 1.0),
        dense.clone(),
    ]);
    good.validate().unwrap();
    assert_eq!(good.parameters(), Ok(2 * 64 + 2 + 4 + 2));
    let json = serde_json::to_string(&good.nodes[0].layer).unwrap();
    assert_eq!(json, r#"{"quantise":{"levels":2,"low":0.0,"high":1.0}}"#);
    for (layers, index) in [
        (vec![quantise(1, 0.0, 1.0)], 0),
        (vec![quantise(257, 0.0, 1.0)], 0),
        (vec![quantise(2, 1.0, 1.0)], 0),
        (vec![quantise(2, 0.0, f64::INFINITY)], 0),
        (vec![quantise(2, f64::NAN, 1.0)], 0),
        (vec![quantise(2, -f64::MAX, f64::MAX)], 0),
        (vec![dense.clone(), quantise(2, 0.0, 1.0)], 1),
        (vec![dense, Layer::BatchNorm, quantise(2, 0.0, 1.0)], 2),
    ] {
        let error = network(layers).validate().unwrap_err();
        assert!(
            matches!(error, NetworkError::Layer { index: at, layer: "quantise", .. } if at == index),
            "{error}"
        );
    }
}

#[test]
fn names_and_normalisations_are_checked() {
    let mut bad = network(vec![Layer::Dense { outputs: 2 }]);
    bad.name = "../up".into();
    assert!(matches!(bad.validate(), Err(NetworkError::Name(_))));
    bad.name = "up".into();
    bad.normalisation.deviation[0] = 0.0;
    assert_eq!(
        bad.validate(),
        Err(NetworkError::Normalisation { channels: 1 })
    );
}

#[test]
fn channels_have_polynomials_that_are_alike() {
    let interval = approx::Interval::new(-4.0, 4.0).unwrap();
    let polynomial = |coefficients: &[f64]| {
        Polynomial::new(coefficients.to_vec(), approx::Basis::Chebyshev, interval).unwrap()
    };
    let layers = |polynomials: Vec<Polynomial>| {
        network(vec![
            Layer::Dense { outputs: 2 },
            Layer::Activation(Nonlinearity::Channels {
                polynomials,
                learnable: true,
            }),
        ])
    };
    let good = layers(vec![
        polynomial(&[0.1, 0.2, 0.3]),
        polynomial(&[0.0, 1.0, 2.0]),
    ]);
    good.validate().unwrap();
    assert_eq!(
        (good.depth(), good.activations()[0].is_learnable()),
        (1, true)
    );
    let json = serde_json::to_string(&good).unwrap();
    assert_eq!(serde_json::from_str::<Network>(&json).unwrap(), good);
    for bad in [
        Vec::new(),
        vec![polynomial(&[0.1, 0.2, 0.3])],
        vec![polynomial(&[0.1, 0.2, 0.3]), polynomial(&[0.1, 0.2])],
    ] {
        let error = layers(bad).validate().unwrap_err();
        assert!(
            matches!(error, NetworkError::Layer { index: 1, .. }),
            "{error}"
        );
    }
}

fn dense(outputs: usize) -> Layer {
    Layer::Dense { outputs }
}

fn relu() -> Layer {
    Layer::Activation(Nonlinearity::Exact(Activation::Relu))
}

#[test]
fn values_may_be_read_anywhere_behind_the_node_that_makes_them() {
    // two skip connections that overlap, one with a projection, then a gate and a concatenation
    let mut nodes = Nodes::new();
    let first = nodes.then_all(ValueId::INPUT, [dense(4), relu()]);
    let second = nodes.then_all(first, [dense(6), relu()]);
    let third = nodes.then(second, dense(4));
    let third = nodes.add(third, first);
    let projected = nodes.then(second, dense(4));
    let sum = nodes.add(third, projected);
    let gated = nodes.product(sum, first);
    let all = nodes.concatenation(&[gated, sum, second]);
    nodes.then(all, dense(2));
    let network = graph(nodes);
    network.validate().unwrap();
    let shapes = network.shapes().unwrap();
    assert_eq!(shapes[9].channels, 4 + 4 + 6);
    assert_eq!(network.activation_outputs(), 4 + 6 + 4);
    assert_eq!(network.depth(), 3);
    assert_eq!(network.readers()[first.0], [2, 5, 8]);
    assert_eq!(
        network.multiply_accumulates(),
        64 * 4 + 4 * 6 + 6 * 4 + 6 * 4 + 14 * 2
    );
    assert!(!network.is_chain());
    let json = serde_json::to_string(&network).unwrap();
    assert_eq!(serde_json::from_str::<Network>(&json).unwrap(), network);
}

#[test]
fn what_is_read_must_fit() {
    type Build<'a> = &'a dyn Fn(&mut Nodes);
    let make = |build: Build<'_>| {
        let mut nodes = Nodes::new();
        build(&mut nodes);
        graph(nodes).validate().unwrap_err().to_string()
    };
    let four = |nodes: &mut Nodes| nodes.then(ValueId::INPUT, dense(4));
    let input = ValueId::INPUT;
    let cases: [(&str, Build<'_>); 9] = [
        ("reads nothing", &|nodes| {
            nodes.push(dense(2), vec![]);
        }),
        ("reads value 2", &|nodes| {
            nodes.push(dense(2), vec![ValueId(2)]);
            nodes.then(ValueId(1), dense(2));
        }),
        ("reads value 18446744073709551615", &|nodes| {
            nodes.push(dense(2), vec![ValueId(usize::MAX)]);
        }),
        ("different shapes", &|nodes| {
            let a = four(nodes);
            nodes.product(a, input);
        }),
        ("joins two values", &|nodes| {
            nodes.push(Layer::Add, vec![input]);
        }),
        ("reads one value", &|nodes| {
            nodes.push(dense(2), vec![input, input]);
        }),
        ("differ in height or width", &|nodes| {
            let a = four(nodes);
            nodes.concatenation(&[a, input]);
        }),
        ("64 is the limit", &|nodes| {
            nodes.push(Layer::Concatenation, vec![input; 1_000_000]);
        }),
        ("nothing reads what layer 0", &|nodes| {
            four(nodes);
            four(nodes);
        }),
    ];
    for (words, build) in cases {
        let error = make(build);
        assert!(error.contains(words) && error.len() < 200, "{error}");
    }
}
