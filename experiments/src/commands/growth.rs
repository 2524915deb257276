//! `cryptodl growth`: what encrypted evaluation costs as networks and rings grow.

use crate::commands::end_with_report;
use crate::evaluation::scheme_names;
use crate::flags::RunFlags;
use crate::growth::{self, GrowthRow, line};
use crate::run_folder::RunFolder;
use anyhow::{Result, bail};
use clap::Args;
use cryptodl_he_eval::schemes::find;

/// Flags of `growth`.
#[derive(Args, Debug)]
#[command(
    after_long_help = "Example: what would be measured; then all of it, with a figure (a minute or two on two cores)\n  \
    cryptodl growth --list\n  cryptodl growth"
)]
pub struct Arguments {
    /// The encrypted scheme.
    #[arg(long, short, value_name = "NAME", default_value = "ckks")]
    scheme: String,
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
    let schemes = scheme_names(std::slice::from_ref(&arguments.scheme))?;
    let [scheme] = schemes.as_slice() else {
        bail!("name one scheme: `growth` measures one at a time");
    };
    if find(scheme)?.is_reference() {
        bail!("`{scheme}` encrypts nothing: choose an encrypted scheme, such as `ckks`");
    }
    if arguments.list {
        for point in growth::points("", scheme, arguments.quick) {
            println!("{}", line(&point));
        }
        return Ok(());
    }
    let settings = growth::settings(arguments.threads, arguments.quick);
    let run = RunFolder::open(&arguments.run, "growth", Some(arguments.seed), settings)?;
    let mut table = run.table::<GrowthRow>()?;
    let points = growth::points(run.id(), scheme, arguments.quick);
    growth::record(points, arguments.threads, arguments.seed, &mut table)?;
    end_with_report(run, &table, "points")
}
