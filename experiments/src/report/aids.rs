//! Tables of training aids, of what reaches activations, and of the error budget.

use crate::budget::BudgetRow;
use crate::diagnosis::InputsRow;
use crate::distinct::distinct;
use crate::rows::TrainRow;
use crate::statistics::mean_and_spread;
use crate::text::{percent, percent_of, shown, table};

/// One line a variant of the recipe, mean and standard deviation over seeds; nothing without variants.
pub fn variants(rows: &[TrainRow]) -> String {
    let named: Vec<&TrainRow> = rows.iter().filter(|row| !row.variant.is_empty()).collect();
    if named.is_empty() {
        return String::new();
    }
    let lines = distinct(&named, |row| row.variant.clone()).into_iter();
    let lines = lines.map(|variant| {
        let own: Vec<&&TrainRow> = named.iter().filter(|row| row.variant == variant).collect();
        let cell = |of: fn(&TrainRow) -> Option<f64>| {
            let values: Vec<f64> = own
                .iter()
                .filter_map(|row| Some(100.0 * of(row)?))
                .collect();
            if values.is_empty() {
                return "–".to_string();
            }
            let (mean, spread) = mean_and_spread(&values);
            format!("{mean:.2} ± {spread:.2} %")
        };
        let stopped = own.iter().filter(|row| row.stopped_after.is_some()).count();
        vec![
            variant,
            own.len().to_string(),
            cell(|row| row.validation_accuracy),
            cell(|row| row.test_accuracy),
            stopped.to_string(),
        ]
    });
    let header = ["variant", "seeds", "validation", "test", "given up"];
    table(&header, &lines.collect::<Vec<_>>()) + "\n"
}

/// One line a layer and set.
pub fn inputs(rows: &[InputsRow]) -> String {
    let number = |value: Option<f64>| shown(value, |value| format!("{value:.2}"));
    let lines = rows.iter().map(|row| {
        let interval = row.low.zip(row.high);
        vec![
            row.model.clone(),
            row.set.clone(),
            row.layer.to_string(),
            number(row.minimum),
            number(row.quantile_0_1),
            number(row.quantile_1),
            number(row.quantile_50),
            number(row.quantile_99),
            number(row.quantile_99_9),
            number(row.maximum),
            number(row.kurtosis),
            interval.map_or("–".to_string(), |(low, high)| {
                format!("{low:.2}:{high:.2}")
            }),
            percent(row.outside_interval),
            percent(row.outside_boundary),
        ]
    });
    let header = [
        "model",
        "images",
        "layer",
        "least",
        "0.1 %",
        "1 %",
        "50 %",
        "99 %",
        "99.9 %",
        "most",
        "kurtosis",
        "interval",
        "outside it",
        "outside the boundary",
    ];
    table(&header, &lines.collect::<Vec<_>>()) + "\n"
}

/// One line a stage.
pub fn budget(rows: &[BudgetRow]) -> String {
    let lines = rows.iter().map(|row| {
        let fit = if row.method.is_empty() {
            row.activation.clone()
        } else {
            format!("{} {}", row.method, row.degree)
        };
        vec![
            row.network.clone(),
            row.stage.clone(),
            fit,
            percent_of(row.accuracy, row.images),
        ]
    });
    table(
        &["network", "stage", "activation", "test"],
        &lines.collect::<Vec<_>>(),
    ) + "\n"
}
