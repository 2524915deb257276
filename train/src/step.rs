//! One step of training.

use crate::batches::{self, Batch};
use crate::blend::Blend;
use crate::checkpoint::State;
use crate::datasets::Images;
use crate::evaluation::{input, largest};
use crate::integers::Integers;
use crate::mix::Patch;
use crate::model::{Model, Parameter, Role};
use crate::optimiser;
use crate::recipe::{Averaging, Boundary, Recipe};
use crate::rounded::RoundedWeights;
use crate::teacher::Teacher;
use crate::values::values;
use burn::tensor::{Device, Tensor, TensorData, activation::log_softmax};
use half::f16;

/// Training images that the statistics of exported weights are measured on.
const MEASURED_IMAGES: usize = 10_000;

/// As many of them make one measurement.
const MEASURED_TOGETHER: usize = 100;

/// Everything that stays the same from step to step.
pub(crate) struct Trainer<'a> {
    pub model: &'a Model,
    pub recipe: &'a Recipe,
    pub teacher: Option<Teacher>,
    pub rounding: Option<RoundedWeights>,
    pub integers: Option<Integers>,
    pub device: Device,
}

/// What one step shows.
pub(crate) struct Outcome {
    /// Loss of the batch.
    pub loss: f32,
    /// Norm of the gradients before clipping.
    pub gradient_norm: f64,
    /// Images of the batch that were classified right.
    pub right: usize,
}

impl Trainer<'_> {
    /// Trains on a batch: the `done`-th step, counted from 0, of `total`.
    pub(crate) fn step(
        &self,
        batch: Batch,
        state: &mut State,
        done: usize,
        total: usize,
    ) -> Outcome {
        let Self { model, recipe, .. } = *self;
        let input = input(model, batch.values, &self.device);
        let rounded = (self.rounding.as_ref())
            .map(|rounding| rounding.trained(&state.weights, done as f64 / total as f64));
        let weights = rounded.as_ref().unwrap_or(&state.weights);
        let changes = (self.integers.as_ref()).map_or_else(Vec::new, |integers| {
            integers.changes(model, &state.weights, done as f64 / total as f64)
        });
        let blend = Blend::at(&recipe.polynomials, done, total);
        let pass = model.train(weights, &changes, input.clone(), recipe.boundary, blend);
        let classes = pass.logits.dims()[1];
        let right = values(&pass.logits.clone().inner())
            .chunks_exact(classes)
            .zip(&batch.labels)
            .filter(|(row, label)| largest(row) == usize::from(**label))
            .count();

        let mut loss = self.loss(input, pass.logits, &batch.labels, &batch.patches);
        let weight = recipe.boundary.weight;
        if weight > 0.0 {
            loss = (pass.excess).map_or(loss.clone(), |excess| loss + excess * weight);
        }
        let mut gradients = loss.backward();
        let rate = optimiser::schedule(
            done,
            total,
            recipe.optimisation.warm_up,
            recipe.optimisation.schedule,
        );
        let State {
            weights, memory, ..
        } = state;
        let gradient_norm = optimiser::step(
            model,
            weights,
            memory,
            &mut gradients,
            &recipe.optimisation,
            done,
            rate,
        );

        let Averaging {
            average,
            statistics_rate,
            ..
        } = recipe.averaging;
        for (position, statistic) in pass.statistics {
            let old = state.weights[position].clone();
            state.weights[position] =
                old * (1.0 - statistics_rate) + statistic.inner() * statistics_rate;
        }
        // Early on, a long average would still be the first weights.
        let kept = average.min((1.0 + done as f64) / (10.0 + done as f64));
        let kept = if average > 0.0 { kept } else { 0.0 };
        for (average, weight) in state.averages.iter_mut().zip(&state.weights) {
            *average = average.clone() * kept + weight.clone().inner() * (1.0 - kept);
        }
        Outcome {
            loss: loss.inner().into_scalar(),
            gradient_norm,
            right,
        }
    }

    /// The weights that are evaluated and exported: the averages, rounded where the recipe asks for it.
    ///
    /// An average that is rounded is no average of what was rounded in each step, so batch norms get the statistics
    /// that the rounded weights give on the first `training` images. With `measure_statistics`, averages
    /// that are not rounded get theirs too.
    pub(crate) fn exported(
        &self,
        state: &State,
        images: &Images,
        training: &[usize],
    ) -> Vec<Tensor<2>> {
        let averages = if self.recipe.rounding.half {
            self.halved(&state.averages)
        } else {
            state.averages.clone()
        };
        match &self.rounding {
            Some(rounding) => self.measured(rounding.rounded(&averages), images, training),
            None if self.recipe.averaging.measure_statistics => {
                self.measured(averages, images, training)
            }
            None => averages,
        }
    }

    /// The weights of linear layers rounded to 16-bit floats, all else as it is.
    fn halved(&self, weights: &[Tensor<2>]) -> Vec<Tensor<2>> {
        let halved = |(weight, parameter): (&Tensor<2>, &Parameter)| match parameter.role {
            Role::Direction | Role::Matrix => {
                let numbers = values(weight).into_iter();
                let halves: Vec<f32> = numbers.map(|w| f16::from_f32(w).to_f32()).collect();
                Tensor::from_data(TensorData::new(halves, weight.dims()), &self.device)
            }
            Role::Vector | Role::Statistic | Role::Fixed => weight.clone(),
        };
        let parameters = &self.model.parameters;
        weights.iter().zip(parameters).map(halved).collect()
    }

    /// The weights with the statistics that they give on the first `training` images, as these are: medians over small
    /// batches. A few images in a thousand grow with every square of a deep network, until they alone set the variance of
    /// any batch that they are in. Means over batches would be theirs, and too large for all others.
    fn measured(
        &self,
        mut weights: Vec<Tensor<2>>,
        images: &Images,
        training: &[usize],
    ) -> Vec<Tensor<2>> {
        let boundary = Boundary {
            weight: 0.0,
            ..self.recipe.boundary
        };
        let normalisation = &self.model.network().normalisation;
        let mut found: Vec<Vec<Vec<f32>>> = vec![Vec::new(); weights.len()];
        for indices in training[..training.len().min(MEASURED_IMAGES)].chunks(MEASURED_TOGETHER) {
            let batch = batches::plain(images, indices, normalisation);
            let input = input(self.model, batch.values, &self.device);
            let pass = self.model.train(&weights, &[], input, boundary, None);
            for (position, statistic) in pass.statistics {
                found[position].push(values(&statistic.inner()));
            }
        }
        for (weight, measurements) in weights.iter_mut().zip(found) {
            if !measurements.is_empty() {
                let medians = TensorData::new(medians(&measurements), weight.dims());
                *weight = Tensor::from_data(medians, &self.device);
            }
        }
        weights
    }

    /// Cross-entropy against the smoothed labels and, if there is one, the teacher; mean over the batch.
    fn loss(
        &self,
        input: Tensor<2>,
        logits: Tensor<2>,
        labels: &[u8],
        patches: &[Patch],
    ) -> Tensor<1> {
        let classes = logits.dims()[1];
        let targets = targets(
            labels,
            patches,
            classes,
            self.recipe.targets.label_smoothing,
        );
        let targets = Tensor::from_data(targets, &self.device);
        let from_labels = -(log_softmax(logits.clone(), 1) * targets).sum() / labels.len() as f64;
        match &self.teacher {
            None => from_labels,
            Some(teacher) => {
                let share = self.recipe.targets.teacher_weight;
                from_labels * (1.0 - share)
                    + teacher.loss(input, logits, self.recipe.targets.temperature) * share
            }
        }
    }
}

