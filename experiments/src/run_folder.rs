//! The folder of a run, `RESULTS/RUN_ID`: held by one process at a time, gone on with by default.

use crate::flags::RunFlags;
use crate::manifest::{self, Manifest, Settings};
use crate::records::{Record, Table};
use anyhow::{Context, Result, bail};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long to wait for the lock: a process that was just killed takes a moment to let go of it.
const PATIENCE: Duration = Duration::from_secs(3);

/// Folders among the runs that are none: of shipped networks, and of the runs that are shipped.
const RESERVED: [&str; 2] = ["models", "reference"];

/// A run folder that this process holds.
pub struct RunFolder {
    path: PathBuf,
    /// The manifest on disk.
    pub manifest: Manifest,
    /// Held open: the system lets go of the lock when the process ends, however it ends.
    _lock: File,
}

impl RunFolder {
    /// Opens the run that `flags` name, or `default_id`, and writes its manifest.
    pub fn open(
        flags: &RunFlags,
        default_id: &str,
        seed: Option<u64>,
        settings: Settings,
    ) -> Result<Self> {
        let run_id = flags.run_id.as_deref().unwrap_or(default_id);
        check_id(run_id)?;
        let path = flags.results.join(run_id);
        let existed = path.join(manifest::FILE).exists();
        if path.exists() && !is_run(&path, run_id) {
            bail!(
                "`{}` holds files and is no run of this program, so nothing in it is touched: take another `--run-id`, \
                 or empty the folder yourself",
                path.display()
            );
        }
        if flags.resume && !existed {
            bail!(
                "there is no run in `{}` to resume: leave `--resume` out to start one",
                path.display()
            );
        }
        let writable = || {
            format!(
                "cannot write to the results folder `{}`: choose another with `--results` (of `fit`: `--out`)",
                flags.results.display()
            )
        };
        fs::create_dir_all(&path).with_context(writable)?;
        let lock = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(path.join(".lock"))
            .with_context(writable)?;
        hold(&lock, &path)?;
        // a run that failed before its first row has nothing to go on with, whatever its settings were
        let over =
            flags.fresh || (!flags.resume && !holds_results(&path).with_context(writable)?);
        if existed && over {
            clear(&path).with_context(writable)?;
        }
        let manifest = Manifest::begin(&path, run_id, seed, settings)?;
        Ok(Self {
            path,
            manifest,
            _lock: lock,
        })
    }

    /// Where the run keeps its files.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The run's name.
    pub fn id(&self) -> &str {
        &self.manifest.run_id
    }

    /// One of the run's tables.
    pub fn table<R: Record>(&self) -> Result<Table<R>> {
        Table::open(&self.path)
    }

    /// Notes the hashes of the files of a data set that the run reads.
    pub fn note_data(&mut self, dataset: &str, hashes: &[(String, String)]) -> Result<()> {
        let named = hashes
            .iter()
            .map(|(file, hash)| (format!("{dataset}/{file}"), hash.clone()));
        self.manifest.data_sha256.extend(named);
        self.manifest.write(&self.path)
    }

    /// Notes the end of the run.
    pub fn end(mut self) -> Result<()> {
        self.manifest.end(&self.path)
    }
}

/// Takes the lock of a run folder for this process.
fn hold(lock: &File, path: &Path) -> Result<()> {
    let end = Instant::now() + PATIENCE;
    loop {
        match lock.try_lock() {
            Err(TryLockError::WouldBlock) if Instant::now() < end => {
                std::thread::sleep(PATIENCE / 50);
            }
            Err(TryLockError::WouldBlock) => bail!(
                "another process is working in `{}`: wait for it or take another `--run-id`",
                path.display()
            ),
            // some network file systems know no locks; the run is then in the user's hands
            Ok(()) | Err(TryLockError::Error(_)) => return Ok(()),
        }
    }
}

/// Whether a folder is that of the run with this id, by its manifest, or holds nothing.
fn is_run(path: &Path, run_id: &str) -> bool {
    let is_empty = || {
        let mut entries = fs::read_dir(path).into_iter().flatten().flatten();
        // the lock, and what was half-written when a start was killed
        entries.all(|entry| entry.file_name().to_string_lossy().starts_with('.'))
    };
    match fs::read_to_string(path.join(manifest::FILE)) {
        // a damaged one still names its run first, as all that this program writes
        Ok(text) => text
            .lines()
            .take(2)
            .any(|line| line.trim().trim_end_matches(',') == format!("\"run_id\": \"{run_id}\"")),
        Err(_) => is_empty(),
    }
}

