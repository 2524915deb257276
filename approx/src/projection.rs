//! The one engine behind all weighted least-squares fits.
//!
//! It finds the polynomial `p` of degree `n` that minimises `∫ w(u) (f(x) - p(x))² du` over the
//! interval, `u` being `x` mapped to `[-1, 1]`:
//!
//! 1. Discretise the integral on a mesh graded towards `x = 0`, where activations have their kink
//!    or their front (see `quadrature`); with some 2,500 points it is exact to rounding.
//! 2. Build the orthonormal polynomials `q_0 … q_n` of the weight one after another: multiply the
//!    last by `u`, make it orthogonal to all before it (twice), normalise. That is the discretised
//!    Stieltjes procedure, or the Lanczos process with full reorthogonalisation. Each `q_k` is kept
//!    twice, as its values at the points and as its coefficients in the target basis, and every
//!    step is applied to both; so no change of basis, ill-conditioned or not, is ever made.
//! 3. `p = Σ ⟨f, q_k⟩ q_k`, each inner product taken with what the terms before it have left of `f`.
//!    Stop when that is only rounding. This matters where the weight has a hole: there `q_k` grows
//!    exponentially with `k`, and a term that fits rounding errors of 1e-16 would drown the rest.
//!
//! # References
//! - Gautschi (2004), Orthogonal Polynomials: Computation and Approximation, §2.2.
//! - Brubeck, Nakatsukasa & Trefethen (2021), Vandermonde with Arnoldi, SIAM Review 63:405–415.

use crate::basis::Basis;
use crate::interval::Interval;
use crate::quadrature;

/// What is left of `f` counts as rounding below this share of it, in the norm of the weight.
const ROUNDING: f64 = 1e-14;

/// Where a least-squares fit should be good.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Weight {
    /// `1 / √(1 - u²)`: most weight at the ends.
    Chebyshev,
    /// `1`.
    Uniform,
    /// `exp(-1 / (offset + v^power))`, where `v` is 0 at `x = 0` and 1 at the end on the same side
    /// (`|u|` on a symmetric interval): next to nothing around `x = 0`, `exp(-1)` at the ends.
    AwayFromZero {
        /// Keeps the exponent finite at 0.
        offset: f64,
        /// Even; the higher, the wider the hole.
        power: i32,
    },
}

impl Weight {
    /// `w(u) sin θ`, the weight with respect to dθ, at `x` with `sine = sin θ`.
    fn density(self, on: Interval, x: f64, sine: f64) -> f64 {
        match self {
            Self::Chebyshev => 1.0,
            Self::Uniform => sine,
            // each side has its own scale, or the shorter one could lie in the hole altogether
            Self::AwayFromZero { offset, power } => {
                let end = if x < 0.0 { on.low() } else { on.high() };
                let v = if x == 0.0 { 0.0 } else { x / end };
                (-1.0 / (offset + v.powi(power))).exp() * sine
            }
        }
    }
}

/// The coefficients in `basis` (Chebyshev or Legendre) of the best approximation of `f` of degree
/// `degree` with respect to `weight` on the interval `on`.
pub(crate) fn project(
    f: impl Fn(f64) -> f64,
    weight: Weight,
    on: Interval,
    degree: usize,
    basis: Basis,
) -> Vec<f64> {
    let nodes = quadrature::graded(on.to_unit(0.0));
    let roots: Vec<f64> = nodes
        .iter()
        .map(|node| {
            let x = on.from_unit(node.u);
            (node.weight * weight.density(on, x, node.sine)).sqrt()
        })
        .collect();

    let units: Vec<f64> = nodes.iter().map(|node| node.u).collect();
    let samples: Vec<f64> = nodes.iter().map(|node| f(on.from_unit(node.u))).collect();
    project_samples(&units, &roots, &samples, degree, basis)
}

