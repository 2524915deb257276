//! Arithmetic modulo a prime below 2^49.
//!
//! Products are reduced after Barrett with 52-bit quotients, so that the portable code and the
//! 52-bit multiply-add units of AVX-512 IFMA use the very same constants.

/// Width of the multiply-add units.
pub(crate) const WORD: u32 = 52;

/// A prime modulus with what its reductions need.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Modulus {
    /// The prime.
    pub(crate) q: u64,
    /// `bits - 1`: how far a product is shifted before the quotient is estimated.
    pub(crate) shift: u32,
    /// `⌊2^(52 + shift) / q⌋`, below 2^52.
    pub(crate) ratio: u64,
    /// `⌊2^52 / q⌋`, for values below 2^52.
    pub(crate) word_ratio: u64,
}

/// A constant factor `w` with `⌊w · 2^52 / q⌋` beside it (Shoup's trick).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Factor {
    pub value: u64,
    pub quotient: u64,
}

impl Modulus {
    /// Prepares the prime `q`, `2^19 < q < 2^49`.
    pub(crate) fn new(q: u64) -> Self {
        assert!(
            (1 << 19..1 << 49).contains(&q),
            "primes have 20 to 49 bits, but {q} was given"
        );
        let shift = u64::BITS - q.leading_zeros() - 1;
        Self {
            q,
            shift,
            ratio: ((1u128 << (WORD + shift)) / u128::from(q)) as u64,
            word_ratio: (1 << WORD) / q,
        }
    }

    /// The prime.
    pub fn value(&self) -> u64 {
        self.q
    }

    /// Bits of the prime.
    pub fn bits(&self) -> u32 {
        self.shift + 1
    }

    /// `a + b` for reduced operands.
    #[inline(always)]
    pub(crate) fn add(&self, a: u64, b: u64) -> u64 {
        self.once(a + b)
    }

    /// `a - b` for reduced operands.
    #[inline(always)]
    pub(crate) fn sub(&self, a: u64, b: u64) -> u64 {
        self.once(a + self.q - b)
    }

    /// `-a` for a reduced operand.
    #[inline(always)]
    pub(crate) fn neg(&self, a: u64) -> u64 {
        self.once(self.q - a)
    }

    /// Subtracts `q` if that leaves a non-negative number; for `a < 2q`.
    #[inline(always)]
    pub(crate) fn once(&self, a: u64) -> u64 {
        // a negative difference wraps around to a huge number
        a.min(a.wrapping_sub(self.q))
    }

    /// Reduces `a < 4q`.
    #[inline(always)]
    pub(crate) fn twice(&self, a: u64) -> u64 {
        self.once(a.min(a.wrapping_sub(2 * self.q)))
    }

    /// `x mod q` for `x` below `2^(52 + shift)`.
    ///
    /// The estimated quotient falls short of the true one by less than 3, one each for the two
    /// shifts and the rounded ratio, so the remainder is below 4q.
    #[inline(always)]
    pub(crate) fn reduce_wide(&self, x: u128) -> u64 {
        let high = (x >> self.shift) as u64;
        let quotient = ((u128::from(high) * u128::from(self.ratio)) >> WORD) as u64;
        self.twice((x as u64).wrapping_sub(quotient.wrapping_mul(self.q)))
    }

    /// `x mod q` for any word.
    pub(crate) fn reduce(&self, x: u64) -> u64 {
        x % self.q
    }

    /// `x mod q` for a signed word.
    #[inline(always)]
    pub(crate) fn reduce_signed(&self, x: i64) -> u64 {
        if x.unsigned_abs() < self.q {
            // most numbers are small, and a division takes as long as twenty additions
            x.wrapping_add((x >> 63) & self.q as i64) as u64
        } else {
            x.rem_euclid(self.q as i64) as u64
        }
    }

    /// `a · b` for reduced operands.
    #[inline(always)]
    pub(crate) fn mul(&self, a: u64, b: u64) -> u64 {
        self.reduce_wide(u128::from(a) * u128::from(b))
    }

    /// `a^exponent`.
    pub(crate) fn pow(&self, a: u64, mut exponent: u64) -> u64 {
        let (mut power, mut result) = (a, 1);
        while exponent > 0 {
            if exponent & 1 == 1 {
                result = self.mul(result, power);
            }
            power = self.mul(power, power);
            exponent >>= 1;
        }
        result
    }

    /// `1 / a` for `a ≠ 0`, by Fermat.
    pub(crate) fn inverse(&self, a: u64) -> u64 {
        self.pow(a, self.q - 2)
    }

