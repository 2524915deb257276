//! Loops over residues: one portable version of each, and one for AVX-512 IFMA where there is any.
//!
//! All results are reduced, so both versions give the same numbers (tested on random and extreme
//! operands).

#[cfg(target_arch = "x86_64")]
mod ifma;

use crate::{
    modulus::Modulus,
    twist::{Source, Twist},
};

/// Whether the 52-bit multiply-add units are there.
pub(crate) fn has_ifma() -> bool {
    #[cfg(target_arch = "x86_64")]
    {
        is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512ifma")
    }
    #[cfg(not(target_arch = "x86_64"))]
    {
        false
    }
}

/// Coefficients on their way into the negacyclic transform; see [`crate::ring`].
pub(crate) fn fold(m: &Modulus, twist: &Twist, from: &[u64], source: Source, to: &mut [u64]) {
    let n = from.len();
    assert!(to.len() == n && twist.low.values.len() == n / 2);
    let done = if has_ifma() {
        #[cfg(target_arch = "x86_64")]
        ifma::fold(m, twist, from, source, to);
        // whole vectors of pairs, from pair 1 on
        1 + (n / 2 - 1) / 8 * 8
    } else {
        1
    };
    let load = |x: u64| read(m, source, x);
    to[0] = m.once(m.mul_lazy(load(from[0]), twist.first));
    to[n / 2] = m.once(m.mul_lazy(load(from[n / 2]), twist.middle));
    for j in done..n / 2 {
        let low = load(from[j]);
        let turned = m.mul_lazy(load(from[n - j]), twist.unit);
        to[j] = m.once(m.mul_lazy(low + 2 * m.q - turned, twist.low.get(j)));
        to[n - j] = m.once(m.mul_lazy(low + turned, twist.high.get(j)));
    }
}

/// A residue of another prime as a number below 3q; see [`Source`].
#[inline(always)]
fn read(m: &Modulus, source: Source, x: u64) -> u64 {
    let quotient = ((u128::from(x) * u128::from(m.word_ratio)) >> crate::modulus::WORD) as u64;
    let reduced = x - quotient * m.q;
    if x > source.half {
        reduced + source.correction
    } else {
        reduced
    }
}

/// Coefficients on their way out of the negacyclic transform; see [`crate::ring`].
pub(crate) fn unfold(m: &Modulus, twist: &Twist, from: &[u64], to: &mut [u64]) {
    let n = from.len();
    assert!(to.len() == n && twist.low.values.len() == n / 2);
    let done = if has_ifma() {
        #[cfg(target_arch = "x86_64")]
        ifma::unfold(m, twist, from, to);
        1 + (n / 2 - 1) / 8 * 8
    } else {
        1
    };
    to[0] = m.once(m.mul_lazy(from[0], twist.first));
    to[n / 2] = m.once(m.mul_lazy(from[n / 2], twist.middle));
    for j in done..n / 2 {
        let low = m.mul_lazy(from[j], twist.low.get(j));
        let high = m.mul_lazy(from[n - j], twist.high.get(j));
        to[j] = m.twice(low + high);
        to[n - j] = m.once(m.mul_lazy(low + 2 * m.q - high, twist.unit));
    }
}

/// `sum[j] += Σ_i a_i[j] · b_i[j]`, everything reduced.
pub(crate) fn dot(m: &Modulus, terms: &[(&[u64], &[u64])], sum: &mut [u64]) {
    for (a, b) in terms {
        assert!(a.len() == sum.len() && b.len() == sum.len());
    }
    // so many products fit below 2^(52 + shift)
    let most = 1usize << (51 - m.bits()).min(10);
    for terms in terms.chunks(most) {
        let done = if has_ifma() {
            #[cfg(target_arch = "x86_64")]
            ifma::dot(m, terms, sum);
            sum.len() / 8 * 8
        } else {
            0
        };
        for j in done..sum.len() {
            let products = terms
                .iter()
                .map(|(a, b)| u128::from(a[j]) * u128::from(b[j]));
            sum[j] = m.add(sum[j], m.reduce_wide(products.sum()));
        }
    }
}

/// `a[j] = (a[j] - b[j]) · w`.
pub(crate) fn subtract_scale(m: &Modulus, a: &mut [u64], b: &[u64], w: u64) {
    assert_eq!(a.len(), b.len());
    let w = m.factor(w);
    let done = if has_ifma() {
        #[cfg(target_arch = "x86_64")]
        ifma::subtract_scale(m, a, b, w);
        a.len() / 8 * 8
    } else {
        0
    };
    for (a, b) in a.iter_mut().zip(b).skip(done) {
        *a = m.once(m.mul_lazy(*a + m.q - b, w));
    }
}

/// `a[j] += b[j]`.
pub(crate) fn add(m: &Modulus, a: &mut [u64], b: &[u64]) {
    for (a, b) in a.iter_mut().zip(b) {
        *a = m.add(*a, *b);
    }
}

/// `a[j] *= w`.
pub(crate) fn scale(m: &Modulus, a: &mut [u64], w: u64) {
    let w = m.factor(w);
    for a in a {
        *a = m.once(m.mul_lazy(*a, w));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{modulus::primes, ring::Ring};
    use rand::Rng;

    /// The transforms are checked against polynomials in `ring`; here: against wide integers.
    #[test]
    fn sums_of_products_equal_those_of_wide_integers() {
        let mut rng = rand::rng();
        for bits in [20, 40, 48, 49] {
            let q = primes(bits, 64, 1, &[]).unwrap()[0];
            let m = Modulus::new(q);
            for (count, n) in [(1, 5), (3, 16), (9, 37)] {
                let mut row = |extreme: bool| -> Vec<u64> {
                    (0..n)
                        .map(|_| {
                            if extreme {
                                q - 1
                            } else {
                                rng.random_range(0..q)
                            }
                        })
                        .collect()
                };
                for extreme in [false, true] {
                    let a: Vec<Vec<u64>> = (0..count).map(|_| row(extreme)).collect();
                    let b: Vec<Vec<u64>> = (0..count).map(|_| row(extreme)).collect();
                    let start = row(extreme);
                    let terms: Vec<(&[u64], &[u64])> = a
                        .iter()
                        .zip(&b)
                        .map(|(a, b)| (a.as_slice(), b.as_slice()))
                        .collect();
                    let mut sum = start.clone();
                    dot(&m, &terms, &mut sum);
                    for j in 0..n {
                        let mut wide = u128::from(start[j]);
                        for i in 0..count {
                            wide += u128::from(a[i][j]) * u128::from(b[i][j]);
                        }
                        assert_eq!(u128::from(sum[j]), wide % u128::from(q));
                    }
                    let w = start[0];
                    let mut difference = start.clone();
                    subtract_scale(&m, &mut difference, &a[0], w);
                    for j in 0..n {
                        assert_eq!(difference[j], m.mul(m.sub(start[j], a[0][j]), w));
                    }
                }
            }
        }
    }

    #[test]
    fn extreme_coefficients_survive_the_transform() {
        let n = 64;
        for bits in [20, 40, 49] {
            let q = primes(bits, 4 * n as u64, 1, &[]).unwrap()[0];
            let ring = Ring::new(n, q);
            let a = vec![q - 1; n];
            let (mut values, mut back) = (vec![0; n], vec![0; n]);
            ring.forward(&a, &mut values);
            assert!(values.iter().all(|&v| v < q));
            ring.backward(&mut values, &mut back);
            assert_eq!(back, a);
        }
    }
}
