//! Named tensors and a few words of text in one safetensors file: floats of 32 bits, little endian, and of 16 bits where
//! that loses nothing.
//!
//! Reading bounds the size of the file before any memory is set aside; the header's lengths and offsets are checked by
//! the `safetensors` crate. Writing happens here and not in that crate because that writes its metadata in an order
//! that changes from run to run: here equal contents make equal files.

use half::f16;
use safetensors::{Dtype, SafeTensors};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use thiserror::Error;

/// Larger files are refused unread.
const MAX_FILE_BYTES: u64 = 1 << 30;

/// Why a file of tensors could not be read or written.
#[derive(Debug, Error)]
pub enum TensorFileError {
    /// The file system said no.
    #[error("cannot {action} `{}`: {source}", path.display())]
    Io {
        /// `read` or `write`.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Too large to be a file of this project.
    #[error("`{}` has {bytes} bytes: a file of tensors has at most {MAX_FILE_BYTES}", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its size.
        bytes: u64,
    },
    /// Not a whole safetensors file.
    #[error("`{}` is not a whole safetensors file ({reason}): it may be cut short, so fetch or train it again", path.display())]
    Broken {
        /// The file.
        path: PathBuf,
        /// What the parser said.
        reason: String,
    },
    /// A tensor of something else than floats of 32 or 16 bits.
    #[error("`{}`: tensor `{name}` has type {dtype}, not F32 or F16", path.display())]
    Type {
        /// The file.
        path: PathBuf,
        /// The tensor.
        name: String,
        /// Its type.
        dtype: String,
    },
}

/// A tensor of 32-bit floats, row-major.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    /// Size of each axis.
    pub shape: Vec<usize>,
    /// The values, as many as the product of the sizes.
    pub data: Vec<f32>,
}

/// What a file of tensors holds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TensorFile {
    /// Free text by key.
    pub metadata: BTreeMap<String, String>,
    /// Tensors by name.
    pub tensors: BTreeMap<String, Tensor>,
}

/// A tensor's entry in the header.
#[derive(Serialize)]
struct Entry<'a> {
    dtype: &'static str,
    shape: &'a [usize],
    data_offsets: [usize; 2],
}

impl TensorFile {
    /// Reads a file. Nothing is known about names, shapes and values afterwards: that is for the caller to check.
    ///
    /// # Errors
    /// One sentence that names the file and what is wrong with it.
    pub fn load(path: &Path) -> Result<Self, TensorFileError> {
        let bytes = read(path)?;
        let broken = |reason: &dyn std::fmt::Display| TensorFileError::Broken {
            path: path.to_owned(),
            // The parser may quote the file, which may hold anything.
            reason: reason.to_string().escape_debug().take(200).collect(),
        };
        let (_, header) = SafeTensors::read_metadata(&bytes).map_err(|e| broken(&e))?;
        let file = SafeTensors::deserialize(&bytes).map_err(|e| broken(&e))?;
        let mut tensors = BTreeMap::new();
        for (name, view) in file.iter() {
            let data = match view.dtype() {
                Dtype::F32 => {
                    let (words, _) = view.data().as_chunks::<4>();
                    words.iter().map(|word| f32::from_le_bytes(*word)).collect()
                }
                Dtype::F16 => {
                    let (words, _) = view.data().as_chunks::<2>();
                    let words = words.iter().map(|word| f16::from_le_bytes(*word));
                    words.map(f16::to_f32).collect()
                }
                other => {
                    return Err(TensorFileError::Type {
                        path: path.to_owned(),
                        name: name.to_owned(),
                        dtype: format!("{other:?}"),
                    });
                }
            };
            tensors.insert(
                name.to_owned(),
                Tensor {
                    shape: view.shape().to_vec(),
                    data,
                },
            );
        }
        let metadata = header.metadata().iter().flatten();
        let metadata = metadata
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
        Ok(Self { metadata, tensors })
    }

    /// Writes the file under a temporary name beside `path`, then renames it: a reader sees the old file or the whole
    /// new one. Missing folders are made.
    ///
    /// # Errors
    /// [`TensorFileError::Io`] if the file cannot be written.
    pub fn save(&self, path: &Path) -> Result<(), TensorFileError> {
        let written = write_atomically(path, &self.to_bytes());
        written.map_err(|source| TensorFileError::Io {
            action: "write",
            path: path.to_owned(),
            source,
        })
    }

    /// The file: length of the header, header, data.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        const STRINGS: &str = "maps with string keys and numbers always become JSON";
        let mut header = BTreeMap::from([(
            "__metadata__",
            serde_json::to_value(&self.metadata).expect(STRINGS),
        )]);
        let fits = |(_, tensor): &(_, &Tensor)| tensor.data.iter().all(|value| is_short(*value));
        // Those of 32 bits come first, so that they lie at multiples of 4 bytes.
        let (short, whole): (Vec<_>, Vec<_>) = self.tensors.iter().partition(fits);
        let mut data = Vec::new();
        for (index, (name, tensor)) in whole.iter().chain(&short).enumerate() {
            let start = data.len();
            let dtype = if index < whole.len() { "F32" } else { "F16" };
            for value in &tensor.data {
                match dtype {
                    "F32" => data.extend(value.to_le_bytes()),
                    _ => data.extend(f16::from_f32(*value).to_le_bytes()),
                }
            }
            let entry = Entry {
                dtype,
                shape: &tensor.shape,
                data_offsets: [start, data.len()],
            };
            header.insert(name, serde_json::to_value(entry).expect(STRINGS));
        }
        let mut header = serde_json::to_vec(&header).expect(STRINGS);
        // The data begins at a multiple of 8 bytes, as the format asks; spaces are allowed after the JSON.
        header.resize(header.len().next_multiple_of(8), b' ');
        let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
        bytes.extend(header);
        bytes.extend(data);
        bytes
    }
}

