//! Noise on its way through a schedule: variances of each number of each value, in real units.
//!
//! A linear layer adds up variances, a product multiplies by typical values, and each rescaling adds its own
//! ([`cryptodl_ckks::noise`]). Typical values come from the batch norms, which fix the mean and deviation of what an
//! activation reads.

use approx::Polynomial;
use cryptodl_ckks::noise::{self, Sizes};
use cryptodl_fold::{
    graph::{Operation, Statistics, ValueId},
    linear::{Linear, PADDING},
    rounding::Stepped,
};

use super::{
    prediction::effect,
    segments::{Schedule, Segment, Task},
};

/// Root mean square of a pixel of 0 to 255: between those of MNIST (85) and CIFAR-10 (137).
const TYPICAL_PIXEL: f64 = 110.0;
/// E[y⁴] / E[y²]² of a normal variable.
const GAUSSIAN_FOURTH_MOMENT: f64 = 3.0;

/// The walk through a schedule.
pub struct Forward<'a> {
    stepped: &'a Stepped,
    schedule: &'a Schedule,
    /// Primes that are never dropped.
    base: usize,
    /// Scale of each value.
    scales: &'a [f64],
    sizes: &'a Sizes,
    /// Of each value that is still to be read.
    values: Vec<Moments>,
}

/// Variance of the noise and mean square of each number.
#[derive(Clone, Default)]
struct Moments {
    noise: Vec<f64>,
    square: Vec<f64>,
}

