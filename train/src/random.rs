//! Random numbers that stay the same for ever: SplitMix64.
//!
//! Every random choice of training is drawn from a generator that is made for it from the seed and the place where it
//! is used (epoch, image), never from one that is passed along: so the number of threads and an interruption change
//! nothing.
//!
//! # References
//! - Steele, Lea, Flood (2014), *Fast splittable pseudorandom number generators*, OOPSLA.

/// A generator.
pub(crate) struct Random(u64);

impl Random {
    /// The generator of a place, e.g. `[seed, epoch, image]`.
    pub(crate) fn at<const N: usize>(place: [u64; N]) -> Self {
        let mut random = Self(0);
        for part in place {
            random.0 = random.next() ^ part.wrapping_mul(0xd6e8_feb8_6659_fd93);
        }
        random
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Uniform in `[0, 1)`.
    pub(crate) fn uniform(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Uniform in `[-limit, limit)`.
    pub(crate) fn symmetric(&mut self, limit: f64) -> f64 {
        limit * (2.0 * self.uniform() - 1.0)
    }

    /// Standard normal, by Box and Muller.
    pub(crate) fn normal(&mut self) -> f64 {
        // `1 - uniform` is never 0, so the logarithm is finite.
        let radius = (-2.0 * (1.0 - self.uniform()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.uniform()).cos()
    }

    /// `0, 1, …, n - 1` in random order (Fisher–Yates).
    pub(crate) fn permutation(&mut self, n: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..n).collect();
        for last in (1..n).rev() {
            // The bias of the modulus is below 2⁻⁴⁰ for up to 2²⁴ images.
            order.swap(last, (self.next() % (last as u64 + 1)) as usize);
        }
        order
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_answer() {
        // First output of SplitMix64 with state 1234567, from its reference implementation.
        assert_eq!(Random(1_234_567).next(), 6_457_827_717_110_365_317);
    }

    #[test]
    fn moments_are_those_of_the_distributions() {
        let mut random = Random::at([1, 2]);
        let n = 20_000;
        let normal: Vec<f64> = (0..n).map(|_| random.normal()).collect();
        let mean = normal.iter().sum::<f64>() / f64::from(n);
        let square = normal.iter().map(|x| x * x).sum::<f64>() / f64::from(n);
        // Four standard deviations of the sample moments.
        assert!(
            mean.abs() < 0.03 && (square - 1.0).abs() < 0.04,
            "{mean} {square}"
        );
        let uniform = (0..n).map(|_| random.symmetric(3.0)).sum::<f64>() / f64::from(n);
        assert!(uniform.abs() < 0.05, "{uniform}");
    }

    #[test]
    fn permutations_hold_every_index_and_depend_on_the_place() {
        let mut order = Random::at([3, 0]).permutation(100);
        assert_ne!(order, Random::at([3, 1]).permutation(100));
        order.sort_unstable();
        assert!(order.into_iter().eq(0..100));
    }
}
