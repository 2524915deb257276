//! Randomness: uniform residues, ternary secrets and noise, all from AES-256 in counter mode.
//!
//! The key comes from the operating system, except for the public half of a seeded ciphertext, whose
//! seed is public.

use aes::{
    Aes256Enc, Block,
    cipher::{BlockCipherEncrypt, KeyInit},
};
use rand::{TryRngCore, rngs::OsRng};
use zeroize::{Zeroize, Zeroizing};

use crate::{
    columns::{BLOCK, Row},
    modulus::Modulus,
};

/// The key of a stream.
pub(crate) type Seed = [u8; 32];

/// Blocks of the cipher that are made at a time.
const AHEAD: usize = 64;

/// Pseudo-random words.
pub(crate) struct Stream {
    cipher: Aes256Enc,
    /// Blocks made so far.
    counter: u64,
    buffer: Zeroizing<[u64; 2 * AHEAD]>,
    used: usize,
}

/// `count` blocks of the stream, from block `counter` on.
#[inline(always)]
fn blocks<const N: usize>(cipher: &Aes256Enc, counter: u64) -> [Block; N] {
    let mut blocks: [Block; N] = std::array::from_fn(|i| {
        let mut block = Block::default();
        block[..8].copy_from_slice(&(counter + i as u64).to_le_bytes());
        block
    });
    cipher.encrypt_blocks(&mut blocks);
    blocks
}

/// The two words of a block.
#[inline(always)]
fn words(block: &Block) -> [u64; 2] {
    let half = |at: usize| u64::from_le_bytes(block[at..at + 8].try_into().expect("eight bytes"));
    [half(0), half(8)]
}

/// The random component of a seeded ciphertext, block of columns by block of columns, in any order.
pub(crate) struct Expansion(Aes256Enc);

/// Cipher blocks set aside for one block of columns. A prime of k bits rejects less than half of all
/// k-bit words, so that 512 words always hold 32 residues (all but one time in 2^300).
const SET_ASIDE: u64 = 256;

impl Expansion {
    pub fn new(seed: &Seed) -> Self {
        Self(Aes256Enc::new(seed.into()))
    }

    /// Uniform residues, by rejection; `index` numbers the blocks of columns of all primes.
    #[inline]
    pub fn fill(&self, m: &Modulus, index: usize, to: &mut Row) {
        let mask = (1u64 << m.bits()) - 1;
        let first = index as u64 * SET_ASIDE;
        let mut filled = 0;
        let mut made = 0;
        while filled < BLOCK {
            assert!(made < SET_ASIDE, "rejection ends long before");
            for block in &blocks::<{ BLOCK / 2 }>(&self.0, first + made) {
                for word in words(block) {
                    let candidate = word & mask;
                    if candidate < m.value() && filled < BLOCK {
                        to[filled] = candidate;
                        filled += 1;
                    }
                }
            }
            made += BLOCK as u64 / 2;
        }
    }
}

impl Stream {
    /// The stream of a seed.
    pub fn new(seed: &Seed) -> Self {
        Self {
            cipher: Aes256Enc::new(seed.into()),
            counter: 0,
            buffer: Zeroizing::new([0; 2 * AHEAD]),
            used: 2 * AHEAD,
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
            let made = blocks::<AHEAD>(&self.cipher, self.counter);
            for (pair, block) in self.buffer.chunks_exact_mut(2).zip(&made) {
                pair.copy_from_slice(&words(block));
            }
            self.counter += AHEAD as u64;
            self.used = 0;
        }
        self.used += 1;
        self.buffer[self.used - 1]
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

/// Deviation of the errors, centred binomial of 42 bits: √10.5.
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
