//! How weights are rounded.

use super::check::{Check, share};

/// How weights are rounded, in training and in what is exported.
#[derive(Clone, Debug, PartialEq)]
pub struct Rounding {
    /// How many values a weight of a linear layer may take, an odd number: integers around 0, times one step a row. They
    /// are rounded while training, and rounded in what is exported. 0 leaves weights real.
    pub weight_levels: u32,
    /// The same for the last linear layer, whose results go through no look-up table; 0: as many as `weight_levels`.
    pub output_weight_levels: u32,
    /// How many values the weighted sum in front of an activation may take, so that a look-up table of that size holds
    /// it; rows keep as many of their largest weights as fit. In front of a sine, which repeats as the table does, the
    /// values of half a turn instead: then rows may have as many weights as they like. For networks that round the inputs
    /// of their linear layers. 0 sets no limit.
    pub accumulator_levels: u32,
    /// Bits of the integers, sign included, that encrypted evaluation on real numbers will round the weights of linear
    /// layers to (`encrypt --weight-bits`): training meets weights rounded like that, for fine-tuning; what is exported
    /// stays real. 0 switches it off.
    pub evaluation_bits: u32,
    /// Whether the weights of linear layers are rounded to 16-bit floats, 11 bits of them mantissa, before the network is
    /// evaluated and exported: its file is half as large.
    pub half: bool,
    /// Share of all steps over which the rounding of weights sets in.
    pub rounding_rise: f64,
}

impl Default for Rounding {
    fn default() -> Self {
        Self {
            weight_levels: 0,
            output_weight_levels: 0,
            accumulator_levels: 0,
            evaluation_bits: 0,
            half: false,
            rounding_rise: 0.0,
        }
    }
}

impl Rounding {
    /// What must hold of its knobs.
    pub(super) fn checks(&self) -> Vec<Check> {
        vec![
            (
                self.evaluation_bits == 0 || (2..=12).contains(&self.evaluation_bits),
                "evaluation_bits must be 0 or 2 to 12",
            ),
            (
                self.evaluation_bits == 0 || self.weight_levels == 0,
                "evaluation_bits and weight_levels are two ways to round the same weights: choose one",
            ),
            (
                !self.half || self.evaluation_bits == 0 && self.weight_levels == 0,
                "half rounds weights that evaluation_bits or weight_levels round already: choose one",
            ),
            (share(self.rounding_rise), "rounding_rise must be in [0, 1)"),
            (
                self.rounding_rise == 0.0 || self.weight_levels > 0 || self.evaluation_bits > 0,
                "rounding_rise is about the rounding of weight_levels or evaluation_bits: set one of them",
            ),
        ]
    }
}
