//! What may be asked of a knob.

/// Whether something holds, and the sentence for whoever set the knob so that it does not.
pub(super) type Check = (bool, &'static str);

/// A number, at least 0.
pub(super) fn finite(value: f64) -> bool {
    value.is_finite() && value >= 0.0
}

/// A share of a whole that is less than all of it.
pub(super) fn share(value: f64) -> bool {
    (0.0..1.0).contains(&value)
}
