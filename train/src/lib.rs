//! Data sets, and training of networks with polynomial activations.
//!
//! ```no_run
//! use cryptodl_network::{Nonlinearity, zoo};
//! use cryptodl_train::{Recipe, Silent, datasets, train};
//!
//! let dir = datasets::default_dir();
//! datasets::fetch("mnist", &dir, &mut |line| eprintln!("{line}"))?;
//! let data = datasets::load("mnist", &dir)?;
//! let quadratic = approx::method("chebyshev")?.fit(&approx::Activation::Relu, approx::Interval::new(-4.0, 4.0)?, 2)?;
//! let network = zoo::network("cryptonets")?.with_activation(&Nonlinearity::Polynomial { polynomial: quadratic, learnable: false });
//! let trained = train(&network, &data, &Recipe::default(), Some("cryptonets.checkpoint".as_ref()), &mut Silent)?;
//! trained.artifact.save("cryptonets.safetensors".as_ref())?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! | module | what it holds |
//! |---|---|
//! | [`datasets`] | data sets by name: fetching, checking, reading |
//! | [`Recipe`] | every knob of training, in groups |
//! | [`train`] | training with checkpoints and resume |
//! | [`logits`] | evaluation of a trained network |
//! | [`diagnosis`] | what reaches the activations of a trained network |
//! | [`evaluation_weights`] | the integers that training expects encrypted evaluation to take |
//! | [`speed`] | single steps of training, to be timed |
//!
//! # Reproducibility
//! Order, augmentation, split and first weights depend on the seed alone. On the same processor type with the same
//! number of threads, the same seed gives the same weights to the last bit, and a run that was ended at any moment and
//! resumed from its checkpoint gives the weights of an uninterrupted one. Another processor, number of threads or
//! backend may round sums differently: accuracies then agree to within their spread over seeds.
//!
//! # Backends
//! The default is Burn's pure-Rust `flex`, whose matrix kernels are chosen for the processor at run time. The features
//! `cuda` and `wgpu` train on a graphics card; the first device that Burn finds is used (`BURN_DEVICE` overrides it).

mod augment;
mod batches;
mod blend;
mod checkpoint;
pub mod datasets;
pub mod diagnosis;
mod evaluation;
mod hermite;
mod integers;
mod kernels;
mod layers;
mod mix;
mod model;
mod nonlinearity;
mod optimiser;
mod random;
mod recipe;
mod rounded;
pub mod speed;
mod start;
mod step;
mod teacher;
mod training;
mod values;

pub use cryptodl_kernels::{Penalty, Precision};
pub use evaluation::{accuracy, logits};
pub use integers::evaluation_weights;
pub use kernels::Kernels;
pub use recipe::{
    Augmentation, Averaging, Boundary, Clipping, Coefficients, Optimisation, Optimiser,
    Polynomials, Recipe, Rounding, Schedule, Targets,
};
pub use training::{EpochReport, Observer, Progress, Silent, Trained, train};

use std::path::PathBuf;
use thiserror::Error;

/// Why a network was not trained or evaluated.
#[derive(Debug, Error)]
pub enum TrainError {
    /// The network makes no sense.
    #[error(transparent)]
    Network(#[from] cryptodl_network::NetworkError),
    /// A knob makes no sense.
    #[error("recipe: {0}")]
    Recipe(String),
    /// The teacher cannot be used.
    #[error("teacher `{}` {reason}", path.display())]
    Teacher {
        /// Its file.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// The trained network to begin from cannot be used.
    #[error("start `{}` {reason}", path.display())]
    Start {
        /// Its file.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// The images do not fit the network.
    #[error("network `{network}` does not fit the images: {reason}")]
    Data {
        /// Name of the network.
        network: String,
        /// What differs.
        reason: String,
    },
    /// The loss is no longer a number.
    #[error(
        "training diverged in epoch {epoch}: the loss is {loss} at step {step}; lower the learning rates or raise boundary_weight"
    )]
    Diverged {
        /// Epoch, counted from 1.
        epoch: usize,
        /// Step in the epoch, counted from 1.
        step: usize,
        /// The loss.
        loss: f32,
    },
    /// The tensors of an artifact do not fit its network.
    #[error("tensor `{0}` is missing or of another size than the network needs")]
    Tensor(String),
    /// The checkpoint cannot be read or written.
    #[error(transparent)]
    File(#[from] cryptodl_network::TensorFileError),
    /// The checkpoint is of another training.
    #[error("checkpoint `{}` {reason}: delete it or name another", path.display())]
    Checkpoint {
        /// The file.
        path: PathBuf,
        /// Why it cannot be used.
        reason: String,
    },
}
