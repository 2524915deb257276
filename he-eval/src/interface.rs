//! What every client must know of a network, whatever the scheme.

use cryptodl_fold::{Graph, Weight, graph::encode};
use cryptodl_network::{Artifact, Normalisation};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

/// See the [module](self).
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Interface {
    /// Its name.
    pub network: String,
    /// How pixels are prepared.
    pub normalisation: Normalisation,
    /// Pixels of an image.
    pub pixels: usize,
    /// A pixel `p` in `0..=255` is encoded as `round(p · input_levels / 255)`.
    pub input_levels: u32,
    /// Logit `k` is result `k` divided by this, …
    pub output_scale: Vec<f64>,
    /// … plus this.
    pub output_shift: Vec<f64>,
}

impl Interface {
    /// Of a graph of an artifact.
    pub fn new<T: Weight>(artifact: &Artifact, graph: &Graph<T>) -> Self {
        Self {
            network: artifact.network.name.clone(),
            normalisation: artifact.network.normalisation.clone(),
            pixels: graph.inputs(),
            input_levels: graph.input_levels,
            output_scale: graph.output_scale.clone(),
            output_shift: graph.output_shift.clone(),
        }
    }

    /// Whether all images have as many pixels as the network reads.
    ///
    /// # Errors
    /// The first number that differs.
    pub fn check(&self, images: &[&[u8]]) -> Result<(), WrongImage> {
        let wrong = images.iter().find(|image| image.len() != self.pixels);
        wrong.map_or(Ok(()), |wrong| {
            Err(WrongImage {
                expected: self.pixels,
                got: wrong.len(),
            })
        })
    }

    /// Images as batched schemes encrypt them, encoded and prepared: `[pixel][image]`.
    ///
    /// # Errors
    /// When an image has another number of pixels.
    pub fn columns(&self, images: &[&[u8]]) -> Result<Vec<Vec<u32>>, WrongImage> {
        self.check(images)?;
        let prepared: Vec<_> = images
            .par_iter()
            .map(|image| self.normalisation.prepared(image))
            .collect();
        let columns = (0..self.pixels).into_par_iter().map(|pixel| {
            let images = prepared.iter();
            images
                .map(|image| encode(image[pixel], self.input_levels))
                .collect()
        });
        Ok(columns.collect())
    }

    /// Logits `[image][class]` of decrypted results `[class][image]`.
    pub fn logits(&self, results: &[Vec<f64>], images: usize) -> Vec<Vec<f64>> {
        let logits = (0..images).map(|image| {
            let maps = self.output_scale.iter().zip(&self.output_shift);
            let maps = results.iter().zip(maps);
            maps.map(|(result, (scale, shift))| result[image] / scale + shift)
                .collect()
        });
        logits.collect()
    }
}

/// An image of the wrong size.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the network reads {expected} values and got {got}: use the data set it was trained on")]
pub struct WrongImage {
    /// Pixels that the network reads.
    pub expected: usize,
    /// Pixels of the image.
    pub got: usize,
}
