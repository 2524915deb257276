//! A folder with a client key and a server key.

use std::{
    fs,
    io::{ErrorKind, Write},
    path::Path,
};

use tfhe::shortint::{ClassicPBSParameters, atomic_pattern::StandardAtomicPatternServerKey};

use super::{
    keys::{SecretKey, SeededServerKey},
    wire::{Kind, WireError},
};
use crate::EvalError;

const CLIENT: &str = "client.key";
const SERVER: &str = "server.key";

/// Reads both keys, or makes and keeps them if neither is there.
///
/// # Errors
/// When a file is missing beside the other, damaged, of other parameters or of another key.
pub(super) fn open(
    folder: &Path,
    set: &ClassicPBSParameters,
) -> Result<(SecretKey, StandardAtomicPatternServerKey), EvalError> {
    let client = read(&folder.join(CLIENT))?;
    let server = read(&folder.join(SERVER))?;
    match (client, server) {
        (Some(client), Some(server)) => {
            let client = SecretKey::from_bytes(&client, set).map_err(of(&folder.join(CLIENT)))?;
            let path = folder.join(SERVER);
            let server = SeededServerKey::from_bytes(&server, set).map_err(of(&path))?;
            if server.identity != client.identity {
                return Err(of(&path)(WireError::Identity(Kind::ServerKey)));
            }
            Ok((client, server.expand()))
        }
        (None, None) => {
            fs::create_dir_all(folder).map_err(|e| io(folder, &e))?;
            let client = SecretKey::generate(set);
            let server = client.server_key(set);
            write(&folder.join(SERVER), &server.to_bytes(set))?;
            write(&folder.join(CLIENT), &client.to_bytes(set))?;
            Ok((client, server.expand()))
        }
        (Some(_), None) => Err(EvalError::KeyMissing {
            path: folder.join(SERVER),
        }),
        (None, Some(_)) => Err(EvalError::KeyMissing {
            path: folder.join(CLIENT),
        }),
    }
}

fn of(path: &Path) -> impl Fn(WireError) -> EvalError + '_ {
    |source| EvalError::Key {
        path: path.to_owned(),
        source,
    }
}

fn io(path: &Path, error: &std::io::Error) -> EvalError {
    EvalError::File {
        path: path.to_owned(),
        reason: error.to_string(),
    }
}

fn read(path: &Path) -> Result<Option<Vec<u8>>, EvalError> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(io(path, &error)),
    }
}

/// Writes under a temporary name and renames, so that the file is there complete or not at all; only the
/// owner may read it.
fn write(path: &Path, bytes: &[u8]) -> Result<(), EvalError> {
    let partial = path.with_extension("partial");
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&partial).map_err(|e| io(&partial, &e))?;
    file.write_all(bytes)
        .and_then(|()| file.sync_all())
        .and_then(|()| fs::rename(&partial, path))
        .map_err(|e| io(path, &e))
}
