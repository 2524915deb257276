//! Both kinds of operators against Burn's own convolution, pool and batch norm, values and gradients.

use crate::blend::Blend;
use crate::kernels::Kernels;
use crate::model::Model;
use crate::random::Random;
use crate::recipe::Boundary;
use crate::values::values;
use approx::{Activation, Basis, Interval, Polynomial};
use burn::tensor::module::{avg_pool2d, conv2d};
use burn::tensor::ops::{AvgPoolOptions, ConvOptions};
use burn::tensor::{Device, Tensor, TensorData};
use cryptodl_kernels::Penalty;
use cryptodl_network::{Layer, Network, Nodes, Nonlinearity, Normalisation, Shape, ValueId};

mod joins;

const INPUT: Shape = Shape {
    channels: 3,
    height: 7,
    width: 6,
};

/// No multiple of any number of lanes.
const BATCH: usize = 37;

fn network(layers: Vec<Layer>) -> Network {
    let mut nodes = Nodes::new();
    nodes.then_all(ValueId::INPUT, layers);
    graph(nodes)
}

fn graph(nodes: Nodes) -> Network {
    let normalisation = Normalisation {
        mean: vec![0.0; 3],
        deviation: vec![1.0; 3],
        standardised: false,
    };
    Network::new("few-layers", INPUT, normalisation, nodes)
}

fn random(rows: usize, columns: usize, seed: u64) -> Tensor<2> {
    let mut random = Random::at([seed]);
    let data: Vec<f32> = (0..rows * columns)
        .map(|_| random.normal() as f32)
        .collect();
    Tensor::from_data(TensorData::new(data, [rows, columns]), &Device::flex())
}

/// 1e-4 of the largest value, or of 1, the size of the terms where all but cancels: sums of some thousand products in
/// 32 bits, in another order.
fn agree(ours: &Tensor<2>, other: &Tensor<2>, what: &str) {
    assert_eq!(ours.dims(), other.dims(), "{what}");
    let (ours, other) = (values(ours), values(other));
    let largest = other
        .iter()
        .fold(1.0_f32, |most, value| most.max(value.abs()));
    for (a, b) in ours.iter().zip(other) {
        assert!(
            (a - b).abs() <= 1e-4 * largest,
            "{what}: {a} {b} of {largest}"
        );
    }
}

/// Output and gradients of input and weights, for a loss that counts every output differently.
fn differentiate(
    run: impl Fn(&[Tensor<2>], Tensor<2>) -> Tensor<2>,
    weights: &[Tensor<2>],
    input: &Tensor<2>,
) -> Vec<Tensor<2>> {
    let weights: Vec<Tensor<2>> = weights
        .iter()
        .map(|weight| weight.clone().autodiff().require_grad())
        .collect();
    let input = input.clone().autodiff().require_grad();
    let output = run(&weights, input.clone());
    let [rows, columns] = output.dims();
    let gradients = (output.clone() * random(rows, columns, 77).autodiff())
        .sum()
        .backward();
    let found = weights.iter().chain([&input]);
    std::iter::once(output.inner())
        .chain(found.filter_map(|tensor| tensor.grad(&gradients)))
        .collect()
}

fn all_agree(ours: &[Tensor<2>], other: &[Tensor<2>], what: &str) {
    assert_eq!(ours.len(), other.len(), "{what}");
    for (index, (ours, other)) in ours.iter().zip(other).enumerate() {
        agree(ours, other, &format!("{what}, {index}"));
    }
}