/// The same from samples: minimises `Σ roots[i]² (samples[i] - p(units[i]))²` over polynomials `p`
/// of degree `degree`, in any number of points above it. If the points with weight are fewer than
/// the coefficients, the polynomial is of the highest degree that they determine.
pub(crate) fn project_samples(
    units: &[f64],
    roots: &[f64],
    samples: &[f64],
    degree: usize,
    basis: Basis,
) -> Vec<f64> {
    let orthonormal = orthonormal(units, roots, degree, basis);
    // squares of values near the limits of double precision would overflow or vanish
    let scale = samples
        .iter()
        .fold(0.0_f64, |largest, v| largest.max(v.abs()));
    if scale == 0.0 {
        return vec![0.0; degree + 1];
    }
    let mut rest = Element {
        values: samples
            .iter()
            .zip(roots)
            .map(|(v, root)| root * (v / scale))
            .collect(),
        coefficients: vec![0.0; degree + 1],
    };
    let negligible = ROUNDING * rest.norm();
    for q in &orthonormal {
        if rest.norm() <= negligible {
            break;
        }
        rest.remove(q, dot(&rest.values, &q.values));
    }
    // the rest is f - p, so its coefficients are those of -p
    rest.coefficients.into_iter().map(|c| -scale * c).collect()
}

/// Step 2: the polynomials of degree 0 to `degree`, or as many as the points determine, that are
/// orthonormal with respect to `Σ roots[i]² …`.
pub(crate) fn orthonormal(
    units: &[f64],
    roots: &[f64],
    degree: usize,
    basis: Basis,
) -> Vec<Element> {
    let first = Element {
        values: roots.to_vec(),
        coefficients: vec![1.0],
    };
    let mut orthonormal = vec![first.normalised()];
    for k in 0..degree {
        let last = &orthonormal[k];
        let mut next = Element {
            values: last.values.iter().zip(units).map(|(q, u)| q * u).collect(),
            coefficients: basis.times_variable(&last.coefficients),
        };
        let before = next.norm();
        // the second pass removes what rounding left in the first: "twice is enough" (Kahan)
        for _ in 0..2 {
            for q in &orthonormal {
                next.remove(q, dot(&next.values, &q.values));
            }
        }
        // every polynomial that the points can tell apart is spanned already
        if next.norm() <= ROUNDING * before {
            break;
        }
        orthonormal.push(next.normalised());
    }
    orthonormal
}

/// A polynomial as values at the points (times the root of the weight) and as coefficients.
pub(crate) struct Element {
    pub values: Vec<f64>,
    pub coefficients: Vec<f64>,
}

impl Element {
    /// `self -= factor · other`; `other` is of no higher degree.
    fn remove(&mut self, other: &Self, factor: f64) {
        for (a, b) in self.values.iter_mut().zip(&other.values) {
            *a -= factor * b;
        }
        for (a, b) in self.coefficients.iter_mut().zip(&other.coefficients) {
            *a -= factor * b;
        }
    }

    fn norm(&self) -> f64 {
        dot(&self.values, &self.values).sqrt()
    }

    fn normalised(mut self) -> Self {
        let norm = self.norm();
        self.values
            .iter_mut()
            .chain(&mut self.coefficients)
            .for_each(|v| *v /= norm);
        self
    }
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::activation::Activation;

    const WEIGHTS: [Weight; 5] = [
        Weight::Chebyshev,
        Weight::Uniform,
        Weight::AwayFromZero {
            offset: 1e-5,
            power: 2,
        },
        Weight::AwayFromZero {
            offset: 1e-6,
            power: 2,
        },
        Weight::AwayFromZero {
            offset: 1e-5,
            power: 8,
        },
    ];

    fn interval(text: &str) -> Interval {
        text.parse().unwrap()
    }

