//! Killing the program at any moment loses no finished row and repeats none.

mod common;

use common::cryptodl;
use std::collections::HashSet;
use std::fs;
use std::hash::{BuildHasher, RandomState};
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

fn start(folder: &Path, arguments: &[&str]) -> Child {
    cryptodl(folder, arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Complete rows, as text; the last line may be half written.
fn complete_rows(path: &Path) -> Vec<String> {
    let text = fs::read_to_string(path).unwrap_or_default();
    let complete = text.rfind('\n').map_or("", |end| &text[..end]);
    complete.lines().skip(1).map(str::to_string).collect()
}

/// Kills and restarts until the program ends by itself; returns how often it was killed.
fn killed_until_done(folder: &Path, arguments: &[&str], table: &Path, longest: Duration) -> usize {
    let mut kills = 0;
    let mut before: Vec<String> = Vec::new();
    loop {
        let mut child = start(folder, arguments);
        // RandomState is the one source of chance in the standard library
        let share = RandomState::new().hash_one(kills) as f64 / u64::MAX as f64;
        // longer and longer, so that a slow machine gets done too
        let end = Instant::now() + longest.mul_f64(share * (1.0 + kills as f64 / 20.0));
        while Instant::now() < end && child.try_wait().unwrap().is_none() {
            std::thread::sleep(Duration::from_millis(1));
        }
        if let Some(status) = child.try_wait().unwrap() {
            assert!(status.success(), "after {kills} kills: {status}");
            return kills;
        }
        child.kill().unwrap();
        child.wait().unwrap();
        kills += 1;
        let now = complete_rows(table);
        assert!(
            now.starts_with(&before),
            "kill {kills} lost or changed a finished row"
        );
        before = now;
    }
}

/// The inputs of a row of `fit.csv`.
fn inputs(row: &str) -> String {
    row.split(',').skip(1).take(5).collect::<Vec<_>>().join(",")
}

#[test]
fn fits_survive_being_killed_at_random_moments() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = [
        "fit",
        "--activation",
        "relu,sigmoid,tanh",
        "--method",
        "all",
        "--degree",
        "1-8",
        "--out",
        "runs/fits",
    ];
    let table = folder.path().join("runs/fits/fit.csv");
    let kills = killed_until_done(
        folder.path(),
        &arguments,
        &table,
        Duration::from_millis(250),
    );
    let rows = complete_rows(&table);
    let distinct: HashSet<String> = rows.iter().map(|row| inputs(row)).collect();
    let expected = 3 * approx::methods().len() * 8;
    assert_eq!(
        (rows.len(), distinct.len()),
        (expected, expected),
        "after {kills} kills"
    );
    assert!(kills > 0, "nothing was killed: the test shows nothing");
}

#[test]
fn the_main_job_survives_being_killed_and_remembers_its_first_start() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["reproduce", "--fits-only", "--quick"];
    let run = folder.path().join("results/reproduce");
    let table = run.join("fit.csv");
    // the first session gets as far as its first row: without one, the next would start over
    let mut child = start(folder.path(), &arguments);
    while complete_rows(&table).is_empty() && child.try_wait().unwrap().is_none() {
        std::thread::sleep(Duration::from_millis(1));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let manifest = |field: &str| {
        let text = fs::read_to_string(run.join("manifest.json")).unwrap();
        serde_json::from_str::<serde_json::Value>(&text).unwrap()[field].clone()
    };
    let started = manifest("started");
    let kills = killed_until_done(
        folder.path(),
        &arguments,
        &table,
        Duration::from_millis(900),
    );
    let rows = complete_rows(&table);
    let distinct: HashSet<String> = rows.iter().map(|row| inputs(row)).collect();
    let expected = 3 * approx::methods().len() * 4;
    assert_eq!(
        (rows.len(), distinct.len()),
        (expected, expected),
        "after {kills} kills"
    );
    assert_eq!(manifest("started"), started);
    assert!(
        manifest("resumptions")
            .as_array()
            .is_some_and(|sessions| !sessions.is_empty())
    );
    for file in [
        "report.md",
        "figures/fits.svg",
        "figures/fits.png",
        "figures/errors.svg",
        "figures/degree.png",
    ] {
        assert!(fs::metadata(run.join(file)).unwrap().len() > 1000, "{file}");
    }
    let leftover = fs::read_dir(&run).unwrap().filter(|entry| {
        entry
            .as_ref()
            .unwrap()
            .file_name()
            .to_string_lossy()
            .contains("partial")
    });
    assert_eq!(leftover.count(), 0);
}
