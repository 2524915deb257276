//! Means and confidence.

/// The 95 % interval of Wilson (1927) for a fraction seen in `n` trials.
pub fn wilson(fraction: f64, n: usize) -> (f64, f64) {
    const Z: f64 = 1.959_963_984_540_054;
    let n = n.max(1) as f64;
    let scale = 1.0 + Z * Z / n;
    let centre = (fraction + Z * Z / (2.0 * n)) / scale;
    let half = Z / scale * (fraction * (1.0 - fraction) / n + Z * Z / (4.0 * n * n)).sqrt();
    (centre - half, centre + half)
}

/// Mean and standard deviation of a sample; no deviation for a single value.
pub fn mean_and_spread(values: &[f64]) -> (f64, f64) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (mean, (squares / (n - 1.0).max(1.0)).sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wilson_matches_the_textbook() {
        // 8 of 10: 0.490 to 0.943 (Newcombe 1998)
        let (low, high) = wilson(0.8, 10);
        assert!(
            (low - 0.4901).abs() < 5e-4 && (high - 0.9433).abs() < 5e-4,
            "{low} {high}"
        );
    }

    #[test]
    fn the_spread_is_that_of_a_sample() {
        let (mean, spread) = mean_and_spread(&[1.0, 2.0, 3.0]);
        assert!((mean - 2.0).abs() < 1e-12 && (spread - 1.0).abs() < 1e-12);
        assert!(mean_and_spread(&[4.0]).1.abs() < 1e-12);
    }
}
