//! The command line: verbs, and the flags that several verbs share.

use crate::commands::{
    budget, compare, data, diagnose, encrypt, fit, growth, latency, list, refit, report, reproduce,
    speed, sweep, train,
};
use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;

/// Approximate activations by polynomials, retrain with them, evaluate on encrypted images, report.
#[derive(Debug, Parser)]
#[command(
    name = "cryptodl",
    version,
    after_long_help = "The whole road with one command:\n  cryptodl reproduce\n\nWhat there is to choose from:\n  cryptodl list"
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
}

/// The verbs, one file each in `commands/`.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Fetch data sets, or check the files that are there.
    Data(data::Arguments),
    /// Fit polynomials to activations and print or record them.
    Fit(fit::Arguments),
    /// Train a network with polynomial activations.
    Train(train::Arguments),
    /// Fit polynomials to what reaches the activations of a trained network.
    Refit(refit::Arguments),
    /// Measure what reaches the activations of trained networks, and how much of it the fits cover.
    Diagnose(diagnose::Arguments),
    /// Measure accuracy stage by stage, from the activation itself to integer weights.
    Budget(budget::Arguments),
    /// Evaluate trained networks on encrypted images.
    Encrypt(encrypt::Arguments),
    /// Train at every point of a grid that a file describes.
    Sweep(sweep::Arguments),
    /// Measure how the cost of encrypted evaluation grows with networks and rings.
    Growth(growth::Arguments),
    /// Measure the encrypted schemes side by side on one data set.
    Compare(compare::Arguments),
    /// Measure what look-ups cost by message bits and by their number.
    Latency(latency::Arguments),
    /// Measure how many images a second training gets through.
    Speed(speed::Arguments),
    /// Draw the figures of a run and write its report again.
    Report(report::Arguments),
    /// Fit, draw, evaluate the shipped networks encrypted, and compare with the paper.
    Reproduce(reproduce::Arguments),
    /// List methods, activations, networks, data sets, schemes, sweeps, figures and models.
    List(list::Arguments),
}

/// Where a run is kept, and whether it goes on or starts over.
#[derive(Args, Clone, Debug)]
pub struct RunFlags {
    /// Folder of all runs.
    #[arg(long, value_name = "DIR", default_value = "results")]
    pub results: PathBuf,
    /// Name of this run's folder [default: the verb's name, for a sweep `sweep-NAME`].
    #[arg(long, value_name = "ID")]
    pub run_id: Option<String>,
    /// Remove what an earlier run of this name left and start over.
    #[arg(long, conflicts_with = "resume")]
    pub fresh: bool,
    /// Insist on going on with an earlier run. Without this flag a run that is there goes on too, and one that is not starts.
    #[arg(long)]
    pub resume: bool,
}

/// Where data sets lie.
#[derive(Args, Clone, Debug)]
pub struct DataFlags {
    /// Folder of the data sets [default: what `CRYPTODL_DATA` names, or else `data`].
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
}

impl DataFlags {
    /// The folder to look in.
    pub fn dir(&self) -> PathBuf {
        self.data_dir
            .clone()
            .unwrap_or_else(cryptodl_train::datasets::default_dir)
    }
}

#[cfg(test)]
mod tests {
    use super::Cli;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_well_formed_and_every_verb_has_an_example() {
        let mut command = Cli::command();
        command.build();
        command.clone().debug_assert();
        for verb in command.get_subcommands_mut() {
            let name = verb.get_name().to_string();
            if name == "help" {
                continue;
            }
            let about = verb.get_about().unwrap().to_string();
            assert!(
                about.len() < 100 && !about.contains('\n'),
                "{name}: {about}"
            );
            assert!(
                verb.render_long_help()
                    .to_string()
                    .contains(&format!("cryptodl {name}")),
                "{name} has no example"
            );
        }
    }
}
