//! What holds for any numbers.

use cryptodl_ckks::{
    Bundle, Ciphertext, Evaluator, LayerStep, Parameters, ParametersLiteral, SecretKey,
    columns::{Kernel, Layer, Matrix, Tile},
};
use proptest::prelude::*;

const N: usize = 64;
const SCALE: f64 = (1u64 << 36) as f64;

fn setup() -> (SecretKey, Evaluator) {
    let parameters = Parameters::toy(&ParametersLiteral {
        ring_degree: N,
        prime_bits: vec![49, 45, 45],
        special_bits: vec![49],
    })
    .unwrap();
    let secret = SecretKey::generate(&parameters);
    let evaluator = Evaluator::new(&parameters, Some(secret.relinearisation_key())).unwrap();
    (secret, evaluator)
}

fn slots() -> impl Strategy<Value = Vec<f64>> {
    prop::collection::vec(-8.0..8.0f64, 1..=N)
}

/// Slots that were not given are zero.
fn at(slots: &[f64], i: usize) -> f64 {
    slots.get(i).copied().unwrap_or(0.0)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn decryption_undoes_encryption_at_any_scale(x in slots(), bits in 20..80i32) {
        let (secret, _) = setup();
        let scale = f64::from(bits).exp2();
        let encrypted = secret.encrypt(&x, scale, 3);
        if bits > 58 {
            // 8 · 2^59 may be beyond 2^62, which is an error and never another number
            prop_assume!(encrypted.is_ok());
        }
        let found = secret.decrypt(&encrypted.unwrap().expand()).unwrap();
        for (i, found) in found.iter().enumerate() {
            // fresh noise has deviation 3.3 · √(2N) = 37, and numbers of f64 have 53 bits
            let allowed = 400.0 / scale + 1e-12;
            prop_assert!((found - at(&x, i)).abs() < allowed, "slot {i}: {found}");
        }
    }

    #[test]
    fn slots_add_and_multiply_as_numbers_do(x in slots(), y in slots(), factor in -4.0..4.0f64) {
        let (secret, evaluator) = setup();
        let encrypt = |x: &[f64]| secret.encrypt(x, SCALE, 3).unwrap().expand();
        let (a, b) = (encrypt(&x), encrypt(&y));
        let sum = secret.decrypt(&evaluator.add(&a, &b).unwrap()).unwrap();
        let product = evaluator.multiply(&a, &b).unwrap();
        let swapped = evaluator.multiply(&b, &a).unwrap();
        prop_assert_eq!(&product, &swapped);
        let product = secret.decrypt(&evaluator.rescale(&product).unwrap()).unwrap();
        let scaled = evaluator.multiply_number(&a, factor, 1e6).unwrap();
        let scaled = secret.decrypt(&scaled).unwrap();
        for i in 0..N {
            let (x, y) = (at(&x, i), at(&y, i));
            prop_assert!((sum[i] - (x + y)).abs() < 1e-6);
            prop_assert!((product[i] - x * y).abs() < 1e-4, "{} for {}", product[i], x * y);
            // the factor is rounded to a multiple of a millionth
            prop_assert!((scaled[i] - factor * x).abs() < 1e-5);
        }
    }

    #[test]
    fn any_layer_is_the_same_with_every_kernel_and_right(
        (rows, columns) in (1..20usize, 1..70usize),
        weights in prop::collection::vec(-127..=127i32, 20 * 70),
        bias in prop::collection::vec(-5.0..5.0f64, 20),
    ) {
        let (secret, evaluator) = setup();
        let matrix = Matrix { rows, columns, data: weights[..rows * columns].to_vec() };
        let tile = Tile {
            matrix: 0,
            inputs: (0..columns as u32).collect(),
            outputs: (0..rows as u32).collect(),
        };
        let layer = Layer::new(columns, rows, &[matrix], &[tile]).unwrap();
        let steps = [LayerStep::Linear { layer: &layer, step: 1.0 / 64.0, bias: &bias[..rows] }];
        let x: Vec<f64> = (0..columns).map(|i| (i as f64 * 0.37).sin()).collect();
        let inputs: Vec<Ciphertext> = x
            .iter()
            .map(|&x| secret.encrypt(&[x, -x], SCALE, 3).unwrap().expand())
            .collect();
        let inputs = Bundle::new(&inputs).unwrap();
        let mut first: Option<Bundle> = None;
        for kernel in Kernel::available() {
            let blocks = evaluator.run_with(kernel, &steps, &inputs).unwrap();
            let found = evaluator.collect(&blocks, false).unwrap().bundle;
            let first = first.get_or_insert_with(|| found.clone());
            prop_assert_eq!(&*first, &found, "{:?}", kernel);
        }
        let found = first.unwrap();
        for row in 0..rows {
            let sum: f64 = (0..columns)
                .map(|i| f64::from(weights[row * columns + i]) / 64.0 * x[i])
                .sum();
            let slots = secret.decrypt(&found.get(row)).unwrap();
            prop_assert!((slots[0] - (bias[row] + sum)).abs() < 1e-5);
            prop_assert!((slots[1] - (bias[row] - sum)).abs() < 1e-5);
        }
    }
}
