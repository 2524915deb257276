//! `cryptodl latency`: what look-ups cost by message bits and by their number.

use crate::commands::end_with_report;
use crate::flags::RunFlags;
use crate::growth;
use crate::latency::{self, LatencyRow, line};
use crate::run_folder::RunFolder;
use anyhow::Result;
use clap::Args;

/// Flags of `latency`.
#[derive(Args, Debug)]
#[command(
    after_long_help = "Example: what would be measured; then all of it, with a figure (minutes on two cores)\n  \
    cryptodl latency --list\n  cryptodl latency"
)]
pub struct Arguments {
    /// Only the two smallest points of each series.
    #[arg(long)]
    quick: bool,
    /// Only print the points.
    #[arg(long)]
    list: bool,
    /// Threads [default: all cores].
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
    /// Start of every random choice.
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    #[command(flatten)]
    run: RunFlags,
}

/// Runs the verb.
pub fn run(arguments: &Arguments) -> Result<()> {
    if arguments.list {
        for point in latency::points("", arguments.quick) {
            println!("{}", line(&point));
        }
        return Ok(());
    }
    let settings = growth::settings(arguments.threads, arguments.quick);
    let run = RunFolder::open(&arguments.run, "latency", Some(arguments.seed), settings)?;
    let mut table = run.table::<LatencyRow>()?;
    let points = latency::points(run.id(), arguments.quick);
    latency::record(points, arguments.threads, arguments.seed, &mut table)?;
    end_with_report(run, &table, "points")
}
