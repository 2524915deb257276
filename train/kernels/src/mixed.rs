//! Convolutions and their gradients in mixed precision: values, filters and gradients are rounded to bf16 (8 bits of
//! mantissa, the exponents of 32-bit floats) before they are multiplied, products are exact, sums have 32 bits.
//!
//! 1. Values are rounded once, and kept so for the gradient of the filters.
//! 2. Outputs and the gradient of the input are the same product: at each place of the result, the weights of a few
//!    places in a window times what lies there. What is summed over (channels of the input, or outputs) is laid out in
//!    pairs, a block of images at a time, so that nothing is gathered: `[place, block, pair, image]`.
//! 3. Gradient of the filters: see `filters`.
//!
//! Matrix registers (`amx`) multiply where the processor has them and sums are not short, else vectors
//! (`bfloat`). A processor with neither multiplies the rounded numbers in 32 bits. Their products fit
//! into 32-bit floats, so results differ by the order of the sums only, as they do between processors in single precision.
//!
//! # References
//! - Kalamkar et al. (2019), *A study of BFLOAT16 for deep learning training*, arXiv 1905.12322.

mod aligned;
mod filters;
mod product;

use crate::bfloat::{Unit, rounded, widened};
use crate::convolution;
use crate::windows::Windows;
use aligned::Aligned;
use product::{Kernel, Product, paired, panels};
use rayon::prelude::*;

/// bf16 numbers that begin where a line of the cache does.
#[derive(Debug)]
pub struct Rounded(Aligned<u16>);

impl Rounded {
    /// Rounds values.
    pub fn of(values: &[f32]) -> Self {
        let mut halves = Aligned::zeros(values.len());
        let unit = Unit::detect();
        halves
            .as_mut()
            .par_chunks_mut(1 << 14)
            .zip(values.par_chunks(1 << 14))
            .for_each(|(halves, values)| match unit {
                Some(unit) => unit.round(values, halves),
                None => {
                    for (half, value) in halves.iter_mut().zip(values) {
                        *half = rounded(*value);
                    }
                }
            });
        Self(halves)
    }

    fn halves(&self) -> &[u16] {
        self.0.as_ref()
    }

    fn widened(&self) -> Vec<f32> {
        self.halves().iter().map(|half| widened(*half)).collect()
    }
}

/// Outputs `[out·positions, batch]` of filters `[out, taps]` on values `[channels·inputs, batch]`.
pub fn forward(filters: &[f32], values: &Rounded, batch: usize, windows: &Windows) -> Vec<f32> {
    let Some(kernel) = Kernel::of(windows.channels.div_ceil(2)) else {
        let filters = Rounded::of(filters).widened();
        return convolution::forward(&filters, &values.widened(), batch, windows);
    };
    forward_by(kernel, filters, values, batch, windows)
}

fn forward_by(
    kernel: Kernel,
    filters: &[f32],
    values: &Rounded,
    batch: usize,
    windows: &Windows,
) -> Vec<f32> {
    let Windows {
        channels,
        places,
        inputs,
        positions,
        ..
    } = *windows;
    let taps = windows.taps();
    let outputs = filters.len() / taps;
    assert_eq!(filters.len(), outputs * taps);
    assert_eq!(values.halves().len(), channels * inputs * batch);
    let panels = panels(kernel, outputs, places, channels, |row, place, channel| {
        filters[row * taps + channel * places + place]
    });
    let values = paired(kernel, values.halves(), channels, inputs, batch);
    let product = Product {
        kernel,
        panels: panels.as_ref(),
        values: values.as_ref(),
        places,
        steps: kernel.steps(channels),
        columns: batch,
    };
    product.run(outputs, positions, |position, seen| {
        seen.extend((0..places).filter_map(|place| {
            let source = windows.source(place, position)?;
            Some((place, source))
        }));
    })
}

/// Gradient of the values, for gradients `[out·positions, batch]` of the outputs.
pub fn input_gradient(
    filters: &[f32],
    gradients: &Rounded,
    batch: usize,
    windows: &Windows,
) -> Vec<f32> {
    let outputs = filters.len() / windows.taps();
    let Some(kernel) = Kernel::of(outputs.div_ceil(2)) else {
        let filters = Rounded::of(filters).widened();
        return convolution::input_gradient(&filters, &gradients.widened(), batch, windows);
    };
    input_gradient_by(kernel, filters, gradients, batch, windows)
}

