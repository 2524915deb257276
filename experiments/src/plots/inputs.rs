//! What reaches each activation layer: quantile bands, with the interval of the fit.

use super::Rows;
use super::figure::{Axis, Figure, Look, Panel, Point, Scale, Series, Shape};
use super::shared::run_line;
use crate::diagnosis::InputsRow;
use crate::distinct::distinct;

/// Reads the two ends of a band, or of the interval.
type Band = fn(&InputsRow) -> Option<(f64, f64)>;

/// One panel a model and set, one row a layer.
pub fn figure(rows: &Rows) -> Option<Figure> {
    let measured: Vec<&InputsRow> = (rows.inputs.iter())
        .filter(|row| row.values.is_some())
        .collect();
    let places = distinct(&measured, |row| (row.model.clone(), row.set.clone()));
    let sets = distinct(&measured, |row| row.set.clone()).len();
    let most = measured.iter().map(|row| row.layer).max()?;
    let panels = places.iter().map(|(model, set)| {
        let own: Vec<&InputsRow> = (measured.iter().copied())
            .filter(|row| row.model == *model && row.set == *set)
            .collect();
        panel(&own, format!("{model}, {set} images"), most)
    });
    Some(Figure {
        name: "inputs",
        title: "What reaches the activations".to_string(),
        caption: vec![
            "Left of each row its extremes, right of the interval the share of values outside it."
                .to_string(),
            run_line(&rows.run_id),
        ],
        columns: sets,
        panel: (250.0, 40.0 + 34.0 * most as f64),
        panels: panels.collect(),
    })
}

fn panel(rows: &[&InputsRow], title: String, most: usize) -> Panel {
    let bands: [(&str, Shape, usize, Band); 3] = [
        ("0.1 to 99.9 %", Shape::Bars, 5, |row| {
            row.quantile_0_1.zip(row.quantile_99_9)
        }),
        ("1 to 99 %", Shape::Bars, 0, |row| {
            row.quantile_1.zip(row.quantile_99)
        }),
        ("interval of the fit", Shape::Markers, 1, |row| {
            row.low.zip(row.high)
        }),
    ];
    let series: Vec<Series> = bands
        .into_iter()
        .map(|(label, shape, look, band)| {
            let points = rows.iter().filter_map(|row| {
                let (low, high) = band(row)?;
                let fit = shape == Shape::Markers;
                Some(Point {
                    x: if fit { 0.5 * (low + high) } else { high },
                    y: (row.layer - 1) as f64 + if fit { 0.32 } else { 0.0 },
                    span: Some((low, high)),
                    note: match (fit, row.outside_interval) {
                        (true, Some(share)) => format!("{:.2} %", 100.0 * share),
                        _ => String::new(),
                    },
                })
            });
            Series {
                label: label.to_string(),
                shape,
                look: Look::nth(look),
                points: points.collect(),
            }
        })
        .collect();
    let ends = series
        .iter()
        .flat_map(|series| &series.points)
        .filter_map(|point| point.span)
        .flat_map(|(low, high)| [low, high]);
    let scale = Scale::linear_over(ends).with_room(0.2);
    let names = (1..=most).map(|layer| {
        let row = rows.iter().find(|row| row.layer == layer);
        match row.and_then(|row| row.minimum.zip(row.maximum)) {
            Some((low, high)) => format!("layer {layer}: {low:.1} … {high:.1}"),
            None => format!("layer {layer}"),
        }
    });
    Panel {
        title,
        x: Axis::new("input of the activation", scale),
        y: Axis::new("", Scale::Names(names.collect())),
        series,
    }
}
