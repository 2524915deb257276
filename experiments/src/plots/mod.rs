//! Figures: each file makes one [`Figure`] from the rows of a run, [`figures`] lists them, [`write_all`] draws them.
//!
//! A new figure is one more file and one more line in the list.

mod accuracy;
mod axis;
mod budget;
mod compare;
mod degree;
mod epochs;
mod errors;
pub mod figure;
mod fits;
mod growth;
mod inputs;
mod latency;
mod pen;
mod render;
mod retrained;
mod schemes;
pub mod shared;
mod stages;
mod sweep;
mod throughput;
pub mod variants;

use crate::budget::BudgetRow;
use crate::comparison::CompareRow;
use crate::diagnosis::InputsRow;
use crate::epochs::EpochRow;
use crate::growth::GrowthRow;
use crate::latency::LatencyRow;
use crate::profile::{self, StageRow};
use crate::records::{Table, write_whole};
use crate::rows::{EncryptedRow, FitRow, TrainRow};
use crate::schemes::SchemeRow;
use anyhow::{Context, Result};
use figure::Figure;
use std::path::Path;

/// The rows of a run.
#[derive(Clone, Debug, Default)]
pub struct Rows {
    pub run_id: String,
    pub fit: Vec<FitRow>,
    pub train: Vec<TrainRow>,
    pub epochs: Vec<EpochRow>,
    pub encrypted: Vec<EncryptedRow>,
    pub stages: Vec<StageRow>,
    pub growth: Vec<GrowthRow>,
    pub schemes: Vec<SchemeRow>,
    pub latency: Vec<LatencyRow>,
    pub compare: Vec<CompareRow>,
    pub inputs: Vec<InputsRow>,
    pub budget: Vec<BudgetRow>,
}

impl Rows {
    /// Reads the tables in a run folder; those that are not there are empty.
    pub fn read(folder: &Path, run_id: &str) -> Result<Self> {
        let encrypted = Table::read(folder)?;
        Ok(Self {
            run_id: run_id.to_string(),
            fit: Table::read(folder)?,
            train: Table::read(folder)?,
            epochs: Table::read(folder)?,
            stages: profile::stages(folder, &encrypted)?,
            encrypted,
            growth: Table::read(folder)?,
            schemes: Table::read(folder)?,
            latency: Table::read(folder)?,
            compare: Table::read(folder)?,
            inputs: Table::read(folder)?,
            budget: Table::read(folder)?,
        })
    }
}

/// A figure that can be drawn where a run has the rows for it.
pub struct Kind {
    /// File name without ending.
    pub name: &'static str,
    /// What it shows.
    pub summary: &'static str,
    /// The figure, or `None` where the rows are missing.
    pub make: fn(&Rows) -> Option<Figure>,
}

/// Every figure, in the order of the report: the only place that knows all of them.
pub fn figures() -> Vec<Kind> {
    vec![
        Kind {
            name: "fits",
            summary: "activations and the polynomials that stand in for them",
            make: fits::figure,
        },
        Kind {
            name: "errors",
            summary: "error of those polynomials along the interval",
            make: errors::figure,
        },
        Kind {
            name: "degree",
            summary: "largest error by degree, per method",
            make: degree::figure,
        },
        Kind {
            name: "sweep",
            summary: "accuracy after retraining by degree, per method",
            make: sweep::figure,
        },
        Kind {
            name: "retrained",
            summary: "accuracy after training, over seeds, beside the paper's methods",
            make: retrained::figure,
        },
        Kind {
            name: "epochs",
            summary: "accuracy on the validation images while training",
            make: epochs::figure,
        },
        Kind {
            name: "accuracy",
            summary: "accuracy in the clear, in integers and encrypted",
            make: accuracy::figure,
        },
        Kind {
            name: "throughput",
            summary: "encrypted images an hour beside published systems",
            make: throughput::figure,
        },
        Kind {
            name: "stages",
            summary: "where the time of an encrypted evaluation goes",
            make: stages::figure,
        },
        Kind {
            name: "growth",
            summary: "time and memory of a batch as networks and rings grow",
            make: growth::figure,
        },
        Kind {
            name: "schemes",
            summary: "the encrypted schemes side by side: latency, throughput, bytes, keys, memory",
            make: schemes::figure,
        },
        Kind {
            name: "latency",
            summary: "time of an image by message bits and by number of activations, by look-up",
            make: latency::figure,
        },
        Kind {
            name: "compare",
            summary: "methods side by side: curve, error, error beyond the interval",
            make: compare::figure,
        },
        Kind {
            name: "variants",
            summary: "accuracy of each variant of a recipe",
            make: variants::figure,
        },
        Kind {
            name: "inputs",
            summary: "what reaches the activations, beside the intervals of the fits",
            make: inputs::figure,
        },
        Kind {
            name: "budget",
            summary: "accuracy from the activation itself to integer weights",
            make: budget::figure,
        },
    ]
}

/// Draws every figure that `rows` allow, as `FOLDER/NAME.svg` and `.png`, and returns those drawn.
pub fn write_all(rows: &Rows, folder: &Path) -> Result<Vec<Figure>> {
    std::fs::create_dir_all(folder)
        .with_context(|| format!("cannot make the folder `{}`", folder.display()))?;
    let drawn: Vec<Figure> = figures()
        .iter()
        .filter_map(|kind| (kind.make)(rows))
        .collect();
    for figure in &drawn {
        write_whole(
            &folder.join(format!("{}.svg", figure.name)),
            render::svg(figure)?.as_bytes(),
        )?;
        write_whole(
            &folder.join(format!("{}.png", figure.name)),
            &render::png(figure)?,
        )?;
    }
    Ok(drawn)
}

#[cfg(test)]
mod tests;
