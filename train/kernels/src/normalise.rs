//! Batch norm, the activation behind it and its boundary loss in one pass over `[channels·positions, batch]`.
//!
//! For a channel of `M` values `x` with mean `m` and variance `v`, `d = x - m`, `s = gamma / √(v + ε)`:
//! 1. `z = s · d + beta`, `y = f(z)`, boundary loss `Σ relu(|z| - b)²`.
//! 2. Backward: `g = ∂y · f'(z) + weight · 2 relu(|z| - b) sign(z) / (all values)`, with `z` computed again.
//!    (An exponential penalty has `exp(e) - 1` and `exp(e)` for `e²` and `2e`, `e = relu(|z| - b)`.)
//! 3. `∂beta = Σ g`, `∂gamma = Σ g d / √(v + ε)`,
//!    `∂x = s · (g - Σ g / M - d · Σ g d / (M (v + ε)))`.
//!
//! # References
//! - Ioffe & Szegedy (2015), *Batch normalization*, ICML, section 3.

use crate::channel::{Channel, Terms};
use crate::memory::zeros;
use crate::penalty::{Penalty, STEEPEST, exponential};
use crate::pointwise::{Function, Identity, Pointwise, Powers, Relu, Replaced};
use crate::sums::{BLOCK, sum};
use crate::terms::{Slopes, TermMoments};
use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

/// How normalised values are treated, the same in every channel.
#[derive(Clone, Debug, PartialEq)]
pub struct Treatment {
    /// What is applied to them.
    pub pointwise: Pointwise,
    /// Added to the variance.
    pub epsilon: f32,
    /// Normalised values beyond this are punished.
    pub boundary: f32,
    /// Factor of the boundary loss in the loss of the training; none of its gradient is added where it is 0.
    pub boundary_weight: f32,
    /// What is beyond goes through this.
    pub penalty: Penalty,
}

/// What a training pass gives.
pub struct Normalised {
    /// `[channels·positions, batch]`.
    pub output: Vec<f32>,
    /// One for each channel.
    pub mean: Vec<f32>,
    /// One for each channel.
    pub variance: Vec<f32>,
    /// One for each channel.
    pub terms: Vec<Terms>,
    /// Mean of `relu(|z| - boundary)²` over all values.
    pub excess: f32,
}

/// Gradients, as long as what they belong to.
pub struct Gradients {
    /// `[channels·positions, batch]`.
    pub values: Vec<f32>,
    /// One for each channel.
    pub gamma: Vec<f32>,
    /// One for each channel.
    pub beta: Vec<f32>,
}

/// Output for values `[channels·positions, batch]`, with the statistics of the values themselves.
///
/// # Panics
/// Where the values are not as many for each channel, or there are not as many betas as gammas.
pub fn train(values: &[f32], gamma: &[f32], beta: &[f32], treatment: &Treatment) -> Normalised {
    let size = values.len() / gamma.len();
    assert_eq!(values.len(), size * gamma.len());
    assert_eq!(gamma.len(), beta.len());
    let mut output = zeros(values.len());
    let channels: Vec<(Channel, f64)> = output
        .par_chunks_exact_mut(size)
        .zip(values.par_chunks_exact(size))
        .zip(gamma.par_iter().zip(beta))
        .map(|((output, values), (gamma, beta))| {
            let (mean, variance) = Arch::new().dispatch(Moments(values));
            let mut channel = Channel {
                gamma: *gamma,
                beta: *beta,
                mean,
                variance,
                terms: Terms::default(),
            };
            if matches!(treatment.pointwise, Pointwise::Terms(_)) {
                channel.terms = Arch::new().dispatch(TermMoments {
                    values,
                    channel,
                    epsilon: treatment.epsilon,
                });
            }
            let excess = apply(values, output, channel, treatment);
            (channel, excess)
        })
        .collect();
    Normalised {
        output,
        mean: channels.iter().map(|(channel, _)| channel.mean).collect(),
        variance: channels
            .iter()
            .map(|(channel, _)| channel.variance)
            .collect(),
        terms: channels.iter().map(|(channel, _)| channel.terms).collect(),
        excess: (channels.iter().map(|(_, excess)| excess).sum::<f64>() / values.len() as f64)
            as f32,
    }
}

