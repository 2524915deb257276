//! Muon for weights that a batch norm follows, AdamW for everything else.
//!
//! Muon, for a weight `W` `[out, in]` with rows of length 1 and its gradient `G`:
//! 1. `M ← momentum · M + G`, and look ahead: `U = G + momentum · M`.
//! 2. Four Newton–Schulz steps `X ← a X + (b X Xᵀ + c (X Xᵀ)²) X` from `X = U / |U|` push every singular value of `U`
//!    close to 1: all directions move alike, not only the few that dominate the gradient.
//! 3. `W ← W - rate · √max(1, out / in) · X`, then each row is scaled back to length 1. The batch norm behind makes
//!    that length meaningless, so the rate is the share by which a filter turns.
//!
//! # References
//! - Jordan et al. (2024), *Muon: an optimizer for hidden layers in neural networks*.
//! - Loshchilov & Hutter (2019), *Decoupled weight decay regularization*, ICLR.

use crate::model::{Model, Role};
use crate::recipe::{Clipping, Optimisation, Optimiser, Schedule};
use burn::tensor::{Gradients, Tensor};
use std::f64::consts::PI;

const BETA_1: f64 = 0.9;
const BETA_2: f64 = 0.99;
const ADAM_EPSILON: f64 = 1e-8;
/// Quintic of the Newton–Schulz steps (Jordan et al. 2024).
const QUINTIC: [f64; 3] = [3.4445, -4.7750, 2.0315];
const NEWTON_SCHULZ_STEPS: usize = 4;
/// Share of all steps in which a trapezoid falls.
const COOL_DOWN: f64 = 1.0 / 3.0;

/// What an optimiser remembers of each weight: Muon's momentum, or the two moments of AdamW.
pub(crate) struct Memory {
    /// One entry a weight, zeros at first.
    pub first: Vec<Tensor<2>>,
    /// One entry a weight, zeros at first.
    pub second: Vec<Tensor<2>>,
}

impl Memory {
    pub(crate) fn new(weights: &[Tensor<2>]) -> Self {
        let zeros = || {
            weights
                .iter()
                .map(|weight| weight.clone().inner().zeros_like())
                .collect()
        };
        Self {
            first: zeros(),
            second: zeros(),
        }
    }
}

/// Share of the peak learning rate at a step: up over the warm-up in a straight line, then as the schedule says.
pub(crate) fn schedule(step: usize, steps: usize, warm_up: f64, schedule: Schedule) -> f64 {
    let place = (step as f64 + 0.5) / steps as f64;
    if place < warm_up {
        return place / warm_up;
    }
    let left = (1.0 - place) / (1.0 - warm_up); // from 1 to 0
    match schedule {
        Schedule::Linear => left,
        Schedule::Cosine => 0.5 - 0.5 * (PI * left).cos(),
        Schedule::Constant => 1.0,
        Schedule::Trapezoid => ((1.0 - place) / COOL_DOWN).min(1.0),
    }
}

/// One step: moves every weight that is trained. `step` counts from 0, `rate` is the share of the peak rates.
/// Gives the norm of the gradients that may be clipped, before that.
pub(crate) fn step(
    model: &Model,
    weights: &mut [Tensor<2>],
    memory: &mut Memory,
    gradients: &mut Gradients,
    optimisation: &Optimisation,
    step: usize,
    rate: f64,
) -> f64 {
    let mut found: Vec<Option<Tensor<2>>> = weights
        .iter()
        .map(|weight| weight.grad_remove(gradients))
        .collect();
    let clipped = |position: usize| {
        optimisation.clipping == Clipping::All || !model.parameters[position].is_of_batch_norm()
    };
    let squares: Vec<Tensor<1>> = found
        .iter()
        .enumerate()
        .filter(|(position, _)| clipped(*position))
        .filter_map(|(_, gradient)| gradient.as_ref())
        .map(|g| (g.clone() * g.clone()).sum())
        .collect();
    let norm = f64::from(Tensor::cat(squares, 0).sum().into_scalar::<f32>()).sqrt();
    let clip = if optimisation.clip_norm > 0.0 && norm > optimisation.clip_norm {
        optimisation.clip_norm / norm
    } else {
        1.0
    };

    for (position, parameter) in model.parameters.iter().enumerate() {
        let Some(gradient) = found[position].take() else {
            continue;
        };
        let gradient = if clipped(position) {
            gradient * clip
        } else {
            gradient
        };
        let weight = weights[position].clone().inner();
        let moved = if parameter.role == Role::Direction
            && optimisation.optimiser == Optimiser::Muon
        {
            let momentum =
                memory.first[position].clone() * optimisation.muon_momentum + gradient.clone();
            memory.first[position] = momentum.clone();
            let [rows, columns] = weight.dims();
            let stretch = (rows as f64 / columns as f64).max(1.0).sqrt();
            let direction = orthogonalised(gradient + momentum * optimisation.muon_momentum);
            unit_rows(weight - direction * (rate * optimisation.muon_learning_rate * stretch))
        } else {
            let first = memory.first[position].clone() * BETA_1 + gradient.clone() * (1.0 - BETA_1);
            let second = memory.second[position].clone() * BETA_2
                + gradient.clone() * gradient * (1.0 - BETA_2);
            memory.first[position] = first.clone();
            memory.second[position] = second.clone();
            let count = step as i32 + 1;
            let first = first / (1.0 - BETA_1.powi(count));
            let second = second / (1.0 - BETA_2.powi(count));
            let rate = rate * optimisation.learning_rate;
            let decay = if parameter.role == Role::Vector {
                0.0
            } else {
                rate * optimisation.weight_decay
            };
            weight * (1.0 - decay) - first / (second.sqrt() + ADAM_EPSILON) * rate
        };
        weights[position] = moved.autodiff().require_grad();
    }
    norm
}

