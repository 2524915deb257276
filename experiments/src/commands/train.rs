//! `cryptodl train`: one network, retrained with polynomials in place of its activations.

use crate::flags::{DataFlags, RunFlags};
use crate::manifest::Settings;
use crate::records::Record;
use crate::rows::TrainRow;
use crate::run_folder::RunFolder;
use crate::source::Source;
use crate::text::percent;
use crate::training::{EXACT, STARTED, StandIn, TrainPoint, recipe_from};
use anyhow::{Context, Result, bail};
use approx::{Activation, Interval};
use clap::Args;
use cryptodl_network::Artifact;
use cryptodl_train::{TrainError, datasets};
use std::path::PathBuf;

/// Flags of `train`.
#[derive(Args, Debug)]
#[command(
    after_long_help = "Example: the CryptoNets network with quadratics, three epochs, kept in results/train/models\n  \
    cryptodl train --network cryptonets --method chebyshev --degree 2 --interval=-4:4 --epochs 3"
)]
pub struct Arguments {
    /// Network to train, one of `cryptodl list networks`.
    #[arg(long, short, value_name = "NAME", default_value = "cryptonets")]
    network: String,
    /// Data set to train on.
    #[arg(long, default_value = "mnist")]
    dataset: String,
    /// Activation that the polynomials stand in for.
    #[arg(long, short, value_name = "NAME", default_value = "relu")]
    activation: Activation,
    /// Method that fits the polynomial, `exact` to keep the activation itself, or `start` to take the polynomials of the
    /// network that `--set start=FILE` names.
    #[arg(long, short, value_name = "NAME", default_value = "chebyshev")]
    method: String,
    /// Degree of the polynomial.
    #[arg(long, short, default_value_t = 2)]
    degree: usize,
    /// Interval of the fit; write the equals sign, since the value begins with a minus.
    #[arg(
        long,
        short,
        value_name = "LOW:HIGH",
        default_value = "-4:4",
        allow_hyphen_values = true
    )]
    interval: Interval,
    /// Let training change the coefficients of the polynomials.
    #[arg(long)]
    learnable: bool,
    /// Seed of every random choice [default: the recipe's].
    #[arg(long)]
    seed: Option<u64>,
    /// Passes over the training images [default: the recipe's].
    #[arg(long)]
    epochs: Option<usize>,
    /// TOML file with knobs of the recipe; the rest keep their defaults.
    #[arg(long, value_name = "FILE")]
    recipe: Option<PathBuf>,
    /// One knob of the recipe; may be given again.
    #[arg(long, value_name = "KNOB=VALUE")]
    set: Vec<String>,
    /// Where to keep the trained network [default: RESULTS/RUN_ID/models/INPUTS.safetensors].
    #[arg(long, value_name = "FILE")]
    save: Option<PathBuf>,
    #[command(flatten)]
    data: DataFlags,
    #[command(flatten)]
    run: RunFlags,
}

/// Runs the verb.
pub fn run(arguments: &Arguments) -> Result<()> {
    let mut recipe = recipe_from(arguments.recipe.as_deref(), &arguments.set)?;
    recipe.seed = arguments.seed.unwrap_or(recipe.seed);
    recipe.epochs = arguments.epochs.unwrap_or(recipe.epochs);
    let mut stand_in = StandIn {
        activation: arguments.activation,
        method: arguments.method.clone(),
        degree: arguments.degree,
        on: arguments.interval,
        learnable: arguments.learnable,
    };
    if arguments.method == STARTED && arguments.learnable {
        bail!(
            "`--learnable` is about polynomials that are fitted here, and `{STARTED}` takes those of a network: \
             refit that with `--learnable`, or set `coefficients=layer`"
        );
    }
    if let (STARTED, Some(path)) = (arguments.method.as_str(), &recipe.start) {
        let provenance = Artifact::load(path)?.provenance;
        stand_in.activation = provenance.activation.parse()?;
        stand_in.degree = provenance.degree;
        stand_in.on = Interval::new(provenance.low, provenance.high)?;
    }
    let point = TrainPoint {
        network: arguments.network.clone(),
        dataset: arguments.dataset.clone(),
        stand_in,
        recipe,
        variant: String::new(),
        give_up: None,
    };
    // names are checked before anything is made
    point.network().map_err(known_methods)?;
    datasets::specification(&point.dataset)?;
    point.recipe.check().map_err(TrainError::Recipe)?;
    let recipe = serde_json::to_value(&point.recipe).context("cannot note the recipe")?;
    // the key of a row holds seed and epochs, not the other knobs: those may not change within a run
    let mut others = recipe;
    if let Some(knobs) = others.as_object_mut() {
        knobs.remove("seed");
        knobs.remove("epochs");
        knobs.insert("learnable".to_string(), arguments.learnable.into());
    }
    let settings = Settings::from([(format!("recipe of {}", point.network), others)]);
    let mut run = RunFolder::open(&arguments.run, "train", Some(point.recipe.seed), settings)?;
    let mut table = run.table::<TrainRow>()?;
    let StandIn {
        activation,
        method,
        degree,
        on,
        ..
    } = &point.stand_in;
    // everything that the key of a row holds, so that no training overwrites another
    let stand_in = if method == EXACT {
        EXACT.to_string()
    } else {
        format!("{method}-{degree}-{}to{}", on.low(), on.high())
    };
    let name = format!(
        "{}-{}-{activation}-{stand_in}-seed{}-epochs{}",
        point.network, point.dataset, point.recipe.seed, point.recipe.epochs
    );
    let path = arguments.save.clone().unwrap_or_else(|| {
        run.path()
            .join("models")
            .join(format!("{name}.safetensors"))
    });
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("cannot make the folder `{}`", folder.display()))?;
    }
    point.record(
        &mut Source::new(&arguments.data),
        &mut run,
        &mut table,
        Some(&path),
        false,
    )?;
    let key = point.row(run.id()).key();
    if let Some(row) = table.rows().iter().find(|row| row.key() == key) {
        println!("{key}");
        println!(
            "  train {}, validation {}, test {}",
            percent(row.train_accuracy),
            percent(row.validation_accuracy),
            percent(row.test_accuracy)
        );
        println!("  kept in `{}`", path.display());
    }
    run.end()
}

/// `exact` is a method here.
fn known_methods(error: anyhow::Error) -> anyhow::Error {
    match error.downcast_ref::<approx::FitError>() {
        Some(approx::FitError::UnknownMethod { .. }) => {
            anyhow::anyhow!(
                "{error}, and `{EXACT}`, which keeps the activation, and `{STARTED}`, which takes those of `start`"
            )
        }
        _ => error,
    }
}
