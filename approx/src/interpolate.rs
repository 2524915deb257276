//! The polynomial through a function's values at Chebyshev nodes: a discrete cosine transform.

use std::f64::consts::PI;

/// The zeros of `T_count`, in descending order; symmetric to the last bit.
pub fn nodes(count: usize) -> Vec<f64> {
    (0..count)
        // the sine of an odd argument: exactly odd about the middle, exactly 0 there
        .map(|j| {
            let steps = count as f64 - 1.0 - 2.0 * j as f64;
            (0.5 * PI * steps / count as f64).sin()
        })
        .collect()
}

/// The Chebyshev coefficients of the polynomial of degree `degree` through `f` at the nodes in
/// `[-1, 1]`.
pub fn interpolate(f: impl Fn(f64) -> f64, degree: usize) -> Vec<f64> {
    let count = degree + 1;
    let values: Vec<f64> = nodes(count).into_iter().map(f).collect();
    (0..count)
        .map(|k| {
            let sum: f64 = values
                .iter()
                .enumerate()
                .map(|(j, value)| {
                    // reduced to one turn in whole numbers, which is exact
                    let turn = (k * (2 * j + 1)) % (4 * count);
                    value * (PI * turn as f64 / (2.0 * count as f64)).cos()
                })
                .sum();
            sum * if k == 0 { 1.0 } else { 2.0 } / count as f64
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_are_symmetric_to_the_last_bit() {
        for count in [2, 5, 64] {
            let nodes = nodes(count);
            for (left, right) in nodes.iter().zip(nodes.iter().rev()) {
                assert!((left + right).abs() == 0.0);
            }
        }
    }

    #[test]
    fn chebyshev_polynomials_are_reproduced() {
        for k in [0, 1, 5, 63] {
            let found = interpolate(|u| (k as f64 * u.acos()).cos(), 63);
            for (i, c) in found.iter().enumerate() {
                let expected = f64::from(u8::from(i == k));
                // acos is ill-conditioned at the ends, k times
                assert!((c - expected).abs() < 1e-13, "T_{k}: {c} at {i}");
            }
        }
    }
}
