//! Rows keep to their limits, and gradients go straight through.

use super::*;
use crate::random::Random;
use burn::tensor::Device;
use cryptodl_network::{Nonlinearity, Normalisation, Shape};

const NO_LIMIT: Option<u32> = None;

fn row(length: usize, seed: u64) -> Vec<f32> {
    let mut random = Random::at([seed]);
    (0..length).map(|_| random.normal() as f32).collect()
}

/// The integers of a row, and how far it is from whole multiples of its step.
fn integers(rounded: &[f32], step: f32) -> (Vec<i64>, f64) {
    let ratios = rounded.iter().map(|w| f64::from(*w) / f64::from(step));
    let off = ratios.clone().map(|r| (r - r.round()).abs());
    (
        ratios.clone().map(|r| r.round() as i64).collect(),
        off.fold(0.0, f64::max),
    )
}

#[test]
fn rows_are_integers_within_their_limits() {
    for (largest, sum) in [
        (1, NO_LIMIT),
        (1, Some(15)),
        (3, Some(15)),
        (7, NO_LIMIT),
        (127, Some(40)),
        (1, Some(1)),
    ] {
        let limit = Limit {
            largest,
            sum,
            step: None,
        };
        for (length, seed) in [(1, 1), (16, 2), (25, 3), (784, 4)] {
            let real = row(length, seed);
            let step = limit.step(&real);
            let mut rounded = real.clone();
            limit.round(&mut rounded);
            let (q, off) = integers(&rounded, step);
            assert!(off == 0.0, "multiples of a step of 12 bits are exact");
            assert!(q.iter().all(|q| q.unsigned_abs() <= largest.into()));
            let total: u64 = q.iter().map(|q| q.unsigned_abs()).sum();
            match sum {
                // Random weights do not tie: as many units as fit, if there are so many.
                Some(sum) => assert!(total <= sum.into() && total > 0, "{total} of {sum}"),
                None => assert!(q.iter().any(|q| q.unsigned_abs() == u64::from(largest))),
            }
            // The largest entries stay: no weight that became 0 is larger than one that did not.
            let zeros = real.iter().zip(&q).filter(|(_, q)| **q == 0);
            let lost = zeros.map(|(w, _)| w.abs()).fold(0.0, f32::max);
            let kept = real.iter().zip(&q).filter(|(_, q)| **q != 0);
            assert!(kept.map(|(w, _)| w.abs()).fold(f32::MAX, f32::min) >= lost);
        }
    }
    let mut zeros = vec![0.0; 4];
    Limit {
        largest: 1,
        sum: Some(2),
        step: None,
    }
    .round(&mut zeros);
    assert_eq!(zeros, [0.0; 4]);
}

#[test]
fn a_limit_that_binds_is_used_to_the_full() {
    for seed in 0..20 {
        let real = row(784, seed);
        let limit = Limit {
            largest: 1,
            sum: Some(15),
            step: None,
        };
        let mut rounded = real;
        limit.round(&mut rounded);
        // One less where the next weight is within the rounding of the step.
        let kept = rounded.iter().filter(|w| **w != 0.0).count();
        assert!((14..=15).contains(&kept), "{kept}");
    }
}

fn model(layers: Vec<Layer>) -> Model {
    let network = Network::chain(
        "few-layers",
        Shape {
            channels: 1,
            height: 4,
            width: 4,
        },
        Normalisation {
            mean: vec![0.0],
            deviation: vec![1.0],
            standardised: false,
        },
        layers,
    );
    Model::new(&network, &Device::flex()).unwrap()
}

fn layers() -> Vec<Layer> {
    vec![
        Layer::Quantise {
            levels: 2,
            low: 0.0,
            high: 1.0,
        },
        Layer::Dense { outputs: 6 },
        Layer::Activation(Nonlinearity::Exact(approx::Activation::Relu)),
        Layer::Quantise {
            levels: 16,
            low: 0.0,
            high: 3.0,
        },
        Layer::Dense { outputs: 2 },
    ]
}

fn rounding() -> Rounding {
    Rounding {
        weight_levels: 3,
        output_weight_levels: 15,
        accumulator_levels: 6,
        rounding_rise: 0.5,
        ..Rounding::default()
    }
}

