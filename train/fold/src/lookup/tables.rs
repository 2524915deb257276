//! The tables: everything between two linear layers, value by value.
//!
//! A sine that is rounded to values symmetric about 0 repeats with the opposite sign after half a turn. Where half a turn
//! is a whole number of accumulator steps, to the accuracy of weights of 32 bits, the tables do so exactly: the values of
//! one half turn are computed, and the others follow.

use std::{collections::HashMap, f64::consts::PI};

use approx::{Activation, Polynomial};
use cryptodl_network::Shape;

use super::{Range, rows::Scaled};
use crate::{
    affine::Affine,
    table::{Rounding, Table, Tables},
};

/// Something that happens to every value on its own.
pub(super) enum Step {
    /// `scale · x + shift`, channel by channel.
    Affine(Affine),
    /// An activation itself.
    Exact(Activation),
    /// A polynomial in its place, channel by channel.
    Polynomials(Vec<Polynomial>),
}

impl Step {
    fn apply(&self, channel: usize, x: f64) -> f64 {
        match self {
            Step::Affine(affine) => affine.scale[channel] * x + affine.shift[channel],
            Step::Exact(activation) => activation.value(x),
            Step::Polynomials(polynomials) => polynomials[channel].eval(x),
        }
    }
}

/// How far, relatively, a step of weights of 32 bits may be from the whole share of half a turn that it stands for.
const SAME_TURN: f64 = 1e-6;

/// Name of the node that rounds pixels.
const PIXELS: &str = "pixels";

/// Pixels as levels 0 to 255.
pub(super) fn pixels_as_they_are(shape: Shape) -> (String, Tables) {
    let identity = Table {
        low: 0,
        results: (0..=255).collect(),
    };
    let tables = Tables {
        tables: vec![identity],
        of: vec![0; shape.len()],
    };
    (PIXELS.into(), tables)
}

/// Pixels through their steps and rounded: a table a channel.
pub(super) fn of_pixels(shape: Shape, steps: &[Step], rounding: Rounding) -> (String, Tables) {
    let table = |channel: usize| Table {
        low: 0,
        results: (0..=255)
            .map(|pixel| rounded(f64::from(pixel), channel, steps, rounding))
            .collect(),
    };
    let positions = shape.height * shape.width;
    let tables = Tables {
        tables: (0..shape.channels).map(table).collect(),
        of: (0..shape.len()).map(|i| (i / positions) as u32).collect(),
    };
    (PIXELS.into(), tables)
}

/// Accumulators through their constant and steps and rounded: a table for each channel and constant
/// (at borders the constant differs, since padding is no level).
pub(super) fn of_accumulators(
    scaled: &Scaled,
    positions: usize,
    ranges: &[Range],
    steps: &[Step],
    rounding: Rounding,
) -> Tables {
    let mut tables = Vec::new();
    let mut known = HashMap::new();
    let mut of = Vec::with_capacity(ranges.len());
    for (output, &(low, high)) in ranges.iter().enumerate() {
        let channel = output / positions;
        let constant = scaled.constant[output];
        let key = (channel, constant.to_bits(), low, high);
        let table = *known.entry(key).or_insert_with(|| {
            let step = scaled.step(output);
            let value = |accumulator: i64| step * accumulator as f64 + constant;
            let half_turn = half_turn(steps, rounding, step);
            tables.push(Table {
                low,
                results: (low..=high)
                    .map(|accumulator| match half_turn {
                        Some(n) => {
                            let x = PI / n as f64 * accumulator.rem_euclid(n) as f64 + constant;
                            let level = rounded(x, channel, steps, rounding);
                            if accumulator.div_euclid(n) % 2 == 0 {
                                level
                            } else {
                                rounding.levels as i64 - 1 - level
                            }
                        }
                        None => rounded(value(accumulator), channel, steps, rounding),
                    })
                    .collect(),
            });
            tables.len() as u32 - 1
        });
        of.push(table);
    }
    Tables { tables, of }
}

/// Whether a sine and nothing else is applied.
pub(super) fn is_sine(steps: &[Step]) -> bool {
    matches!(steps, [Step::Exact(Activation::Sine)])
}

/// How many accumulator steps make half a turn of a sine that is rounded as it is; none for anything else.
fn half_turn(steps: &[Step], rounding: Rounding, step: f64) -> Option<i64> {
    let count = (PI / step.abs()).round();
    let symmetric = (rounding.low + rounding.high).abs() < SAME_TURN * rounding.step();
    let whole = count >= 1.0 && (count * step.abs() / PI - 1.0).abs() < SAME_TURN;
    (is_sine(steps) && symmetric && step > 0.0 && whole).then_some(count as i64)
}

fn rounded(x: f64, channel: usize, steps: &[Step], rounding: Rounding) -> i64 {
    rounding.level(steps.iter().fold(x, |x, step| step.apply(channel, x)))
}
