//! `cryptodl encrypt`: trained networks on encrypted test images.

use crate::cli::{DataFlags, RunFlags};
use crate::commands::data::Source;
use crate::evaluation::{
    EvaluationFlags, Model, all_model_paths, check_dataset, model_name, models_in, scheme_names,
};
use crate::report::text::{count, percent};
use crate::rows::EncryptedRow;
use crate::run_folder::RunFolder;
use anyhow::{Context, Result, bail};
use clap::Args;
use cryptodl_he_eval::Networks;
use std::path::{Path, PathBuf};

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
    models.iter().try_for_each(check_dataset)?;
    if arguments.list {
        return list(&models, &schemes, arguments);
    }
    if !arguments.scheme.iter().any(|name| name == "all") {
        refuse_unsuitable(&models, &schemes, arguments)?;
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
fn refuse_unsuitable(models: &[Model], schemes: &[String], arguments: &Arguments) -> Result<()> {
    let options = arguments.evaluation.options();
    for entry in cryptodl_he_eval::schemes() {
        for model in models.iter().map(|model| &model.artifact) {
            let named = schemes.iter().any(|name| name == entry.name);
            if named && !entry.networks.contain(&model.network) {
                cryptodl_he_eval::prepare(entry.name, model, 1, &options)?;
            }
        }
    }
    Ok(())
}

/// Whether a scheme takes a network, and answers an image in seconds.
fn suits(model: &Model, scheme: &str) -> bool {
    cryptodl_he_eval::schemes()
        .iter()
        .filter(|entry| entry.name == scheme)
        .any(|entry| {
            let slow = entry.single_images && entry.networks != Networks::Rounding;
            !slow && entry.networks.contain(&model.artifact.network)
        })
}

/// One row for reading.
pub fn line(row: &EncryptedRow) -> String {
    let EncryptedRow {
        model,
        scheme,
        images,
        ..
    } = row;
    if let Some(error) = &row.error {
        return format!("{model}, {scheme}: {error}");
    }
    let float = percent(row.accuracy_float);
    let integer = row.accuracy_integer.map_or(String::new(), |_| {
        format!(", integer {}", percent(row.accuracy_integer))
    });
    let encrypted = match (row.security_bits, row.agreement, row.images_per_hour) {
        (Some(bits), Some(agreement), Some(rate)) => format!(
            ", encrypted {}, agreement {agreement}, {} images/h, {bits}-bit security",
            percent(row.accuracy_encrypted),
            count(rate)
        ),
        _ => String::new(),
    };
    format!("{model}, {scheme}, {images} images: float {float}{integer}{encrypted}")
}

/// The model of that name or path.
pub fn find(name: &str, folder: &Path) -> Result<Model> {
    let shipped = all_model_paths(folder);
    let named = shipped.iter().find(|path| model_name(path) == name);
    let path = named.cloned().unwrap_or_else(|| PathBuf::from(name));
    if !path.exists() {
        let known: Vec<String> = shipped.iter().map(|path| model_name(path)).collect();
        let known = if known.is_empty() {
            "none yet, `cryptodl train` makes one".to_string()
        } else {
            known.join(", ")
        };
        bail!(
            "there is no trained network `{name}`: give the path of a file, or a name in `{}` ({known})",
            folder.display()
        );
    }
    Model::load(&path)
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
