//! One file a verb: its flags, and what it does with them.

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

use crate::cli::{Cli, Verb};
use crate::records::{Record, Table};
use crate::run_folder::RunFolder;
use anyhow::{Result, bail};

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
