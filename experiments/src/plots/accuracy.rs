//! Accuracy of each model in floating point, in integers and encrypted, with its sampling error.

use super::Rows;
use super::figure::{Axis, Figure, Look, Panel, Point, Scale, Series, Shape};
use super::shared::run_line;
use crate::distinct::distinct;
use crate::rows::EncryptedRow;
use crate::statistics::wilson;

/// Reads one of the accuracies of a row.
type Column = fn(&EncryptedRow) -> Option<f64>;

/// One row a model, three markers each, bars for the 95 % interval of Wilson.
pub fn figure(rows: &Rows) -> Option<Figure> {
    let columns: [(&str, Column); 3] = [
        ("clear, floating point", |row| row.accuracy_float),
        ("clear, integers", |row| row.accuracy_integer),
        ("encrypted", |row| row.accuracy_encrypted),
    ];
    let models = distinct(&rows.encrypted, |row| row.model.clone());
    let series: Vec<Series> = columns
        .iter()
        .enumerate()
        .map(|(index, (label, column))| {
            let points = models.iter().enumerate().filter_map(|(place, model)| {
                // the measurement on most images counts
                let of_model = rows.encrypted.iter().filter(|row| row.model == *model);
                let (accuracy, images) = of_model
                    .filter_map(|row| Some((column(row)?, row.images)))
                    .max_by_key(|(_, images)| *images)?;
                let (low, high) = wilson(accuracy, images);
                let y = place as f64 + 0.26 * (index as f64 - 1.0);
                Some(Point {
                    x: 100.0 * accuracy,
                    y,
                    span: Some((100.0 * low, 100.0 * high)),
                    note: format!("{:.2} %", 100.0 * accuracy),
                })
            });
            Series {
                label: (*label).to_string(),
                shape: Shape::Markers,
                look: Look::nth(index),
                points: points.collect(),
            }
        })
        .collect();
    let spans = || {
        series
            .iter()
            .flat_map(|series| &series.points)
            .filter_map(|point| point.span)
    };
    spans().next()?;
    let mut images: Vec<String> = distinct(&rows.encrypted, |row| row.images.to_string());
    images.sort();
    let scale = Scale::linear_over(spans().flat_map(|(low, high)| [low, high])).with_room(0.12);
    Some(Figure {
        name: "accuracy",
        title: "The same test images in the clear and encrypted".to_string(),
        caption: vec![
            format!(
                "{} test images a model; bars: 95 % interval of Wilson.",
                images.join(", ")
            ),
            run_line(&rows.run_id),
        ],
        columns: 1,
        panel: (470.0, (90 * models.len()) as f64),
        panels: vec![Panel {
            title: String::new(),
            x: Axis::new("test images classified correctly (%)", scale),
            y: Axis::new("", Scale::Names(models)),
            series,
        }],
    })
}
