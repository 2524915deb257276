//! Sweeps as data: a grid and a recipe in a TOML file, one training a point.

use crate::commands::fit::unique;
use crate::training::{EXACT, StandIn, TrainPoint};
use anyhow::{Context, Result, bail};
use approx::{Activation, Interval};
use cryptodl_train::{Recipe, datasets};
use serde::Deserialize;
use std::path::Path;

/// The sweeps that the program carries, by name: the only place that knows all of them.
pub fn sweeps() -> &'static [(&'static str, &'static str)] {
    &[
        ("degree", include_str!("../sweeps/degree.toml")),
        ("methods", include_str!("../sweeps/methods.toml")),
        ("mnist", include_str!("../sweeps/mnist.toml")),
        ("smooth", include_str!("../sweeps/smooth.toml")),
        ("fashion", include_str!("../sweeps/fashion.toml")),
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
    pub recipe: Recipe,
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
    /// Every point, seeds outermost. An exact activation has one point whatever the degrees and intervals.
    pub fn points(&self) -> Result<Vec<TrainPoint>> {
        let intervals: Vec<Interval> = self
            .grid
            .intervals
            .iter()
            .map(|text| text.parse::<Interval>())
            .collect::<Result<_, _>>()?;
        let mut points: Vec<TrainPoint> = Vec::new();
        for &seed in &self.grid.seeds {
            for network in &self.grid.networks {
                for &activation in &self.grid.activations {
                    for method in &self.grid.methods {
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
                                ..self.recipe.clone()
                            },
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
}
