//! The evaluators, each written once over any [`Algebra`].

use std::collections::BTreeMap;

use super::{Algebra, Meter, Place};
use crate::basis::Basis;
use crate::polynomial::Polynomial;

pub(super) fn trimmed(mut coefficients: Vec<f64>, degree: usize) -> Vec<f64> {
    coefficients.truncate(degree + 1);
    coefficients
}

/// `u = (x - centre) / half_width`, sparing what is nothing.
pub(super) fn to_unit<A: Algebra>(
    algebra: &mut A,
    polynomial: &Polynomial,
    x: &A::Value,
) -> A::Value {
    let on = polynomial.interval();
    let (rate, offset) = (1.0 / on.half_width(), -on.centre() / on.half_width());
    let scaled = if rate.to_bits() == 1.0_f64.to_bits() {
        x.clone()
    } else {
        algebra.scale(x, rate)
    };
    if offset == 0.0 {
        scaled
    } else {
        algebra.shift(&scaled, offset)
    }
}

/// Over powers of `x`; in `x²` if only even or only odd ones occur.
pub(super) fn horner<A: Algebra>(algebra: &mut A, c: &[f64], x: &A::Value) -> A::Value {
    let n = c.len() - 1;
    let zero = |parity: usize| c.iter().skip(parity).step_by(2).all(|v| *v == 0.0);
    if n >= 2 && zero(1) {
        let half: Vec<f64> = c.iter().copied().step_by(2).collect();
        let square = algebra.square(x);
        return horner(algebra, &half, &square);
    }
    if n >= 3 && zero(0) {
        let half: Vec<f64> = c.iter().copied().skip(1).step_by(2).collect();
        let square = algebra.square(x);
        let even = horner(algebra, &half, &square);
        return algebra.multiply(&even, x);
    }
    let mut sum = algebra.scale(x, c[n]);
    for k in (1..n).rev() {
        if c[k] != 0.0 {
            sum = algebra.shift(&sum, c[k]);
        }
        sum = algebra.multiply(&sum, x);
    }
    if c[0] == 0.0 {
        sum
    } else {
        algebra.shift(&sum, c[0])
    }
}

/// The basis functions computed so far.
pub(super) struct Table<V> {
    basis: Basis,
    known: BTreeMap<usize, V>,
}

impl<V: Clone> Table<V> {
    pub fn new(basis: Basis, first: V) -> Self {
        Self {
            basis,
            known: BTreeMap::from([(1, first)]),
        }
    }

    /// Function `k ≥ 1`, from two halves: `x^{a+b} = x^a x^b`, `T_{a+b} = 2 T_a T_b - T_{a-b}`.
    fn get<A: Algebra<Value = V>>(&mut self, algebra: &mut A, k: usize) -> V {
        if let Some(value) = self.known.get(&k) {
            return value.clone();
        }
        let (mut a, mut b) = (k.div_ceil(2), k / 2);
        // a power of two as one half keeps the depth, and an odd function free of even ones
        let power = k.next_power_of_two() / 2;
        if !k.is_power_of_two() && k % 2 == 1 && self.basis == Basis::Chebyshev {
            (a, b) = (power.max(k - power), power.min(k - power));
        }
        let value = if a == b {
            let half = self.get(algebra, a);
            algebra.square(&half)
        } else {
            let (one, other) = (self.get(algebra, a), self.get(algebra, b));
            algebra.multiply(&one, &other)
        };
        let value = if self.basis == Basis::Chebyshev {
            // a sum with itself is no product, so it costs no level
            let double = algebra.add(&value, &value);
            if a == b {
                algebra.shift(&double, -1.0)
            } else {
                let back = self.get(algebra, a - b);
                let negative = algebra.scale(&back, -1.0);
                algebra.add(&double, &negative)
            }
        } else {
            value
        };
        self.known.insert(k, value.clone());
        value
    }
}

/// `c_0 + Σ c_k φ_k`; `None` if all but `c_0` are zero.
pub(super) fn linear<A: Algebra>(
    algebra: &mut A,
    table: &mut Table<A::Value>,
    c: &[f64],
) -> Option<A::Value> {
    let mut sum: Option<A::Value> = None;
    for (k, &factor) in c.iter().enumerate().skip(1) {
        if factor == 0.0 {
            continue;
        }
        let value = table.get(algebra, k);
        let term = algebra.scale(&value, factor);
        sum = Some(match sum {
            Some(sum) => algebra.add(&sum, &term),
            None => term,
        });
    }
    sum.map(|sum| {
        if c[0] == 0.0 {
            sum
        } else {
            algebra.shift(&sum, c[0])
        }
    })
}

/// How far the baby steps go: the narrower of two splits may save a product, and the meter decides.
pub(super) fn split(c: &[f64]) -> usize {
    let split = baby_steps(c.len() - 1);
    if split > 2 && stockmeyer_cost(c, split / 2) < stockmeyer_cost(c, split) {
        split / 2
    } else {
        split
    }
}

/// The power of two near `√(degree / 2)` or above: how far the baby steps go.
fn baby_steps(degree: usize) -> usize {
    let target = ((degree as f64) / 2.0).sqrt().ceil() as usize;
    (2 * target).next_power_of_two().max(2)
}

fn stockmeyer_cost(c: &[f64], split: usize) -> (usize, usize) {
    let mut meter = Meter::default();
    let mut table = Table::new(Basis::Chebyshev, Place::default());
    let end = stockmeyer(&mut meter, &mut table, c, split).unwrap_or_default();
    (end.depth, meter.cost.ciphertext_products)
}

/// `Σ c_k T_k`: below `split` directly, else `p = q T_m + r` with the largest giant step `m`.
pub(super) fn stockmeyer<A: Algebra>(
    algebra: &mut A,
    table: &mut Table<A::Value>,
    c: &[f64],
    split: usize,
) -> Option<A::Value> {
    let degree = c.iter().rposition(|v| *v != 0.0).unwrap_or(0);
    if degree < split || degree < 2 {
        return linear(algebra, table, &c[..=degree]);
    }
    let mut m = split;
    while 2 * m <= degree {
        m *= 2;
    }
    // T_{m+j} = 2 T_m T_j - T_{m-j}
    let mut remainder = c[..m].to_vec();
    let mut quotient = vec![0.0; degree - m + 1];
    quotient[0] = c[m];
    for j in 1..=degree - m {
        quotient[j] = 2.0 * c[m + j];
        remainder[m - j] -= c[m + j];
    }
    let giant = table.get(algebra, m);
    let head = match stockmeyer(algebra, table, &quotient, split) {
        Some(quotient) => algebra.multiply(&quotient, &giant),
        None => algebra.scale(&giant, quotient[0]),
    };
    Some(match stockmeyer(algebra, table, &remainder, split) {
        Some(rest) => algebra.add(&head, &rest),
        None if remainder[0] == 0.0 => head,
        None => algebra.shift(&head, remainder[0]),
    })
}
