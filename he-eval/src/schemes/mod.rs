//! The encryption schemes, one file or folder each.

pub mod bfv;
pub mod clear;

/// Name and one-line description of every scheme.
pub fn schemes() -> &'static [(&'static str, &'static str)] {
    &[
        (
            "clear",
            "no encryption, trained weights in floating point: the reference",
        ),
        (
            "clear-integer",
            "no encryption, quantised weights in exact integers: the twin of `bfv`",
        ),
        (
            "bfv",
            "batched exact integers (BFV on the crate `fhe`), one image a slot",
        ),
    ]
}
