//! What reaches each activation layer, on training, validation and test images: `inputs.csv`.

use crate::calibration::split;
use crate::model::Model;
use crate::records::{Record, Table};
use crate::text::percent;
use anyhow::Result;
use approx::Interval;
use cryptodl_train::datasets::Dataset;
use cryptodl_train::diagnosis::{Distribution, activation_inputs};
use serde::{Deserialize, Serialize};

/// The inputs of one activation layer on one set of images.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct InputsRow {
    pub run_id: String,
    pub model: String,
    pub dataset: String,
    /// `training`, `validation` or `test`.
    pub set: String,
    /// Activation layer, counted from 1.
    pub layer: usize,
    pub images: usize,
    pub values: Option<u64>,
    pub minimum: Option<f64>,
    pub quantile_0_1: Option<f64>,
    pub quantile_1: Option<f64>,
    pub quantile_50: Option<f64>,
    pub quantile_99: Option<f64>,
    pub quantile_99_9: Option<f64>,
    pub maximum: Option<f64>,
    pub mean: Option<f64>,
    pub deviation: Option<f64>,
    pub kurtosis: Option<f64>,
    /// Ends of the interval of the fit.
    pub low: Option<f64>,
    pub high: Option<f64>,
    pub outside_interval: Option<f64>,
    /// The boundary of the recipe that it was trained with.
    pub boundary: Option<f64>,
    pub outside_boundary: Option<f64>,
    pub error: Option<String>,
}

impl Record for InputsRow {
    const FILE: &'static str = "inputs.csv";
    const COLUMNS: &'static [&'static str] = &[
        "run_id",
        "model",
        "dataset",
        "set",
        "layer",
        "images",
        "values",
        "minimum",
        "quantile_0_1",
        "quantile_1",
        "quantile_50",
        "quantile_99",
        "quantile_99_9",
        "maximum",
        "mean",
        "deviation",
        "kurtosis",
        "low",
        "high",
        "outside_interval",
        "boundary",
        "outside_boundary",
        "error",
    ];
    fn key(&self) -> String {
        let Self {
            model, set, layer, ..
        } = self;
        format!("{model}, activation layer {layer} on {set} images")
    }
    fn error(&self) -> Option<&str> {
        self.error.as_deref()
    }
}

/// Measures the sets that the table lacks, on the first `limit` images of each.
pub fn record(
    model: &Model,
    data: &Dataset,
    limit: usize,
    run_id: &str,
    table: &mut Table<InputsRow>,
) -> Result<()> {
    let (training, validation) = split(&model.artifact, &data.train);
    let test: Vec<usize> = (0..data.test.len()).collect();
    let sets = [
        ("training", &data.train, training),
        ("validation", &data.train, validation),
        ("test", &data.test, test),
    ];
    let layers = model.artifact.network.activations().len();
    for (set, images, indices) in sets {
        let row = |layer: usize| InputsRow {
            run_id: run_id.to_string(),
            model: model.name.clone(),
            dataset: data.name.clone(),
            set: set.to_string(),
            layer: layer + 1,
            images: indices.len().min(limit),
            ..InputsRow::default()
        };
        let missing = (0..layers).any(|layer| !table.contains(&row(layer).key()));
        if indices.is_empty() || !missing {
            continue;
        }
        let indices = &indices[..indices.len().min(limit)];
        let found = activation_inputs(&model.artifact, images, indices)?;
        for (layer, found) in found.iter().enumerate() {
            let row = filled(row(layer), model, layer, found);
            if !table.contains(&row.key()) {
                eprintln!("{}", line(&row));
                table.append(row)?;
            }
        }
    }
    Ok(())
}

fn filled(row: InputsRow, model: &Model, layer: usize, found: &Distribution) -> InputsRow {
    let used = model.artifact.network.activations();
    let on = used.get(layer).and_then(|used| used.polynomial());
    let on = on.map(approx::Polynomial::interval);
    let boundary = model.artifact.provenance.recipe.get("boundary");
    let boundary = boundary.and_then(serde_json::Value::as_f64);
    let within = boundary.and_then(|boundary| Interval::new(-boundary, boundary).ok());
    InputsRow {
        values: Some(found.total()),
        minimum: Some(found.low()),
        quantile_0_1: Some(found.quantile(0.001)),
        quantile_1: Some(found.quantile(0.01)),
        quantile_50: Some(found.quantile(0.5)),
        quantile_99: Some(found.quantile(0.99)),
        quantile_99_9: Some(found.quantile(0.999)),
        maximum: Some(found.high()),
        mean: Some(found.mean()),
        deviation: Some(found.deviation()),
        kurtosis: Some(found.kurtosis()),
        low: on.map(Interval::low),
        high: on.map(Interval::high),
        outside_interval: on.map(|on| found.share_outside(on)),
        boundary,
        outside_boundary: within.map(|within| found.share_outside(within)),
        ..row
    }
}

/// One row for reading.
pub fn line(row: &InputsRow) -> String {
    let number =
        |value: Option<f64>| value.map_or("–".to_string(), |value| format!("{value:.2}"));
    let share = |value: Option<f64>| percent(value);
    format!(
        "{}: {} to {}, 99.9 % below {}, kurtosis {}, outside the interval {}, outside the boundary {}",
        row.key(),
        number(row.minimum),
        number(row.maximum),
        number(row.quantile_99_9),
        number(row.kurtosis),
        share(row.outside_interval),
        share(row.outside_boundary)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_the_fields_in_order() {
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.serialize(InputsRow::default()).unwrap();
        let text = String::from_utf8(writer.into_inner().unwrap()).unwrap();
        let header: Vec<&str> = text.lines().next().unwrap().split(',').collect();
        assert_eq!(header, InputsRow::COLUMNS);
    }
}
