//! Sweeps as data: a grid and a recipe in a TOML file, one training a point.

use crate::distinct::unique;
use crate::training::{EXACT, GiveUp, StandIn, TrainPoint};
use anyhow::{Context, Result, bail};
use approx::{Activation, Interval};
use cryptodl_train::{Recipe, Targets, datasets};
use serde::Deserialize;
use std::path::{Path, PathBuf};

/// The sweeps that the program carries, by name: the only place that knows all of them.
pub fn sweeps() -> &'static [(&'static str, &'static str)] {
    &[
        ("degree", include_str!("../sweeps/degree.toml")),
        ("methods", include_str!("../sweeps/methods.toml")),
        ("mnist", include_str!("../sweeps/mnist.toml")),
        ("smooth", include_str!("../sweeps/smooth.toml")),
        ("tanh", include_str!("../sweeps/tanh.toml")),
        ("fashion", include_str!("../sweeps/fashion.toml")),
        ("aids", include_str!("../sweeps/aids.toml")),
        ("photographs", include_str!("../sweeps/photographs.toml")),
    ]
}

/// A sweep file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sweep {
    /// One line: what it varies.
    pub summary: String,
    /// Data set of every point.
    pub dataset: String,
    /// Whether training may change the coefficients.
    #[serde(default)]
    pub learnable: bool,
    /// What is varied.
    pub grid: Grid,
    /// Knobs of the recipe that differ from the default.
    #[serde(default)]
    pub recipe: toml::Table,
    /// Every point is trained once for each of these; without any, once as it is.
    #[serde(default)]
    pub variants: Vec<Variant>,
    /// When to give a point up, e.g. `give_up = { after_epochs = 2, below = 0.2 }`. Its row stays, with the accuracies it
    /// had come to and the number of epochs in the column `stopped_after`.
    pub give_up: Option<GiveUp>,
}

/// A change of the recipe with a name.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Variant {
    /// Its name in the column `variant`.
    pub name: String,
    /// Knobs that differ from the recipe of the sweep.
    pub recipe: toml::Table,
    /// In place of the methods of the grid, e.g. `exact`.
    pub method: Option<String>,
    /// A variant further up in the file; training begins from what it trained with the same seed.
    pub start: Option<String>,
    /// A variant further up in the file, as the teacher.
    pub teacher: Option<String>,
}

/// Every combination of these is a point.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Grid {
    pub networks: Vec<String>,
    pub activations: Vec<Activation>,
    /// Fit methods, and `exact` for the activation itself.
    pub methods: Vec<String>,
    pub degrees: Vec<usize>,
    /// As on the command line, `-4:4`.
    pub intervals: Vec<String>,
    pub seeds: Vec<u64>,
}

/// Reads a sweep by its name, or from a file.
pub fn load(name: &str) -> Result<(String, Sweep, String)> {
    if let Some((name, text)) = sweeps().iter().find(|(known, _)| *known == name) {
        return Ok(((*name).to_string(), parse(name, text)?, (*text).to_string()));
    }
    let path = Path::new(name);
    if !path.exists() {
        let known: Vec<&str> = sweeps().iter().map(|(known, _)| *known).collect();
        bail!(
            "there is no sweep `{name}`: name a file, or one of {}",
            known.join(", ")
        );
    }
    let text =
        std::fs::read_to_string(path).with_context(|| format!("cannot read the sweep `{name}`"))?;
    let stem = path
        .file_stem()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    Ok((stem, parse(name, &text)?, text))
}

/// Where the network of a variant is kept, below the folder of the run.
fn kept(variant: &str, network: &str, seed: u64) -> PathBuf {
    PathBuf::from(format!("models/{variant}-{network}-seed{seed}.safetensors"))
}

fn parse(name: &str, text: &str) -> Result<Sweep> {
    let sweep: Sweep =
        toml::from_str(text).with_context(|| format!("the sweep `{name}` cannot be read"))?;
    datasets::specification(&sweep.dataset).with_context(|| format!("the sweep `{name}`"))?;
    if sweep.points()?.is_empty() {
        bail!("the sweep `{name}` has no points: give every list of `[grid]` at least one entry");
    }
    Ok(sweep)
}

impl Sweep {
    /// The recipe of a variant, without paths of other networks.
    fn recipe(&self, variant: &Variant) -> Result<Recipe> {
        let mut knobs = self.recipe.clone();
        knobs.extend(variant.recipe.clone());
        knobs.try_into().with_context(|| {
            if variant.name.is_empty() {
                "the recipe cannot be read".to_string()
            } else {
                format!(
                    "the recipe of the variant `{}` cannot be read",
                    variant.name
                )
            }
        })
    }

    /// The variants, or the one that changes nothing. Each may only build on those above it.
    fn variants(&self) -> Result<Vec<Variant>> {
        if self.variants.is_empty() {
            return Ok(vec![Variant::default()]);
        }
        for (index, variant) in self.variants.iter().enumerate() {
            let above = &self.variants[..index];
            if above.iter().any(|other| other.name == variant.name) {
                bail!("there are two variants `{}`", variant.name);
            }
            for base in variant.start.iter().chain(&variant.teacher) {
                if !above.iter().any(|other| other.name == *base) {
                    bail!(
                        "the variant `{}` builds on `{base}`, which is not above it",
                        variant.name
                    );
                }
            }
        }
        Ok(self.variants.clone())
    }

