//! Integrals over `[-1, 1]` of functions that are smooth except at one known point.
//!
//! 1. Substitute `u = cos θ`: a polynomial of degree `n` in `u` becomes a cosine sum that wiggles
//!    evenly, so panels of one width resolve it everywhere, and the Chebyshev weight
//!    `1 / √(1 - u²)` becomes the constant 1.
//! 2. Cut `[0, π]` at the point where the integrand has its kink or its steep front.
//! 3. On both sides let the panels shrink towards that point by halves (a graded mesh): a front
//!    of any width down to 1e-9 of the interval is met by panels of its own size.
//! 4. Cut what is still wider than [`WIDEST_PANEL`], and use Gauss–Legendre points in each panel.
//!
//! # References
//! - Davis & Rabinowitz (1984), Methods of Numerical Integration, 2nd ed., §2.7 and §2.12.

use std::f64::consts::PI;

/// Gauss–Legendre points in a panel.
const POINTS: usize = 24;

/// At most this wide in θ: the product of two polynomials of degree 63 makes four waves in it,
/// six points a wave where π are the least.
const WIDEST_PANEL: f64 = PI / 16.0;

/// How often the mesh is halved towards the special point: 2⁻³² of the interval.
const HALVINGS: i32 = 32;

/// One point of the rule: `∫ g(u) du ≈ Σ weight sin θ g(u)`.
pub(crate) struct Node {
    /// The point in `[-1, 1]`, `cos θ`.
    pub u: f64,
    /// `sin θ = √(1 - u²)`, without the cancellation.
    pub sine: f64,
    /// The weight with respect to dθ.
    pub weight: f64,
}

/// The graded rule with its special point at `u = special`; beyond the ends it means the end.
pub(crate) fn graded(special: f64) -> Vec<Node> {
    let rule = gauss_legendre(POINTS);
    let cut = special.clamp(-1.0, 1.0).acos();
    let mut nodes = Vec::new();
    // signed lengths of the two sides, from the cut to u = 1 and to u = -1
    for side in [-cut, PI - cut] {
        for halving in 0..=HALVINGS {
            let outer = side * 0.5_f64.powi(halving);
            let inner = if halving == HALVINGS {
                0.0
            } else {
                0.5 * outer
            };
            let pieces = ((outer - inner).abs() / WIDEST_PANEL).ceil().max(1.0);
            let half = 0.5 * (outer - inner) / pieces;
            for piece in 0..pieces as usize {
                let middle = cut + inner + half * (2.0 * piece as f64 + 1.0);
                nodes.extend(rule.iter().map(|&(point, weight)| {
                    let (sine, u) = (middle + half * point).sin_cos();
                    Node {
                        u,
                        sine: sine.max(0.0),
                        weight: weight * half.abs(),
                    }
                }));
            }
        }
    }
    nodes
}

/// The `n` Gauss–Legendre points and weights on `[-1, 1]`, by Newton's method on `P_n` from
/// Tricomi's first guess.
pub(crate) fn gauss_legendre(n: usize) -> Vec<(f64, f64)> {
    (0..n)
        .map(|i| {
            let mut x = (PI * (i as f64 + 0.75) / (n as f64 + 0.5)).cos();
            // quadratic from a guess good to 1e-3: the fourth step only confirms
            for _ in 0..4 {
                let (value, slope) = legendre(n, x);
                x -= value / slope;
            }
            let (_, slope) = legendre(n, x);
            (x, 2.0 / ((1.0 - x * x) * slope * slope))
        })
        .collect()
}

/// `P_n(x)` and `P_n'(x)` by the three-term recurrence, for `|x| < 1`.
fn legendre(n: usize, x: f64) -> (f64, f64) {
    let (mut previous, mut current) = (1.0, x);
    for k in 1..n {
        let k_ = k as f64;
        let next = ((2.0 * k_ + 1.0) * x * current - k_ * previous) / (k_ + 1.0);
        (previous, current) = (current, next);
    }
    (current, n as f64 * (previous - x * current) / (1.0 - x * x))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn integrate(special: f64, g: impl Fn(f64) -> f64) -> f64 {
        graded(special)
            .iter()
            .map(|node| node.weight * node.sine * g(node.u))
            .sum()
    }

    #[test]
    fn gauss_legendre_is_exact_up_to_degree_2n_minus_1() {
        let rule = gauss_legendre(POINTS);
        for power in 0..2 * POINTS as i32 {
            let exact = if power % 2 == 0 {
                2.0 / (f64::from(power) + 1.0)
            } else {
                0.0
            };
            let found: f64 = rule.iter().map(|(x, w)| w * x.powi(power)).sum();
            assert!((found - exact).abs() < 1e-14, "x^{power}: {found}");
        }
    }

    #[test]
    fn products_of_polynomials_of_degree_63_are_integrated_exactly() {
        for special in [-2.0, -1.0, -0.3, 0.0, 0.9, 1.0, 5.0] {
            let found = integrate(special, |u| legendre(63, u).0.powi(2));
            assert!((found - 2.0 / 127.0).abs() < 1e-15, "{special}: {found}");
            let found = integrate(special, |u| legendre(63, u).0 * legendre(61, u).0);
            assert!(found.abs() < 1e-15, "{special}: {found}");
        }
    }

    #[test]
    fn kinks_and_steep_fronts_at_the_special_point_do_not_hurt() {
        for special in [-0.999, -0.3, 0.0, 0.9] {
            let kink = integrate(special, |u| (u - special).abs());
            let exact = 0.5 * ((1.0 - special).powi(2) + (1.0 + special).powi(2));
            assert!((kink - exact).abs() < 1e-14, "{special}: {kink}");
            for steepness in [1.0, 1e2, 1e4, 1e6] {
                let front = integrate(special, |u| (steepness * (u - special)).tanh());
                let log_cosh = |x: f64| x.abs() + (-2.0 * x.abs()).exp().ln_1p();
                let exact = (log_cosh(steepness * (1.0 - special))
                    - log_cosh(steepness * (1.0 + special)))
                    / steepness;
                assert!(
                    (front - exact).abs() < 1e-13,
                    "{special} {steepness}: {front} {exact}"
                );
            }
        }
    }
}
