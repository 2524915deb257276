//! The scheme as a whole: what is decrypted is what was computed, within the predicted noise.

use cryptodl_ckks::{
    Ciphertext, Error, Evaluator, Parameters, ParametersLiteral, SecretKey,
    noise::{self, Sizes},
};
use rand::{Rng, SeedableRng, rngs::StdRng};

fn literal(ring_degree: usize, prime_bits: &[u32], special_bits: &[u32]) -> ParametersLiteral {
    ParametersLiteral {
        ring_degree,
        prime_bits: prime_bits.to_vec(),
        special_bits: special_bits.to_vec(),
    }
}

fn slots(n: usize, seed: u64) -> Vec<f64> {
    let mut rng = StdRng::seed_from_u64(seed);
    (0..n).map(|_| rng.random_range(-1.0..1.0)).collect()
}

/// Root mean square of the error in units of the ciphertext's integers.
fn noise_of(secret: &SecretKey, c: &Ciphertext, expected: &[f64]) -> f64 {
    let found = secret.decrypt(c).unwrap();
    let squares = found.iter().zip(expected).map(|(a, b)| (a - b).powi(2));
    (squares.sum::<f64>() / expected.len() as f64).sqrt() * c.scale()
}

fn setup(literal: &ParametersLiteral) -> (Parameters, SecretKey, Evaluator) {
    let parameters = Parameters::toy(literal).unwrap();
    let secret = SecretKey::generate(&parameters);
    let evaluator = Evaluator::new(&parameters, Some(secret.relinearisation_key())).unwrap();
    (parameters, secret, evaluator)
}

const SCALE: f64 = (1u64 << 34) as f64;

#[test]
fn noise_is_what_the_formulas_say_over_many_keys() {
    // large enough for the law of large numbers, small enough to be quick
    for (primes, special) in [
        (&[45, 40, 40][..], &[][..]),
        (&[40, 40, 48], &[]),
        (&[45, 40, 40], &[48]),
        (&[45, 40, 40], &[40, 41]),
    ] {
        let mut ratios = vec![Vec::new(); 5];
        for seed in 0..12 {
            let (p, secret, evaluator) = setup(&literal(1024, primes, special));
            let sizes = Sizes::from(&p);
            let x = slots(1024, seed);
            let fresh = secret.encrypt(&x, SCALE, 3).unwrap().expand();
            ratios[0].push(noise_of(&secret, &fresh, &x) / noise::fresh(&sizes));
            let public = secret.public_key().encrypt(&x, SCALE).unwrap();
            ratios[1].push(noise_of(&secret, &public, &x) / noise::fresh_public(&sizes));
            // a scale at which fresh noise is nothing beside what follows
            let zero = secret.encrypt(&[], SCALE, 3).unwrap().expand();
            let rescaled = evaluator.rescale(&zero).unwrap();
            let nothing = vec![0.0; 1024];
            ratios[2]
                .push(noise_of(&secret, &rescaled, &nothing) / noise::rescale(&sizes, 3, false));
            let square = evaluator.multiply(&zero, &zero).unwrap();
            let own = noise_of(&secret, &square, &nothing);
            let both = evaluator.rescale(&square).unwrap();
            let added = noise_of(&secret, &both, &nothing);
            ratios[3].push(added / noise::rescale(&sizes, 3, true));
            let relinearised = evaluator.relinearise(&square).unwrap();
            let total = noise_of(&secret, &relinearised, &nothing);
            ratios[4].push(total / noise::relinearise(&sizes, 3).hypot(own));
        }
        for (kind, ratios) in ratios.iter().enumerate() {
            let mean = ratios.iter().sum::<f64>() / ratios.len() as f64;
            // a quarter of a bit; the single runs scatter with |s| of their key
            assert!(
                (0.84..1.19).contains(&mean),
                "kind {kind} with {primes:?} {special:?}: {ratios:.2?}"
            );
        }
    }
}

#[test]
fn products_follow_one_another_down_to_the_last_prime() {
    let (_, secret, evaluator) = setup(&literal(256, &[48, 40, 40, 40], &[48]));
    let mut expected = slots(256, 1);
    let other = slots(256, 2);
    // the scale of the primes, so that it stays as it is
    let scale = 40f64.exp2();
    let factor = secret.encrypt(&other, scale, 4).unwrap().expand();
    let mut c = secret.encrypt(&expected, scale, 4).unwrap().expand();
    for _ in 0..3 {
        let product = evaluator.multiply(&c, &factor).unwrap();
        assert_eq!(product.components(), 3);
        c = evaluator.rescale(&product).unwrap();
        for (e, o) in expected.iter_mut().zip(&other) {
            *e *= o;
        }
    }
    assert_eq!((c.primes(), c.components()), (1, 2));
    let found = secret.decrypt(&c).unwrap();
    for (a, b) in found.iter().zip(&expected) {
        assert!((a - b).abs() < 1e-3, "{a} for {b}");
    }
    assert_eq!(evaluator.rescale(&c).unwrap_err(), Error::NoLevel);
}