#[test]
fn convolutions_agree_with_those_of_burn() {
    for (kernel, stride, padding) in [(1, 1, 0), (3, 1, 1), (3, 2, 0), (3, 2, 2), (5, 3, 4)] {
        for out in [4, 19] {
            let layer = Layer::Convolution {
                out_channels: out,
                kernel,
                stride,
                padding,
            };
            let weights = [random(out, 3 * kernel * kernel, 1) * 0.2, random(1, out, 2)];
            let input = random(BATCH, INPUT.len(), 3);
            let expected = differentiate(
                |weights, input| {
                    let filters = weights[0].clone().reshape([out, 3, kernel, kernel]);
                    let bias = weights[1].clone().squeeze_dim(0);
                    let options = ConvOptions::new([stride; 2], [padding; 2], [1; 2], 1);
                    conv2d(
                        input.reshape([BATCH, 3, 7, 6]),
                        filters,
                        Some(bias),
                        options,
                    )
                    .flatten(1, 3)
                },
                &weights,
                &input,
            );
            for kernels in [Kernels::Stock, Kernels::Fused] {
                let network = network(vec![layer.clone()]);
                let model = Model::with(&network, kernels, &Device::flex()).unwrap();
                let found = differentiate(
                    |weights, input| model.infer(weights, input),
                    &weights,
                    &input,
                );
                let what = format!("{kernels:?} {kernel} {stride} {padding} {out}");
                all_agree(&found, &expected, &what);
            }
        }
    }
}

#[test]
fn mean_pools_agree_with_those_of_burn() {
    for (kernel, stride) in [(1, 1), (2, 2), (3, 2), (4, 1)] {
        let input = random(BATCH, INPUT.len(), 4);
        let expected = differentiate(
            |_, input| {
                let options = AvgPoolOptions::new([kernel; 2]).with_stride([stride; 2]);
                avg_pool2d(input.reshape([BATCH, 3, 7, 6]), options).flatten(1, 3)
            },
            &[],
            &input,
        );
        for kernels in [Kernels::Stock, Kernels::Fused] {
            let network = network(vec![Layer::MeanPool { kernel, stride }]);
            let model = Model::with(&network, kernels, &Device::flex()).unwrap();
            let found = differentiate(|weights, input| model.infer(weights, input), &[], &input);
            all_agree(&found, &expected, &format!("{kernels:?} {kernel} {stride}"));
        }
    }
}

#[test]
fn rounding_gives_levels_and_passes_gradients_between_its_ends() {
    let (levels, low, high) = (4, -0.7, 1.1);
    let network = network(vec![Layer::Quantise { levels, low, high }]);
    let input = random(BATCH, INPUT.len(), 5);
    let probe = values(&random(BATCH, INPUT.len(), 77));
    for kernels in [Kernels::Stock, Kernels::Fused] {
        let model = Model::with(&network, kernels, &Device::flex()).unwrap();
        let infer = |weights: &[Tensor<2>], input| model.infer(weights, input);
        let found = differentiate(infer, &[], &input);
        let inferred = values(&model.infer(&[], input.clone()));
        let (rounded, slopes) = (values(&found[0]), values(&found[1]));
        let mut outside = 0;
        for (index, x) in values(&input).into_iter().enumerate() {
            let x = f64::from(x);
            let step = (high - low) / 3.0;
            let expected = low + step * ((x.clamp(low, high) - low) / step).round();
            assert!((f64::from(inferred[index]) - expected).abs() < 1e-6, "{x}");
            assert!((f64::from(rounded[index]) - expected).abs() < 1e-6, "{x}");
            let inside = (low..=high).contains(&x);
            outside += usize::from(!inside);
            let slope = if inside { probe[index] } else { 0.0 };
            assert!((slopes[index] - slope).abs() < 1e-7, "{x}");
        }
        assert!(outside > 100);
    }
}

#[test]
fn a_pool_that_joins_a_convolution_changes_nothing() {
    for (kernel, stride, padding, pool, step) in [
        (3, 1, 1, 2, 2),
        (3, 1, 0, 2, 1),
        (2, 2, 1, 2, 2),
        (1, 1, 0, 3, 2),
        (3, 1, 2, 3, 3),
    ] {
        let network = network(vec![
            Layer::Convolution {
                out_channels: 5,
                kernel,
                stride,
                padding,
            },
            Layer::MeanPool {
                kernel: pool,
                stride: step,
            },
        ]);
        let weights = [random(5, 3 * kernel * kernel, 1), random(1, 5, 2)];
        let input = random(BATCH, INPUT.len(), 3);
        let [stock, fused] = [Kernels::Stock, Kernels::Fused].map(|kernels| {
            let model = Model::with(&network, kernels, &Device::flex()).unwrap();
            differentiate(
                |weights, input| model.infer(weights, input),
                &weights,
                &input,
            )
        });
        all_agree(
            &fused,
            &stock,
            &format!("{kernel} {stride} {padding} {pool} {step}"),
        );
    }
}

