//! Choosing parameters: scales from the last layer back to the first, noise from the first to the last.
//!
//! A linear layer divides the scale by its step, a square squares it, rescaling divides it by the prime
//! that is dropped. What must be held at the end, and how large the primes are, therefore fixes every
//! scale before, up to that of the inputs. Noise is followed forwards as a root mean square in real
//! units for each value: a linear layer adds up variances, a square multiplies by twice the typical
//! value, and each rescaling adds its own ([`cryptodl_ckks::noise`]). Typical values come from the
//! batch norms, which fix the mean and deviation of what an activation reads.

use approx::Polynomial;
use cryptodl_ckks::{
    Literal, MAX_PRIME_BITS, Parameters,
    noise::{self, Sizes},
};

use super::{groups::Group, polynomial, prediction::effect};
use crate::{
    EvalError,
    graph::{Operation, PADDING, Power},
    quantise::Grid,
    security,
};

/// Wanted precision of a logit, in bits after the point. A prediction changes only where two logits are closer than
/// that: of trained networks none of 10,000, of random ones about one in two thousand (`results/reference/growth`).
const PRECISION_BITS: f64 = 11.0;
/// The mean of a logit over a batch is taken to be below `2^9`: trained networks stay below 2^6. Larger ones are
/// found at decryption, by what is left of the modulus, and refused.
const LOGIT_BITS: f64 = 9.0;
/// Root mean square of a pixel of 0 to 255: between those of MNIST (85) and CIFAR-10 (137).
const TYPICAL_PIXEL: f64 = 110.0;

/// CKKS parameters for a given graph.
#[derive(Clone, Debug, PartialEq)]
pub struct CkksPlan {
    /// Ring degree N, which is also the number of slots.
    pub ring_degree: usize,
    /// Primes that are never dropped, and their size in bits.
    pub base: (usize, u32),
    /// Primes that rescaling drops, and their size in bits.
    pub dropped: (usize, u32),
    /// Scale of the input ciphertexts, for pixels from 0 to 255.
    pub input_scale: f64,
    /// Scales of the results of each group, which fix those inside of it.
    pub scales: Vec<f64>,
    /// Predicted `-log2` of the root mean square error of a logit.
    pub precision_bits: f64,
}

impl CkksPlan {
    /// The cheapest 128-bit secure parameters that give the wanted precision: the first ring degree of
    /// `rings` that has any, then least cost, then highest precision.
    ///
    /// # Errors
    /// When none gives the precision.
    pub fn new(grid: &Grid, groups: &[Group], rings: &[usize]) -> Result<Self, EvalError> {
        let mut plans = rings.iter().filter_map(|&ring_degree| {
            let limit = security::modulus_limit(ring_degree)?;
            Self::for_ring(grid, groups, ring_degree, limit)
        });
        plans.next().ok_or_else(|| no_levels(groups))
    }

    /// Parameters of a given ring degree, which are NOT secure: for tests.
    ///
    /// # Errors
    /// When none gives the precision.
    pub fn toy(grid: &Grid, groups: &[Group], ring_degree: usize) -> Result<Self, EvalError> {
        Self::for_ring(grid, groups, ring_degree, u32::MAX).ok_or_else(|| no_levels(groups))
    }

    fn for_ring(grid: &Grid, groups: &[Group], ring_degree: usize, limit: u32) -> Option<Self> {
        let mut best: Option<(u32, Self)> = None;
        for mut plan in candidates(groups, ring_degree, limit) {
            let cost = plan.cost();
            if best.as_ref().is_some_and(|(least, _)| cost > *least) {
                continue;
            }
            plan.predict(grid, groups);
            let better = best.as_ref().is_none_or(|(least, best)| {
                cost < *least || plan.precision_bits > best.precision_bits
            });
            // small primes may run out in a large ring
            if plan.precision_bits >= PRECISION_BITS
                && better
                && Parameters::toy(&plan.literal()).is_ok()
            {
                best = Some((cost, plan));
            }
        }
        best.map(|(_, plan)| plan)
    }

    /// What a batch costs, in units of a byte of one residue in the linear layers: they read every byte
    /// modulo every prime, and relinearisation transforms as often as there are pairs of primes.
    fn cost(&self) -> u32 {
        let bytes = |(count, bits): (usize, u32)| count as u32 * bits.div_ceil(8);
        let primes = (self.base.0 + self.dropped.0) as u32;
        bytes(self.base) + bytes(self.dropped) + primes * primes / 2
    }

