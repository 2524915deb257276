//! Patches of other images (CutMix): a rectangle of an image comes from another one of its batch, and the label of that
//! one counts by the share of the area.
//!
//! # References
//! - Yun et al. (2019), *CutMix: regularization strategy to train strong classifiers with localizable features*, arXiv
//!   1905.04899, section 3.1.

use crate::random::Random;
use cryptodl_network::Shape;
use std::ops::Range;

/// What of an image comes from another one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Patch {
    /// Class of the other one.
    pub label: u8,
    /// Its share of the area.
    pub share: f32,
}

/// Puts a patch of the next image of the batch into each image for which `random` of its position says so, with
/// probability `chance`; the area is uniform in `[0, 1)` before it is cut off at the edges. Values are `[n, C, H, W]`.
pub(crate) fn mix(
    values: &mut [f32],
    labels: &[u8],
    shape: Shape,
    chance: f64,
    random: impl Fn(usize) -> Random,
) -> Vec<Patch> {
    let whole = values.to_vec();
    let images = values.chunks_exact_mut(shape.len()).enumerate();
    let patches = images.map(|(index, image)| {
        let mut random = random(index);
        let next = (index + 1) % labels.len();
        let mut patch = Patch {
            label: labels[next],
            share: 0.0,
        };
        if random.uniform() >= chance {
            return patch;
        }
        let side = random.uniform().sqrt();
        let mut range = |length: usize| -> Range<usize> {
            let half = (side * length as f64 / 2.0).round();
            let middle = (random.uniform() * length as f64).floor();
            let first = (middle - half).max(0.0) as usize;
            first..((middle + half) as usize).min(length)
        };
        let (rows, columns) = (range(shape.height), range(shape.width));
        let other = &whole[next * shape.len()..][..shape.len()];
        let plane = shape.height * shape.width;
        for first in (0..shape.len()).step_by(plane) {
            for row in rows.clone() {
                let from = first + row * shape.width;
                let some = from + columns.start..from + columns.end;
                image[some.clone()].copy_from_slice(&other[some]);
            }
        }
        patch.share = (rows.len() * columns.len()) as f32 / plane as f32;
        patch
    });
    patches.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPE: Shape = Shape {
        channels: 2,
        height: 6,
        width: 5,
    };

    #[test]
    fn a_patch_is_of_the_next_image_and_its_share_is_its_area() {
        let n = 200;
        let values: Vec<f32> = (0..n * SHAPE.len())
            .map(|place| (place / SHAPE.len()) as f32)
            .collect();
        let labels: Vec<u8> = (0..n).map(|index| (index % 10) as u8).collect();
        let run = |chance: f64| {
            let mut mixed = values.clone();
            let patches = mix(&mut mixed, &labels, SHAPE, chance, |index| {
                Random::at([3, index as u64])
            });
            (mixed, patches)
        };
        let (mixed, patches) = run(0.5);
        let mut changed = 0;
        for (index, (image, patch)) in mixed.chunks(SHAPE.len()).zip(&patches).enumerate() {
            let next = (index + 1) % n;
            assert_eq!(patch.label, labels[next]);
            let of = |index: usize| {
                let values = image.iter().map(|value| *value as usize);
                values.filter(|value| *value == index).count()
            };
            let (own, foreign) = (of(index), of(next));
            assert_eq!(own + foreign, SHAPE.len());
            assert!((patch.share - foreign as f32 / SHAPE.len() as f32).abs() < 1e-6);
            changed += usize::from(foreign > 0);
        }
        // Half of them, four standard deviations, and a few patches that are too small to hold a pixel.
        assert!((60..130).contains(&changed), "{changed}");
        assert_eq!(run(0.0).0, values);
        assert!(run(1.0).1.iter().filter(|patch| patch.share > 0.0).count() > 150);
    }
}
