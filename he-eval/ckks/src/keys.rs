//! Keys, and what the holder of the secret key does: encrypt and decrypt.

use zeroize::{Zeroize, Zeroizing};

use crate::{
    ciphertext::{Ciphertext, SeededCiphertext, random_row},
    error::Error,
    modulus::Modulus,
    parameters::Parameters,
    sample::{Expansion, Seed, Stream, random_seed},
    vector,
};

/// Noise beyond this drowns whatever a ciphertext can hold.
const LARGEST_FLOOD: f64 = (1u64 << 62) as f64;

/// The secret key. It is wiped when dropped, and nothing prints it.
pub struct SecretKey {
    pub(crate) parameters: Parameters,
    /// Values, `[prime][N]`, special primes last.
    values: Zeroizing<Vec<u64>>,
}

/// Encrypts, but does not decrypt.
#[derive(Clone, Debug, PartialEq)]
pub struct PublicKey(pub(crate) Ciphertext);

/// Lets the evaluator turn three components into two: for each ciphertext prime q_i an encryption of
/// `P · s²` in the component of q_i and of zero in the others (P the product of the special primes).
#[derive(Clone, PartialEq)]
pub struct RelinearisationKey {
    pub(crate) parameters: Parameters,
    /// The public halves grow from this.
    pub(crate) seed: Seed,
    /// `[digit][prime][N]`, special primes last.
    pub(crate) masked: Vec<u64>,
    /// `[digit][prime][N]`.
    pub(crate) random: Vec<u64>,
}

impl SecretKey {
    /// A uniformly ternary key from the operating system's randomness.
    pub fn generate(parameters: &Parameters) -> Self {
        let mut coefficients = Zeroizing::new(vec![0; parameters.ring_degree()]);
        Stream::secret().ternary(&mut coefficients);
        Self::from_ternary(parameters, &coefficients)
    }

    /// The parameters.
    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// The key with these coefficients.
    pub(crate) fn from_ternary(parameters: &Parameters, coefficients: &[i64]) -> Self {
        Self {
            parameters: parameters.clone(),
            values: transform(parameters, parameters.all_rings().len(), coefficients),
        }
    }

    /// The coefficients: -1, 0 and 1.
    pub(crate) fn ternary(&self) -> Zeroizing<Vec<i64>> {
        let ring = &self.parameters.all_rings()[0];
        let mut values = Zeroizing::new(self.row(0).to_vec());
        let mut residues = Zeroizing::new(vec![0; values.len()]);
        ring.backward(&mut values, &mut residues);
        Zeroizing::new(residues.iter().map(|&r| ring.modulus.centred(r)).collect())
    }

    /// Values modulo one prime, special ones after the others.
    pub(crate) fn row(&self, prime: usize) -> &[u64] {
        let n = self.parameters.ring_degree();
        &self.values[prime * n..(prime + 1) * n]
    }

    /// Encrypts at most N slots with `primes` primes; half of the result is a seed.
    ///
    /// # Errors
    /// When there are too many values or `scale` makes them too large, or there are not so many primes.
    pub fn encrypt(
        &self,
        slots: &[f64],
        scale: f64,
        primes: usize,
    ) -> Result<SeededCiphertext, Error> {
        if primes == 0 || primes > self.parameters.primes() {
            return Err(Error::Mismatch(format!(
                "{primes} primes of {}",
                self.parameters.primes()
            )));
        }
        let mut message = Zeroizing::new(self.parameters.embedding().encode(slots, scale)?);
        let mut noise = Stream::secret();
        for m in message.iter_mut() {
            *m += noise.noise();
        }
        let mut data = std::mem::take(&mut *transform(&self.parameters, primes, &message));
        let seed = random_seed();
        let expansion = Expansion::new(&seed);
        let n = self.parameters.ring_degree();
        let mut random = vec![0; n];
        for (prime, row) in data.chunks_mut(n).enumerate() {
            random_row(&self.parameters, &expansion, prime, &mut random);
            subtract_product(
                self.parameters.modulus(prime),
                row,
                &random,
                self.row(prime),
            );
        }
        Ok(SeededCiphertext {
            parameters: self.parameters.clone(),
            primes,
            scale,
            seed,
            data,
        })
    }

    /// The slots of a ciphertext of two or three components.
    ///
    /// # Errors
    /// When the ciphertext belongs to other parameters.
    pub fn decrypt(&self, ciphertext: &Ciphertext) -> Result<Vec<f64>, Error> {
        Ok(self.decode(&self.coefficients(ciphertext)?, ciphertext.scale))
    }

    /// As [`decrypt`](Self::decrypt), and the bits between the largest coefficient and half the modulus:
    /// values that are too large for the modulus go around it, and most likely end near that bound.
    ///
    /// # Errors
    /// When the ciphertext belongs to other parameters.
    pub fn decrypt_with_headroom(&self, c: &Ciphertext) -> Result<(Vec<f64>, f64), Error> {
        let coefficients = self.coefficients(c)?;
        let largest = coefficients.iter().fold(1.0, |a: f64, x| a.max(x.abs()));
        let modulus: f64 = (0..c.primes)
            .map(|prime| (self.parameters.prime(prime) as f64).log2())
            .sum();
        let slots = self.decode(&coefficients, c.scale);
        Ok((slots, modulus - 1.0 - largest.log2()))
    }

