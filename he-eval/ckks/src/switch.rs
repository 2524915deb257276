//! Relinearisation and rescaling, in one pass.
//!
//! Both divide by primes and round, so they divide once, by the special primes P and the prime q_l
//! that is dropped.
//! 1. Take the coefficients of c_2 modulo each prime q_i, around zero: the digits d_i.
//! 2. Modulo every prime, special ones included: `(u, v) = P (c_0, c_1) + Σ_i d_i · key_i`. Now
//!    `u + v s` is P times the message plus `Σ_i d_i e_i`.
//! 3. From u and v subtract what makes them multiples of the dropped primes, and divide.
//!
//! The dropped primes come first, since all others need their residues; digits are never put
//! together, and each prime's part of the key is read once for a whole group of ciphertexts.
//!
//! Without special primes the noise `Σ d_i e_i` is as large as the digits, but rescaling divides it
//! by q_l, and what remains is `√(l+1) · 2Nσ/√12` where the primes are equal, a few bits above the
//! rounding of the rescaling itself. A dropped prime larger than the others makes it smaller still.
//!
//! # References
//! - Cheon, Han, Kim, Kim & Song (2018), A full RNS variant of approximate homomorphic encryption,
//!   SAC, for rescaling.  - Han & Ki (2020), Better bootstrapping, CT-RSA, section 3, for hybrid key
//!   switching.  - Kim, Papadimitriou & Polyakov (2022), Approximate homomorphic encryption with
//!   reduced approximation error, CT-RSA, for dividing once.

use std::time::Instant;

use crate::{
    ciphertext::Ciphertext,
    keys::{RelinearisationKey, special_product},
    parameters::Parameters,
    twist::Source,
    vector,
};

/// Where a ciphertext is read from: it may not lie in one piece.
pub(crate) trait Residues: Sync {
    /// Copies the values of `component` modulo `prime`.
    fn read(&self, component: usize, prime: usize, to: &mut [u64]);
}

impl Residues for Ciphertext {
    fn read(&self, component: usize, prime: usize, to: &mut [u64]) {
        to.copy_from_slice(self.row(component, prime));
    }
}

/// Seconds spent, summed over threads.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Spent {
    /// On digits and keys.
    pub relinearise: f64,
    /// On dividing by the dropped primes.
    pub rescale: f64,
}

impl Spent {
    pub fn sum(self, other: Self) -> Self {
        Self {
            relinearise: self.relinearise + other.relinearise,
            rescale: self.rescale + other.rescale,
        }
    }
}

/// What goes in and what is wanted.
pub(crate) struct Switch<'a> {
    pub parameters: &'a Parameters,
    /// The key if there are three components.
    pub key: Option<&'a RelinearisationKey>,
    /// Primes of the input.
    pub primes: usize,
    /// Scale of the input.
    pub scale: f64,
    /// Whether the last prime is dropped.
    pub rescale: bool,
}

