//! How each epoch of a training went: `epochs.csv`.

use crate::records::{Record, Table};
use crate::rows::TrainRow;
use anyhow::Result;
use cryptodl_train::EpochReport;
use serde::{Deserialize, Serialize};

/// One epoch. Up to `variant`, the columns are the inputs of the training, as in `train.csv`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct EpochRow {
    pub run_id: String,
    pub network: String,
    pub dataset: String,
    pub activation: String,
    pub method: String,
    pub degree: usize,
    pub low: f64,
    pub high: f64,
    pub seed: u64,
    pub epochs: usize,
    pub variant: String,
    /// Counted from 1.
    pub epoch: usize,
    pub loss: f64,
    pub gradient_norm: f64,
    pub batch_accuracy: f64,
    pub validation_accuracy: f64,
    pub images_per_s: f64,
    pub epoch_s: f64,
}

impl Record for EpochRow {
    const FILE: &'static str = "epochs.csv";
    const COLUMNS: &'static [&'static str] = &[
        "run_id",
        "network",
        "dataset",
        "activation",
        "method",
        "degree",
        "low",
        "high",
        "seed",
        "epochs",
        "variant",
        "epoch",
        "loss",
        "gradient_norm",
        "batch_accuracy",
        "validation_accuracy",
        "images_per_s",
        "epoch_s",
    ];
    fn key(&self) -> String {
        format!("{} epoch {}", self.training().key(), self.epoch)
    }
    fn error(&self) -> Option<&str> {
        None
    }
}

impl EpochRow {
    fn new(training: &TrainRow, report: &EpochReport) -> Self {
        let TrainRow {
            run_id,
            network,
            dataset,
            activation,
            method,
            degree,
            low,
            high,
            seed,
            epochs,
            variant,
            ..
        } = training.clone();
        Self {
            run_id,
            network,
            dataset,
            activation,
            method,
            degree,
            low,
            high,
            seed,
            epochs,
            variant,
            epoch: report.epoch,
            loss: report.loss,
            gradient_norm: report.gradient_norm,
            batch_accuracy: report.batch_accuracy,
            validation_accuracy: report.validation_accuracy,
            images_per_s: report.images_per_s,
            epoch_s: report.epoch_s,
        }
    }

    /// The training that it belongs to, with nothing measured.
    pub fn training(&self) -> TrainRow {
        let Self {
            run_id,
            network,
            dataset,
            activation,
            method,
            degree,
            low,
            high,
            seed,
            epochs,
            variant,
            ..
        } = self.clone();
        TrainRow {
            run_id,
            network,
            dataset,
            activation,
            method,
            degree,
            low,
            high,
            seed,
            epochs,
            variant,
            ..TrainRow::default()
        }
    }
}

/// Writes a row an epoch, and keeps the first thing that went wrong for whoever can report it.
pub struct Journal {
    table: Table<EpochRow>,
    training: TrainRow,
    outcome: Result<()>,
}

impl Journal {
    pub fn new(table: Table<EpochRow>, training: TrainRow) -> Self {
        Self {
            table,
            training,
            outcome: Ok(()),
        }
    }

    /// Adds the row. A training that begins anew takes out the rows it left before.
    pub fn note(&mut self, report: &EpochReport) {
        if self.outcome.is_ok() {
            self.outcome = self.written(report);
        }
    }

    fn written(&mut self, report: &EpochReport) -> Result<()> {
        if report.epoch == 1 {
            let training = self.training.key();
            self.table.remove(|row| row.training().key() == training)?;
        }
        let row = EpochRow::new(&self.training, report);
        if self.table.contains(&row.key()) {
            return Ok(());
        }
        self.table.append(row)
    }

    /// What went wrong, if anything did.
    pub fn end(self) -> Result<()> {
        self.outcome
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_epoch_has_one_row_however_often_it_is_trained() {
        let folder = tempfile::tempdir().unwrap();
        let report = |epoch| EpochReport {
            epoch,
            epochs: 2,
            loss: 0.5,
            gradient_norm: 1.5,
            batch_accuracy: 0.75,
            validation_accuracy: 0.8,
            epoch_s: 2.0,
            images_per_s: 100.0,
        };
        let training = TrainRow::example();
        for epochs in [vec![1, 2], vec![1], vec![2]] {
            let table = Table::open(folder.path()).unwrap();
            let mut journal = Journal::new(table, training.clone());
            for epoch in epochs {
                journal.note(&report(epoch));
            }
            journal.end().unwrap();
        }
        let rows = Table::<EpochRow>::read(folder.path()).unwrap();
        assert_eq!(rows.iter().map(|row| row.epoch).collect::<Vec<_>>(), [1, 2]);
        assert_eq!(rows[1].training().key(), training.key());
    }
}
