//! The largest error of each method as the degree grows.

use super::Rows;
use super::figure::{Axis, Figure, Panel, Point, Scale, Series, Shape};
use super::shared::{display_name, drawn, intervals, look, run_line};
use crate::distinct::distinct;
use crate::rows::FitRow;
use approx::Interval;

/// A grid of panels: one row an interval, one column an activation, one line a method.
pub fn figure(rows: &Rows) -> Option<Figure> {
    let good: Vec<FitRow> = rows
        .fit
        .iter()
        .filter(|row| drawn(row) && row.max_error.is_some_and(|error| error > 0.0))
        .cloned()
        .collect();
    let (first, last) = (
        good.iter().map(|row| row.degree).min()?,
        good.iter().map(|row| row.degree).max()?,
    );
    if first == last {
        return None;
    }
    let activations = distinct(&good, |row| row.activation.clone());
    let mut panels = Vec::new();
    for on in intervals(&good) {
        let here: Vec<&FitRow> = good.iter().filter(|row| row.is_on(on)).collect();
        for activation in &activations {
            panels.push(panel(&here, activation, on, (first, last)));
        }
    }
    Some(Figure {
        name: "degree",
        title: "Largest error on the interval, by degree of the polynomial".to_string(),
        caption: vec![
            "Largest error found by sampling, a lower bound of the true one. ReLU has no Taylor series: that line expands softplus."
                .to_string(),
            run_line(&rows.run_id),
        ],
        columns: activations.len(),
        panel: (270.0, 190.0),
        panels,
    })
}

fn panel(here: &[&FitRow], activation: &str, on: Interval, (first, last): (usize, usize)) -> Panel {
    let here: Vec<&&FitRow> = here
        .iter()
        .filter(|row| row.activation == activation)
        .collect();
    let series = distinct(&here, |row| row.method.clone())
        .into_iter()
        .map(|method| {
            let mut points: Vec<Point> = here
                .iter()
                .filter(|row| row.method == method)
                .filter_map(|row| Some(Point::at(row.degree as f64, row.max_error?)))
                .collect();
            points.sort_by(|a, b| a.x.total_cmp(&b.x));
            Series {
                look: look(&method),
                label: method,
                shape: Shape::MarkedLine,
                points,
            }
        });
    Panel {
        title: format!("{} on {on}", display_name(activation)),
        x: Axis::new("degree", Scale::Counts(first, last)),
        y: Axis::new(
            "largest error (dimensionless)",
            Scale::log_over(here.iter().filter_map(|row| row.max_error)),
        ),
        series: series.collect(),
    }
}
