//! Operators of training for Burn's processor backend: forward and backward in one pass each.
//!
//! Values are `[features, batch]` as everywhere in training. So the innermost loop runs over images: any number of
//! channels is as fast as any other, and a window is a choice of whole rows.
//!
//! | module | what it holds |
//! |---|---|
//! | [`product`] | the two inner loops of all products, in vector registers |
//! | [`windows`] | which values lie in which window |
//! | [`convolution`] | convolutions and their gradients, without a matrix of patches in memory |
//! | [`bfloat`] | the inner loops of products of bf16 numbers, in vector registers; with `unsafe` |
//! | [`amx`] | the same in matrix registers; with `unsafe` |
//! | [`mixed`] | convolutions and their gradients with numbers rounded to bf16 |
//! | [`normalise`] | batch norm, activation and boundary loss in one pass |
//! | [`terms`] | the Hermite series of an activation with normalised terms, as part of that |
//! | [`pool`] | mean pooling |
//! | [`operators`] | the same as operators of Burn, with their gradients |
//!
//! Work is shared between threads so that each value is computed by one of them, in an order that is always the same:
//! results do not depend on the number of threads. They do depend on the width of the processor's vectors, and in mixed
//! precision on whether it has matrix registers.

#![expect(
    clippy::inline_always,
    reason = "what runs in vector registers must be compiled into the function that chose their width"
)]

mod amx;
mod bfloat;
pub(crate) mod convolution;
pub(crate) mod mixed;
pub(crate) mod normalise;
pub(crate) mod operators;
pub(crate) mod pool;
mod product;
pub(crate) mod terms;
pub(crate) mod windows;

use burn::backend::DispatchDevice;
use burn::tensor::Device;
use rayon::prelude::*;

/// Zeros; many of them are written by all threads, since one alone would keep the others waiting.
fn zeros<T: Copy + Default + Send>(count: usize) -> Vec<T> {
    const CHUNK: usize = 4096;
    if count <= 8 * CHUNK {
        return vec![T::default(); count];
    }
    let chunks = (0..count.div_ceil(CHUNK)).into_par_iter();
    let chunks: Vec<[T; CHUNK]> = chunks.map(|_| [T::default(); CHUNK]).collect();
    let mut zeros = chunks.into_flattened();
    zeros.truncate(count);
    zeros
}

/// Which operators a model is computed with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kernels {
    /// Those of Burn: they run on every backend.
    Stock,
    /// Those of this crate, for Burn's `flex` backend.
    Fused,
}

impl Kernels {
    /// The fastest ones that run on a device.
    pub(crate) fn of(device: &Device) -> Self {
        let inner = device.clone().inner();
        if matches!(inner.as_dispatch(), DispatchDevice::Flex(_)) {
            Self::Fused
        } else {
            Self::Stock
        }
    }
}
