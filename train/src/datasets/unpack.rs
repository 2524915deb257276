//! Packed bytes made plain, within a limit.

use flate2::read::GzDecoder;
use std::io::Read;
use std::path::Path;

/// No file of a data set is larger, packed or not.
pub(super) const MAX_BYTES: u64 = 1 << 29;

/// The bytes behind a `.gz`, or the bytes themselves.
pub(super) fn unpacked(name: &str, bytes: Vec<u8>) -> Result<Vec<u8>, String> {
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