/// Output for values `[channels·positions, batch]`, with given statistics.
///
/// # Panics
/// Where the values are not as many for each channel.
pub fn infer(values: &[f32], channels: &[Channel], treatment: &Treatment) -> Vec<f32> {
    let size = values.len() / channels.len();
    assert_eq!(values.len(), size * channels.len());
    let mut output = zeros(values.len());
    output
        .par_chunks_exact_mut(size)
        .zip(values.par_chunks_exact(size))
        .zip(channels)
        .for_each(|((output, values), channel)| {
            apply(values, output, *channel, treatment);
        });
    output
}

/// Gradients of [`train`], for gradients of its output; the boundary loss counts as `treatment` says.
///
/// # Panics
/// Where values and gradients are not equally many, as many for each channel.
pub fn gradients(
    values: &[f32],
    gradients: &[f32],
    channels: &[Channel],
    treatment: &Treatment,
) -> Gradients {
    let size = values.len() / channels.len();
    assert_eq!(values.len(), size * channels.len());
    assert_eq!(values.len(), gradients.len());
    let mut result = zeros(values.len());
    let pull = treatment.boundary_weight / values.len() as f32;
    let sums: Vec<(f32, f32)> = result
        .par_chunks_exact_mut(size)
        .zip(values.par_chunks_exact(size))
        .zip(gradients.par_chunks_exact(size))
        .zip(channels)
        .map(|(((result, values), gradients), channel)| {
            let pass = Backward {
                values,
                gradients,
                result,
                channel: *channel,
                treatment,
                pull,
            };
            Arch::new().dispatch(pass)
        })
        .collect();
    Gradients {
        values: result,
        gamma: sums.iter().map(|sum| sum.0).collect(),
        beta: sums.iter().map(|sum| sum.1).collect(),
    }
}

/// Mean and variance.
struct Moments<'a>(&'a [f32]);

impl WithSimd for Moments<'_> {
    type Output = (f32, f32);
    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> (f32, f32) {
        let n = self.0.len() as f64;
        let mean = (sum(self.0, self.0, |x, _| x) / n) as f32;
        let squares = sum(self.0, self.0, |x, _| (x - mean) * (x - mean));
        (mean, (squares / n) as f32)
    }
}

/// Writes the output of a channel, and gives its boundary loss, not divided by anything.
fn apply(values: &[f32], output: &mut [f32], channel: Channel, treatment: &Treatment) -> f64 {
    let pass = Apply {
        values,
        output,
        channel,
        treatment,
    };
    Arch::new().dispatch(pass)
}

struct Apply<'a, 'b> {
    values: &'a [f32],
    output: &'b mut [f32],
    channel: Channel,
    treatment: &'a Treatment,
}

impl WithSimd for Apply<'_, '_> {
    type Output = f64;
    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> f64 {
        match &self.treatment.pointwise {
            Pointwise::Identity => self.run(Identity),
            Pointwise::Relu => self.run(Relu),
            Pointwise::Powers(c) if c.len() <= 3 => self.run(Powers::<3>::new(c)),
            Pointwise::Powers(c) => self.run(Powers::<5>::new(c)),
            Pointwise::Replaced {
                powers,
                share,
                within,
            } => self.run(Replaced::new(powers, *share, *within)),
            Pointwise::Terms(c) => {
                let powers = self.channel.terms.powers(*c, self.treatment.epsilon);
                self.run(powers)
            }
        }
    }
}

impl Apply<'_, '_> {
    #[inline(always)]
    fn run(self, function: impl Function) -> f64 {
        let Channel { beta, mean, .. } = self.channel;
        let scale = self.channel.scale(self.treatment.epsilon);
        let boundary = self.treatment.boundary;
        let mut excess = 0.0;
        for (values, output) in self.values.chunks(BLOCK).zip(self.output.chunks_mut(BLOCK)) {
            for (value, output) in values.iter().zip(&mut *output) {
                *output = (value - mean) * scale + beta;
            }
            excess += match self.treatment.penalty {
                Penalty::Square => sum(output, output, |z, _| {
                    let beyond = (z.abs() - boundary).max(0.0);
                    beyond * beyond
                }),
                Penalty::Exponential => sum(output, output, |z, _| {
                    exponential((z.abs() - boundary).max(0.0))
                }),
            };
            for z in output {
                *z = function.value(*z);
            }
        }
        excess
    }
}

