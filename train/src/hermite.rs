//! Activations as Hermite series whose terms are normalised one by one (the HerPN block of AESPA).
//!
//! 1. `f(z) ≈ Σ c_k h_k(z)` with `h_k = He_k / √k!` and `c_k = E f(Z) h_k(Z)` for a standard normal `Z`.
//! 2. In training each term goes through a batch norm of its own, without gamma and beta, per channel:
//!    `c_0 + Σ_{k ≥ 1} c_k (h_k(z) - m_k) / √(v_k + ε)`. Whatever reaches the activation, no degree drowns the others.
//! 3. What is exported is the polynomial of each channel, `m_k` and `v_k` being running statistics by then.
//!
//! # References
//! - Park, Kim, Kim, Ahn (2022), *AESPA: accuracy preserving low-degree polynomial activation for fast private
//!   inference*, arXiv 2201.06699, section 3.

use crate::values::values;
use approx::{Activation, Basis, Interval, Polynomial};
use burn::tensor::Tensor;
use cryptodl_network::{BATCH_NORM_EPSILON, Nonlinearity};

/// Terms smaller than this are left out: those that vanish by symmetry.
const NEGLIGIBLE: f64 = 1e-9;

/// The series of one activation layer.
#[derive(Clone, Debug)]
pub(crate) struct Hermite {
    /// `c_0` to `c_degree`.
    pub coefficients: Vec<f64>,
    /// Position of the first term's running mean among the weights; its variance and the next terms follow.
    pub position: usize,
    /// Of the polynomial in whose place it stands.
    pub interval: Interval,
}

impl Hermite {
    pub(crate) fn new(
        activation: Activation,
        degree: usize,
        position: usize,
        interval: Interval,
    ) -> Self {
        Self {
            coefficients: coefficients(activation, degree),
            position,
            interval,
        }
    }

    /// Names of the statistics, two a term.
    pub(crate) fn names(&self) -> impl Iterator<Item = String> {
        (1..self.coefficients.len())
            .flat_map(|k| [format!("hermite{k}.mean"), format!("hermite{k}.variance")])
    }

    /// `c_0 + Σ c_k norm(k, h_k(x))`; `norm` is given the positions of mean and variance.
    pub(crate) fn apply(
        &self,
        x: &Tensor<2>,
        mut norm: impl FnMut(usize, Tensor<2>) -> Tensor<2>,
    ) -> Tensor<2> {
        let mut sum = x.zeros_like() + self.coefficients[0];
        let (mut before, mut current) = (x.ones_like(), x.clone());
        for k in 1..self.coefficients.len() {
            if self.coefficients[k].abs() > NEGLIGIBLE {
                let position = self.position + 2 * (k - 1);
                sum = sum + norm(position, current.clone()) * self.coefficients[k];
            }
            let [root, next_root] = [k, k + 1].map(|k| (k as f64).sqrt());
            let next = (x.clone() * current.clone() - before * root) / next_root;
            (before, current) = (current, next);
        }
        sum
    }

    /// The polynomials of the channels, given the statistics; the error is for numbers that are not finite.
    pub(crate) fn folded(&self, weights: &[Tensor<2>]) -> Option<Nonlinearity> {
        let bases = bases(self.coefficients.len() - 1);
        let statistics: Vec<[Vec<f32>; 2]> = (1..self.coefficients.len())
            .map(|k| [0, 1].map(|part| values(&weights[self.position + 2 * (k - 1) + part])))
            .collect();
        let channels = statistics.first()?[0].len();
        let polynomial = |channel: usize| {
            let mut powers = vec![0.0; bases.len()];
            powers[0] = self.coefficients[0];
            for (k, [mean, variance]) in statistics.iter().enumerate() {
                let (mean, variance) = (f64::from(mean[channel]), f64::from(variance[channel]));
                let c = self.coefficients[k + 1];
                if c.abs() > NEGLIGIBLE {
                    let scale = c / (variance + BATCH_NORM_EPSILON).sqrt();
                    powers[0] -= scale * mean;
                    for (power, term) in powers.iter_mut().zip(&bases[k + 1]) {
                        *power += scale * term;
                    }
                }
            }
            Polynomial::new(powers, Basis::Monomial, self.interval).ok()
        };
        Some(Nonlinearity::Channels {
            polynomials: (0..channels).map(polynomial).collect::<Option<_>>()?,
            learnable: false,
        })
    }
}

