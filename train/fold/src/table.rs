//! Functions of whole numbers, and the rounding that makes them.

use serde::{Deserialize, Serialize};

/// Clamps to `low..=high`, then rounds to the nearest of `levels` equally spaced values.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
pub struct Rounding {
    /// How many values, at least 2.
    pub levels: usize,
    /// The lowest value.
    pub low: f64,
    /// The highest value.
    pub high: f64,
}

impl Rounding {
    /// Distance of neighbouring values.
    pub fn step(&self) -> f64 {
        (self.high - self.low) / (self.levels - 1) as f64
    }

    /// Which value `x` becomes, counted from the lowest.
    pub fn level(&self, x: f64) -> i64 {
        ((x.clamp(self.low, self.high) - self.low) / self.step()).round() as i64
    }

    /// What `x` becomes.
    pub fn value(&self, x: f64) -> f64 {
        self.low + self.level(x) as f64 * self.step()
    }
}

/// Look-up tables of whole numbers, one for each number of a value; many share one.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Tables {
    /// The distinct tables.
    pub tables: Vec<Table>,
    /// The table of each number.
    pub of: Vec<u32>,
}

/// A function of the whole numbers from `low` on, number by number.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Table {
    /// The smallest argument.
    pub low: i64,
    /// The results for `low`, `low + 1`, …
    pub results: Vec<i64>,
}

impl Table {
    /// The result for `x`.
    ///
    /// # Panics
    /// If `x` is outside: tables cover every number that any image can produce.
    pub fn at(&self, x: i64) -> i64 {
        self.results[(x - self.low) as usize]
    }
}
