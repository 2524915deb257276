//! Activations and the polynomials in their place, on tensors.

use crate::blend::Blend;
use crate::hermite::Hermite;
use approx::{Activation, Basis, Interval, Polynomial};
use burn::tensor::{Tensor, TensorData, activation};
use cryptodl_kernels::Pointwise;
use cryptodl_network::Nonlinearity;

/// Up to this degree, powers of `x` are accurate enough in 32 bits and need the fewest passes over memory.
const HORNER_DEGREE: usize = 4;

/// What is applied to every value.
pub(crate) enum Nonlinear {
    /// The activation itself.
    Exact(Activation),
    /// `c_0 + x (c_1 + x (c_2 + …))` with constant coefficients.
    Horner(Vec<f64>, Interval),
    /// `Σ c_k P_k`, by the three-term recurrence of the basis.
    Series {
        polynomial: Polynomial,
        /// Position of the coefficients among the weights, if they are learned.
        position: Option<usize>,
    },
    /// The same with coefficients of each channel's own, `[channels, degree + 1]`.
    Channels {
        polynomials: Vec<Polynomial>,
        position: Option<usize>,
    },
    /// `c_0 + Σ c_k · norm(h_k(z))`, see [`crate::hermite`].
    Hermite(Hermite),
}

impl Nonlinear {
    /// Learned coefficients will be at `position` of the weights.
    pub(crate) fn new(nonlinearity: &Nonlinearity, position: usize) -> Self {
        match nonlinearity {
            Nonlinearity::Exact(activation) => Self::Exact(*activation),
            Nonlinearity::Polynomial {
                polynomial,
                learnable: false,
            } if polynomial.degree() <= HORNER_DEGREE => {
                let mut powers = polynomial.to_monomial();
                powers.truncate(polynomial.degree() + 1);
                Self::Horner(powers, polynomial.interval())
            }
            Nonlinearity::Polynomial {
                polynomial,
                learnable,
            } => Self::Series {
                polynomial: polynomial.clone(),
                position: learnable.then_some(position),
            },
            Nonlinearity::Channels {
                polynomials,
                learnable,
            } => Self::Channels {
                polynomials: polynomials.clone(),
                position: learnable.then_some(position),
            },
        }
    }

    /// Shape and first values of the coefficients, if they are learned.
    pub(crate) fn learnable(&self) -> Option<(Vec<usize>, Vec<f64>)> {
        self.position()?;
        match self {
            Self::Series { polynomial, .. } => {
                let coefficients = polynomial.coefficients();
                Some((vec![coefficients.len()], coefficients.to_vec()))
            }
            Self::Channels { polynomials, .. } => {
                let each = polynomials.iter().map(Polynomial::coefficients);
                let shape = vec![polynomials.len(), polynomials[0].coefficients().len()];
                Some((shape, each.flatten().copied().collect()))
            }
            Self::Exact(_) | Self::Horner(..) | Self::Hermite(_) => None,
        }
    }

    /// Position of the coefficients among the weights, if they are learned.
    pub(crate) fn position(&self) -> Option<usize> {
        match self {
            Self::Series { position, .. } | Self::Channels { position, .. } => *position,
            Self::Exact(_) | Self::Horner(..) | Self::Hermite(_) => None,
        }
    }

    /// The interval of the fit; none for an activation itself.
    fn interval(&self) -> Option<Interval> {
        match self {
            Self::Exact(_) => None,
            Self::Horner(_, interval) => Some(*interval),
            Self::Series { polynomial, .. } => Some(polynomial.interval()),
            Self::Channels { polynomials, .. } => Some(polynomials[0].interval()),
            Self::Hermite(hermite) => Some(hermite.interval),
        }
    }