/// Whether 16 bits hold a value as it is.
fn is_short(value: f32) -> bool {
    f16::from_f32(value).to_f32().to_bits() == value.to_bits()
}

fn read(path: &Path) -> Result<Vec<u8>, TensorFileError> {
    let failed = |source| TensorFileError::Io {
        action: "read",
        path: path.to_owned(),
        source,
    };
    let file = File::open(path).map_err(failed)?;
    let bytes = file.metadata().map_err(failed)?.len();
    if bytes > MAX_FILE_BYTES {
        return Err(TensorFileError::TooLarge {
            path: path.to_owned(),
            bytes,
        });
    }
    let mut buffer = Vec::new();
    // A pipe or a growing file announces less than it gives: stop there too.
    file.take(MAX_FILE_BYTES)
        .read_to_end(&mut buffer)
        .map_err(failed)?;
    Ok(buffer)
}

fn write_atomically(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    if let Some(folder) = path
        .parent()
        .filter(|folder| !folder.as_os_str().is_empty())
    {
        std::fs::create_dir_all(folder)?;
    }
    let mut temporary = path.as_os_str().to_owned();
    // The process id keeps two writers of one file apart.
    temporary.push(format!(".{}.partial", std::process::id()));
    let temporary = PathBuf::from(temporary);
    let written = File::create(&temporary)
        .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()))
        .and_then(|()| std::fs::rename(&temporary, path));
    if written.is_err() {
        // The first error is what matters; a leftover temporary file is harmless.
        let _ = std::fs::remove_file(&temporary);
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file() -> TensorFile {
        let tensor = Tensor {
            shape: vec![2, 3],
            data: vec![0.0, -0.5, 1e-30, f32::MAX, 4.0, 5.0],
        };
        TensorFile {
            metadata: BTreeMap::from([
                ("b".into(), "two".into()),
                ("a".into(), "\"one\"\n".into()),
            ]),
            tensors: BTreeMap::from([("z".into(), tensor.clone()), ("y".into(), tensor)]),
        }
    }

    fn load(bytes: &[u8]) -> Result<TensorFile, TensorFileError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tensors.safetensors");
        std::fs::write(&path, bytes).unwrap();
        TensorFile::load(&path)
    }

    #[test]
    fn what_is_saved_is_what_is_loaded() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("made/on/the/way.safetensors");
        file().save(&path).unwrap();
        assert_eq!(TensorFile::load(&path).unwrap(), file());
        // No temporary file stays behind.
        assert_eq!(
            std::fs::read_dir(path.parent().unwrap()).unwrap().count(),
            1
        );
    }

    #[test]
    fn values_of_16_bits_take_half_the_space_and_stay_as_they_are() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tensors.safetensors");
        // the last is the smallest of 16 bits
        let short = [0.0, -0.0, 1.0 / 3.0, 65504.0, 5.960_464_5e-8];
        let short = short.map(|value| f16::from_f32(value).to_f32());
        let size = |extra: f32| {
            let mut file = file();
            let data = short.iter().copied().cycle().take(1000).chain([extra]);
            let tensor = Tensor {
                shape: vec![1001],
                data: data.collect(),
            };
            file.tensors.insert("long".into(), tensor);
            file.save(&path).unwrap();
            let bits = |file: &TensorFile| -> Vec<u32> {
                let data = file.tensors["long"].data.iter();
                data.map(|value| value.to_bits()).collect()
            };
            assert_eq!(bits(&TensorFile::load(&path).unwrap()), bits(&file));
            std::fs::metadata(&path).unwrap().len()
        };
        let (halves, whole) = (size(2.0), size(1.0 / 3.0));
        assert!(halves + 1990 < whole, "{halves} {whole}");
        // one too large, one too small, one too long
        for other in [1e6, 1e-9, 1.0 + f32::EPSILON] {
            assert_eq!(size(other), whole, "{other}");
        }
    }

    #[test]
    fn every_truncation_is_refused() {
        let bytes = file().to_bytes();
        for length in 0..bytes.len() {
            let error = load(&bytes[..length]).unwrap_err();
            assert!(
                matches!(error, TensorFileError::Broken { .. }),
                "{length}: {error}"
            );
        }
    }

    #[test]
    fn a_huge_header_length_is_refused() {
        let mut bytes = file().to_bytes();
        bytes[..8].copy_from_slice(&u64::MAX.to_le_bytes());
        assert!(matches!(load(&bytes), Err(TensorFileError::Broken { .. })));
    }

    #[test]
    fn other_types_and_missing_files_are_refused() {
        let text = String::from_utf8_lossy(&file().to_bytes()[..]).into_owned();
        assert!(text.contains("\"F32\""));
        let mut bytes = file().to_bytes();
        let at = bytes
            .windows(3)
            .position(|window| window == b"F32")
            .unwrap();
        bytes[at] = b'I';
        assert!(matches!(load(&bytes), Err(TensorFileError::Type { .. })));
        let nowhere = TensorFile::load(Path::new("/nowhere/net.safetensors")).unwrap_err();
        assert!(matches!(
            nowhere,
            TensorFileError::Io { action: "read", .. }
        ));
    }
}
