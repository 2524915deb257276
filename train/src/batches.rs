//! Batches of training images, made while the processor trains on the ones before.
//!
//! One thread goes ahead through the epoch and shares the images of each batch between the threads of the machine.
//! What is in a batch depends on the seed, the epoch and the image alone, so it is the same however the threads run.

use crate::augment;
use crate::datasets::Images;
use crate::mix::{self, Patch};
use crate::random::Random;
use crate::recipe::Recipe;
use cryptodl_network::Normalisation;
use rayon::prelude::*;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::Scope;

/// Batches that may wait to be trained on.
const AHEAD: usize = 4;

/// Input values and labels of a few images.
#[derive(Clone)]
pub(crate) struct Batch {
    /// `[n, C, H, W]`.
    pub values: Vec<f32>,
    /// Class of each image.
    pub labels: Vec<u8>,
    /// What of each image comes from another one; none if images are whole.
    pub patches: Vec<Patch>,
}

/// Purposes of random numbers, so that no two share a generator.
const SPLIT: u64 = 1;
const ORDER: u64 = 2;
const MOVE: u64 = 3;
const MIX: u64 = 5;

/// Indices of training and of validation images: a random split that depends on the seed alone.
pub(crate) fn split(images: usize, validation: usize, seed: u64) -> (Vec<usize>, Vec<usize>) {
    let mut order = Random::at([seed, SPLIT]).permutation(images);
    let held_out = order.split_off(images - validation.min(images));
    (order, held_out)
}

/// Number of batches of an epoch: whole batches only, so that batch statistics are never of a handful of images.
pub(crate) fn steps(training: usize, recipe: &Recipe) -> usize {
    training / recipe.batch.min(training).max(1)
}

/// Starts a thread that makes the batches of an epoch.
pub(crate) fn epoch<'scope>(
    scope: &'scope Scope<'scope, '_>,
    images: &'scope Images,
    training: &'scope [usize],
    normalisation: &'scope Normalisation,
    recipe: &'scope Recipe,
    epoch: usize,
) -> Receiver<Batch> {
    let (sender, receiver) = sync_channel(AHEAD);
    scope.spawn(move || {
        let order = Random::at([recipe.seed, ORDER, epoch as u64]).permutation(training.len());
        let size = recipe.batch.min(training.len()).max(1);
        for positions in order.chunks_exact(size) {
            let indices: Vec<usize> = positions
                .iter()
                .map(|position| training[*position])
                .collect();
            let mut values = vec![0.0; size * images.shape.len()];
            values
                .par_chunks_exact_mut(images.shape.len())
                .zip(&indices)
                .for_each(|(values, index)| {
                    let mut random = Random::at([recipe.seed, MOVE, epoch as u64, *index as u64]);
                    augment::augmented(
                        &normalisation.prepared(images.image(*index)),
                        images.shape,
                        normalisation,
                        &recipe.augmentation,
                        &mut random,
                        values,
                    );
                });
            let labels: Vec<u8> = indices.iter().map(|index| images.labels[*index]).collect();
            let mut batch = Batch {
                values,
                labels,
                patches: Vec::new(),
            };
            if recipe.augmentation.cutmix > 0.0 {
                let Batch { values, labels, .. } = &mut batch;
                let random = |position: usize| {
                    Random::at([recipe.seed, MIX, epoch as u64, indices[position] as u64])
                };
                batch.patches = mix::mix(
                    values,
                    labels,
                    images.shape,
                    recipe.augmentation.cutmix,
                    random,
                );
            }
            // Training has stopped early: nobody wants the rest.
            if sender.send(batch).is_err() {
                break;
            }
        }
    });
    receiver
}

/// Input values of the images of the given indices, as they are.
pub(crate) fn plain(images: &Images, indices: &[usize], normalisation: &Normalisation) -> Batch {
    let mut values = vec![0.0; indices.len() * images.shape.len()];
    values
        .par_chunks_exact_mut(images.shape.len())
        .zip(indices)
        .for_each(|(values, index)| {
            let image = normalisation.prepared(images.image(*index));
            augment::plain(&image, images.shape, normalisation, values);
        });
    Batch {
        values,
        labels: indices.iter().map(|index| images.labels[*index]).collect(),
        patches: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use cryptodl_network::Shape;

    #[test]
    fn split_covers_every_image_once() {
        let (training, validation) = split(50, 8, 3);
        assert_eq!(validation.len(), 8);
        let mut all = [training.clone(), validation].concat();
        all.sort_unstable();
        assert!(all.into_iter().eq(0..50));
        assert_ne!(training, split(50, 8, 4).0);
    }

    #[test]
    fn an_epoch_has_whole_batches_and_repeats_exactly() {
        let shape = Shape {
            channels: 1,
            height: 4,
            width: 4,
        };
        let images = Images {
            shape,
            pixels: (0..160).map(|i| i as u8).collect(),
            labels: (0..10).collect(),
        };
        let normalisation = Normalisation {
            mean: vec![0.0],
            deviation: vec![1.0],
            standardised: false,
        };
        let recipe = Recipe {
            batch: 4,
            ..Recipe::default()
        };
        let training: Vec<usize> = (0..10).collect();
        let run = |number| {
            std::thread::scope(|scope| {
                let batches = epoch(scope, &images, &training, &normalisation, &recipe, number);
                batches
                    .iter()
                    .map(|batch| (batch.labels, batch.values))
                    .collect::<Vec<_>>()
            })
        };
        let first = run(0);
        assert_eq!(first.len(), steps(10, &recipe));
        assert_eq!(first, run(0));
        assert_ne!(first, run(1));
    }
}