/// `1 - smoothing` on the label, shared with that of the patch if there is one, and `smoothing` spread over all classes:
/// `[n, classes]`.
fn targets(labels: &[u8], patches: &[Patch], classes: usize, smoothing: f64) -> TensorData {
    let spread = (smoothing / classes as f64) as f32;
    let mut values = vec![spread; labels.len() * classes];
    for (row, label) in values.chunks_exact_mut(classes).zip(labels) {
        row[usize::from(*label)] += (1.0 - smoothing) as f32;
    }
    for (row, (patch, label)) in values
        .chunks_exact_mut(classes)
        .zip(patches.iter().zip(labels))
    {
        let moved = patch.share * (1.0 - smoothing) as f32;
        row[usize::from(*label)] -= moved;
        row[usize::from(patch.label)] += moved;
    }
    TensorData::new(values, [labels.len(), classes])
}

/// Of each column, the middle one of its values, the upper one of two.
fn medians(rows: &[Vec<f32>]) -> Vec<f32> {
    let middle = rows.len() / 2;
    let column = |index: usize| -> Vec<f32> { rows.iter().map(|row| row[index]).collect() };
    (0..rows[0].len())
        .map(|index| {
            *column(index)
                .select_nth_unstable_by(middle, f32::total_cmp)
                .1
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_probabilities() {
        let values: Vec<f32> = targets(&[2, 0], &[], 4, 0.2).try_into_vec().unwrap();
        let expected = [0.05, 0.05, 0.85, 0.05, 0.85, 0.05, 0.05, 0.05];
        assert!(
            values
                .iter()
                .zip(expected)
                .all(|(value, expected)| (value - expected).abs() < 1e-6)
        );
        let patch = |label, share| Patch { label, share };
        let patches = [patch(0, 0.25), patch(0, 0.5)];
        let values: Vec<f32> = targets(&[2, 0], &patches, 4, 0.2).try_into_vec().unwrap();
        for (value, expected) in values.iter().zip([0.25, 0.05, 0.65, 0.05, 0.85]) {
            assert!((value - expected).abs() < 1e-6, "{values:?}");
        }
    }

    #[test]
    fn measurements_with_an_exploding_image_do_not_count() {
        let mut rows = vec![vec![1.0, 4.0], vec![1.2, 5.0], vec![1.1, 4.5]];
        assert_eq!(medians(&rows), [1.1, 4.5]);
        rows.push(vec![f32::INFINITY, 1e30]);
        rows.push(vec![f32::NAN, 4.6]);
        assert_eq!(medians(&rows), [1.2, 4.6]);
    }
}
