//! Polynomials fitted to what reaches each activation of a trained network.
//!
//! 1. Count the inputs of every activation layer over training images as they are.
//! 2. Per layer, the interval from one quantile to another, and a polynomial on it: by a method of `approx`, or by least
//!    squares weighted with the very counts.
//! 3. The weights stay. What comes out is something to fine-tune: `cryptodl train --method start --set start=FILE`.

use anyhow::{Context, Result, bail};
use approx::fit::Measured;
use approx::{Activation, Fit, Interval, Polynomial};
use cryptodl_network::{Artifact, Layer, Network, Nonlinearity};
use cryptodl_train::datasets::{Dataset, Images};
use cryptodl_train::diagnosis::{self, Distribution};
use cryptodl_train::{accuracy, logits};
use serde_json::Value;

/// In place of a method: least squares weighted by what was counted.
pub const MEASURED: &str = "measured";

/// Bins of a weight, and the share of it that is spread over the whole interval.
const BINS: usize = 400;
const FLOOR: f64 = 0.02;

/// How to fit.
#[derive(Clone, Debug)]
pub struct Refit {
    pub activation: Activation,
    /// A fit method, or [`MEASURED`].
    pub method: String,
    pub degree: usize,
    /// Share of the inputs left out of the interval at either end.
    pub tail: f64,
    /// Training images to count on.
    pub images: usize,
    pub learnable: bool,
}

impl Refit {
    /// What can be said without images.
    pub fn check(&self) -> Result<()> {
        if !(0.0..0.5).contains(&self.tail) {
            bail!(
                "{} is no share to leave out at either end: take one from 0 to 0.5",
                self.tail
            );
        }
        if self.degree == 0 {
            bail!("a polynomial of degree 0 lets nothing through: ask for degree 1 or more");
        }
        if self.method != MEASURED {
            approx::method(&self.method)
                .with_context(|| format!("beside `{MEASURED}`, methods are those of `fit`"))?;
        }
        Ok(())
    }

    /// The network with a polynomial of its own in each activation layer, its accuracies measured again.
    pub fn apply(&self, trained: &Artifact, data: &Dataset) -> Result<Artifact> {
        self.check()?;
        let (training, validation) = split(trained, &data.train);
        let counted = &training[..training.len().min(self.images)];
        let inputs = diagnosis::activation_inputs(trained, &data.train, counted)?;
        let mut artifact = trained.clone();
        let mut layer = 0;
        for node in &mut artifact.network.nodes {
            if let Layer::Activation(used) = &mut node.layer {
                let polynomial = self.polynomial(&inputs[layer]);
                *used = Nonlinearity::Polynomial {
                    polynomial: polynomial
                        .with_context(|| format!("activation layer {}", layer + 1))?,
                    learnable: self.learnable,
                };
                layer += 1;
            }
        }
        if layer == 0 {
            bail!("the network `{}` has no activation", artifact.network.name);
        }
        let provenance = &mut artifact.provenance;
        provenance.describe(&artifact.network);
        provenance.activation = self.activation.name().to_string();
        provenance.method.clone_from(&self.method);
        provenance.degree = self.degree;
        let right = |indices: &[usize]| -> Result<f64> {
            let images = chosen(&data.train, indices);
            Ok(accuracy(&logits(&artifact, &images, None)?, &images.labels))
        };
        let (train, validation) = (right(counted)?, right(&validation)?);
        let test = accuracy(&logits(&artifact, &data.test, None)?, &data.test.labels);
        let provenance = &mut artifact.provenance;
        provenance.train_accuracy = train;
        provenance.validation_accuracy = validation;
        provenance.test_accuracy = test;
        Ok(artifact)
    }

    fn polynomial(&self, inputs: &Distribution) -> Result<Polynomial> {
        let on = Interval::new(inputs.quantile(self.tail), inputs.quantile(1.0 - self.tail))
            .context("all inputs are the same")?;
        let method: Box<dyn Fit> = if self.method == MEASURED {
            Box::new(Measured::new(inputs.histogram(on, BINS)?, FLOOR))
        } else {
            approx::method(&self.method)?
        };
        Ok(method.fit(&self.activation, on, self.degree)?)
    }
}

/// Indices of the images that an artifact was trained on and of those that it held out.
pub fn split(artifact: &Artifact, images: &Images) -> (Vec<usize>, Vec<usize>) {
    let knobs = &artifact.provenance.recipe;
    let held_out = knobs.get("validation_images").and_then(Value::as_u64);
    let held_out = usize::try_from(held_out.unwrap_or(0)).unwrap_or(0);
    diagnosis::split(images.len(), held_out, artifact.provenance.seed)
}

/// Some of the images.
pub fn chosen(images: &Images, indices: &[usize]) -> Images {
    Images {
        shape: images.shape,
        pixels: indices
            .iter()
            .flat_map(|index| images.image(*index))
            .copied()
            .collect(),
        labels: indices.iter().map(|index| images.labels[*index]).collect(),
    }
}

/// Whether a network has its activations themselves, all of them.
pub fn is_exact(network: &Network) -> bool {
    let used = network.activations();
    !used.is_empty()
        && used
            .iter()
            .all(|used| matches!(used, Nonlinearity::Exact(_)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn normal() -> Distribution {
        // the quantiles of a normal distribution with deviation 2 stand for it
        let mut distribution = Distribution::default();
        let values: Vec<f32> = (1..2_000)
            .map(|n| {
                let q = f64::from(n) / 2_000.0;
                // logistic, which is close and has a formula
                ((q / (1.0 - q)).ln() * 1.1) as f32
            })
            .collect();
        distribution.add(&values);
        distribution
    }

    #[test]
    fn a_fit_lies_on_the_quantiles_and_a_weighted_one_is_best_where_values_are() {
        let inputs = normal();
        let refit = |method: &str| Refit {
            activation: Activation::Relu,
            method: method.to_string(),
            degree: 2,
            tail: 0.01,
            images: 0,
            learnable: false,
        };
        let [measured, legendre] =
            [MEASURED, "legendre"].map(|method| refit(method).polynomial(&inputs).unwrap());
        assert_eq!(measured.interval(), legendre.interval());
        let on = measured.interval();
        assert!((on.high() - 1.1 * 99_f64.ln()).abs() < 0.1, "{on}");
        let error = |p: &Polynomial| -> f64 {
            let histogram = inputs.histogram(on, BINS).unwrap();
            let places = histogram.counts().iter().enumerate();
            places
                .map(|(i, count)| {
                    let x = on.from_unit(2.0 * (i as f64 + 0.5) / BINS as f64 - 1.0);
                    count * (p.eval(x) - x.max(0.0)).powi(2)
                })
                .sum()
        };
        assert!(error(&measured) < 0.9 * error(&legendre));
        assert!(refit("guess").polynomial(&inputs).is_err());
    }
}
