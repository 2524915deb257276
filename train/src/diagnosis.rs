//! What reaches the activations of a trained network: range, quantiles, tails.
//!
//! Values are counted in bins that are narrow near 0 and wide far from it: floating-point numbers that agree in sign,
//! exponent and the first nine bits behind it share a bin, so a bin is 0.2 % of its distance from 0 wide. One pass over
//! any number of values, without knowing their range; quantiles are right to within a bin, the extremes are exact.

use crate::datasets::Images;
use crate::evaluation::{BATCH, fits, input};
use crate::model::Model;
use crate::values::values;
use crate::{TrainError, batches};
use approx::Interval;
use approx::fit::{Histogram, HistogramError};
use burn::tensor::Device;
use cryptodl_network::{Artifact, Layer};

/// Bits of a number that its bin has no memory of.
const FORGOTTEN: u32 = 14;
const BINS: usize = 1 << (32 - FORGOTTEN);

/// The values that an activation layer was applied to.
#[derive(Clone, Debug)]
pub struct Distribution {
    counts: Vec<u64>,
    total: u64,
    low: f64,
    high: f64,
    /// Sums of the first four powers.
    powers: [f64; 4],
}

impl Default for Distribution {
    fn default() -> Self {
        Self {
            counts: vec![0; BINS],
            total: 0,
            low: f64::INFINITY,
            high: f64::NEG_INFINITY,
            powers: [0.0; 4],
        }
    }
}

/// Bins in the order of their numbers.
fn bin(value: f32) -> usize {
    let bits = value.to_bits();
    let ordered = if bits >> 31 == 1 {
        !bits
    } else {
        bits | (1 << 31)
    };
    (ordered >> FORGOTTEN) as usize
}

/// The middle of a bin.
fn middle(bin: usize) -> f64 {
    let ordered = ((bin as u32) << FORGOTTEN) | (1 << (FORGOTTEN - 1));
    let bits = if ordered >> 31 == 1 {
        ordered & !(1 << 31)
    } else {
        !ordered
    };
    f32::from_bits(bits).into()
}

impl Distribution {
    /// Counts more values.
    pub fn add(&mut self, values: &[f32]) {
        for value in values {
            self.counts[bin(*value)] += 1;
            let value = f64::from(*value);
            self.low = self.low.min(value);
            self.high = self.high.max(value);
            let square = value * value;
            let powers = [value, square, square * value, square * square];
            for (sum, power) in self.powers.iter_mut().zip(powers) {
                *sum += power;
            }
        }
        self.total += values.len() as u64;
    }

    /// How many values there were.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// The smallest value; infinite if there was none.
    pub fn low(&self) -> f64 {
        self.low
    }

    /// The largest value; infinite if there was none.
    pub fn high(&self) -> f64 {
        self.high
    }

    /// The mean.
    pub fn mean(&self) -> f64 {
        self.powers[0] / self.total as f64
    }

    /// Square root of the mean squared distance from the mean.
    pub fn deviation(&self) -> f64 {
        self.central()[0].max(0.0).sqrt()
    }

    /// Fourth moment about the mean over the square of the second: 3 for a normal distribution, more for heavier tails.
    pub fn kurtosis(&self) -> f64 {
        let [second, fourth] = self.central();
        fourth / (second * second)
    }

    /// Second and fourth moment about the mean.
    fn central(&self) -> [f64; 2] {
        let [mean, second, third, fourth] = self.powers.map(|sum| sum / self.total as f64);
        let square = mean * mean;
        [
            second - square,
            fourth - 4.0 * mean * third + 6.0 * square * second - 3.0 * square * square,
        ]
    }

    /// The value that a share `q` of all values lies below.
    pub fn quantile(&self, q: f64) -> f64 {
        let rank = (q.clamp(0.0, 1.0) * self.total.saturating_sub(1) as f64) as u64;
        let mut below = 0;
        for (bin, count) in self.counts.iter().enumerate() {
            below += count;
            if below > rank {
                return middle(bin).clamp(self.low, self.high);
            }
        }
        f64::NAN
    }

