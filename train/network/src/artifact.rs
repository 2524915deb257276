//! A trained network as one safetensors file.
//!
//! 1. The header's metadata holds `cryptodl.format` = `2`, `cryptodl.network` and `cryptodl.provenance` (JSON). Files of
//!    format `1`, whose networks were lists of layers, are read as well.
//! 2. The data holds every tensor of the network and none else, as 32-bit floats, little endian; as 16-bit floats where
//!    they are the same numbers.
//!
//! A file may come from anywhere, so reading trusts nothing: sizes, lengths and offsets are bounded (see
//! [`TensorFile`]), the network is validated, and every tensor must have the shape that the network says and finite
//! values. Equal artifacts make equal files.

use crate::format1;
use crate::layer::values;
use crate::network::{Network, NetworkError};
use crate::tensors::{Tensor, TensorFile, TensorFileError};
use crate::{Layer, Nonlinearity};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use thiserror::Error;

const FORMAT: &str = "2";
/// The format before, which is read and no longer written.
const FORMER: &str = "1";

/// Why a trained network could not be read or written.
#[derive(Debug, Error)]
pub enum ArtifactError {
    /// The file cannot be read or written, or is no whole safetensors file.
    #[error(transparent)]
    File(#[from] TensorFileError),
    /// A safetensors file, but not one of this project.
    #[error("`{}` is not a trained network: {reason}", path.display())]
    Metadata {
        /// The file.
        path: PathBuf,
        /// Which metadata entry is missing or wrong, and how.
        reason: String,
    },
    /// The network inside makes no sense.
    #[error("`{}` holds a network that makes no sense: {source}", path.display())]
    Network {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: NetworkError,
    },
    /// The tensors do not belong to the network.
    #[error("`{}`: {reason}", path.display())]
    Tensor {
        /// The file.
        path: PathBuf,
        /// Which tensor, and what is wrong with it.
        reason: String,
    },
}

/// Where trained tensors came from. Accuracies are fractions of 1.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Provenance {
    /// Name of the data set.
    pub dataset: String,
    /// What the polynomials stand for, e.g. `relu`.
    pub activation: String,
    /// How they were fitted, e.g. `chebyshev`; empty for the activation itself.
    pub method: String,
    /// Degree of the polynomials; 0 for the activation itself.
    pub degree: usize,
    /// Lower end of the interval of the fit.
    pub low: f64,
    /// Upper end of the interval of the fit.
    pub high: f64,
    /// Seed of training.
    pub seed: u64,
    /// Passes over the training images.
    pub epochs: usize,
    /// Share of training images classified right, without augmentation.
    pub train_accuracy: f64,
    /// Share of held-out training images classified right.
    pub validation_accuracy: f64,
    /// Share of test images classified right.
    pub test_accuracy: f64,
    /// Seconds of training, over all sessions.
    pub train_s: f64,
    /// Every knob of training.
    pub recipe: serde_json::Value,
    /// Command that made it.
    pub command: String,
    /// Commit of the source.
    pub commit: String,
    /// When it was made, RFC 3339.
    pub created: String,
}

/// A network, its trained tensors and where they came from.
#[derive(Clone, Debug, PartialEq)]
pub struct Artifact {
    /// The network, its polynomials as trained.
    pub network: Network,
    /// Tensors by name, see [`Network::parameter_shapes`].
    pub tensors: BTreeMap<String, Tensor>,
    /// Where they came from.
    pub provenance: Provenance,
}

impl Artifact {
    /// Reads and checks a trained network.
    ///
    /// # Errors
    /// One sentence that names the file and what is wrong with it, see [`ArtifactError`].
    pub fn load(path: &Path) -> Result<Self, ArtifactError> {
        let TensorFile { metadata, tensors } = TensorFile::load(path)?;
        let wrong = |reason: String| ArtifactError::Metadata {
            path: path.to_owned(),
            reason,
        };
        let entry = |key: &str| {
            metadata
                .get(key)
                .ok_or_else(|| wrong(format!("its metadata has no `{key}`")))
        };
        let format = entry("cryptodl.format")?;
        let unread = |error: String| wrong(format!("`cryptodl.network` cannot be read: {error}"));
        let (network, tensors) = match format.as_str() {
            FORMAT => {
                let json = entry("cryptodl.network")?;
                let network = serde_json::from_str(json).map_err(|e| unread(e.to_string()))?;
                (network, tensors)
            }
            FORMER => {
                let json = entry("cryptodl.network")?;
                let chain = serde_json::from_str(json).map_err(|e| unread(e.to_string()))?;
                let (network, places) = format1::network(chain).map_err(unread)?;
                (network, format1::renamed(tensors, &places))
            }
            other => {
                let other: String = other.escape_debug().take(20).collect();
                return Err(wrong(format!(
                    "its format is `{other}`, this program reads `{FORMER}` and `{FORMAT}`"
                )));
            }
        };
        let provenance: Provenance = serde_json::from_str(entry("cryptodl.provenance")?)
            .map_err(|e| wrong(format!("`cryptodl.provenance` cannot be read: {e}")))?;
        let artifact = Self {
            network,
            tensors,
            provenance,
        };
        artifact.check(path)?;
        Ok(artifact)
    }

