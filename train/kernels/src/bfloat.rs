//! Products of bf16 numbers with 32-bit sums, by the processor's own instructions (AVX-512 BF16).
//!
//! A bf16 number is the upper half of a 32-bit float. `vdpbf16ps` multiplies pairs of them and adds both products to a
//! 32-bit lane, in the time of one 32-bit multiply-add of a vector half as full. Results differ from exact products
//! with 32-bit sums by the order of the sums, and by denormal numbers, which count as 0.
//!
//! [`tile`](Unit::tile) is for outputs and for the gradients of inputs: pairs of channels, one image a lane.
//! [`dot`](Unit::dot) is for the gradients of filters: pairs of images.

#![cfg_attr(
    target_arch = "x86_64",
    expect(
        unsafe_code,
        reason = "the instructions are called directly; each block says why it may"
    )
)]

/// Rows of weights in a tile.
pub(crate) const ROWS: usize = 8;
/// Images in a tile: two vectors.
pub(crate) const IMAGES: usize = 2 * LANES;
/// Outputs that [`dot`](Unit::dot) takes at once.
pub(crate) const OUTPUTS: usize = 4;
/// Taps that [`dot`](Unit::dot) takes at once.
pub(crate) const TAPS: usize = 6;

/// 32-bit lanes of a vector.
const LANES: usize = 16;

/// Sums of a tile.
pub(crate) type Sums = [[f32; IMAGES]; ROWS];

/// Steps that lie behind each other in the weights and in the values: a pair each for vectors, a slab each for matrix
/// registers ([`crate::amx`]).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Run {
    /// First step of the weights.
    pub weights: usize,
    /// First step of the values.
    pub values: usize,
    /// Number of steps.
    pub length: usize,
}

/// To the nearest bf16, to the even one of two; NaN stays NaN, and denormal numbers become 0, as the instruction does.
pub(crate) fn rounded(value: f32) -> u16 {
    let bits = value.to_bits();
    let upper = (bits >> 16) as u16;
    if value.is_nan() {
        upper | 0x40
    } else if value.abs() < f32::MIN_POSITIVE {
        upper & 0x8000
    } else {
        ((bits + 0x7fff + u32::from(upper & 1)) >> 16) as u16
    }
}

/// The 32-bit float of a bf16.
pub(crate) fn widened(half: u16) -> f32 {
    f32::from_bits(u32::from(half) << 16)
}

/// That the processor has the instructions.
#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy, Debug)]
pub(crate) struct Unit(());

#[cfg(target_arch = "x86_64")]
#[expect(
    clippy::unused_self,
    reason = "a unit is the proof that the instructions are there"
)]
impl Unit {
    /// Asks the processor.
    pub(crate) fn detect() -> Option<Self> {
        let there = is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512bf16");
        there.then_some(Self(()))
    }

    /// Rounds values, as [`rounded`] does.
    pub(crate) fn round(self, values: &[f32], halves: &mut [u16]) {
        // SAFETY: there is a unit only where `detect` found the instructions.
        unsafe { vectors::round(values, halves) }
    }

    /// `sums[r] += Σ_k weights[k][r] · values[k]` over the pairs `k` of the runs, both products of a pair.
    pub(crate) fn tile(
        self,
        weights: &[[u32; ROWS]],
        values: &[[u32; IMAGES]],
        runs: &[Run],
        sums: &mut Sums,
    ) {
        // SAFETY: there is a unit only where `detect` found the instructions.
        unsafe { vectors::tile(weights, values, runs, sums) }
    }

    /// `Σ_n outputs[o][n] · taps[t][n]` at `[t][o]`. All rows are equally long.
    pub(crate) fn dot(
        self,
        outputs: [&[u16]; OUTPUTS],
        taps: [&[u16]; TAPS],
    ) -> [[f32; OUTPUTS]; TAPS] {
        // SAFETY: there is a unit only where `detect` found the instructions.
        unsafe { vectors::dot(outputs, taps) }
    }
}

#[cfg(target_arch = "x86_64")]
mod vectors {
    use super::{IMAGES, LANES, OUTPUTS, ROWS, Run, Sums, TAPS, rounded};
    use core::arch::x86_64::{
        __m128, __m512, __m512bh, __m512i, _mm_storeu_ps, _mm512_add_ps, _mm512_castpd_ps,
        _mm512_castps_pd, _mm512_castps512_ps128, _mm512_cvtne2ps_pbh, _mm512_dpbf16_ps,
        _mm512_loadu_epi16, _mm512_loadu_epi32, _mm512_loadu_ps, _mm512_maskz_loadu_epi16,
        _mm512_set1_epi32, _mm512_setzero_ps, _mm512_shuffle_f32x4, _mm512_storeu_epi16,
        _mm512_storeu_ps, _mm512_unpackhi_pd, _mm512_unpackhi_ps, _mm512_unpacklo_pd,
        _mm512_unpacklo_ps,
    };

