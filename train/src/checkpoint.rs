//! Everything that training needs to go on, in one file that is replaced after each epoch.

use crate::TrainError;
use crate::datasets::{Images, hexadecimal};
use crate::model::Model;
use crate::optimiser::Memory;
use crate::recipe::Recipe;
use burn::tensor::{Device, Tensor};
use cryptodl_network::TensorFile;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::path::Path;

/// State of a training after some whole epochs.
pub(crate) struct State {
    /// Weights, in the order of the model's parameters.
    pub weights: Vec<Tensor<2>>,
    /// Their running averages.
    pub averages: Vec<Tensor<2>>,
    /// What the optimiser remembers.
    pub memory: Memory,
    /// Epochs that are done.
    pub epochs: usize,
    /// Seconds they took.
    pub train_s: f64,
}

impl State {
    /// Before the first step.
    pub(crate) fn first(weights: Vec<Tensor<2>>) -> Self {
        Self {
            averages: weights.clone(),
            memory: Memory::new(&weights),
            weights,
            epochs: 0,
            train_s: 0.0,
        }
    }
}

/// What a checkpoint must agree on with the training that resumes it.
pub(crate) fn identity(
    model: &Model,
    recipe: &Recipe,
    images: &Images,
) -> BTreeMap<String, String> {
    let mut digest = Sha256::new();
    digest.update(&images.pixels);
    digest.update(&images.labels);
    let digest = hexadecimal(&digest.finalize());
    let json =
        |value: Result<String, serde_json::Error>| value.expect("plain data always becomes JSON");
    let mut identity = BTreeMap::from([
        ("cryptodl.checkpoint".to_owned(), "1".to_owned()),
        (
            "network".to_owned(),
            json(serde_json::to_string(model.network())),
        ),
        ("recipe".to_owned(), json(serde_json::to_string(recipe))),
        ("training images".to_owned(), digest),
    ]);
    for (name, file) in [
        ("teacher", &recipe.targets.teacher),
        ("start", &recipe.start),
    ] {
        // one that cannot be read is refused where it is used
        if let Some(bytes) = file.as_ref().and_then(|path| std::fs::read(path).ok()) {
            identity.insert(name.to_owned(), hexadecimal(&Sha256::digest(&bytes)));
        }
    }
    identity
}

/// Writes the state: the file is the old one or the whole new one at every moment.
pub(crate) fn save(
    path: &Path,
    model: &Model,
    identity: &BTreeMap<String, String>,
    state: &State,
) -> Result<(), TrainError> {
    let mut metadata = identity.clone();
    metadata.insert("epochs".to_owned(), state.epochs.to_string());
    metadata.insert("train_s".to_owned(), state.train_s.to_string());
    let parts = [
        ("weights", &state.weights),
        ("averages", &state.averages),
        ("first", &state.memory.first),
        ("second", &state.memory.second),
    ];
    let tensors = parts.into_iter().flat_map(|(part, tensors)| {
        model
            .stored(tensors)
            .into_iter()
            .map(move |(name, tensor)| (format!("{part}/{name}"), tensor))
    });
    Ok(TensorFile {
        metadata,
        tensors: tensors.collect(),
    }
    .save(path)?)
}

/// Reads the state, or `None` if there is no file.
pub(crate) fn load(
    path: &Path,
    model: &Model,
    identity: &BTreeMap<String, String>,
    device: &Device,
) -> Result<Option<State>, TrainError> {
    if !path.exists() {
        return Ok(None);
    }
    let file = TensorFile::load(path)?;
    let wrong = |reason: String| TrainError::Checkpoint {
        path: path.to_owned(),
        reason,
    };
    for (key, value) in identity {
        match file.metadata.get(key) {
            Some(found) if found == value => {}
            Some(_) => return Err(wrong(format!("was made with another {key}"))),
            None => return Err(wrong(format!("is not a checkpoint (it has no `{key}`)"))),
        }
    }
    let number = |key: &str| {
        file.metadata
            .get(key)
            .and_then(|text| text.parse::<f64>().ok())
            .filter(|n| n.is_finite() && *n >= 0.0)
    };
    let (Some(epochs), Some(train_s)) = (number("epochs"), number("train_s")) else {
        return Err(wrong("does not say how far training had come".to_owned()));
    };
    let part = |part: &str| {
        let prefix = format!("{part}/");
        let tensors = file.tensors.iter();
        let tensors = tensors.filter_map(|(name, tensor)| {
            Some((name.strip_prefix(&prefix)?.to_owned(), tensor.clone()))
        });
        let tensors: BTreeMap<_, _> = tensors.collect();
        let missing = |name| wrong(format!("has no whole tensor `{part}/{name}`"));
        model.restored(&tensors, device).map_err(missing)
    };
    Ok(Some(State {
        weights: part("weights")?,
        averages: part("averages")?,
        memory: Memory {
            first: part("first")?,
            second: part("second")?,
        },
        epochs: epochs as usize,
        train_s,
    }))
}
