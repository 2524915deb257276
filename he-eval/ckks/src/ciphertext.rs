//! Ciphertexts.

use rayon::prelude::*;

use crate::{
    columns::BLOCK,
    error::Error,
    parameters::Parameters,
    pool::Buffer,
    sample::{Expansion, Seed},
};

/// An encryption of N real slots: components `c_0, c_1` or `c_0, c_1, c_2`, such that
/// `c_0 + c_1 s + c_2 s²` is the encoded message plus noise.
#[derive(Clone, Debug, PartialEq)]
pub struct Ciphertext {
    pub(crate) parameters: Parameters,
    pub(crate) components: usize,
    pub(crate) primes: usize,
    pub(crate) scale: f64,
    /// Values of the components, `[component][prime][N]`.
    pub(crate) data: Buffer,
}

impl Ciphertext {
    /// A ciphertext of any content, to be filled.
    pub(crate) fn empty(
        parameters: &Parameters,
        components: usize,
        primes: usize,
        scale: f64,
    ) -> Self {
        let rows = components * primes * parameters.ring_degree() / BLOCK;
        Self {
            parameters: parameters.clone(),
            components,
            primes,
            scale,
            data: parameters.pool().take(rows),
        }
    }

    /// Number of components: two, or three after a product that was not relinearised.
    pub fn components(&self) -> usize {
        self.components
    }

    /// Ciphertext primes left.
    pub fn primes(&self) -> usize {
        self.primes
    }

    /// What the slots were multiplied by to make them integers.
    pub fn scale(&self) -> f64 {
        self.scale
    }

    /// Reads the same ciphertext at another scale: the slots change by the inverse factor.
    ///
    /// # Panics
    /// When the scale is not above zero, or infinite.
    #[must_use]
    pub fn with_scale(mut self, scale: f64) -> Self {
        assert!(scale.is_normal() && scale > 0.0, "a scale of {scale}");
        self.scale = scale;
        self
    }

    /// Bytes in memory.
    pub fn bytes(&self) -> usize {
        size_of_val(&*self.data)
    }

    /// The values of one component modulo one prime.
    pub fn row(&self, component: usize, prime: usize) -> &[u64] {
        assert!(prime < self.primes, "there is no prime {prime} here");
        let n = self.parameters.ring_degree();
        let at = (component * self.primes + prime) * n;
        &self.data.as_flattened()[at..at + n]
    }

    pub(crate) fn row_mut(&mut self, component: usize, prime: usize) -> &mut [u64] {
        let n = self.parameters.ring_degree();
        let at = (component * self.primes + prime) * n;
        &mut self.data.as_flattened_mut()[at..at + n]
    }

    /// The same message with fewer primes.
    ///
    /// # Errors
    /// When it has fewer already, or none was asked for.
    pub fn drop_to(&self, primes: usize) -> Result<Self, Error> {
        if primes == 0 || primes > self.primes {
            return Err(Error::Mismatch(format!(
                "{} primes cannot become {primes}",
                self.primes
            )));
        }
        let mut fewer = Self::empty(&self.parameters, self.components, primes, self.scale);
        for component in 0..self.components {
            for prime in 0..primes {
                fewer
                    .row_mut(component, prime)
                    .copy_from_slice(self.row(component, prime));
            }
        }
        Ok(fewer)
    }
}

/// Ciphertexts of one shape in one piece of memory: the values of a layer.
#[derive(Clone, Debug, PartialEq)]
pub struct Bundle {
    pub(crate) parameters: Parameters,
    pub(crate) count: usize,
    pub(crate) components: usize,
    pub(crate) primes: usize,
    pub(crate) scale: f64,
    /// `[ciphertext][component][prime][N]`.
    pub(crate) rows: Buffer,
}

impl Bundle {
    /// Ciphertexts of any content, to be filled.
    pub(crate) fn empty(
        parameters: &Parameters,
        count: usize,
        components: usize,
        primes: usize,
        scale: f64,
    ) -> Self {
        let rows = count * components * primes * parameters.ring_degree() / BLOCK;
        Self {
            parameters: parameters.clone(),
            count,
            components,
            primes,
            scale,
            rows: parameters.pool().take(rows),
        }
    }

