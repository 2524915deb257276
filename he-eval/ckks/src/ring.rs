//! Transforms of the conjugate-invariant ring.
//!
//! The ring is that of the elements of Z\[X\]/(X^2N + 1) that X → 1/X leaves alone (Kim & Song 2018,
//! section 3). Its dimension is N and its elements are
//! `a = a_0 + Σ_{j=1}^{N-1} a_j (X^j + X^-j)`, so all N embeddings are real numbers: every slot holds
//! a value of its own, where the usual ring spends half of them on conjugates.
//!
//! # The transform
//! Let ζ be a primitive root of order 4N modulo q and I = ζ^N. The values at ζ^(4k+1), k = 0 … N-1,
//! determine `a`.
//! 1. Every such point satisfies X^N = I, so `X^-j = -X^(2N-j) = -I X^(N-j)`, and `a` folds into
//!    `b_j = a_j - I a_(N-j)` (with `a_N = 0`) for j < N.
//! 2. With `X = ζ^-1 Y` the points are `Y = ζ^(4k+2)`, those of the usual negacyclic transform of
//!    length N. So `ζ^-j b_j` goes through that, and comes out at the points above.
//!
//! Two coefficients j and N - j share their products: with `t = I a_(N-j)` they become
//! `ζ^-j (a_j - t)` and `-ζ^j (a_j + t)`. The order of the values is whatever the negacyclic
//! transform leaves; products are taken value by value, so nothing depends on it.
//!
//! # References
//! - Kim & Song (2018), Approximate homomorphic encryption over the conjugate-invariant ring, ICISC.

use tfhe_ntt::prime64;

use crate::{
    modulus::Modulus,
    twist::{Source, Twist},
    vector,
};

/// The ring modulo one prime.
pub(crate) struct Ring {
    pub modulus: Modulus,
    transform: prime64::Plan,
    /// The powers of ζ by which coefficients are multiplied on their way in and out.
    pub forward: Twist,
    pub backward: Twist,
}

impl Ring {
    /// The ring of degree `n`; `q` must be a prime that is 1 modulo 4n.
    pub fn new(n: usize, q: u64) -> Self {
        let modulus = Modulus::new(q);
        let transform = prime64::Plan::try_new(n, q).expect("the prime is 1 modulo 2N");
        let zeta = root(&modulus, n);
        let inverse_zeta = modulus.inverse(zeta);
        let unit = modulus.pow(zeta, n as u64);
        let scale = modulus.inverse(2 * n as u64);
        let mut forward = Twist::alone(&modulus, unit, 1, {
            modulus.mul(
                modulus.pow(inverse_zeta, n as u64 / 2),
                modulus.sub(1, unit),
            )
        });
        let mut backward = Twist::alone(
            &modulus,
            unit,
            modulus.add(scale, scale),
            modulus.mul(
                modulus.mul(modulus.pow(zeta, n as u64 / 2), scale),
                modulus.add(1, unit),
            ),
        );
        let (mut up, mut down) = (1, 1);
        for _ in 0..n / 2 {
            forward.low.push(modulus.factor(down));
            forward.high.push(modulus.factor(modulus.neg(up)));
            backward.low.push(modulus.factor(modulus.mul(up, scale)));
            backward
                .high
                .push(modulus.factor(modulus.neg(modulus.mul(down, scale))));
            up = modulus.mul(up, zeta);
            down = modulus.mul(down, inverse_zeta);
        }
        Self {
            modulus,
            transform,
            forward,
            backward,
        }
    }

    /// From coefficients to values.
    pub fn forward(&self, coefficients: &[u64], values: &mut [u64]) {
        self.forward_from(coefficients, Source::SAME, values);
    }

    /// From coefficients modulo another prime, taken as numbers around zero, to values.
    pub fn forward_from(&self, coefficients: &[u64], source: Source, values: &mut [u64]) {
        vector::fold(&self.modulus, &self.forward, coefficients, source, values);
        self.transform.fwd(values);
    }

