//! Where the time of an encrypted evaluation goes.

use super::Rows;
use super::figure::{Axis, Figure, Look, Panel, Point, Scale, Series, Shape};
use super::shared::run_line;
use crate::rows::EncryptedRow;

/// Reads the seconds of one stage.
type Column = fn(&EncryptedRow) -> Option<f64>;

/// One stacked bar a measurement.
pub fn figure(rows: &Rows) -> Option<Figure> {
    let stages: [(&str, Column); 4] = [
        ("key generation", |row| row.keygen_s),
        ("encryption (client)", |row| row.encrypt_s),
        ("inference (server)", |row| row.infer_s),
        ("decryption (client)", |row| row.decrypt_s),
    ];
    // the clear twins have no keys, and toy parameters no meaning
    let measured: Vec<&EncryptedRow> = rows
        .encrypted
        .iter()
        .filter(|row| row.security_bits.is_some_and(|bits| bits >= 128) && row.infer_s.is_some())
        .collect();
    measured.first()?;
    let upto = |row: &EncryptedRow, count: usize| {
        stages[..count]
            .iter()
            .filter_map(|(_, column)| column(row))
            .sum::<f64>()
    };
    let longest = measured.iter().map(|row| upto(row, 4)).fold(0.0, f64::max);
    let series = stages.iter().enumerate().map(|(index, (label, _))| {
        let points = measured.iter().enumerate().map(|(place, row)| {
            let note = if index == 3 {
                seconds(upto(row, 4))
            } else {
                String::new()
            };
            Point {
                x: upto(row, index + 1),
                y: place as f64,
                span: Some((upto(row, index), upto(row, index + 1))),
                note,
            }
        });
        Series {
            label: (*label).to_string(),
            shape: Shape::Bars,
            look: Look::nth(index),
            points: points.collect(),
        }
    });
    let names = measured
        .iter()
        .map(|row| format!("{}, {}, {} images", row.model, row.scheme, row.images))
        .collect();
    Some(Figure {
        name: "stages",
        title: "Time of an encrypted evaluation by stage".to_string(),
        caption: vec![
            "Wall time over all batches; the number is the sum.".to_string(),
            run_line(&rows.run_id),
        ],
        columns: 1,
        panel: (430.0, 52.0 * measured.len() as f64),
        panels: vec![Panel {
            title: String::new(),
            x: Axis::new(
                "time (s)",
                Scale::Linear(0.0, longest.max(1e-3)).with_room(0.14),
            ),
            y: Axis::new("", Scale::Names(names)),
            series: series.collect(),
        }],
    })
}

/// Seconds with three digits.
fn seconds(time: f64) -> String {
    let decimals = (2.0 - time.max(1e-3).log10().floor()).max(0.0) as usize;
    format!("{time:.decimals$} s")
}

#[cfg(test)]
mod tests {
    use super::seconds;

    #[test]
    fn seconds_have_three_digits() {
        assert_eq!(
            [68.34, 0.1234, 4321.4, 1.0].map(seconds),
            ["68.3 s", "0.123 s", "4321 s", "1.00 s"]
        );
    }
}
