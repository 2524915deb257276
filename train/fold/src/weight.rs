//! The numbers of a graph.

use ethnum::I256;
use serde::{Serialize, de::DeserializeOwned};

/// The number type of a graph's weights: `f64` as trained, `i64` after quantisation.
pub trait Weight: Copy + Serialize + DeserializeOwned + Send + Sync + 'static {
    /// The type of what is added rather than multiplied with, biases and lower terms, and of the factors of sums:
    /// integer ones carry the scale of a whole layer and need more bits.
    type Bias: Copy + std::fmt::Debug + Serialize + DeserializeOwned + Send + Sync + 'static;
}

impl Weight for f64 {
    type Bias = f64;
}

impl Weight for i64 {
    type Bias = I256;
}
