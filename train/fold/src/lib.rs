//! The one place where trained networks are folded and rounded.
//!
//! A trained network is a graph of layers; what is evaluated encrypted is a graph of bare linear layers, products,
//! polynomials and sums with everything affine inside of them. [`fold()`] makes the second of the first; training that
//! gets used to rounding and every encryption scheme read the result, so they cannot disagree.
//!
//! ```no_run
//! use cryptodl_fold::{fold, interpret, quantise};
//! use cryptodl_network::Artifact;
//!
//! let artifact = Artifact::load("results/models/cryptonets.safetensors".as_ref())?;
//! let graph = fold(&artifact)?;
//! let pixels = vec![vec![128.0]; graph.inputs()]; // one grey image
//! let logits = interpret(&graph, pixels)?;
//! let integers = quantise(&graph, Default::default())?;
//! assert_eq!(integers.inputs(), graph.inputs());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! | module | what it holds |
//! |---|---|
//! | [`graph`], [`weight`] | [`Graph`]: values, nodes, operations, and the numbers in them |
//! | [`linear`], [`table`] | linear layers as matrices on gathers; look-up tables and rounding |
//! | [`mod@fold`] | batch norm, pooling, normalisation and interval maps folded into linear layers and sums |
//! | [`mod@quantise`], [`mod@bounds`] | integer weights with a scale a channel; how large integers can become |
//! | [`rounding`] | weights as multiples of one step a layer, for real numbers |
//! | [`matrices`] | the matrices of linear layers alone, and the way back to the filters that are trained |
//! | [`lookup`] | whole-number weights and tables, for networks that round |
//! | [`mod@interpret`] | the reference: any graph in `f64` or in exact integers |
//!
//! Left out: encryption (`cryptodl-he-eval`) and gradients (`cryptodl-train`).

pub mod bounds;
pub mod check;
pub mod error;
pub mod fold;
pub mod graph;
pub mod interpret;
pub mod linear;
pub mod lookup;
pub mod matrices;
pub mod quantise;
pub mod rounding;
pub mod table;
pub mod weight;

mod affine;
mod mirror;
mod monic;
mod stage;
mod tensor;

pub use bounds::bounds;
pub use error::{FoldError, QuantiseError};
pub use fold::{fold, fold_matrices};
pub use graph::{Graph, Node, Operation};
pub use interpret::interpret;
pub use quantise::{Quantisation, quantise};
pub use weight::Weight;
