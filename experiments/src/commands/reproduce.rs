//! `cryptodl reproduce`: the main job, see [`crate::reproduce`].

use crate::cli::{DataFlags, RunFlags};
use crate::evaluation::EvaluationFlags;
use anyhow::Result;
use clap::Args;
use std::path::PathBuf;

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
    crate::reproduce::run(arguments)
}
