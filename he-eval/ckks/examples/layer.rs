//! One dense layer of 845 inputs and 100 outputs, squared, on one thread: seconds of each stage as CSV, for
//! `benches/peers/seal.py` to put beside SEAL's.

use std::time::Instant;

use cryptodl_ckks::{
    Bundle, Evaluator, LayerStep, Parameters, ParametersLiteral, SecretKey, SeededCiphertext,
    columns::{Kernel, Layer, Matrix, Tile},
};

const INPUTS: usize = 845;
const OUTPUTS: usize = 100;
/// Two bits more than SEAL is given: noise is larger in the ring of real slots, and results are to be as exact.
const SCALE: f64 = (1u64 << 32) as f64;

/// The same weights and slots as in the script.
fn weight(output: usize, input: usize) -> i32 {
    ((output * INPUTS + input) * 37 % 255) as i32 - 127
}

fn slot(input: usize, slot: usize) -> f64 {
    ((input * 31 + slot * 17) % 256) as f64 / 65_536.0
}

fn timed<T>(stage: &str, run: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let value = run();
    println!("{stage},{}", start.elapsed().as_secs_f64());
    value
}

fn main() -> Result<(), cryptodl_ckks::Error> {
    let one_thread = rayon::ThreadPoolBuilder::new().num_threads(1);
    let pool = one_thread.build().expect("a pool of one thread");
    pool.install(layer)
}

fn layer() -> Result<(), cryptodl_ckks::Error> {
    let parameters = Parameters::new(&ParametersLiteral {
        ring_degree: 8192,
        prime_bits: vec![40; 3],
        special_bits: vec![40],
    })?;
    let secret = SecretKey::generate(&parameters);
    let evaluator = Evaluator::new(&parameters, Some(secret.relinearisation_key()))?;
    let n = parameters.slots();
    let matrix = Matrix {
        rows: OUTPUTS,
        columns: INPUTS,
        data: (0..OUTPUTS * INPUTS)
            .map(|i| weight(i / INPUTS, i % INPUTS))
            .collect(),
    };
    let tile = Tile {
        matrix: 0,
        inputs: (0..INPUTS as u32).collect(),
        outputs: (0..OUTPUTS as u32).collect(),
    };
    let dense = Layer::new(INPUTS, OUTPUTS, &[matrix], &[tile])?;
    let linear = LayerStep::Linear {
        layer: &dense,
        step: 1.0,
        bias: &[0.0; OUTPUTS],
    };
    let slots = |input: usize| -> Vec<f64> { (0..n).map(|k| slot(input, k)).collect() };
    let inputs: Vec<Vec<f64>> = (0..INPUTS).map(slots).collect();
    println!("kernel,{}", Kernel::best().name());
    println!("slots,{n}");
    let sent = timed("encrypt all inputs", || {
        let all = inputs.iter().map(|x| secret.encrypt(x, SCALE, 3));
        all.collect::<Result<Vec<_>, _>>()
    })?;
    let sent: Vec<_> = sent.iter().map(SeededCiphertext::expand).collect();
    let bundle = Bundle::new(&sent)?;
    // whole layers before single stages, so that both find memory warm
    let whole = || -> Result<Bundle, _> {
        let blocks = evaluator.run(&[linear, LayerStep::Square], &bundle)?;
        Ok(evaluator.collect(&blocks, true)?.bundle)
    };
    whole()?;
    timed("dense, square, relinearise, rescale", whole)?;
    let sums = timed("dense", || -> Result<_, cryptodl_ckks::Error> {
        let blocks = evaluator.run(&[linear], &bundle)?;
        Ok(evaluator.collect(&blocks, false)?.bundle)
    })?;
    let squares = timed("square", || evaluator.run(&[LayerStep::Square], &sums))?;
    let results = timed("relinearise and rescale", || {
        evaluator.collect(&squares, true)
    })?;
    let decrypted = timed("decrypt all outputs", || {
        let all = results.bundle.to_ciphertexts();
        all.iter()
            .map(|c| secret.decrypt(c))
            .collect::<Result<Vec<_>, _>>()
    })?;
    let mut largest: f64 = 0.0;
    for (output, values) in decrypted.iter().enumerate() {
        for k in (0..n).step_by(97) {
            let sum: f64 = (0..INPUTS)
                .map(|i| f64::from(weight(output, i)) * inputs[i][k])
                .sum();
            largest = largest.max((values[k] - sum * sum).abs());
        }
    }
    println!("largest error,{largest}");
    Ok(())
}
