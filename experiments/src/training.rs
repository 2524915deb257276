//! One training: a point of the grid in, an artifact and a row out.

use crate::epochs::Journal;
use crate::manifest;
use crate::progress;
use crate::records::{Record, Table};
use crate::rows::TrainRow;
use crate::run_folder::RunFolder;
use crate::source::Source;
use anyhow::{Context, Result, bail};
use approx::{Activation, Interval};
use cryptodl_network::{Artifact, Network, Nonlinearity, Provenance, zoo};
use cryptodl_train::{EpochReport, Observer, Progress, Recipe, datasets, train};
use indicatif::ProgressBar;
use serde::Deserialize;
use std::fs;
use std::path::Path;

/// In place of a method: the activation stays as it is, for comparison.
pub const EXACT: &str = "exact";

/// In place of a method: the activations of the network that the recipe's `start` names, each layer its own.
pub const STARTED: &str = "start";

/// What stands in the network's activations.
#[derive(Clone, Debug, PartialEq)]
pub struct StandIn {
    pub activation: Activation,
    /// A fit method, [`EXACT`] or [`STARTED`].
    pub method: String,
    pub degree: usize,
    pub on: Interval,
    /// Whether training may change the coefficients.
    pub learnable: bool,
}

/// The inputs of a training.
#[derive(Clone, Debug, PartialEq)]
pub struct TrainPoint {
    pub network: String,
    pub dataset: String,
    pub stand_in: StandIn,
    pub recipe: Recipe,
    /// Name of what a sweep changed in the recipe; empty if nothing.
    pub variant: String,
    /// When to give it up.
    pub give_up: Option<GiveUp>,
}

/// When a training is hopeless.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GiveUp {
    /// It is looked at after so many epochs, and after each one from there on.
    pub after_epochs: usize,
    /// It ends if the share of validation images that are classified right is below this.
    pub below: f64,
}

impl GiveUp {
    fn now(self, epochs: usize, validation_accuracy: f64) -> bool {
        epochs >= self.after_epochs && validation_accuracy < self.below
    }
}

impl StandIn {
    /// The layer function; fits the polynomial.
    pub fn nonlinearity(&self) -> Result<Nonlinearity> {
        if self.method == EXACT {
            return Ok(Nonlinearity::Exact(self.activation));
        }
        let polynomial =
            approx::method(&self.method)?.fit(&self.activation, self.on, self.degree)?;
        Ok(Nonlinearity::Polynomial {
            polynomial,
            learnable: self.learnable,
        })
    }
}

impl TrainPoint {
    /// What made an artifact, to be made again.
    pub fn of(artifact: &Artifact) -> Result<Self> {
        let Provenance {
            dataset,
            activation,
            method,
            degree,
            low,
            high,
            recipe,
            ..
        } = &artifact.provenance;
        let used = artifact.network.activations();
        let learnable = used.iter().any(|used| {
            matches!(
                used,
                Nonlinearity::Polynomial {
                    learnable: true,
                    ..
                }
            )
        });
        let exact = method.is_empty() || method == EXACT;
        Ok(Self {
            network: artifact.network.name.clone(),
            dataset: dataset.clone(),
            stand_in: StandIn {
                activation: activation.parse()?,
                method: if exact {
                    EXACT.to_string()
                } else {
                    method.clone()
                },
                degree: *degree,
                // an exact activation has no interval; the row says 0 and 0 whatever stands here
                on: if exact {
                    Interval::new(-1.0, 1.0)?
                } else {
                    Interval::new(*low, *high)?
                },
                learnable,
            },
            recipe: serde_json::from_value(recipe.clone()).context("its recipe cannot be read")?,
            variant: String::new(),
            give_up: None,
        })
    }

    /// A row with this point's inputs and nothing measured.
    pub fn row(&self, run_id: &str) -> TrainRow {
        let StandIn {
            activation,
            method,
            degree,
            on,
            ..
        } = &self.stand_in;
        let exact = method == EXACT;
        TrainRow {
            run_id: run_id.to_string(),
            network: self.network.clone(),
            dataset: self.dataset.clone(),
            activation: activation.name().to_string(),
            method: method.clone(),
            degree: if exact { 0 } else { *degree },
            low: if exact { 0.0 } else { on.low() },
            high: if exact { 0.0 } else { on.high() },
            seed: self.recipe.seed,
            epochs: self.recipe.epochs,
            variant: self.variant.clone(),
            stopped_after: None,
            parameters: None,
            train_accuracy: None,
            validation_accuracy: None,
            test_accuracy: None,
            train_s: None,
            error: None,
        }
    }

    /// The network with the stand-in in place, for the brightness of its data set.
    pub fn network(&self) -> Result<Network> {
        let mut network = if self.stand_in.method == STARTED {
            self.started()?
        } else {
            zoo::network(&self.network)?.with_activation(&self.stand_in.nonlinearity()?)
        };
        let normalisation = datasets::specification(&self.dataset)?.normalisation();
        // images of another kind are refused by training, which names both shapes
        if normalisation.mean.len() == network.input.channels {
            network.normalisation = normalisation;
        }
        Ok(network)
    }

