//! Encrypted values while the server works on them, and between server and client.

use fhe::bfv::Ciphertext;
use fhe_math::rq::{Poly, Representation, traits::TryConvertFrom};

use super::{components::BfvComponents, error::BfvError};

/// Encrypted pixels or results, a ciphertext each, modulo one plaintext modulus.
pub struct BfvCiphertexts {
    pub(super) components: BfvComponents,
    /// Which of the CRT components.
    pub(super) component: usize,
    /// Each of two polynomials.
    pub(super) values: Vec<Ciphertext>,
}

/// The values of a graph modulo one plaintext modulus.
pub struct BfvBatch {
    /// Which of the CRT components.
    pub(super) component: usize,
    /// By value, one ciphertext a number; those that are read no more are gone.
    pub(super) values: Vec<Option<Vec<Ciphertext>>>,
}

impl BfvComponents {
    /// The same ciphertext, made with these parameters: operations panic where they are not one and the same object.
    pub(super) fn adopted(
        &self,
        component: usize,
        ciphertext: &Ciphertext,
    ) -> Result<Ciphertext, BfvError> {
        let parameters = &self[component];
        let context = parameters.context_at_level(0)?;
        let parts = ciphertext.iter().map(|part| {
            let residues = part.coefficients().to_owned();
            Poly::try_convert_from(residues, context, true, Representation::Ntt)
        });
        let parts = parts.collect::<Result<_, _>>()?;
        Ok(Ciphertext::new(parts, parameters)?)
    }
}