    /// As [`decrypt`](Self::decrypt), with normal noise on every coefficient, so that what is handed on tells
    /// less about the noise that is there already, and with it about the key.
    ///
    /// `noise` is that of the ciphertext: the root mean square over its slots before division by the scale, as the
    /// functions of [`noise`](crate::noise) give it. What is added is `2^bits` times as large. It must be taken
    /// from the whole computation, not from the fresh encryption: after a network it is thousands of times larger
    /// (Li, Micciancio, Schultz & Sorrell, Securing approximate homomorphic encryption using differential privacy,
    /// CRYPTO 2022).
    ///
    /// # Errors
    /// When the ciphertext belongs to other parameters, or the noise asked for is no number, negative or beyond
    /// 2^62.
    pub fn decrypt_flooded(
        &self,
        ciphertext: &Ciphertext,
        noise: f64,
        bits: u32,
    ) -> Result<Vec<f64>, Error> {
        // slots of noise are √(2N) times as large as its coefficients
        let slots = 2.0 * self.parameters.ring_degree() as f64;
        let deviation = noise / slots.sqrt() * f64::from(bits).exp2();
        if !(0.0..LARGEST_FLOOD).contains(&deviation) {
            return Err(Error::Flood { deviation });
        }
        let mut coefficients = self.coefficients(ciphertext)?;
        let mut stream = Stream::secret();
        for x in coefficients.iter_mut() {
            *x += stream.normal(deviation);
        }
        Ok(self.decode(&coefficients, ciphertext.scale))
    }

    fn decode(&self, coefficients: &[f64], scale: f64) -> Vec<f64> {
        self.parameters.embedding().decode(coefficients, scale)
    }

    /// Coefficients of message and noise, as numbers around zero.
    fn coefficients(&self, c: &Ciphertext) -> Result<Zeroizing<Vec<f64>>, Error> {
        if c.parameters != self.parameters {
            return Err(Error::Mismatch(
                "ciphertext and key are of different parameters".into(),
            ));
        }
        let n = self.parameters.ring_degree();
        let mut residues = Zeroizing::new(vec![0; c.primes * n]);
        let mut values = Zeroizing::new(vec![0; n]);
        let mut sum = Zeroizing::new(vec![0; n]);
        for (prime, row) in residues.chunks_mut(n).enumerate() {
            let ring = &self.parameters.rings()[prime];
            // Horner in s
            values.copy_from_slice(c.row(c.components - 1, prime));
            for component in (0..c.components - 1).rev() {
                sum.copy_from_slice(c.row(component, prime));
                vector::dot(&ring.modulus, &[(&values, self.row(prime))], &mut sum);
                values.copy_from_slice(&sum);
            }
            ring.backward(&mut values, row);
        }
        let coefficients = reconstruct(&self.parameters, &mut residues, c.primes);
        Ok(Zeroizing::new(coefficients))
    }

    /// A key for public-key encryption.
    pub fn public_key(&self) -> PublicKey {
        let zero = self
            .encrypt(&[], 1.0, self.parameters.primes())
            .expect("zero can be encrypted");
        PublicKey(zero.expand())
    }

    /// A key for relinearisation.
    pub fn relinearisation_key(&self) -> RelinearisationKey {
        let parameters = &self.parameters;
        let n = parameters.ring_degree();
        let all = parameters.all_rings();
        let digits = parameters.primes();
        let seed = random_seed();
        let random = RelinearisationKey::random(parameters, &seed);
        let mut noise = Stream::secret();
        let mut masked = Vec::with_capacity(random.len());
        for digit in 0..digits {
            let error: Zeroizing<Vec<i64>> =
                Zeroizing::new((0..n).map(|_| noise.noise()).collect());
            let mut rows = std::mem::take(&mut *transform(parameters, all.len(), &error));
            for (prime, row) in rows.chunks_mut(n).enumerate() {
                let m = &all[prime].modulus;
                let at = (digit * all.len() + prime) * n;
                subtract_product(m, row, &random[at..at + n], self.row(prime));
                if prime == digit {
                    let mut square = self.row(prime).to_vec();
                    let mut product = vec![0; n];
                    vector::dot(m, &[(&square, self.row(prime))], &mut product);
                    vector::scale(m, &mut product, special_product(parameters, m));
                    vector::add(m, row, &product);
                    square.zeroize();
                    product.zeroize();
                }
            }
            masked.append(&mut rows);
        }
        RelinearisationKey {
            parameters: parameters.clone(),
            seed,
            masked,
            random,
        }
    }
}