struct Backward<'a, 'b> {
    values: &'a [f32],
    gradients: &'a [f32],
    result: &'b mut [f32],
    channel: Channel,
    treatment: &'a Treatment,
    pull: f32,
}

impl WithSimd for Backward<'_, '_> {
    type Output = (f32, f32);
    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) -> (f32, f32) {
        match &self.treatment.pointwise {
            Pointwise::Identity => self.run(|_, g| g),
            Pointwise::Relu => self.run(|z, g| g * Relu.slope(z)),
            Pointwise::Powers(c) if c.len() <= 3 => {
                let powers = Powers::<3>::new(c);
                self.run(|z, g| g * powers.slope(z))
            }
            Pointwise::Powers(c) => {
                let powers = Powers::<5>::new(c);
                self.run(|z, g| g * powers.slope(z))
            }
            Pointwise::Replaced {
                powers,
                share,
                within,
            } => {
                let replaced = Replaced::new(powers, *share, *within);
                self.run(|z, g| g * replaced.slope(z))
            }
            Pointwise::Terms(c) => {
                let epsilon = self.treatment.epsilon;
                let slopes = Slopes::new(self.values, self.gradients, self.channel, *c, epsilon);
                self.run(|z, g| slopes.at(z, g))
            }
        }
    }
}

impl Backward<'_, '_> {
    /// `back` takes a value and the gradient of what the function makes of it.
    #[inline(always)]
    fn run(self, back: impl Fn(f32, f32) -> f32) -> (f32, f32) {
        match self.treatment.penalty {
            Penalty::Square => self.pulled(back, |beyond| 2.0 * beyond),
            Penalty::Exponential => self.pulled(back, |beyond| {
                let slope = beyond.abs().min(STEEPEST).exp().copysign(beyond);
                if beyond == 0.0 { 0.0 } else { slope }
            }),
        }
    }

