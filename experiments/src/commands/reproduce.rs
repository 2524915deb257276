//! `cryptodl reproduce`, the main job: fit everything, draw it, evaluate the shipped networks in the clear and encrypted,
//! compare with the paper.
//!
//! 1. Fit every method × activation × degree on a few intervals: `fit.csv`.
//! 2. With `--retrain`, train each shipped network again from its own provenance: `train.csv`, `models/`.
//! 3. Evaluate each network under every scheme, the plan printed before: `encrypted.csv`, `measurements/`.
//! 4. Draw the figures and write the report.
//!
//! Each row is on disk before the next is measured, so that the same command goes on after any interruption.

use crate::evaluation::{EvaluationFlags, line};
use crate::fitting;
use crate::flags::{DataFlags, RunFlags};
use crate::model::{Model, check_dataset, models_in};
use crate::records::{Record, Table};
use crate::report;
use crate::rows::{EncryptedRow, FitRow, TrainRow};
use crate::run_folder::RunFolder;
use crate::schemes::SINGLE_IMAGES;
use crate::source::Source;
use crate::training::TrainPoint;
use anyhow::{Context, Result, bail};
use approx::{Activation, Interval};
use clap::Args;
use cryptodl_he_eval::schemes;
use serde_json::json;
use std::fs;
use std::path::PathBuf;

/// What the paper puts polynomials in the place of.
const PAPER_ACTIVATIONS: [Activation; 3] =
    [Activation::Relu, Activation::Sigmoid, Activation::Tanh];
/// Half-widths of the intervals: the paper's scaled pixels, what batch norm leaves, and the paper's raw pixels.
const HALF_WIDTHS: [f64; 3] = [1.0, 4.0, 255.0];
/// Of `--quick`.
const QUICK_HALF_WIDTHS: [f64; 1] = [4.0];
/// Test images of `--quick`.
const QUICK_IMAGES: usize = 256;
const LAST_DEGREE: usize = 9;
const QUICK_LAST_DEGREE: usize = 4;

/// Flags of `reproduce`.
#[derive(Args, Debug)]
#[command(
    after_long_help = "Example: the whole job; then a trial of it on 64 images, kept apart\n  \
    cryptodl reproduce\n  cryptodl reproduce --run-id trial --quick --images 64\n\n\
    A run that was cut off goes on where it was: give the same command again."
)]
pub struct Arguments {
    /// Also train every shipped network again from nothing, and evaluate those too.
    #[arg(long)]
    pub retrain: bool,
    /// A trial: fits on one interval with degrees 1 to 4, and 256 test images unless `--images` says otherwise.
    #[arg(long)]
    pub quick: bool,
    /// Stop after the fits and their figures: needs no data and no trained network.
    #[arg(long)]
    pub fits_only: bool,
    /// Folder of the trained networks to evaluate.
    #[arg(long, value_name = "DIR", default_value = "results/models")]
    pub model_dir: PathBuf,
    #[command(flatten)]
    pub evaluation: EvaluationFlags,
    #[command(flatten)]
    pub data: DataFlags,
    #[command(flatten)]
    pub run: RunFlags,
}

/// Runs the verb.
pub fn run(arguments: &Arguments) -> Result<()> {
    let models = if arguments.fits_only {
        Vec::new()
    } else {
        models_in(&arguments.model_dir)?
    };
    models.iter().try_for_each(check_dataset)?;
    let mut evaluation = arguments.evaluation.clone();
    if arguments.quick {
        evaluation.images = evaluation.images.or(Some(QUICK_IMAGES));
    }
    let mut settings = evaluation.settings(&models);
    settings.insert("images".to_string(), json!(evaluation.images));
    settings.insert("quick".to_string(), json!(arguments.quick));
    let mut run = RunFolder::open(&arguments.run, "reproduce", None, settings)?;

    eprintln!("fitting every method to every activation");
    fit(arguments.quick, &run)?;
    let mut failures = Vec::new();
    if !arguments.fits_only {
        let mut source = Source::new(&arguments.data);
        let mut models = models;
        if arguments.retrain {
            let retrained = retrain(&models, &mut source, &mut run)?;
            models.extend(retrained);
        }
        failures = evaluate(&models, &evaluation, arguments.quick, &mut source, &mut run)?;
    }
    let folder = run.path().to_path_buf();
    run.end()?;
    let report = report::write(&folder)?;
    println!("report in `{}`", report.display());
    if !failures.is_empty() {
        bail!(
            "{} evaluations failed: {}",
            failures.len(),
            failures.join("; ")
        );
    }
    Ok(())
}

