//! A folder with a client key and a server key.
//!
//! Both keys are written under other names first, and both are complete on disk before either gets its own name. So
//! whatever kills the process, the next one finds no keys, and makes some; or both; or one and the other under its first
//! name, and finishes. One process makes keys at a time.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, ErrorKind},
    path::Path,
};

use cryptodl_wire::{Wire, WireError};

use super::{
    error::TfheError,
    keys::{TfheKeys, TfheParameters, TfheSecretKey},
};

const CLIENT: &str = "client.key";
const SERVER: &str = "server.key";
/// Extension of a key whose other one may not be complete yet.
const PARTIAL: &str = "partial";
/// Whoever makes keys holds a lock on this file.
const LOCK: &str = "lock";

type Pair = (TfheSecretKey, TfheKeys);

/// Reads both keys, or makes and keeps them if neither is there.
///
/// # Errors
/// When a file is missing beside the other, damaged, of other parameters or of another key.
pub(super) fn open(folder: &Path, set: &TfheParameters) -> Result<Pair, TfheError> {
    if let Some(pair) = read_both(&folder.join(CLIENT), &folder.join(SERVER), set)? {
        return Ok(pair);
    }
    fs::create_dir_all(folder).map_err(io(folder))?;
    let path = folder.join(LOCK);
    let lock = File::create(&path).map_err(io(&path))?;
    lock.lock().map_err(io(&path))?;
    let pair = make(folder, set)?;
    // from now on nobody makes keys here, so nobody needs the lock; it may also stay
    drop(fs::remove_file(&path));
    Ok(pair)
}

/// With the lock: what another process made meanwhile, what one began, or new keys.
fn make(folder: &Path, set: &TfheParameters) -> Result<Pair, TfheError> {
    let [client, server] = [CLIENT, SERVER].map(|name| folder.join(name));
    let [begun_client, begun_server] = [&client, &server].map(|path| path.with_extension(PARTIAL));
    if let Some(pair) = read_both(&client, &server, set)? {
        return Ok(pair);
    }
    match (client.exists(), server.exists()) {
        (true, false) => {
            return finish(
                read_both(&client, &begun_server, set),
                &begun_server,
                &server,
            );
        }
        (false, true) => {
            return finish(
                read_both(&begun_client, &server, set),
                &begun_client,
                &client,
            );
        }
        _ => {}
    }
    let secret = TfheSecretKey::generate(set);
    let key = secret.server_key();
    write(&begun_server, &key)?;
    write(&begun_client, &secret)?;
    fs::rename(&begun_server, &server).map_err(io(&server))?;
    fs::rename(&begun_client, &client).map_err(io(&client))?;
    Ok((secret, key))
}

/// Gives a key its own name, if it is complete and belongs to the other one.
fn finish(
    pair: Result<Option<Pair>, TfheError>,
    begun: &Path,
    path: &Path,
) -> Result<Pair, TfheError> {
    let Ok(Some(pair)) = pair else {
        return Err(TfheError::KeyMissing { path: path.into() });
    };
    fs::rename(begun, path).map_err(io(path))?;
    Ok(pair)
}

/// Both keys, if both are there.
fn read_both(
    client: &Path,
    server: &Path,
    set: &TfheParameters,
) -> Result<Option<Pair>, TfheError> {
    let (Some(from_client), Some(from_server)) = (existing(client)?, existing(server)?) else {
        return Ok(None);
    };
    let secret: TfheSecretKey = read(&from_client, client, set)?;
    let key: TfheKeys = read(&from_server, server, set)?;
    if key.identity != secret.identity {
        return Err(TfheError::OtherClient {
            path: server.to_owned(),
        });
    }
    Ok(Some((secret, key)))
}

/// The one value that a file holds.
fn read<W: Wire>(file: &File, path: &Path, parameters: &W::Parameters) -> Result<W, TfheError> {
    let length = file.metadata().map_err(io(path))?.len();
    // not through a buffer: what it holds of a secret would stay in memory
    let value = W::read_from(parameters, &mut &*file, length).map_err(of(path))?;
    match length - value.size() {
        0 => Ok(value),
        bytes => Err(of(path)(WireError::Trailing {
            kind: W::KIND,
            bytes,
        })),
    }
}

