//! The circumstances of a run: `manifest.json` in its folder, written when the run begins and again when it ends.
//!
//! Paths appear only as they were typed, and the program as `cryptodl`, so that a manifest says nothing of where the machine keeps things.

use crate::records::write_whole;
use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::time::SystemTime;

/// The lock file that the binary was built with.
const LOCK_FILE: &[u8] = include_bytes!(concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.lock"));

/// Name of the manifest in a run folder.
pub const FILE: &str = "manifest.json";

/// What shapes the rows beyond their key columns: a run can only be resumed with the same.
pub type Settings = BTreeMap<String, Value>;

/// One start of the program on this run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Session {
    /// The command line, `cryptodl` first.
    pub command: Vec<String>,
    /// Commit of the source, if it is a git checkout.
    pub commit: Option<String>,
    /// Whether tracked files differed from that commit.
    pub dirty: Option<bool>,
    /// Start, UTC, RFC 3339.
    pub started: String,
    /// End, UTC; empty while it runs and after it was killed.
    pub ended: Option<String>,
}

/// Everything that is kept about a run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// Name of the run folder.
    pub run_id: String,
    /// Version of `cryptodl`.
    pub version: String,
    /// The first start.
    #[serde(flatten)]
    pub first: Session,
    /// Later starts that went on from what was there.
    pub resumptions: Vec<Session>,
    /// `rustc --version` of the compiler that built the binary.
    pub rustc: String,
    /// Target triple and profile of the build.
    pub build: String,
    /// SHA-256 of the lock file that the binary was built with.
    pub lock_sha256: String,
    /// Processor model, and the instructions for small integers that it has.
    pub cpu: String,
    /// Logical cores that the program may use.
    pub cores: usize,
    /// Memory of the machine, bytes.
    pub memory_bytes: u64,
    /// Operating system and its version.
    pub os: String,
    /// Seed of the run, where one seed governs it.
    pub seed: Option<u64>,
    /// SHA-256 of each data file that was read.
    pub data_sha256: BTreeMap<String, String>,
    /// Settings that are not columns.
    pub settings: Settings,
}

impl Manifest {
    /// Starts or resumes the run in `folder` and writes its manifest.
    pub fn begin(
        folder: &Path,
        run_id: &str,
        seed: Option<u64>,
        settings: Settings,
    ) -> Result<Self> {
        let session = Session::now();
        let manifest = match Self::read(folder)? {
            None => Self::new(run_id, session, seed, settings),
            Some(mut earlier) => {
                for (name, value) in settings {
                    match earlier.settings.get(&name) {
                        Some(before) if *before != value => bail!(
                            "the run `{run_id}` was started with {}: \
                             start over with `--fresh` or take another `--run-id`",
                            difference(&name, before, &value)
                        ),
                        _ => earlier.settings.insert(name, value),
                    };
                }
                earlier.resumptions.push(session);
                earlier
            }
        };
        manifest.write(folder)?;
        Ok(manifest)
    }

    /// Reads the manifest in `folder`; `None` if there is none.
    pub fn read(folder: &Path) -> Result<Option<Self>> {
        let path = folder.join(FILE);
        if !path.exists() {
            return Ok(None);
        }
        let text = std::fs::read_to_string(&path)
            .with_context(|| format!("cannot read `{}`", path.display()))?;
        let manifest = serde_json::from_str(&text).with_context(|| {
            format!("`{}` is damaged: start over with `--fresh`", path.display())
        })?;
        Ok(Some(manifest))
    }

    /// Writes the manifest into `folder`.
    pub fn write(&self, folder: &Path) -> Result<()> {
        let text =
            serde_json::to_string_pretty(self).context("cannot write the manifest as JSON")?;
        write_whole(&folder.join(FILE), (text + "\n").as_bytes())
    }

    /// Marks the end of the session that is running and writes the manifest.
    pub fn end(&mut self, folder: &Path) -> Result<()> {
        let session = self.resumptions.last_mut().unwrap_or(&mut self.first);
        session.ended = Some(now());
        self.write(folder)
    }

    /// The session that is running, or that ran last.
    pub fn session(&self) -> &Session {
        self.resumptions.last().unwrap_or(&self.first)
    }

    fn new(run_id: &str, first: Session, seed: Option<u64>, settings: Settings) -> Self {
        let mut system = sysinfo::System::new();
        system.refresh_memory();
        system.refresh_cpu_list(sysinfo::CpuRefreshKind::nothing());
        let brand = system.cpus().first().map_or("", |cpu| cpu.brand()).trim();
        let brand = if brand.is_empty() { "unknown" } else { brand };
        Self {
            run_id: run_id.to_string(),
            version: env!("CARGO_PKG_VERSION").to_string(),
            first,
            resumptions: Vec::new(),
            rustc: env!("CRYPTODL_RUSTC").to_string(),
            build: format!("{} {}", env!("CRYPTODL_TARGET"), env!("CRYPTODL_PROFILE")),
            lock_sha256: sha256(LOCK_FILE),
            // processors of one brand differ by a factor of ten in what they do with small integers
            cpu: format!("{brand}, {}", cryptodl_he_eval::instructions()),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            memory_bytes: system.total_memory(),
            os: sysinfo::System::long_os_version()
                .unwrap_or_else(|| std::env::consts::OS.to_string()),
            seed,
            data_sha256: BTreeMap::new(),
            settings,
        }
    }
}

impl Session {
    fn now() -> Self {
        let (commit, dirty) = source();
        Self {
            command: command_line(),
            commit,
            dirty,
            started: now(),
            ended: None,
        }
    }
}

