//! Evaluation without encryption, by the reference interpreter: in floating point, in the exact integers of quantised
//! weights, or by look-up tables.

use std::sync::Arc;

use cryptodl_fold::{
    Quantisation, QuantiseError, fold,
    lookup::{self, LookupError},
    quantise,
};
use cryptodl_network::{Artifact, Network};
use thiserror::Error;

use super::accepts;
use crate::{
    error::EvalError,
    interface::{Interface, WrongImage},
    options::Options,
    plan::Cost,
    reference::{Reference, ReferenceError, TOGETHER},
    scheme::{Client, Compiled, Refusal, Scheme, Server, Source, Twin},
    work::Observe,
};

/// The trained weights in floating point: the reference.
pub struct Float;

/// Quantised weights in exact integers: the twin of `bfv`.
pub struct Integer;

/// Whole-number weights and look-up tables of a network that rounds: the twin of `tfhe`.
pub struct Tables;

/// Logits `[image][class]` of an artifact on `pixels` (`[image][channel, y, x]`, one byte each), in 64-bit floats: what
/// training computes in 32 bits.
///
/// # Errors
/// When the network cannot be folded, or the pixels are no whole images.
pub fn logits(artifact: &Artifact, pixels: &[u8]) -> Result<Vec<Vec<f64>>, EvalError> {
    let graph = fold(artifact)?;
    let interface = Interface::new(artifact, &graph);
    let images: Vec<&[u8]> = pixels.chunks(graph.inputs()).collect();
    Ok(Reference::float(graph, interface).logits(&images)?)
}

