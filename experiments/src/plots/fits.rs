//! Each activation and what the methods make of it, at one degree on one interval.

use super::Rows;
use super::figure::{Axis, Figure, Look, Panel, Point, Scale, Series, Shape};
use super::shared::{display_name, grid, look, refit, run_line, shown};
use crate::distinct::distinct;

/// One panel an activation, one line a method, the activation itself in black.
pub fn figure(rows: &Rows) -> Option<Figure> {
    let (on, degree, chosen) = shown(&rows.fit)?;
    let panels = distinct(&chosen, |row| row.activation.clone())
        .into_iter()
        .map(|activation| {
            let here: Vec<_> = chosen
                .iter()
                .filter(|row| row.activation == activation)
                .filter_map(|row| Some((row, refit(row)?)))
                .collect();
            let exact: Vec<Point> = here.first().map_or(Vec::new(), |(_, (f, _))| {
                grid(on).map(|x| Point::at(x, f.value(x))).collect()
            });
            let low = exact
                .iter()
                .map(|point| point.y)
                .fold(f64::INFINITY, f64::min);
            let high = exact
                .iter()
                .map(|point| point.y)
                .fold(f64::NEG_INFINITY, f64::max);
            // room for the overshoot of the better methods; the worse ones leave the frame
            let room = 0.35 * (high - low);
            let mut series = vec![Series {
                label: "exact".to_string(),
                shape: Shape::Line,
                look: Look::reference(),
                points: exact,
            }];
            series.extend(here.iter().map(|(row, (_, polynomial))| Series {
                label: row.method.clone(),
                shape: Shape::Line,
                look: look(&row.method),
                points: grid(on).map(|x| Point::at(x, polynomial.eval(x))).collect(),
            }));
            Panel {
                title: display_name(&activation).to_string(),
                x: Axis::new("x (dimensionless)", Scale::Linear(on.low(), on.high())),
                y: Axis::new(
                    "activation value (dimensionless)",
                    Scale::Linear(low - room, high + room),
                ),
                series,
            }
        });
    Some(Figure {
        name: "fits",
        title: format!("Activations and their polynomials of degree {degree} on {on}"),
        caption: vec![
            "Lines that leave the frame go on outside it: those polynomials are far off there."
                .to_string(),
            run_line(&rows.run_id),
        ],
        columns: 3,
        panel: (270.0, 250.0),
        panels: panels.collect(),
    })
}
