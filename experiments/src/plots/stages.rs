//! Where the time of an encrypted evaluation goes.

use super::Rows;
use super::figure::{Axis, Figure, Look, Panel, Point, Scale, Series, Shape};
use super::shared::run_line;
use crate::distinct::distinct;
use crate::profile::StageRow;

/// Stages in the order of the bar, as they are written, and what schemes call the work in each: as many as there are colours.
const FAMILIES: [(&str, &[&str]); 8] = [
    ("encrypt (client)", &["encrypt"]),
    ("linear layers", &["linear"]),
    ("squares and products", &["square", "product"]),
    ("polynomials", &["activation", "polynomial"]),
    ("look-ups", &["bootstrap"]),
    ("relinearise", &["relinearise"]),
    ("rescale, sums and others", &[]),
    ("decrypt (client)", &["decrypt"]),
];

/// The last family, in black.
const DECRYPT: usize = FAMILIES.len() - 1;

/// The family of a stage; what no other knows is in the last but one.
fn family(row: &StageRow) -> usize {
    let mut families = FAMILIES.iter();
    let known = families.position(|(_, stages)| stages.contains(&row.stage.as_str()));
    known.unwrap_or(DECRYPT - 1)
}

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
    let mut kinds = distinct(&stages, |row| family(row));
    kinds.sort_unstable();
    let series = kinds.iter().enumerate().map(|(index, &kind)| {
        let points = bars.iter().enumerate().filter_map(|(place, bar)| {
            let own = of_bar(bar);
            let sum = |kinds: &[usize]| -> f64 {
                let those = own.iter().filter(|row| kinds.contains(&family(row)));
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
        Series {
            label: FAMILIES[kind].0.to_string(),
            shape: Shape::Bars,
            // an eighth colour, since bars have no dashes
            look: if kind == DECRYPT {
                Look::reference()
            } else {
                Look::nth(kind)
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
    use super::*;

    #[test]
    fn every_family_has_a_colour_of_its_own() {
        let looks: Vec<String> = (0..DECRYPT)
            .map(|family| format!("{:?}", Look::nth(family)))
            .collect();
        assert_eq!(distinct(&looks, String::clone).len(), DECRYPT);
        let row = |stage: &str| StageRow {
            run_id: String::new(),
            model: String::new(),
            scheme: String::new(),
            images: 1,
            stage: stage.to_string(),
            layer: String::new(),
            seconds: 1.0,
            word_products: None,
            word_products_per_s: None,
            share_of_bare_product: None,
        };
        let of = |stage: &str| FAMILIES[family(&row(stage))].0;
        assert_eq!(of("product"), of("square"));
        assert_eq!(of("align"), "rescale, sums and others");
        assert_eq!(of("decrypt"), "decrypt (client)");
    }

    #[test]
    fn seconds_have_three_digits() {
        assert_eq!(
            [68.34, 0.1234, 4321.4, 1.0].map(seconds),
            ["68.3 s", "0.123 s", "4321 s", "1.00 s"]
        );
    }
}
