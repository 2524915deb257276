//! Random numbers for tests.

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

pub(crate) fn generator(seed: u64) -> StdRng {
    StdRng::seed_from_u64(seed)
}

/// Standard normal, by Box and Muller.
pub(crate) fn normal(random: &mut impl Rng) -> f64 {
    // `1 - uniform` is never 0, so the logarithm is finite.
    let radius = (-2.0 * (1.0 - random.random::<f64>()).ln()).sqrt();
    radius * (std::f64::consts::TAU * random.random::<f64>()).cos()
}

/// Standard normal numbers.
pub(crate) fn normals(count: usize, seed: u64) -> Vec<f32> {
    let mut random = generator(seed);
    (0..count).map(|_| normal(&mut random) as f32).collect()
}
