//! Where values meet that lie apart: sums of values of any scale, and products of two values.
//!
//! A term of a sum has a scale of its own. It is brought to that of the sum by one integer factor,
//! `round(factor · scale of the sum / scale of the term)`, which is exact to one part in itself: so the scale of a sum
//! should be much larger than those of its terms, as it is before rescaling. Of a term with more primes than the sum the
//! others are not read.
//!
//! Sums and products are made while they are relinearised and rescaled, row by row, and never written to memory as
//! they are.

use std::borrow::Cow;

use crate::{
    ciphertext::Bundle, error::Error, evaluator::Evaluator, parameters::Parameters,
    switch::Residues, vector,
};

/// A term of a sum.
#[derive(Clone, Copy)]
pub struct Term<'a> {
    /// Its values, of two components each.
    pub values: &'a Bundle,
    /// What the slots of each value are multiplied by; empty for ones.
    pub factors: &'a [f64],
}

/// Terms and a bias, checked and scaled.
pub(crate) struct Sum<'a> {
    parameters: &'a Parameters,
    terms: Vec<Scaled<'a>>,
    /// `[prime][value]`, or empty.
    bias: Vec<Vec<u64>>,
}

struct Scaled<'a> {
    values: &'a Bundle,
    /// `[prime][value]`.
    factors: Vec<Vec<u64>>,
}

impl<'a> Sum<'a> {
    /// Of so many values with so many primes, at that scale.
    pub fn new(
        parameters: &'a Parameters,
        terms: &[Term<'a>],
        bias: &[f64],
        (values, primes, scale): (usize, usize, f64),
    ) -> Result<Self, Error> {
        let fail = |text: String| Err(Error::Mismatch(text));
        let residues = |numbers: &[f64]| -> Vec<Vec<u64>> {
            let modulo = |prime| {
                let m = parameters.modulus(prime);
                numbers.iter().map(|&x| m.of_real(x)).collect()
            };
            (0..primes).map(modulo).collect()
        };
        let mut scaled = Vec::with_capacity(terms.len());
        for term in terms {
            let bundle = term.values;
            if bundle.parameters != *parameters || bundle.components != 2 {
                return fail(
                    "terms of a sum have two components and the parameters of the sum".into(),
                );
            }
            let fits = bundle.count == values && bundle.primes >= primes;
            if !fits || !(term.factors.is_empty() || term.factors.len() == values) {
                return fail(format!(
                    "a sum of {values} values with {primes} primes cannot add {} with {} and {} factors",
                    bundle.count,
                    bundle.primes,
                    term.factors.len()
                ));
            }
            let ratio = scale / bundle.scale;
            let factors: Vec<f64> = if term.factors.is_empty() {
                vec![ratio; values]
            } else {
                term.factors.iter().map(|factor| factor * ratio).collect()
            };
            if factors.iter().any(|factor| !factor.is_finite()) {
                return fail("the factors of a sum must be finite".into());
            }
            scaled.push(Scaled {
                values: bundle,
                factors: residues(&factors),
            });
        }
        let bias: Vec<f64> = bias.iter().map(|b| b * scale).collect();
        if !(bias.is_empty() || bias.len() == values) || bias.iter().any(|b| !b.is_finite()) {
            return fail(format!("{values} values need as many finite biases"));
        }
        Ok(Self {
            parameters,
            terms: scaled,
            bias: if bias.is_empty() {
                Vec::new()
            } else {
                residues(&bias)
            },
        })
    }

    /// Adds all terms to a component of a value.
    pub fn add(&self, value: usize, component: usize, prime: usize, to: &mut [u64]) {
        let m = self.parameters.modulus(prime);
        if component < 2 {
            for Scaled { values, factors } in &self.terms {
                let factor = m.factor(factors[prime][value]);
                for (to, x) in to.iter_mut().zip(values.row(value, component, prime)) {
                    *to = m.add(*to, m.once(m.mul_lazy(*x, factor)));
                }
            }
        }
        if let Some(bias) = self.bias.get(prime).filter(|_| component == 0) {
            let bias = bias[value];
            for to in to {
                *to = m.add(*to, bias);
            }
        }
    }
}

impl Residues for (&Sum<'_>, usize) {
    fn read(&self, component: usize, prime: usize, to: &mut [u64]) {
        to.fill(0);
        self.0.add(self.1, component, prime, to);
    }
}

/// A product of two values plus a shift each.
struct Product<'a> {
    parameters: &'a Parameters,
    factors: [&'a Bundle; 2],
    /// `[side][prime]`.
    shifts: [Vec<u64>; 2],
    value: usize,
}

impl Product<'_> {
    /// Component 0 or 1 of a factor.
    fn factor(&self, side: usize, component: usize, prime: usize) -> Cow<'_, [u64]> {
        let m = self.parameters.modulus(prime);
        let row = self.factors[side].row(self.value, component, prime);
        match self.shifts[side].get(prime) {
            Some(&shift) if component == 0 => row.iter().map(|x| m.add(*x, shift)).collect(),
            _ => Cow::Borrowed(row),
        }
    }
}