    /// The same for the kernel that applies it behind a batch norm, if that can.
    pub(crate) fn pointwise(&self, blend: Option<Blend>) -> Option<Pointwise> {
        match self {
            Self::Exact(Activation::Relu) => Some(Pointwise::Relu),
            Self::Horner(powers, interval) => {
                let mut powers: Vec<f32> = powers.iter().map(|c| *c as f32).collect();
                let Some(Blend { with, share, clip }) = blend else {
                    return Some(Pointwise::Powers(powers));
                };
                let share = share as f32;
                match with {
                    None if clip => None,
                    None => {
                        powers.resize(powers.len().max(2), 0.0);
                        for power in &mut powers {
                            *power *= share;
                        }
                        powers[1] += 1.0 - share;
                        Some(Pointwise::Powers(powers))
                    }
                    Some(Activation::Relu) => Some(Pointwise::Replaced {
                        powers,
                        share,
                        within: clip.then_some([interval.low() as f32, interval.high() as f32]),
                    }),
                    Some(_) => None,
                }
            }
            Self::Hermite(hermite) => {
                let coefficients = hermite.coefficients.iter().map(|c| *c as f32);
                let coefficients: Vec<f32> = coefficients.collect();
                coefficients.try_into().ok().map(Pointwise::Terms)
            }
            Self::Exact(_) | Self::Series { .. } | Self::Channels { .. } => None,
        }
    }

    /// Applies it, or what it is mixed with, to every value.
    pub(crate) fn apply<const D: usize>(
        &self,
        x: Tensor<D>,
        weights: &[Tensor<2>],
        blend: Option<Blend>,
    ) -> Tensor<D> {
        let (Some(blend), Some(interval)) = (blend, self.interval()) else {
            return self.alone(x, weights);
        };
        let seen = if blend.clip {
            x.clone().clamp(interval.low(), interval.high())
        } else {
            x.clone()
        };
        let other = match blend.with {
            None => x,
            Some(activation) => Self::Exact(activation).alone(x, weights),
        };
        other * (1.0 - blend.share) + self.alone(seen, weights) * blend.share
    }

    fn alone<const D: usize>(&self, x: Tensor<D>, weights: &[Tensor<2>]) -> Tensor<D> {
        match self {
            Self::Exact(Activation::Relu) => activation::relu(x),
            Self::Exact(Activation::Sigmoid) => activation::sigmoid(x),
            Self::Exact(Activation::Tanh) => x.tanh(),
            Self::Exact(Activation::Sine) => x.sin(),
            Self::Horner(powers, _) => horner(x, powers),
            Self::Series {
                polynomial,
                position: None,
            } => {
                let coefficients = polynomial.coefficients();
                series(
                    x,
                    polynomial.basis(),
                    polynomial.interval(),
                    coefficients.len(),
                    |k, term| term * coefficients[k],
                )
            }
            Self::Series {
                polynomial,
                position: Some(position),
            } => {
                let coefficients = weights[*position].clone(); // [1, degree + 1]
                let length = polynomial.coefficients().len();
                series(
                    x,
                    polynomial.basis(),
                    polynomial.interval(),
                    length,
                    |k, term| term * coefficients.clone().slice([0..1, k..k + 1]).reshape([1; D]),
                )
            }
            Self::Channels {
                polynomials,
                position,
            } => {
                let (rows, first) = (polynomials.len(), &polynomials[0]);
                let length = first.coefficients().len();
                let coefficients: Tensor<2> = if let Some(position) = position {
                    weights[*position].clone()
                } else {
                    let each = polynomials.iter().flat_map(Polynomial::coefficients);
                    let values: Vec<f32> = each.map(|c| *c as f32).collect();
                    Tensor::from_data(TensorData::new(values, [rows, length]), &x.device())
                };
                let dims = x.dims();
                let columns = dims.iter().product::<usize>() / rows;
                let by_channel: Tensor<2> = x.reshape([rows, columns]);
                let (basis, interval) = (first.basis(), first.interval());
                series(by_channel, basis, interval, length, |k, term| {
                    term * coefficients.clone().slice([0..rows, k..k + 1])
                })
                .reshape(dims)
            }
            Self::Hermite(_) => unreachable!("needs statistics, so `layers` applies it"),
        }
    }
}

fn horner<const D: usize>(x: Tensor<D>, powers: &[f64]) -> Tensor<D> {
    match powers {
        [] => x * 0.0,
        [constant] => x * 0.0 + *constant,
        [lower @ .., second, last] => {
            let sum = x.clone() * *last + *second;
            lower
                .iter()
                .rev()
                .fold(sum, |sum, power| sum * x.clone() + *power)
        }
    }
}