    /// The parameters.
    pub fn literal(&self) -> Literal {
        let mut prime_bits = vec![self.base.1; self.base.0];
        prime_bits.resize(self.base.0 + self.dropped.0, self.dropped.1);
        Literal {
            ring_degree: self.ring_degree,
            prime_bits,
            special_bits: Vec::new(),
        }
    }

    /// In words.
    pub fn describe(&self) -> String {
        let ((base, base_bits), (dropped, dropped_bits)) = (self.base, self.dropped);
        format!(
            "{base} primes of {base_bits} bits and {dropped} of {dropped_bits} that rescaling drops (no special primes), input scale 2^{:.1}",
            self.input_scale.log2()
        )
    }

    /// Scales and noise.
    fn predict(&mut self, grid: &Grid, groups: &[Group]) {
        let steps = steps(grid);
        let sizes = Sizes::from(&self.literal());
        let bits = sizes.primes[..self.base.0].iter().map(|q| q.log2());
        // one bit for the sign
        let mut scale = (bits.sum::<f64>() - 1.0 - LOGIT_BITS).exp2();
        let mut primes = self.base.0;
        self.scales.clear();
        for group in groups.iter().rev() {
            self.scales.push(scale);
            match group {
                Group::Linear(node) => scale *= steps[*node],
                Group::Square {
                    before,
                    after,
                    rescale,
                    ..
                } => {
                    if *rescale {
                        scale *= sizes.primes[primes];
                    }
                    scale = (scale * after.map_or(1.0, |node| steps[node])).sqrt();
                    scale *= before.map_or(1.0, |node| steps[node]);
                }
                Group::Polynomial { levels, .. } => {
                    // the scale that the circuit begins with suits its input as well
                    scale = polynomial::entry_scale(&sizes.primes[primes..primes + levels], scale);
                }
            }
            primes += group.levels();
        }
        self.scales.reverse();
        self.input_scale = scale;
        let forward = Forward::new(grid, &sizes, &steps, scale);
        let noise = forward.through(groups, &self.scales);
        self.precision_bits = -0.5 * (noise.iter().sum::<f64>() / noise.len() as f64).log2();
    }
}

fn no_levels(groups: &[Group]) -> EvalError {
    EvalError::NoLevels {
        levels: groups.iter().map(Group::levels).sum(),
    }
}

/// The step of each node, 1 for activations.
fn steps(grid: &Grid) -> Vec<f64> {
    let mut steps = grid.steps.iter();
    let nodes = grid.graph.nodes.iter();
    nodes
        .map(|node| match node.operation {
            Operation::Linear(_) => *steps.next().expect("every linear layer has a step"),
            _ => 1.0,
        })
        .collect()
}

/// Every combination of sizes that is secure.
fn candidates(
    groups: &[Group],
    ring_degree: usize,
    limit: u32,
) -> impl Iterator<Item = CkksPlan> + use<> {
    let dropped: usize = groups.iter().map(Group::levels).sum();
    let sizes = || [24, 28, 32, 36, 40, 44, 48, MAX_PRIME_BITS].into_iter();
    let all = (1..=3).flat_map(move |base| {
        sizes().flat_map(move |base_bits| {
            sizes().map(move |dropped_bits| CkksPlan {
                ring_degree,
                base: (base, base_bits),
                dropped: (dropped, dropped_bits),
                input_scale: 1.0,
                scales: Vec::new(),
                precision_bits: 0.0,
            })
        })
    });
    all.filter(move |plan| {
        let bits = |(count, bits): (usize, u32)| count as u32 * bits;
        // without dropped primes all their sizes are the same
        bits(plan.base) + bits(plan.dropped) <= limit
            && (dropped > 0 || plan.dropped.1 == MAX_PRIME_BITS)
    })
}

/// Variances on their way through the graph.
struct Forward<'a> {
    grid: &'a Grid,
    sizes: &'a Sizes,
    /// Step of each node, 1 where there is none.
    steps: &'a [f64],
    scale: f64,
    primes: usize,
    /// Variance of the noise of each value.
    noise: Vec<f64>,
    /// Mean square of each value.
    square: Vec<f64>,
}