    /// Prepares a constant factor.
    pub(crate) fn factor(&self, value: u64) -> Factor {
        Factor {
            value,
            quotient: ((u128::from(value) << WORD) / u128::from(self.q)) as u64,
        }
    }

    /// `a · w`, below 2q, for any `a < 2^52`.
    #[inline(always)]
    pub(crate) fn mul_lazy(&self, a: u64, w: Factor) -> u64 {
        let quotient = ((u128::from(a) * u128::from(w.quotient)) >> WORD) as u64;
        a.wrapping_mul(w.value)
            .wrapping_sub(quotient.wrapping_mul(self.q))
    }

    /// `a` as a number from `-q/2` to `q/2`.
    pub(crate) fn centred(&self, a: u64) -> i64 {
        if a > self.q / 2 {
            a as i64 - self.q as i64
        } else {
            a as i64
        }
    }

    /// The residue of a real number, rounded to the nearest integer, however large.
    pub(crate) fn of_real(&self, x: f64) -> u64 {
        let x = x.round();
        let bits = x.abs().to_bits();
        let exponent = (bits >> 52) as i32 - 1075;
        let mantissa = (bits & ((1 << 52) - 1)) | u64::from(bits >> 52 > 0) << 52;
        let residue = if exponent < 0 {
            // rounded above: the bits shifted out are zero
            self.reduce(mantissa.checked_shr(-exponent as u32).unwrap_or(0))
        } else {
            self.mul(self.reduce(mantissa), self.pow(2, exponent as u64))
        };
        if x < 0.0 { self.neg(residue) } else { residue }
    }
}

/// The `count` largest primes below `2^bits` that are 1 modulo `step` and not in `taken`.
pub(crate) fn primes(bits: u32, step: u64, count: usize, taken: &[u64]) -> Option<Vec<u64>> {
    let mut found = Vec::with_capacity(count);
    let mut candidate = ((1u64 << bits) / step) * step + 1;
    while found.len() < count {
        candidate = candidate.checked_sub(step)?;
        if candidate < 1 << (bits - 1) {
            return None;
        }
        if !taken.contains(&candidate) && tfhe_ntt::prime::is_prime64(candidate) {
            found.push(candidate);
        }
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::Rng;

    #[test]
    fn arithmetic_equals_that_of_wide_integers() {
        let mut rng = rand::rng();
        for bits in [20, 31, 36, 40, 48, 49] {
            let q = primes(bits, 4096, 1, &[]).unwrap()[0];
            let m = Modulus::new(q);
            let wide = |x: u128| (x % u128::from(q)) as u64;
            let edge = [0, 1, q / 2, q - 1];
            for round in 0..2000 {
                let mut pick = || {
                    if round < 64 {
                        edge[rng.random_range(0..4)]
                    } else {
                        rng.random_range(0..q)
                    }
                };
                let (a, b) = (pick(), pick());
                assert_eq!(m.add(a, b), wide(u128::from(a) + u128::from(b)));
                assert_eq!(m.sub(a, b), wide(u128::from(a) + u128::from(q - b)));
                assert_eq!(m.mul(a, b), wide(u128::from(a) * u128::from(b)));
                let large = rng.random_range(0..1u64 << 52);
                let lazy = m.mul_lazy(large, m.factor(b));
                assert!(lazy < 2 * q);
                assert_eq!(m.once(lazy), wide(u128::from(large) * u128::from(b)));
                // eight products at once, as the key switch sums them
                let sum = 8 * u128::from(q - 1) * u128::from(q - 1);
                if sum < 1 << (WORD + m.shift) {
                    assert_eq!(m.reduce_wide(sum), wide(sum));
                }
                if a != 0 {
                    assert_eq!(m.mul(a, m.inverse(a)), 1);
                }
            }
        }
    }

    #[test]
    fn real_numbers_become_their_residues() {
        let m = Modulus::new(primes(40, 4096, 1, &[]).unwrap()[0]);
        assert_eq!(m.of_real(0.0), 0);
        assert_eq!(m.of_real(0.4), 0);
        assert_eq!(m.of_real(-1.0), m.value() - 1);
        assert_eq!(m.of_real(2.5e9), 2_500_000_000);
        let large = (1u128 << 90) + (1 << 50);
        assert_eq!(
            u128::from(m.of_real(large as f64)),
            large % u128::from(m.value())
        );
    }

    #[test]
    fn primes_are_distinct_and_of_the_asked_size() {
        let found = primes(36, 4 * 8192, 5, &[]).unwrap();
        for (i, p) in found.iter().enumerate() {
            assert!(p % (4 * 8192) == 1 && p >> 35 == 1 && !found[..i].contains(p));
        }
        assert!(primes(20, 4 * 32768, 100, &[]).is_none());
    }
}
