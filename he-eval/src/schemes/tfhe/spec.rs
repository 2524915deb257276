//! What client and server of a network under `tfhe` must both know.

use cryptodl_fold::graph::{Table, Tables};
use serde::{Deserialize, Serialize};
use tfhe::shortint::ClassicPBSParameters;

use super::{
    error::TfheError,
    parameters::{SETS, toy},
};
use crate::interface::Interface;

/// Parameters, the levels of pixels, and how results are read: no weights.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct TfheSpec {
    /// What images and results look like.
    pub interface: Interface,
    /// TFHE-rs's name of the parameter set.
    pub parameter_set: String,
    /// Whether the set is made faster by an LWE dimension without security.
    pub toy: bool,
    /// The level of each pixel value `0..=255`, for each table of [`TfheSpec::pixels`].
    pub levels: Vec<Vec<i64>>,
    /// The table of each pixel.
    pub pixels: Vec<u32>,
    /// Torus distance of neighbouring levels.
    pub delta: u64,
    /// The last layer's accumulators.
    pub results: Encoding,
    /// Accumulators that add up to a result.
    pub parts: usize,
    /// Standard deviation of the noise of a result's accumulators, as a share of half a box.
    pub deviation: f64,
}

/// Where the accumulators of a layer are on the torus.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Encoding {
    /// Torus distance of neighbouring whole numbers, as a fraction of 2⁶⁴.
    pub delta: u64,
    /// The smallest and the largest number that each accumulator can be, for any image.
    pub ranges: Vec<(i64, i64)>,
    /// What is added to the body of each accumulator.
    pub shifts: Vec<u64>,
}

impl Encoding {
    /// The accumulator nearest to a phase, and how far that is in half-boxes.
    pub(super) fn nearest(&self, output: usize, phase: u64) -> (i64, f64) {
        // the phase of the smallest accumulator becomes 0
        let (low, _) = self.ranges[output];
        let origin = self.shifts[output].wrapping_add(self.delta.wrapping_mul(low as u64));
        let half = self.delta / 2;
        let position = phase.wrapping_sub(origin).wrapping_add(half);
        let steps = position / self.delta;
        let error = (position - steps * self.delta).abs_diff(half);
        (low + steps as i64, error as f64 / half as f64)
    }
}

impl TfheSpec {
    /// The parameter set, after a check of everything else.
    ///
    /// # Errors
    /// When the specification contradicts itself or names a set that there is not.
    pub(super) fn set(&self) -> Result<ClassicPBSParameters, TfheError> {
        let is_table = |levels: &Vec<i64>| levels.len() == 256;
        let has_table = |of: &u32| (*of as usize) < self.levels.len();
        let results = &self.results;
        let outputs = self.interface.output_scale.len() * self.parts;
        let problem = if self.pixels.len() != self.interface.pixels
            || !self.levels.iter().all(is_table)
            || !self.pixels.iter().all(has_table)
        {
            "no level for some pixel"
        } else if results.delta < 2
            || self.parts == 0
            || results.ranges.len() != outputs
            || results.shifts.len() != outputs
        {
            "no place for some result"
        } else {
            let found = SETS.iter().find(|named| named.name == self.parameter_set);
            let found = found.map(|named| if self.toy { toy(named.set) } else { named.set });
            return found.ok_or(TfheError::Specification("an unknown parameter set"));
        };
        Err(TfheError::Specification(problem))
    }

    /// `levels` and `pixels`, from the tables that a graph of look-ups begins with.
    pub(super) fn levels(tables: &Tables) -> (Vec<Vec<i64>>, Vec<u32>) {
        let levels = |table: &Table| (0..=255).map(|pixel| table.at(pixel)).collect();
        (
            tables.tables.iter().map(levels).collect(),
            tables.of.clone(),
        )
    }
}