    /// Gradients of gamma and beta. `push` is the slope of the penalty.
    #[inline(always)]
    fn pulled(self, back: impl Fn(f32, f32) -> f32, push: impl Fn(f32) -> f32) -> (f32, f32) {
        let Channel {
            beta,
            mean,
            variance,
            ..
        } = self.channel;
        let Treatment {
            epsilon, boundary, ..
        } = *self.treatment;
        let scale = self.channel.scale(epsilon);
        let (mut all, mut along) = (0.0, 0.0);
        // Block by block, so that the sums find their terms in the nearest cache.
        let blocks = self.values.chunks(BLOCK).zip(self.gradients.chunks(BLOCK));
        for (result, (values, gradients)) in self.result.chunks_mut(BLOCK).zip(blocks) {
            for ((result, value), gradient) in result.iter_mut().zip(values).zip(gradients) {
                let z = (value - mean) * scale + beta;
                let beyond = (z - boundary).max(0.0) + (z + boundary).min(0.0);
                *result = back(z, *gradient) + self.pull * push(beyond);
            }
            all += sum(result, values, |g, _| g);
            along += sum(result, values, |g, x| g * (x - mean));
        }
        let n = self.values.len() as f64;
        let (all_mean, slope) = (
            (all / n) as f32,
            (along / (n * f64::from(variance + epsilon))) as f32,
        );
        for (result, value) in self.result.iter_mut().zip(self.values) {
            *result = scale * (*result - all_mean - (value - mean) * slope);
        }
        let gamma = along / f64::from(variance + epsilon).sqrt();
        (gamma as f32, all as f32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::normals;

    const CHANNELS: usize = 2;

    fn treatments() -> [Treatment; 6] {
        let powers = vec![0.3, 0.5, 0.25];
        [
            Pointwise::Identity,
            Pointwise::Powers(powers.clone()),
            Pointwise::Powers([powers.clone(), vec![-0.1, 0.05]].concat()),
            Pointwise::Replaced {
                powers,
                share: 1.0,
                within: None,
            },
            Pointwise::Terms([0.4, 0.5, 0.3]),
            Pointwise::Identity,
        ]
        .map(|pointwise| Treatment {
            pointwise,
            epsilon: 1e-5,
            boundary: 1.0,
            boundary_weight: 0.7,
            penalty: Penalty::Exponential,
        })
    }

    /// `Σ gradient · output + boundary_weight · excess`, which training takes the gradient of.
    fn loss(values: &[f32], gradients: &[f32], numbers: [&[f32]; 2], by: &Treatment) -> f64 {
        let found = train(values, numbers[0], numbers[1], by);
        let products = found.output.iter().zip(gradients);
        let sum: f64 = products.map(|(y, g)| f64::from(*y) * f64::from(*g)).sum();
        sum + f64::from(by.boundary_weight * found.excess)
    }

    #[test]
    fn gradients_are_differences_of_the_loss() {
        let size = 301; // no whole number of lanes
        let values = normals(CHANNELS * size, 1);
        let weights = normals(CHANNELS * size, 2);
        let (gamma, beta) = ([1.3, 0.8], [0.2, -0.4]);
        for (index, mut treatment) in treatments().into_iter().enumerate() {
            if index == 5 {
                treatment.penalty = Penalty::Square;
            }
            let found = train(&values, &gamma, &beta, &treatment);
            let channels: Vec<Channel> = (0..CHANNELS)
                .map(|channel| Channel {
                    gamma: gamma[channel],
                    beta: beta[channel],
                    mean: found.mean[channel],
                    variance: found.variance[channel],
                    terms: found.terms[channel],
                })
                .collect();
            assert_eq!(infer(&values, &channels, &treatment), found.output);
            let slopes = super::gradients(&values, &weights, &channels, &treatment);
            // Along a random direction of everything, both sides.
            let directions = [
                normals(values.len(), 3),
                normals(CHANNELS, 4),
                normals(CHANNELS, 5),
            ];
            let moved = |from: &[f32], along: &[f32], by: f32| -> Vec<f32> {
                from.iter().zip(along).map(|(x, d)| x + by * d).collect()
            };
            let at = |by: f32| {
                let values = moved(&values, &directions[0], by);
                let gamma = moved(&gamma, &directions[1], by);
                let beta = moved(&beta, &directions[2], by);
                loss(&values, &weights, [&gamma, &beta], &treatment)
            };
            let difference = (at(1e-2) - at(-1e-2)) / 2e-2;
            let slope: f64 = [&slopes.values, &slopes.gamma, &slopes.beta]
                .into_iter()
                .zip(&directions)
                .flat_map(|(slopes, direction)| slopes.iter().zip(direction))
                .map(|(slope, direction)| f64::from(slope * direction))
                .sum();
            // A step of 0.01 leaves the cube of it, times the size of the sums.
            let bound = 2e-3 * (difference.abs() + 10.0);
            assert!(
                (slope - difference).abs() < bound,
                "{treatment:?}: {slope} {difference}"
            );
        }
    }

    #[test]
    fn normalised_values_have_the_mean_beta_and_the_deviation_gamma() {
        let values: Vec<f32> = normals(4096, 6).iter().map(|x| 3.0 * x + 5.0).collect();
        let found = train(&values, &[2.0], &[0.5], &treatments()[0]);
        let n = values.len() as f64;
        let mean = found.output.iter().map(|y| f64::from(*y)).sum::<f64>() / n;
        let off = found.output.iter().map(|y| (f64::from(*y) - mean).powi(2));
        let deviation = (off.sum::<f64>() / n).sqrt();
        // 32 bits, and an epsilon of 1e-5 beside a variance of 9.
        assert!(
            (mean - 0.5).abs() < 1e-5 && (deviation - 2.0).abs() < 1e-5,
            "{mean} {deviation}"
        );
    }
}
