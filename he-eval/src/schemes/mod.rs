//! The encryption schemes, one file or folder each.

pub mod bfv;
pub mod ckks;
pub mod clear;

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
    /// Highest degree of the polynomials that it evaluates; none if it evaluates any function.
    pub max_degree: Option<usize>,
    /// Chooses parameters for a job and predicts its cost, in the caller's thread pool.
    pub(crate) prepare: fn(&Job<'_>) -> Result<Prepared, EvalError>,
}

/// Every scheme; the only place that knows all of them.
pub fn schemes() -> &'static [Entry] {
    &[
        Entry {
            name: "clear",
            description: "no encryption, trained weights in floating point: the reference",
            max_degree: None,
            prepare: clear::prepare_float,
        },
        Entry {
            name: "clear-integer",
            description: "no encryption, quantised weights in exact integers: the twin of `bfv`",
            max_degree: Some(4),
            prepare: clear::prepare_integer,
        },
        Entry {
            name: "bfv",
            description: "batched exact integers (BFV on the crate `fhe`), one image a slot",
            max_degree: Some(4),
            prepare: bfv::prepare,
        },
        Entry {
            name: "ckks",
            description: "batched real numbers (RNS-CKKS of our own, real slots only), one image a slot: the fast one",
            max_degree: Some(usize::MAX),
            prepare: ckks::prepare,
        },
    ]
}

/// What is to be evaluated.
pub(crate) struct Job<'a> {
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
