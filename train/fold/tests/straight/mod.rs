//! Networks and folded graphs evaluated straight from their definitions.

use cryptodl_fold::{Graph, graph::encode, interpret};
use cryptodl_network::{Artifact, BATCH_NORM_EPSILON, Layer, Nonlinearity, Normalisation, Shape};

/// The network straight from the definitions.
pub fn reference(artifact: &Artifact, image: &[u8]) -> Vec<f64> {
    let once = layers(artifact, image);
    if !artifact.network.mirrored {
        return once;
    }
    let rows = image.chunks(artifact.network.input.width);
    let mirrored: Vec<u8> = rows.flat_map(|row| row.iter().rev().copied()).collect();
    let pairs = once.iter().zip(layers(artifact, &mirrored));
    pairs.map(|(a, b)| (a + b) / 2.0).collect()
}

/// Node by node.
fn layers(artifact: &Artifact, image: &[u8]) -> Vec<f64> {
    let network = &artifact.network;
    let area = network.input.height * network.input.width;
    let input = image
        .iter()
        .enumerate()
        .map(|(i, &p)| {
            let Normalisation {
                mean, deviation, ..
            } = &network.normalisation;
            (f64::from(p) / 255.0 - f64::from(mean[i / area])) / f64::from(deviation[i / area])
        })
        .collect();
    let mut values: Vec<Vec<f64>> = vec![input];
    let mut shapes = vec![network.input];
    for (index, (node, after)) in network
        .nodes
        .iter()
        .zip(network.shapes().unwrap())
        .enumerate()
    {
        let first = node.inputs[0].0;
        let (x, shape) = (&values[first], shapes[first]);
        let second = || &values[node.inputs[1].0];
        let tensor = |name: &str| &artifact.tensor(&format!("layers.{index}.{name}")).data;
        let made: Vec<f64> = match &node.layer {
            Layer::Convolution {
                kernel,
                stride,
                padding,
                ..
            } => convolution(
                x,
                (shape, after),
                (tensor("weight"), tensor("bias")),
                (*kernel, *stride, *padding),
            ),
            Layer::Dense { outputs } => (0..*outputs)
                .map(|o| {
                    let row = &tensor("weight")[o * x.len()..(o + 1) * x.len()];
                    let sum: f64 = row.iter().zip(x).map(|(&w, v)| f64::from(w) * v).sum();
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
            Layer::MeanPool { kernel, stride } => mean_pool(x, shape, after, *kernel, *stride),
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
            Layer::Add => x.iter().zip(second()).map(|(a, b)| a + b).collect(),
            Layer::Product => x.iter().zip(second()).map(|(a, b)| a * b).collect(),
            Layer::Concatenation => {
                let inputs = node.inputs.iter();
                inputs.flat_map(|value| values[value.0].clone()).collect()
            }
        };
        values.push(made);
        shapes.push(after);
    }
    values.pop().unwrap()
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

/// The folded graph on one image, by the reference interpreter.
pub fn folded(graph: &Graph<f64>, image: &[u8]) -> Vec<f64> {
    let pixels = image
        .iter()
        .map(|&p| vec![f64::from(encode(p, graph.input_levels))]);
    let result = interpret(graph, pixels.collect()).unwrap();
    result.into_iter().map(|column| column[0]).collect()
}
