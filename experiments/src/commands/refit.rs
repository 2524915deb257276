//! `cryptodl refit`: polynomials fitted to the measured inputs of a trained network.

use crate::calibration::{MEASURED, Refit};
use crate::flags::DataFlags;
use crate::manifest;
use crate::source::Source;
use crate::text::percent;
use anyhow::{Context, Result};
use approx::Activation;
use clap::Args;
use cryptodl_network::Artifact;
use std::num::NonZeroUsize;
use std::path::PathBuf;

/// Flags of `refit`.
#[derive(Args, Debug)]
#[command(after_long_help = "Example: calibrate, refit, fine-tune\n  \
    cryptodl train --network lenet --method exact --save relu.safetensors\n  \
    cryptodl refit relu.safetensors --method measured --degree 2 --save refitted.safetensors\n  \
    cryptodl train --network lenet --method start --set start=refitted.safetensors --epochs 3 --run-id fine-tuned")]
pub struct Arguments {
    /// Trained network.
    #[arg(value_name = "MODEL.safetensors")]
    model: PathBuf,
    /// Method that fits the polynomials, or `measured`: least squares weighted by the measured inputs.
    #[arg(long, short, value_name = "NAME", default_value = MEASURED)]
    method: String,
    /// Degree of the polynomials.
    #[arg(long, short, default_value_t = 2)]
    degree: usize,
    /// Share of the inputs left out of the interval at either end.
    #[arg(long, value_name = "SHARE", default_value_t = 0.001)]
    tail: f64,
    /// Training images to measure on.
    #[arg(long, value_name = "N", default_value = "10000")]
    images: NonZeroUsize,
    /// Let training change the coefficients later.
    #[arg(long)]
    learnable: bool,
    /// Where to keep the network with its new polynomials.
    #[arg(long, value_name = "FILE")]
    save: PathBuf,
    #[command(flatten)]
    data: DataFlags,
}

/// Runs the verb.
pub fn run(arguments: &Arguments) -> Result<()> {
    let trained = Artifact::load(&arguments.model)?;
    let activation: Activation = trained
        .provenance
        .activation
        .parse()
        .with_context(|| format!("`{}`", arguments.model.display()))?;
    let refit = Refit {
        activation,
        method: arguments.method.clone(),
        degree: arguments.degree,
        tail: arguments.tail,
        images: arguments.images.get(),
        learnable: arguments.learnable,
    };
    refit.check()?;
    let mut source = Source::new(&arguments.data);
    let data = source.read(&trained.provenance.dataset)?;
    let mut artifact = refit.apply(&trained, data)?;
    artifact.provenance.command = manifest::command_line().join(" ");
    artifact.provenance.created = manifest::now();
    artifact.save(&arguments.save)?;
    for (layer, used) in artifact.network.activations().iter().enumerate() {
        if let Some(polynomial) = used.polynomial() {
            println!("activation layer {}: {}", layer + 1, polynomial.interval());
        }
    }
    println!(
        "test accuracy {} before, {} with the polynomials and the same weights; kept in `{}`",
        percent(Some(trained.provenance.test_accuracy)),
        percent(Some(artifact.provenance.test_accuracy)),
        arguments.save.display()
    );
    Ok(())
}
