//! Evaluates trained networks on encrypted images, and measures what that costs.
//!
//! The road: [`lower()`] folds an artifact into a [`graph::Graph`] of bare linear layers and
//! activations, [`quantise`](quantise::quantise) makes its weights small integers, [`prepare`]
//! chooses parameters and predicts the cost, and [`Evaluator::measure`] encrypts, evaluates and
//! decrypts.
//!
//! ```no_run
//! use cryptodl_he_eval::{Options, prepare};
//! use cryptodl_network::Artifact;
//!
//! let artifact = Artifact::load("results/models/cryptonets.safetensors".as_ref())?;
//! let (pixels, labels) = (vec![0; 784], vec![7]);
//! let options = Options::default();
//! let run = prepare("ckks", &artifact, labels.len(), &options)?;
//! println!("{}", run.plan());
//! let measured = run.measure(&pixels, &labels, &mut |_| ())?;
//! println!("{} images an hour", measured.images_per_hour);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! | module | what it holds |
//! |---|---|
//! | [`graph`] | the folded network |
//! | [`mod@lower`] | batch norm, pooling, normalisation and interval map folded into linear layers |
//! | [`mod@lookup`] | whole-number weights and look-up tables, for networks that round |
//! | [`mod@quantise`] | integer weights with per-channel scales, and provable bounds |
//! | [`scheme`] | the roles `Client`, `Server`, `Scheme` |
//! | [`mod@schemes`] | `clear`, `clear-integer`, `clear-tables`, `bfv`, `ckks`, `tfhe`, `tfhe-integer` |
//! | [`run`] | the one interpreter for all schemes |
//! | [`security`] | the 128-bit table |
//!
//! Left out: training (see `cryptodl-train`), images per ciphertext other than one a slot, and any
//! promise of constant time. The server is honest but curious: it sees the network, not the images.

pub mod graph;
pub mod lookup;
pub mod lower;
pub mod quantise;
pub mod run;
pub mod scheme;
pub mod schemes;
pub mod security;

mod error;
mod evaluate;
mod measure;
mod options;
mod plan;
mod system;

pub use error::EvalError;
pub use evaluate::{NodeTime, Progress};
pub use lower::lower;
pub use measure::{Evaluator, Measurement, measure, prepare};
pub use options::{MOST_SECONDS, Options};
pub use plan::{EncryptionPlan, Plan, Quality, Seconds};
pub use schemes::{Entry, Networks, schemes};

fn unknown_scheme(name: &str) -> EvalError {
    let known: Vec<&str> = schemes().iter().map(|entry| entry.name).collect();
    EvalError::UnknownScheme {
        name: name.into(),
        known: known.join(", "),
    }
}