    /// The network of the artifact to start from, its activations included.
    fn started(&self) -> Result<Network> {
        let Some(path) = &self.recipe.start else {
            bail!(
                "the method `{STARTED}` takes the polynomials of a trained network: name it with `start` in the recipe"
            )
        };
        let network = Artifact::load(path)?.network;
        if network.name != self.network {
            bail!(
                "`{}` holds the network `{}`, not `{}`",
                path.display(),
                network.name,
                self.network
            );
        }
        Ok(network)
    }

    /// Trains, going on from the checkpoint if there is one.
    pub fn measure(
        &self,
        source: &mut Source,
        run: &mut RunFolder,
        checkpoint: &Path,
    ) -> Result<(TrainRow, Artifact)> {
        let network = self.network()?;
        let data = source.load(&self.dataset, run)?;
        let bar = progress::share_bar("training");
        let mut watch = Watch {
            bar: &bar,
            give_up: self.give_up,
            journal: Journal::new(run.table()?, self.row(run.id())),
        };
        let recipe = self.filled_recipe();
        let trained = train(&network, data, &recipe, Some(checkpoint), &mut watch);
        bar.finish_and_clear();
        let trained = trained?;
        watch.journal.end()?;
        let mut artifact = trained.artifact;
        artifact.provenance.activation = self.stand_in.activation.name().to_string();
        if self.stand_in.method != EXACT {
            artifact.provenance.method.clone_from(&self.stand_in.method);
            // the degree that was asked for: the same fit gives the same network again
            artifact.provenance.degree = self.stand_in.degree;
        }
        artifact.provenance.command = manifest::command_line().join(" ");
        artifact.provenance.commit = run.manifest.session().commit.clone().unwrap_or_default();
        artifact.provenance.created = manifest::now();
        let row = TrainRow {
            stopped_after: (trained.epochs < self.recipe.epochs).then_some(trained.epochs),
            parameters: Some(network.parameters()?),
            train_accuracy: Some(trained.train_accuracy),
            validation_accuracy: Some(trained.validation_accuracy),
            test_accuracy: Some(trained.test_accuracy),
            train_s: Some(trained.train_s),
            ..self.row(run.id())
        };
        Ok((row, artifact))
    }

    /// The recipe, with the activation that polynomials replace gradually.
    fn filled_recipe(&self) -> Recipe {
        let mut recipe = self.recipe.clone();
        if recipe.polynomials.replacement > 0.0 || recipe.polynomials.hermite {
            recipe
                .polynomials
                .replaced
                .get_or_insert(self.stand_in.activation);
        }
        recipe
    }

    /// Trains unless the table has the row, keeps the artifact at `save`, adds the row. Its error becomes a row if `keep_errors`.
    pub fn record(
        &self,
        source: &mut Source,
        run: &mut RunFolder,
        table: &mut Table<TrainRow>,
        save: Option<&Path>,
        keep_errors: bool,
    ) -> Result<()> {
        let key = self.row(run.id()).key();
        if table.contains(&key) && save.is_none_or(Path::exists) {
            return Ok(());
        }
        let folder = run.path().join("checkpoints");
        fs::create_dir_all(&folder)
            .with_context(|| format!("cannot make the folder `{}`", folder.display()))?;
        let checkpoint = folder.join(format!(
            "{}.safetensors",
            &manifest::sha256(key.as_bytes())[..16]
        ));
        let row = match self.measure(source, run, &checkpoint) {
            Ok((row, artifact)) => {
                // the artifact first: a row says that everything of its run is there
                if let Some(path) = save {
                    artifact.save(path)?;
                }
                row
            }
            Err(error) if keep_errors => TrainRow {
                error: Some(format!("{error:#}")),
                ..self.row(run.id())
            },
            Err(error) => return Err(error),
        };
        // a row without its artifact was trained again for the artifact alone
        if !table.contains(&key) {
            table.append(row)?;
        }
        if checkpoint.exists() {
            fs::remove_file(&checkpoint)
                .with_context(|| format!("cannot remove `{}`", checkpoint.display()))?;
            // goes only when it is empty
            let _ = fs::remove_dir(&folder);
        }
        Ok(())
    }
}

/// The recipe of a file, `key = value` pairs on top.
pub fn recipe_from(file: Option<&Path>, pairs: &[String]) -> Result<Recipe> {
    let mut knobs = match file {
        None => toml::Table::new(),
        Some(path) => {
            let text = fs::read_to_string(path)
                .with_context(|| format!("cannot read the recipe `{}`", path.display()))?;
            text.parse::<toml::Table>()
                .with_context(|| format!("the recipe `{}` is not TOML", path.display()))?
        }
    };
    for pair in pairs {
        let Some((key, value)) = pair.split_once('=') else {
            bail!("`{pair}` is not a knob of the recipe: write `knob=value`")
        };
        let value = value.trim();
        // numbers as they are, everything else as text
        let line = format!("value = {value}")
            .parse::<toml::Table>()
            .or_else(|_| format!("value = \"{value}\"").parse());
        let mut line = line.with_context(|| format!("`{pair}` has a value that cannot be read"))?;
        knobs.insert(
            key.trim().to_string(),
            line.remove("value").unwrap_or(toml::Value::Boolean(false)),
        );
    }
    knobs.try_into().context("the recipe cannot be read")
}

