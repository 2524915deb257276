//! The loops of [`super`] in vectors of eight, with 52-bit multiply-adds.
#![expect(
    unsafe_code,
    reason = "SIMD intrinsics; every function checks its lengths and the caller the processor"
)]

use std::arch::x86_64::{
    __m512i, _mm_cvtsi64_si128, _mm512_add_epi64, _mm512_and_si512, _mm512_cmpgt_epu64_mask,
    _mm512_loadu_si512, _mm512_madd52hi_epu64, _mm512_madd52lo_epu64, _mm512_mask_add_epi64,
    _mm512_min_epu64, _mm512_or_si512, _mm512_permutexvar_epi64, _mm512_set1_epi64,
    _mm512_setr_epi64, _mm512_setzero_si512, _mm512_sll_epi64, _mm512_srl_epi64, _mm512_srli_epi64,
    _mm512_storeu_si512, _mm512_sub_epi64,
};

use crate::{
    modulus::{Factor, Modulus, WORD},
    twist::{Factors, Source, Twist},
};

/// Words in a vector.
const LANES: usize = 8;

/// See [`super::fold`]: pairs 1 … in whole vectors.
pub(super) fn fold(m: &Modulus, twist: &Twist, from: &[u64], source: Source, to: &mut [u64]) {
    // SAFETY: the caller found AVX-512 IFMA
    unsafe { fold_ifma(m, twist, from, source, to) }
}

/// See [`super::unfold`]: pairs 1 … in whole vectors.
pub(super) fn unfold(m: &Modulus, twist: &Twist, from: &[u64], to: &mut [u64]) {
    // SAFETY: the caller found AVX-512 IFMA
    unsafe { unfold_ifma(m, twist, from, to) }
}

/// See [`super::dot`]: whole vectors.
pub(super) fn dot(m: &Modulus, terms: &[(&[u64], &[u64])], sum: &mut [u64]) {
    // SAFETY: the caller found AVX-512 IFMA
    unsafe { dot_ifma(m, terms, sum) }
}

