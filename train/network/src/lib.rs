//! Networks as plain data, and trained networks as one file.
//!
//! A [`Network`] is a graph of layers that training interprets with tensors and encrypted evaluation interprets with
//! ciphertexts; neither has to know the other. An [`Artifact`] is a network with its trained tensors and where they
//! came from, kept as one safetensors file.
//!
//! ```
//! use approx::{Activation, Interval};
//! use cryptodl_network::{Nonlinearity, zoo};
//!
//! let quadratic = approx::method("chebyshev")?.fit(&Activation::Relu, Interval::new(-4.0, 4.0)?, 2)?;
//! let network = zoo::network("cryptonets")?.with_activation(&Nonlinearity::Polynomial { polynomial: quadratic, learnable: false });
//! assert_eq!(network.activation_outputs(), 845 + 100);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! | module | what it holds |
//! |---|---|
//! | [`network`] | [`Network`] and the shapes that follow from it |
//! | [`layer`] | [`Layer`], [`Shape`] |
//! | [`node`] | [`Node`], [`ValueId`], [`Nodes`]: the graph |
//! | [`normalisation`] | [`Normalisation`]: from pixels to input values |
//! | [`nonlinearity`] | [`Nonlinearity`]: activations and the polynomials in their place |
//! | [`artifact`] | [`Artifact`], [`Provenance`]: a trained network, read with suspicion |
//! | [`tensors`] | [`Tensor`], [`TensorFile`]: named tensors in one safetensors file |
//! | [`zoo`] | the networks by name |
//!
//! Left out: gradients and tensors of a framework (`cryptodl-train`), folding and quantisation (`cryptodl-he-eval`).

pub mod artifact;
pub mod layer;
pub mod network;
pub mod node;
pub mod nonlinearity;
pub mod normalisation;
pub mod tensors;
pub mod zoo;

mod format1;

pub use artifact::{Artifact, ArtifactError, Provenance};
pub use layer::{Layer, Shape};
pub use network::{BATCH_NORM_EPSILON, Network, NetworkError};
pub use node::{Node, Nodes, ValueId};
pub use nonlinearity::Nonlinearity;
pub use normalisation::Normalisation;
pub use tensors::{Tensor, TensorFile, TensorFileError};
