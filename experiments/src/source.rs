//! The data of a run.

use crate::flags::DataFlags;
use crate::run_folder::RunFolder;
use anyhow::{Context, Result};
use cryptodl_train::datasets::{self, DataError, Dataset};
use std::path::PathBuf;

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

/// Fetches a data set unless it is there already, and says on the terminal what it does.
pub fn fetch(dataset: &str, data: &DataFlags) -> Result<()> {
    Ok(datasets::fetch(dataset, &data.dir(), &mut |line| {
        eprintln!("{line}");
    })?)
}
