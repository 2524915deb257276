//! Layers on residue columns, kernel by kernel, beside what the product alone can do.
//!
//! Each run is over all columns of one prime, on one thread, linear – square – linear: `cryptonets` as
//! its first four layers are (5 channels of 5 × 5 at stride 2, then 100 outputs), `pooled` likewise (16
//! channels and then 48 of 6 × 6 at stride 2, mean pooling included).

use std::time::Duration;

use cryptodl_ckks::{
    Bundle, Evaluator, LayerStep, Parameters, ParametersLiteral, SecretKey,
    columns::{Kernel, Layer, Matrix, PADDING, Tile, bare_rate},
};
use divan::{Bencher, counter::ItemsCount};

const PRIME_BITS: u32 = 40;
const STEP: f64 = 1.0 / 127.0;

fn main() {
    for kernel in Kernel::available() {
        let rate = bare_rate(kernel, PRIME_BITS, Duration::from_millis(200));
        println!(
            "bare product, {}: {:.1} G weight-times-residue a second",
            kernel.name(),
            rate * 1e-9
        );
    }
    divan::main();
}

fn matrix(rows: usize, columns: usize) -> Matrix {
    let data = (0..rows * columns).map(|i| (i * 37 % 255) as i32 - 127);
    Matrix {
        rows,
        columns,
        data: data.collect(),
    }
}

/// `channels × side × side` in, `rows` channels out.
fn convolution(
    (channels, side): (usize, usize),
    (kernel, stride, padding): (usize, usize, usize),
    rows: usize,
) -> Layer {
    let out = (side + 2 * padding - kernel) / stride + 1;
    let tiles = (0..out * out).map(|position| {
        let (y, x) = (position / out * stride, position % out * stride);
        let taps = (0..channels * kernel * kernel).map(|tap| {
            let (c, dy, dx) = (tap / (kernel * kernel), tap / kernel % kernel, tap % kernel);
            let (y, x) = (
                (y + dy).wrapping_sub(padding),
                (x + dx).wrapping_sub(padding),
            );
            if y < side && x < side {
                ((c * side + y) * side + x) as u32
            } else {
                PADDING
            }
        });
        Tile {
            matrix: 0,
            inputs: taps.collect(),
            outputs: (0..rows)
                .map(|o| (o * out * out + position) as u32)
                .collect(),
        }
    });
    Layer::new(
        channels * side * side,
        rows * out * out,
        &[matrix(rows, channels * kernel * kernel)],
        &tiles.collect::<Vec<_>>(),
    )
    .unwrap()
}

fn dense(inputs: usize, outputs: usize) -> Layer {
    let tile = Tile {
        matrix: 0,
        inputs: (0..inputs as u32).collect(),
        outputs: (0..outputs as u32).collect(),
    };
    Layer::new(inputs, outputs, &[matrix(outputs, inputs)], &[tile]).unwrap()
}

fn run(bencher: Bencher, kernel: Kernel, first: &Layer, second: &Layer) {
    let parameters = Parameters::new(&ParametersLiteral {
        ring_degree: 8192,
        prime_bits: vec![PRIME_BITS],
        special_bits: Vec::new(),
    })
    .unwrap();
    let secret = SecretKey::generate(&parameters);
    let one = secret
        .encrypt(&vec![0.5; 8192], 1024.0, 1)
        .unwrap()
        .expand();
    let inputs = Bundle::new(&vec![one; first.inputs()]).unwrap();
    let evaluator = Evaluator::new(&parameters, None).unwrap();
    let biases = [vec![0.0; first.outputs()], vec![0.0; second.outputs()]];
    let linear = |layer, bias| LayerStep::Linear {
        layer,
        step: STEP,
        bias,
    };
    let steps = [
        linear(first, &biases[0]),
        LayerStep::Square,
        linear(second, &biases[1]),
    ];
    let products = (2 * first.products() + 3 * second.products()) * parameters.ring_degree();
    let one_thread = rayon::ThreadPoolBuilder::new().num_threads(1);
    let pool = one_thread.build().unwrap();
    bencher
        .counter(ItemsCount::new(products))
        .bench(|| pool.install(|| evaluator.run_with(kernel, &steps, &inputs).unwrap()));
}

#[divan::bench(args = Kernel::available(), sample_count = 10)]
fn cryptonets(bencher: Bencher, kernel: Kernel) {
    run(
        bencher,
        kernel,
        &convolution((1, 28), (5, 2, 1), 5),
        &dense(845, 100),
    );
}

#[divan::bench(args = Kernel::available(), sample_count = 10)]
fn pooled(bencher: Bencher, kernel: Kernel) {
    run(
        bencher,
        kernel,
        &convolution((1, 28), (6, 2, 0), 16),
        &convolution((16, 12), (6, 2, 0), 48),
    );
}