impl Switch<'_> {
    /// Primes of the results.
    pub fn kept(&self) -> usize {
        self.primes - usize::from(self.rescale)
    }

    /// Scale of the results.
    pub fn result_scale(&self) -> f64 {
        if self.rescale {
            self.scale / self.parameters.modulus(self.kept()).q as f64
        } else {
            self.scale
        }
    }

    /// Words of one result: two components modulo every prime that is kept.
    pub fn result_words(&self) -> usize {
        2 * self.kept() * self.parameters.ring_degree()
    }

    /// Applies it to a group of ciphertexts, which share what is read of the key. Results are
    /// `[ciphertext][component][prime][N]`.
    pub fn apply(&self, group: &[&dyn Residues], results: &mut [u64], work: &mut Buffers) -> Spent {
        let p = self.parameters;
        let n = p.ring_degree();
        let kept = self.kept();
        let special = if self.key.is_some() {
            p.primes()..p.all_rings().len()
        } else {
            0..0
        };
        let dropped: Vec<usize> = special.chain(kept..self.primes).collect();
        work.fit(n, self.primes);
        // these two are read while the rest of the buffers is written
        let mut digits = std::mem::take(&mut work.digits);
        digits.resize(group.len() * self.digits() * n, 0);
        let mut clock = Clock::start();
        if self.key.is_some() {
            let rows = digits.chunks_mut(n).enumerate();
            for (i, row) in rows {
                let (one, digit) = (i / self.primes, i % self.primes);
                group[one].read(2, digit, &mut work.values);
                p.rings()[digit].backward(&mut work.values, row);
            }
        }
        let mut rests = std::mem::take(&mut work.rests);
        rests.resize(group.len() * 2 * dropped.len() * n, 0);
        for (k, &prime) in dropped.iter().enumerate() {
            for (one, rows) in group.iter().enumerate() {
                let digits = &digits[one * self.digits() * n..];
                self.sum(*rows, digits, prime, work);
                clock.relinearised();
                for component in 0..2 {
                    let at = ((one * 2 + component) * dropped.len() + k) * n;
                    p.all_rings()[prime]
                        .backward(&mut work.sums[component], &mut rests[at..at + n]);
                }
                clock.rescaled();
            }
        }
        for rests in rests.chunks_mut((dropped.len() * n).max(1)) {
            self.mixed_radix(&dropped, rests);
        }
        for prime in 0..kept {
            for (one, rows) in group.iter().enumerate() {
                let digits = &digits[one * self.digits() * n..];
                self.sum(*rows, digits, prime, work);
                clock.relinearised();
                for component in 0..2 {
                    let at = (one * 2 + component) * dropped.len() * n;
                    let rests = &rests[at..at + dropped.len() * n];
                    self.divide(&dropped, rests, prime, component, work);
                    let at = ((one * 2 + component) * kept + prime) * n;
                    results[at..at + n].copy_from_slice(&work.sums[component]);
                }
                clock.rescaled();
            }
        }
        (work.digits, work.rests) = (digits, rests);
        clock.spent
    }

    fn digits(&self) -> usize {
        if self.key.is_some() { self.primes } else { 0 }
    }

    /// Step 2 modulo one prime, into `work.sums`.
    fn sum(&self, rows: &dyn Residues, digits: &[u64], prime: usize, work: &mut Buffers) {
        let p = self.parameters;
        let n = p.ring_degree();
        let ring = &p.all_rings()[prime];
        let m = &ring.modulus;
        for (component, sum) in work.sums.iter_mut().enumerate() {
            if prime < p.primes() {
                rows.read(component, prime, sum);
                if self.key.is_some() && p.all_rings().len() > p.primes() {
                    vector::scale(m, sum, special_product(p, m));
                }
            } else {
                // P is zero modulo a special prime
                sum.fill(0);
            }
        }
        let Some(key) = self.key else { return };
        for (digit, extended) in work.extended.chunks_mut(n).enumerate() {
            if digit == prime {
                rows.read(2, prime, extended);
            } else {
                let source = Source::new(p.modulus(digit), m);
                ring.forward_from(&digits[digit * n..(digit + 1) * n], source, extended);
            }
        }
        for (half, sum) in work.sums.iter_mut().enumerate() {
            let terms: Vec<(&[u64], &[u64])> = work
                .extended
                .chunks(n)
                .enumerate()
                .map(|(digit, extended)| {
                    let (masked, random) = key.rows(digit, prime);
                    (extended, if half == 0 { masked } else { random })
                })
                .collect();
            vector::dot(m, &terms, sum);
        }
    }

    /// Residues modulo the dropped primes to digits of a mixed radix: the number is
    /// `y_0 + p_0 (y_1 + p_1 …)`.
    fn mixed_radix(&self, dropped: &[usize], rests: &mut [u64]) {
        let p = self.parameters;
        let n = p.ring_degree();
        for k in 1..dropped.len() {
            let to = p.modulus(dropped[k]);
            let (head, tail) = rests.split_at_mut(k * n);
            for (j, digits) in head.chunks(n).enumerate() {
                let from = p.modulus(dropped[j]);
                let inverse = to.factor(to.inverse(to.reduce(from.q)));
                for (x, &digit) in tail[..n].iter_mut().zip(digits) {
                    let digit = to.reduce_signed(from.centred(digit));
                    *x = to.once(to.mul_lazy(to.sub(*x, digit), inverse));
                }
            }
        }
    }

    /// Step 3 modulo one kept prime: `sums[component] = (sums[component] - rest) / Π dropped`.
    fn divide(
        &self,
        dropped: &[usize],
        rests: &[u64],
        prime: usize,
        component: usize,
        work: &mut Buffers,
    ) {
        let Some((&first, others)) = dropped.split_first() else {
            return;
        };
        let p = self.parameters;
        let n = p.ring_degree();
        let ring = &p.all_rings()[prime];
        let m = &ring.modulus;
        let mut product = m.reduce(p.modulus(first).q);
        let rest = &rests[..n];
        if others.is_empty() {
            let source = Source::new(p.modulus(first), m);
            ring.forward_from(rest, source, &mut work.values);
        } else {
            let from = p.modulus(first);
            for (x, &digit) in work.coefficients.iter_mut().zip(rest) {
                *x = m.reduce_signed(from.centred(digit));
            }
            for (&other, digits) in others.iter().zip(rests[n..].chunks(n)) {
                let from = p.modulus(other);
                let weight = m.factor(product);
                for (x, &digit) in work.coefficients.iter_mut().zip(digits) {
                    let digit = m.reduce_signed(from.centred(digit));
                    *x = m.add(*x, m.once(m.mul_lazy(digit, weight)));
                }
                product = m.mul(product, m.reduce(from.q));
            }
            ring.forward(&work.coefficients, &mut work.values);
        }
        vector::subtract_scale(
            m,
            &mut work.sums[component],
            &work.values,
            m.inverse(product),
        );
    }
}

