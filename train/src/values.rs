//! Tensors as numbers.

use burn::tensor::Tensor;

/// The values of a tensor, row-major.
pub(crate) fn values(tensor: &Tensor<2>) -> Vec<f32> {
    tensor
        .to_data()
        .try_into_vec()
        .expect("training computes in 32-bit floats")
}