fn fit(quick: bool, run: &RunFolder) -> Result<()> {
    let (half_widths, last): (&[f64], usize) = if quick {
        (&QUICK_HALF_WIDTHS, QUICK_LAST_DEGREE)
    } else {
        (&HALF_WIDTHS, LAST_DEGREE)
    };
    let intervals: Vec<Interval> = half_widths
        .iter()
        .map(|l| Interval::new(-l, *l))
        .collect::<Result<_, _>>()?;
    let methods: Vec<String> = approx::methods()
        .iter()
        .map(|method| method.name().to_string())
        .collect();
    let degrees: Vec<usize> = (1..=last).collect();
    let activations = PAPER_ACTIVATIONS.map(|activation| activation.to_string());
    let points = fitting::grid(&activations, &methods, &degrees, &intervals);
    fitting::record(&points, run.id(), &mut run.table::<FitRow>()?)
}

fn retrain(models: &[Model], source: &mut Source, run: &mut RunFolder) -> Result<Vec<Model>> {
    let folder = run.path().join("models");
    fs::create_dir_all(&folder)
        .with_context(|| format!("cannot make the folder `{}`", folder.display()))?;
    let mut table = run.table::<TrainRow>()?;
    let mut retrained = Vec::new();
    for model in models {
        let point = TrainPoint::of(&model.artifact)
            .with_context(|| format!("model `{}` does not say how it was made", model.name))?;
        let path = folder.join(format!("{}-retrained.safetensors", model.name));
        eprintln!("training {} again from nothing", model.name);
        point.record(source, run, &mut table, Some(&path), false)?;
        retrained.push(Model::load(&path)?);
    }
    Ok(retrained)
}

/// Evaluates every model under every scheme and returns what failed.
fn evaluate(
    models: &[Model],
    evaluation: &EvaluationFlags,
    quick: bool,
    source: &mut Source,
    run: &mut RunFolder,
) -> Result<Vec<String>> {
    let folder = run.path().join("measurements");
    fs::create_dir_all(&folder)
        .with_context(|| format!("cannot make the folder `{}`", folder.display()))?;
    let mut table: Table<EncryptedRow> = run.table()?;
    for model in models {
        for scheme in schemes() {
            // what is no polynomial is a baseline, for the scheme that takes any function
            if scheme.accepts(&model.artifact.network).is_err() {
                continue;
            }
            let mut own = evaluation.clone();
            if scheme.takes_single_images() {
                // polynomials take minutes to hours for every image: for `encrypt` alone
                if scheme.only_by_name() {
                    continue;
                }
                own.images = Some(evaluation.images.map_or(SINGLE_IMAGES, |n| {
                    n.min(if quick { 1 } else { SINGLE_IMAGES })
                }));
            }
            let scheme = scheme.name();
            model.record(scheme, &own, source, run, &mut table, true)?;
            if let Some(row) = table
                .rows()
                .iter()
                .rev()
                .find(|row| row.model == model.name && row.scheme == scheme)
            {
                eprintln!("{}", line(row));
            }
        }
    }
    let failed = table
        .rows()
        .iter()
        .filter_map(|row| row.error().map(|error| format!("{}: {error}", row.key())));
    Ok(failed.collect())
}