/// Why an evaluation without encryption was refused or failed.
#[derive(Debug, Error)]
pub enum ClearError {
    /// The weights cannot be made integers.
    #[error(transparent)]
    Quantise(#[from] QuantiseError),
    /// The network cannot be evaluated by look-up.
    #[error(transparent)]
    Lookup(#[from] LookupError),
    /// A batch that has been evaluated already, or not yet.
    #[error("this batch does not belong here: take it through the server's step once")]
    Batch,
    /// There is one response to each request.
    #[error("there is one response to a request, and here are {got}: decrypt each alone")]
    Responses {
        /// How many there are.
        got: usize,
    },
    /// An image of the wrong size, or a node that the numbers cannot evaluate.
    #[error(transparent)]
    Reference(#[from] ReferenceError),
}

impl From<WrongImage> for ClearError {
    fn from(error: WrongImage) -> Self {
        Self::Reference(error.into())
    }
}

/// Settings: how many bits integers get, where there are any.
#[derive(Clone, Copy, Debug, Default)]
pub struct ClearOptions(pub Quantisation);

impl From<&Options> for ClearOptions {
    fn from(options: &Options) -> Self {
        Self(options.quantisation())
    }
}

/// Images before the step, logits behind it.
pub enum ClearBatch {
    /// `[image][pixel]`.
    Images(Vec<Vec<u8>>),
    /// `[image][class]`.
    Logits(Vec<Vec<f64>>),
}

/// The client, who encrypts nothing.
pub struct ClearClient(Interface);

/// The server, who has no key.
pub struct ClearServer(Arc<Reference>);

impl Client for ClearClient {
    type Spec = Interface;
    type Keys = ();
    type Request = Vec<Vec<u8>>;
    type Response = Vec<Vec<f64>>;
    type Error = ClearError;

    fn generate(spec: &Interface) -> Result<(Self, ()), ClearError> {
        Ok((Self(spec.clone()), ()))
    }

    fn encrypt(&self, images: &[&[u8]], _component: usize) -> Result<Vec<Vec<u8>>, ClearError> {
        self.0.check(images)?;
        Ok(images.iter().map(|image| image.to_vec()).collect())
    }

    fn decrypt(
        &self,
        responses: &[Vec<Vec<f64>>],
        images: usize,
    ) -> Result<Vec<Vec<f64>>, ClearError> {
        match responses {
            [logits] => Ok(logits[..images.min(logits.len())].to_vec()),
            _ => Err(ClearError::Responses {
                got: responses.len(),
            }),
        }
    }
}

impl Server for ClearServer {
    type Program = Reference;
    type Keys = ();
    type Request = Vec<Vec<u8>>;
    type Response = Vec<Vec<f64>>;
    type Batch = ClearBatch;
    type Error = ClearError;

    fn new(program: Arc<Reference>, (): ()) -> Result<Self, ClearError> {
        Ok(Self(program))
    }

    fn begin(&self, request: Vec<Vec<u8>>) -> Result<ClearBatch, ClearError> {
        Ok(ClearBatch::Images(request))
    }

    fn steps(&self) -> usize {
        1
    }

    fn step(
        &self,
        _index: usize,
        batch: &mut ClearBatch,
        observe: Observe<'_>,
    ) -> Result<(), ClearError> {
        let ClearBatch::Images(images) = batch else {
            return Err(ClearError::Batch);
        };
        let images: Vec<&[u8]> = images.iter().map(Vec::as_slice).collect();
        let logits = self.0.observed(&images, observe)?;
        *batch = ClearBatch::Logits(logits);
        Ok(())
    }

    fn finish(&self, batch: ClearBatch) -> Result<Vec<Vec<f64>>, ClearError> {
        match batch {
            ClearBatch::Logits(logits) => Ok(logits),
            ClearBatch::Images(_) => Err(ClearError::Batch),
        }
    }
}

macro_rules! reference {
    ($scheme:ident, $name:literal, $description:literal, $accepts:expr, $twin:expr, $compile:expr) => {
        impl Scheme for $scheme {
            type Options = ClearOptions;
            type Error = ClearError;
            type Spec = Interface;
            type Program = Reference;
            type Keys = ();
            type Request = Vec<Vec<u8>>;
            type Response = Vec<Vec<f64>>;
            type Client = ClearClient;
            type Server = ClearServer;

            fn name(&self) -> &'static str {
                $name
            }

            fn description(&self) -> &'static str {
                $description
            }

            fn accepts(&self, network: &Network) -> Result<(), Refusal> {
                $accepts(network)
            }

            fn is_reference(&self) -> bool {
                true
            }

            fn compile(
                &self,
                source: &Source<'_>,
                options: &ClearOptions,
            ) -> Result<Compiled<Self>, ClearError> {
                let (cost, program) = $compile(source, *options)?;
                Ok(Compiled {
                    spec: program.interface().clone(),
                    program: Arc::new(program),
                    cost,
                    twin: $twin,
                    yardstick: None,
                })
            }
        }
    };
}

/// Images evaluated at a time, of so many.
fn slots(source: &Source<'_>) -> usize {
    source.images.clamp(1, TOGETHER)
}

type Made = Result<(Cost, Reference), ClearError>;

#[expect(clippy::unnecessary_wraps, reason = "the signature of all three")]
fn float(source: &Source<'_>, _: ClearOptions) -> Made {
    let graph = source.graph.clone();
    let interface = Interface::new(source.artifact, &graph);
    let cost = Cost::new(&graph, slots(source));
    Ok((cost, Reference::float(graph, interface)))
}

fn integers(source: &Source<'_>, options: ClearOptions) -> Made {
    let graph = quantise(source.graph, options.0)?;
    let interface = Interface::new(source.artifact, &graph);
    let cost = Cost::new(&graph, slots(source));
    Ok((cost, Reference::integers(graph, interface)?))
}

fn tables(source: &Source<'_>, _: ClearOptions) -> Made {
    let graph = lookup::tables(source.artifact)?;
    let interface = Interface::new(source.artifact, &graph);
    let cost = Cost::new(&graph, slots(source));
    Ok((cost, Reference::tables(graph, interface)))
}

reference!(
    Float,
    "clear",
    "no encryption, trained weights in floating point: the reference",
    |_: &Network| Ok(()),
    Twin::Trained,
    float
);
reference!(
    Integer,
    "clear-integer",
    "no encryption, quantised weights in exact integers: the twin of `bfv`",
    |network| accepts::polynomials(network, 4),
    Twin::Rounded,
    integers
);
reference!(
    Tables,
    "clear-tables",
    "no encryption, whole-number weights and look-up tables of a network that rounds: the twin of `tfhe`",
    accepts::rounding,
    Twin::Rounded,
    tables
);