impl<'a> Forward<'a> {
    fn new(grid: &'a Grid, sizes: &'a Sizes, steps: &'a [f64], scale: f64) -> Self {
        let fresh = noise::fresh(sizes) / scale;
        Self {
            grid,
            sizes,
            steps,
            scale,
            primes: sizes.primes.len(),
            noise: vec![fresh * fresh; grid.graph.inputs],
            square: vec![TYPICAL_PIXEL * TYPICAL_PIXEL; grid.graph.inputs],
        }
    }

    /// Variances of the noise of the results.
    fn through(mut self, groups: &[Group], scales: &[f64]) -> Vec<f64> {
        for (group, &target) in groups.iter().zip(scales) {
            match group {
                Group::Linear(node) => self.linear(*node),
                Group::Square {
                    before,
                    square,
                    after,
                    rescale,
                } => {
                    if let Some(node) = before {
                        self.linear(*node);
                    }
                    self.power(*square);
                    if let Some(node) = after {
                        self.linear(*node);
                    }
                    if *rescale {
                        self.rescale(true);
                    }
                }
                Group::Polynomial {
                    node,
                    polynomials,
                    levels,
                } => self.polynomial(*node, polynomials, *levels, target),
            }
        }
        self.noise
    }

    fn linear(&mut self, node: usize) {
        let Operation::Linear(linear) = &self.grid.graph.nodes[node].operation else {
            unreachable!("groups know what their nodes are");
        };
        let mut noise = vec![0.0; linear.outputs()];
        let mut square: Vec<f64> = linear.bias.iter().map(|b| b * b).collect();
        for tile in &linear.tiles {
            let matrix = &linear.matrices[tile.matrix];
            for (row, &output) in tile.outputs.iter().enumerate() {
                for (w, &input) in matrix.row(row).iter().zip(&tile.inputs) {
                    if input != PADDING {
                        noise[output as usize] += w * w * self.noise[input as usize];
                        square[output as usize] += w * w * self.square[input as usize];
                    }
                }
            }
        }
        (self.noise, self.square) = (noise, square);
        self.scale /= self.steps[node];
    }

    /// The batch norm knows better than the weights how large the values are.
    fn settle(&mut self, power: &Power<f64>) {
        for (i, square) in self.square.iter_mut().enumerate() {
            if let Some(typical) = power.typical.get(i / power.positions) {
                *square = typical * typical;
            }
        }
    }

    fn power(&mut self, node: usize) {
        if let Operation::Power(power) = &self.grid.graph.nodes[node].operation {
            self.settle(power);
        }
        for (noise, square) in self.noise.iter_mut().zip(&mut self.square) {
            // (y + e)² = y² + 2 y e + e²
            *noise = 4.0 * *square * *noise + 3.0 * *noise * *noise;
            *square = GAUSSIAN_FOURTH_MOMENT * square.powi(2);
        }
        self.scale *= self.scale;
    }

    fn rescale(&mut self, relinearise: bool) {
        let added = noise::rescale(self.sizes, self.primes, relinearise);
        self.primes -= 1;
        self.scale /= self.sizes.primes[self.primes];
        let added = added / self.scale;
        for noise in &mut self.noise {
            *noise += added * added;
        }
    }

    /// A dry run of the circuit for each channel, at its typical value.
    fn polynomial(&mut self, node: usize, polynomials: &[Polynomial], levels: usize, target: f64) {
        let mut positions = self.noise.len();
        if let Operation::Power(power) = &self.grid.graph.nodes[node].operation {
            self.settle(power);
            positions = power.positions;
        }
        let values = self
            .noise
            .chunks_mut(positions)
            .zip(self.square.chunks_mut(positions));
        for (channel, (noise, square)) in values.enumerate() {
            let p = &polynomials[channel.min(polynomials.len() - 1)];
            let typical = (square.iter().sum::<f64>() / square.len() as f64).sqrt();
            let effect = effect(p, typical, self.sizes, self.primes, levels, target);
            let effect = effect.expect("groups hold no constants");
            for (noise, square) in noise.iter_mut().zip(square) {
                *noise = effect.gain * *noise + effect.added;
                *square = effect.square;
            }
        }
        self.primes -= levels + 1;
        self.scale = target;
    }
}

/// E[y⁴] / E[y²]² of a normal variable.
const GAUSSIAN_FOURTH_MOMENT: f64 = 3.0;
