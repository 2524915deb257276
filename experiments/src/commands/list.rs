//! `cryptodl list`: what there is to choose from.

use crate::model::{all_model_paths, model_name};
use crate::{plots, sweep};
use anyhow::{Result, bail};
use clap::Args;
use cryptodl_network::{Artifact, zoo};
use cryptodl_train::datasets;
use std::path::{Path, PathBuf};

/// Flags of `list`.
#[derive(Args, Debug)]
#[command(
    after_long_help = "Example: the fit methods, and everything\n  cryptodl list methods\n  cryptodl list"
)]
pub struct Arguments {
    /// Only this: methods, activations, networks, datasets, schemes, sweeps, figures or models.
    what: Option<String>,
    /// Folder of the models.
    #[arg(long, value_name = "DIR", default_value = "results/models")]
    model_dir: PathBuf,
}

/// A heading and its entries, name and summary.
type Section = (&'static str, Vec<(String, String)>);

/// Runs the verb.
pub fn run(arguments: &Arguments) -> Result<()> {
    let sections = sections(&arguments.model_dir);
    if let Some(what) = &arguments.what
        && !sections.iter().any(|(name, _)| name == what)
    {
        let known: Vec<&str> = sections.iter().map(|(name, _)| *name).collect();
        bail!(
            "there is no list `{what}`: the known ones are {}",
            known.join(", ")
        );
    }
    for (name, entries) in sections {
        if arguments.what.as_deref().is_some_and(|what| what != name) {
            continue;
        }
        println!("{name}");
        let width = entries
            .iter()
            .map(|(entry, _)| entry.chars().count())
            .max()
            .unwrap_or(0);
        for (entry, summary) in entries {
            println!("  {entry:<width$}  {summary}");
        }
    }
    Ok(())
}

fn sections(models: &Path) -> Vec<Section> {
    let pairs = |entries: Vec<(&str, &str)>| {
        entries
            .into_iter()
            .map(|(name, summary)| (name.to_string(), summary.to_string()))
            .collect()
    };
    let methods = approx::methods();
    let functions = approx::functions();
    vec![
        (
            "methods",
            pairs(
                methods
                    .iter()
                    .map(|method| (method.name(), method.summary()))
                    .collect(),
            ),
        ),
        (
            "activations",
            pairs(
                functions
                    .iter()
                    .map(|function| (function.name(), trained(function.name())))
                    .collect(),
            ),
        ),
        ("networks", networks()),
        (
            "datasets",
            pairs(
                datasets::datasets()
                    .iter()
                    .map(|set| (set.name, set.summary))
                    .collect(),
            ),
        ),
        (
            "schemes",
            pairs(
                cryptodl_he_eval::schemes()
                    .iter()
                    .map(|scheme| (scheme.name(), scheme.description()))
                    .collect(),
            ),
        ),
        (
            "sweeps",
            sweep::sweeps()
                .iter()
                .map(|(name, _)| {
                    (
                        (*name).to_string(),
                        sweep::load(name).map_or_else(
                            |error| format!("{error:#}"),
                            |(_, sweep, _)| sweep.summary,
                        ),
                    )
                })
                .collect(),
        ),
        (
            "figures",
            pairs(
                plots::figures()
                    .iter()
                    .map(|kind| (kind.name, kind.summary))
                    .collect(),
            ),
        ),
        ("models", shipped(models)),
    ]
}

/// Networks are trained with some of the functions; the others can be fitted.
fn trained(function: &str) -> &'static str {
    if approx::activations()
        .iter()
        .any(|activation| activation.name() == function)
    {
        "fit and train"
    } else {
        "fit"
    }
}

/// Networks with what encrypted evaluation of them costs.
fn networks() -> Vec<(String, String)> {
    let describe = |(name, summary): (&str, &str)| {
        let Ok(network) = zoo::network(name) else {
            return (name.to_string(), summary.to_string());
        };
        let summary = format!(
            "{summary}; {} parameters, {} multiply-accumulates, {} activation outputs, depth {} with quadratics",
            short(network.parameters().unwrap_or(0)),
            short(network.multiply_accumulates()),
            network.activation_outputs(),
            network.depth()
        );
        (name.to_string(), summary)
    };
    zoo::networks().into_iter().map(describe).collect()
}

/// A count in thousands or millions.
fn short(count: usize) -> String {
    match count {
        0..10_000 => count.to_string(),
        10_000..10_000_000 => format!("{} k", (count + 500) / 1_000),
        _ => format!("{} M", (count + 500_000) / 1_000_000),
    }
}

fn shipped(folder: &Path) -> Vec<(String, String)> {
    let paths = all_model_paths(folder);
    let describe = |path: &PathBuf| {
        let summary = match Artifact::load(path) {
            Err(error) => error.to_string(),
            Ok(Artifact {
                network,
                provenance: made,
                ..
            }) => {
                let stand_in = if made.method.is_empty() {
                    "itself".to_string()
                } else {
                    format!("{} of degree {}", made.method, made.degree)
                };
                format!(
                    "{} on {}, {} by {stand_in}, {:.2} % of test images: {}",
                    network.name,
                    made.dataset,
                    made.activation,
                    100.0 * made.test_accuracy,
                    made.command
                )
            }
        };
        (model_name(path), summary)
    };
    paths.iter().map(describe).collect()
}
