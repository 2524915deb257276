//! Networks of linear layers and squares, encrypted.

use cryptodl_ckks::{
    Bundle, Ciphertext, Error, Evaluator, LayerStep, Parameters, ParametersLiteral, SecretKey,
    SeededBatch, SeededCiphertext,
    columns::{Kernel, Layer, Matrix, Tile},
};
use rand::{Rng, SeedableRng, rngs::StdRng};

const SLOTS: usize = 128;

struct Dense {
    weights: Vec<i32>,
    bias: Vec<f64>,
    layer: Layer,
}

const STEP: f64 = 1.0 / 127.0;

impl Dense {
    fn new(rng: &mut StdRng, inputs: usize, outputs: usize) -> Self {
        let weights: Vec<i32> = (0..inputs * outputs)
            .map(|_| rng.random_range(-60..=60))
            .collect();
        let matrix = Matrix {
            rows: outputs,
            columns: inputs,
            data: weights.clone(),
        };
        let tile = Tile {
            matrix: 0,
            inputs: (0..inputs as u32).collect(),
            outputs: (0..outputs as u32).collect(),
        };
        Self {
            weights,
            bias: (0..outputs).map(|_| rng.random_range(-1.0..1.0)).collect(),
            layer: Layer::new(inputs, outputs, &[matrix], &[tile]).unwrap(),
        }
    }

    fn step(&self) -> LayerStep<'_> {
        LayerStep::Linear {
            layer: &self.layer,
            step: STEP,
            bias: &self.bias,
        }
    }

    fn apply(&self, inputs: &[Vec<f64>]) -> Vec<Vec<f64>> {
        let rows = self.weights.chunks(inputs.len()).zip(&self.bias);
        rows.map(|(row, b)| {
            (0..SLOTS)
                .map(|slot| {
                    let terms = row.iter().zip(inputs);
                    b + terms
                        .map(|(&w, x)| STEP * f64::from(w) * x[slot])
                        .sum::<f64>()
                })
                .collect()
        })
        .collect()
    }
}

fn squares(values: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let square = |value: &Vec<f64>| value.iter().map(|x| x * x).collect();
    values.iter().map(square).collect()
}

struct Setup {
    secret: SecretKey,
    evaluator: Evaluator,
    slots: Vec<Vec<f64>>,
    inputs: Vec<Ciphertext>,
}

fn bundle(all: &[Ciphertext]) -> Bundle {
    Bundle::new(all).unwrap()
}

fn setup(inputs: usize) -> Setup {
    let parameters = Parameters::toy(&ParametersLiteral {
        ring_degree: SLOTS,
        prime_bits: vec![40, 40, 48],
        special_bits: vec![],
    })
    .unwrap();
    let secret = SecretKey::generate(&parameters);
    let evaluator = Evaluator::new(&parameters, Some(secret.relinearisation_key())).unwrap();
    let mut rng = StdRng::seed_from_u64(1);
    let slots: Vec<Vec<f64>> = (0..inputs)
        .map(|_| (0..SLOTS).map(|_| rng.random_range(-1.0..1.0)).collect())
        .collect();
    let inputs = slots
        .iter()
        .map(|x| secret.encrypt(x, 27f64.exp2(), 3).unwrap().expand())
        .collect();
    Setup {
        secret,
        evaluator,
        slots,
        inputs,
    }
}

#[test]
fn a_network_decrypts_to_what_it_computes_with_every_kernel() {
    let mut rng = StdRng::seed_from_u64(2);
    let s = setup(9);
    let layers = [(9, 12), (12, 7), (7, 3)].map(|(i, o)| Dense::new(&mut rng, i, o));
    let hidden = squares(&layers[0].apply(&s.slots));
    let hidden = squares(&layers[1].apply(&hidden));
    let expected = layers[2].apply(&hidden);
    let first = [layers[0].step(), LayerStep::Square, layers[1].step()];
    let second = [LayerStep::Square, layers[2].step()];
    let mut results = Vec::new();
    for kernel in Kernel::available() {
        let blocks = s
            .evaluator
            .run_with(kernel, &first, &bundle(&s.inputs))
            .unwrap();
        assert_eq!((blocks.components(), blocks.len()), (3, 7));
        let between = s
            .evaluator
            .collect(&blocks, true)
            .unwrap()
            .bundle
            .to_ciphertexts();
        assert_eq!((between[0].components(), between[0].primes()), (2, 2));
        let blocks = s
            .evaluator
            .run_with(kernel, &second, &bundle(&between))
            .unwrap();
        let outputs = s
            .evaluator
            .collect(&blocks, false)
            .unwrap()
            .bundle
            .to_ciphertexts();
        for (c, expected) in outputs.iter().zip(&expected) {
            for (a, b) in s.secret.decrypt(c).unwrap().iter().zip(expected) {
                assert!((a - b).abs() < 2e-4, "{a} for {b} with {kernel:?}");
            }
        }
        results.push(outputs);
    }
    assert!(
        results.windows(2).all(|two| two[0] == two[1]),
        "bit for bit"
    );
}