impl Residues for Product<'_> {
    fn read(&self, component: usize, prime: usize, to: &mut [u64]) {
        let m = self.parameters.modulus(prime);
        let row = |side, component| self.factor(side, component, prime);
        let pairs = match component {
            0 => vec![(row(0, 0), row(1, 0))],
            1 => vec![(row(0, 0), row(1, 1)), (row(0, 1), row(1, 0))],
            _ => vec![(row(0, 1), row(1, 1))],
        };
        let pairs: Vec<(&[u64], &[u64])> = pairs.iter().map(|(a, b)| (&**a, &**b)).collect();
        to.fill(0);
        vector::dot(m, &pairs, to);
    }
}

impl Evaluator {
    /// Sums of terms and a bias (which may be empty) at a scale, with so many primes; then rescaled, if asked for.
    ///
    /// # Errors
    /// When terms do not fit, or there is no prime to rescale by.
    pub fn sum(
        &self,
        terms: &[Term<'_>],
        bias: &[f64],
        (primes, scale): (usize, f64),
        rescale: bool,
    ) -> Result<Bundle, Error> {
        let Some(first) = terms.first() else {
            return Err(Error::Mismatch("a sum has one term at least".into()));
        };
        let values = first.values.count;
        let sum = Sum::new(self.parameters(), terms, bias, (values, primes, scale))?;
        let sums: Vec<(&Sum<'_>, usize)> = (0..values).map(|value| (&sum, value)).collect();
        let rows: Vec<&dyn Residues> = sums.iter().map(|one| one as &dyn Residues).collect();
        self.joined(&rows, 2, (primes, scale), rescale)
    }

    /// Products of the values of two bundles, a shift added to each factor before (lists may be empty), modulo the first
    /// so many primes; relinearised and rescaled if asked for, of three components otherwise.
    ///
    /// # Errors
    /// When the bundles or shifts do not fit, or there is no prime to rescale by.
    pub fn product(
        &self,
        factors: [&Bundle; 2],
        shifts: [&[f64]; 2],
        primes: usize,
        rescale: bool,
    ) -> Result<Bundle, Error> {
        let values = factors[0].count;
        for (bundle, shifts) in factors.iter().zip(shifts) {
            let fits = bundle.parameters == *self.parameters()
                && (bundle.count, bundle.components) == (values, 2)
                && bundle.primes >= primes;
            let scaled = shifts.iter().map(|shift| shift * bundle.scale);
            let good = shifts.is_empty() || shifts.len() == values;
            if !fits || !good || scaled.into_iter().any(|s| !s.is_finite()) {
                return Err(Error::Mismatch(format!(
                    "a product of {values} values with {primes} primes has factors of two components, as many values and primes, and one finite shift each or none"
                )));
            }
        }
        let products: Vec<Product<'_>> = (0..values)
            .map(|value| Product {
                parameters: self.parameters(),
                factors,
                shifts: [0, 1].map(|side: usize| {
                    let shift = shifts[side].get(value);
                    let scaled = shift.map(|shift| shift * factors[side].scale);
                    let residue = |prime| Some(self.parameters().modulus(prime).of_real(scaled?));
                    (0..primes).map_while(residue).collect()
                }),
                value,
            })
            .collect();
        let rows: Vec<&dyn Residues> = products.iter().map(|one| one as &dyn Residues).collect();
        let scale = factors[0].scale * factors[1].scale;
        self.joined(&rows, 3, (primes, scale), rescale)
    }

    /// What was joined, relinearised and rescaled if asked for, as it is otherwise.
    fn joined(
        &self,
        rows: &[&dyn Residues],
        components: usize,
        (primes, scale): (usize, f64),
        rescale: bool,
    ) -> Result<Bundle, Error> {
        if rescale {
            Ok(self.switch(rows, components, primes, scale, true)?.0)
        } else {
            Ok(self.gather(rows, components, primes, scale))
        }
    }
}