    /// From values to coefficients; `values` is used up.
    pub fn backward(&self, values: &mut [u64], coefficients: &mut [u64]) {
        self.transform.inv(values);
        vector::unfold(&self.modulus, &self.backward, values, coefficients);
    }
}

/// A root of order 4N. Any will do: all odd powers of ζ² are points of the negacyclic transform.
fn root(modulus: &Modulus, n: usize) -> u64 {
    let exponent = (modulus.q - 1) / (4 * n as u64);
    (2..modulus.q)
        .map(|candidate| modulus.pow(candidate, exponent))
        .find(|&zeta| modulus.pow(zeta, 2 * n as u64) == modulus.q - 1)
        .expect("a prime field has elements of every order that divides q - 1")
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::modulus::primes;
    use rand::Rng;

    /// The product of two elements, term by term: (X^i + X^-i)(X^j + X^-j) = X^(i+j) + … .
    pub(crate) fn schoolbook(m: &Modulus, a: &[u64], b: &[u64]) -> Vec<u64> {
        let n = a.len();
        // all 2N coefficients of both
        let full = |a: &[u64]| {
            let mut f = vec![0; 2 * n];
            f[0] = a[0];
            for j in 1..n {
                f[j] = a[j];
                f[2 * n - j] = m.neg(a[j]);
            }
            f
        };
        let (a, b) = (full(a), full(b));
        let mut product = vec![0; 2 * n];
        for (i, &x) in a.iter().enumerate() {
            for (j, &y) in b.iter().enumerate() {
                let term = m.mul(x, y);
                let slot = &mut product[(i + j) % (2 * n)];
                *slot = if i + j < 2 * n {
                    m.add(*slot, term)
                } else {
                    m.sub(*slot, term)
                };
            }
        }
        assert_eq!(product[n], 0, "the product is invariant, too");
        product.truncate(n);
        product
    }

    #[test]
    fn values_multiply_as_polynomials_do() {
        let mut rng = rand::rng();
        for (n, bits) in [(16, 20), (32, 36), (64, 49)] {
            let q = primes(bits, 4 * n as u64, 1, &[]).unwrap()[0];
            let ring = Ring::new(n, q);
            let m = ring.modulus;
            let a: Vec<u64> = (0..n).map(|_| rng.random_range(0..q)).collect();
            let b: Vec<u64> = (0..n).map(|_| rng.random_range(0..q)).collect();
            let (mut u, mut v) = (vec![0; n], vec![0; n]);
            ring.forward(&a, &mut u);
            ring.forward(&b, &mut v);
            let mut products: Vec<u64> = u.iter().zip(&v).map(|(&x, &y)| m.mul(x, y)).collect();
            let mut product = vec![0; n];
            ring.backward(&mut products, &mut product);
            assert_eq!(product, schoolbook(&m, &a, &b), "N = {n}");
            ring.backward(&mut u, &mut v);
            assert_eq!(v, a, "there and back");
        }
    }

    #[test]
    fn numbers_around_zero_keep_their_sign_from_prime_to_prime() {
        let n = 32;
        let found = primes(40, 4 * n as u64, 1, &[]).unwrap();
        let (from, to) = (Modulus::new(found[0]), primes(30, 4 * n as u64, 1, &[]));
        let ring = Ring::new(n, to.unwrap()[0]);
        let numbers: Vec<i64> = (0..n as i64).map(|i| (i - 16) * 1_000_003).collect();
        let there: Vec<u64> = numbers.iter().map(|&x| from.reduce_signed(x)).collect();
        let here: Vec<u64> = numbers
            .iter()
            .map(|&x| ring.modulus.reduce_signed(x))
            .collect();
        let (mut a, mut b) = (vec![0; n], vec![0; n]);
        ring.forward_from(&there, Source::new(&from, &ring.modulus), &mut a);
        ring.forward(&here, &mut b);
        assert_eq!(a, b);
    }
}
