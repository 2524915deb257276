//! Evaluates trained networks on encrypted images, and measures what that costs.
//!
//! The road: [`cryptodl_fold`] folds an artifact into a graph of bare linear layers, products, polynomials and sums; a
//! [`Scheme`](scheme::Scheme) compiles it, which chooses parameters and predicts the cost; its
//! [`Client`](scheme::Client) encrypts, its [`Server`](scheme::Server) evaluates, the client decrypts.
//! [`Prepared::measure`] does all of it, and measures.
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
//! | [`scheme`] | what a scheme is: a compiler and the roles [`Client`](scheme::Client) and [`Server`](scheme::Server) |
//! | [`mod@schemes`] | `clear`, `clear-integer`, `clear-tables`, `bfv`, `ckks`, `tfhe`, `tfhe-integer` |
//! | [`run`] | the one interpreter for all schemes |
//! | [`mod@reference`] | the same without encryption, to compare with |
//! | [`plan`] | what a run needs and costs |
//! | [`interface`], [`work`] | what clients know of a network; what servers tell of their work |
//! | [`limits`] | security, memory, rings: what is refused |
//!
//! Words of our own are explained in the [`glossary`].
//!
//! Left out: training (see `cryptodl-train`), images per ciphertext other than one a slot, and any
//! promise of constant time. The server is honest but curious: it sees the network, not the images.

#[doc = include_str!("../GLOSSARY.md")]
pub mod glossary {}
pub mod interface;
pub mod limits;
pub mod plan;
pub mod reference;
pub mod run;
pub mod scheme;
pub mod schemes;
pub mod work;

mod error;
mod evaluate;
mod measure;
mod options;
mod system;

pub use error::EvalError;
pub use evaluate::{NodeTime, Progress};
pub use measure::{Measurement, Prepared};
pub use options::Options;
pub use plan::{Cost, EncryptionPlan, Plan, Quality, Seconds};
pub use schemes::{Entry, measure, prepare, schemes};
pub use system::instructions;
