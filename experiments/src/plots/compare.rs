//! The methods side by side: curve, error, and error beyond the interval.

use super::Rows;
use super::figure::{Axis, Figure, Look, Panel, Point, Scale, Series, Shape};
use super::shared::{display_name, grid, look, refitted, run_line, usual_error};
use crate::comparison::{CompareRow, error_at_distance};
use crate::distinct::distinct;
use approx::{Function, Interval, Polynomial};

/// Comparisons that one page takes.
const MOST_ROWS: usize = 4;

/// How far beyond the ends the right panel looks, in half-widths.
const REACH: f64 = 0.5;

/// Points along the right panel.
const POINTS: usize = 101;

/// Three panels for each function, degree and interval, one line a method.
pub fn figure(rows: &Rows) -> Option<Figure> {
    let good = |row: &&CompareRow| row.error.is_none();
    let groups = distinct(
        &rows.compare.iter().filter(good).collect::<Vec<_>>(),
        |row| (row.activation.clone(), row.degree, row.low, row.high),
    );
    let panels: Vec<Panel> = groups
        .iter()
        .take(MOST_ROWS)
        .filter_map(|group| {
            let (activation, degree, low, high) = group;
            let own = |row: &&CompareRow| {
                (&row.activation, &row.degree) == (activation, degree)
                    && (row.low, row.high) == (*low, *high)
            };
            let here: Vec<&CompareRow> = rows.compare.iter().filter(good).filter(own).collect();
            three(&here)
        })
        .flatten()
        .collect();
    if panels.is_empty() {
        return None;
    }
    let left_out = match groups.len().saturating_sub(MOST_ROWS) {
        0 => String::new(),
        more => format!(" {more} more comparisons stand in the table only."),
    };
    Some(Figure {
        name: "compare",
        title: "Methods side by side".to_string(),
        caption: vec![
            format!(
                "Right: the largest error of both sides up to that distance. Lines that leave the frame go on outside it.{left_out}"
            ),
            run_line(&rows.run_id),
        ],
        columns: 3,
        panel: (270.0, 240.0),
        panels,
    })
}

/// A row with the function and its polynomial.
type Fitted<'a> = (&'a CompareRow, Box<dyn Function>, Polynomial);

fn three(rows: &[&CompareRow]) -> Option<[Panel; 3]> {
    let first = rows.first()?;
    let on = Interval::new(first.low, first.high).ok()?;
    let fitted: Vec<Fitted> = rows
        .iter()
        .filter_map(|row| {
            let (f, p) = refitted(
                &row.activation,
                &row.method,
                (row.low, row.high),
                row.degree,
            )?;
            Some((*row, f, p))
        })
        .collect();
    let (_, f, _) = fitted.first()?;
    let line = |of: &dyn Fn(&dyn Function, &Polynomial) -> Vec<Point>| -> Vec<Series> {
        fitted
            .iter()
            .map(|(row, f, p)| Series {
                label: row.method.clone(),
                shape: Shape::Line,
                look: look(&row.method),
                points: of(&**f, p),
            })
            .collect()
    };
    let exact = Series {
        label: "exact".to_string(),
        shape: Shape::Line,
        look: Look::reference(),
        points: grid(on).map(|x| Point::at(x, f.value(x))).collect(),
    };
    let (low, high) = exact
        .points
        .iter()
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), point| {
            (low.min(point.y), high.max(point.y))
        });
    // room for the overshoot of the better methods; the worse ones leave the frame
    let room = 0.25 * (high - low).max(f64::MIN_POSITIVE);
    let curves = line(&|_, p| grid(on).map(|x| Point::at(x, p.eval(x))).collect());
    let errors = line(&|f, p| {
        grid(on)
            .map(|x| Point::at(x, p.eval(x) - f.value(x)))
            .collect()
    });
    let largest: Vec<f64> = rows.iter().filter_map(|row| row.max_error).collect();
    let limit = 1.15 * usual_error(&largest);
    let beyond = line(&|f, p| {
        let mut largest = 0.0_f64;
        (0..POINTS)
            .map(|i| REACH * i as f64 / (POINTS - 1) as f64)
            .map(|distance| {
                largest = largest.max(error_at_distance(f, p, on, distance));
                Point::at(distance, largest)
            })
            .filter(|point| point.y > 0.0)
            .collect()
    });
    let ends: Vec<f64> = beyond
        .iter()
        .filter_map(|series| series.points.last())
        .map(|point| point.y)
        .collect();
    let starts: Vec<f64> = beyond
        .iter()
        .filter_map(|series| series.points.first())
        .map(|point| point.y)
        .collect();
    let top = usual_error(&ends);
    let bottom = starts.iter().copied().fold(top, f64::min).max(1e-3 * top);
    let what = format!(
        "{}, degree {} on {on}",
        display_name(&first.activation),
        first.degree
    );
    let x = || Axis::new("x (dimensionless)", Scale::Linear(on.low(), on.high()));
    Some([
        Panel {
            title: what,
            x: x(),
            y: Axis::new("value", Scale::Linear(low - room, high + room)),
            series: std::iter::once(exact).chain(curves).collect(),
        },
        Panel {
            title: "error: polynomial − function".to_string(),
            x: x(),
            y: Axis::new("error", Scale::Linear(-limit, limit)),
            series: errors,
        },
        Panel {
            title: "error beyond the interval".to_string(),
            x: Axis::new(
                "distance beyond either end (half-widths)",
                Scale::Linear(0.0, REACH),
            ),
            y: Axis::new("largest error so far", Scale::log_over([bottom, top])),
            series: beyond,
        },
    ])
}
