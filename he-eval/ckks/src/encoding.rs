//! Encoding: real slots to integer coefficients and back, by the canonical embedding.
//!
//! Slot k is the value of `a_0 + Σ a_j (X^j + X^-j)` at `X = ζ^(4k+1)`, ζ = exp(2πi / 4N), which is
//! `Σ_j b_j ζ^j ω^(jk)` with `b_j = a_j - i a_(N-j)` and `ω = ζ⁴`, by the same folding as in the
//! transform modulo a prime. The other way, `a_j = Re(ζ^-j B_j)` where B is the discrete Fourier
//! transform of the slots, divided by N.
//!
//! # References
//! - Cheon, Kim, Kim & Song (2017), Homomorphic encryption for arithmetic of approximate numbers,
//!   ASIACRYPT, section 3.2.  - Kim & Song (2018), ICISC, section 4.

use std::sync::Arc;

use realfft::{ComplexToReal, RealFftPlanner, RealToComplex, num_complex::Complex64};

use crate::error::Error;

/// The embedding of one ring degree.
pub(crate) struct Embedding {
    forward: Arc<dyn RealToComplex<f64>>,
    backward: Arc<dyn ComplexToReal<f64>>,
    /// ζ^j for j ≤ N/2.
    powers: Vec<Complex64>,
}

impl Embedding {
    pub fn new(n: usize) -> Self {
        let mut planner = RealFftPlanner::new();
        let angle = |j: usize| std::f64::consts::TAU * j as f64 / (4 * n) as f64;
        Self {
            forward: planner.plan_fft_forward(n),
            backward: planner.plan_fft_inverse(n),
            powers: (0..=n / 2)
                .map(|j| Complex64::from_polar(1.0, angle(j)))
                .collect(),
        }
    }

    /// The coefficients of `scale · slots`, rounded. Missing slots are zero.
    pub fn encode(&self, slots: &[f64], scale: f64) -> Result<Vec<i64>, Error> {
        let n = self.forward.len();
        if slots.len() > n {
            return Err(Error::TooManyValues {
                values: slots.len(),
                slots: n,
            });
        }
        let largest = slots.iter().fold(0.0, |a: f64, x| a.max(x.abs()));
        let odd = slots.iter().find(|x| !x.is_finite()).copied();
        let usable = scale.is_normal() && scale > 0.0;
        if odd.is_some() || !usable || largest * scale >= (1u64 << 62) as f64 {
            return Err(Error::Encoding {
                value: odd.unwrap_or(largest),
                log2_scale: scale.log2(),
            });
        }
        let mut input = slots.to_vec();
        input.resize(n, 0.0);
        let mut spectrum = self.forward.make_output_vec();
        self.forward
            .process(&mut input, &mut spectrum)
            .expect("lengths are those of the plan");
        let factor = scale / n as f64;
        let mut coefficients = vec![0; n];
        for (j, (value, power)) in spectrum.iter().zip(&self.powers).enumerate() {
            let turned = value * power.conj() * factor;
            coefficients[j] = turned.re.round() as i64;
            if j > 0 && j < n / 2 {
                // B_(N-j) is the conjugate of B_j, and ζ^-(N-j) is -i ζ^j
                coefficients[n - j] = -turned.im.round() as i64;
            }
        }
        Ok(coefficients)
    }

    /// The slots of real coefficients, divided by `scale`.
    pub fn decode(&self, coefficients: &[f64], scale: f64) -> Vec<f64> {
        let n = self.forward.len();
        let mut spectrum = self.backward.make_input_vec();
        for (j, (value, power)) in spectrum.iter_mut().zip(&self.powers).enumerate() {
            let mirror = if j == 0 { 0.0 } else { coefficients[n - j] };
            *value = Complex64::new(coefficients[j], -mirror) * power / scale;
        }
        // real slots have a real spectrum at both ends; what is left there is rounding
        spectrum[0].im = 0.0;
        spectrum[n / 2].im = 0.0;
        let mut slots = self.backward.make_output_vec();
        self.backward
            .process(&mut spectrum, &mut slots)
            .expect("lengths are those of the plan");
        slots
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slots_are_values_of_the_polynomial() {
        let n = 32;
        let embedding = Embedding::new(n);
        let slots: Vec<f64> = (0..n).map(|k| (k as f64 * 0.7).sin()).collect();
        let scale = f64::from(1 << 30);
        let a = embedding.encode(&slots, scale).unwrap();
        for (k, &slot) in slots.iter().enumerate() {
            let angle = std::f64::consts::TAU * (4 * k + 1) as f64 / (4 * n) as f64;
            let value: f64 = (1..n)
                .map(|j| 2.0 * a[j] as f64 * (angle * j as f64).cos())
                .sum();
            // N roundings of at most 1 each, doubled
            let error = (value + a[0] as f64) / scale - slot;
            assert!(error.abs() < 64.0 / scale, "slot {k}: {error:e}");
        }
        let real: Vec<f64> = a.iter().map(|&x| x as f64).collect();
        for (a, b) in slots.iter().zip(embedding.decode(&real, scale)) {
            assert!((a - b).abs() < 64.0 / scale);
        }
    }

    #[test]
    fn what_cannot_be_encoded_is_an_error() {
        let embedding = Embedding::new(32);
        assert!(embedding.encode(&[0.0; 33], 1.0).is_err());
        assert!(embedding.encode(&[f64::NAN], 1.0).is_err());
        assert!(embedding.encode(&[f64::INFINITY], 1.0).is_err());
        assert!(embedding.encode(&[1e10], 1e10).is_err());
        for scale in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(embedding.encode(&[1.0], scale).is_err(), "{scale}");
        }
        assert_eq!(embedding.encode(&[], 1.0).unwrap(), vec![0; 32]);
    }

    /// See `tests/golden/generate.py`.
    #[test]
    fn coefficients_are_those_of_seal() {
        let golden: serde_json::Value =
            serde_json::from_str(include_str!("../tests/golden/seal.json")).unwrap();
        let embedding = Embedding::new(golden["n"].as_u64().unwrap() as usize);
        let scale = golden["scale"].as_f64().unwrap();
        for case in golden["cases"].as_array().unwrap() {
            let slots: Vec<f64> = case["x"]
                .as_array()
                .unwrap()
                .iter()
                .map(|x| x.as_f64().unwrap())
                .collect();
            let ours = embedding.encode(&slots, scale).unwrap();
            let theirs = case["coefficients"].as_array().unwrap();
            for (a, b) in ours.iter().zip(theirs) {
                // halves may be rounded either way
                assert!((a - b.as_i64().unwrap()).abs() <= 1, "{a} for {b}");
            }
        }
    }
}