fn polynomial(coefficients: Vec<f64>, learnable: bool) -> Nonlinearity {
    let interval = Interval::new(-4.0, 4.0).unwrap();
    let polynomial = Polynomial::new(coefficients, Basis::Chebyshev, interval).unwrap();
    Nonlinearity::Polynomial {
        polynomial,
        learnable,
    }
}

#[test]
fn a_batch_norm_with_its_activation_agrees_with_those_of_burn() {
    let nonlinearities = [
        Nonlinearity::Exact(Activation::Relu),
        Nonlinearity::Exact(Activation::Tanh),
        polynomial(vec![1.2, 2.0, 1.0], false),
        polynomial(vec![1.2, 2.0, 1.0, -0.3, 0.2], false),
        polynomial(vec![1.2, 2.0, 1.0], true),
    ];
    for nonlinearity in &nonlinearities {
        let blend = |with| Blend {
            with,
            share: 0.3,
            clip: true,
        };
        for (weight, penalty, blend) in [
            (0.0, Penalty::Square, None),
            (0.7, Penalty::Square, None),
            (0.7, Penalty::Exponential, None),
            (0.0, Penalty::Square, Some(blend(None))),
            (0.7, Penalty::Square, Some(blend(Some(Activation::Relu)))),
            (
                0.7,
                Penalty::Exponential,
                Some(blend(Some(Activation::Tanh))),
            ),
        ] {
            // A boundary that many values are beyond; the second norm has no activation behind it.
            let boundary = Boundary {
                at: 0.8,
                weight,
                penalty,
            };
            let network = network(vec![
                Layer::BatchNorm,
                Layer::Activation(nonlinearity.clone()),
                Layer::BatchNorm,
                Layer::MeanPool {
                    kernel: 2,
                    stride: 2,
                },
                Layer::Activation(nonlinearity.clone()),
            ]);
            let input = random(BATCH, INPUT.len(), 5) * 3.0 + 0.5;
            let [stock, fused] = [Kernels::Stock, Kernels::Fused].map(|kernels| {
                let model = Model::with(&network, kernels, &Device::flex()).unwrap();
                let mut weights = model.initial(1, &Device::flex());
                for index in [0, 1] {
                    let shift = random(1, 3, 8 + index as u64) * 0.3;
                    weights[index] = weights[index].clone() + shift;
                }
                let [mut excess, mut statistics] = [(); 2].map(|()| Vec::new());
                let mut found = differentiate(
                    |weights, input| {
                        let pass = model.train(weights, &[], input, boundary, blend);
                        let added = pass.excess.unwrap() * weight;
                        let [rows, columns] = pass.logits.dims();
                        // Into the loss with the weight 1, as in training, through an output of its own.
                        let share = random(rows + 1, columns, 77);
                        let share = share.slice([rows..rows + 1, 0..1]).autodiff();
                        let added = added.unsqueeze::<2>();
                        let first = added / share;
                        let zeros = Tensor::zeros([1, columns - 1], &first.device());
                        let last = Tensor::cat(vec![first, zeros], 1);
                        Tensor::cat(vec![pass.logits, last], 0)
                    },
                    &weights,
                    &input,
                );
                let pass = model.train(&weights, &[], input.clone(), boundary, blend);
                excess.push(pass.excess.unwrap().unsqueeze::<2>());
                statistics.extend(pass.statistics.into_iter().map(|(_, value)| value));
                found.append(&mut excess);
                found.append(&mut statistics);
                found.push(model.infer(&weights, input.clone()));
                found
            });
            all_agree(
                &fused,
                &stock,
                &format!("{nonlinearity:?}, {weight}, {penalty:?}, {blend:?}"),
            );
        }
    }
}

