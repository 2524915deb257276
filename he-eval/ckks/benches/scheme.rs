//! What each operation of the scheme takes, at the parameters of a network of depth three.

use cryptodl_ckks::{
    Ciphertext, Evaluator, Parameters, ParametersLiteral, SecretKey, SeededCiphertext,
};
use divan::{Bencher, black_box};

fn main() {
    divan::main();
}

struct Setup {
    secret: SecretKey,
    evaluator: Evaluator,
    slots: Vec<f64>,
}

const PRIMES: [u32; 4] = [40; 4];
const SCALE: f64 = (1u64 << 27) as f64;

fn setup(special: &[u32]) -> Setup {
    let parameters = Parameters::new(&ParametersLiteral {
        ring_degree: 8192,
        prime_bits: PRIMES.to_vec(),
        special_bits: special.to_vec(),
    })
    .unwrap();
    let secret = SecretKey::generate(&parameters);
    let evaluator = Evaluator::new(&parameters, Some(secret.relinearisation_key())).unwrap();
    Setup {
        secret,
        evaluator,
        slots: (0..8192).map(|i| f64::from(i).sin()).collect(),
    }
}

impl Setup {
    fn seeded(&self) -> SeededCiphertext {
        self.secret
            .encrypt(&self.slots, SCALE, PRIMES.len())
            .unwrap()
    }

    fn fresh(&self) -> Ciphertext {
        self.seeded().expand()
    }
}

#[divan::bench]
fn encrypt(bencher: Bencher) {
    let setup = setup(&[]);
    bencher.bench(|| setup.seeded());
}

#[divan::bench]
fn expand(bencher: Bencher) {
    let seeded = setup(&[]).seeded();
    bencher.bench(|| black_box(&seeded).expand());
}

#[divan::bench]
fn decrypt(bencher: Bencher) {
    let setup = setup(&[]);
    let c = setup.fresh().drop_to(2).unwrap();
    bencher.bench(|| setup.secret.decrypt(black_box(&c)).unwrap());
}

#[divan::bench]
fn multiply(bencher: Bencher) {
    let setup = setup(&[]);
    let c = setup.fresh();
    bencher.bench(|| setup.evaluator.multiply(black_box(&c), &c).unwrap());
}

/// Relinearise and rescale, a group of four on one thread; the time is that of all four.
#[divan::bench(args = [2, 3, 4])]
fn relinearise_rescale_4(bencher: Bencher, primes: usize) {
    switch(bencher, &[], primes);
}

/// The same with a special prime.
#[divan::bench(args = [2, 3, 4])]
fn relinearise_rescale_4_special(bencher: Bencher, primes: usize) {
    switch(bencher, &[49], primes);
}

fn switch(bencher: Bencher, special: &[u32], primes: usize) {
    let setup = setup(special);
    let c = setup.fresh().drop_to(primes).unwrap();
    let square = setup.evaluator.multiply(&c, &c).unwrap();
    let four = vec![square; 4];
    let one_thread = rayon::ThreadPoolBuilder::new().num_threads(1);
    let pool = one_thread.build().unwrap();
    bencher.bench(|| pool.install(|| setup.evaluator.rescale_all(black_box(&four)).unwrap()));
}
