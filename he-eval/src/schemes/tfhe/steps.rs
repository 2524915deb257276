//! Tables of two results: a step needs no padding bit.
//!
//! A bootstrap looks up half the torus and negates on the other half. A table that is one result below a
//! threshold and another from it on is such a function, but for a constant that is added afterwards: with
//! the threshold at 0 the accumulator may fill the whole torus, twice the values for the same price.

use crate::{graph::Table, lookup::Range};

/// A table that changes once.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Step {
    /// The first value with the upper result.
    pub threshold: i64,
    /// The result below.
    pub below: i64,
    /// The result from the threshold on.
    pub above: i64,
}

impl Step {
    /// The step that a table is, if it is one.
    pub fn of(table: &Table) -> Option<Self> {
        let (first, last) = (table.results.first()?, table.results.last()?);
        let changes = table.results.windows(2).filter(|pair| pair[0] != pair[1]);
        if changes.count() > 1 {
            return None;
        }
        let below = table.results.iter().take_while(|&result| result == first);
        let below = below.count();
        // a constant steps in the middle, where it takes least room
        let at = if first == last {
            table.results.len().div_ceil(2)
        } else {
            below
        };
        Some(Self {
            threshold: table.low + at as i64,
            below: *first,
            above: *last,
        })
    }

    /// Values on the fuller side of the threshold.
    pub fn side(&self, (low, high): Range) -> usize {
        let sides = (self.threshold - low, high - self.threshold + 1);
        sides.0.max(sides.1).max(1) as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(results: &[i64]) -> Option<Step> {
        Step::of(&Table {
            low: -2,
            results: results.to_vec(),
        })
    }

    #[test]
    fn steps_are_recognised_and_nothing_else() {
        let found = step(&[0, 0, 0, 3, 3]).unwrap();
        assert_eq!((found.threshold, found.below, found.above), (1, 0, 3));
        assert_eq!(found.side((-2, 2)), 3);
        assert_eq!(step(&[5, 1]).unwrap().threshold, -1);
        let constant = step(&[4; 4]).unwrap();
        assert_eq!((constant.threshold, constant.side((-2, 1))), (0, 2));
        assert_eq!(step(&[0, 1, 2]), None);
        assert_eq!(step(&[0, 1, 0]), None);
    }
}
