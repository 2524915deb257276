//! Trained networks: where they lie, and how they are named.

use crate::manifest;
use anyhow::{Context, Result, bail};
use cryptodl_network::Artifact;
use cryptodl_train::datasets;
use std::fs;
use std::path::{Path, PathBuf};

/// A trained network under the name by which rows know it.
pub struct Model {
    /// File name without ending.
    pub name: String,
    pub artifact: Artifact,
    /// SHA-256 of the file.
    pub sha256: String,
}

impl Model {
    /// Reads a model from a file.
    pub fn load(path: &Path) -> Result<Self> {
        let artifact = Artifact::load(path)?;
        let bytes = fs::read(path).with_context(|| format!("cannot read `{}`", path.display()))?;
        Ok(Self {
            name: model_name(path),
            artifact,
            sha256: manifest::sha256(&bytes),
        })
    }
}

/// The model of that name or path.
pub fn find(name: &str, folder: &Path) -> Result<Model> {
    let shipped = all_model_paths(folder);
    let named = shipped.iter().find(|path| model_name(path) == name);
    let path = named.cloned().unwrap_or_else(|| PathBuf::from(name));
    if !path.exists() {
        let known: Vec<String> = shipped.iter().map(|path| model_name(path)).collect();
        let known = if known.is_empty() {
            "none yet, `cryptodl train` makes one".to_string()
        } else {
            known.join(", ")
        };
        bail!(
            "there is no trained network `{name}`: give the path of a file, or a name in `{}` ({known})",
            folder.display()
        );
    }
    Model::load(&path)
}

/// The models, each once and under a name of its own: files of one name that hold different networks get the beginning of
/// their hash behind it, so that no row is taken for another's.
pub fn named_apart(models: Vec<Model>) -> Vec<Model> {
    let mut distinct: Vec<Model> = Vec::new();
    for model in models {
        let is_same = |other: &Model| other.name == model.name && other.sha256 == model.sha256;
        if !distinct.iter().any(is_same) {
            distinct.push(model);
        }
    }
    let names: Vec<String> = distinct.iter().map(|model| model.name.clone()).collect();
    for model in &mut distinct {
        if names.iter().filter(|name| **name == model.name).count() > 1 {
            model.name = format!("{}-{}", model.name, &model.sha256[..8]);
        }
    }
    distinct
}

/// The models in a folder, by name; at least one.
pub fn models_in(folder: &Path) -> Result<Vec<Model>> {
    let mut paths = model_paths(folder);
    if paths.is_empty() {
        bail!(
            "there are no trained networks in `{}`: train one with `cryptodl train`, or name another folder with `--model-dir`",
            folder.display()
        );
    }
    paths.sort();
    paths.iter().map(|path| Model::load(path)).collect()
}

/// The name of the model in a file.
pub fn model_name(path: &Path) -> String {
    let stem = path.file_stem().unwrap_or_default();
    stem.to_string_lossy().into_owned()
}

/// Where shipped networks lie that take too long for `reproduce`, inside the folder of the others.
const LARGER: &str = "larger";

/// Every shipped network, those included that only run when they are named.
pub fn all_model_paths(folder: &Path) -> Vec<PathBuf> {
    let mut paths = model_paths(folder);
    paths.extend(model_paths(&folder.join(LARGER)));
    paths.sort_by(|a, b| a.file_name().cmp(&b.file_name()));
    paths
}

/// The `.safetensors` files in a folder; none if there is no folder.
fn model_paths(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path());
    entries
        .filter(|path| {
            path.extension()
                .is_some_and(|ending| ending == "safetensors")
        })
        .collect()
}

/// A model's data set must be one that this program knows.
pub fn check_dataset(model: &Model) -> Result<()> {
    datasets::specification(&model.artifact.provenance.dataset)
        .with_context(|| format!("model `{}`", model.name))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use cryptodl_network::{Network, Normalisation, Provenance, Shape};
    use std::collections::BTreeMap;

    fn model(name: &str, sha256: &str) -> Model {
        let shape = Shape {
            channels: 1,
            height: 1,
            width: 1,
        };
        let normalisation = Normalisation {
            mean: vec![0.0],
            deviation: vec![1.0],
            standardised: false,
        };
        Model {
            name: name.to_string(),
            artifact: Artifact {
                network: Network::chain("one-pixel", shape, normalisation, Vec::new()),
                tensors: BTreeMap::new(),
                provenance: Provenance::default(),
            },
            sha256: sha256.to_string(),
        }
    }

    #[test]
    fn files_of_one_name_are_told_apart_by_what_they_hold() {
        let models = named_apart(vec![
            model("net", "aaaaaaaaaa"),
            model("other", "cccccccccc"),
            model("net", "bbbbbbbbbb"),
            model("net", "aaaaaaaaaa"),
        ]);
        let names: Vec<&str> = models.iter().map(|model| model.name.as_str()).collect();
        assert_eq!(names, ["net-aaaaaaaa", "other", "net-bbbbbbbb"]);
    }
}