/// `Σ scaled(k, P_k)` for `k < length`. Chebyshev: `P_{k+1} = 2 u P_k - P_{k-1}`; Legendre:
/// `(k+1) P_{k+1} = (2k+1) u P_k - k P_{k-1}`, `u` the place in the interval; powers of `x`: `P_{k+1} = x P_k`.
fn series<const D: usize>(
    x: Tensor<D>,
    basis: Basis,
    interval: Interval,
    length: usize,
    scaled: impl Fn(usize, Tensor<D>) -> Tensor<D>,
) -> Tensor<D> {
    let u = match basis {
        Basis::Monomial => x,
        Basis::Chebyshev | Basis::Legendre => (x - interval.centre()) / interval.half_width(),
    };
    let one = u.ones_like();
    let mut sum = scaled(0, one.clone());
    let (mut before, mut current) = (one, u.clone());
    for k in 1..length {
        sum = sum + scaled(k, current.clone());
        let degree = k as f64;
        let next = match basis {
            Basis::Monomial => u.clone() * current.clone(),
            Basis::Chebyshev => u.clone() * current.clone() * 2.0 - before,
            Basis::Legendre => {
                (u.clone() * current.clone() * (2.0 * degree + 1.0) - before * degree)
                    / (degree + 1.0)
            }
        };
        (before, current) = (current, next);
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;

    const POINTS: [f32; 7] = [-5.0, -3.0, -1.5, 0.0, 0.25, 2.0, 4.5];

    fn interval() -> Interval {
        Interval::new(-4.0, 4.0).unwrap()
    }

    /// Value and derivative by autodiff at every point.
    fn differentiate(nonlinear: &Nonlinear, weights: &[Tensor<2>]) -> (Vec<f32>, Vec<f32>) {
        let x = Tensor::<1>::from_data(POINTS, &Device::flex().autodiff()).require_grad();
        let y = nonlinear.apply(x.clone(), weights, None);
        let gradient = x.grad(&y.clone().sum().backward()).unwrap();
        (
            y.into_data().try_into_vec().unwrap(),
            gradient.into_data().try_into_vec().unwrap(),
        )
    }

    #[test]
    fn every_basis_has_the_values_and_gradients_of_its_polynomial() {
        for basis in [Basis::Monomial, Basis::Chebyshev, Basis::Legendre] {
            for length in 2..=8 {
                let coefficients: Vec<f64> =
                    (0..length).map(|k| 1.0 / f64::from(1 + k * k)).collect();
                let polynomial = Polynomial::new(coefficients.clone(), basis, interval()).unwrap();
                let derivative = polynomial.derivative();
                for learnable in [false, true] {
                    let nonlinearity = Nonlinearity::Polynomial {
                        polynomial: polynomial.clone(),
                        learnable,
                    };
                    let row: Vec<f32> = coefficients.iter().map(|c| *c as f32).collect();
                    let weight = Tensor::<1>::from_data(row.as_slice(), &Device::flex().autodiff())
                        .unsqueeze();
                    let (values, slopes) =
                        differentiate(&Nonlinear::new(&nonlinearity, 0), &[weight]);
                    for (x, (value, slope)) in POINTS.iter().zip(values.iter().zip(slopes)) {
                        // 32-bit powers against 64-bit Clenshaw: 1e-5 of the size of the terms, which is 5⁷ / 50 here.
                        let close =
                            |a: f32, b: f64| (f64::from(a) - b).abs() < 1e-5 * (10.0 + b.abs());
                        assert!(
                            close(*value, polynomial.eval((*x).into())),
                            "{basis:?} {length} at {x}"
                        );
                        assert!(
                            close(slope, derivative.eval((*x).into())),
                            "{basis:?} {length} slope at {x}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn coefficients_get_the_values_of_the_basis_as_gradients() {
        let polynomial =
            Polynomial::new(vec![0.3, 0.5, 0.2], Basis::Chebyshev, interval()).unwrap();
        let nonlinear = Nonlinear::new(
            &Nonlinearity::Polynomial {
                polynomial,
                learnable: true,
            },
            0,
        );
        let device = Device::flex().autodiff();
        let weight = Tensor::<2>::from_data([[0.3f32, 0.5, 0.2]], &device).require_grad();
        let x = Tensor::<1>::from_data([2.0f32], &device);
        let y = nonlinear.apply(x, std::slice::from_ref(&weight), None);
        let gradient: Vec<f32> = weight
            .grad(&y.backward())
            .unwrap()
            .into_data()
            .try_into_vec()
            .unwrap();
        // T_0, T_1, T_2 at u = 1/2.
        assert_eq!(gradient, [1.0, 0.5, -0.5]);
    }

    #[test]
    fn blends_lie_between_the_activation_and_its_polynomial() {
        let polynomial =
            Polynomial::new(vec![0.3, 0.5, 0.2], Basis::Chebyshev, interval()).unwrap();
        for learnable in [false, true] {
            let nonlinearity = Nonlinearity::Polynomial {
                polynomial: polynomial.clone(),
                learnable,
            };
            let nonlinear = Nonlinear::new(&nonlinearity, 0);
            let weights = [Tensor::<2>::from_data(
                [[0.3f32, 0.5, 0.2]],
                &Device::flex(),
            )];
            for with in [None, Some(Activation::Relu), Some(Activation::Tanh)] {
                for clip in [false, true] {
                    let blend = Blend {
                        with,
                        share: 0.25,
                        clip,
                    };
                    let x = Tensor::<1>::from_data(POINTS, &Device::flex());
                    let y = nonlinear.apply(x, &weights, Some(blend));
                    let y: Vec<f32> = y.into_data().try_into_vec().unwrap();
                    for (x, y) in POINTS.iter().zip(y) {
                        let x = f64::from(*x);
                        let seen = if clip { x.clamp(-4.0, 4.0) } else { x };
                        let other = with.map_or(x, |activation| activation.value(x));
                        let expected = 0.75 * other + 0.25 * polynomial.eval(seen);
                        assert!((f64::from(y) - expected).abs() < 1e-5, "{with:?} at {x}");
                    }
                }
            }
        }
    }

    #[test]
    fn channels_have_the_values_of_their_own_polynomials() {
        let polynomials: Vec<Polynomial> = [[0.3, 0.5, 0.2, 0.1], [-0.1, 1.0, 0.0, 0.4]]
            .map(|c| Polynomial::new(c.to_vec(), Basis::Chebyshev, interval()).unwrap())
            .into();
        for learnable in [false, true] {
            let nonlinearity = Nonlinearity::Channels {
                polynomials: polynomials.clone(),
                learnable,
            };
            let nonlinear = Nonlinear::new(&nonlinearity, 0);
            let weights = [Tensor::<2>::from_data(
                [[0.3f32, 0.5, 0.2, 0.1], [-0.1, 1.0, 0.0, 0.4]],
                &Device::flex(),
            )];
            // two channels of two positions
            let inputs = [-3.0f32, 0.5, 2.0, 4.0];
            let x = Tensor::<1>::from_data(inputs, &Device::flex()).reshape([4, 1]);
            let y = nonlinear.apply::<2>(x, &weights, None);
            let y: Vec<f32> = y.into_data().try_into_vec().unwrap();
            for (index, (x, y)) in inputs.iter().zip(y).enumerate() {
                let expected = polynomials[index / 2].eval(f64::from(*x));
                assert!((f64::from(y) - expected).abs() < 1e-5, "{y} {expected}");
            }
        }
    }

    #[test]
    fn exact_activations_are_those_of_the_fits() {
        for activation in approx::activations() {
            let (values, slopes) =
                differentiate(&Nonlinear::new(&Nonlinearity::Exact(*activation), 0), &[]);
            for (x, (value, slope)) in POINTS.iter().zip(values.iter().zip(slopes)) {
                assert!((f64::from(*value) - activation.value((*x).into())).abs() < 1e-6);
                // ReLU has no slope at its kink; both conventions are fine there.
                assert!(
                    *x == 0.0
                        || (f64::from(slope) - activation.derivative((*x).into())).abs() < 1e-6
                );
            }
        }
    }
}
