//! Powers of ζ that coefficients are multiplied by on their way into the transform and out of it; see [`crate::ring`].

use crate::modulus::{Factor, Modulus};

/// Factors of one direction: for the pair (j, N - j) at index j, and for the two that are alone.
pub(crate) struct Twist {
    /// I.
    pub unit: Factor,
    /// Factor of coefficient j, `0 < j < N/2`.
    pub low: Factors,
    /// Factor of coefficient N - j.
    pub high: Factors,
    /// Factor of coefficient 0.
    pub first: Factor,
    /// Factor of coefficient N/2.
    pub middle: Factor,
}

impl Twist {
    /// With the factors of the two that are alone; those of pairs are to be pushed.
    pub fn alone(modulus: &Modulus, unit: u64, first: u64, middle: u64) -> Self {
        Self {
            unit: modulus.factor(unit),
            low: Factors::default(),
            high: Factors::default(),
            first: modulus.factor(first),
            middle: modulus.factor(middle),
        }
    }
}

/// Many [`Factor`]s, laid out for vector loads.
#[derive(Default)]
pub(crate) struct Factors {
    pub values: Vec<u64>,
    pub quotients: Vec<u64>,
}

impl Factors {
    pub fn push(&mut self, factor: Factor) {
        self.values.push(factor.value);
        self.quotients.push(factor.quotient);
    }

    #[inline(always)]
    pub fn get(&self, index: usize) -> Factor {
        Factor {
            value: self.values[index],
            quotient: self.quotients[index],
        }
    }
}

/// Residues modulo another prime, read as numbers around zero.
#[derive(Clone, Copy)]
pub(crate) struct Source {
    /// Residues above it stand for negative numbers.
    pub half: u64,
    /// What is added for those: minus the other prime, modulo this one.
    pub correction: u64,
}

impl Source {
    /// Numbers that are residues already.
    pub const SAME: Self = Self {
        half: u64::MAX,
        correction: 0,
    };

    pub fn new(from: &Modulus, to: &Modulus) -> Self {
        Self {
            half: from.q / 2,
            correction: to.neg(to.reduce(from.q)),
        }
    }
}