    /// Numbers in a vector of bf16.
    const HALVES: usize = 2 * LANES;

    /// 512 bits seen as bf16 numbers.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bf16")]
    fn halves(bits: __m512i) -> __m512bh {
        // SAFETY: both types are 512 bits without invalid patterns.
        unsafe { core::mem::transmute(bits) }
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
    pub(crate) fn round(values: &[f32], halves: &mut [u16]) {
        assert_eq!(values.len(), halves.len());
        let (values, rest) = values.as_chunks::<HALVES>();
        let (halves, last) = halves.as_chunks_mut::<HALVES>();
        for (values, halves) in values.iter().zip(halves) {
            // SAFETY: reads the 32 floats of `values`, and writes the 32 numbers of `halves`; alignment is not needed.
            unsafe {
                let low = _mm512_loadu_ps(values.as_ptr());
                let high = _mm512_loadu_ps(values[LANES..].as_ptr());
                let both: __m512i = core::mem::transmute(_mm512_cvtne2ps_pbh(high, low));
                _mm512_storeu_epi16(halves.as_mut_ptr().cast(), both);
            }
        }
        for (value, half) in rest.iter().zip(last) {
            *half = rounded(*value);
        }
    }

    #[target_feature(enable = "avx512f,avx512bf16")]
    pub(crate) fn tile(
        weights: &[[u32; ROWS]],
        values: &[[u32; IMAGES]],
        runs: &[Run],
        sums: &mut Sums,
    ) {
        let mut lanes = [[_mm512_setzero_ps(); 2]; ROWS];
        for (lanes, sums) in lanes.iter_mut().zip(&*sums) {
            // SAFETY: each reads 16 of the 32 floats of `sums`.
            unsafe {
                lanes[0] = _mm512_loadu_ps(sums.as_ptr());
                lanes[1] = _mm512_loadu_ps(sums[LANES..].as_ptr());
            }
        }
        for run in runs {
            let weights = &weights[run.weights..][..run.length];
            let values = &values[run.values..][..run.length];
            for (weights, values) in weights.iter().zip(values) {
                // SAFETY: each reads 16 of the 32 pairs of `values`.
                let (first, second) = unsafe {
                    (
                        halves(_mm512_loadu_epi32(values.as_ptr().cast())),
                        halves(_mm512_loadu_epi32(values[LANES..].as_ptr().cast())),
                    )
                };
                for (lanes, weight) in lanes.iter_mut().zip(weights) {
                    let weight = halves(_mm512_set1_epi32(weight.cast_signed()));
                    lanes[0] = _mm512_dpbf16_ps(lanes[0], first, weight);
                    lanes[1] = _mm512_dpbf16_ps(lanes[1], second, weight);
                }
            }
        }
        for (lanes, sums) in lanes.iter().zip(sums) {
            // SAFETY: each writes 16 of the 32 floats of `sums`.
            unsafe {
                _mm512_storeu_ps(sums.as_mut_ptr(), lanes[0]);
                _mm512_storeu_ps(sums[LANES..].as_mut_ptr(), lanes[1]);
            }
        }
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512bf16")]
    pub(crate) fn dot(outputs: [&[u16]; OUTPUTS], taps: [&[u16]; TAPS]) -> [[f32; OUTPUTS]; TAPS] {
        let length = outputs[0].len();
        let equal = |row: &&[u16]| row.len() == length;
        assert!(outputs.iter().all(equal) && taps.iter().all(equal));
        let mut sums = [[_mm512_setzero_ps(); OUTPUTS]; TAPS];
        for first in (0..length).step_by(HALVES) {
            let missing = HALVES.saturating_sub(length - first);
            // SAFETY: all rows have `length` numbers, of which those from `first` on are read, at most a vector; the
            // mask leaves out what lies behind the end.
            let load = |row: &[u16]| unsafe {
                let from = row.as_ptr().add(first).cast();
                halves(if missing == 0 {
                    _mm512_loadu_epi16(from)
                } else {
                    _mm512_maskz_loadu_epi16(u32::MAX >> missing, from)
                })
            };
            let outputs = [
                load(outputs[0]),
                load(outputs[1]),
                load(outputs[2]),
                load(outputs[3]),
            ];
            for (sums, tap) in sums.iter_mut().zip(taps) {
                let tap = load(tap);
                for (sum, output) in sums.iter_mut().zip(outputs) {
                    *sum = _mm512_dpbf16_ps(*sum, output, tap);
                }
            }
        }
        let mut result = [[0.0; OUTPUTS]; TAPS];
        for (result, sums) in result.iter_mut().zip(sums) {
            let totals = totals(sums);
            // SAFETY: writes the four floats of `result`.
            unsafe { _mm_storeu_ps(result.as_mut_ptr(), totals) };
        }
        result
    }

    /// The sums of all lanes of four vectors.
    #[inline]
    #[target_feature(enable = "avx512f")]
    fn totals([a, b, c, d]: [__m512; OUTPUTS]) -> __m128 {
        // a, b, a, b in each quarter, then a, b, c, d, then the quarters together.
        let ab = _mm512_add_ps(_mm512_unpacklo_ps(a, b), _mm512_unpackhi_ps(a, b));
        let cd = _mm512_add_ps(_mm512_unpacklo_ps(c, d), _mm512_unpackhi_ps(c, d));
        let (ab, cd) = (_mm512_castps_pd(ab), _mm512_castps_pd(cd));
        let low = _mm512_castpd_ps(_mm512_unpacklo_pd(ab, cd));
        let high = _mm512_castpd_ps(_mm512_unpackhi_pd(ab, cd));
        let sum = _mm512_add_ps(low, high);
        let sum = _mm512_add_ps(sum, _mm512_shuffle_f32x4::<0b01_00_11_10>(sum, sum));
        let sum = _mm512_add_ps(sum, _mm512_shuffle_f32x4::<0b10_11_00_01>(sum, sum));
        _mm512_castps512_ps128(sum)
    }
}

/// Only x86-64 has the instructions.
#[cfg(not(target_arch = "x86_64"))]
#[derive(Clone, Copy, Debug)]
pub(crate) enum Unit {}

#[cfg(not(target_arch = "x86_64"))]
impl Unit {
    pub(crate) fn detect() -> Option<Self> {
        None
    }

    pub(crate) fn round(self, _: &[f32], _: &mut [u16]) {
        match self {}
    }

    pub(crate) fn tile(self, _: &[[u32; ROWS]], _: &[[u32; IMAGES]], _: &[Run], _: &mut Sums) {
        match self {}
    }

    pub(crate) fn dot(self, _: [&[u16]; OUTPUTS], _: [&[u16]; TAPS]) -> [[f32; OUTPUTS]; TAPS] {
        match self {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::{generator, normal};
    use rand::Rng;

    /// Numbers of all sizes, ties between two bf16 numbers among them.
    fn values(count: usize, seed: u64) -> Vec<f32> {
        let mut random = generator(seed);
        (0..count)
            .map(|index| match index % 4 {
                0 => normal(&mut random) as f32,
                1 => (normal(&mut random) * (12.0 * normal(&mut random)).exp2()) as f32,
                2 => f32::from_bits((normal(&mut random) as f32).to_bits() & 0xffff_0000 | 0x8000),
                _ => -1.0 - random.random::<f64>() as f32,
            })
            .collect()
    }

    const EXTREMES: [f32; 12] = [
        0.0,
        -0.0,
        f32::MAX,
        f32::MIN,
        f32::INFINITY,
        f32::NEG_INFINITY,
        f32::NAN,
        f32::MIN_POSITIVE,
        -f32::MIN_POSITIVE,
        1e-40,
        -1e-45,
        3.389_531_4e38,
    ];

    #[test]
    fn numbers_are_rounded_to_the_nearest_and_ties_to_the_even() {
        let round = |value| widened(rounded(value));
        let step = 1.0 / 128.0;
        assert_eq!(round(1.0 + 0.49 * step).to_bits(), 1.0_f32.to_bits());
        assert_eq!(round(1.0 + 0.5 * step).to_bits(), 1.0_f32.to_bits());
        assert_eq!(round(1.0 + 0.51 * step).to_bits(), (1.0 + step).to_bits());
        assert_eq!(
            round(1.0 + 1.5 * step).to_bits(),
            (1.0 + 2.0 * step).to_bits()
        );
        assert_eq!(round(-2.0 + 0.25 * step).to_bits(), (-2.0_f32).to_bits());
        assert_eq!(round(f32::MAX).to_bits(), f32::INFINITY.to_bits());
        assert_eq!(round(-1e-40).to_bits(), (-0.0_f32).to_bits());
        assert!(round(f32::NAN).is_nan() && round(f32::from_bits(0x7f80_0001)).is_nan());
    }

    #[test]
    fn the_instruction_rounds_as_the_emulation_does() {
        let Some(unit) = Unit::detect() else { return };
        // Whole vectors and a rest.
        let values = [values(1000, 1), EXTREMES.repeat(9)].concat();
        let mut halves = vec![0; values.len()];
        unit.round(&values, &mut halves);
        for (value, half) in values.iter().zip(halves) {
            assert_eq!(half, rounded(*value), "{value:e}");
        }
    }

    /// The sum that the terms should give, in 64 bits; and whether `found` is it, up to the order of 32-bit sums.
    fn is_sum(found: f32, terms: &[f64]) -> bool {
        let sum: f64 = terms.iter().sum();
        let size: f64 = terms.iter().map(|term| term.abs()).sum();
        let bound = 1e-6 * terms.len() as f64 * size + f64::from(f32::MIN_POSITIVE);
        (f64::from(found) - sum).abs() <= bound
    }

    fn product(a: u16, b: u16) -> f64 {
        f64::from(widened(a)) * f64::from(widened(b))
    }

    #[test]
    fn a_tile_adds_the_products_of_all_pairs_in_its_runs() {
        let Some(unit) = Unit::detect() else { return };
        let halves = |count, seed| values(count, seed).into_iter().map(rounded).collect();
        let (weights, numbers): (Vec<u16>, Vec<u16>) =
            (halves(2 * 20 * ROWS, 2), halves(2 * 30 * IMAGES, 3));
        let words = |halves: &[u16]| -> Vec<u32> {
            let (pairs, _) = halves.as_chunks::<2>();
            let word = |pair: &[u16; 2]| u32::from(pair[0]) | u32::from(pair[1]) << 16;
            pairs.iter().map(word).collect()
        };
        let (packed, blocks) = (words(&weights), words(&numbers));
        let runs = [[3, 0, 7], [12, 20, 1], [0, 9, 3]].map(|[weights, values, length]| Run {
            weights,
            values,
            length,
        });
        let mut sums = [[0.5; IMAGES]; ROWS];
        unit.tile(packed.as_chunks().0, blocks.as_chunks().0, &runs, &mut sums);
        for (row, sums) in sums.iter().enumerate() {
            for (image, sum) in sums.iter().enumerate() {
                let mut terms = vec![0.5];
                for run in runs {
                    for k in 0..run.length {
                        for half in 0..2 {
                            let weight = ((run.weights + k) * ROWS + row) * 2 + half;
                            let value = ((run.values + k) * IMAGES + image) * 2 + half;
                            terms.push(product(weights[weight], numbers[value]));
                        }
                    }
                }
                assert!(is_sum(*sum, &terms), "{row} {image}: {sum}");
            }
        }
    }

    #[test]
    fn dot_sums_over_whole_vectors_and_the_rest() {
        let Some(unit) = Unit::detect() else { return };
        for length in [0, 1, 31, 32, 33, 200] {
            let numbers = values((OUTPUTS + TAPS) * length, 4);
            let numbers: Vec<u16> = numbers.into_iter().map(rounded).collect();
            let row = |index: usize| &numbers[index * length..][..length];
            let outputs = std::array::from_fn(row);
            let taps = std::array::from_fn(|t| row(OUTPUTS + t));
            let found = unit.dot(outputs, taps);
            for (found, tap) in found.iter().zip(taps) {
                for (found, output) in found.iter().zip(outputs) {
                    let both = output.iter().zip(tap);
                    let terms: Vec<f64> = both.map(|(a, b)| product(*a, *b)).collect();
                    assert!(is_sum(*found, &terms), "{length}: {found}");
                }
            }
        }
    }

    #[test]
    fn what_is_not_finite_stays_so_and_what_is_tiny_counts_as_nothing() {
        let Some(unit) = Unit::detect() else { return };
        for value in EXTREMES {
            // Times 2, behind 31 zeros.
            let mut row = [0; 32];
            row[31] = rounded(value);
            let two = [rounded(2.0); 32];
            let sums = unit.dot([&row; OUTPUTS], [&two; TAPS]);
            // -0 added to a sum of 0 is 0.
            let expected = 2.0 * widened(rounded(value)) + 0.0;
            for sum in sums.as_flattened() {
                let same = sum.to_bits() == expected.to_bits() || sum.is_nan() && expected.is_nan();
                assert!(same, "{value:e}: {sum:e}");
            }
        }
    }
}