/// `h_0` to `h_degree` in powers: `√(k+1) h_{k+1} = x h_k - √k h_{k-1}`.
fn bases(degree: usize) -> Vec<Vec<f64>> {
    let mut found = vec![vec![1.0], vec![0.0, 1.0]];
    for k in 1..degree {
        let [root, next_root] = [k, k + 1].map(|k| (k as f64).sqrt());
        let mut next = vec![0.0; k + 2];
        for (power, term) in found[k].iter().enumerate() {
            next[power + 1] += term / next_root;
        }
        for (power, term) in found[k - 1].iter().enumerate() {
            next[power] -= root * term / next_root;
        }
        found.push(next);
    }
    found.truncate(degree + 1);
    found
}

/// `E f(Z) h_k(Z)` by Simpson's rule on either side of 0, where ReLU has its kink.
fn coefficients(activation: Activation, degree: usize) -> Vec<f64> {
    const REACH: f64 = 12.0;
    const STEPS: usize = 4_000;
    let width = REACH / STEPS as f64;
    let mut sums = vec![0.0; degree + 1];
    for side in [-1.0, 1.0] {
        for step in 0..=STEPS {
            let rule = match step {
                0 | STEPS => 1.0,
                _ if step % 2 == 1 => 4.0,
                _ => 2.0,
            };
            let z = side * width * step as f64;
            let density = (-0.5 * z * z).exp() / (2.0 * std::f64::consts::PI).sqrt();
            let weight = rule * width / 3.0 * density * activation.value(z);
            let (mut before, mut current) = (0.0, 1.0);
            for (k, sum) in sums.iter_mut().enumerate() {
                *sum += weight * current;
                let [root, next_root] = [k, k + 1].map(|k| (k as f64).sqrt());
                (before, current) = (current, (z * current - root * before) / next_root);
            }
        }
    }
    sums
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::{Device, TensorData};
    use std::f64::consts::PI;

    #[test]
    fn coefficients_of_relu_are_those_of_the_paper() {
        let found = coefficients(Activation::Relu, 4);
        let expected = [
            1.0 / (2.0 * PI).sqrt(),
            0.5,
            1.0 / (4.0 * PI).sqrt(),
            0.0,
            -1.0 / (48.0 * PI).sqrt(),
        ];
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-9, "{found} {expected}");
        }
    }

    #[test]
    fn folded_polynomials_are_the_normalised_series() {
        let device = Device::flex();
        let interval = Interval::new(-3.0, 3.0).unwrap();
        let hermite = Hermite::new(Activation::Relu, 4, 0, interval);
        let row = |a: f32, b: f32| Tensor::<2>::from_data([[a, b]], &device);
        let weights: Vec<Tensor<2>> = (0..4)
            .flat_map(|k| {
                let k = k as f32;
                [row(0.1 * k, -0.2), row(1.0 + k, 0.5)]
            })
            .collect();
        let Some(Nonlinearity::Channels { polynomials, .. }) = hermite.folded(&weights) else {
            panic!("a polynomial for each channel")
        };
        assert_eq!(hermite.names().count(), weights.len());
        // two channels of one position, three images
        let inputs = [-2.0f32, 0.3, 1.5, -1.0, 0.0, 2.5];
        let x = Tensor::<2>::from_data(TensorData::new(inputs.to_vec(), [2, 3]), &device);
        let y = hermite.apply(&x, |position, term| {
            let [mean, variance] = [0, 1].map(|part| weights[position + part].clone().transpose());
            (term - mean) / (variance + BATCH_NORM_EPSILON).sqrt()
        });
        for (index, (x, y)) in inputs.iter().zip(values(&y)).enumerate() {
            let expected = polynomials[index / 3].eval(f64::from(*x));
            assert!((f64::from(y) - expected).abs() < 1e-5, "{y} {expected}");
        }
    }
}