    /// Writes the artifact under a temporary name beside `path`, then renames it: a reader sees the old file or the
    /// whole new one. Missing folders are made.
    ///
    /// # Errors
    /// [`ArtifactError::Network`] and [`ArtifactError::Tensor`] if it could not be read back, [`ArtifactError::File`]
    /// if the file cannot be written.
    pub fn save(&self, path: &Path) -> Result<(), ArtifactError> {
        self.check(path)?;
        let metadata = |e: serde_json::Error| ArtifactError::Metadata {
            path: path.to_owned(),
            reason: e.to_string(),
        };
        Ok(self.to_file().map_err(metadata)?.save(path)?)
    }

    /// The tensor of that name, e.g. `layers.0.weight`.
    ///
    /// # Panics
    /// If the network has no such tensor: a loaded artifact has all that [`Network::parameter_shapes`] names.
    pub fn tensor(&self, name: &str) -> &Tensor {
        self.tensors
            .get(name)
            .unwrap_or_else(|| panic!("no tensor `{name}` in a checked artifact"))
    }

    fn to_file(&self) -> Result<TensorFile, serde_json::Error> {
        let metadata = BTreeMap::from([
            ("cryptodl.format".to_owned(), FORMAT.to_owned()),
            (
                "cryptodl.network".to_owned(),
                serde_json::to_string(&self.network)?,
            ),
            (
                "cryptodl.provenance".to_owned(),
                serde_json::to_string(&self.provenance)?,
            ),
        ]);
        Ok(TensorFile {
            metadata,
            tensors: self.tensors.clone(),
        })
    }

    /// The network makes sense, and every tensor of it is there with its shape and finite values, and none else.
    fn check(&self, path: &Path) -> Result<(), ArtifactError> {
        self.network
            .validate()
            .map_err(|source| ArtifactError::Network {
                path: path.to_owned(),
                source,
            })?;
        self.check_tensors()
            .map_err(|reason| ArtifactError::Tensor {
                path: path.to_owned(),
                reason,
            })
    }

    fn check_tensors(&self) -> Result<(), String> {
        let expected = self.network.parameter_shapes().map_err(|e| e.to_string())?;
        for (name, shape) in &expected {
            let tensor = self
                .tensors
                .get(name)
                .ok_or_else(|| format!("tensor `{name}` is missing"))?;
            if tensor.shape != *shape || tensor.data.len() != values(shape) {
                return Err(format!(
                    "tensor `{name}` has shape {:?}, the network needs {shape:?}",
                    tensor.shape
                ));
            }
            if let Some(value) = tensor.data.iter().find(|value| !value.is_finite()) {
                return Err(format!(
                    "tensor `{name}` holds a value that is not finite: {value}"
                ));
            }
            if name.ends_with(".variance") && tensor.data.iter().any(|value| *value < 0.0) {
                return Err(format!("tensor `{name}` holds a negative variance"));
            }
        }
        let known = |name: &String| expected.iter().any(|(other, _)| other == name);
        match self.tensors.keys().find(|name| !known(name)) {
            Some(name) => Err(format!(
                "tensor `{}` does not belong to the network",
                name.escape_debug()
            )),
            None => Ok(()),
        }
    }
}

impl Provenance {
    /// Fills in degree and interval from the first polynomial of the network, and the activation's name if the
    /// network has the activation itself.
    pub fn describe(&mut self, network: &Network) {
        match network.layers().find_map(|layer| match layer {
            Layer::Activation(nonlinearity) => Some(nonlinearity),
            _ => None,
        }) {
            Some(Nonlinearity::Exact(activation)) => {
                activation.name().clone_into(&mut self.activation);
            }
            Some(used) => {
                if let Some(polynomial) = used.polynomial() {
                    self.degree = polynomial.degree();
                    self.low = polynomial.interval().low();
                    self.high = polynomial.interval().high();
                }
            }
            None => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Normalisation, Shape};
    use approx::{Activation, Basis, Interval, Polynomial};

    fn artifact() -> Artifact {
        let interval = Interval::new(-4.0, 4.0).unwrap();
        let polynomial = Polynomial::new(vec![0.1, 0.5, 0.7], Basis::Chebyshev, interval).unwrap();
        let network = Network::chain(
            "tiny",
            Shape {
                channels: 1,
                height: 3,
                width: 3,
            },
            Normalisation {
                mean: vec![0.5],
                deviation: vec![0.25],
                standardised: false,
            },
            vec![
                Layer::Convolution {
                    out_channels: 2,
                    kernel: 2,
                    stride: 1,
                    padding: 0,
                },
                Layer::BatchNorm,
                Layer::Activation(Nonlinearity::Polynomial {
                    polynomial,
                    learnable: false,
                }),
                Layer::Dense { outputs: 2 },
            ],
        );
        let tensor = |shape: Vec<usize>| {
            let data = (0..values(&shape)).map(|i| 0.1 + i as f32).collect();
            Tensor { shape, data }
        };
        let tensors = network.parameter_shapes().unwrap().into_iter();
        let tensors = tensors.map(|(name, shape)| (name, tensor(shape))).collect();
        let provenance = Provenance {
            dataset: "none".into(),
            seed: 7,
            test_accuracy: 0.1 + 0.2,
            ..Default::default()
        };
        Artifact {
            network,
            tensors,
            provenance,
        }
    }

    fn saved(bytes: &[u8]) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("net.safetensors");
        std::fs::write(&path, bytes).unwrap();
        (folder, path)
    }