    #[test]
    fn polynomials_up_to_the_degree_are_reproduced_to_rounding() {
        for weight in WEIGHTS {
            for basis in [Basis::Chebyshev, Basis::Legendre] {
                for (on, degree) in [("-1:1", 1), ("-300:300", 4), ("-2:5", 9), ("10:11", 15)] {
                    let on = interval(on);
                    let exact: Vec<f64> = (0..=degree).map(|k| 1.0 / (1.0 + k as f64)).collect();
                    let f = |x| basis.eval(&exact, on.to_unit(x));
                    let found = project(f, weight, on, degree, basis);
                    for (e, c) in exact.iter().zip(&found) {
                        // in the hole of a weight the basis functions are large: up to 1e4
                        assert!(
                            (e - c).abs() < 1e-11,
                            "{weight:?} {basis:?} {on} {degree}: {e} {c}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn odd_functions_get_odd_polynomials() {
        for weight in WEIGHTS {
            for l in [0.5, 8.0, 300.0] {
                let on = Interval::new(-l, l).unwrap();
                let found = project(f64::tanh, weight, on, 15, Basis::Chebyshev);
                for (k, c) in found.iter().enumerate().step_by(2) {
                    // rounding, which a hole in the weight enlarges: 1e-12 with the eighth power
                    assert!(c.abs() < 1e-10, "{weight:?} {l}: {c} T_{k}");
                }
            }
        }
    }

    #[test]
    fn what_is_left_is_orthogonal_to_every_polynomial_of_the_degree() {
        // the condition for a minimum, checked with a rule that shares nothing with the engine:
        // 400,000 midpoints in θ
        let points = 400_000_u32;
        for weight in WEIGHTS {
            for (activation, on, degree) in [
                (Activation::Relu, "-1:1", 4),
                (Activation::Relu, "-2:10", 7),
                (Activation::Sigmoid, "-300:300", 3),
                (Activation::Tanh, "3:5", 2),
            ] {
                let on = interval(on);
                let f = |x| activation.value(x);
                let p = project(f, weight, on, degree, Basis::Legendre);
                let (mut inner, mut size) = (vec![0.0; degree + 1], 0.0);
                for i in 0..points {
                    let theta = std::f64::consts::PI * (f64::from(i) + 0.5) / f64::from(points);
                    let (sine, u) = theta.sin_cos();
                    let x = on.from_unit(u);
                    let density = weight.density(on, x, sine);
                    let rest = f(x) - Basis::Legendre.eval(&p, u);
                    for (k, sum) in inner.iter_mut().enumerate() {
                        *sum += density * rest * (k as f64 * theta).cos();
                    }
                    size += density * f(x).abs();
                }
                for (k, sum) in inner.iter().enumerate() {
                    // the midpoint rule itself is good to 1e-9 at a kink or a front
                    assert!(
                        sum.abs() < 1e-8 * size,
                        "{weight:?} {activation} {on}: T_{k} {sum}"
                    );
                }
            }
        }
    }

    #[test]
    fn values_of_any_size_are_fitted_alike() {
        for weight in WEIGHTS {
            let fit = |size: f64| {
                let relu = |x: f64| size * x.max(0.0);
                project(relu, weight, interval("-1:1"), 4, Basis::Chebyshev)
            };
            for size in [1e-300, 1e-160, 1e160, 1e300] {
                for (c, unit) in fit(size).iter().zip(fit(1.0)) {
                    assert!(
                        (c / size - unit).abs() < 1e-14,
                        "{weight:?} {size}: {c} {unit}"
                    );
                }
            }
            assert_eq!(fit(0.0), [0.0; 5]);
        }
    }

    #[test]
    fn degree_63_is_as_good_as_theory_says() {
        for weight in [Weight::Chebyshev, Weight::Uniform] {
            for basis in [Basis::Chebyshev, Basis::Legendre] {
                // the poles of tanh at ±iπ/2 allow an error of order 1.47^-63 = 3e-11 on [-4, 4]
                let on = interval("-4:4");
                let p = project(f64::tanh, weight, on, 63, basis);
                for i in 0..=1000 {
                    let x = on.from_unit(f64::from(i) / 500.0 - 1.0);
                    let error = (basis.eval(&p, on.to_unit(x)) - x.tanh()).abs();
                    assert!(error < 1e-9, "{weight:?} {basis:?} {x}: {error}");
                }
                // and nothing stands in the way of exp
                let p = project(f64::exp, weight, on, 63, basis);
                for x in [-4.0_f64, -1.3, 0.0, 2.2, 4.0] {
                    let error = (basis.eval(&p, on.to_unit(x)) - x.exp()).abs();
                    assert!(error < 1e-11, "{weight:?} {basis:?} {x}: {error}");
                }
            }
        }
    }

    #[test]
    fn degree_63_stays_stable_with_a_hole_in_the_weight() {
        for weight in WEIGHTS {
            // exp is entire, so the projection must follow it even where the weight is nothing
            let on = interval("-1:1");
            let p = project(f64::exp, weight, on, 63, Basis::Chebyshev);
            for i in 0..=200 {
                let x = f64::from(i) / 100.0 - 1.0;
                let error = (Basis::Chebyshev.eval(&p, x) - x.exp()).abs();
                assert!(error < 1e-6, "{weight:?} {x}: {error}");
            }
        }
    }
}
