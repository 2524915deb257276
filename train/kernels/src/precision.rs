//! How precise products are.

use serde::{Deserialize, Serialize};

/// How precise the products of training are. Validation and test always compute in single precision; statistics that
/// are measured for the export are those of training passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// 32-bit floats throughout.
    Single,
    /// Values, filters and gradients are rounded to bf16 (8 bits of mantissa) where they enter the products of
    /// convolutions and of dense layers but the last, in both passes. Sums, weights, the last layer, batch norms, loss,
    /// optimiser and averages stay in 32 bits. Faster on processors with AVX-512 BF16 or AMX; others compute the same,
    /// rounding included, no faster than in single precision. Only for training on the processor.
    Mixed,
}
