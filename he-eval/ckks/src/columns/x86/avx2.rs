//! Products in vectors of 256 bits.
#![expect(
    unsafe_code,
    reason = "SIMD intrinsics; each block says why it is sound"
)]

use std::arch::x86_64::{
    __m256i, _mm256_add_epi32, _mm256_and_si256, _mm256_loadu_si256, _mm256_madd_epi16,
    _mm256_set1_epi32, _mm256_setzero_si256, _mm256_srli_epi16, _mm256_storeu_si256,
};

use super::super::{BLOCK, Quad, Sums, layer::CHUNK, operands::Operands};

/// Vectors of eight columns in a block.
const VECTORS: usize = BLOCK / 8;

pub(in super::super) fn available() -> bool {
    is_x86_feature_detected!("avx2")
}

/// See [`super::super::Kernel::product`].
pub(in super::super) fn product(operands: &Operands<'_>, sums: &mut [Sums]) {
    // SAFETY: this kernel is only chosen where `available` said yes
    unsafe { product_avx2(operands, sums) }
}

#[target_feature(enable = "avx2")]
fn product_avx2(operands: &Operands<'_>, sums: &mut [Sums]) {
    let Operands {
        matrix,
        gather,
        planes,
        count,
        quads,
    } = *operands;
    for row in 0..matrix.rows {
        for s in 0..count {
            let mut sum = [_mm256_setzero_si256(); VECTORS];
            for (digit, plane) in operands.digits(s) {
                for (chunk, ids) in gather.quads[..gather.used].chunks(CHUNK).enumerate() {
                    let weights = matrix.row(digit, row, chunk).chunks_exact(4);
                    for (w, &id) in weights.zip(ids) {
                        add_products(w, &quads[id as usize * planes + plane], &mut sum);
                    }
                }
            }
            let to = &mut sums[row * count + s].0;
            for (to, sum) in to.chunks_exact_mut(8).zip(sum) {
                // SAFETY: eight numbers are there
                unsafe { _mm256_storeu_si256(to.as_mut_ptr().cast(), sum) }
            }
        }
    }
}

/// Four products a column: bytes 0 and 2, then 1 and 3, in pairs of 16 bits, which cannot overflow.
#[inline]
#[target_feature(enable = "avx2")]
fn add_products(w: &[i8], quad: &Quad, sum: &mut [__m256i; VECTORS]) {
    let pair = |a: i8, b: i8| {
        let halves =
            u32::from(i16::from(a).cast_unsigned()) | u32::from(i16::from(b).cast_unsigned()) << 16;
        _mm256_set1_epi32(halves.cast_signed())
    };
    let (even, odd) = (pair(w[0], w[2]), pair(w[1], w[3]));
    let low = _mm256_set1_epi32(0x00ff_00ff);
    for (x, sum) in quad.0.chunks_exact(8).zip(sum) {
        // SAFETY: eight columns of four bytes are there
        let x = unsafe { _mm256_loadu_si256(x.as_ptr().cast()) };
        let evens = _mm256_madd_epi16(_mm256_and_si256(x, low), even);
        let odds = _mm256_madd_epi16(_mm256_srli_epi16::<8>(x), odd);
        *sum = _mm256_add_epi32(*sum, _mm256_add_epi32(evens, odds));
    }
}
