//! What the server does: everything that needs no secret key.

use rayon::prelude::*;

use crate::{
    ciphertext::{Bundle, Ciphertext},
    error::Error,
    keys::RelinearisationKey,
    parameters::Parameters,
    switch::{Buffers, Residues, Spent, Switch},
    vector,
};

/// Evaluates on ciphertexts. It holds a relinearisation key at most, never a secret one.
#[derive(Clone)]
pub struct Evaluator {
    parameters: Parameters,
    key: Option<RelinearisationKey>,
}

/// Ciphertexts that are relinearised together, so that the key is read from memory once for all.
const GROUP: usize = 4;

/// Scales of summands may differ by so much.
const SCALE_TOLERANCE: f64 = 1e-6;

impl Evaluator {
    /// An evaluator; without a key it cannot relinearise.
    ///
    /// # Errors
    /// When the key belongs to other parameters.
    pub fn new(parameters: &Parameters, key: Option<RelinearisationKey>) -> Result<Self, Error> {
        if key
            .as_ref()
            .is_some_and(|key| key.parameters != *parameters)
        {
            return Err(Error::Mismatch("the key is of other parameters".into()));
        }
        Ok(Self {
            parameters: parameters.clone(),
            key,
        })
    }

    /// The parameters.
    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// The sum. Ciphertexts of different numbers of primes meet at the smaller.
    ///
    /// # Errors
    /// When the scales differ by more than a millionth: the sum is read at one of them, so that much of the other
    /// summand is lost.
    pub fn add(&self, a: &Ciphertext, b: &Ciphertext) -> Result<Ciphertext, Error> {
        self.check(a)?;
        self.check(b)?;
        let apart = (a.scale / b.scale - 1.0).abs();
        // scales that are no numbers are refused, too
        if apart.is_nan() || apart > SCALE_TOLERANCE {
            return Err(Error::Mismatch(format!(
                "scales 2^{:.3} and 2^{:.3}",
                a.scale.log2(),
                b.scale.log2()
            )));
        }
        let (long, short) = if a.components >= b.components {
            (a, b)
        } else {
            (b, a)
        };
        let mut sum = long.drop_to(a.primes.min(b.primes))?;
        for component in 0..short.components {
            for prime in 0..sum.primes {
                let m = self.parameters.modulus(prime);
                vector::add(
                    m,
                    sum.row_mut(component, prime),
                    short.row(component, prime),
                );
            }
        }
        Ok(sum)
    }

    /// Adds a number to every slot.
    ///
    /// # Errors
    /// When the ciphertext belongs to other parameters, or the number is not one.
    pub fn add_number(&self, a: &Ciphertext, number: f64) -> Result<Ciphertext, Error> {
        self.check(a)?;
        check_number(number * a.scale)?;
        let mut sum = a.clone();
        for prime in 0..sum.primes {
            let m = *self.parameters.modulus(prime);
            let residue = m.of_real(number * a.scale);
            for x in sum.row_mut(0, prime) {
                *x = m.add(*x, residue);
            }
        }
        Ok(sum)
    }

    /// Multiplies every slot by a number, which is rounded to a multiple of `1 / number_scale`; the
    /// scale grows by `number_scale`.
    ///
    /// # Errors
    /// When the ciphertext belongs to other parameters, or the number is not one.
    pub fn multiply_number(
        &self,
        a: &Ciphertext,
        number: f64,
        number_scale: f64,
    ) -> Result<Ciphertext, Error> {
        self.check(a)?;
        check_number(number * number_scale)?;
        let mut product = a.clone();
        product.scale *= number_scale;
        for component in 0..product.components {
            for prime in 0..product.primes {
                let m = *self.parameters.modulus(prime);
                let factor = m.of_real(number * number_scale);
                vector::scale(&m, product.row_mut(component, prime), factor);
            }
        }
        Ok(product)
    }

    /// The product, of three components. Different numbers of primes meet at the smaller.
    ///
    /// # Errors
    /// When an operand belongs to other parameters or was not relinearised.
    pub fn multiply(&self, a: &Ciphertext, b: &Ciphertext) -> Result<Ciphertext, Error> {
        for c in [a, b] {
            self.check(c)?;
            if c.components != 2 {
                return Err(Error::Mismatch(
                    "relinearise before multiplying again".into(),
                ));
            }
        }
        let primes = a.primes.min(b.primes);
        let mut product = Ciphertext::empty(&self.parameters, 3, primes, a.scale * b.scale);
        for prime in 0..primes {
            let m = self.parameters.modulus(prime);
            for component in 0..3 {
                let pairs: Vec<(&[u64], &[u64])> = (0..=component.min(1))
                    .filter(|i| component - i < 2)
                    .map(|i| (a.row(i, prime), b.row(component - i, prime)))
                    .collect();
                let row = product.row_mut(component, prime);
                row.fill(0);
                vector::dot(m, &pairs, row);
            }
        }
        Ok(product)
    }

