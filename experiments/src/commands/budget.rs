//! `cryptodl budget`: accuracy from the activation itself to integer weights, stage by stage.

use crate::budget::{Budget, BudgetRow};
use crate::calibration::{MEASURED, Refit};
use crate::flags::{DataFlags, RunFlags};
use crate::manifest::Settings;
use crate::model::{Model, check_dataset};
use crate::report;
use crate::run_folder::RunFolder;
use crate::source::Source;
use anyhow::{Context, Result};
use clap::Args;
use serde_json::json;
use std::path::PathBuf;

/// Flags of `budget`.
#[derive(Args, Debug)]
#[command(
    after_long_help = "Example: what replacing ReLU costs, and what retraining gives back\n  \
    cryptodl budget --original relu.safetensors --retrained polynomial.safetensors --degree 2"
)]
pub struct Arguments {
    /// The network trained with its activation.
    #[arg(long, value_name = "FILE")]
    original: PathBuf,
    /// The same network trained with polynomials.
    #[arg(long, value_name = "FILE")]
    retrained: PathBuf,
    /// Method that fits polynomials to the inputs of the original, or `measured`: weighted by them.
    #[arg(long, short, value_name = "NAME", default_value = MEASURED)]
    method: String,
    /// Degree of those polynomials.
    #[arg(long, short, default_value_t = 2)]
    degree: usize,
    /// Share of the inputs left out of the interval at either end.
    #[arg(long, value_name = "SHARE", default_value_t = 0.001)]
    tail: f64,
    /// Bits of an integer weight with its sign [default: 6].
    #[arg(long, value_name = "BITS")]
    weight_bits: Option<u32>,
    #[command(flatten)]
    data: DataFlags,
    #[command(flatten)]
    run: RunFlags,
}

/// Runs the verb.
pub fn run(arguments: &Arguments) -> Result<()> {
    let original = Model::load(&arguments.original)?;
    let retrained = Model::load(&arguments.retrained)?;
    check_dataset(&original)?;
    let activation = original.artifact.provenance.activation.parse();
    let refit = Refit {
        activation: activation.with_context(|| format!("model `{}`", original.name))?,
        method: arguments.method.clone(),
        degree: arguments.degree,
        tail: arguments.tail,
        images: 10_000,
        learnable: false,
    };
    let budget = Budget {
        original: &original,
        retrained: &retrained,
        refit: &refit,
        weight_bits: arguments.weight_bits,
    };
    budget.check()?;
    let settings = Settings::from([
        ("sha256 of the original".to_string(), json!(original.sha256)),
        (
            "sha256 of the retrained".to_string(),
            json!(retrained.sha256),
        ),
        ("method".to_string(), json!(arguments.method)),
        ("degree".to_string(), json!(arguments.degree)),
        ("tail".to_string(), json!(arguments.tail)),
        ("weight_bits".to_string(), json!(arguments.weight_bits)),
    ]);
    let mut run = RunFolder::open(&arguments.run, "budget", None, settings)?;
    let mut table = run.table::<BudgetRow>()?;
    let mut source = Source::new(&arguments.data);
    let run_id = run.id().to_string();
    let data = source.load(&original.artifact.provenance.dataset, &mut run)?;
    budget.record(data, &run_id, &mut table)?;
    let folder = run.path().to_path_buf();
    run.end()?;
    println!("report in `{}`", report::write(&folder)?.display());
    Ok(())
}
