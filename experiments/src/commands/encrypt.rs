//! `cryptodl encrypt`: trained networks on encrypted test images.

use crate::evaluation::{EvaluationFlags, line, scheme_names};
use crate::flags::{DataFlags, RunFlags};
use crate::model::{Model, check_dataset, find, models_in, named_apart};
use crate::rows::EncryptedRow;
use crate::run_folder::RunFolder;
use crate::source::Source;
use anyhow::{Context, Result};
use clap::Args;
use std::path::PathBuf;

/// Flags of `encrypt`.
#[derive(Args, Debug)]
#[command(
    after_long_help = "Example: one shipped network, in the clear and encrypted, on all test images\n  \
    cryptodl encrypt --model cryptonets --scheme clear,bfv,ckks"
)]
pub struct Arguments {
    /// Trained networks, separated by commas: names in `cryptodl list models` or paths of `.safetensors` files [default: all of the
    /// model folder].
    #[arg(long = "model", short, value_name = "NAME", value_delimiter = ',')]
    models: Vec<String>,
    /// Schemes, separated by commas, or `all` for every one that takes the network and does not take minutes for each image.
    #[arg(
        long,
        short,
        value_name = "NAME",
        value_delimiter = ',',
        default_value = "ckks"
    )]
    scheme: Vec<String>,
    /// Only print the plans: parameters, security, sizes and predicted seconds.
    #[arg(long)]
    list: bool,
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
    let schemes = scheme_names(&arguments.scheme)?;
    let named = arguments
        .models
        .iter()
        .map(|name| find(name, &arguments.model_dir));
    let models: Vec<Model> = if arguments.models.is_empty() {
        models_in(&arguments.model_dir)?
    } else {
        named.collect::<Result<_>>()?
    };
    let models = named_apart(models);
    models.iter().try_for_each(check_dataset)?;
    if arguments.list {
        return list(&models, &schemes, arguments);
    }
    if !arguments.scheme.iter().any(|name| name == "all") {
        refuse_unsuitable(&models, &schemes)?;
    }
    let mut run = RunFolder::open(
        &arguments.run,
        "encrypt",
        None,
        arguments.evaluation.settings(&models),
    )?;
    let mut table = run.table::<EncryptedRow>()?;
    let folder = run.path().join("measurements");
    std::fs::create_dir_all(&folder)
        .with_context(|| format!("cannot make the folder `{}`", folder.display()))?;
    let mut source = Source::new(&arguments.data);
    for model in &models {
        for scheme in &schemes {
            if arguments.scheme.iter().any(|name| name == "all") && !suits(model, scheme) {
                continue;
            }
            model.record(
                scheme,
                &arguments.evaluation,
                &mut source,
                &mut run,
                &mut table,
                false,
            )?;
        }
    }
    for row in table.rows().iter().filter(|row| {
        models.iter().any(|model| model.name == row.model) && schemes.contains(&row.scheme)
    }) {
        println!("{}", line(row));
    }
    println!("rows in `{}`", run.path().join("encrypted.csv").display());
    run.end()
}

/// A scheme that does not take a network says why, before a folder is made or images are fetched.
fn refuse_unsuitable(models: &[Model], schemes: &[String]) -> Result<()> {
    for entry in cryptodl_he_eval::schemes() {
        if !schemes.iter().any(|name| name == entry.name()) {
            continue;
        }
        for model in models {
            let taken = entry.accepts(&model.artifact.network);
            taken.with_context(|| {
                format!("scheme `{}` does not take `{}`", entry.name(), model.name)
            })?;
        }
    }
    Ok(())
}

/// Whether a scheme takes a network, and answers an image in seconds.
fn suits(model: &Model, scheme: &str) -> bool {
    cryptodl_he_eval::schemes()
        .iter()
        .filter(|entry| entry.name() == scheme)
        .any(|entry| !entry.only_by_name() && entry.accepts(&model.artifact.network).is_ok())
}

fn list(models: &[Model], schemes: &[String], arguments: &Arguments) -> Result<()> {
    let mut source = Source::new(&arguments.data);
    for model in models {
        for scheme in schemes {
            let images = match arguments.evaluation.images {
                Some(images) => images,
                None => source.read(&model.artifact.provenance.dataset)?.test.len(),
            };
            let options = arguments.evaluation.options();
            let prepared = cryptodl_he_eval::prepare(scheme, &model.artifact, images, &options)?;
            println!("{}", prepared.plan());
        }
    }
    Ok(())
}
