//! Learning from the answers of a trained network.
//!
//! The loss is `temperature² · H(softmax(teacher / temperature), softmax(network / temperature))`, on the same moved
//! images, patches of other images included: a teacher has an answer for each of them, so that a long training does
//! not learn the labels by heart. The square keeps the size of its gradients independent of the temperature.
//!
//! # References
//! - Hinton, Vinyals, Dean (2015), *Distilling the knowledge in a neural network*, arXiv 1503.02531.
//! - Beyer et al. (2022), *Knowledge distillation: a good teacher is patient and consistent*, arXiv 2106.05237.

use crate::TrainError;
use crate::model::Model;
use crate::recipe::Recipe;
use burn::tensor::activation::{log_softmax, softmax};
use burn::tensor::{Device, Tensor};
use cryptodl_network::{Artifact, Network, Provenance};
use std::path::Path;

/// Whether an earlier training held out the validation images that this one is to hold out, or what to change.
pub(crate) fn held_out(earlier: &Provenance, recipe: &Recipe) -> Result<(), String> {
    let held_out = earlier
        .recipe
        .get("validation_images")
        .and_then(serde_json::Value::as_u64);
    let none = recipe.validation_images == 0;
    let same = earlier.seed == recipe.seed && held_out == Some(recipe.validation_images as u64);
    if none || same {
        return Ok(());
    }
    Err(format!(
        "was trained with seed {} and {} validation images, the network is to be with {} and {}: it would have seen its validation images",
        earlier.seed,
        held_out.unwrap_or(0),
        recipe.seed,
        recipe.validation_images
    ))
}

/// A trained network that only answers.
pub(crate) struct Teacher {
    model: Model,
    weights: Vec<Tensor<2>>,
}

impl Teacher {
    /// The teacher that the recipe names, checked against the network that is to be trained.
    pub(crate) fn load(
        path: &Path,
        network: &Network,
        recipe: &Recipe,
        device: &Device,
    ) -> Result<Self, TrainError> {
        let wrong = |reason: String| TrainError::Teacher {
            path: path.to_owned(),
            reason,
        };
        let artifact = Artifact::load(path).map_err(|e| wrong(format!("cannot be used: {e}")))?;
        let Artifact {
            network: teacher,
            tensors,
            provenance,
        } = &artifact;
        if teacher.input != network.input || teacher.normalisation != network.normalisation {
            return Err(wrong("reads other images than the network".to_owned()));
        }
        if teacher.shapes()?.last() != network.shapes()?.last() {
            return Err(wrong(
                "has another number of classes than the network".to_owned(),
            ));
        }
        held_out(provenance, recipe).map_err(wrong)?;
        let model = Model::new(teacher, device)?.in_precision(recipe.precision)?;
        let weights = model.weights(tensors, device).map_err(TrainError::Tensor)?;
        Ok(Self { model, weights })
    }

    /// The loss of logits `[batch, classes]` for input values `[batch, features]`, mean over the batch.
    pub(crate) fn loss(&self, input: Tensor<2>, logits: Tensor<2>, temperature: f64) -> Tensor<1> {
        let n = input.dims()[0] as f64;
        let targets = softmax(self.model.answer(&self.weights, input) / temperature, 1);
        -(log_softmax(logits / temperature, 1) * targets).sum() * (temperature * temperature / n)
    }
}
