//! What stands around payloads: their size with it, and payloads that nobody wrote, for tests and fuzzers.

pub use crate::header::size;
use crate::{
    header::{CHECKSUM_BYTES, HEADER_BYTES, Header},
    wire::{Parameters, Wire},
};

/// Any payload between the header and the checksum that a `T` for these parameters has, so that its reader comes to it.
pub fn frame<T: Wire>(parameters: &T::Parameters, payload: &[u8]) -> Vec<u8> {
    let header = Header {
        kind: T::KIND,
        word_bytes: T::WORD_BYTES,
        fingerprint: parameters.fingerprint(),
        payload: payload.len() as u64,
    };
    let mut bytes = [header.to_bytes().as_slice(), payload].concat();
    bytes.extend(crc32fast::hash(&bytes).to_le_bytes());
    bytes
}

/// The payload among all bytes of a value.
///
/// # Panics
/// When there are fewer than a value has.
pub fn payload(bytes: &[u8]) -> &[u8] {
    &bytes[HEADER_BYTES..bytes.len() - CHECKSUM_BYTES as usize]
}
