//! Accuracy of each variant of a recipe.

use super::Rows;
use super::figure::{Axis, Figure, Look, Panel, Point, Scale, Series, Shape};
use super::shared::run_line;
use crate::distinct::distinct;
use crate::rows::TrainRow;
use crate::statistics::mean_and_spread;

/// One row a variant: a marker a seed, and the mean with its note.
pub fn figure(rows: &Rows) -> Option<Figure> {
    let named: Vec<&TrainRow> = (rows.train.iter())
        .filter(|row| !row.variant.is_empty() && row.test_accuracy.is_some())
        .collect();
    let first = named.first()?;
    let variants = distinct(&named, |row| row.variant.clone());
    let of = |variant: &String| -> Vec<f64> {
        let rows = named.iter().filter(|row| row.variant == *variant);
        rows.filter_map(|row| Some(100.0 * row.test_accuracy?))
            .collect()
    };
    let markers = variants.iter().enumerate().flat_map(|(place, variant)| {
        let accuracies = of(variant).into_iter();
        accuracies.map(move |accuracy| Point::at(accuracy, place as f64))
    });
    let means = variants.iter().enumerate().map(|(place, variant)| {
        let accuracies = of(variant);
        let (mean, spread) = mean_and_spread(&accuracies);
        Point {
            x: mean,
            y: place as f64 + 0.25,
            span: Some((mean - spread, mean + spread)),
            note: format!("{mean:.2} ± {spread:.2}"),
        }
    });
    let series = [
        ("one seed", Look::nth(0), markers.collect::<Vec<_>>()),
        ("mean ± standard deviation", Look::nth(1), means.collect()),
    ];
    let series = series.map(|(label, look, points)| Series {
        label: label.to_string(),
        shape: Shape::Markers,
        look,
        points,
    });
    let all = named.iter().filter_map(|row| row.test_accuracy);
    // one that never learned must not flatten the others
    let mut sorted: Vec<f64> = all.map(|accuracy| 100.0 * accuracy).collect();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted[sorted.len() / 2];
    let usual = sorted
        .into_iter()
        .filter(|accuracy| *accuracy > middle - 5.0);
    let epochs = distinct(&named, |row| row.epochs.to_string()).join(", ");
    let seeds = distinct(&named, |row| row.seed).len();
    Some(Figure {
        name: "variants",
        title: format!(
            "Training aids, one at a time: {} on {}",
            first.network, first.dataset
        ),
        caption: vec![
            format!(
                "{epochs} epochs, {seeds} seeds; more than 5 points below the median is not drawn."
            ),
            run_line(&rows.run_id),
        ],
        columns: 1,
        panel: (430.0, 34.0 * variants.len() as f64),
        panels: vec![Panel {
            title: String::new(),
            x: Axis::new(
                "test images classified correctly (%)",
                Scale::linear_over(usual).with_room(0.2),
            ),
            y: Axis::new("", Scale::Names(variants)),
            series: series.into(),
        }],
    })
}
