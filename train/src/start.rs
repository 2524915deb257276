//! Beginning from the weights of a trained network.

use crate::model::Model;
use crate::recipe::Recipe;
use crate::{TrainError, teacher};
use burn::tensor::{Device, Tensor};
use cryptodl_network::{Artifact, Layer, Network, Node};
use std::path::Path;

/// Weights of a trained network for a model whose activations may be others.
pub(crate) fn weights(
    path: &Path,
    model: &Model,
    recipe: &Recipe,
    device: &Device,
) -> Result<Vec<Tensor<2>>, TrainError> {
    let wrong = |reason: String| TrainError::Start {
        path: path.to_owned(),
        reason,
    };
    let artifact = Artifact::load(path).map_err(|e| wrong(format!("cannot be used: {e}")))?;
    let (trained, network) = (&artifact.network, model.network());
    if trained.input != network.input || trained.normalisation != network.normalisation {
        return Err(wrong("reads other images than the network".to_owned()));
    }
    if linear(trained) != linear(network) {
        return Err(wrong(format!(
            "has other layers than `{}`: only the activations may differ",
            network.name
        )));
    }
    teacher::held_out(&artifact.provenance, recipe).map_err(wrong)?;
    model
        .weights(&artifact.tensors, device)
        .map_err(|name| wrong(format!("has no whole tensor `{name}`")))
}

/// All nodes with their places, activations left out.
fn linear(network: &Network) -> Vec<(usize, &Node)> {
    let nodes = network.nodes.iter().enumerate();
    nodes
        .filter(|(_, node)| !matches!(node.layer, Layer::Activation(_)))
        .collect()
}
