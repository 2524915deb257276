//! What an encryption scheme is: a compiler and two roles.
//!
//! [`Scheme::compile`] turns a folded network into a *Spec*, all that both parties must know and no weights; a *Program*,
//! what the server runs; and a [`Cost`], known before anything is encrypted. A [`Client`] is made from the Spec alone and
//! holds the secret key; a [`Server`] is made from the Program and evaluation keys alone. The split is in the types:
//! nothing that a server can reach decrypts.
//!
//! Between them go a *Request*, encrypted images, one for each of [`Client::components`]; and a *Response*, encrypted
//! results. While the server works on a request, step by step, it is a *Batch*: encrypted values that nobody but the scheme
//! looks into. Schemes whose roles may run in processes of their own are [`Portable`].

use std::{error::Error, sync::Arc};

use cryptodl_fold::Graph;
use cryptodl_network::{Artifact, Network};
use cryptodl_wire::{Document, Parameters, Wire};
use serde::{Serialize, de::DeserializeOwned};

pub use crate::interface::{Interface, WrongImage};
pub use crate::work::{Observe, Work};

use crate::{plan::Cost, reference::Reference};

/// What a scheme compiles.
#[derive(Clone, Copy)]
pub struct Source<'a> {
    /// The trained network.
    pub artifact: &'a Artifact,
    /// The same, folded.
    pub graph: &'a Graph<f64>,
    /// How many images are to be evaluated: sizes and times are predicted for them.
    pub images: usize,
}

/// Why a scheme does not take a network, in one sentence.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Refusal(pub String);

/// An encryption scheme.
pub trait Scheme: Send + Sync + Sized {
    /// Settings of its own.
    type Options: Default;
    /// Why it refused or failed.
    type Error: Error + Send + Sync + 'static;
    /// What both parties must know; without weights.
    type Spec: Serialize + DeserializeOwned + Send + Sync;
    /// What the server runs.
    type Program: Send + Sync;
    /// Evaluation keys: without any secret.
    type Keys: Send;
    /// Encrypted images.
    type Request: Send;
    /// Encrypted results.
    type Response: Send;
    /// The role with the secret key.
    type Client: Client<
            Spec = Self::Spec,
            Keys = Self::Keys,
            Request = Self::Request,
            Response = Self::Response,
            Error = Self::Error,
        >;
    /// The role with the evaluation keys.
    type Server: Server<
            Program = Self::Program,
            Keys = Self::Keys,
            Request = Self::Request,
            Response = Self::Response,
            Error = Self::Error,
        >;

    /// What users call it.
    fn name(&self) -> &'static str;

    /// One line on what it is.
    fn description(&self) -> &'static str;

    /// Whether it can evaluate a network, as far as its layers tell.
    ///
    /// # Errors
    /// Why not.
    fn accepts(&self, network: &Network) -> Result<(), Refusal>;

    /// Whether it encrypts nothing: what encrypted schemes are compared with.
    fn is_reference(&self) -> bool {
        false
    }

    /// Whether every image is evaluated on its own, which makes many images a matter of hours.
    fn takes_single_images(&self) -> bool {
        false
    }

    /// Whether it takes minutes to hours for an image, so that nobody gets it without asking for it by name.
    fn only_by_name(&self) -> bool {
        false
    }

    /// Chooses parameters and predicts what an evaluation costs, with the threads of the current pool.
    ///
    /// # Errors
    /// When the scheme cannot evaluate the network, no secure parameters are large enough, or memory is too small.
    fn compile(
        &self,
        source: &Source<'_>,
        options: &Self::Options,
    ) -> Result<Compiled<Self>, Self::Error>;

    /// A client and its evaluation keys: new ones, or those that the options say are kept somewhere.
    ///
    /// # Errors
    /// When the parameters are refused or kept keys cannot be used.
    fn keys(
        spec: &Self::Spec,
        _options: &Self::Options,
    ) -> Result<(Self::Client, Self::Keys), Self::Error> {
        Self::Client::generate(spec)
    }
}

