//! `cryptodl report`: figures and report of a run folder, made again from its rows.

use crate::report;
use anyhow::{Result, bail};
use clap::Args;
use std::path::PathBuf;

/// Flags of `report`.
#[derive(Args, Debug)]
#[command(
    after_long_help = "Example: the report of the main job, and its table in the README\n  cryptodl report reproduce --readme README.md"
)]
pub struct Arguments {
    /// Name of a run in the results folder, or the path of a run folder.
    #[arg(default_value = "reproduce")]
    run: String,
    /// Folder of all runs.
    #[arg(long, value_name = "DIR", default_value = "results")]
    results: PathBuf,
    /// Also put the table of results into this file, between `<!-- begin: results -->` and `<!-- end: results -->`.
    #[arg(long, value_name = "FILE")]
    readme: Option<PathBuf>,
}

/// Runs the verb.
pub fn run(arguments: &Arguments) -> Result<()> {
    let named = arguments.results.join(&arguments.run);
    let folder = if named.is_dir() {
        named
    } else {
        PathBuf::from(&arguments.run)
    };
    if !folder.join(crate::manifest::FILE).exists() {
        bail!(
            "`{}` is no run folder: it has no `{}`",
            folder.display(),
            crate::manifest::FILE
        );
    }
    println!("report in `{}`", report::write(&folder)?.display());
    if let Some(readme) = &arguments.readme {
        report::splice_into(readme, &folder)?;
        println!("table in `{}`", readme.display());
    }
    Ok(())
}
