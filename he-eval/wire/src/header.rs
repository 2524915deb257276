//! What stands in front of every payload.

use crate::{
    error::WireError,
    kind::{Fingerprint, Kind, VERSION},
};

/// First bytes of everything.
pub(crate) const MAGIC: &[u8; 8] = b"cryptodl";

/// Bytes in front of the payload.
pub(crate) const HEADER_BYTES: usize = 56;

/// Bytes behind the payload.
pub(crate) const CHECKSUM_BYTES: u64 = 4;

/// Bytes of the whole around a payload of so many.
pub fn size(payload: u64) -> u64 {
    HEADER_BYTES as u64 + payload + CHECKSUM_BYTES
}

/// The fields that differ from one value to another.
pub(crate) struct Header {
    pub kind: Kind,
    pub word_bytes: u8,
    pub fingerprint: Fingerprint,
    pub payload: u64,
}

impl Header {
    pub fn to_bytes(&self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        bytes[..8].copy_from_slice(MAGIC);
        bytes[8..10].copy_from_slice(&VERSION.to_le_bytes());
        bytes[10] = self.word_bytes;
        bytes[12..16].copy_from_slice(&self.kind.tag);
        bytes[16..48].copy_from_slice(&self.fingerprint.0);
        bytes[48..].copy_from_slice(&self.payload.to_le_bytes());
        bytes
    }

    /// The bytes of the payload, if everything else behind the magic is as wanted and they are not above the limit.
    pub fn check(
        bytes: &[u8; HEADER_BYTES],
        kind: Kind,
        word_bytes: u8,
        fingerprint: Fingerprint,
        limit: u64,
    ) -> Result<u64, WireError> {
        let version = u16::from_le_bytes([bytes[8], bytes[9]]);
        if version != VERSION {
            return Err(WireError::Version { kind, version });
        }
        if bytes[12..16] != kind.tag {
            return Err(WireError::OtherKind {
                kind,
                tag: bytes[12..16].escape_ascii().to_string(),
            });
        }
        if bytes[10] != word_bytes {
            return Err(WireError::OtherWords {
                kind,
                found: bytes[10],
                wanted: word_bytes,
            });
        }
        if bytes[11] != 0 {
            return Err(WireError::Malformed {
                kind,
                reason: "a byte of its header that must be zero is not".into(),
            });
        }
        if bytes[16..48] != fingerprint.0 {
            return Err(WireError::OtherParameters { kind });
        }
        let length = bytes[48..].try_into().expect("eight bytes");
        let payload = u64::from_le_bytes(length);
        if payload > limit {
            return Err(WireError::TooLarge {
                kind,
                bytes: payload,
                limit,
            });
        }
        Ok(payload)
    }
}
