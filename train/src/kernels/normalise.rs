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

use super::terms::{Slopes, TermMoments, Terms};
use super::zeros;
use crate::Penalty;
use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

/// Sums run in this many lanes, and in 64 bits from block to block.
const LANES: usize = 16;
pub(super) const BLOCK: usize = 2048;

/// What is applied to each normalised value.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Pointwise {
    /// Nothing.
    Identity,
    /// ReLU.
    Relu,
    /// `c_0 + z (c_1 + z (c_2 + …))`, up to degree 4.
    Powers(Vec<f32>),
    /// `(1 - share) relu(z) + share p(z)`, `p` as in `Powers`.
    Replaced {
        powers: Vec<f32>,
        share: f32,
        /// Where `p` sees its inputs as they are; beyond, it sees the nearer end.
        within: Option<[f32; 2]>,
    },
    /// `c_0`, `c_1` and `c_2` of a Hermite series with normalised terms, see [`super::terms`].
    Terms([f32; 3]),
}

/// A function of one value.
trait Function: Copy + Send + Sync {
    fn value(self, z: f32) -> f32;
    fn slope(self, z: f32) -> f32;
}

#[derive(Clone, Copy)]
struct Identity;

impl Function for Identity {
    #[inline(always)]
    fn value(self, z: f32) -> f32 {
        z
    }
    #[inline(always)]
    fn slope(self, _: f32) -> f32 {
        1.0
    }
}

#[derive(Clone, Copy)]
struct Relu;

impl Function for Relu {
    #[inline(always)]
    fn value(self, z: f32) -> f32 {
        if z > 0.0 { z } else { 0.0 }
    }
    #[inline(always)]
    fn slope(self, z: f32) -> f32 {
        if z > 0.0 { 1.0 } else { 0.0 }
    }
}

#[derive(Clone, Copy)]
pub(super) struct Powers<const N: usize>(pub(super) [f32; N]);

impl<const N: usize> Powers<N> {
    fn new(coefficients: &[f32]) -> Self {
        Self(std::array::from_fn(|k| {
            coefficients.get(k).copied().unwrap_or(0.0)
        }))
    }
}

impl<const N: usize> Function for Powers<N> {
    #[inline(always)]
    fn value(self, z: f32) -> f32 {
        (self.0.iter().rev()).fold(0.0, |sum, coefficient| sum * z + coefficient)
    }
    #[inline(always)]
    fn slope(self, z: f32) -> f32 {
        (1..N)
            .rev()
            .fold(0.0, |sum, k| sum * z + k as f32 * self.0[k])
    }
}

#[derive(Clone, Copy)]
struct Replaced {
    powers: Powers<5>,
    share: f32,
    low: f32,
    high: f32,
}

impl Replaced {
    fn new(powers: &[f32], share: f32, within: Option<[f32; 2]>) -> Self {
        let [low, high] = within.unwrap_or([f32::NEG_INFINITY, f32::INFINITY]);
        Self {
            powers: Powers::new(powers),
            share,
            low,
            high,
        }
    }
}

impl Function for Replaced {
    #[inline(always)]
    fn value(self, z: f32) -> f32 {
        let polynomial = self.powers.value(z.max(self.low).min(self.high));
        (1.0 - self.share) * Relu.value(z) + self.share * polynomial
    }
    #[inline(always)]
    fn slope(self, z: f32) -> f32 {
        let inside = z >= self.low && z <= self.high;
        let slope = if inside { self.powers.slope(z) } else { 0.0 };
        (1.0 - self.share) * Relu.slope(z) + self.share * slope
    }
}

/// From here on an exponential penalty is continued in a straight line.
pub(crate) const STEEPEST: f32 = 8.0;

/// The penalty of a value that lies so far beyond the boundary, at least 0.
#[inline(always)]
fn exponential(beyond: f32) -> f32 {
    let near = beyond.min(STEEPEST);
    near.exp() * (1.0 + beyond - near) - 1.0
}

/// The numbers of a channel.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Channel {
    pub gamma: f32,
    pub beta: f32,
    pub mean: f32,
    /// Biased: the mean of squared distances.
    pub variance: f32,
    /// Those of the terms of [`Pointwise::Terms`]; zeros for anything else.
    pub terms: Terms,
}

/// How normalised values are treated, the same in every channel.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Treatment {
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
pub(crate) struct Normalised {
    /// As long as the values.
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
pub(crate) struct Gradients {
    pub values: Vec<f32>,
    pub gamma: Vec<f32>,
    pub beta: Vec<f32>,
}

/// With the statistics of the values themselves.
pub(crate) fn train(
    values: &[f32],
    gamma: &[f32],
    beta: &[f32],
    treatment: &Treatment,
) -> Normalised {
    let size = values.len() / gamma.len();
    assert_eq!(values.len(), size * gamma.len());
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

/// With given statistics.
pub(crate) fn infer(values: &[f32], channels: &[Channel], treatment: &Treatment) -> Vec<f32> {
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

/// Gradients of [`train`], for gradients of its output.
pub(crate) fn gradients(
    values: &[f32],
    gradients: &[f32],
    channels: &[Channel],
    treatment: &Treatment,
) -> Gradients {
    let size = values.len() / channels.len();
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

/// `Σ f(a, b)` over pairs of equally long slices.
#[inline(always)]
pub(super) fn sum(a: &[f32], b: &[f32], f: impl Fn(f32, f32) -> f32) -> f64 {
    let mut total = 0.0;
    for (a, b) in a.chunks(BLOCK).zip(b.chunks(BLOCK)) {
        let ((a, rest_a), (b, rest_b)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
        let mut lanes = [0.0; LANES];
        for (a, b) in a.iter().zip(b) {
            for lane in 0..LANES {
                lanes[lane] += f(a[lane], b[lane]);
            }
        }
        for ((lane, a), b) in lanes.iter_mut().zip(rest_a).zip(rest_b) {
            *lane += f(*a, *b);
        }
        total += f64::from(lanes.iter().sum::<f32>());
    }
    total
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

impl Channel {
    pub(super) fn scale(self, epsilon: f32) -> f32 {
        self.gamma / (self.variance + epsilon).sqrt()
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