/// Whether a run left anything but its manifest, empty folders and tables without rows.
fn holds_results(path: &Path) -> std::io::Result<bool> {
    for entry in fs::read_dir(path)? {
        let entry = entry?.path();
        let bare = if entry.is_dir() {
            fs::read_dir(&entry)?.next().is_none()
        } else if entry.extension().is_some_and(|ending| ending == "csv") {
            fs::read_to_string(&entry)?.lines().count() <= 1
        } else {
            entry.ends_with(manifest::FILE) || entry.ends_with(".lock")
        };
        if !bare {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Removes what an earlier run left, all but the lock that is held.
fn clear(path: &Path) -> std::io::Result<()> {
    // the manifest goes last: a folder whose clearing was cut short is still known as a run
    let mut entries: Vec<PathBuf> = fs::read_dir(path)?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()?;
    entries.sort_by_key(|entry| entry.ends_with(manifest::FILE));
    for entry in entries {
        if entry.is_dir() {
            fs::remove_dir_all(entry)?;
        } else if !entry.ends_with(".lock") {
            fs::remove_file(entry)?;
        }
    }
    Ok(())
}

fn check_id(run_id: &str) -> Result<()> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if run_id.is_empty()
        || run_id.starts_with('.')
        || !run_id.chars().all(plain)
        || RESERVED.contains(&run_id)
    {
        bail!(
            "the run id `{run_id}` cannot name a folder: use letters, digits, `-`, `_` and `.`, and none of `{}`",
            RESERVED.join("`, `")
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flags(results: &Path) -> RunFlags {
        RunFlags {
            results: results.to_path_buf(),
            run_id: Some("r".to_string()),
            fresh: false,
            resume: false,
        }
    }

    #[test]
    fn a_run_is_held_by_one_process_and_fresh_starts_over() {
        let results = tempfile::tempdir().unwrap();
        let run = RunFolder::open(&flags(results.path()), "x", None, Settings::new()).unwrap();
        fs::write(run.path().join("fit.csv"), "old").unwrap();
        let second = RunFolder::open(&flags(results.path()), "x", None, Settings::new());
        assert!(format!("{:#}", second.err().unwrap()).contains("another process"));
        run.end().unwrap();
        let fresh = RunFlags {
            fresh: true,
            ..flags(results.path())
        };
        let run = RunFolder::open(&fresh, "x", None, Settings::new()).unwrap();
        assert!(!run.path().join("fit.csv").exists());
        assert!(run.manifest.resumptions.is_empty());
    }

    #[test]
    fn a_run_without_rows_does_not_stand_in_the_way_of_other_settings() {
        let results = tempfile::tempdir().unwrap();
        let settings = |value: u32| Settings::from([("bits".to_string(), value.into())]);
        let open = |value| RunFolder::open(&flags(results.path()), "x", None, settings(value));
        let run = open(1).unwrap();
        fs::write(run.path().join("fit.csv"), "header\n").unwrap();
        fs::create_dir(run.path().join("models")).unwrap();
        drop(run);
        let run = open(2).unwrap();
        fs::write(run.path().join("fit.csv"), "header\nrow\n").unwrap();
        drop(run);
        let refused = format!("{:#}", open(3).err().unwrap());
        assert!(refused.contains("`bits` = 2"), "{refused}");
    }

    #[test]
    fn folders_that_are_no_run_are_left_alone() {
        let results = tempfile::tempdir().unwrap();
        let folder = results.path().join("r");
        fs::create_dir(&folder).unwrap();
        // nobody else's file is in an empty one
        drop(RunFolder::open(&flags(results.path()), "x", None, Settings::new()).unwrap());
        let fresh = RunFlags {
            fresh: true,
            ..flags(results.path())
        };
        for (file, text) in [
            ("manifest.json", "{\"name\": \"an extension of a browser\"}"),
            ("manifest.json", "{\n  \"run_id\": \"another\"\n}"),
            ("letter.txt", "dear"),
        ] {
            fs::remove_dir_all(&folder).unwrap();
            fs::create_dir(&folder).unwrap();
            fs::write(folder.join("small.csv"), "header\n").unwrap();
            fs::write(folder.join(file), text).unwrap();
            for flags in [flags(results.path()), fresh.clone()] {
                let refused = RunFolder::open(&flags, "x", None, Settings::new());
                let refused = format!("{:#}", refused.err().unwrap());
                assert!(refused.contains("is no run of this program"), "{refused}");
                assert_eq!(fs::read_to_string(folder.join(file)).unwrap(), text);
                assert!(folder.join("small.csv").exists());
            }
        }
    }

    #[test]
    fn resume_wants_a_run_and_ids_must_be_plain() {
        let results = tempfile::tempdir().unwrap();
        let resume = RunFlags {
            resume: true,
            ..flags(results.path())
        };
        assert!(RunFolder::open(&resume, "x", None, Settings::new()).is_err());
        for bad in ["", "..", "a/b", "models", "reference", "a b"] {
            let named = RunFlags {
                run_id: Some(bad.to_string()),
                ..flags(results.path())
            };
            assert!(
                RunFolder::open(&named, "x", None, Settings::new()).is_err(),
                "{bad}"
            );
        }
    }
}