/// Each row scaled to length 1.
pub(crate) fn unit_rows(weight: Tensor<2>) -> Tensor<2> {
    let length = (weight.clone() * weight.clone()).sum_dim(1).sqrt() + 1e-12; // [rows, 1]
    weight / length
}

/// About the nearest matrix with orthonormal rows (or columns, if there are fewer).
fn orthogonalised(matrix: Tensor<2>) -> Tensor<2> {
    let [rows, columns] = matrix.dims();
    let norm = (matrix.clone() * matrix.clone()).sum().sqrt() + 1e-12;
    let mut x = matrix / norm.unsqueeze();
    // The smaller Gram matrix is the cheaper one.
    if rows > columns {
        x = x.transpose();
    }
    let [a, b, c] = QUINTIC;
    let mut gram = x.clone().matmul(x.clone().transpose());
    let one = Tensor::eye(rows.min(columns), &x.device());
    // Every step multiplies by a polynomial in the Gram matrix, and those commute: so they are gathered here, and the
    // matrix itself, which is longer, is multiplied once.
    let mut steps = one.clone();
    for _ in 0..NEWTON_SCHULZ_STEPS {
        let square = gram.clone().matmul(gram.clone());
        let step = one.clone() * a + gram.clone() * b + square * c;
        steps = step.clone().matmul(steps);
        gram = step.clone().matmul(step.matmul(gram));
    }
    x = steps.matmul(x);
    if rows > columns { x.transpose() } else { x }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;
    use crate::values::values;
    use burn::tensor::{Device, TensorData};

    fn random(rows: usize, columns: usize) -> Tensor<2> {
        let mut random = Random::at([9]);
        let data: Vec<f32> = (0..rows * columns)
            .map(|_| random.normal() as f32)
            .collect();
        Tensor::from_data(TensorData::new(data, [rows, columns]), &Device::flex())
    }

    #[test]
    fn orthogonalised_matrices_have_singular_values_near_one() {
        for (rows, columns) in [(6, 40), (40, 6)] {
            let x = orthogonalised(random(rows, columns));
            assert_eq!(x.dims(), [rows, columns]);
            let gram = if rows < columns {
                x.clone().matmul(x.transpose())
            } else {
                x.clone().transpose().matmul(x)
            };
            for (index, value) in values(&gram).iter().enumerate() {
                let diagonal = index % 7 == 0;
                // The quintic does not converge, it keeps singular values within [0.7, 1.2] or so.
                let good = if diagonal {
                    (0.4..1.5).contains(value)
                } else {
                    value.abs() < 0.3
                };
                assert!(good, "{rows}×{columns}: {value} at {index}");
            }
        }
    }

    #[test]
    fn gathered_steps_are_the_steps_one_by_one() {
        let matrix = random(6, 40);
        let norm = (matrix.clone() * matrix.clone()).sum().sqrt();
        let mut x = matrix.clone() / norm.unsqueeze();
        let [a, b, c] = QUINTIC;
        for _ in 0..NEWTON_SCHULZ_STEPS {
            let gram = x.clone().matmul(x.clone().transpose());
            let step = gram.clone() * b + gram.clone().matmul(gram) * c;
            x = x.clone() * a + step.matmul(x);
        }
        for (gathered, single) in values(&orthogonalised(matrix)).iter().zip(values(&x)) {
            // 32 bits, and factors of up to 3.4⁴.
            assert!((gathered - single).abs() < 1e-4, "{gathered} {single}");
        }
    }

    #[test]
    fn rows_are_scaled_to_length_one() {
        let rows = unit_rows(random(3, 5));
        for row in values(&rows).chunks(5) {
            assert!((row.iter().map(|x| x * x).sum::<f32>() - 1.0).abs() < 1e-5);
        }
    }

    #[test]
    fn schedule_rises_then_falls_to_nothing() {
        for kind in [Schedule::Linear, Schedule::Cosine, Schedule::Trapezoid] {
            let shares: Vec<f64> = (0..100)
                .map(|step| schedule(step, 100, 0.1, kind))
                .collect();
            assert!(shares[..10].is_sorted() && shares[10..].is_sorted_by(|a, b| a >= b));
            assert!(
                shares[0] < 0.06 && shares[99] < 0.02 && shares[10] > 0.99,
                "{kind:?}"
            );
            assert!(schedule(0, 100, 0.0, kind) > 0.99);
        }
        let at = |step, kind| schedule(step, 100, 0.1, kind);
        assert!((at(54, Schedule::Linear) - 0.5).abs() < 0.01);
        assert!((at(54, Schedule::Cosine) - 0.5).abs() < 0.01);
        assert!(at(30, Schedule::Cosine) > at(30, Schedule::Linear) + 0.05);
        assert!((at(66, Schedule::Trapezoid) - 1.0).abs() < 1e-9);
        assert!((at(83, Schedule::Trapezoid) - 0.5).abs() < 0.02);
        assert!((at(99, Schedule::Constant) - 1.0).abs() < 1e-9);
    }
}
