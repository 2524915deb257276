//! `cryptodl sweep`: trains at every point of a grid; a failing point becomes a row with its error.

use crate::flags::{DataFlags, RunFlags};
use crate::manifest::{Settings, sha256};
use crate::progress;
use crate::records::Record;
use crate::report;
use crate::rows::TrainRow;
use crate::run_folder::RunFolder;
use crate::source::Source;
use crate::sweep;
use anyhow::{Context, Result};
use clap::Args;
use serde_json::json;

/// Flags of `sweep`.
#[derive(Args, Debug)]
#[command(
    after_long_help = "Example: what the sweep of degrees would train, then the sweep itself\n  \
    cryptodl sweep degree --list\n  cryptodl sweep degree"
)]
pub struct Arguments {
    /// Name of a sweep in `cryptodl list sweeps`, or a TOML file.
    name: String,
    /// Only print the points, and which of them have a row already.
    #[arg(long)]
    list: bool,
    #[command(flatten)]
    data: DataFlags,
    #[command(flatten)]
    run: RunFlags,
}

/// Runs the verb.
pub fn run(arguments: &Arguments) -> Result<()> {
    let (name, sweep, text) = sweep::load(&arguments.name)?;
    let points = sweep.points()?;
    let default_id = format!("sweep-{name}");
    if arguments.list {
        let run_id = arguments.run.run_id.as_deref().unwrap_or(&default_id);
        let done: Vec<String> =
            crate::records::Table::<TrainRow>::read(&arguments.run.results.join(run_id))?
                .iter()
                .map(Record::key)
                .collect();
        for point in &points {
            let key = point.row("").key();
            println!(
                "{} {key}",
                if done.contains(&key) { "done" } else { "    " }
            );
        }
        println!(
            "{}: {} points, {} done",
            sweep.summary,
            points.len(),
            points
                .iter()
                .filter(|point| done.contains(&point.row("").key()))
                .count()
        );
        return Ok(());
    }
    let settings = Settings::from([(
        "sha256 of the sweep file".to_string(),
        json!(sha256(text.as_bytes())),
    )]);
    let mut run = RunFolder::open(&arguments.run, &default_id, None, settings)?;
    let mut table = run.table::<TrainRow>()?;
    let mut source = Source::new(&arguments.data);
    let missing: Vec<_> = points
        .iter()
        .filter(|point| {
            // a network that others build on is trained again if it is no longer there
            let kept = sweep.kept(point).map(|path| run.path().join(path));
            !table.contains(&point.row("").key()) || kept.is_some_and(|path| !path.exists())
        })
        .collect();
    if !missing.is_empty() {
        // data that cannot be had is no property of a point
        source.load(&sweep.dataset, &mut run)?;
    }
    let bar = progress::bar(missing.len(), "points");
    for point in missing {
        let key = point.row("").key();
        bar.set_message(key.clone());
        let save = sweep.kept(point).map(|path| run.path().join(path));
        if let Some(folder) = save.as_deref().and_then(std::path::Path::parent) {
            std::fs::create_dir_all(folder)
                .with_context(|| format!("cannot make the folder `{}`", folder.display()))?;
        }
        let mut point = point.clone();
        for base in [&mut point.recipe.start, &mut point.recipe.targets.teacher] {
            // what a variant of this sweep trained lies in the folder of the run; another teacher, where it says
            let below = base.as_ref().map(|path| run.path().join(path));
            if let Some(below) = below.filter(|path| path.exists()) {
                *base = Some(below);
            }
        }
        point.record(&mut source, &mut run, &mut table, save.as_deref(), true)?;
        if let Some(row) = table.rows().last() {
            let result = row.validation_accuracy.map_or_else(
                || row.error.clone().unwrap_or_default(),
                |accuracy| format!("validation {:.2} %", 100.0 * accuracy),
            );
            progress::say(&bar, &format!("{key}: {result}"));
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    let failed = table
        .rows()
        .iter()
        .filter(|row| row.error().is_some())
        .count();
    let folder = run.path().to_path_buf();
    run.end()?;
    let report = report::write(&folder)?;
    println!(
        "{} rows, {failed} of them errors; report in `{}`",
        table.rows().len(),
        report.display()
    );
    Ok(())
}