/// The product of the special primes modulo `m`.
pub(crate) fn special_product(parameters: &Parameters, m: &Modulus) -> u64 {
    let special = &parameters.all_rings()[parameters.primes()..];
    special
        .iter()
        .fold(1, |p, ring| m.mul(p, m.reduce(ring.modulus.q)))
}

impl RelinearisationKey {
    pub(crate) fn random(parameters: &Parameters, seed: &Seed) -> Vec<u64> {
        let n = parameters.ring_degree();
        let rings = parameters.all_rings();
        let mut random = vec![0; parameters.primes() * rings.len() * n];
        let mut stream = Stream::new(seed);
        for (i, row) in random.chunks_mut(n).enumerate() {
            stream.uniform(&rings[i % rings.len()].modulus, row);
        }
        random
    }

    /// Both halves of the key of `digit` modulo `prime`.
    pub(crate) fn rows(&self, digit: usize, prime: usize) -> (&[u64], &[u64]) {
        let n = self.parameters.ring_degree();
        let at = (digit * self.parameters.all_rings().len() + prime) * n;
        (&self.masked[at..at + n], &self.random[at..at + n])
    }

    /// Bytes in memory.
    pub fn bytes(&self) -> usize {
        size_of_val(self.masked.as_slice()) + size_of_val(self.random.as_slice())
    }
}

impl PublicKey {
    /// Encrypts at most N slots with all primes.
    ///
    /// # Errors
    /// When there are too many values, or `scale` makes them too large.
    pub fn encrypt(&self, slots: &[f64], scale: f64) -> Result<Ciphertext, Error> {
        let parameters = &self.0.parameters;
        let mut stream = Stream::secret();
        let n = parameters.ring_degree();
        let mut message = Zeroizing::new(parameters.embedding().encode(slots, scale)?);
        let mut ephemeral = Zeroizing::new(vec![0; n]);
        stream.ternary(&mut ephemeral);
        for m in message.iter_mut() {
            *m += stream.noise();
        }
        let second: Zeroizing<Vec<i64>> = Zeroizing::new((0..n).map(|_| stream.noise()).collect());
        let primes = parameters.primes();
        let factor = transform(parameters, primes, &ephemeral);
        let mut result = Ciphertext::empty(parameters, 2, primes, scale);
        result.data.as_flattened_mut()[..primes * n]
            .copy_from_slice(&transform(parameters, primes, &message));
        result.data.as_flattened_mut()[primes * n..]
            .copy_from_slice(&transform(parameters, primes, &second));
        for component in 0..2 {
            for prime in 0..primes {
                let v = &factor[prime * n..(prime + 1) * n];
                let terms = [(v, self.0.row(component, prime))];
                vector::dot(
                    parameters.modulus(prime),
                    &terms,
                    result.row_mut(component, prime),
                );
            }
        }
        Ok(result)
    }
}

/// Values of small or encoded coefficients modulo the first `primes` primes.
fn transform(parameters: &Parameters, primes: usize, coefficients: &[i64]) -> Zeroizing<Vec<u64>> {
    let n = parameters.ring_degree();
    let mut data = Zeroizing::new(vec![0; primes * n]);
    let mut residues = Zeroizing::new(vec![0; n]);
    for (ring, row) in parameters.all_rings().iter().zip(data.chunks_mut(n)) {
        for (r, &c) in residues.iter_mut().zip(coefficients) {
            *r = ring.modulus.reduce_signed(c);
        }
        ring.forward(&residues, row);
    }
    data
}

/// `row -= a · s`.
fn subtract_product(m: &Modulus, row: &mut [u64], a: &[u64], s: &[u64]) {
    for x in &mut *row {
        *x = m.neg(*x);
    }
    vector::dot(m, &[(a, s)], row);
    for x in row {
        *x = m.neg(*x);
    }
}

/// Numbers around zero from their residues, `[prime][N]`, which are used up.
///
/// Mixed radix with digits around zero: `y_0 + q_0 (y_1 + q_1 (y_2 + …))`. A number small beside the
/// modulus has zeros for its upper digits, so nothing cancels and the only rounding is that of the
/// final sum.
fn reconstruct(parameters: &Parameters, residues: &mut [u64], primes: usize) -> Vec<f64> {
    let n = parameters.ring_degree();
    let mut numbers = vec![0.0; n];
    let mut weight = 1.0;
    for prime in 0..primes {
        let (head, tail) = residues.split_at_mut((prime + 1) * n);
        let digits = &head[prime * n..];
        let m = parameters.modulus(prime);
        for (number, &digit) in numbers.iter_mut().zip(digits) {
            *number += weight * m.centred(digit) as f64;
        }
        weight *= m.q as f64;
        // what is left, divided by the prime
        for (row, later) in tail.chunks_mut(n).zip(prime + 1..primes) {
            let to = parameters.modulus(later);
            let inverse = to.factor(to.inverse(to.reduce(m.q)));
            for (x, &digit) in row.iter_mut().zip(digits) {
                let digit = to.reduce_signed(m.centred(digit));
                *x = to.once(to.mul_lazy(to.sub(*x, digit), inverse));
            }
        }
    }
    numbers
}
