//! The tensors of an artifact, as numbers of 64 bits.

use cryptodl_network::Artifact;

use crate::error::FoldError;

/// Tensor `name` of node `index`.
pub(crate) fn values(artifact: &Artifact, index: usize, name: &str) -> Result<Vec<f64>, FoldError> {
    let name = format!("layers.{index}.{name}");
    let Some(tensor) = artifact.tensors.get(&name) else {
        return Err(FoldError::MissingTensor { name });
    };
    Ok(tensor.data.iter().map(|&v| f64::from(v)).collect())
}

/// Weight and bias of node `index`.
pub(crate) fn parameters(
    artifact: &Artifact,
    index: usize,
) -> Result<(Vec<f64>, Vec<f64>), FoldError> {
    Ok((
        values(artifact, index, "weight")?,
        values(artifact, index, "bias")?,
    ))
}
