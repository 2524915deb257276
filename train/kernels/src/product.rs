//! The two inner loops of all products. The compiler keeps the sums in vector registers.
//!
//! [`tile`] multiplies a column of `ROWS` weights with a row of `VECTORS` vectors of images and adds the outer product
//! to its sums: for outputs and for the gradients of inputs, where images are what stays apart. [`dot`] multiplies
//! vectors of images with each other lane by lane: for the gradients of weights, where images are what is summed over.
//!
//! Sizes follow the registers: with 32 of them 16 or 24 sums and their factors fit, with 16 of them 8 do.

use pulp::{Arch, Simd, WithSimd};

/// Sizes of the tiles of a kind of processor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sizes {
    /// Rows of weights in a [`tile`].
    pub rows: usize,
    /// Images in a [`tile`].
    pub images: usize,
    /// Rows of values that [`dot`] takes at once.
    pub taps: usize,
}

/// Whether there are 32 vector registers.
pub(crate) const fn many_registers<S: Simd>() -> bool {
    S::REGISTER_COUNT >= 32
}

/// Rows of weights in a tile.
pub(crate) const ROWS: usize = 8;
/// The same with few registers.
pub(crate) const FEW_ROWS: usize = 4;
/// Vectors of images in a tile.
pub(crate) const VECTORS: usize = 2;
/// Outputs and taps that [`dot`] takes at once.
pub(crate) const DOT: [usize; 2] = [4, 6];
/// The same with few registers.
pub(crate) const FEW_DOT: [usize; 2] = [2, 4];

/// The sizes on this processor.
pub(crate) fn sizes() -> Sizes {
    struct Ask;
    impl WithSimd for Ask {
        type Output = Sizes;
        #[inline(always)]
        fn with_simd<S: Simd>(self, _: S) -> Sizes {
            let many = many_registers::<S>();
            Sizes {
                rows: if many { ROWS } else { FEW_ROWS },
                images: VECTORS * S::F32_LANES,
                taps: if many { DOT[1] } else { FEW_DOT[1] },
            }
        }
    }
    Arch::new().dispatch(Ask)
}

/// Sums of a [`tile`].
pub(crate) type Sums<V, const R: usize> = [[V; VECTORS]; R];

/// `sums[r] + Σ_k weights[k][r] · values[k]`.
#[inline(always)]
pub(crate) fn tile<S: Simd, const R: usize>(
    simd: S,
    weights: &[[f32; R]],
    values: &[[S::f32s; VECTORS]],
    mut sums: Sums<S::f32s, R>,
) -> Sums<S::f32s, R> {
    for (weights, values) in weights.iter().zip(values) {
        for (sums, weight) in sums.iter_mut().zip(weights) {
            let weight = simd.splat_f32s(*weight);
            for (sum, value) in sums.iter_mut().zip(values) {
                *sum = simd.mul_add_e_f32s(weight, *value, *sum);
            }
        }
    }
    sums
}

/// `Σ_p Σ_v outputs[p][o][v] · taps[p][t][v]`, lane by lane, over positions and vectors of images. All rows have
/// `images` values.
#[inline(always)]
pub(crate) fn dot<S: Simd, const O: usize, const T: usize>(
    simd: S,
    outputs: &[[&[f32]; O]],
    taps: &[[&[f32]; T]],
    images: usize,
) -> [[S::f32s; T]; O] {
    let whole = images / S::F32_LANES;
    let done = whole * S::F32_LANES;
    let zero = simd.splat_f32s(0.0);
    let mut sums = [[zero; T]; O];
    // Plain loops: what is passed to `map` would be compiled for any processor, and called for each vector.
    for (outputs, taps) in outputs.iter().zip(taps) {
        let mut output_rows: [&[S::f32s]; O] = [&[]; O];
        for (vectors, row) in output_rows.iter_mut().zip(outputs) {
            *vectors = &S::as_simd_f32s(row).0[..whole];
        }
        let mut tap_rows: [&[S::f32s]; T] = [&[]; T];
        for (vectors, row) in tap_rows.iter_mut().zip(taps) {
            *vectors = &S::as_simd_f32s(row).0[..whole];
        }
        for place in 0..whole {
            let mut taps = [zero; T];
            for (vector, row) in taps.iter_mut().zip(&tap_rows) {
                *vector = row[place];
            }
            for (sums, row) in sums.iter_mut().zip(&output_rows) {
                let output = row[place];
                for (sum, tap) in sums.iter_mut().zip(taps) {
                    *sum = simd.mul_add_e_f32s(output, tap, *sum);
                }
            }
        }
    }
    if done == images {
        return sums;
    }
    // What is missing to a whole vector counts as 0.
    for (outputs, taps) in outputs.iter().zip(taps) {
        for (sums, output) in sums.iter_mut().zip(outputs) {
            let output = simd.partial_load_f32s(&output[done..]);
            for (sum, tap) in sums.iter_mut().zip(taps) {
                let tap = simd.partial_load_f32s(&tap[done..]);
                *sum = simd.mul_add_e_f32s(output, tap, *sum);
            }
        }
    }
    sums
}

/// Loads [`VECTORS`] vectors; what is missing in the slice is 0.
#[inline(always)]
pub(crate) fn load<S: Simd>(simd: S, values: &[f32]) -> [S::f32s; VECTORS] {
    let mut vectors = [simd.splat_f32s(0.0); VECTORS];
    if values.len() >= VECTORS * S::F32_LANES {
        let (whole, _) = S::as_simd_f32s(values);
        vectors.copy_from_slice(&whole[..VECTORS]);
    } else {
        for (vector, values) in vectors.iter_mut().zip(values.chunks(S::F32_LANES)) {
            *vector = simd.partial_load_f32s(values);
        }
    }
    vectors
}

/// Stores [`VECTORS`] vectors, as much of them as the slice has place for.
#[inline(always)]
pub(crate) fn store<S: Simd>(simd: S, vectors: &[S::f32s; VECTORS], values: &mut [f32]) {
    if values.len() >= VECTORS * S::F32_LANES {
        let (whole, _) = S::as_mut_simd_f32s(values);
        whole[..VECTORS].copy_from_slice(vectors);
    } else {
        for (vector, values) in vectors.iter().zip(values.chunks_mut(S::F32_LANES)) {
            simd.partial_store_f32s(values, *vector);
        }
    }
}
