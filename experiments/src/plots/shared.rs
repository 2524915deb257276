//! What several figures need: looks of methods, display names, choosing an interval, refitting a row.

use super::figure::{Look, Point, Series, Shape};
use crate::distinct::distinct;
use crate::rows::FitRow;
use approx::{Function, Interval, Polynomial, methods};

/// Points along the interval in a drawn curve.
pub const CURVE_POINTS: usize = 401;

/// The methods that figures of fits draw: the paper's, and the best possible polynomial to judge them by. More lines
/// than these cannot be told apart; the table has every method.
const DRAWN: [&str; 8] = [
    "numerical",
    "taylor",
    "chebyshev",
    "legendre",
    "modified",
    "derivative",
    "derivative-u8",
    "minimax",
];

/// Whether figures of fits draw this row.
pub fn drawn(row: &FitRow) -> bool {
    DRAWN.contains(&row.method.as_str())
}

/// The look of a method, the same in every figure.
pub fn look(method: &str) -> Look {
    if method == "minimax" {
        return Look::bound();
    }
    Look::nth(
        methods()
            .iter()
            .position(|known| known.name() == method)
            .unwrap_or(0),
    )
}

/// The name of an activation as it is written in running text.
pub fn display_name(activation: &str) -> &str {
    match activation {
        "relu" => "ReLU",
        "sigmoid" => "Sigmoid",
        "tanh" => "Tanh",
        "leaky-relu" => "leaky ReLU",
        "gelu" => "GELU",
        "silu" => "SiLU",
        "abs" => "|x|",
        other => other,
    }
}

/// The intervals of the rows, narrowest first.
pub fn intervals(rows: &[FitRow]) -> Vec<Interval> {
    let mut intervals: Vec<Interval> = distinct(rows, |row| (row.low, row.high))
        .into_iter()
        .filter_map(|(low, high)| Interval::new(low, high).ok())
        .collect();
    intervals.sort_by(|a, b| a.half_width().total_cmp(&b.half_width()));
    intervals
}

/// The rows of one interval and one degree that say most: the middle interval, and degree 4 (which the paper's tables end with) or
/// the highest below it.
pub fn shown(rows: &[FitRow]) -> Option<(Interval, usize, Vec<&FitRow>)> {
    let intervals = intervals(rows);
    let on = *intervals.get(intervals.len() / 2)?;
    let here: Vec<&FitRow> = rows
        .iter()
        .filter(|row| row.is_on(on) && row.error.is_none() && drawn(row))
        .collect();
    let degrees = || here.iter().map(|row| row.degree);
    let degree = degrees()
        .filter(|degree| *degree <= 4)
        .max()
        .or_else(|| degrees().min())?;
    let chosen = here
        .iter()
        .copied()
        .filter(|row| row.degree == degree)
        .collect();
    Some((on, degree, chosen))
}

/// The function and the polynomial of a row: fits are deterministic, so the row's inputs give its polynomial back.
pub fn refit(row: &FitRow) -> Option<(Box<dyn Function>, Polynomial)> {
    refitted(
        &row.activation,
        &row.method,
        (row.low, row.high),
        row.degree,
    )
}

/// The same from the inputs alone.
pub fn refitted(
    activation: &str,
    method: &str,
    (low, high): (f64, f64),
    degree: usize,
) -> Option<(Box<dyn Function>, Polynomial)> {
    let function = approx::function(activation).ok()?;
    let on = Interval::new(low, high).ok()?;
    let polynomial = approx::method(method)
        .ok()?
        .fit(&*function, on, degree)
        .ok()?;
    Some((function, polynomial))
}

/// Evenly spaced points of the interval, both ends included.
pub fn grid(on: Interval) -> impl Iterator<Item = f64> {
    let last = (CURVE_POINTS - 1) as f64;
    (0..CURVE_POINTS).map(move |index| on.from_unit(2.0 * index as f64 / last - 1.0))
}

/// The last line of every caption.
pub fn run_line(run_id: &str) -> String {
    format!("run {run_id} · cryptodl {}", env!("CARGO_PKG_VERSION"))
}

/// The largest of the errors that are within three times the median: a diverging method must not flatten the others.
pub fn usual_error(errors: &[f64]) -> f64 {
    let mut sorted = errors.to_vec();
    sorted.sort_by(f64::total_cmp);
    let Some(median) = sorted.get(sorted.len() / 2) else {
        return 1.0;
    };
    let usual = sorted
        .iter()
        .rev()
        .find(|error| **error <= 3.0 * median)
        .copied()
        .unwrap_or(*median);
    usual.max(f64::MIN_POSITIVE)
}

/// Markers of what was measured and a line of what was predicted, by the two columns of `y`; rows without a value are left
/// out.
pub fn measured_and_predicted<R>(
    rows: &[&R],
    x: fn(&R) -> Option<f64>,
    y: &[fn(&R) -> Option<f64>; 2],
) -> Vec<Series> {
    let kinds = [("measured", Shape::Markers), ("predicted", Shape::Line)];
    let series = y.iter().zip(kinds).enumerate();
    series
        .map(|(index, (column, (label, shape)))| Series {
            label: label.to_string(),
            shape,
            look: Look::nth(index),
            points: rows
                .iter()
                .filter_map(|row| Some(Point::at(x(row)?, column(row)?)))
                .collect(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_diverging_method_does_not_set_the_scale() {
        assert_eq!(
            usual_error(&[0.2, 0.1, 1e6, 0.3, 0.25]).to_bits(),
            0.3_f64.to_bits()
        );
        assert_eq!(usual_error(&[]).to_bits(), 1.0_f64.to_bits());
    }
}
