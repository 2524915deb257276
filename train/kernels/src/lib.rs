//! Fused operators of training on the processor: forward and backward in one pass each, plain slices below, operators
//! of Burn's `flex` backend with their gradients on top.
//!
//! ```
//! use burn::tensor::{Device, Tensor};
//! use cryptodl_kernels::{Precision, Windows, operators};
//! use cryptodl_network::Shape;
//! use std::sync::Arc;
//!
//! // 3×3 windows over images of 4×4 with one channel and one place of padding, two filters, five images.
//! let shape = |channels| Shape { channels, height: 4, width: 4 };
//! let windows = Arc::new(Windows::new(shape(1), shape(2), 3, 1, 1));
//! let device = Device::flex();
//! let values = Tensor::<2>::ones([16, 5], &device); // [channels·places, batch]
//! let filters = Tensor::<2>::ones([2, 9], &device); // [outputs, taps]
//! let output = operators::convolve(values, filters, &windows, Precision::Single);
//! assert_eq!(output.dims(), [2 * 16, 5]); // [outputs·positions, batch]
//! ```
//!
//! Values are `[features, batch]` as everywhere in training. So the innermost loop runs over images: any number of
//! channels is as fast as any other, and a window is a choice of whole rows.
//!
//! | module | what it holds |
//! |---|---|
//! | [`operators`] | operators of Burn, with their gradients |
//! | [`convolution`] | convolutions and their gradients, without a matrix of patches in memory |
//! | [`mixed`] | the same with numbers rounded to bf16 |
//! | [`normalise`] | batch norm, activation and boundary loss in one pass |
//! | [`pool`] | mean pooling |
//! | [`Windows`] | which values lie in which window |
//! | `product` | the two inner loops of all products, in vector registers |
//! | `bfloat` | the inner loops of products of bf16 numbers, in vector registers; with `unsafe` |
//! | `amx` | the same in matrix registers; with `unsafe` |
//! | `pointwise`, `penalty`, `terms`, `channel`, `sums` | the parts of `normalise` |
//!
//! Work is shared between threads so that each value is computed by one of them, in an order that is always the same:
//! results do not depend on the number of threads. They do depend on the width of the processor's vectors, and in mixed
//! precision on whether it has matrix registers.
//!
//! What it leaves out: which layers of a network become which operator, and every backend but `flex`.

#![expect(
    clippy::inline_always,
    reason = "what runs in vector registers must be compiled into the function that chose their width"
)]

mod amx;
mod bfloat;
mod channel;
pub mod convolution;
mod memory;
pub mod mixed;
pub mod normalise;
pub mod operators;
mod penalty;
mod pointwise;
pub mod pool;
mod precision;
mod product;
#[cfg(test)]
mod samples;
mod sums;
mod terms;
mod windows;

pub use channel::{Channel, Terms};
pub use normalise::Treatment;
pub use penalty::{Penalty, STEEPEST};
pub use pointwise::Pointwise;
pub use precision::Precision;
pub use windows::Windows;
