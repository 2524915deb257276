//! Where the time of an encrypted evaluation goes.

use super::Rows;
use super::figure::{Axis, Figure, Look, Panel, Point, Scale, Series, Shape};
use super::shared::run_line;
use crate::distinct::distinct;
use crate::profile::StageRow;

/// Stages in the order of the bar, and how they are written; others come last.
const KNOWN: [(&str, &str); 9] = [
    ("encrypt", "encrypt (client)"),
    ("linear", "linear layers"),
    ("square", "squares"),
    ("activation", "activations"),
    ("polynomial", "polynomials"),
    ("relinearise", "relinearise"),
    ("rescale", "rescale"),
    ("gather", "gather"),
    ("decrypt", "decrypt (client)"),
];

/// One bar a measurement, all of the same length.
pub fn figure(rows: &Rows) -> Option<Figure> {
    // toy parameters have no meaning
    let secure = |stage: &&StageRow| {
        rows.encrypted.iter().any(|row| {
            (&row.model, &row.scheme, row.images) == (&stage.model, &stage.scheme, stage.images)
                && row.security_bits.is_some_and(|bits| bits >= 128)
        })
    };
    let stages: Vec<&StageRow> = rows.stages.iter().filter(secure).collect();
    stages.first()?;
    let bars = distinct(&stages, |row| {
        (row.model.clone(), row.scheme.clone(), row.images)
    });
    let of_bar = |(model, scheme, images): &(String, String, usize)| -> Vec<&StageRow> {
        let same =
            |row: &&&StageRow| (&row.model, &row.scheme, row.images) == (model, scheme, *images);
        stages.iter().filter(same).copied().collect()
    };
    let mut kinds = distinct(&stages, |row| row.stage.clone());
    kinds.sort_by_key(|kind| KNOWN.iter().position(|(known, _)| known == kind));
    kinds.sort_by_key(|kind| !KNOWN.iter().any(|(known, _)| known == kind));
    let series = kinds.iter().enumerate().map(|(index, kind)| {
        let points = bars.iter().enumerate().filter_map(|(place, bar)| {
            let own = of_bar(bar);
            let sum = |kinds: &[String]| -> f64 {
                let those = own.iter().filter(|row| kinds.contains(&row.stage));
                those.map(|row| row.seconds).sum()
            };
            let all = sum(&kinds).max(f64::MIN_POSITIVE);
            let (from, to) = (sum(&kinds[..index]) / all, sum(&kinds[..=index]) / all);
            let last = index + 1 == kinds.len();
            (to > from || last).then(|| Point {
                x: 100.0 * to,
                y: place as f64,
                span: Some((100.0 * from, 100.0 * to)),
                note: if last { seconds(all) } else { String::new() },
            })
        });
        let known = KNOWN.iter().find(|(known, _)| known == kind);
        Series {
            label: known.map_or(kind.clone(), |(_, label)| (*label).to_string()),
            shape: Shape::Bars,
            // an eighth colour, since bars have no dashes
            look: if kind == "decrypt" {
                Look::reference()
            } else {
                Look::nth(index)
            },
            points: points.collect(),
        }
    });
    let names = bars
        .iter()
        .map(|(model, scheme, images)| format!("{model}, {scheme}, {images} images"))
        .collect();
    Some(Figure {
        name: "stages",
        title: "Where the time of an encrypted evaluation goes".to_string(),
        caption: vec![
            "Wall time over all batches, without making keys; the number is the sum.".to_string(),
            run_line(&rows.run_id),
        ],
        columns: 1,
        panel: (430.0, 52.0 * bars.len() as f64),
        panels: vec![Panel {
            title: String::new(),
            x: Axis::new(
                "share of the time (%)",
                Scale::Linear(0.0, 100.0).with_room(0.14),
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