/// See [`super::subtract_scale`]: whole vectors.
pub(super) fn subtract_scale(m: &Modulus, a: &mut [u64], b: &[u64], w: Factor) {
    // SAFETY: the caller found AVX-512 IFMA
    unsafe { subtract_scale_ifma(m, a, b, w) }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn all(x: u64) -> __m512i {
    _mm512_set1_epi64(x as i64)
}

#[inline]
#[target_feature(enable = "avx512f")]
fn load(from: &[u64], at: usize) -> __m512i {
    let words = &from[at..at + LANES];
    // SAFETY: eight words are there
    unsafe { _mm512_loadu_si512(words.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn store(to: &mut [u64], at: usize, x: __m512i) {
    let words = &mut to[at..at + LANES];
    // SAFETY: eight words are there
    unsafe { _mm512_storeu_si512(words.as_mut_ptr().cast(), x) }
}

/// The vector back to front.
#[inline]
#[target_feature(enable = "avx512f")]
fn reversed(x: __m512i) -> __m512i {
    _mm512_permutexvar_epi64(_mm512_setr_epi64(7, 6, 5, 4, 3, 2, 1, 0), x)
}

/// [`Modulus::once`].
#[inline]
#[target_feature(enable = "avx512f")]
fn once(x: __m512i, q: __m512i) -> __m512i {
    _mm512_min_epu64(x, _mm512_sub_epi64(x, q))
}

/// [`Modulus::mul_lazy`] with factors `value` and `quotient`.
#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
fn mul_lazy(a: __m512i, value: __m512i, quotient: __m512i, q: __m512i) -> __m512i {
    let zero = _mm512_setzero_si512();
    let estimate = _mm512_madd52hi_epu64(zero, a, quotient);
    let product = _mm512_madd52lo_epu64(zero, a, value);
    let multiple = _mm512_madd52lo_epu64(zero, estimate, q);
    // both are known modulo 2^52 only, and so is the difference, which is below 2q
    _mm512_and_si512(_mm512_sub_epi64(product, multiple), all((1 << WORD) - 1))
}

#[inline]
#[target_feature(enable = "avx512f,avx512ifma")]
fn mul_factors(a: __m512i, factors: &Factors, at: usize, q: __m512i) -> __m512i {
    mul_lazy(
        a,
        load(&factors.values, at),
        load(&factors.quotients, at),
        q,
    )
}

#[target_feature(enable = "avx512f,avx512ifma")]
fn fold_ifma(m: &Modulus, twist: &Twist, from: &[u64], source: Source, to: &mut [u64]) {
    let n = from.len();
    let q = all(m.q);
    let double = all(2 * m.q);
    let (unit, unit_quotient) = (all(twist.unit.value), all(twist.unit.quotient));
    let ratio = all(m.word_ratio);
    let (half, correction) = (all(source.half), all(source.correction));
    let read = |x: __m512i| {
        let zero = _mm512_setzero_si512();
        let quotient = _mm512_madd52hi_epu64(zero, x, ratio);
        let reduced = _mm512_sub_epi64(x, _mm512_madd52lo_epu64(zero, quotient, q));
        let negative = _mm512_cmpgt_epu64_mask(x, half);
        _mm512_mask_add_epi64(reduced, negative, reduced, correction)
    };
    for j in (1..n / 2 - (LANES - 1)).step_by(LANES) {
        let mirror = n - j - (LANES - 1);
        let low = read(load(from, j));
        let high = read(reversed(load(from, mirror)));
        let turned = mul_lazy(high, unit, unit_quotient, q);
        let difference = _mm512_sub_epi64(_mm512_add_epi64(low, double), turned);
        let sum = _mm512_add_epi64(low, turned);
        store(to, j, once(mul_factors(difference, &twist.low, j, q), q));
        let high = once(mul_factors(sum, &twist.high, j, q), q);
        store(to, mirror, reversed(high));
    }
}

#[target_feature(enable = "avx512f,avx512ifma")]
fn unfold_ifma(m: &Modulus, twist: &Twist, from: &[u64], to: &mut [u64]) {
    let n = from.len();
    let q = all(m.q);
    let double = all(2 * m.q);
    let (unit, unit_quotient) = (all(twist.unit.value), all(twist.unit.quotient));
    for j in (1..n / 2 - (LANES - 1)).step_by(LANES) {
        let mirror = n - j - (LANES - 1);
        let low = mul_factors(load(from, j), &twist.low, j, q);
        let high = mul_factors(reversed(load(from, mirror)), &twist.high, j, q);
        let sum = _mm512_add_epi64(low, high);
        store(to, j, once(once(sum, double), q));
        let difference = _mm512_sub_epi64(_mm512_add_epi64(low, double), high);
        let high = once(mul_lazy(difference, unit, unit_quotient, q), q);
        store(to, mirror, reversed(high));
    }
}

#[target_feature(enable = "avx512f,avx512ifma")]
fn dot_ifma(m: &Modulus, terms: &[(&[u64], &[u64])], sum: &mut [u64]) {
    let q = all(m.q);
    let double = all(2 * m.q);
    let ratio = all(m.ratio);
    let mask = all((1 << WORD) - 1);
    let right = _mm_cvtsi64_si128(i64::from(m.shift));
    let left = _mm_cvtsi64_si128(i64::from(WORD - m.shift));
    let zero = _mm512_setzero_si512();
    for j in (0..sum.len() / LANES * LANES).step_by(LANES) {
        let (mut low, mut high) = (zero, zero);
        for (a, b) in terms {
            let (a, b) = (load(a, j), load(b, j));
            low = _mm512_madd52lo_epu64(low, a, b);
            high = _mm512_madd52hi_epu64(high, a, b);
        }
        // the carries of the low halves
        high = _mm512_add_epi64(high, _mm512_srli_epi64::<WORD>(low));
        low = _mm512_and_si512(low, mask);
        let shifted = _mm512_or_si512(_mm512_sll_epi64(high, left), _mm512_srl_epi64(low, right));
        let quotient = _mm512_madd52hi_epu64(zero, shifted, ratio);
        let multiple = _mm512_madd52lo_epu64(zero, quotient, q);
        let rest = _mm512_and_si512(_mm512_sub_epi64(low, multiple), mask);
        let rest = once(once(rest, double), q);
        store(sum, j, once(_mm512_add_epi64(load(sum, j), rest), q));
    }
}

#[target_feature(enable = "avx512f,avx512ifma")]
fn subtract_scale_ifma(m: &Modulus, a: &mut [u64], b: &[u64], w: Factor) {
    let q = all(m.q);
    let (value, quotient) = (all(w.value), all(w.quotient));
    for j in (0..a.len() / LANES * LANES).step_by(LANES) {
        let difference = _mm512_sub_epi64(_mm512_add_epi64(load(a, j), q), load(b, j));
        store(a, j, once(mul_lazy(difference, value, quotient, q), q));
    }
}
