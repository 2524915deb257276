//! The command line: one file a verb, its flags and what it does with them.

pub mod budget;
pub mod compare;
pub mod data;
pub mod diagnose;
pub mod encrypt;
pub mod fit;
pub mod growth;
pub mod latency;
pub mod list;
pub mod refit;
pub mod report;
pub mod reproduce;
pub mod speed;
pub mod sweep;
pub mod train;

use crate::records::{Record, Table};
use crate::run_folder::RunFolder;
use anyhow::{Result, bail};
use clap::{Parser, Subcommand};

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

/// The verbs, one file each.
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

/// Does what the command line asks for.
pub fn run(cli: Cli) -> Result<()> {
    match cli.verb {
        Verb::Compare(arguments) => compare::run(&arguments),
        Verb::Data(arguments) => data::run(&arguments),
        Verb::Fit(arguments) => fit::run(&arguments),
        Verb::Growth(arguments) => growth::run(&arguments),
        Verb::Train(arguments) => train::run(&arguments),
        Verb::Refit(arguments) => refit::run(&arguments),
        Verb::Diagnose(arguments) => diagnose::run(&arguments),
        Verb::Budget(arguments) => budget::run(&arguments),
        Verb::Encrypt(arguments) => encrypt::run(&arguments),
        Verb::Sweep(arguments) => sweep::run(&arguments),
        Verb::Speed(arguments) => speed::run(&arguments),
        Verb::Report(arguments) => report::run(&arguments),
        Verb::Reproduce(arguments) => reproduce::run(&arguments),
        Verb::Latency(arguments) => latency::run(&arguments),
        Verb::List(arguments) => list::run(&arguments),
    }
}

/// Ends a run and writes its report; rows of failures are an error, named by what a row measures.
fn end_with_report<R: Record>(run: RunFolder, table: &Table<R>, what: &str) -> Result<()> {
    let failed = table.rows().iter().filter(|row| row.error().is_some());
    let failed = failed.count();
    let folder = run.path().to_path_buf();
    run.end()?;
    println!("report in `{}`", crate::report::write(&folder)?.display());
    if failed > 0 {
        bail!(
            "{failed} {what} failed: see the column `error` in `{}`",
            folder.join(R::FILE).display()
        );
    }
    Ok(())
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
