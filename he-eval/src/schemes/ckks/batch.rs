//! A batch on its way: the values of a schedule that are still to be read.

use cryptodl_ckks::{Bundle, Piece, SeededBatch};

use super::CkksError;

/// Encrypted values, by their places among all values of the schedule.
pub struct CkksBatch(Vec<Option<Value>>);

/// One value.
enum Value {
    /// As the client sends it: half a ciphertext and a seed for each pixel.
    Sent(SeededBatch),
    /// What a segment made.
    Made(Bundle),
}

impl CkksBatch {
    /// What the client sends.
    pub(super) fn request(pixels: SeededBatch) -> Self {
        Self(vec![Some(Value::Sent(pixels))])
    }

    /// The value that the last segment makes.
    pub(super) fn result(mut self, value: usize) -> Result<Bundle, CkksError> {
        match self.0.get_mut(value).and_then(Option::take) {
            Some(Value::Made(bundle)) => Ok(bundle),
            _ => Err(CkksError::Batch {
                reason: "it has not been through all steps",
            }),
        }
    }

    /// A value for layers, which read both kinds.
    pub(super) fn piece(&self, value: usize) -> Result<Piece<'_>, CkksError> {
        match self.0.get(value) {
            Some(Some(Value::Sent(batch))) => Ok(Piece::Batch(batch)),
            Some(Some(Value::Made(bundle))) => Ok(Piece::Bundle(bundle)),
            _ => Err(missing()),
        }
    }

    /// A value in full: pixels are expanded first, for good.
    pub(super) fn expand(&mut self, value: usize) -> Result<(), CkksError> {
        let place = self.0.get_mut(value).and_then(Option::as_mut);
        let place = place.ok_or_else(missing)?;
        if let Value::Sent(batch) = place {
            *place = Value::Made(batch.expand());
        }
        Ok(())
    }

    /// A value that is there in full.
    pub(super) fn bundle(&self, value: usize) -> Result<&Bundle, CkksError> {
        match self.0.get(value) {
            Some(Some(Value::Made(bundle))) => Ok(bundle),
            _ => Err(missing()),
        }
    }

    /// Keeps a value.
    pub(super) fn keep(&mut self, value: usize, bundle: Bundle) {
        if self.0.len() <= value {
            self.0.resize_with(value + 1, || None);
        }
        self.0[value] = Some(Value::Made(bundle));
    }

    /// Forgets a value.
    pub(super) fn forget(&mut self, value: usize) {
        if let Some(place) = self.0.get_mut(value) {
            *place = None;
        }
    }
}

fn missing() -> CkksError {
    CkksError::Batch {
        reason: "a value that this step reads is not there",
    }
}