/// A scheme whose roles may run in processes of their own: all that goes from one to the other has a form in bytes.
pub trait Portable:
    Scheme<
        Spec: Document,
        Program: Wire<Parameters = ()>,
        Keys: Wire<Parameters = Self::Parameters>,
        Request: Wire<Parameters = Self::Parameters>,
        Response: Wire<Parameters = Self::Parameters>,
    >
{
    /// What a reader of keys, requests and responses must know.
    type Parameters: Parameters;

    /// For the client, which has a Spec.
    ///
    /// # Errors
    /// When the Spec contradicts itself, or is insecure without being a toy's.
    fn parameters(spec: &Self::Spec) -> Result<Self::Parameters, Self::Error>;

    /// For the server, which has a Program.
    fn parameters_of(program: &Self::Program) -> &Self::Parameters;
}

/// What [`Scheme::compile`] makes.
pub struct Compiled<S: Scheme> {
    /// For clients.
    pub spec: S::Spec,
    /// For the server.
    pub program: Arc<S::Program>,
    /// What it needs and costs.
    pub cost: Cost,
    /// What to compare results with.
    pub twin: Twin,
    /// Measures what the threads of the current pool can do at most, in products of a weight with a residue a second.
    pub yardstick: Option<Yardstick>,
}

/// The same weights without encryption.
pub enum Twin {
    /// It is a reference itself, of the trained weights.
    Trained,
    /// It is a reference itself, of rounded weights.
    Rounded,
    /// What encrypted results are compared with.
    Of(Box<Reference>),
}

/// See [`Compiled::yardstick`].
pub type Yardstick = Box<dyn Fn() -> f64 + Send + Sync>;

/// The role with the secret key: encrypts images and decrypts results.
pub trait Client: Sized + Send + Sync {
    /// See [`Scheme::Spec`].
    type Spec;
    /// See [`Scheme::Keys`].
    type Keys;
    /// See [`Scheme::Request`].
    type Request;
    /// See [`Scheme::Response`].
    type Response;
    /// See [`Scheme::Error`].
    type Error;

    /// Fresh keys from a cryptographic generator seeded by the operating system.
    ///
    /// # Errors
    /// When the encryption library refuses the parameters.
    fn generate(spec: &Self::Spec) -> Result<(Self, Self::Keys), Self::Error>;

    /// Independent encryptions of the same images, a request each: one for each plaintext modulus, say.
    fn components(&self) -> usize {
        1
    }

    /// Encrypts images, one byte a pixel, at most as many as there are slots, for one of the components.
    ///
    /// # Errors
    /// When an image is of the wrong size or the encryption library fails.
    fn encrypt(&self, images: &[&[u8]], component: usize) -> Result<Self::Request, Self::Error>;

    /// Logits `[image][class]` of the first `images` slots, from the responses to all components, in order.
    ///
    /// # Errors
    /// When the results cannot be trusted or the encryption library fails.
    fn decrypt(
        &self,
        responses: &[Self::Response],
        images: usize,
    ) -> Result<Vec<Vec<f64>>, Self::Error>;

    /// Bits between the noise of the worst result and the decryption bound; none if noise is not what limits decryption.
    ///
    /// # Errors
    /// When the encryption library fails.
    fn noise_bits_left(&self, _responses: &[Self::Response]) -> Result<Option<f64>, Self::Error> {
        Ok(None)
    }
}

/// The role with the evaluation keys: computes on encrypted values, step by step.
pub trait Server: Sized + Send + Sync {
    /// See [`Scheme::Program`].
    type Program;
    /// See [`Scheme::Keys`].
    type Keys;
    /// See [`Scheme::Request`].
    type Request;
    /// See [`Scheme::Response`].
    type Response;
    /// Encrypted values between two steps.
    type Batch;
    /// See [`Scheme::Error`].
    type Error;

    /// With everything that is done once done.
    ///
    /// # Errors
    /// When the keys do not belong to the program.
    fn new(program: Arc<Self::Program>, keys: Self::Keys) -> Result<Self, Self::Error>;

    /// A batch in front of the first step.
    ///
    /// # Errors
    /// When the request does not belong to the program or the keys.
    fn begin(&self, request: Self::Request) -> Result<Self::Batch, Self::Error>;

    /// How many steps there are.
    fn steps(&self) -> usize;

    /// Does step `index` to a batch that has been through those before it.
    ///
    /// # Errors
    /// When the batch does not belong here or the encryption library fails.
    fn step(
        &self,
        index: usize,
        batch: &mut Self::Batch,
        observe: Observe<'_>,
    ) -> Result<(), Self::Error>;

    /// What a batch behind the last step is for the client.
    ///
    /// # Errors
    /// When it has not been through all steps.
    fn finish(&self, batch: Self::Batch) -> Result<Self::Response, Self::Error>;
}