impl<'a> Forward<'a> {
    /// Before the first segment, with so many primes that are never dropped and the scales of all values.
    pub fn new(
        stepped: &'a Stepped,
        schedule: &'a Schedule,
        (base, scales): (usize, &'a [f64]),
        sizes: &'a Sizes,
    ) -> Self {
        let fresh = noise::fresh(sizes) / scales[0];
        let inputs = stepped.graph.inputs();
        let mut values = vec![Moments::default(); schedule.above.len()];
        values[0] = Moments {
            noise: vec![fresh * fresh; inputs],
            square: vec![TYPICAL_PIXEL * TYPICAL_PIXEL; inputs],
        };
        Self {
            stepped,
            schedule,
            base,
            scales,
            sizes,
            values,
        }
    }

    /// Variances of the noise of the results.
    pub fn result(mut self) -> Vec<f64> {
        for (index, segment) in self.schedule.segments.iter().enumerate() {
            let made = self.segment(segment);
            for &value in &segment.reads {
                if self.schedule.last_readers[value] == Some(index) {
                    self.values[value] = Moments::default();
                }
            }
            self.values[segment.makes] = made;
        }
        std::mem::take(&mut self.values[self.schedule.result()].noise)
    }

    fn segment(&self, segment: &Segment) -> Moments {
        let graph = &self.stepped.graph;
        let mut made = match &segment.work {
            Task::Run {
                before,
                square,
                after,
                sum,
            } => {
                let (inputs, terms) = segment.reads.split_at(segment.inputs(graph));
                let mut made = self.read(inputs);
                let mut value = ValueId(segment.reads[0]);
                if let Some(node) = before {
                    made = self.linear(*node, &made);
                    value = ValueId::of_node(*node);
                }
                if let Some(node) = square {
                    let shifted = self.shifted(*node, 0, value, made);
                    made = product(&shifted, &shifted, true);
                }
                if let Some(node) = after {
                    made = self.linear(*node, &made);
                }
                if let Some((node, host)) = sum {
                    let operands = 0..graph.nodes[*node].operands.len();
                    let others = operands.filter(|operand| operand != host);
                    for (operand, value) in others.zip(terms) {
                        self.add(&mut made, segment, (*node, operand), *value);
                    }
                }
                made
            }
            Task::Product(node) => {
                let operands = &graph.nodes[*node].operands;
                let [a, b] = [0, 1].map(|side| {
                    let made = self.values[segment.reads[side]].clone();
                    self.shifted(*node, side, operands[side], made)
                });
                product(&a, &b, operands[0] == operands[1])
            }
            Task::Sum(node) => {
                let count = graph.nodes[*node].output.len();
                let mut made = Moments {
                    noise: vec![0.0; count],
                    square: vec![0.0; count],
                };
                for (operand, value) in segment.reads.iter().enumerate() {
                    self.add(&mut made, segment, (*node, operand), *value);
                }
                made
            }
            Task::Align => {
                let value = segment.reads[0];
                let mut made = self.values[value].clone();
                let rounding = self.rounding(segment, value);
                let pairs = made.noise.iter_mut().zip(&made.square);
                pairs.for_each(|(noise, square)| *noise += rounding * square);
                made
            }
            Task::Polynomial {
                node,
                polynomials,
                levels,
            } => {
                return self.polynomial(*node, polynomials, *levels, segment);
            }
        };
        if segment.levels > 0 {
            let relinearised = match &segment.work {
                Task::Run { square, .. } => square.is_some(),
                Task::Product(_) => true,
                _ => false,
            };
            let primes = self.schedule.primes(self.base, segment.makes) + 1;
            let added = noise::rescale(self.sizes, primes, relinearised);
            let added = added / self.scales[segment.makes];
            made.noise
                .iter_mut()
                .for_each(|noise| *noise += added * added);
        }
        made
    }

    /// Values, one behind the other.
    fn read(&self, values: &[usize]) -> Moments {
        let mut all = Moments::default();
        for &value in values {
            all.noise.extend(&self.values[value].noise);
            all.square.extend(&self.values[value].square);
        }
        all
    }

    fn linear(&self, node: usize, read: &Moments) -> Moments {
        let Operation::Linear(linear) = &self.stepped.graph.nodes[node].operation else {
            unreachable!("segments know what their nodes are");
        };
        let Linear {
            matrices,
            tiles,
            bias,
        } = linear;
        let mut noise = vec![0.0; linear.outputs()];
        let mut square: Vec<f64> = bias.iter().map(|b| b * b).collect();
        for tile in tiles {
            for (row, &output) in tile.outputs.iter().enumerate() {
                for (w, &input) in matrices[tile.matrix].row(row).iter().zip(&tile.inputs) {
                    if input != PADDING {
                        noise[output as usize] += w * w * read.noise[input as usize];
                        square[output as usize] += w * w * read.square[input as usize];
                    }
                }
            }
        }
        Moments { noise, square }
    }

    /// What is multiplied by a product: a value plus its shift. Batch norms know better than the weights how large it is.
    fn shifted(&self, node: usize, side: usize, value: ValueId, mut made: Moments) -> Moments {
        let graph = &self.stepped.graph;
        let node = &graph.nodes[node];
        let Operation::Product(product) = &node.operation else {
            unreachable!("segments know what their nodes are");
        };
        let shifts = &product.shifts[side];
        let known = graph.statistics(value);
        for (i, square) in made.square.iter_mut().enumerate() {
            let channel = i / node.output.positions;
            let shift = shifts.get(channel).copied().unwrap_or(0.0);
            *square = typical(known, channel, shift).unwrap_or(*square + shift * shift);
        }
        made
    }

    /// Variance of what rounding the integer factor of a term leaves, for each unit of the term's mean square.
    fn rounding(&self, segment: &Segment, value: usize) -> f64 {
        let divisor = self.schedule.divisor(self.base, self.sizes, segment);
        (self.scales[value] / (self.scales[segment.makes] * divisor)).powi(2) / 12.0
    }

    /// Adds a term of a sum.
    fn add(
        &self,
        made: &mut Moments,
        segment: &Segment,
        (node, operand): (usize, usize),
        value: usize,
    ) {
        let rounding = self.rounding(segment, value);
        let node = &self.stepped.graph.nodes[node];
        let Operation::Add(add) = &node.operation else {
            unreachable!("segments know what their nodes are");
        };
        let term = &self.values[value];
        for i in 0..made.noise.len() {
            let factor = add.factors[operand].get(i / node.output.positions);
            let factor = factor.copied().unwrap_or(1.0);
            made.noise[i] += factor * factor * term.noise[i] + rounding * term.square[i];
            made.square[i] += factor * factor * term.square[i];
        }
    }

    /// A dry run of the circuit for each channel, at its typical value.
    fn polynomial(
        &self,
        node: usize,
        polynomials: &[Polynomial],
        levels: usize,
        segment: &Segment,
    ) -> Moments {
        let graph = &self.stepped.graph;
        let known = graph.statistics(graph.nodes[node].operands[0]);
        let positions = graph.nodes[node].output.positions;
        let mut made = self.values[segment.reads[0]].clone();
        let primes = self.schedule.primes(self.base, segment.makes) + levels + 1;
        let target = self.scales[segment.makes];
        let values = made
            .noise
            .chunks_mut(positions)
            .zip(made.square.chunks_mut(positions));
        for (channel, (noise, square)) in values.enumerate() {
            let p = &polynomials[channel.min(polynomials.len() - 1)];
            let mean = square.iter().sum::<f64>() / square.len() as f64;
            let typical = typical(known, channel, 0.0).unwrap_or(mean).sqrt();
            let effect = effect(p, typical, self.sizes, primes, levels, target);
            let effect = effect.expect("segments hold no constants");
            for (noise, square) in noise.iter_mut().zip(square) {
                *noise = effect.gain * *noise + effect.added;
                *square = effect.square;
            }
        }
        made
    }
}

/// Mean square of a channel plus a shift, where a batch norm told.
fn typical(known: Option<&Statistics>, channel: usize, shift: f64) -> Option<f64> {
    let Statistics { mean, deviation } = known?;
    Some(deviation[channel].powi(2) + (mean[channel] + shift).powi(2))
}

fn product(a: &Moments, b: &Moments, same: bool) -> Moments {
    let numbers = 0..a.noise.len();
    let noise = |i: usize| {
        if same {
            // (y + e)² = y² + 2 y e + e²
            4.0 * a.square[i] * a.noise[i] + 3.0 * a.noise[i] * a.noise[i]
        } else {
            a.square[i] * b.noise[i] + b.square[i] * a.noise[i] + a.noise[i] * b.noise[i]
        }
    };
    let square = |i: usize| {
        let of_independent = a.square[i] * b.square[i];
        if same {
            GAUSSIAN_FOURTH_MOMENT * of_independent
        } else {
            of_independent
        }
    };
    Moments {
        noise: numbers.clone().map(noise).collect(),
        square: numbers.map(square).collect(),
    }
}