    /// Puts ciphertexts together.
    ///
    /// # Errors
    /// When there are none, or they differ in components, primes, scale or parameters.
    pub fn new(all: &[Ciphertext]) -> Result<Self, Error> {
        let Some(first) = all.first() else {
            return Err(Error::Mismatch(
                "a bundle has one ciphertext at least".into(),
            ));
        };
        let same = |c: &Ciphertext| {
            c.parameters == first.parameters
                && (c.components, c.primes) == (first.components, first.primes)
                // exact, since equal scales come from equal operations
                && c.scale.to_bits() == first.scale.to_bits()
        };
        if !all.iter().all(same) {
            return Err(Error::Mismatch(
                "the ciphertexts of a bundle have equally many components and primes, and one scale"
                    .into(),
            ));
        }
        let mut bundle = Self::empty(
            &first.parameters,
            all.len(),
            first.components,
            first.primes,
            first.scale,
        );
        let one = first.data.len();
        for (rows, c) in bundle.rows.chunks_mut(one).zip(all) {
            rows.copy_from_slice(&c.data);
        }
        Ok(bundle)
    }

    /// Number of ciphertexts.
    pub fn len(&self) -> usize {
        self.count
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Number of components of each.
    pub fn components(&self) -> usize {
        self.components
    }

    /// Ciphertext primes left.
    pub fn primes(&self) -> usize {
        self.primes
    }

    /// What the slots were multiplied by to make them integers.
    pub fn scale(&self) -> f64 {
        self.scale
    }

    /// Reads the same ciphertexts at another scale: the slots change by the inverse factor.
    ///
    /// # Panics
    /// When the scale is not above zero, or infinite.
    #[must_use]
    pub fn with_scale(mut self, scale: f64) -> Self {
        assert!(scale.is_normal() && scale > 0.0, "a scale of {scale}");
        self.scale = scale;
        self
    }

    /// The values of one component of a ciphertext modulo one prime.
    pub(crate) fn row(&self, index: usize, component: usize, prime: usize) -> &[u64] {
        let n = self.parameters.ring_degree();
        let at = ((index * self.components + component) * self.primes + prime) * n;
        &self.rows.as_flattened()[at..at + n]
    }

    /// A copy of ciphertext `index`.
    pub fn get(&self, index: usize) -> Ciphertext {
        let mut one = Ciphertext::empty(&self.parameters, self.components, self.primes, self.scale);
        let rows = one.data.len();
        one.data
            .copy_from_slice(&self.rows[index * rows..(index + 1) * rows]);
        one
    }

    /// Copies of all of them.
    pub fn to_ciphertexts(&self) -> Vec<Ciphertext> {
        (0..self.count)
            .into_par_iter()
            .map(|i| self.get(i))
            .collect()
    }

    /// Bytes in memory.
    pub fn bytes(&self) -> usize {
        size_of_val(&*self.rows)
    }
}

/// A fresh ciphertext whose random component is kept as the seed that it grows from: half the bytes.
#[derive(Clone, Debug, PartialEq)]
pub struct SeededCiphertext {
    pub(crate) parameters: Parameters,
    pub(crate) primes: usize,
    pub(crate) scale: f64,
    pub(crate) seed: Seed,
    /// Values of `c_0`, `[prime][N]`.
    pub(crate) data: Vec<u64>,
}

impl SeededCiphertext {
    /// The ciphertext in full.
    pub fn expand(&self) -> Ciphertext {
        let mut full = Ciphertext::empty(&self.parameters, 2, self.primes, self.scale);
        full.data.as_flattened_mut()[..self.data.len()].copy_from_slice(&self.data);
        let expansion = Expansion::new(&self.seed);
        for prime in 0..self.primes {
            random_row(&self.parameters, &expansion, prime, full.row_mut(1, prime));
        }
        full
    }