    /// Where the network of a point is to be kept, below the folder of the run, if another variant builds on it.
    pub fn kept(&self, point: &TrainPoint) -> Option<PathBuf> {
        let variants = self.variants.iter();
        variants
            .flat_map(|variant| variant.start.iter().chain(&variant.teacher))
            .any(|base| *base == point.variant)
            .then(|| kept(&point.variant, &point.network, point.recipe.seed))
    }

    /// Every point, seeds outermost. An exact activation has one point whatever the degrees and intervals.
    pub fn points(&self) -> Result<Vec<TrainPoint>> {
        let intervals: Vec<Interval> = self
            .grid
            .intervals
            .iter()
            .map(|text| text.parse::<Interval>())
            .collect::<Result<_, _>>()?;
        let mut points: Vec<TrainPoint> = Vec::new();
        let variants = self.variants()?;
        let runs = self
            .grid
            .seeds
            .iter()
            .flat_map(|seed| variants.iter().map(move |v| (*seed, v)));
        for (seed, variant) in runs {
            let recipe = self.recipe(variant)?;
            let methods = variant.method.as_ref().map(std::slice::from_ref);
            for network in &self.grid.networks {
                let base = |name: &Option<String>| Some(kept(name.as_ref()?, network, seed));
                for &activation in &self.grid.activations {
                    for method in methods.unwrap_or(&self.grid.methods) {
                        let shapes = self
                            .grid
                            .degrees
                            .iter()
                            .flat_map(|degree| intervals.iter().map(move |on| (*degree, *on)));
                        let count = if method == EXACT { 1 } else { usize::MAX };
                        points.extend(shapes.take(count).map(|(degree, on)| TrainPoint {
                            network: network.clone(),
                            dataset: self.dataset.clone(),
                            stand_in: StandIn {
                                activation,
                                method: method.clone(),
                                degree,
                                on,
                                learnable: self.learnable,
                            },
                            recipe: Recipe {
                                seed,
                                start: base(&variant.start),
                                targets: Targets {
                                    teacher:
                                        base(&variant.teacher).or(recipe.targets.teacher.clone()),
                                    ..recipe.targets.clone()
                                },
                                ..recipe.clone()
                            },
                            variant: variant.name.clone(),
                            give_up: self.give_up,
                        }));
                    }
                }
            }
        }
        Ok(unique(points))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_embedded_sweep_is_sound() {
        for (name, text) in sweeps() {
            let points = parse(name, text).unwrap().points().unwrap();
            for point in points {
                point
                    .network()
                    .unwrap_or_else(|error| panic!("{name}: {error:#}"));
            }
        }
        let (_, degree, _) = load("degree").unwrap();
        assert_eq!(degree.points().unwrap().len(), (7 * 3 + 1) * 3);
    }

    #[test]
    fn a_sweep_file_is_checked_and_exact_points_are_not_repeated() {
        let text = "summary = 's'\ndataset = 'mnist'\n[grid]\nnetworks = ['cryptonets']\nactivations = ['relu']\n\
                    methods = ['exact', 'legendre']\ndegrees = [2, 3]\nintervals = ['-4:4', '-8:8']\nseeds = [1, 2]\n[recipe]\nepochs = 2\n";
        let sweep = parse("s", text).unwrap();
        assert_eq!(sweep.points().unwrap().len(), 2 * (1 + 4));
        assert_eq!(sweep.points().unwrap()[0].recipe.epochs, 2);
        let typo = text.replace("epochs", "epoch");
        assert!(format!("{:#}", parse("s", &typo).unwrap_err()).contains("`epoch`"));
        let upside_down = text.replace("-4:4", "4:-4");
        assert!(format!("{:#}", parse("s", &upside_down).unwrap_err()).contains("upside down"));
        let empty = text.replace("seeds = [1, 2]", "seeds = []");
        assert!(format!("{:#}", parse("s", &empty).unwrap_err()).contains("no points"));
        assert!(format!("{:#}", load("nope").unwrap_err()).contains("degree"));
    }

    #[test]
    fn variants_change_the_recipe_and_build_on_those_above() {
        let text = "summary = 's'\ndataset = 'mnist'\ngive_up = { after_epochs = 1, below = 0.2 }\n[grid]\nnetworks = ['cryptonets']\n\
                    activations = ['relu']\nmethods = ['legendre']\ndegrees = [2]\nintervals = ['-4:4']\nseeds = [1, 2]\n[recipe]\nepochs = 2\n\
                    [[variants]]\nname = 'relu'\nmethod = 'exact'\n[[variants]]\nname = 'tuned'\nstart = 'relu'\nrecipe = { schedule = 'cosine' }\n";
        let sweep = parse("s", text).unwrap();
        let points = sweep.points().unwrap();
        assert_eq!(points.len(), 4);
        assert_eq!(
            (
                points[0].stand_in.method.as_str(),
                points[0].recipe.start.as_ref()
            ),
            (EXACT, None)
        );
        let tuned = &points[1];
        assert_eq!(tuned.recipe.start, sweep.kept(&points[0]));
        assert_eq!(sweep.kept(tuned), None);
        assert_eq!(
            (tuned.recipe.epochs, tuned.recipe.optimisation.schedule),
            (2, cryptodl_train::Schedule::Cosine)
        );
        assert_eq!(tuned.give_up.unwrap().after_epochs, 1);
        let swapped = text.replace("start = 'relu'", "start = 'gelu'");
        assert!(format!("{:#}", parse("s", &swapped).unwrap_err()).contains("not above it"));
        let typo = text.replace("schedule", "shedule");
        assert!(format!("{:#}", parse("s", &typo).unwrap_err()).contains("`shedule`"));
    }
}