#[test]
fn normalised_terms_of_a_series_agree_with_those_of_burn() {
    // degree 2 has a kernel of its own, degree 4 goes step by step
    for coefficients in [vec![1.2, 2.0, 1.0], vec![1.2, 2.0, 1.0, -0.3, 0.2]] {
        for weight in [0.0, 0.7] {
            let boundary = Boundary {
                at: 0.8,
                weight,
                penalty: Penalty::Square,
            };
            let network = network(vec![
                Layer::BatchNorm,
                Layer::Activation(polynomial(coefficients.clone(), false)),
                Layer::MeanPool {
                    kernel: 2,
                    stride: 2,
                },
            ]);
            let input = random(BATCH, INPUT.len(), 5) * 3.0 + 0.5;
            let [stock, fused] = [Kernels::Stock, Kernels::Fused].map(|kernels| {
                let series = Some(Activation::Relu);
                let model = Model::with_series(&network, kernels, series, &Device::flex()).unwrap();
                let mut weights = model.initial(1, &Device::flex());
                for (index, weight) in weights.iter_mut().enumerate() {
                    let shift = random(1, 3, 8 + index as u64) * 0.3;
                    // variances stay positive
                    *weight = weight.clone() + if index < 2 { shift } else { shift.abs() };
                }
                let pass =
                    |weights: &[Tensor<2>], input| model.train(weights, &[], input, boundary, None);
                let mut found = differentiate(
                    |weights, input| {
                        let pass = pass(weights, input);
                        let punished = pass.excess.unwrap().unsqueeze::<2>() * weight;
                        let [rows, columns] = pass.logits.dims();
                        // into the loss with the weight 1, as in training
                        let shares = random(rows, columns, 77).autodiff();
                        let share = shares.slice([0..1, 0..1]);
                        let first = pass.logits.clone().slice([0..1, 0..1]) + punished / share;
                        pass.logits.slice_assign([0..1, 0..1], first)
                    },
                    &weights,
                    &input,
                );
                let pass = pass(&weights, input.clone());
                found.push(pass.excess.unwrap().unsqueeze::<2>());
                found.extend(pass.statistics.into_iter().map(|(_, value)| value));
                found.push(model.infer(&weights, input.clone()));
                found
            });
            all_agree(&fused, &stock, &format!("{coefficients:?}, {weight}"));
        }
    }
}

#[test]
fn results_do_not_depend_on_the_number_of_threads() {
    let network = network(vec![
        Layer::Convolution {
            out_channels: 5,
            kernel: 3,
            stride: 1,
            padding: 1,
        },
        Layer::BatchNorm,
        Layer::Activation(polynomial(vec![1.2, 2.0, 1.0], false)),
        Layer::MeanPool {
            kernel: 2,
            stride: 2,
        },
        Layer::Convolution {
            out_channels: 7,
            kernel: 2,
            stride: 1,
            padding: 0,
        },
    ]);
    let input = random(BATCH, INPUT.len(), 5);
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        pool.install(|| {
            let model = Model::with(&network, Kernels::Fused, &Device::flex()).unwrap();
            let weights = model.initial(1, &Device::flex());
            let boundary = Boundary {
                at: 1.0,
                weight: 0.1,
                penalty: Penalty::Square,
            };
            let found = differentiate(
                |weights, input| model.train(weights, &[], input, boundary, None).logits,
                &weights,
                &input,
            );
            found.iter().map(values).collect::<Vec<_>>()
        })
    };
    assert_eq!(run(1), run(3));
}

#[test]
fn a_mirrored_network_answers_with_the_mean_over_both_images() {
    let layers = vec![Layer::Dense { outputs: 4 }];
    let one = network(layers);
    let both = Network {
        mirrored: true,
        ..one.clone()
    };
    let input = random(BATCH, INPUT.len(), 5);
    let mirror: Vec<f32> = values(&input)
        .chunks(INPUT.width)
        .flat_map(|row| row.iter().rev().copied().collect::<Vec<_>>())
        .collect();
    let mirror = TensorData::new(mirror, [BATCH, INPUT.len()]);
    let mirror = Tensor::from_data(mirror, &Device::flex());
    let infer = |network: &Network, input: &Tensor<2>| {
        let model = Model::new(network, &Device::flex()).unwrap();
        model.infer(&model.initial(1, &Device::flex()), input.clone())
    };
    let expected = (infer(&one, &input) + infer(&one, &mirror)) / 2.0;
    agree(&infer(&both, &input), &expected, "the mean");
    agree(&infer(&both, &mirror), &expected, "of the mirror image");
}
