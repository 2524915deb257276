//! The error of each polynomial along the interval, at one degree.

use super::Rows;
use super::figure::{Axis, Figure, Look, Panel, Point, Scale, Series, Shape};
use super::shared::{display_name, grid, look, refit, run_line, shown, usual_error};
use crate::distinct::distinct;

/// One panel an activation, one line a method.
pub fn figure(rows: &Rows) -> Option<Figure> {
    let (on, degree, chosen) = shown(&rows.fit)?;
    let panels = distinct(&chosen, |row| row.activation.clone())
        .into_iter()
        .map(|activation| {
            let here: Vec<_> = chosen
                .iter()
                .filter(|row| row.activation == activation)
                .collect();
            let limit = 1.15
                * usual_error(
                    &here
                        .iter()
                        .filter_map(|row| row.max_error)
                        .collect::<Vec<_>>(),
                );
            let zero = [on.low(), on.high()].map(|x| Point::at(x, 0.0)).to_vec();
            let reference = Look {
                width: 1.0,
                ..Look::reference()
            };
            let mut series = vec![Series {
                label: String::new(),
                shape: Shape::Line,
                look: reference,
                points: zero,
            }];
            for (row, (f, polynomial)) in here.iter().filter_map(|row| Some((row, refit(row)?))) {
                series.push(Series {
                    label: row.method.clone(),
                    shape: Shape::Line,
                    look: look(&row.method),
                    points: grid(on)
                        .map(|x| Point::at(x, polynomial.eval(x) - f.value(x)))
                        .collect(),
                });
            }
            Panel {
                title: display_name(&activation).to_string(),
                x: Axis::new("x (dimensionless)", Scale::Linear(on.low(), on.high())),
                y: Axis::new(
                    "polynomial − activation (dimensionless)",
                    Scale::Linear(-limit, limit),
                ),
                series,
            }
        });
    Some(Figure {
        name: "errors",
        title: format!("Error of the polynomials of degree {degree} on {on}"),
        caption: vec![
            "Lines that leave the frame go on outside it: the figure of errors by degree shows how far.".to_string(),
            run_line(&rows.run_id),
        ],
        columns: 3,
        panel: (270.0, 250.0),
        panels: panels.collect(),
    })
}