#[test]
fn a_seeded_batch_is_its_ciphertexts() {
    let mut rng = StdRng::seed_from_u64(5);
    let s = setup(9);
    let layer = Dense::new(&mut rng, 9, 5);
    let sent: Vec<_> = s
        .slots
        .iter()
        .map(|x| s.secret.encrypt(x, 27f64.exp2(), 3).unwrap())
        .collect();
    let batch = SeededBatch::new(&sent).unwrap();
    let full: Vec<Ciphertext> = sent.iter().map(SeededCiphertext::expand).collect();
    assert_eq!(batch.expand(), bundle(&full));
    let run = |blocks: cryptodl_ckks::Blocks| {
        s.evaluator
            .collect(&blocks, true)
            .unwrap()
            .bundle
            .to_ciphertexts()
    };
    let steps = [layer.step(), LayerStep::Square];
    let one = run(s.evaluator.run(&steps, &batch).unwrap());
    let other = run(s.evaluator.run(&steps, &bundle(&full)).unwrap());
    assert_eq!(one, other);
    assert!(SeededBatch::new(&[]).is_err());
    let mixed = [sent[0].clone(), s.secret.encrypt(&[], 2.0, 3).unwrap()];
    assert!(SeededBatch::new(&mixed).is_err());
}

#[test]
fn the_number_of_threads_changes_nothing() {
    let mut rng = StdRng::seed_from_u64(3);
    let s = setup(4);
    let layer = Dense::new(&mut rng, 4, 11);
    let on = |threads| {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        pool.install(|| {
            let blocks = s
                .evaluator
                .run(&[layer.step(), LayerStep::Square], &bundle(&s.inputs))
                .unwrap();
            s.evaluator
                .collect(&blocks, true)
                .unwrap()
                .bundle
                .to_ciphertexts()
        })
    };
    assert_eq!(on(1), on(2));
    assert_eq!(on(1), on(3));
}

#[test]
fn what_does_not_fit_is_refused() {
    let mut rng = StdRng::seed_from_u64(4);
    let s = setup(4);
    let layer = Dense::new(&mut rng, 4, 2);
    let fails = |steps: &[LayerStep<'_>], inputs: &[Ciphertext]| match Bundle::new(inputs)
        .and_then(|inputs| s.evaluator.run(steps, &inputs))
    {
        Err(Error::Mismatch(reason)) => reason,
        other => panic!("{:?}", other.err()),
    };
    assert!(fails(&[layer.step()], &s.inputs[..3]).contains("meets 3 inputs"));
    assert!(fails(&[layer.step()], &[]).contains("one ciphertext"));
    assert!(fails(&[], &s.inputs).contains("one or two"));
    assert!(fails(&[LayerStep::Square, LayerStep::Square], &s.inputs).contains("one square"));
    let short = LayerStep::Linear {
        bias: &layer.bias[..1],
        layer: &layer.layer,
        step: STEP,
    };
    assert!(fails(&[short], &s.inputs).contains("1 biases"));
    let nothing = LayerStep::Linear {
        bias: &layer.bias,
        layer: &layer.layer,
        step: 0.0,
    };
    assert!(fails(&[nothing], &s.inputs).contains("finite"));
    let mut mixed = s.inputs.clone();
    mixed[1] = mixed[1].clone().with_scale(1.0);
    assert!(fails(&[layer.step()], &mixed).contains("one scale"));
    mixed[1] = s.inputs[1].drop_to(2).unwrap();
    assert!(fails(&[layer.step()], &mixed).contains("primes"));
}
