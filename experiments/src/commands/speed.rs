//! `cryptodl speed`: how many images a second training gets through.

use crate::flags::RunFlags;
use crate::manifest::Settings;
use crate::run_folder::RunFolder;
use crate::speed::{self, SpeedRow};
use anyhow::{Result, bail};
use clap::Args;
use serde_json::json;
use std::time::Duration;

/// Flags of `speed`.
#[derive(Args, Debug)]
#[command(
    after_long_help = "Example: our operators, and those of PyTorch on the same networks in the same run\n  \
    cryptodl speed --torch python3\n\nThe number of threads is that of the cores, or what RAYON_NUM_THREADS says."
)]
pub struct Arguments {
    /// Seconds of each measurement.
    #[arg(long, value_name = "S", default_value_t = 10.0)]
    seconds: f64,
    /// A Python that has PyTorch, to compare with.
    #[arg(long, value_name = "PROGRAM")]
    torch: Option<String>,
    #[command(flatten)]
    run: RunFlags,
}

/// Runs the verb.
pub fn run(arguments: &Arguments) -> Result<()> {
    let seconds = arguments.seconds;
    if !(0.0..=3600.0).contains(&seconds) {
        bail!("`--seconds {seconds}` must be from 0 to 3600");
    }
    let settings = Settings::from([("seconds".to_string(), json!(seconds))]);
    let run = RunFolder::open(&arguments.run, "speed", Some(1), settings)?;
    let mut table = run.table::<SpeedRow>()?;
    let length = Duration::from_secs_f64(seconds);
    speed::record(run.id(), length, arguments.torch.as_deref(), &mut table)?;
    run.end()
}