    /// Share of values outside an interval, whose ends are taken to within a bin.
    pub fn share_outside(&self, on: Interval) -> f64 {
        let outside = self.filled().filter(|(value, _)| !on.contains(*value));
        outside.map(|(_, count)| count).sum::<f64>() / self.total as f64
    }

    /// The same counts in bins of equal width; values outside go to the first and the last one.
    ///
    /// # Errors
    /// [`HistogramError`] if there is no value or no bin.
    pub fn histogram(&self, on: Interval, bins: usize) -> Result<Histogram, HistogramError> {
        let mut counts = vec![0.0; bins];
        if bins == 0 {
            return Histogram::new(on, counts);
        }
        for (value, count) in self.filled() {
            let share = 0.5 + 0.5 * on.to_unit(on.clamp(value));
            counts[((share * bins as f64) as usize).min(bins - 1)] += count;
        }
        Histogram::new(on, counts)
    }

    /// Middle and count of each bin that holds something.
    fn filled(&self) -> impl Iterator<Item = (f64, f64)> {
        let bins = self.counts.iter().enumerate();
        bins.filter(|(_, count)| **count > 0)
            .map(|(bin, count)| (middle(bin), *count as f64))
    }
}

/// Indices of the images that a training with this seed trained on, and of those that it held out for validation.
pub fn split(images: usize, validation: usize, seed: u64) -> (Vec<usize>, Vec<usize>) {
    batches::split(images, validation, seed)
}

/// The inputs of each activation layer, first layer first, over the images of the given indices as they are.
///
/// # Errors
/// As [`logits`](crate::logits).
///
/// # Panics
/// If an index lies beyond the images.
pub fn activation_inputs(
    artifact: &Artifact,
    images: &Images,
    indices: &[usize],
) -> Result<Vec<Distribution>, TrainError> {
    let device = Device::default();
    let model = Model::new(&artifact.network, &device)?;
    let weights = model
        .weights(&artifact.tensors, &device)
        .map_err(TrainError::Tensor)?;
    fits(&model, images)?;
    let layers = artifact.network.layers();
    let count = layers
        .filter(|layer| matches!(layer, Layer::Activation(_)))
        .count();
    let mut found = vec![Distribution::default(); count];
    for indices in indices.chunks(BATCH) {
        let batch = batches::plain(images, indices, &artifact.network.normalisation);
        let mut layer = 0;
        model.watch(&weights, input(&model, batch.values, &device), &mut |x| {
            found[layer % count].add(&values(x));
            layer += 1;
        });
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    #[test]
    fn bins_are_ordered_and_narrow() {
        let values = [-1e9, -3.0, -1e-3, 0.0, 1e-20, 0.5, 0.501, 7.0, f32::MAX];
        assert!(values.is_sorted_by(|a, b| bin(*a) <= bin(*b)));
        for value in values {
            let found = middle(bin(value));
            let width = 0.002 * f64::from(value.abs()) + 1e-38;
            assert!((found - f64::from(value)).abs() <= width, "{found} {value}");
        }
    }

    #[test]
    fn a_normal_distribution_is_described() {
        let mut random = Random::at([5]);
        let mut distribution = Distribution::default();
        for _ in 0..200 {
            let values: Vec<f32> = (0..1_000)
                .map(|_| (1.0 + 2.0 * random.normal()) as f32)
                .collect();
            distribution.add(&values);
        }
        let near = |a: f64, b: f64| assert!((a - b).abs() < 0.05, "{a} {b}");
        assert_eq!(distribution.total(), 200_000);
        near(distribution.mean(), 1.0);
        near(distribution.deviation(), 2.0);
        near(distribution.kurtosis(), 3.0);
        near(distribution.quantile(0.5), 1.0);
        near(distribution.quantile(0.01), 1.0 - 2.0 * 2.326);
        near(distribution.quantile(0.99), 1.0 + 2.0 * 2.326);
        let on = Interval::new(-1.0, 3.0).unwrap(); // one deviation either way
        near(distribution.share_outside(on), 0.3173);
        let histogram = distribution.histogram(on, 4).unwrap();
        let total: f64 = histogram.counts().iter().sum();
        assert!((total - 200_000.0).abs() < 1e-6);
        near(histogram.counts()[1] / total, 0.1915);
        assert!(Distribution::default().histogram(on, 4).is_err());
    }
}
