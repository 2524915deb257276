//! How large the noise is: root mean squares over the slots, before division by the scale.
//!
//! A polynomial whose coefficients have deviation σ has slots of deviation `σ √(2N)`, since slot k
//! is `a_0 + Σ 2 a_j cos(…)`; slots of a product are products of slots. A ternary secret has slots of
//! deviation `√(2/3 · 2N)`. Independence is assumed throughout (the usual heuristic; Costache,
//! Curtis, Hales, Murphy, Ogilvie & Player, On the precision loss in approximate homomorphic
//! encryption, SAC 2023).

use crate::{
    parameters::{Parameters, ParametersLiteral},
    sample::NOISE_DEVIATION,
};

/// All that noise depends on.
#[derive(Clone, Debug)]
pub struct Sizes {
    /// N.
    pub ring_degree: usize,
    /// The ciphertext primes.
    pub primes: Vec<f64>,
    /// The special primes.
    pub special: Vec<f64>,
}

impl From<&Parameters> for Sizes {
    fn from(parameters: &Parameters) -> Self {
        let values = parameters.all_rings().iter();
        let mut primes: Vec<f64> = values.map(|ring| ring.modulus.value() as f64).collect();
        let special = primes.split_off(parameters.primes());
        Self {
            ring_degree: parameters.ring_degree(),
            primes,
            special,
        }
    }
}

/// Before the primes are known: they lie just below the powers of two.
impl From<&ParametersLiteral> for Sizes {
    fn from(literal: &ParametersLiteral) -> Self {
        let powers = |bits: &[u32]| bits.iter().map(|&b| f64::from(b).exp2()).collect();
        Self {
            ring_degree: literal.ring_degree,
            primes: powers(&literal.prime_bits),
            special: powers(&literal.special_bits),
        }
    }
}

/// Slots of noise with the deviation of the error distribution.
fn error(n: f64) -> f64 {
    NOISE_DEVIATION * (2.0 * n).sqrt()
}

/// Slots of what rounding to integers leaves.
fn rounding(n: f64) -> f64 {
    (2.0 * n / 12.0).sqrt()
}

/// Variance of the slots of a ternary secret.
fn secret_variance(n: f64) -> f64 {
    2.0 / 3.0 * 2.0 * n
}

/// Noise of a fresh encryption under the secret key, encoding included.
pub fn fresh(sizes: &Sizes) -> f64 {
    let n = sizes.ring_degree as f64;
    error(n).hypot(rounding(n))
}

/// Noise of a fresh encryption under a public key: `e_0 + e_1 s + e v`.
pub fn fresh_public(sizes: &Sizes) -> f64 {
    let n = sizes.ring_degree as f64;
    (error(n) * (1.0 + 2.0 * secret_variance(n)).sqrt()).hypot(rounding(n))
}

/// Noise that rescaling from `primes` primes adds to its result of two components, relinearised in the
/// same step or not.
pub fn rescale(sizes: &Sizes, primes: usize, relinearise: bool) -> f64 {
    let n = sizes.ring_degree as f64;
    let rounding = rounding(n) * (1.0 + secret_variance(n)).sqrt();
    if !relinearise {
        return rounding;
    }
    let dropped = sizes.primes[primes - 1] * special(sizes);
    rounding.hypot(digits(sizes, primes) / dropped)
}

/// Noise that relinearisation alone adds with `primes` primes.
pub fn relinearise(sizes: &Sizes, primes: usize) -> f64 {
    let n = sizes.ring_degree as f64;
    let noise = digits(sizes, primes) / special(sizes);
    if sizes.special.is_empty() {
        noise
    } else {
        noise.hypot(rounding(n) * (1.0 + secret_variance(n)).sqrt())
    }
}

/// The product of the special primes.
fn special(sizes: &Sizes) -> f64 {
    sizes.special.iter().product()
}

/// `Σ_i d_i e_i`: digits are uniform around zero.
fn digits(sizes: &Sizes, primes: usize) -> f64 {
    let n = sizes.ring_degree as f64;
    let squares = sizes.primes[..primes].iter().map(|q| q * q);
    rounding(n) * error(n) * squares.sum::<f64>().sqrt()
}
