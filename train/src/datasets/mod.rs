//! Data sets by name: where they come from, how to know them, and how to read them.
//!
//! The files of a set lie in `<dir>/<name>/`. Every file has a known SHA-256, which is checked when it is fetched and
//! again when it is read: a truncated or altered file is never used.

mod cifar10;
mod fashion_mnist;
mod fetch;
mod idx;
mod mnist;
mod package;
mod unpack;

pub use fetch::{Mirror, fetch};
pub use package::{Manager, Package};

use cryptodl_network::{Normalisation, Shape};
use sha2::{Digest, Sha256};
use std::path::{Path, PathBuf};
use thiserror::Error;

/// Environment variable that names the folder of the data sets.
pub const DATA_VARIABLE: &str = "CRYPTODL_DATA";

/// Why a data set is not there.
#[derive(Debug, Error)]
pub enum DataError {
    /// No data set of that name.
    #[error("unknown data set `{name}`: known ones are {}", known.join(", "))]
    Unknown {
        /// What was asked for.
        name: String,
        /// Every name that would have worked.
        known: Vec<&'static str>,
    },
    /// The file system said no.
    #[error("cannot {action} `{}`: {source}", path.display())]
    Io {
        /// `read`, `write` or `make`.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Not fetched yet.
    #[error("`{}` is missing: run `cryptodl data fetch {dataset}`", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
        /// Its data set.
        dataset: &'static str,
    },
    /// Not the bytes that were published.
    #[error("`{}` is truncated or altered (SHA-256 {found}, expected {expected}): delete it and run `cryptodl data fetch {dataset}`", path.display())]
    Checksum {
        /// The file.
        path: PathBuf,
        /// Its data set.
        dataset: &'static str,
        /// SHA-256 of what is there.
        found: String,
        /// SHA-256 of what was published.
        expected: &'static str,
    },
    /// The right checksum, but not the format that the program expects.
    #[error("`{}` cannot be read: {reason}", path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Every source was tried in vain.
    #[error("could not fetch data set `{dataset}`:\n{}\nput the files {} into `{}` yourself, or name a folder that has them in {DATA_VARIABLE}",
        attempts.iter().map(|attempt| format!("  {attempt}")).collect::<Vec<_>>().join("\n"), files.join(", "), folder.display())]
    Unreachable {
        /// The data set.
        dataset: &'static str,
        /// One line a source: what it was and why it failed.
        attempts: Vec<String>,
        /// The files that are still missing.
        files: Vec<&'static str>,
        /// Where they belong.
        folder: PathBuf,
    },
}

/// A file of a data set.
#[derive(Clone, Copy, Debug)]
pub struct DataFile {
    /// Name in the folder of the set.
    pub name: &'static str,
    /// SHA-256 of its bytes, lower-case hexadecimal.
    pub sha256: &'static str,
}

/// Gives the checked bytes of a file of the set.
type Files<'a> = &'a dyn Fn(&'static str) -> Result<Vec<u8>, DataError>;
/// Training and test images out of the files of a set.
type Reader = fn(Files) -> Result<(Images, Images), DataError>;

/// What is known of a data set before it is there.
#[derive(Debug)]
pub struct Specification {
    /// Name on the command line, and of its folder.
    pub name: &'static str,
    /// One line.
    pub summary: &'static str,
    /// Shape of an image.
    pub shape: Shape,
    /// Number of classes; labels count from 0.
    pub classes: usize,
    /// Mean of each channel over the training images, on pixels scaled to `[0, 1]`.
    pub mean: &'static [f32],
    /// Standard deviation of each channel over the training images, on pixels scaled to `[0, 1]`.
    pub deviation: &'static [f32],
    /// What has to be there.
    pub files: &'static [DataFile],
    /// Places on the web that have the files.
    pub mirrors: &'static [Mirror],
    /// A package that carries the files.
    pub package: Package,
    read: Reader,
}

impl Specification {
    /// How pixels become input values.
    pub fn normalisation(&self) -> Normalisation {
        Normalisation {
            mean: self.mean.to_vec(),
            deviation: self.deviation.to_vec(),
            standardised: false,
        }
    }
}

/// Images with their labels.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Images {
    /// Shape of an image.
    pub shape: Shape,
    /// All pixels, `[image, channel, row, column]` row-major.
    pub pixels: Vec<u8>,
    /// Class of each image.
    pub labels: Vec<u8>,
}

impl Images {
    /// Number of images.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// True if there is none.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// Pixels of one image.
    ///
    /// # Panics
    /// If there are not that many images.
    pub fn image(&self, index: usize) -> &[u8] {
        let size = self.shape.len();
        &self.pixels[index * size..][..size]
    }
}

