//! What bytes are: their layout, what they hold, and for which parameters.

use sha2::{Digest, Sha256};

/// Of the layout. Version 1 was that of the keys for table look-ups, before there was one layout for all.
pub const VERSION: u16 = 2;

/// What bytes hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kind {
    /// Four characters in the header.
    pub tag: [u8; 4],
    /// What people call it, with its article: `a public key`.
    pub name: &'static str,
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

/// Tells parameters apart: a SHA-256 hash of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fingerprint(pub [u8; 32]);

impl Fingerprint {
    /// Where there are no parameters.
    pub const NONE: Self = Self([0; 32]);

    /// Of bytes that describe the parameters wholly.
    pub fn of(description: &[u8]) -> Self {
        Self(Sha256::digest(description).into())
    }
}
