//! The encryption schemes by name, one file or folder each.

#[cfg(feature = "bfv")]
pub mod bfv;
pub mod ckks;
pub mod clear;
#[cfg(feature = "tfhe")]
pub mod tfhe;

mod accepts;
#[cfg(all(test, any(feature = "bfv", feature = "tfhe")))]
mod graphs;

use cryptodl_network::{Artifact, Network};

use crate::{
    error::EvalError,
    evaluate::Progress,
    measure::{Measurement, Prepared},
    options::Options,
    scheme::{Refusal, Scheme},
};

/// A scheme by name, its types forgotten.
pub trait Entry: Sync {
    /// See [`Scheme::name`].
    fn name(&self) -> &'static str;
    /// See [`Scheme::description`].
    fn description(&self) -> &'static str;
    /// See [`Scheme::accepts`].
    ///
    /// # Errors
    /// Why it does not take the network.
    fn accepts(&self, network: &Network) -> Result<(), Refusal>;
    /// See [`Scheme::is_reference`].
    fn is_reference(&self) -> bool;
    /// See [`Scheme::takes_single_images`].
    fn takes_single_images(&self) -> bool;
    /// See [`Scheme::only_by_name`].
    fn only_by_name(&self) -> bool;
    /// Compiles a network for so many images.
    ///
    /// # Errors
    /// As [`crate::prepare`].
    fn prepare(
        &self,
        artifact: &Artifact,
        images: usize,
        options: &Options,
    ) -> Result<Prepared, EvalError>;
}

impl<S> Entry for S
where
    S: Scheme + 'static,
    S::Options: for<'a> From<&'a Options> + Send + Sync,
{
    fn name(&self) -> &'static str {
        Scheme::name(self)
    }
    fn description(&self) -> &'static str {
        Scheme::description(self)
    }
    fn accepts(&self, network: &Network) -> Result<(), Refusal> {
        Scheme::accepts(self, network)
    }
    fn is_reference(&self) -> bool {
        Scheme::is_reference(self)
    }
    fn takes_single_images(&self) -> bool {
        Scheme::takes_single_images(self)
    }
    fn only_by_name(&self) -> bool {
        Scheme::only_by_name(self)
    }
    fn prepare(
        &self,
        artifact: &Artifact,
        images: usize,
        options: &Options,
    ) -> Result<Prepared, EvalError> {
        Prepared::new(self, artifact, images, options.into(), options.threads)
    }
}

/// Every scheme; the only place that knows all of them.
pub fn schemes() -> &'static [&'static dyn Entry] {
    &[
        &clear::Float,
        &clear::Integer,
        &clear::Tables,
        #[cfg(feature = "bfv")]
        &bfv::Bfv,
        &ckks::Ckks,
        #[cfg(feature = "tfhe")]
        &tfhe::Tfhe,
        #[cfg(feature = "tfhe")]
        &tfhe::integer::TfheInteger,
    ]
}

/// The scheme of that name.
///
/// # Errors
/// When there is none: the names that there are.
pub fn find(name: &str) -> Result<&'static dyn Entry, EvalError> {
    let found = schemes().iter().find(|scheme| scheme.name() == name);
    found.copied().ok_or_else(|| {
        let known: Vec<&str> = schemes().iter().map(|scheme| scheme.name()).collect();
        EvalError::UnknownScheme {
            name: name.into(),
            known: known.join(", "),
        }
    })
}

/// Folds `artifact`, chooses parameters for `images` images under the scheme of that name and predicts the cost;
/// for encrypted schemes this times a few operations.
///
/// # Errors
/// When the scheme is unknown or cannot evaluate the network, no secure parameters are large enough,
/// or memory is too small.
pub fn prepare(
    scheme: &str,
    artifact: &Artifact,
    images: usize,
    options: &Options,
) -> Result<Prepared, EvalError> {
    let images = options.images.map_or(images, |most| most.min(images));
    find(scheme)?.prepare(artifact, images, options)
}

/// [`prepare`] and [`Prepared::measure`] in one.
///
/// # Errors
/// As both.
pub fn measure(
    scheme: &str,
    artifact: &Artifact,
    pixels: &[u8],
    labels: &[u8],
    options: &Options,
    observe: &mut dyn FnMut(Progress),
) -> Result<Measurement, EvalError> {
    prepare(scheme, artifact, labels.len(), options)?.measure(pixels, labels, observe)
}