#[test]
fn gradients_of_rounded_weights_are_those_of_the_values_they_stand_for() {
    let model = model(layers());
    let rounded_weights = RoundedWeights::new(&model, &rounding()).unwrap().unwrap();
    let weights: Vec<Tensor<2>> = model.initial(1, &Device::flex());
    let tracked: Vec<Tensor<2>> = (weights.iter())
        .map(|weight| weight.clone().autodiff().require_grad())
        .collect();
    let rounded = rounded_weights.rounded(&weights);
    let met = rounded_weights.trained(&tracked, 0.5);
    let loss = met.iter().map(|m| (m.clone() * m.clone()).sum());
    let loss = loss.reduce(|a, b| a + b).unwrap();
    let gradients = loss.backward();
    for (index, (weight, rounded)) in tracked.iter().zip(&rounded).enumerate() {
        // d(m²)/dw = 2m where m, the rounded weight, counts as w itself.
        let expected = values(&(rounded.clone() * 2.0));
        let found = values(&weight.grad(&gradients).unwrap());
        let pairs = found.iter().zip(&expected);
        assert!(pairs.clone().all(|(a, b)| (a - b).abs() < 1e-6), "{index}");
        assert!(
            values(&met[index].clone().inner())
                .iter()
                .zip(values(rounded))
                .all(|(a, b)| (a - b).abs() < 1e-6)
        );
    }
    // At first nothing is rounded, halfway of the rise half of the change is made.
    let first = rounded_weights.trained(&tracked, 0.0);
    let half = rounded_weights.trained(&tracked, 0.25);
    for index in 0..weights.len() {
        let (real, rounded) = (values(&weights[index]), values(&rounded[index]));
        let (first, half) = (first[index].clone().inner(), half[index].clone().inner());
        assert_eq!(values(&first), real);
        let expected = real
            .iter()
            .zip(&rounded)
            .map(|(a, b)| f32::midpoint(*a, *b));
        assert!(
            expected
                .zip(values(&half))
                .all(|(a, b)| (a - b).abs() < 1e-6)
        );
    }
}

#[test]
fn each_layer_gets_its_own_limit() {
    let model = model(layers());
    let rounded_weights = RoundedWeights::new(&model, &rounding()).unwrap().unwrap();
    let limits: Vec<Limit> = rounded_weights.limits.iter().flatten().copied().collect();
    let hidden = Limit {
        largest: 1,
        sum: Some(5),
        step: None,
    };
    assert_eq!(
        limits,
        [
            hidden,
            Limit {
                largest: 7,
                sum: None,
                step: None,
            }
        ]
    );
    // Biases stay real.
    assert_eq!(rounded_weights.limits.len(), 4);
    assert!(
        RoundedWeights::new(&model, &Rounding::default())
            .unwrap()
            .is_none()
    );
}

#[test]
fn sums_before_a_sine_have_a_fixed_step_and_no_limit() {
    let mut layers = layers();
    // inputs 0.5 apart
    layers[0] = Layer::Quantise {
        levels: 3,
        low: 0.0,
        high: 1.0,
    };
    layers[2] = Layer::Activation(Nonlinearity::Exact(Activation::Sine));
    let rounded_weights = RoundedWeights::new(&model(layers), &rounding())
        .unwrap()
        .unwrap();
    let limit = rounded_weights.limits[0].unwrap();
    let step = (PI / (6.0 * 0.5)) as f32;
    assert_eq!(
        limit,
        Limit {
            largest: 1,
            sum: None,
            step: Some(step),
        }
    );
    let mut row = [0.49 * step, 0.51 * step, -7.0, 2.0];
    limit.round(&mut row);
    assert_eq!(integers(&row, step), (vec![0, 1, -1, 1], 0.0));
}

#[test]
fn knobs_that_make_no_sense_are_refused() {
    let plain = vec![
        Layer::Dense { outputs: 3 },
        layers()[2].clone(),
        Layer::Dense { outputs: 2 },
    ];
    let mut wide = layers();
    wide[0] = Layer::Quantise {
        levels: 16,
        low: 0.0,
        high: 1.0,
    };
    for (layers, rounding, word) in [
        (
            layers(),
            Rounding {
                weight_levels: 4,
                ..rounding()
            },
            "odd number from 3 to 255",
        ),
        (
            layers(),
            Rounding {
                weight_levels: 257,
                ..rounding()
            },
            "odd number from 3 to 255",
        ),
        (
            layers(),
            Rounding {
                output_weight_levels: 2,
                ..rounding()
            },
            "output_weight_levels must be",
        ),
        (
            layers(),
            Rounding {
                weight_levels: 0,
                ..rounding()
            },
            "set weight_levels too",
        ),
        (
            layers(),
            Rounding {
                weight_levels: 0,
                accumulator_levels: 0,
                ..rounding()
            },
            "output_weight_levels needs weight_levels",
        ),
        (plain, rounding(), "no rounding stands before layer 0"),
        (
            wide,
            Rounding {
                accumulator_levels: 15,
                ..rounding()
            },
            "no room for a single weight",
        ),
    ] {
        let message = RoundedWeights::new(&model(layers), &rounding)
            .err()
            .unwrap();
        assert!(message.contains(word), "{message}");
    }
}
