//! All inner loops in vectors of 512 bits: VNNI for products of bytes, VBMI for moving them, IFMA for
//! arithmetic modulo the prime.
#![expect(
    unsafe_code,
    reason = "SIMD intrinsics; each block says why it is sound"
)]
#![expect(
    clippy::cast_ptr_alignment,
    reason = "these loads and stores ask for no alignment"
)]

use std::arch::x86_64::{
    __m256i, __m512i, _mm_cvtsi64_si128, _mm256_loadu_si256, _mm512_add_epi64, _mm512_and_si512,
    _mm512_cvtepi32_epi64, _mm512_dpbusd_epi32, _mm512_loadu_si512, _mm512_madd52hi_epu64,
    _mm512_madd52lo_epu64, _mm512_min_epu64, _mm512_or_si512, _mm512_permutex2var_epi32,
    _mm512_permutex2var_epi64, _mm512_permutexvar_epi8, _mm512_set1_epi32, _mm512_set1_epi64,
    _mm512_setzero_si512, _mm512_shuffle_i64x2, _mm512_sll_epi64, _mm512_slli_epi64,
    _mm512_srl_epi64, _mm512_srli_epi64, _mm512_storeu_si512, _mm512_sub_epi64,
    _mm512_unpackhi_epi8, _mm512_unpackhi_epi16, _mm512_unpacklo_epi8, _mm512_unpacklo_epi16,
};

use super::super::{
    BLOCK, Planes, Quad, Row, Sums,
    layer::CHUNK,
    operands::Operands,
    portable::{HALF, Reduction, SHIFT, fits},
};
use crate::modulus::{Modulus, WORD};

pub(in super::super) fn available() -> bool {
    is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512vnni")
        && is_x86_feature_detected!("avx512vbmi")
        && is_x86_feature_detected!("avx512ifma")
}

/// See [`super::super::Kernel::multiply`].
pub(in super::super) fn multiply(m: &Modulus, a: &Row, b: &Row, double: bool, to: &mut Row) {
    // SAFETY: this kernel is only chosen where `available` said yes; so in all functions below
    unsafe { multiply_avx512(m, a, b, double, to) }
}

/// See [`super::super::Kernel::split`].
pub(in super::super) fn split(words: &Row, to: &mut Planes) {
    // SAFETY: see `multiply`
    unsafe { split_avx512(words, to) }
}

/// See [`super::super::Kernel::interleave`].
pub(in super::super) fn interleave(values: [&Planes; 4], to: &mut [Quad]) {
    // SAFETY: see `multiply`
    unsafe { interleave_avx512(values, to) }
}

/// See [`super::super::Kernel::product`].
pub(in super::super) fn product(operands: &Operands<'_>, sums: &mut [Sums]) {
    // SAFETY: see `multiply`
    unsafe { product_avx512(operands, sums) }
}

