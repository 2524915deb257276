//! `cryptodl compare`: the encrypted schemes side by side.

use crate::commands::end_with_report;
use crate::evaluation::{EvaluationFlags, scheme_names};
use crate::flags::{DataFlags, RunFlags};
use crate::model::{Model, check_dataset, find, named_apart};
use crate::run_folder::RunFolder;
use crate::schemes::{self, SchemeRow, line};
use crate::source::Source;
use anyhow::{Result, bail};
use clap::Args;
use serde_json::json;
use std::path::PathBuf;

/// Flags of `compare`.
#[derive(Args, Debug)]
#[command(
    after_long_help = "Example: a network of polynomials under bfv and ckks, one that rounds under tfhe\n  \
    cryptodl compare --model cryptonets,lookup"
)]
pub struct Arguments {
    /// Trained networks, separated by commas: each is evaluated under every scheme that takes it.
    #[arg(
        long = "model",
        short,
        value_name = "NAME",
        value_delimiter = ',',
        required = true
    )]
    models: Vec<String>,
    /// Schemes, separated by commas.
    #[arg(
        long,
        short,
        value_name = "NAME",
        value_delimiter = ',',
        default_value = if cfg!(feature = "tfhe") { "bfv,ckks,tfhe" } else { "bfv,ckks" }
    )]
    scheme: Vec<String>,
    /// Folder of the named models.
    #[arg(long, value_name = "DIR", default_value = "results/models")]
    model_dir: PathBuf,
    #[command(flatten)]
    evaluation: EvaluationFlags,
    #[command(flatten)]
    data: DataFlags,
    #[command(flatten)]
    run: RunFlags,
}

/// Runs the verb.
pub fn run(arguments: &Arguments) -> Result<()> {
    let names = scheme_names(&arguments.scheme)?;
    let models = arguments
        .models
        .iter()
        .map(|name| find(name, &arguments.model_dir))
        .collect::<Result<Vec<Model>>>()?;
    let models = named_apart(models);
    models.iter().try_for_each(check_dataset)?;
    let mut pairs = Vec::new();
    for entry in cryptodl_he_eval::schemes() {
        let takes = |model: &&Model| entry.accepts(&model.artifact.network).is_ok();
        if names.iter().any(|name| name == entry.name()) {
            let taken = models.iter().filter(takes);
            pairs.extend(taken.map(|model| (model, entry.name().to_string())));
        }
    }
    if pairs.is_empty() {
        bail!(
            "none of the schemes takes any of the models: `tfhe` wants networks that round, the others polynomials"
        );
    }
    let mut settings = arguments.evaluation.settings(&models);
    // no part of a row's key
    settings.insert("images".into(), json!(arguments.evaluation.images));
    let mut run = RunFolder::open(&arguments.run, "compare", None, settings)?;
    let mut table = run.table::<SchemeRow>()?;
    let mut source = Source::new(&arguments.data);
    schemes::record(
        &pairs,
        &arguments.evaluation,
        &mut source,
        &mut run,
        &mut table,
    )?;
    table
        .rows()
        .iter()
        .for_each(|row| println!("{}", line(row)));
    end_with_report(run, &table, "evaluations")
}
