//! Accuracy on the validation images, epoch by epoch.

use super::Rows;
use super::figure::{Axis, Figure, Look, Panel, Point, Scale, Series, Shape};
use super::shared::run_line;
use crate::distinct::distinct;
use crate::epochs::EpochRow;
use crate::records::Record;
use crate::training::EXACT;

/// More lines than these cannot be told apart.
const MOST: usize = 8;

/// One panel a data set, one line a training; none for a run of many trainings, which has figures of its own.
pub fn figure(rows: &Rows) -> Option<Figure> {
    let keys = distinct(&rows.epochs, |row| row.training().key());
    if keys.is_empty() || keys.len() > MOST || !rows.epochs.iter().any(worth_drawing) {
        return None;
    }
    let panels: Vec<Panel> = distinct(&rows.epochs, |row| row.dataset.clone())
        .into_iter()
        .map(|dataset| panel(&rows.epochs, &dataset))
        .collect();
    Some(Figure {
        name: "epochs",
        title: "Accuracy on the validation images while training".to_string(),
        caption: vec![
            "Of the averaged weights, after each epoch; test images are looked at once, after the last one."
                .to_string(),
            run_line(&rows.run_id),
        ],
        columns: panels.len(),
        panel: (430.0, 260.0),
        panels,
    })
}

/// Past the first epoch, and with images held out.
fn worth_drawing(row: &EpochRow) -> bool {
    row.epoch > 1 && row.validation_accuracy > 0.0
}

fn panel(rows: &[EpochRow], dataset: &str) -> Panel {
    let here: Vec<&EpochRow> = rows.iter().filter(|row| row.dataset == dataset).collect();
    let last = here.iter().map(|row| row.epoch).max().unwrap_or(1);
    let series = distinct(&here, |row| row.training().key())
        .into_iter()
        .enumerate()
        .map(|(index, key)| {
            let own: Vec<&&EpochRow> = here
                .iter()
                .filter(|row| row.training().key() == key)
                .collect();
            let mut points: Vec<Point> = own
                .iter()
                .map(|row| Point::at(row.epoch as f64, 100.0 * row.validation_accuracy))
                .collect();
            points.sort_by(|a, b| a.x.total_cmp(&b.x));
            Series {
                label: label(own[0]),
                look: Look::nth(index),
                shape: Shape::Line,
                points,
            }
        });
    let values = || here.iter().map(|row| 100.0 * row.validation_accuracy);
    let (low, high) = (values().fold(100.0, f64::min), values().fold(0.0, f64::max));
    Panel {
        title: dataset.to_string(),
        x: Axis::new("epoch", Scale::Linear(0.0, last as f64)),
        y: Axis::new(
            "validation accuracy (%)",
            Scale::Linear(low.floor(), (high + 0.5).ceil()),
        ),
        series: series.collect(),
    }
}

/// What tells a training from its neighbours.
fn label(row: &EpochRow) -> String {
    let EpochRow {
        network,
        activation,
        method,
        degree,
        seed,
        variant,
        ..
    } = row;
    if !variant.is_empty() {
        format!("{variant}, seed {seed}")
    } else if method == EXACT {
        format!("{network}, {activation}, seed {seed}")
    } else {
        format!("{network}, {activation} {method} {degree}, seed {seed}")
    }
}