#[test]
fn three_parts_decrypt_as_two_do() {
    let (_, secret, evaluator) = setup(&literal(64, &[48, 40], &[48]));
    let x = slots(64, 3);
    let c = secret.encrypt(&x, SCALE, 2).unwrap().expand();
    let square = evaluator.multiply(&c, &c).unwrap();
    let relinearised = evaluator.relinearise(&square).unwrap();
    assert_eq!((relinearised.components(), relinearised.primes()), (2, 2));
    let (three, two) = (
        secret.decrypt(&square).unwrap(),
        secret.decrypt(&relinearised).unwrap(),
    );
    for ((a, b), x) in three.iter().zip(&two).zip(&x) {
        assert!((a - x * x).abs() < 1e-6 && (a - b).abs() < 1e-6);
    }
}

#[test]
fn sums_and_numbers_do_what_they_say() {
    let (_, secret, evaluator) = setup(&literal(64, &[45, 40], &[]));
    let (x, y) = (slots(64, 4), slots(64, 5));
    let a = secret.encrypt(&x, SCALE, 2).unwrap().expand();
    let b = secret.encrypt(&y, SCALE, 2).unwrap().expand();
    let b = b.drop_to(1).unwrap();
    let sum = evaluator.add(&a, &b).unwrap();
    assert_eq!(sum.primes(), 1);
    let sum = evaluator.add_number(&sum, -2.5).unwrap();
    let scaled = evaluator.multiply_number(&a, -0.75, 256.0).unwrap();
    assert!((scaled.scale() / SCALE - 256.0).abs() < 1e-9);
    let found = secret.decrypt(&sum).unwrap();
    let products = secret.decrypt(&scaled).unwrap();
    for i in 0..64 {
        assert!((found[i] - (x[i] + y[i] - 2.5)).abs() < 1e-6);
        assert!((products[i] + 0.75 * x[i]).abs() < 1e-6);
    }
    let other = a.clone().with_scale(2.0 * SCALE);
    assert!(matches!(evaluator.add(&a, &other), Err(Error::Mismatch(_))));
}

#[test]
fn many_at_once_equal_one_at_a_time() {
    let (_, secret, evaluator) = setup(&literal(64, &[45, 40, 40], &[]));
    let all: Vec<Ciphertext> = (0..11)
        .map(|seed| {
            let c = secret.encrypt(&slots(64, seed), SCALE, 3).unwrap().expand();
            evaluator.multiply(&c, &c).unwrap()
        })
        .collect();
    let together = evaluator.rescale_all(&all).unwrap();
    for (one, c) in together.iter().zip(&all) {
        assert_eq!(one, &evaluator.rescale(c).unwrap());
    }
    for threads in [1, 2, 5] {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        assert_eq!(
            pool.install(|| evaluator.rescale_all(&all)).unwrap(),
            together
        );
    }
}

#[test]
fn flooding_hides_the_low_bits_only() {
    let (p, secret, _) = setup(&literal(1024, &[45], &[]));
    let x = slots(1024, 6);
    let c = secret.encrypt(&x, SCALE, 1).unwrap().expand();
    let own = noise::fresh(&Sizes::from(&p));
    let flooded = || secret.decrypt_flooded(&c, own, 10).unwrap();
    let found = flooded();
    let squares = found.iter().zip(&x).map(|(a, b)| (a - b).powi(2));
    let error = (squares.sum::<f64>() / 1024.0).sqrt() * SCALE;
    let expected = 1024.0 * own;
    assert!((0.8..1.25).contains(&(error / expected)), "{error}");
    assert_ne!(found, flooded(), "fresh noise each time");
    for (noise, bits) in [(f64::NAN, 1), (-1.0, 1), (1.0, 2000)] {
        let refused = secret.decrypt_flooded(&c, noise, bits);
        assert!(matches!(refused, Err(Error::Flood { .. })));
    }
}

#[test]
fn what_does_not_belong_together_is_refused() {
    let (_, secret, evaluator) = setup(&literal(64, &[45, 40], &[]));
    let (_, stranger, other) = setup(&literal(64, &[44, 40], &[]));
    let a = secret.encrypt(&[1.0], SCALE, 2).unwrap().expand();
    let b = stranger.encrypt(&[1.0], SCALE, 2).unwrap().expand();
    assert!(evaluator.add(&a, &b).is_err());
    assert!(evaluator.multiply(&a, &b).is_err());
    assert!(evaluator.rescale(&b).is_err());
    assert!(secret.decrypt(&b).is_err());
    assert!(other.relinearise(&a).is_err());
    assert!(secret.encrypt(&[1.0], SCALE, 3).is_err());
    assert!(secret.encrypt(&[1.0], SCALE, 0).is_err());
    assert!(a.drop_to(0).is_err());
    let three = evaluator.multiply(&a, &a).unwrap();
    assert!(evaluator.multiply(&three, &a).is_err());
    let keyless = Evaluator::new(evaluator.parameters(), None).unwrap();
    assert!(keyless.relinearise(&three).is_err());
    assert!(Evaluator::new(other.parameters(), Some(secret.relinearisation_key())).is_err());
}

#[test]
fn the_wrong_key_decrypts_to_noise() {
    let (p, secret, _) = setup(&literal(64, &[45], &[]));
    let c = secret.encrypt(&slots(64, 7), SCALE, 1).unwrap().expand();
    let other = SecretKey::generate(&p);
    let found = other.decrypt(&c).unwrap();
    assert!(found.iter().any(|x| x.abs() > 10.0));
}