    /// Three components to two.
    ///
    /// # Errors
    /// Without a key.
    pub fn relinearise(&self, a: &Ciphertext) -> Result<Ciphertext, Error> {
        self.switch_one(a, false)
    }

    /// Divides by the last prime; three components become two on the way.
    ///
    /// # Errors
    /// When there is no prime left, or three components and no key.
    pub fn rescale(&self, a: &Ciphertext) -> Result<Ciphertext, Error> {
        self.switch_one(a, true)
    }

    /// [`rescale`](Self::rescale) of many ciphertexts, on all threads of the current pool.
    ///
    /// # Errors
    /// As there; and all must have the same shape.
    pub fn rescale_all(&self, all: &[Ciphertext]) -> Result<Vec<Ciphertext>, Error> {
        let Some(first) = all.first() else {
            return Ok(Vec::new());
        };
        let same = |c: &Ciphertext| c.components == first.components && c.primes == first.primes;
        if !all.iter().all(same) {
            return Err(Error::Mismatch("ciphertexts of different shapes".into()));
        }
        for c in all {
            self.check(c)?;
        }
        let rows: Vec<&dyn Residues> = all.iter().map(|c| c as &dyn Residues).collect();
        let (bundle, _) = self.switch(&rows, first.components, first.primes, first.scale, true)?;
        let results = all.iter().enumerate().map(|(index, c)| {
            let result = bundle.get(index);
            let scale = result.scale * (c.scale / first.scale);
            result.with_scale(scale)
        });
        Ok(results.collect())
    }

    /// Relinearises and rescales ciphertexts that may lie in pieces.
    pub(crate) fn switch(
        &self,
        rows: &[&dyn Residues],
        components: usize,
        primes: usize,
        scale: f64,
        rescale: bool,
    ) -> Result<(Bundle, Spent), Error> {
        if rescale && primes < 2 {
            return Err(Error::NoLevel);
        }
        let switch = Switch {
            parameters: &self.parameters,
            key: self.key_for(components)?,
            primes,
            scale,
            rescale,
        };
        let mut bundle = Bundle::empty(
            &self.parameters,
            rows.len(),
            2,
            switch.kept(),
            switch.result_scale(),
        );
        // small groups when there is little to do, so that no thread idles
        let share = rows.len().div_ceil(rayon::current_num_threads());
        let group = GROUP.min(share).max(1);
        let words = bundle.rows.as_flattened_mut();
        let spent = words
            .par_chunks_mut(group * switch.result_words())
            .zip(rows.par_chunks(group))
            .map_init(Buffers::default, |work, (results, rows)| {
                switch.apply(rows, results, work)
            })
            .reduce(Spent::default, Spent::sum);
        Ok((bundle, spent))
    }

    /// Puts ciphertexts that may lie in pieces together, as they are.
    pub(crate) fn gather(
        &self,
        rows: &[&dyn Residues],
        components: usize,
        primes: usize,
        scale: f64,
    ) -> Bundle {
        let n = self.parameters.ring_degree();
        let mut bundle = Bundle::empty(&self.parameters, rows.len(), components, primes, scale);
        let words = bundle.rows.as_flattened_mut();
        words
            .par_chunks_mut(components * primes * n)
            .zip(rows)
            .for_each(|(words, one)| {
                for (row, to) in words.chunks_mut(n).enumerate() {
                    one.read(row / primes, row % primes, to);
                }
            });
        bundle
    }

    fn switch_one(&self, a: &Ciphertext, rescale: bool) -> Result<Ciphertext, Error> {
        self.check(a)?;
        if a.components == 2 && !rescale {
            return Ok(a.clone());
        }
        let (result, _) = self.switch(&[a], a.components, a.primes, a.scale, rescale)?;
        Ok(result.get(0))
    }

    fn key_for(&self, components: usize) -> Result<Option<&RelinearisationKey>, Error> {
        match (components, &self.key) {
            (2, _) => Ok(None),
            (_, Some(key)) => Ok(Some(key)),
            _ => Err(Error::Mismatch(
                "three components need a relinearisation key, and the evaluator has none".into(),
            )),
        }
    }

    pub(crate) fn check(&self, a: &Ciphertext) -> Result<(), Error> {
        if a.parameters == self.parameters {
            Ok(())
        } else {
            Err(Error::Mismatch(
                "the ciphertext is of other parameters".into(),
            ))
        }
    }
}

fn check_number(scaled: f64) -> Result<(), Error> {
    if scaled.is_finite() {
        Ok(())
    } else {
        Err(Error::Encoding {
            value: scaled,
            log2_scale: 0.0,
        })
    }
}
