//! Shapes, and what is refused.

use super::*;
use approx::Activation;

fn network(layers: Vec<Layer>) -> Network {
    Network {
        name: "test".into(),
        input: Shape {
            channels: 1,
            height: 8,
            width: 8,
        },
        normalisation: Normalisation {
            mean: vec![0.0],
            deviation: vec![1.0],
            standardised: false,
        },
        layers,
        mirrored: false,
    }
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
    let json = serde_json::to_string(&good.layers[0]).unwrap();
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

#[test]
fn skip_connections_end_where_the_shape_is_that_of_their_beginning() {
    let dense = |outputs| Layer::Dense { outputs };
    let relu = || Layer::Activation(Nonlinearity::Exact(Activation::Relu));
    let good = network(vec![
        dense(4),
        relu(),
        Layer::Skip,
        dense(6),
        relu(),
        dense(4),
        Layer::Add,
        dense(2),
    ]);
    good.validate().unwrap();
    // What is carried past the second activation counts twice.
    assert_eq!(good.activation_outputs(), 4 + 6 + 2 * 4);
    let json = serde_json::to_string(&good).unwrap();
    assert_eq!(serde_json::from_str::<Network>(&json).unwrap(), good);
    let quantise = Layer::Quantise {
        levels: 2,
        low: 0.0,
        high: 1.0,
    };
    for (layers, index, words) in [
        (vec![Layer::Add], 0, "no skip connection has begun"),
        (vec![Layer::Skip, Layer::Skip], 1, "has not ended"),
        (vec![Layer::Skip, dense(4)], 0, "never ends"),
        (vec![Layer::Skip, dense(4), Layer::Add], 2, "another shape"),
        (
            vec![dense(4), Layer::Skip, relu(), quantise, Layer::Add],
            3,
            "rounds",
        ),
    ] {
        let error = network(layers).validate().unwrap_err();
        assert!(
            matches!(error, NetworkError::Layer { index: at, .. } if at == index)
                && error.to_string().contains(words),
            "{error}"
        );
    }
}
