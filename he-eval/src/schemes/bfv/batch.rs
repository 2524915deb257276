//! What goes from one party to the other: keys, and encrypted values.

use std::sync::Arc;

use fhe::bfv::{BfvParameters, Ciphertext};
use fhe_math::rq::{Poly, Representation, traits::TryConvertFrom};

use super::error::BfvError;

/// The relinearisation keys of all CRT components, as bytes.
pub struct BfvKeys(pub(super) Vec<Vec<u8>>);

/// Encrypted values modulo one plaintext modulus.
pub struct BfvBatch {
    /// Which of the CRT components.
    pub(super) component: usize,
    /// By value, one ciphertext a number; those that are read no more are gone.
    pub(super) values: Vec<Option<Vec<Ciphertext>>>,
}

impl BfvBatch {
    /// What was made last: the result, after all steps.
    pub(super) fn latest(&self) -> &[Ciphertext] {
        self.values.last().and_then(Option::as_deref).unwrap_or(&[])
    }
}

/// The same ciphertext, made with these parameters.
pub(super) fn adopted(
    ciphertext: &Ciphertext,
    parameters: &Arc<BfvParameters>,
) -> Result<Ciphertext, BfvError> {
    let context = parameters.context_at_level(0)?;
    let parts = ciphertext.iter().map(|part| {
        let residues = part.coefficients().to_owned();
        Poly::try_convert_from(residues, context, true, Representation::Ntt)
    });
    Ok(Ciphertext::new(
        parts.collect::<Result<_, _>>()?,
        parameters,
    )?)
}
