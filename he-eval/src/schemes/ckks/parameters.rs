//! Choosing parameters: scales from the last segment back to the first, noise from the first to the last.
//!
//! A linear layer divides the scale by its step, a square squares it, rescaling divides it by the prime
//! that is dropped. What must be held at the end, and how large the primes are, therefore fixes every
//! scale before, up to that of the inputs: the *wanted* scales. A value with several readers gets the least that one of
//! them wants, so that nothing outgrows the modulus; what the others make of it follows, on the way forward. Sums take
//! values of any scale: one wide integer factor brings each to the scale of the sum. Noise is followed forwards, too
//! ([`super::noise`]).

use cryptodl_ckks::{
    MAX_PRIME_BITS, Parameters, ParametersLiteral, noise::Sizes, security::modulus_limit,
};
use cryptodl_fold::rounding::Stepped;

use super::{
    CkksError,
    noise::Forward,
    polynomial,
    segments::{Schedule, Segment, Task},
};
/// Wanted precision of a logit, in bits after the point. A prediction changes only where two logits are closer than
/// that: of trained networks none of 10,000, of random ones about one in two thousand (`results/reference/growth`).
const PRECISION_BITS: f64 = 11.0;
/// The mean of a logit over a batch is taken to be below `2^9`: trained networks stay below 2^6. Larger ones are
/// found at decryption, by what is left of the modulus, and refused.
const LOGIT_BITS: f64 = 9.0;
/// How much smaller, in bits, than a sum that is not rescaled its terms should be: their factors are rounded to integers.
const FACTOR_BITS: f64 = 20.0;

/// CKKS parameters for a given graph.
#[derive(Clone, Debug, PartialEq)]
pub struct CkksChoice {
    /// Ring degree N, which is also the number of slots.
    pub ring_degree: usize,
    /// Primes that are never dropped, and their size in bits.
    pub base: (usize, u32),
    /// Primes that rescaling drops, and their size in bits.
    pub dropped: (usize, u32),
    /// Scales of all values of the schedule; the first is that of the input ciphertexts, for pixels from 0 to 255.
    pub scales: Vec<f64>,
    /// Predicted `-log2` of the root mean square error of a logit.
    pub precision_bits: f64,
}

impl CkksChoice {
    /// The cheapest 128-bit secure parameters that give the wanted precision: the first ring degree of
    /// `rings` that has any, then least cost, then highest precision.
    ///
    /// # Errors
    /// When none gives the precision.
    pub fn new(stepped: &Stepped, schedule: &Schedule, rings: &[usize]) -> Result<Self, CkksError> {
        let mut plans = rings.iter().filter_map(|&ring_degree| {
            let limit = modulus_limit(ring_degree)?;
            Self::for_ring(stepped, schedule, ring_degree, limit)
        });
        plans.next().ok_or_else(|| no_levels(schedule))
    }

    /// Parameters of a given ring degree, which are NOT secure: for tests.
    ///
    /// # Errors
    /// When none gives the precision.
    pub fn toy(
        stepped: &Stepped,
        schedule: &Schedule,
        ring_degree: usize,
    ) -> Result<Self, CkksError> {
        Self::for_ring(stepped, schedule, ring_degree, u32::MAX).ok_or_else(|| no_levels(schedule))
    }