/// Shows training on a bar, writes down each epoch, and ends a hopeless training.
struct Watch<'a> {
    bar: &'a ProgressBar,
    give_up: Option<GiveUp>,
    journal: Journal,
}

impl Observer for Watch<'_> {
    fn stops(&mut self, epochs: usize, validation_accuracy: f64) -> bool {
        self.give_up
            .is_some_and(|give_up| give_up.now(epochs, validation_accuracy))
    }

    fn step(&mut self, at: &Progress) {
        let done = (at.epoch - 1) as f64 + at.step as f64 / at.steps as f64;
        progress::set_share(self.bar, done / at.epochs as f64);
        self.bar.set_message(format!(
            "epoch {}/{}, loss {:.3}, {:.0} images/s",
            at.epoch, at.epochs, at.loss, at.images_per_s
        ));
    }

    fn epoch(&mut self, report: &EpochReport) {
        self.journal.note(report);
        let EpochReport {
            epoch,
            epochs,
            loss,
            validation_accuracy,
            epoch_s,
            ..
        } = report;
        let percent = 100.0 * validation_accuracy;
        progress::say(
            self.bar,
            &format!(
                "epoch {epoch}/{epochs}: loss {loss:.4}, validation {percent:.2} %, {epoch_s:.1} s"
            ),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recipe_comes_from_pairs_and_names_what_it_does_not_know() {
        let recipe = recipe_from(
            None,
            &[
                "epochs=3".to_string(),
                "optimiser = adamw".to_string(),
                "scale=0.5".to_string(),
            ],
        )
        .unwrap();
        assert_eq!((recipe.epochs, recipe.augmentation.scale), (3, 0.5));
        assert_eq!(
            recipe.optimisation.optimiser,
            cryptodl_train::Optimiser::AdamW
        );
        let message = format!(
            "{:#}",
            recipe_from(None, &["epoch=3".to_string()]).unwrap_err()
        );
        assert!(
            message.contains("`epoch`") && message.contains("`epochs`"),
            "{message}"
        );
        assert!(recipe_from(None, &["epochs".to_string()]).is_err());
    }

    #[test]
    fn a_network_reads_the_brightness_of_its_data_set() {
        let point = |network: &str, dataset: &str| TrainPoint {
            network: network.to_string(),
            dataset: dataset.to_string(),
            stand_in: StandIn {
                activation: Activation::Relu,
                method: EXACT.to_string(),
                degree: 0,
                on: Interval::new(-1.0, 1.0).unwrap(),
                learnable: false,
            },
            recipe: Recipe::default(),
            variant: String::new(),
            give_up: None,
        };
        let means = |network, dataset| {
            point(network, dataset)
                .network()
                .unwrap()
                .normalisation
                .mean
        };
        // nothing changes for the data set that a network was made for
        for (network, dataset) in [("lenet", "mnist"), ("plain", "cifar10")] {
            let made = zoo::network(network).unwrap().normalisation.mean;
            assert_eq!(means(network, dataset), made);
        }
        assert_eq!(means("lenet", "fashion-mnist"), [0.286_04]);
        assert_eq!(means("lenet", "cifar10"), [0.130_66]);
        assert!(point("lenet", "cifar-11").network().is_err());
    }

    #[test]
    fn an_artifact_says_how_to_make_it_again() {
        let stand_in = StandIn {
            activation: Activation::Sigmoid,
            method: "legendre".to_string(),
            degree: 3,
            on: Interval::new(-4.0, 4.0).unwrap(),
            learnable: true,
        };
        let recipe = Recipe {
            epochs: 2,
            seed: 9,
            ..Recipe::default()
        };
        let point = TrainPoint {
            network: "cryptonets".to_string(),
            dataset: "mnist".to_string(),
            stand_in,
            recipe,
            variant: String::new(),
            give_up: None,
        };
        let provenance = Provenance {
            dataset: "mnist".to_string(),
            activation: "sigmoid".to_string(),
            method: "legendre".to_string(),
            degree: 3,
            low: -4.0,
            high: 4.0,
            recipe: serde_json::to_value(&point.recipe).unwrap(),
            ..Provenance::default()
        };
        let artifact = Artifact {
            network: point.network().unwrap(),
            tensors: std::collections::BTreeMap::new(),
            provenance,
        };
        assert_eq!(TrainPoint::of(&artifact).unwrap(), point);
    }

    #[test]
    fn a_hopeless_training_is_given_up_from_its_epoch_on() {
        let give_up = GiveUp {
            after_epochs: 2,
            below: 0.5,
        };
        assert!(!give_up.now(1, 0.1) && give_up.now(2, 0.1) && give_up.now(3, 0.49));
        assert!(!give_up.now(2, 0.5));
    }
}
