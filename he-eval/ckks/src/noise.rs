//! How large the noise is: root mean squares over the slots, before division by the scale.
//!
//! A polynomial whose coefficients have deviation σ has slots of deviation `σ √(2N)`, since slot k
//! is `a_0 + Σ 2 a_j cos(…)`; slots of a product are products of slots. A ternary secret has slots of
//! deviation `√(2/3 · 2N)`. Independence is assumed throughout (the usual heuristic; Costache,
//! Curtis, Hales, Murphy, Ogilvie & Player, On the precision loss in approximate homomorphic
//! encryption, SAC 2023).

use crate::{NOISE_DEVIATION, Parameters};

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
pub fn fresh(parameters: &Parameters) -> f64 {
    let n = parameters.ring_degree() as f64;
    error(n).hypot(rounding(n))
}

/// Noise of a fresh encryption under a public key: `e_0 + e_1 s + e v`.
pub fn fresh_public(parameters: &Parameters) -> f64 {
    let n = parameters.ring_degree() as f64;
    (error(n) * (1.0 + 2.0 * secret_variance(n)).sqrt()).hypot(rounding(n))
}

/// Noise that rescaling from `primes` primes adds to its result of two parts, relinearised in the
/// same step or not.
pub fn rescale(parameters: &Parameters, primes: usize, relinearise: bool) -> f64 {
    let n = parameters.ring_degree() as f64;
    let rounding = rounding(n) * (1.0 + secret_variance(n)).sqrt();
    if !relinearise {
        return rounding;
    }
    let dropped = parameters.modulus(primes - 1).value() as f64 * special(parameters);
    rounding.hypot(digits(parameters, primes) / dropped)
}

/// Noise that relinearisation alone adds with `primes` primes.
pub fn relinearise(parameters: &Parameters, primes: usize) -> f64 {
    let n = parameters.ring_degree() as f64;
    let noise = digits(parameters, primes) / special(parameters);
    if parameters.literal().special_bits.is_empty() {
        noise
    } else {
        noise.hypot(rounding(n) * (1.0 + secret_variance(n)).sqrt())
    }
}

/// The product of the special primes.
fn special(parameters: &Parameters) -> f64 {
    let rings = &parameters.all_rings()[parameters.primes()..];
    rings.iter().map(|r| r.modulus.value() as f64).product()
}

/// `Σ_i d_i e_i`: digits are uniform around zero.
fn digits(parameters: &Parameters, primes: usize) -> f64 {
    let n = parameters.ring_degree() as f64;
    let squares = (0..primes).map(|i| (parameters.modulus(i).value() as f64).powi(2));
    rounding(n) * error(n) * squares.sum::<f64>().sqrt()
}
