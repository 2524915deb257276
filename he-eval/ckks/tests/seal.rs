//! Microsoft SEAL's results (see `golden/generate.py`) against ours.

use cryptodl_ckks::{Evaluator, Parameters, ParametersLiteral, SecretKey};

fn numbers(value: &serde_json::Value) -> Vec<f64> {
    let all = value.as_array().unwrap().iter();
    all.map(|x| x.as_f64().unwrap()).collect()
}

fn close(found: &[f64], theirs: &serde_json::Value, bound: f64, what: &str) {
    for (a, b) in found.iter().zip(numbers(theirs)) {
        assert!((a - b).abs() < bound, "{what}: {a} for {b}");
    }
}

#[test]
fn products_key_switching_and_rescaling_decrypt_to_what_seal_decrypts() {
    let golden: serde_json::Value = serde_json::from_str(include_str!("golden/seal.json")).unwrap();
    let n = golden["n"].as_u64().unwrap() as usize;
    let scale = golden["scale"].as_f64().unwrap();
    for special_bits in [vec![], vec![49]] {
        let parameters = Parameters::toy(&ParametersLiteral {
            ring_degree: n,
            prime_bits: vec![49, 49, 40, 40],
            special_bits,
        })
        .unwrap();
        let secret = SecretKey::generate(&parameters);
        let evaluator = Evaluator::new(&parameters, Some(secret.relinearisation_key())).unwrap();
        let cases = golden["cases"].as_array().unwrap();
        assert_eq!(cases.len(), 4);
        for case in cases {
            let encrypt = |name: &str| {
                let slots = numbers(&case[name]);
                secret.encrypt(&slots, scale, 4).unwrap().expand()
            };
            // products reach 64 and their squares 4096; noise is some thousands over the scale
            let product = evaluator.multiply(&encrypt("x"), &encrypt("y")).unwrap();
            close(
                &secret.decrypt(&product).unwrap(),
                &case["product"],
                1e-6,
                "product",
            );
            if !evaluator.parameters().literal().special_bits.is_empty() {
                // without special primes a relinearisation is only exact if rescaling follows at once
                let two = evaluator.relinearise(&product).unwrap();
                let found = secret.decrypt(&two).unwrap();
                close(&found, &case["relinearised"], 1e-6, "relinearised");
            }
            let rescaled = evaluator.rescale(&product).unwrap();
            close(
                &secret.decrypt(&rescaled).unwrap(),
                &case["rescaled"],
                1e-5,
                "rescaled",
            );
            let square = evaluator.multiply(&rescaled, &rescaled).unwrap();
            let fourth = evaluator.rescale(&square).unwrap();
            let found = secret.decrypt(&fourth).unwrap();
            close(&found, &case["fourth_power"], 2e-3, "fourth power");
        }
    }
}