/// A data set in memory.
#[derive(Clone, Debug)]
pub struct Dataset {
    /// Its name.
    pub name: String,
    /// Images to learn from.
    pub train: Images,
    /// Images to judge by, once, at the end.
    pub test: Images,
    /// File name and SHA-256 of every file it was read from.
    pub hashes: Vec<(String, String)>,
}

/// The only place that knows all of them.
static DATASETS: &[&Specification] = &[
    &mnist::MNIST,
    &fashion_mnist::FASHION_MNIST,
    &cifar10::CIFAR10,
];

/// Every data set.
pub fn datasets() -> &'static [&'static Specification] {
    DATASETS
}

/// What is known of the data set of that name.
///
/// # Errors
/// [`DataError::Unknown`], which lists the known names.
pub fn specification(name: &str) -> Result<&'static Specification, DataError> {
    let known = datasets();
    known
        .iter()
        .find(|set| set.name == name)
        .copied()
        .ok_or_else(|| DataError::Unknown {
            name: name.to_owned(),
            known: known.iter().map(|set| set.name).collect(),
        })
}

/// Where data sets lie: the folder that `CRYPTODL_DATA` names, or else `data` in the current folder.
pub fn default_dir() -> PathBuf {
    std::env::var_os(DATA_VARIABLE)
        .filter(|value| !value.is_empty())
        .map_or_else(|| "data".into(), PathBuf::from)
}

/// Reads a data set from `dir/<name>/`, checking every file.
///
/// # Errors
/// One sentence that names the file and what to do, see [`DataError`].
pub fn load(name: &str, dir: &Path) -> Result<Dataset, DataError> {
    let set = specification(name)?;
    let (train, test) = (set.read)(&|file| read_checked(set, dir, file))?;
    let hashes = set
        .files
        .iter()
        .map(|file| (file.name.to_owned(), file.sha256.to_owned()))
        .collect();
    Ok(Dataset {
        name: set.name.to_owned(),
        train,
        test,
        hashes,
    })
}

fn read_checked(
    set: &'static Specification,
    dir: &Path,
    name: &'static str,
) -> Result<Vec<u8>, DataError> {
    let file = set
        .files
        .iter()
        .find(|file| file.name == name)
        .expect("a reader asks for files of its set");
    let path = dir.join(set.name).join(name);
    let bytes = std::fs::read(&path).map_err(|source| match source.kind() {
        std::io::ErrorKind::NotFound => DataError::Missing {
            path: path.clone(),
            dataset: set.name,
        },
        _ => DataError::Io {
            action: "read",
            path: path.clone(),
            source,
        },
    })?;
    let found = sha256(&bytes);
    if found != file.sha256 {
        return Err(DataError::Checksum {
            path,
            dataset: set.name,
            found,
            expected: file.sha256,
        });
    }
    Ok(bytes)
}

/// SHA-256 in lower-case hexadecimal.
fn sha256(bytes: &[u8]) -> String {
    hexadecimal(&Sha256::digest(bytes))
}

/// Lower-case hexadecimal.
pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_set_lists_the_known_ones() {
        let message = load("minst", Path::new("data")).unwrap_err().to_string();
        assert!(
            message.contains("`minst`") && message.contains("mnist"),
            "{message}"
        );
    }

    #[test]
    fn missing_and_altered_files_are_named_with_what_to_do() {
        let dir = tempfile::tempdir().unwrap();
        let missing = load("mnist", dir.path()).unwrap_err();
        assert!(matches!(missing, DataError::Missing { .. }));
        assert!(missing.to_string().contains("cryptodl data fetch mnist"));

        let folder = dir.path().join("mnist");
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join("train-images-idx3-ubyte"), b"cut short").unwrap();
        let altered = load("mnist", dir.path()).unwrap_err();
        assert!(matches!(altered, DataError::Checksum { .. }));
        assert!(
            altered
                .to_string()
                .contains("train-images-idx3-ubyte` is truncated or altered"),
            "{altered}"
        );
    }

    #[test]
    fn checksums_are_lower_case_hexadecimal() {
        // FIPS 180-2, appendix B.1.
        assert_eq!(
            sha256(b"abc"),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        for set in datasets() {
            for sum in set
                .files
                .iter()
                .map(|file| file.sha256)
                .chain([set.package.sha256])
            {
                assert!(
                    sum.len() == 64 && sum.chars().all(|c| matches!(c, '0'..='9' | 'a'..='f')),
                    "{sum}"
                );
            }
        }
    }
}