    fn for_ring(
        stepped: &Stepped,
        schedule: &Schedule,
        ring_degree: usize,
        limit: u32,
    ) -> Option<Self> {
        let mut best: Option<(u32, Self)> = None;
        for mut plan in candidates(schedule.levels(), ring_degree, limit) {
            let cost = plan.cost();
            if best.as_ref().is_some_and(|(least, _)| cost > *least) {
                continue;
            }
            plan.predict(stepped, schedule);
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
    pub fn literal(&self) -> ParametersLiteral {
        let mut prime_bits = vec![self.base.1; self.base.0];
        prime_bits.resize(self.base.0 + self.dropped.0, self.dropped.1);
        ParametersLiteral {
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
            self.scales[0].log2()
        )
    }

    /// Scales and noise.
    fn predict(&mut self, stepped: &Stepped, schedule: &Schedule) {
        let sizes = Sizes::from(&self.literal());
        let bits = sizes.primes[..self.base.0].iter().map(|q| q.log2());
        // one bit for the sign
        let last = (bits.sum::<f64>() - 1.0 - LOGIT_BITS).exp2();
        let wanted = self.wanted(stepped, schedule, &sizes, last);
        self.scales.clone_from(&wanted);
        for segment in &schedule.segments {
            let made = self.made(stepped, schedule, &sizes, segment);
            self.scales[segment.makes] = made.unwrap_or(wanted[segment.makes]);
        }
        let forward = Forward::new(stepped, schedule, (self.base.0, &self.scales), &sizes);
        let noise = forward.result();
        self.precision_bits = -0.5 * (noise.iter().sum::<f64>() / noise.len() as f64).log2();
    }

    /// The scale of each value that its readers want.
    fn wanted(&self, stepped: &Stepped, schedule: &Schedule, sizes: &Sizes, last: f64) -> Vec<f64> {
        let count = schedule.above.len();
        // what a value should have, and what it would have if only sums read it
        let (mut hard, mut soft) = (vec![f64::INFINITY; count], vec![f64::INFINITY; count]);
        hard[schedule.result()] = last;
        let wanted = |hard: f64, soft: f64| if hard.is_finite() { hard } else { soft };
        for segment in schedule.segments.iter().rev() {
            let made = wanted(hard[segment.makes], soft[segment.makes]);
            let divisor = schedule.divisor(self.base.0, sizes, segment);
            let before_rescaling = made * divisor;
            // factors of sums are integers, so they should be wide ones
            let term = if segment.levels > 0 {
                made
            } else {
                made * (-FACTOR_BITS).exp2()
            };
            let want = |list: &mut [f64], value: usize, scale: f64| {
                list[value] = list[value].min(scale);
            };
            match &segment.work {
                Task::Run {
                    before,
                    square,
                    after,
                    ..
                } => {
                    let (inputs, terms) = segment.reads.split_at(segment.inputs(&stepped.graph));
                    let step = |node: &Option<usize>| node.map_or(1.0, |node| stepped.steps[node]);
                    let mut scale = before_rescaling * step(after);
                    if square.is_some() {
                        scale = scale.sqrt();
                    }
                    scale *= step(before);
                    for &value in inputs {
                        want(&mut hard, value, scale);
                    }
                    for &value in terms {
                        want(&mut soft, value, term);
                    }
                }
                Task::Product(_) => {
                    let scale = before_rescaling.sqrt();
                    segment
                        .reads
                        .iter()
                        .for_each(|&value| want(&mut hard, value, scale));
                }
                Task::Sum(_) | Task::Align => {
                    segment
                        .reads
                        .iter()
                        .for_each(|&value| want(&mut soft, value, term));
                }
                Task::Polynomial { levels, .. } => {
                    let primes = schedule.primes(self.base.0, segment.makes);
                    let primes = &sizes.primes[primes..primes + levels];
                    // the scale that the circuit begins with suits its input as well
                    let scale = polynomial::entry_scale(primes, made);
                    want(&mut hard, segment.reads[0], scale);
                }
            }
        }
        hard.into_iter()
            .zip(soft)
            .map(|(h, s)| wanted(h, s))
            .collect()
    }

    /// The scale of what a segment makes, from the scales of what it reads; none if it makes whatever is wanted.
    fn made(
        &self,
        stepped: &Stepped,
        schedule: &Schedule,
        sizes: &Sizes,
        segment: &Segment,
    ) -> Option<f64> {
        let divisor = schedule.divisor(self.base.0, sizes, segment);
        match &segment.work {
            Task::Run {
                before,
                square,
                after,
                ..
            } => {
                let step = |node: &Option<usize>| node.map_or(1.0, |node| stepped.steps[node]);
                let mut scale = self.scales[segment.reads[0]] / step(before);
                if square.is_some() {
                    scale *= scale;
                }
                Some(scale / step(after) / divisor)
            }
            Task::Product(_) => {
                let [a, b] = [0, 1].map(|operand: usize| self.scales[segment.reads[operand]]);
                Some(a * b / divisor)
            }
            Task::Sum(_) | Task::Align | Task::Polynomial { .. } => None,
        }
    }
}

fn no_levels(schedule: &Schedule) -> CkksError {
    CkksError::NoLevels {
        levels: schedule.levels(),
    }
}

/// Every combination of sizes that is secure.
fn candidates(dropped: usize, ring_degree: usize, limit: u32) -> impl Iterator<Item = CkksChoice> {
    let sizes = || [24, 28, 32, 36, 40, 44, 48, MAX_PRIME_BITS].into_iter();
    let all = (1..=3).flat_map(move |base| {
        sizes().flat_map(move |base_bits| {
            sizes().map(move |dropped_bits| CkksChoice {
                ring_degree,
                base: (base, base_bits),
                dropped: (dropped, dropped_bits),
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

/// The ring and moduli of a plan, checked; toy ones need not be secure.
///
/// # Errors
/// When they are below 128 bits of security and not called toy, or make no sense.
pub fn ring(
    ring_degree: usize,
    prime_bits: Vec<u32>,
    toy: bool,
) -> Result<Parameters, cryptodl_ckks::Error> {
    let literal = ParametersLiteral {
        ring_degree,
        prime_bits,
        special_bits: Vec::new(),
    };
    if toy {
        Parameters::toy(&literal)
    } else {
        Parameters::new(&literal)
    }
}
