//! Where accuracy is lost on the way from an activation to encrypted evaluation: `budget.csv`.
//!
//! 1. `original`: the network with its activation.
//! 2. `replaced`: the same weights with polynomials in place of it, fitted to the measured inputs of each layer.
//! 3. `retrained`: trained with polynomials, in floating point.
//! 4. `quantised`: that with the integer weights and pixels that encrypted evaluation computes with.

use crate::calibration::{Refit, is_exact};
use crate::model::Model;
use crate::records::{Record, Table};
use crate::text::percent;
use anyhow::{Context, Result, bail};
use cryptodl_he_eval::{Options, prepare};
use cryptodl_network::Artifact;
use cryptodl_train::datasets::Dataset;
use cryptodl_train::{accuracy, logits};
use serde::{Deserialize, Serialize};

/// The stages, in order.
pub const STAGES: [&str; 4] = ["original", "replaced", "retrained", "quantised"];

/// Accuracy on test images after one stage.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct BudgetRow {
    pub run_id: String,
    pub network: String,
    pub dataset: String,
    pub activation: String,
    /// One of [`STAGES`].
    pub stage: String,
    /// Fit of the polynomials; empty for the activation.
    pub method: String,
    pub degree: usize,
    /// Bits of an integer weight.
    pub weight_bits: Option<u32>,
    pub images: usize,
    pub accuracy: Option<f64>,
    pub error: Option<String>,
}

impl Record for BudgetRow {
    const FILE: &'static str = "budget.csv";
    const COLUMNS: &'static [&'static str] = &[
        "run_id",
        "network",
        "dataset",
        "activation",
        "stage",
        "method",
        "degree",
        "weight_bits",
        "images",
        "accuracy",
        "error",
    ];
    fn key(&self) -> String {
        let Self { network, stage, .. } = self;
        format!("{network}, {stage}")
    }
    fn error(&self) -> Option<&str> {
        self.error.as_deref()
    }
}

/// The networks and the fit of a budget.
pub struct Budget<'a> {
    pub original: &'a Model,
    pub retrained: &'a Model,
    pub refit: &'a Refit,
    pub weight_bits: Option<u32>,
}

impl Budget<'_> {
    /// The two networks are the same but for their activations, and the fit is one that can be done.
    pub fn check(&self) -> Result<()> {
        self.refit.check()?;
        let (original, retrained) = (&self.original.artifact, &self.retrained.artifact);
        if !is_exact(&original.network) {
            bail!(
                "`{}` has polynomials already: the original must have its activation, as `cryptodl train --method exact` keeps it",
                self.original.name
            );
        }
        if retrained.network.name != original.network.name
            || retrained.provenance.dataset != original.provenance.dataset
        {
            bail!(
                "`{}` is `{}` on {}, `{}` is `{}` on {}: a budget is of one network on one data set",
                self.original.name,
                original.network.name,
                original.provenance.dataset,
                self.retrained.name,
                retrained.network.name,
                retrained.provenance.dataset
            );
        }
        if retrained.network.mirrored != original.network.mirrored {
            bail!(
                "one of `{}` and `{}` looks at mirror images, the other does not: train both with the same `mirror`",
                self.original.name,
                self.retrained.name
            );
        }
        Ok(())
    }

    /// Measures the stages that the table lacks.
    pub fn record(&self, data: &Dataset, run_id: &str, table: &mut Table<BudgetRow>) -> Result<()> {
        let provenance = &self.retrained.artifact.provenance;
        for stage in STAGES {
            let mut row = BudgetRow {
                run_id: run_id.to_string(),
                network: self.original.artifact.network.name.clone(),
                dataset: data.name.clone(),
                activation: self.refit.activation.name().to_string(),
                stage: stage.to_string(),
                images: data.test.len(),
                ..BudgetRow::default()
            };
            (row.method, row.degree) = match stage {
                "original" => (String::new(), 0),
                "replaced" => (self.refit.method.clone(), self.refit.degree),
                _ => (provenance.method.clone(), provenance.degree),
            };
            if table.contains(&row.key()) {
                continue;
            }
            let accuracy = match stage {
                "original" => in_floats(&self.original.artifact, data),
                "replaced" => {
                    let replaced = self.refit.apply(&self.original.artifact, data)?;
                    Ok(replaced.provenance.test_accuracy)
                }
                "retrained" => in_floats(&self.retrained.artifact, data),
                _ => {
                    row.weight_bits = self.weight_bits;
                    self.in_integers(data)
                }
            };
            row.accuracy = Some(accuracy.with_context(|| row.key())?);
            eprintln!("{}: {}", row.key(), percent(row.accuracy));
            table.append(row)?;
        }
        Ok(())
    }

    fn in_integers(&self, data: &Dataset) -> Result<f64> {
        let options = Options {
            weight_bits: self.weight_bits,
            ..Options::default()
        };
        let artifact = &self.retrained.artifact;
        let prepared = prepare("clear-integer", artifact, data.test.len(), &options)?;
        let measured = prepared.measure(&data.test.pixels, &data.test.labels, &mut |_| {})?;
        let found = measured.accuracy_integer.or(measured.accuracy_encrypted);
        found.context("the integer twin gave no accuracy")
    }
}

fn in_floats(artifact: &Artifact, data: &Dataset) -> Result<f64> {
    Ok(accuracy(
        &logits(artifact, &data.test, None)?,
        &data.test.labels,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_the_fields_in_order() {
        let mut writer = csv::Writer::from_writer(Vec::new());
        writer.serialize(BudgetRow::default()).unwrap();
        let text = String::from_utf8(writer.into_inner().unwrap()).unwrap();
        let header: Vec<&str> = text.lines().next().unwrap().split(',').collect();
        assert_eq!(header, BudgetRow::COLUMNS);
    }
}
