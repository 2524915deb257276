//! Flags that several verbs share.

use clap::Args;
use std::path::PathBuf;

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
