//! The schemes side by side: what each costs one image, and an hour of images.

use super::Rows;
use super::figure::{Axis, Figure, Look, Panel, Point, Scale, Series, Shape};
use super::shared::run_line;
use crate::distinct::distinct;
use crate::schemes::SchemeRow;

type Column = fn(&SchemeRow) -> Option<f64>;

/// Bytes as MiB.
const MIB: f64 = 1_048_576.0;

/// Six panels, a row a scheme.
pub fn figure(rows: &Rows) -> Option<Figure> {
    let good: Vec<&SchemeRow> = rows
        .schemes
        .iter()
        .filter(|row| row.one_image_s.is_some())
        .collect();
    good.first()?;
    let columns: [(&str, Column); 6] = [
        ("one image (s)", |row| row.one_image_s),
        ("images/h", |row| row.images_per_hour),
        ("wrong of the twin's images (%)", |row| {
            row.twin_accuracy.map(|accuracy| 100.0 * (1.0 - accuracy))
        }),
        ("sent for one image (MiB)", |row| {
            row.one_image_bytes.map(|bytes| bytes as f64 / MIB)
        }),
        ("evaluation keys (MiB)", |row| {
            row.key_bytes.map(|bytes| bytes as f64 / MIB)
        }),
        ("peak memory (MiB)", |row| {
            row.peak_rss_bytes.map(|bytes| bytes as f64 / MIB)
        }),
    ];
    let names: Vec<String> = good
        .iter()
        .map(|row| format!("{} ({})", row.scheme, row.model))
        .collect();
    let panels = columns.map(|(label, column)| panel(&good, &names, label, column));
    let datasets = distinct(&good, |row| row.dataset.to_uppercase()).join(" and ");
    let threads = match distinct(&good, |row| row.threads).as_slice() {
        [Some(threads)] => format!(", {threads} threads"),
        _ => String::new(),
    };
    Some(Figure {
        name: "schemes",
        title: format!("The schemes side by side on {datasets}{threads}"),
        caption: vec![
            "One image takes as long as a full batch where there are batches. Accuracy: the twin on all test images.".to_string(),
            run_line(&rows.run_id),
        ],
        columns: 2,
        panel: (300.0, 40.0 * good.len() as f64),
        panels: panels.into_iter().collect(),
    })
}

fn panel(rows: &[&SchemeRow], names: &[String], label: &str, column: Column) -> Panel {
    let values = rows.iter().filter_map(|row| column(row));
    // room for the number beside the last marker
    let scale = Scale::log_over(values.flat_map(|value| [value, 4.0 * value]));
    let mut series: Vec<Series> = Vec::new();
    for (place, row) in rows.iter().enumerate() {
        let Some(value) = column(row) else { continue };
        let point = Point {
            x: value,
            y: place as f64,
            span: None,
            note: short(value),
        };
        match series.iter_mut().find(|series| series.label == row.scheme) {
            Some(own) => own.points.push(point),
            None => series.push(Series {
                label: row.scheme.clone(),
                shape: Shape::Markers,
                look: Look::nth(series.len()),
                points: vec![point],
            }),
        }
    }
    Panel {
        title: String::new(),
        x: Axis::new(label, scale),
        y: Axis::new("", Scale::Names(names.to_vec())),
        series,
    }
}

/// Three digits.
fn short(value: f64) -> String {
    match value {
        v if v >= 999_500.0 => format!("{:.2} M", v / 1e6),
        v if v >= 100.0 => format!("{v:.0}"),
        v if v >= 1.0 => format!("{v:.1}"),
        v => format!("{v:.3}"),
    }
}