/// Tells the two kinds of work apart.
struct Clock {
    last: Instant,
    spent: Spent,
}

impl Clock {
    fn start() -> Self {
        Self {
            last: Instant::now(),
            spent: Spent::default(),
        }
    }

    fn lap(&mut self) -> f64 {
        let now = Instant::now();
        let seconds = (now - self.last).as_secs_f64();
        self.last = now;
        seconds
    }

    fn relinearised(&mut self) {
        self.spent.relinearise += self.lap();
    }

    fn rescaled(&mut self) {
        self.spent.rescale += self.lap();
    }
}

/// Buffers of one thread.
#[derive(Default)]
pub(crate) struct Buffers {
    values: Vec<u64>,
    coefficients: Vec<u64>,
    /// u and v.
    sums: [Vec<u64>; 2],
    /// The digits modulo the current prime, `[digit][N]`.
    extended: Vec<u64>,
    /// Coefficients of the digits, `[ciphertext][digit][N]`.
    digits: Vec<u64>,
    /// Residues of u and v modulo the dropped primes, `[ciphertext][u, v][dropped][N]`.
    rests: Vec<u64>,
}

impl Buffers {
    fn fit(&mut self, n: usize, digits: usize) {
        self.values.resize(n, 0);
        self.coefficients.resize(n, 0);
        self.sums.iter_mut().for_each(|sum| sum.resize(n, 0));
        self.extended.resize(digits * n, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        evaluator::Evaluator, keys::SecretKey, modulus::Modulus, parameters::ParametersLiteral,
        ring::tests::schoolbook,
    };

    const N: usize = 32;

    /// Coefficients of values modulo prime `index`.
    fn coefficients(p: &Parameters, index: usize, values: &[u64]) -> Vec<u64> {
        let mut result = vec![0; N];
        p.all_rings()[index].backward(&mut values.to_vec(), &mut result);
        result
    }

    /// The number around zero with these residues, by the Chinese remainder theorem in wide integers.
    fn number(residues: &[(Modulus, u64)]) -> i128 {
        let product: i128 = residues.iter().map(|(m, _)| i128::from(m.q)).product();
        let sum: i128 = residues
            .iter()
            .map(|(m, residue)| {
                let q = i128::from(m.q);
                let others = product / q;
                let inverse = m.inverse((others % q) as u64);
                others * i128::from(m.mul(*residue, inverse))
            })
            .sum();
        let rest = sum % product;
        if rest > product / 2 {
            rest - product
        } else {
            rest
        }
    }

    /// Steps 1 to 3 of the module, polynomial by polynomial.
    fn expected(c: &Ciphertext, key: &RelinearisationKey, rescale: bool) -> Vec<u64> {
        let p = &c.parameters;
        let all = p.all_rings().len();
        let special = p.primes()..all;
        let kept = c.primes - usize::from(rescale);
        let dropped: Vec<usize> = special.clone().chain(kept..c.primes).collect();
        let digits: Vec<Vec<i64>> = (0..c.primes)
            .map(|i| {
                let row = coefficients(p, i, c.row(2, i));
                row.iter().map(|&x| p.modulus(i).centred(x)).collect()
            })
            .collect();
        let mut result = Vec::new();
        for component in 0..2 {
            let sums: Vec<Vec<u64>> = (0..all)
                .map(|index| {
                    let m = p.modulus(index);
                    let mut sum = vec![0; N];
                    if index < c.primes {
                        let row = coefficients(p, index, c.row(component, index));
                        let factor = special_product(p, m);
                        sum = row.iter().map(|&x| m.mul(x, factor)).collect();
                    }
                    for (i, digits) in digits.iter().enumerate() {
                        let digits: Vec<u64> = digits.iter().map(|&d| m.reduce_signed(d)).collect();
                        let (masked, random) = key.rows(i, index);
                        let half = if component == 0 { masked } else { random };
                        let product = schoolbook(m, &digits, &coefficients(p, index, half));
                        for (s, x) in sum.iter_mut().zip(product) {
                            *s = m.add(*s, x);
                        }
                    }
                    sum
                })
                .collect();
            for index in 0..kept {
                let m = p.modulus(index);
                let q = i128::from(m.q);
                let divisor = dropped
                    .iter()
                    .fold(1, |d, &i| m.mul(d, m.reduce(p.modulus(i).q)));
                let quotient: Vec<u64> = (0..N)
                    .map(|j| {
                        let rests: Vec<(Modulus, u64)> = dropped
                            .iter()
                            .map(|&i| (*p.modulus(i), sums[i][j]))
                            .collect();
                        let rest = if rests.is_empty() { 0 } else { number(&rests) };
                        let difference = m.sub(sums[index][j], rest.rem_euclid(q) as u64);
                        m.mul(difference, m.inverse(divisor))
                    })
                    .collect();
                result.extend(quotient);
            }
        }
        result
    }

    #[test]
    fn every_residue_is_that_of_schoolbook_arithmetic() {
        for special in [&[][..], &[20], &[20, 21]] {
            let parameters = Parameters::toy(&ParametersLiteral {
                ring_degree: N,
                prime_bits: vec![22, 20, 21],
                special_bits: special.to_vec(),
            })
            .unwrap();
            let secret = SecretKey::generate(&parameters);
            let key = secret.relinearisation_key();
            let evaluator = Evaluator::new(&parameters, Some(key.clone())).unwrap();
            for primes in [3, 2] {
                let c = secret.encrypt(&[1.0, -3.0], 1e4, primes).unwrap().expand();
                let square = evaluator.multiply(&c, &c).unwrap();
                for rescale in [false, true] {
                    let found = if rescale {
                        evaluator.rescale(&square).unwrap()
                    } else {
                        evaluator.relinearise(&square).unwrap()
                    };
                    let rows =
                        (0..2).flat_map(|component| (0..found.primes).map(move |i| (component, i)));
                    let found: Vec<u64> = rows
                        .flat_map(|(component, i)| {
                            coefficients(&parameters, i, found.row(component, i))
                        })
                        .collect();
                    let expected = expected(&square, &key, rescale);
                    assert_eq!(found, expected, "{primes} primes, special {special:?}");
                }
            }
        }
    }
}
