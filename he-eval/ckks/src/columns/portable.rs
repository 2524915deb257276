//! The inner loops in plain Rust.

use super::{BLOCK, Planes, Quad, Row, Sums, layer::CHUNK, operands::Operands};
use crate::modulus::{Modulus, WORD};

/// See [`super::Kernel::multiply`].
pub(super) fn multiply(m: &Modulus, a: &Row, b: &Row, double: bool, to: &mut Row) {
    for (to, (&a, &b)) in to.iter_mut().zip(a.iter().zip(b)) {
        let product = m.mul(a, b);
        *to = if double {
            m.add(product, product)
        } else {
            product
        };
    }
}

/// See [`super::Kernel::split`].
pub(super) fn split(words: &Row, to: &mut Planes) {
    for (column, word) in words.iter().enumerate() {
        for (plane, byte) in to.0.iter_mut().zip(word.to_le_bytes()) {
            plane[column] = byte;
        }
    }
}

/// See [`super::Kernel::interleave`].
pub(super) fn interleave(values: [&Planes; 4], to: &mut [Quad]) {
    for (plane, quad) in to.iter_mut().enumerate() {
        for (column, bytes) in quad.0.iter_mut().enumerate() {
            *bytes = values.map(|value| value.0[plane][column]);
        }
    }
}

/// See [`super::Kernel::product`].
pub(super) fn product(operands: &Operands<'_>, sums: &mut [Sums]) {
    let Operands {
        matrix,
        gather,
        planes,
        count,
        quads,
    } = *operands;
    for row in 0..matrix.rows {
        for s in 0..count {
            let mut sum = [0; BLOCK];
            for (digit, plane) in operands.digits(s) {
                for (chunk, ids) in gather.quads[..gather.used].chunks(CHUNK).enumerate() {
                    let weights = matrix.row(digit, row, chunk).chunks_exact(4);
                    for (w, &id) in weights.zip(ids) {
                        if w == [0; 4] {
                            continue;
                        }
                        let quad = &quads[id as usize * planes + plane].0;
                        for (sum, x) in sum.iter_mut().zip(quad) {
                            let products = w.iter().zip(x);
                            *sum += products
                                .map(|(&w, &x)| i32::from(w) * i32::from(x))
                                .sum::<i32>();
                        }
                    }
                }
            }
            sums[row * count + s] = Sums(sum);
        }
    }
}

/// See [`super::Kernel::combine`].
pub(super) fn combine(m: &Modulus, bits: u32, sums: &[Sums], bias: u64, to: &mut Row) {
    let reduction = Reduction::new(m);
    for (column, to) in to.iter_mut().enumerate() {
        let part = |sums: &[Sums]| {
            sums.iter()
                .rev()
                .fold(0i64, |value, sum| (value << 8) + i64::from(sum.0[column]))
        };
        let value = if fits(bits, sums.len()) {
            reduction.lazy(m, part(sums))
        } else {
            let (low, high) = sums.split_at(HALF);
            let high = m.mul_lazy(reduction.lazy(m, part(high)), reduction.half);
            // below 5q
            reduction.lazy(m, part(low)) + high
        };
        // below 6q, and 8q is below 2^52
        let value = value + bias;
        let value = value.min(value.wrapping_sub(4 * m.q));
        *to = m.twice(value);
    }
}

/// Sums that make the lower half where one word does not hold all.
pub(super) const HALF: usize = 4;

/// Whether `count` sums of so many bits, put together, stay below 2^58.
pub(super) fn fits(bits: u32, count: usize) -> bool {
    8 * (count as u32 - 1) + bits < 58
}

/// Constants for reducing signed words below 2^58.
#[derive(Clone, Copy)]
pub(super) struct Reduction {
    /// A multiple of the prime, at least 2^58, that makes them positive.
    pub offset: u64,
    /// `⌊2^(52 + 8) / q⌋`.
    pub ratio: u64,
    /// `2^32` modulo the prime.
    pub half: crate::modulus::Factor,
}

/// Bits dropped before the quotient is estimated: what is left of a 60-bit number fits in 52.
pub(super) const SHIFT: u32 = 8;

impl Reduction {
    pub fn new(m: &Modulus) -> Self {
        Self {
            offset: (1u64 << 58).next_multiple_of(m.q),
            ratio: ((1u128 << (WORD + SHIFT)) / u128::from(m.q)) as u64,
            half: m.factor((1u64 << 32) % m.q),
        }
    }

    /// The residue of `value`, below 3q: the quotient's two roundings lose less than one each.
    pub fn lazy(&self, m: &Modulus, value: i64) -> u64 {
        let value = self.offset.wrapping_add_signed(value);
        let quotient = (u128::from(value >> SHIFT) * u128::from(self.ratio)) >> WORD;
        value.wrapping_sub((quotient as u64).wrapping_mul(m.q))
    }
}
