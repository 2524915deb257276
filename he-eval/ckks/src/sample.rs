//! Randomness: uniform residues, ternary secrets and noise, all from AES-256 in counter mode.
//!
//! The key comes from the operating system, except for the public half of a seeded ciphertext, whose
//! seed is public.

use aes::Aes256;
use ctr::{
    Ctr64LE,
    cipher::{KeyIvInit, StreamCipher},
};
use rand::{TryRngCore, rngs::OsRng};
use zeroize::{Zeroize, Zeroizing};

use crate::modulus::Modulus;

/// The key of a stream.
pub(crate) type Seed = [u8; 32];

/// Pseudo-random words.
pub(crate) struct Stream {
    cipher: Ctr64LE<Aes256>,
    buffer: Zeroizing<[u8; 4096]>,
    used: usize,
}

impl Stream {
    /// The stream of a seed.
    pub fn new(seed: &Seed) -> Self {
        Self {
            cipher: Ctr64LE::<Aes256>::new(seed.into(), &[0; 16].into()),
            buffer: Zeroizing::new([0; 4096]),
            used: 4096,
        }
    }

    /// A stream keyed by the operating system.
    pub fn secret() -> Self {
        let mut seed = random_seed();
        let stream = Self::new(&seed);
        seed.zeroize();
        stream
    }

    #[inline(always)]
    pub fn word(&mut self) -> u64 {
        if self.used == self.buffer.len() {
            self.buffer.fill(0);
            self.cipher.apply_keystream(self.buffer.as_mut_slice());
            self.used = 0;
        }
        let bytes = &self.buffer[self.used..self.used + 8];
        self.used += 8;
        u64::from_le_bytes(bytes.try_into().expect("eight bytes"))
    }

    /// Uniform residues, by rejection.
    pub fn uniform(&mut self, m: &Modulus, to: &mut [u64]) {
        let mask = (1u64 << m.bits()) - 1;
        for x in to {
            *x = loop {
                let candidate = self.word() & mask;
                if candidate < m.value() {
                    break candidate;
                }
            };
        }
    }

    /// Coefficients -1, 0 and 1, each with probability a third.
    pub fn ternary(&mut self, to: &mut [i64]) {
        for x in to {
            *x = loop {
                // of two bits, three of four values
                let candidate = (self.word() & 3) as i64;
                if candidate < 3 {
                    break candidate - 1;
                }
            };
        }
    }

    /// Noise: centred binomial of 42 bits, variance 10.5, deviation 3.24, never above 21.
    pub fn noise(&mut self) -> i64 {
        const HALF: u64 = (1 << 21) - 1;
        let word = self.word();
        let (a, b) = (word & HALF, word >> 21 & HALF);
        i64::from(a.count_ones()) - i64::from(b.count_ones())
    }

    /// Rounds of a normal variable of the given deviation (Box & Muller), for flooding.
    pub fn normal(&mut self, deviation: f64) -> f64 {
        let unit = |word: u64| ((word >> 11) as f64 + 0.5) * (0.5f64).powi(53);
        let (u, v) = (unit(self.word()), unit(self.word()));
        (deviation * (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()).round()
    }
}

/// Deviation of [`Stream::noise`].
pub const NOISE_DEVIATION: f64 = 3.24037034920393;

/// A seed from the operating system.
pub(crate) fn random_seed() -> Seed {
    let mut seed = [0; 32];
    OsRng
        .try_fill_bytes(&mut seed)
        .expect("the operating system gives random bytes");
    seed
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::modulus::primes;

    fn moments(values: impl Iterator<Item = f64>) -> (f64, f64) {
        let (mut n, mut sum, mut squares) = (0.0, 0.0, 0.0);
        for v in values {
            n += 1.0;
            sum += v;
            squares += v * v;
        }
        (sum / n, squares / n)
    }

    #[test]
    fn distributions_have_their_moments() {
        let mut stream = Stream::new(&[7; 32]);
        let n = 200_000;
        let (mean, square) = moments((0..n).map(|_| stream.noise() as f64));
        // six standard errors
        assert!(mean.abs() < 6.0 * NOISE_DEVIATION / f64::from(n).sqrt());
        assert!((square / NOISE_DEVIATION.powi(2) - 1.0).abs() < 0.02);
        let mut ternary = vec![0; n as usize];
        stream.ternary(&mut ternary);
        let (mean, square) = moments(ternary.iter().map(|&x| x as f64));
        assert!(mean.abs() < 0.012 && (square - 2.0 / 3.0).abs() < 0.01);
        let m = Modulus::new(primes(20, 64, 1, &[]).unwrap()[0]);
        let mut uniform = vec![0; n as usize];
        stream.uniform(&m, &mut uniform);
        let (mean, _) = moments(uniform.iter().map(|&x| x as f64 / m.value() as f64));
        assert!((mean - 0.5).abs() < 0.004);
        assert!(uniform.iter().all(|&x| x < m.value()));
        let (mean, square) = moments((0..n).map(|_| stream.normal(1000.0)));
        assert!(mean.abs() < 14.0 && (square / 1e6 - 1.0).abs() < 0.02);
    }

    #[test]
    fn a_seed_determines_its_stream_and_secret_streams_differ() {
        let words = |mut s: Stream| (0..1000).map(|_| s.word()).collect::<Vec<_>>();
        assert_eq!(words(Stream::new(&[1; 32])), words(Stream::new(&[1; 32])));
        assert_ne!(words(Stream::new(&[1; 32])), words(Stream::new(&[2; 32])));
        assert_ne!(words(Stream::secret()), words(Stream::secret()));
    }
}
