//! Getting the files of a data set: a folder, then the web, then a package.
//!
//! 1. A file that is there and has the right SHA-256 stays: an interrupted fetch goes on where it stopped.
//! 2. Each missing file is looked for in the folder that `CRYPTODL_DATA` names, then on each mirror. A mirror that
//!    does not answer is not asked again.
//! 3. What is still missing is taken out of a package, through the package manager's own client.
//! 4. Whatever the source, the bytes are checked against their SHA-256, written under a temporary name, and renamed.

use super::package::{Packer, archived, download, from_package};
use super::unpack::{MAX_BYTES, unpacked};
use super::{DATA_VARIABLE, DataError, DataFile, Specification, sha256, specification};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A mirror that has not accepted a connection by then is passed over.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// A file that has not arrived by then is given up.
const FILE_TIMEOUT: Duration = Duration::from_mins(2);
/// The same for an archive of all files.
const ARCHIVE_TIMEOUT: Duration = Duration::from_mins(10);

/// A place on the web.
#[derive(Clone, Copy, Debug)]
pub enum Mirror {
    /// A folder that has `FILE.gz` for each file.
    Folder(&'static str),
    /// A `.tar.gz` with the files.
    Archive {
        /// Its address.
        url: &'static str,
        /// Folder inside.
        folder: &'static str,
    },
}

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
    fetch_from(set, dir, folder.as_deref(), &download, log)
}

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
        match mirror {
            // Whatever the reason, the same mirror would most likely fail for the next file too.
            Mirror::Folder(url) => search.ask(url, Next::Source, |file| from_mirror(url, file))?,
            Mirror::Archive { url, folder } => {
                search.ask_for_all(url, || archived(&get(url, ARCHIVE_TIMEOUT)?, folder))?;
            }
        }
    }
    let source = format!("{} package {}", set.package.manager, set.package.name);
    let target = search.target.clone();
    search.ask_for_all(&source, || from_package(&set.package, &target, packer))?;
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

    /// Asks a source that gives all its files at once, if any is missing.
    fn ask_for_all(
        &mut self,
        source: &str,
        find: impl FnOnce() -> Result<Vec<(String, Vec<u8>)>, String>,
    ) -> Result<(), DataError> {
        if self.missing.is_empty() {
            return Ok(());
        }
        match find() {
            Ok(files) => self.ask(source, Next::File, |file| {
                let found = files.iter().find(|(name, _)| name == file.name);
                checked(file, found.ok_or("it is not in there")?.1.clone())
            }),
            Err(reason) => {
                self.failed(format!("{source}: {reason}"));
                Ok(())
            }
        }
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
    let bytes = get(&format!("{mirror}{name}"), FILE_TIMEOUT)?;
    checked(file, unpacked(&name, bytes)?)
}

fn get(url: &str, timeout: Duration) -> Result<Vec<u8>, String> {
    let config = ureq::Agent::config_builder()
        .timeout_resolve(Some(CONNECT_TIMEOUT))
        .timeout_connect(Some(CONNECT_TIMEOUT))
        .timeout_global(Some(timeout))
        .build();
    let mut response = ureq::Agent::new_with_config(config)
        .get(url)
        .call()
        .map_err(|e| e.to_string())?;
    let body = response.body_mut().with_config().limit(MAX_BYTES);
    body.read_to_vec().map_err(|e| e.to_string())
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
    use super::super::package::Manager;
    use super::super::package::Package;
    use super::*;
    use cryptodl_network::Shape;
    use flate2::Compression;
    use flate2::write::GzEncoder;
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
            manager: Manager::Npm,
            convert: None,
            name: "tiny@1",
            sha256: "",
            folder: "package/data",
        },
        read: |_| unreachable!("fetching does not read"),
    };

    fn no_package(_: &Package, _: &Path) -> Result<PathBuf, String> {
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
}