    fn refused(artifact: &Artifact) -> String {
        let (_folder, path) = saved(&artifact.to_file().unwrap().to_bytes());
        Artifact::load(&path).unwrap_err().to_string()
    }

    #[test]
    fn what_is_saved_is_what_is_loaded() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("made/on/the/way.safetensors");
        let artifact = artifact();
        artifact.save(&path).unwrap();
        assert_eq!(Artifact::load(&path).unwrap(), artifact);
        let first = std::fs::read(&path).unwrap();
        artifact.save(&path).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), first);
        // No temporary file stays behind.
        assert_eq!(
            std::fs::read_dir(path.parent().unwrap()).unwrap().count(),
            1
        );
    }

    #[test]
    fn wrong_shapes_values_and_names_are_refused() {
        let mut wrong = artifact();
        wrong.tensors.get_mut("layers.0.weight").unwrap().shape = vec![2, 1, 4, 1];
        assert!(
            refused(&wrong).contains(
                "`layers.0.weight` has shape [2, 1, 4, 1], the network needs [2, 1, 2, 2]"
            )
        );

        let mut not_finite = artifact();
        not_finite.tensors.get_mut("layers.3.bias").unwrap().data[1] = f32::NAN;
        assert!(refused(&not_finite).contains("`layers.3.bias` holds a value that is not finite"));

        let mut negative = artifact();
        negative.tensors.get_mut("layers.1.variance").unwrap().data[0] = -1.0;
        assert!(refused(&negative).contains("negative variance"));

        let mut missing = artifact();
        missing.tensors.remove("layers.1.gamma");
        assert!(refused(&missing).contains("`layers.1.gamma` is missing"));

        let mut stranger = artifact();
        stranger.tensors.insert(
            "extra".into(),
            Tensor {
                shape: vec![1],
                data: vec![0.0],
            },
        );
        assert!(refused(&stranger).contains("`extra` does not belong"));

        let mut empty = artifact();
        empty.network.nodes.clear();
        empty.tensors.clear();
        assert!(refused(&empty).contains("makes no sense"));
    }

    #[test]
    fn what_could_not_be_loaded_is_not_saved() {
        let folder = tempfile::tempdir().unwrap();
        let mut wrong = artifact();
        wrong.tensors.get_mut("layers.3.bias").unwrap().data.pop();
        let path = folder.path().join("net.safetensors");
        assert!(matches!(
            wrong.save(&path),
            Err(ArtifactError::Tensor { .. })
        ));
        assert!(!path.exists());
    }

    #[test]
    fn foreign_files_are_named_as_such() {
        let header = br#"{"__metadata__":{"cryptodl.format":"3"}}"#;
        let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
        bytes.extend(header);
        let (_folder, path) = saved(&bytes);
        let message = Artifact::load(&path).unwrap_err().to_string();
        assert!(message.contains("format is `3`"), "{message}");
        let cut = artifact().to_file().unwrap().to_bytes();
        let (_folder, path) = saved(&cut[..cut.len() - 1]);
        assert!(matches!(
            Artifact::load(&path),
            Err(ArtifactError::File(TensorFileError::Broken { .. }))
        ));
    }

    #[test]
    fn provenance_reads_the_polynomial() {
        let artifact = artifact();
        let mut provenance = Provenance::default();
        provenance.describe(&artifact.network);
        assert_eq!(
            (provenance.degree, provenance.low, provenance.high),
            (2, -4.0, 4.0)
        );
        provenance.describe(
            &artifact
                .network
                .with_activation(&Nonlinearity::Exact(Activation::Tanh)),
        );
        assert_eq!(provenance.activation, "tanh");
    }

    #[test]
    fn shipped_networks_of_the_former_format_are_read() {
        let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../results/models");
        let mut read = 0;
        for folder in [models.clone(), models.join("larger")] {
            for file in std::fs::read_dir(folder).unwrap() {
                let path = file.unwrap().path();
                if path.extension().is_some_and(|e| e == "safetensors") {
                    Artifact::load(&path).unwrap_or_else(|e| panic!("{e}"));
                    read += 1;
                }
            }
        }
        assert!(read > 0, "there are shipped networks");
        let residual = Artifact::load(&models.join("larger/residual.safetensors")).unwrap();
        let expected = crate::zoo::network("residual").unwrap();
        // what each node reads; the polynomials are trained
        let inputs = |network: &Network| {
            let nodes = network.nodes.iter();
            nodes.map(|n| n.inputs.clone()).collect::<Vec<_>>()
        };
        assert_eq!(inputs(&residual.network), inputs(&expected));
    }
}
