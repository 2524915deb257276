//! The encryption schemes, one file or folder each.

pub mod bfv;
pub mod ckks;
pub mod clear;
#[cfg(feature = "tfhe")]
pub mod tfhe;

use cryptodl_network::{Artifact, Layer, Network};

use crate::{
    EvalError, Options, Progress,
    evaluate::{Evaluation, evaluate},
    graph::Graph,
    plan::Plan,
    scheme::Scheme,
};

/// A scheme by name.
pub struct Entry {
    /// What users call it.
    pub name: &'static str,
    /// One line on what it is.
    pub description: &'static str,
    /// What it can evaluate.
    pub networks: Networks,
    /// Whether every image is evaluated on its own, which makes many images a matter of hours.
    pub single_images: bool,
    /// Chooses parameters for a job and predicts its cost, in the caller's thread pool.
    pub(crate) prepare: fn(&Job<'_>) -> Result<Prepared, EvalError>,
}

/// The networks that a scheme can evaluate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Networks {
    /// All.
    Any,
    /// Those whose activations are polynomials up to this degree, without rounding layers.
    Polynomials(usize),
    /// Those with a rounding layer before every linear layer and any activations, but without skip connections and mirror
    /// images.
    Rounding,
}

impl Networks {
    /// Whether a network is one of them, as far as its layers tell.
    pub fn contain(self, network: &Network) -> bool {
        let rounds = network
            .layers
            .iter()
            .any(|layer| matches!(layer, Layer::Quantise { .. }));
        let polynomial = |most: usize| {
            let mut used = network.activations().into_iter();
            used.all(|used| used.polynomial().is_some_and(|p| p.degree() <= most))
        };
        match self {
            Self::Any => true,
            Self::Polynomials(most) => !rounds && polynomial(most),
            Self::Rounding => rounds && !network.mirrored && !network.layers.contains(&Layer::Skip),
        }
    }
}

/// Every scheme; the only place that knows all of them.
pub fn schemes() -> &'static [Entry] {
    &[
        Entry {
            name: "clear",
            description: "no encryption, trained weights in floating point: the reference",
            networks: Networks::Any,
            single_images: false,
            prepare: clear::prepare_float,
        },
        Entry {
            name: "clear-integer",
            description: "no encryption, quantised weights in exact integers: the twin of `bfv`",
            networks: Networks::Polynomials(4),
            single_images: false,
            prepare: clear::prepare_integer,
        },
        Entry {
            name: "clear-tables",
            description: "no encryption, whole-number weights and look-up tables of a network that rounds: the twin of `tfhe`",
            networks: Networks::Rounding,
            single_images: false,
            prepare: clear::prepare_tables,
        },
        Entry {
            name: "bfv",
            description: "batched exact integers (BFV on the crate `fhe`), one image a slot",
            networks: Networks::Polynomials(4),
            single_images: false,
            prepare: bfv::prepare,
        },
        Entry {
            name: "ckks",
            description: "batched real numbers (RNS-CKKS of our own, real slots only), one image a slot: the fast one",
            networks: Networks::Polynomials(usize::MAX),
            single_images: false,
            prepare: ckks::prepare,
        },
        #[cfg(feature = "tfhe")]
        Entry {
            name: "tfhe",
            description: "one image at a time, exact, any activation by look-up (TFHE on TFHE-rs: no commercial use without a licence from Zama); wants a network that rounds",
            networks: Networks::Rounding,
            single_images: true,
            prepare: tfhe::prepare,
        },
        #[cfg(feature = "tfhe")]
        Entry {
            name: "tfhe-integer",
            description: "polynomials in TFHE-rs's encrypted integers, exact and very slow: for small networks, to show the price",
            networks: Networks::Polynomials(4),
            single_images: true,
            prepare: tfhe::integer::prepare,
        },
    ]
}

/// What is to be evaluated.
pub(crate) struct Job<'a> {
    pub artifact: &'a Artifact,
    pub network: &'a str,
    pub graph: &'a Graph<f64>,
    pub images: usize,
    pub options: &'a Options,
}

/// A planned evaluation, ready to run.
pub(crate) struct Prepared {
    pub plan: Plan,
    pub evaluation: Box<dyn Evaluate>,
    /// The same weights without encryption, to compare with.
    pub twin: Option<Box<dyn Evaluate>>,
    /// Measures what the threads of the current pool can do at most, in products of a weight with a
    /// residue a second.
    pub yardstick: Option<Yardstick>,
}

/// See [`Prepared::yardstick`].
pub(crate) type Yardstick = Box<dyn Fn() -> f64 + Send + Sync>;

/// An evaluation of anything on images.
pub(crate) trait Evaluate: Send + Sync {
    /// `pixels` are `[image][channel, y, x]`, one byte each.
    fn evaluate(
        &self,
        pixels: &[u8],
        observe: &mut dyn FnMut(Progress),
    ) -> Result<Evaluation, EvalError>;
}

/// A graph under a scheme.
pub(crate) struct Under<S: Scheme> {
    pub graph: Graph<S::Weight>,
    pub scheme: S,
}

impl<S: Scheme + Send> Evaluate for Under<S> {
    fn evaluate(
        &self,
        pixels: &[u8],
        observe: &mut dyn FnMut(Progress),
    ) -> Result<Evaluation, EvalError> {
        evaluate(&self.graph, &self.scheme, pixels, observe)
    }
}
