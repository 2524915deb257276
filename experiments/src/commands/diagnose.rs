//! `cryptodl diagnose`: what reaches the activations of trained networks.

use crate::diagnosis::{self, InputsRow};
use crate::flags::{DataFlags, RunFlags};
use crate::manifest::Settings;
use crate::model::{Model, check_dataset, named_apart};
use crate::report;
use crate::run_folder::RunFolder;
use crate::source::Source;
use anyhow::Result;
use clap::Args;
use serde_json::json;
use std::num::NonZeroUsize;
use std::path::PathBuf;

/// Flags of `diagnose`.
#[derive(Args, Debug)]
#[command(
    after_long_help = "Example: do the inputs of the shipped network stay where its polynomials are good?\n  \
    cryptodl diagnose results/models/cryptonets.safetensors"
)]
pub struct Arguments {
    /// Trained networks.
    #[arg(required = true, value_name = "MODEL.safetensors")]
    models: Vec<PathBuf>,
    /// Look at the first so many images of each set [default: all].
    #[arg(long, value_name = "N")]
    images: Option<NonZeroUsize>,
    #[command(flatten)]
    data: DataFlags,
    #[command(flatten)]
    run: RunFlags,
}

/// Runs the verb.
pub fn run(arguments: &Arguments) -> Result<()> {
    let models: Vec<Model> = (arguments.models.iter())
        .map(|path| Model::load(path))
        .collect::<Result<_>>()?;
    let models = named_apart(models);
    models.iter().try_for_each(check_dataset)?;
    let mut settings = Settings::from([("images".to_string(), json!(arguments.images))]);
    settings.extend(models.iter().map(|model| {
        let name = format!("sha256 of model {}", model.name);
        (name, json!(model.sha256))
    }));
    let mut run = RunFolder::open(&arguments.run, "diagnose", None, settings)?;
    let mut table = run.table::<InputsRow>()?;
    let mut source = Source::new(&arguments.data);
    let run_id = run.id().to_string();
    let limit = arguments.images.map_or(usize::MAX, NonZeroUsize::get);
    for model in &models {
        let data = source.load(&model.artifact.provenance.dataset, &mut run)?;
        diagnosis::record(model, data, limit, &run_id, &mut table)?;
    }
    let folder = run.path().to_path_buf();
    run.end()?;
    println!("report in `{}`", report::write(&folder)?.display());
    Ok(())
}
