//! Windows as choices of rows, for the operators of Burn.

use super::View;
use burn::tensor::{Device, Int, Tensor, TensorData};
use cryptodl_kernels::Windows;
use cryptodl_network::Shape;

pub(super) fn stock_convolution(
    mut x: Tensor<2>,
    filters: Tensor<2>,
    rows: &Tensor<1, Int>,
    padded: bool,
) -> Tensor<2> {
    let batch = x.dims()[1];
    if padded {
        let zeros = Tensor::zeros([1, batch], &x.device());
        x = Tensor::cat(vec![x, zeros], 0);
    }
    let [out, taps] = filters.dims();
    let positions = rows.dims()[0] / taps;
    let patches = x.select(0, rows.clone()).reshape([taps, positions * batch]);
    filters.matmul(patches).reshape([out * positions, batch])
}

/// For each place `(channel, y, x)` of a window, for each position of the output: which value of the input lies there.
/// Padding is numbered as the value behind the last one.
pub(super) fn places(
    input: Shape,
    output: Shape,
    kernel: usize,
    stride: usize,
    padding: usize,
) -> Vec<usize> {
    let windows = Windows::new(input, output, kernel, stride, padding);
    (0..windows.taps())
        .flat_map(|tap| (0..windows.positions).map(move |position| (tap, position)))
        .map(|(tap, position)| windows.row(tap, position).unwrap_or(input.len()))
        .collect()
}

pub(super) fn pool_rows(
    input: Shape,
    output: Shape,
    kernel: usize,
    stride: usize,
    device: &Device,
) -> View {
    let window = kernel * kernel;
    let places = places(input, output, kernel, stride, 0);
    let positions = output.height * output.width;
    let by_window = (0..window).flat_map(|place| {
        let (channels, places) = (0..input.channels, &places);
        channels.flat_map(move |channel| {
            places[(channel * window + place) * positions..][..positions]
                .iter()
                .copied()
        })
    });
    View::Rows {
        rows: Box::new(rows(by_window.collect(), device)),
        padded: false,
        window,
    }
}

/// Row numbers as a tensor.
pub(super) fn rows(places: Vec<usize>, device: &Device) -> Tensor<1, Int> {
    let places: Vec<i32> = places.into_iter().map(|place| place as i32).collect();
    let length = places.len();
    Tensor::from_data(TensorData::new(places, [length]), device)
}