/// See [`super::super::Kernel::combine`].
pub(in super::super) fn combine(m: &Modulus, bits: u32, sums: &[Sums], bias: u64, to: &mut Row) {
    // SAFETY: see `multiply`
    unsafe { combine_avx512(m, bits, sums, bias, to) }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn all(x: u64) -> __m512i {
    _mm512_set1_epi64(x.cast_signed())
}

#[inline]
#[target_feature(enable = "avx512f")]
fn load<T>(from: &[T; 8]) -> __m512i {
    const { assert!(size_of::<T>() == 8) }
    // SAFETY: 64 bytes are there
    unsafe { _mm512_loadu_si512(from.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn store(to: &mut [u64; 8], x: __m512i) {
    // SAFETY: 64 bytes are there
    unsafe { _mm512_storeu_si512(to.as_mut_ptr().cast(), x) }
}

/// [`Modulus::once`].
#[inline]
#[target_feature(enable = "avx512f")]
fn once(x: __m512i, q: __m512i) -> __m512i {
    _mm512_min_epu64(x, _mm512_sub_epi64(x, q))
}

#[target_feature(enable = "avx512f,avx512ifma")]
fn multiply_avx512(m: &Modulus, a: &Row, b: &Row, double: bool, to: &mut Row) {
    let (q, twice, ratio) = (all(m.q), all(2 * m.q), all(m.ratio));
    let mask = all((1 << WORD) - 1);
    let right = _mm_cvtsi64_si128(i64::from(m.shift));
    let left = _mm_cvtsi64_si128(i64::from(WORD - m.shift));
    let zero = _mm512_setzero_si512();
    let (a, _) = a.as_chunks::<8>();
    let (b, _) = b.as_chunks::<8>();
    let (to, _) = to.as_chunks_mut::<8>();
    for (to, (a, b)) in to.iter_mut().zip(a.iter().zip(b)) {
        let (a, b) = (load(a), load(b));
        let low = _mm512_madd52lo_epu64(zero, a, b);
        let high = _mm512_madd52hi_epu64(zero, a, b);
        let shifted = _mm512_or_si512(_mm512_sll_epi64(high, left), _mm512_srl_epi64(low, right));
        let quotient = _mm512_madd52hi_epu64(zero, shifted, ratio);
        let multiple = _mm512_madd52lo_epu64(zero, quotient, q);
        let rest = _mm512_and_si512(_mm512_sub_epi64(low, multiple), mask);
        let mut product = once(once(rest, twice), q);
        if double {
            product = once(_mm512_add_epi64(product, product), q);
        }
        store(to, product);
    }
}

/// Bytes `8 k + p` for k = 0 … 7: plane p of eight words; planes follow one another.
const BY_PLANE: [u8; 64] = {
    let mut index = [0; 64];
    let mut i = 0;
    while i < 64 {
        index[i] = (8 * (i % 8) + i / 8) as u8;
        i += 1;
    }
    index
};

/// Four bytes of a plane each from the first and the second operand, four planes at a time: the lower
/// fours of both, then the upper fours of both.
const FOURS: [[u32; 16]; 2] = {
    let mut index = [[0; 16]; 2];
    let mut i = 0;
    while i < 16 {
        let (plane, half, operand) = (i / 4, i / 2 % 2, i % 2);
        index[0][i] = (16 * operand + 2 * plane + half) as u32;
        index[1][i] = index[0][i] + 8;
        i += 1;
    }
    index
};

/// Two planes from the lower and the upper half of the columns: `[half of fours][operand]`.
const PLANES: [[u64; 8]; 2] = {
    let mut index = [[0; 8]; 2];
    let mut i = 0;
    while i < 8 {
        let (plane, half, operand) = (i / 4, i / 2 % 2, i % 2);
        index[0][i] = (8 * operand + 2 * plane + half) as u64;
        index[1][i] = index[0][i] + 4;
        i += 1;
    }
    index
};

/// The columns of a plane come in the order 0–3, 8–11, 16–19, 24–27, 4–7, 12–15, 20–23, 28–31, so that
/// the unpacking in `interleave`, which works on 16 bytes at a time, puts them in order.
#[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
fn split_avx512(words: &Row, to: &mut Planes) {
    // SAFETY: 64 bytes are there
    let by_plane = unsafe { _mm512_loadu_si512(BY_PLANE.as_ptr().cast()) };
    // SAFETY: 64 bytes are there
    let fours = FOURS.map(|index| unsafe { _mm512_loadu_si512(index.as_ptr().cast()) });
    let planes = [load(&PLANES[0]), load(&PLANES[1])];
    let (words, _) = words.as_chunks::<8>();
    let bytes = [0, 1, 2, 3].map(|i| _mm512_permutexvar_epi8(by_plane, load(&words[i])));
    let mut at = to.0.as_mut_ptr().cast::<__m512i>();
    for four in fours {
        let low = _mm512_permutex2var_epi32(bytes[0], four, bytes[1]);
        let high = _mm512_permutex2var_epi32(bytes[2], four, bytes[3]);
        for pair in planes {
            // SAFETY: the planes are four times 64 bytes, aligned
            unsafe {
                at.write(_mm512_permutex2var_epi64(low, pair, high));
                at = at.add(1);
            }
        }
    }
}

#[target_feature(enable = "avx512f,avx512bw")]
fn interleave_avx512(values: [&Planes; 4], to: &mut [Quad]) {
    for (pair, to) in to.chunks_mut(2).enumerate() {
        // SAFETY: two planes, 64 bytes, of four pairs are there
        let [a, b, c, d] = values.map(|value| unsafe {
            _mm512_loadu_si512(value.0.as_ptr().cast::<__m512i>().add(pair))
        });
        let (ab, cd) = (_mm512_unpacklo_epi8(a, b), _mm512_unpacklo_epi8(c, d));
        let first = _mm512_unpacklo_epi16(ab, cd);
        let second = _mm512_unpackhi_epi16(ab, cd);
        let (ab, cd) = (_mm512_unpackhi_epi8(a, b), _mm512_unpackhi_epi8(c, d));
        let third = _mm512_unpacklo_epi16(ab, cd);
        let fourth = _mm512_unpackhi_epi16(ab, cd);
        // the lower two lanes are the first plane, the upper two the second
        write(
            &mut to[0],
            _mm512_shuffle_i64x2::<0b01_00_01_00>(first, second),
            _mm512_shuffle_i64x2::<0b01_00_01_00>(third, fourth),
        );
        if let Some(to) = to.get_mut(1) {
            write(
                to,
                _mm512_shuffle_i64x2::<0b11_10_11_10>(first, second),
                _mm512_shuffle_i64x2::<0b11_10_11_10>(third, fourth),
            );
        }
    }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn write(to: &mut Quad, low: __m512i, high: __m512i) {
    let to = to.0.as_mut_ptr().cast::<__m512i>();
    // SAFETY: a quad is 128 bytes
    unsafe {
        _mm512_storeu_si512(to, low);
        _mm512_storeu_si512(to.add(1), high);
    }
}

/// Rows whose sums are held in registers, two for each.
const HELD: usize = 8;

#[target_feature(enable = "avx512f,avx512vnni")]
fn product_avx512(operands: &Operands<'_>, sums: &mut [Sums]) {
    let Operands {
        matrix,
        gather,
        planes,
        count,
        quads,
    } = *operands;
    for row in (0..matrix.rows).step_by(HELD) {
        for s in 0..count {
            let mut held = [[_mm512_setzero_si512(); 2]; HELD];
            for (digit, plane) in operands.digits(s) {
                for (chunk, ids) in gather.quads[..gather.used].chunks(CHUNK).enumerate() {
                    let weights: [&[i8]; HELD] =
                        std::array::from_fn(|i| matrix.row(digit, row + i, chunk));
                    for (at, &id) in ids.iter().enumerate() {
                        let quad = quads[id as usize * planes + plane].0.as_ptr();
                        // SAFETY: a quad is 128 bytes
                        let (low, high) = unsafe {
                            (
                                _mm512_loadu_si512(quad.cast()),
                                _mm512_loadu_si512(quad.cast::<__m512i>().add(1)),
                            )
                        };
                        for (held, weights) in held.iter_mut().zip(weights) {
                            let four = weights[4 * at..4 * at + 4].as_ptr().cast::<i32>();
                            // SAFETY: four bytes are there
                            let w = _mm512_set1_epi32(unsafe { four.read_unaligned() });
                            held[0] = _mm512_dpbusd_epi32(held[0], low, w);
                            held[1] = _mm512_dpbusd_epi32(held[1], high, w);
                        }
                    }
                }
            }
            for (i, held) in held.into_iter().enumerate() {
                let to = sums[(row + i) * count + s].0.as_mut_ptr();
                // SAFETY: sums are 128 bytes
                unsafe {
                    _mm512_storeu_si512(to.cast(), held[0]);
                    _mm512_storeu_si512(to.cast::<__m512i>().add(1), held[1]);
                }
            }
        }
    }
}

#[target_feature(enable = "avx512f,avx512ifma")]
fn combine_avx512(m: &Modulus, bits: u32, sums: &[Sums], bias: u64, to: &mut Row) {
    let reduction = Reduction::new(m);
    let whole = fits(bits, sums.len());
    let q = all(m.q);
    let (twice, four) = (all(2 * m.q), all(4 * m.q));
    let (offset, ratio) = (all(reduction.offset), all(reduction.ratio));
    let (half, half_quotient) = (all(reduction.half.value), all(reduction.half.quotient));
    let mask = all((1 << WORD) - 1);
    let bias = all(bias);
    let zero = _mm512_setzero_si512();
    let (to, _) = to.as_chunks_mut::<8>();
    for (eight, to) in to.iter_mut().enumerate() {
        let part = |sums: &[Sums]| {
            sums.iter().rev().fold(zero, |value, sum| {
                // SAFETY: eight of the 32 sums are there
                let next: __m256i =
                    unsafe { _mm256_loadu_si256(sum.0.as_ptr().add(8 * eight).cast()) };
                _mm512_add_epi64(_mm512_slli_epi64::<8>(value), _mm512_cvtepi32_epi64(next))
            })
        };
        // `Reduction::lazy`
        let lazy = |value: __m512i| {
            let value = _mm512_add_epi64(value, offset);
            let quotient = _mm512_madd52hi_epu64(zero, _mm512_srli_epi64::<SHIFT>(value), ratio);
            let multiple = _mm512_madd52lo_epu64(zero, quotient, q);
            _mm512_and_si512(_mm512_sub_epi64(value, multiple), mask)
        };
        let value = if whole {
            lazy(part(sums))
        } else {
            let (low, high) = sums.split_at(HALF);
            let high = lazy(part(high));
            let estimate = _mm512_madd52hi_epu64(zero, high, half_quotient);
            let product = _mm512_madd52lo_epu64(zero, high, half);
            let multiple = _mm512_madd52lo_epu64(zero, estimate, q);
            let high = _mm512_and_si512(_mm512_sub_epi64(product, multiple), mask);
            _mm512_add_epi64(lazy(part(low)), high)
        };
        let value = _mm512_add_epi64(value, bias);
        store(to, once(once(once(value, four), twice), q));
    }
}

const _: () = assert!(BLOCK == 32, "the loops above take four vectors of words");