fn input_gradient_by(
    kernel: Kernel,
    filters: &[f32],
    gradients: &Rounded,
    batch: usize,
    windows: &Windows,
) -> Vec<f32> {
    let Windows {
        channels,
        places,
        inputs,
        positions,
        ..
    } = *windows;
    let taps = windows.taps();
    let outputs = filters.len() / taps;
    assert_eq!(gradients.halves().len(), outputs * positions * batch);
    let panels = panels(
        kernel,
        channels,
        places,
        outputs,
        |channel, place, output| filters[output * taps + channel * places + place],
    );
    let gradients = paired(kernel, gradients.halves(), outputs, positions, batch);
    let product = Product {
        kernel,
        panels: panels.as_ref(),
        values: gradients.as_ref(),
        places,
        steps: kernel.steps(outputs),
        columns: batch,
    };
    product.run(channels, inputs, |input, seen| {
        seen.extend(windows.readers(input));
    })
}

/// Gradient of the filters `[out, taps]`, for gradients `[out·positions, batch]` of the outputs.
pub fn filter_gradient(
    gradients: &Rounded,
    values: &Rounded,
    batch: usize,
    windows: &Windows,
) -> Vec<f32> {
    // Sums run over images. Channels are columns, of which few would be mostly empty.
    let Some(kernel) = Kernel::of(batch.min(windows.channels).div_ceil(2)) else {
        let (gradients, values) = (gradients.widened(), values.widened());
        return convolution::filter_gradient(&gradients, &values, batch, windows);
    };
    filters::gradient(kernel, gradients.halves(), values.halves(), batch, windows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::normals;
    use cryptodl_network::Shape;

    /// Products of rounded numbers are exact in 32 bits; some thousand terms are summed in another order.
    fn agree(found: &[f32], expected: &[f32], what: &str) {
        assert_eq!(found.len(), expected.len(), "{what}");
        let largest = expected.iter().fold(1.0_f32, |most, x| most.max(x.abs()));
        for (a, b) in found.iter().zip(expected) {
            assert!((a - b).abs() <= 1e-5 * largest, "{what}: {a} {b}");
        }
    }

    #[test]
    fn results_are_those_of_rounded_numbers_in_single_precision() {
        // Odd and even numbers of channels and outputs, one or many blocks of images, padding, windows apart, and sums
        // that are longer than what stays in the nearest cache, or over more positions than stay in the next one.
        for (channels, outputs, side, kernel, stride, padding, batch) in [
            (3, 5, 6, 3, 1, 1, 37),
            (1, 9, 7, 4, 2, 0, 32),
            (4, 16, 5, 2, 1, 1, 200),
            (259, 11, 3, 3, 1, 1, 3),
            (33, 65, 9, 3, 1, 1, 65),
            (515, 3, 1, 1, 1, 0, 2),
            (2, 530, 1, 1, 1, 0, 3),
            (17, 3, 1, 1, 1, 0, 530),
            (7, 261, 2, 1, 1, 0, 66),
        ] {
            let shape = |channels, side| Shape {
                channels,
                height: side,
                width: side,
            };
            let positions = (side + 2 * padding - kernel) / stride + 1;
            let windows = Windows::new(
                shape(channels, side),
                shape(outputs, positions),
                kernel,
                stride,
                padding,
            );
            let filters = normals(outputs * windows.taps(), 1);
            let input = Rounded::of(&normals(channels * side * side * batch, 2));
            let gradient = Rounded::of(&normals(outputs * positions * positions * batch, 3));
            let exact = Rounded::of(&filters).widened();
            let (wide_input, wide_gradient) = (input.widened(), gradient.widened());
            let what = format!("{channels} {outputs} {kernel} {batch}");
            let outputs = convolution::forward(&exact, &wide_input, batch, &windows);
            let of_input = convolution::input_gradient(&exact, &wide_gradient, batch, &windows);
            let of_filters =
                convolution::filter_gradient(&wide_gradient, &wide_input, batch, &windows);
            let check = |found: [Vec<f32>; 3], by: &str| {
                let [first, second, third] = found;
                agree(&first, &outputs, &format!("outputs, {by}, {what}"));
                agree(
                    &second,
                    &of_input,
                    &format!("gradient of the input, {by}, {what}"),
                );
                agree(
                    &third,
                    &of_filters,
                    &format!("gradient of the filters, {by}, {what}"),
                );
            };
            let chosen = [
                forward(&filters, &input, batch, &windows),
                input_gradient(&filters, &gradient, batch, &windows),
                filter_gradient(&gradient, &input, batch, &windows),
            ];
            check(chosen, "what is chosen here");
            for kernel in Kernel::all() {
                let products = || {
                    [
                        forward_by(kernel, &filters, &input, batch, &windows),
                        input_gradient_by(kernel, &filters, &gradient, batch, &windows),
                        filters::gradient(
                            kernel,
                            gradient.halves(),
                            input.halves(),
                            batch,
                            &windows,
                        ),
                    ]
                };
                let found = products();
                let pool = rayon::ThreadPoolBuilder::new()
                    .num_threads(3)
                    .build()
                    .unwrap();
                assert!(
                    pool.install(products) == found,
                    "other threads, {kernel:?}, {what}"
                );
                check(found, &format!("{kernel:?}"));
            }
        }
    }
}