fn of(path: &Path) -> impl Fn(WireError) -> TfheError + '_ {
    |source| TfheError::Key {
        path: path.to_owned(),
        source,
    }
}

fn io(path: &Path) -> impl Fn(io::Error) -> TfheError + '_ {
    |source| TfheError::File {
        path: path.to_owned(),
        source,
    }
}

fn existing(path: &Path) -> Result<Option<File>, TfheError> {
    match File::open(path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(io(path)(error)),
    }
}

/// Writes a new file that only the owner may read, from its first byte on, and waits until it is on disk.
fn write(path: &Path, key: &impl Wire) -> Result<(), TfheError> {
    // what an earlier process left may be anybody's to read
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(io(path)(error)),
        _ => {}
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(path).map_err(io(path))?;
    let written = key.write_to(&mut &file).and_then(|()| file.sync_all());
    written.map_err(io(path))
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::schemes::tfhe::parameters::{SETS, toy};

    fn set() -> TfheParameters {
        TfheParameters(toy(SETS[0].set))
    }

    fn identity(folder: &Path) -> u128 {
        open(folder, &set()).unwrap().0.identity
    }

    fn files(folder: &Path) -> Vec<PathBuf> {
        let files = fs::read_dir(folder).unwrap();
        let mut files: Vec<PathBuf> = files.map(|file| file.unwrap().file_name().into()).collect();
        files.sort();
        files
    }

    #[test]
    fn starts_at_once_get_the_same_keys() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("keys");
        let identities: Vec<u128> = std::thread::scope(|scope| {
            let starts: Vec<_> = (0..4).map(|_| scope.spawn(|| identity(&folder))).collect();
            starts
                .into_iter()
                .map(|start| start.join().unwrap())
                .collect()
        });
        assert!(identities.iter().all(|&other| other == identities[0]));
        assert_eq!(files(&folder), [PathBuf::from(CLIENT), SERVER.into()]);
    }

    #[cfg(unix)]
    #[test]
    fn nobody_else_may_read_a_key_even_where_a_readable_file_lay() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let left = folder.path().join(CLIENT).with_extension(PARTIAL);
        fs::write(&left, "what an earlier process left").unwrap();
        fs::set_permissions(&left, fs::Permissions::from_mode(0o666)).unwrap();
        identity(folder.path());
        for name in [CLIENT, SERVER] {
            let mode = fs::metadata(folder.path().join(name))
                .unwrap()
                .permissions()
                .mode();
            assert_eq!(mode & 0o777, 0o600, "{name}");
        }
        assert_eq!(files(folder.path()), [PathBuf::from(CLIENT), SERVER.into()]);
    }

    #[test]
    fn a_start_that_was_killed_at_any_moment_leaves_nothing_unusable() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let partial = |name: &str| path(name).with_extension(PARTIAL);
        let first = identity(folder.path());
        // between the two renames
        for name in [CLIENT, SERVER] {
            fs::rename(path(name), partial(name)).unwrap();
            assert_eq!(identity(folder.path()), first, "{name}");
        }
        // before the first one, and while the second key was being written
        for cut in [false, true] {
            for name in [CLIENT, SERVER] {
                fs::rename(path(name), partial(name)).unwrap();
            }
            if cut {
                fs::write(partial(CLIENT), "half").unwrap();
            }
            assert_ne!(identity(folder.path()), first);
        }
        assert_eq!(files(folder.path()), [PathBuf::from(CLIENT), SERVER.into()]);
    }

    #[test]
    fn a_key_that_is_gone_is_missed_even_if_another_was_begun() {
        for (name, begun) in [
            (CLIENT, false),
            (SERVER, false),
            (CLIENT, true),
            (SERVER, true),
        ] {
            let [folder, other] = [(); 2].map(|()| tempfile::tempdir().unwrap());
            identity(folder.path());
            identity(other.path());
            let path = folder.path().join(name);
            fs::remove_file(&path).unwrap();
            if begun {
                fs::copy(other.path().join(name), path.with_extension(PARTIAL)).unwrap();
            }
            let error = open(folder.path(), &set()).err().unwrap();
            assert!(matches!(error, TfheError::KeyMissing { .. }), "{error}");
        }
    }
}