    /// Bytes in memory.
    pub fn bytes(&self) -> usize {
        size_of_val(self.data.as_slice()) + self.seed.len()
    }
}

/// The random component modulo one prime.
pub(crate) fn random_row(
    parameters: &Parameters,
    expansion: &Expansion,
    prime: usize,
    to: &mut [u64],
) {
    let (rows, _) = to.as_chunks_mut::<BLOCK>();
    let first = prime * rows.len();
    for (block, row) in rows.iter_mut().enumerate() {
        expansion.fill(parameters.modulus(prime), first + block, row);
    }
}

/// Seeded ciphertexts of one shape, put together block by block of columns, as layers read them.
#[derive(Clone, Debug, PartialEq)]
pub struct SeededBatch {
    pub(crate) parameters: Parameters,
    pub(crate) primes: usize,
    pub(crate) scale: f64,
    pub(crate) seeds: Vec<Seed>,
    /// Values of all `c_0`, `[prime][block][ciphertext]`.
    pub(crate) rows: Buffer,
}

impl SeededBatch {
    /// Puts ciphertexts together.
    ///
    /// # Errors
    /// When there are none, or they differ in primes, scale or parameters.
    pub fn new(all: &[SeededCiphertext]) -> Result<Self, Error> {
        let Some(first) = all.first() else {
            return Err(Error::Mismatch(
                "a batch has one ciphertext at least".into(),
            ));
        };
        let same = |c: &SeededCiphertext| {
            c.parameters == first.parameters
                && c.primes == first.primes
                && c.scale.to_bits() == first.scale.to_bits()
        };
        if !all.iter().all(same) {
            return Err(Error::Mismatch("a batch is of one shape and scale".into()));
        }
        let blocks = first.data.len() / BLOCK;
        let mut rows = first.parameters.pool().take(blocks * all.len());
        rows.par_chunks_mut(all.len())
            .enumerate()
            .for_each(|(block, rows)| {
                for (row, c) in rows.iter_mut().zip(all) {
                    row.copy_from_slice(&c.data[block * BLOCK..(block + 1) * BLOCK]);
                }
            });
        Ok(Self {
            parameters: first.parameters.clone(),
            primes: first.primes,
            scale: first.scale,
            seeds: all.iter().map(|c| c.seed).collect(),
            rows,
        })
    }

    /// Number of ciphertexts.
    pub fn len(&self) -> usize {
        self.seeds.len()
    }

    /// Never: a batch has one ciphertext at least.
    pub fn is_empty(&self) -> bool {
        self.seeds.is_empty()
    }

    /// Bytes in memory.
    pub fn bytes(&self) -> usize {
        size_of_val(&*self.rows) + size_of_val(self.seeds.as_slice())
    }

    /// A copy of ciphertext `index`.
    pub fn get(&self, index: usize) -> SeededCiphertext {
        let rows = self.rows.iter().skip(index).step_by(self.len());
        SeededCiphertext {
            parameters: self.parameters.clone(),
            primes: self.primes,
            scale: self.scale,
            seed: self.seeds[index],
            data: rows.flatten().copied().collect(),
        }
    }

    /// The ciphertexts in full, on all threads of the current pool.
    pub fn expand(&self) -> Bundle {
        let blocks = self.parameters.ring_degree() / BLOCK;
        let mut full = Bundle::empty(&self.parameters, self.len(), 2, self.primes, self.scale);
        full.rows
            .par_chunks_mut(2 * self.primes * blocks)
            .zip(&self.seeds)
            .enumerate()
            .for_each(|(index, (rows, seed))| {
                let (values, random) = rows.split_at_mut(self.primes * blocks);
                for (block, row) in values.iter_mut().enumerate() {
                    *row = self.rows[block * self.len() + index];
                }
                let expansion = Expansion::new(seed);
                for (prime, rows) in random.chunks_mut(blocks).enumerate() {
                    random_row(&self.parameters, &expansion, prime, rows.as_flattened_mut());
                }
            });
        full
    }
}