/// The arguments as typed, with the program named `cryptodl` wherever it lies.
pub fn command_line() -> Vec<String> {
    let typed = std::env::args_os()
        .skip(1)
        .map(|argument| argument.to_string_lossy().into_owned());
    std::iter::once("cryptodl".to_string())
        .chain(typed)
        .collect()
}

/// The time now, UTC, to the second.
pub fn now() -> String {
    humantime::format_rfc3339_seconds(SystemTime::now()).to_string()
}

/// Two values of a setting in words; of tables, such as recipes, the entries that differ.
fn difference(name: &str, before: &Value, now: &Value) -> String {
    let (Value::Object(before), Value::Object(now)) = (before, now) else {
        return format!("`{name}` = {before}, which is now {now}");
    };
    let mut keys: Vec<_> = before.keys().chain(now.keys()).collect();
    keys.sort();
    keys.dedup();
    let of = |table: &serde_json::Map<String, Value>, key: &String| {
        (table.get(key)).map_or("not given".to_string(), Value::to_string)
    };
    let entries: Vec<_> = (keys.into_iter())
        .map(|key| (key, of(before, key), of(now, key)))
        .filter(|(_, before, now)| before != now)
        .map(|(key, before, now)| format!("`{key}` = {before}, which is now {now}"))
        .collect();
    format!("the {name} with {}", entries.join(", "))
}

/// SHA-256 in hexadecimal.
pub fn sha256(bytes: &[u8]) -> String {
    use std::fmt::Write;
    Sha256::digest(bytes)
        .iter()
        .fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
}

/// Asks for changes of the sources; shipped runs are none, and starting one over removes its rows before this is asked.
const CHANGES: [&str; 6] = [
    "status",
    "--porcelain",
    "--untracked-files=no",
    "--",
    ":/",
    ":(top,exclude)results/reference",
];

/// Commit of the source tree that the binary was built from, and whether tracked files differ from it. Both unknown without git.
pub fn source() -> (Option<String>, Option<bool>) {
    let git = |arguments: &[&str]| {
        let output = Command::new("git")
            .arg("-C")
            .arg(env!("CARGO_MANIFEST_DIR"))
            .args(arguments)
            .output()
            .ok()?;
        let text = output
            .status
            .success()
            .then(|| String::from_utf8_lossy(&output.stdout).trim().to_string());
        text.filter(|text| !text.is_empty() || arguments[0] == "status")
    };
    let commit = git(&["rev-parse", "HEAD"]);
    let dirty = commit
        .as_ref()
        .and_then(|_| git(&CHANGES))
        .map(|changes| !changes.is_empty());
    (commit, dirty)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_resumed_run_keeps_its_first_start_and_notes_the_resumption() {
        let folder = tempfile::tempdir().unwrap();
        let settings = Settings::from([("images".to_string(), json!(100))]);
        let mut first = Manifest::begin(folder.path(), "r", Some(7), settings.clone()).unwrap();
        first.first.started = "2001-02-03T04:05:06Z".to_string();
        first.write(folder.path()).unwrap();
        let mut second = Manifest::begin(folder.path(), "r", Some(7), settings).unwrap();
        second.end(folder.path()).unwrap();
        let read = Manifest::read(folder.path()).unwrap().unwrap();
        assert_eq!(read.first.started, "2001-02-03T04:05:06Z");
        assert_eq!(read.first.ended, None);
        assert_eq!(read.resumptions.len(), 1);
        assert!(read.session().ended.is_some());
        assert_eq!(read.lock_sha256.len(), 64);
        assert!(read.rustc.starts_with("rustc "), "{}", read.rustc);
        assert!(read.memory_bytes > 0 && read.cores > 0);
    }

    #[test]
    fn other_settings_are_refused_and_new_ones_added() {
        let folder = tempfile::tempdir().unwrap();
        Manifest::begin(
            folder.path(),
            "r",
            None,
            Settings::from([("images".to_string(), json!(100))]),
        )
        .unwrap();
        let added = Manifest::begin(
            folder.path(),
            "r",
            None,
            Settings::from([("recipe".to_string(), json!("x"))]),
        )
        .unwrap();
        assert_eq!(added.settings.len(), 2);
        let other = Manifest::begin(
            folder.path(),
            "r",
            None,
            Settings::from([("images".to_string(), json!(200))]),
        );
        let message = format!("{:#}", other.unwrap_err());
        assert!(
            message.contains("`images` = 100, which is now 200"),
            "{message}"
        );
        let recipe = |start: Value| json!({ "epochs": 3, "start": start });
        assert_eq!(
            difference("recipe", &json!({ "epochs": 3 }), &recipe(json!("a"))),
            "the recipe with `start` = not given, which is now \"a\""
        );
        assert_eq!(
            difference("recipe", &recipe(json!("a")), &recipe(json!("b"))),
            "the recipe with `start` = \"a\", which is now \"b\""
        );
    }

    #[test]
    fn no_absolute_path_reaches_the_manifest() {
        let folder = tempfile::tempdir().unwrap();
        let manifest = Manifest::begin(folder.path(), "r", None, Settings::new()).unwrap();
        let text = serde_json::to_string(&Manifest {
            first: Session {
                command: vec!["cryptodl".to_string()],
                ..manifest.first.clone()
            },
            ..manifest
        })
        .unwrap();
        assert!(!text.contains(env!("CARGO_MANIFEST_DIR")));
        assert!(!text.contains(folder.path().to_str().unwrap()));
        assert_eq!(command_line()[0], "cryptodl");
    }

    #[test]
    fn sha256_matches_the_standard_example() {
        assert_eq!(
            sha256(b"abc"),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }
}
