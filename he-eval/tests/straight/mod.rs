//! Networks and folded graphs evaluated straight from their definitions.

use cryptodl_he_eval::graph::{Function, Graph, Operation, PADDING};
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

/// Layer by layer.
fn layers(artifact: &Artifact, image: &[u8]) -> Vec<f64> {
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
    let mut carried = Vec::new();
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
            Layer::Skip => {
                carried.clone_from(&x);
                x
            }
            Layer::Add => x.iter().zip(&carried).map(|(a, b)| a + b).collect(),
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
pub fn folded(graph: &Graph<f64>, image: &[u8]) -> Vec<f64> {
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
