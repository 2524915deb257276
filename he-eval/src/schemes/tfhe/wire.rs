//! Keys and ciphertexts as bytes.
//!
//! A fixed header (magic, version, what it is, fingerprint of the parameters, identity of the key, how
//! many words follow) and then 64-bit words, little endian. Every word is a valid number of the torus,
//! and the only length is compared with the one that the parameters ask for before anything is
//! allocated: hostile bytes decrypt to nonsense, and that is all they can do.

use tfhe::shortint::ClassicPBSParameters;
use thiserror::Error;

/// First bytes of everything.
const MAGIC: &[u8; 8] = b"cryptodl";
/// Of this layout.
const VERSION: u32 = 1;
/// Bytes before the words.
const HEADER: usize = 8 + 4 + 4 + 8 + 16 + 8;

/// What bytes hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The secret key.
    ClientKey = 1,
    /// The evaluation key.
    ServerKey = 2,
    /// Encrypted pixels, seeded.
    Inputs = 3,
    /// Encrypted results.
    Outputs = 4,
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::ClientKey => "client key",
            Self::ServerKey => "server key",
            Self::Inputs => "encrypted image",
            Self::Outputs => "encrypted result",
        })
    }
}

/// Why bytes were not read.
#[derive(Clone, Debug, Error, PartialEq)]
pub enum WireError {
    /// Something else, or another layout.
    #[error("this is no {0} of this program: its first bytes differ")]
    Foreign(Kind),
    /// A later layout.
    #[error("this {kind} has layout {version}, and this program reads {VERSION}: make it again")]
    Version {
        /// What was expected.
        kind: Kind,
        /// The layout found.
        version: u32,
    },
    /// Other parameters.
    #[error(
        "this {0} belongs to other parameters than the network asks for: use another folder of keys"
    )]
    Parameters(Kind),
    /// Too short or too long.
    #[error("this {kind} has {got} bytes where there should be {expected}: it was cut or damaged")]
    Length {
        /// What was expected.
        kind: Kind,
        /// Bytes there should be.
        expected: usize,
        /// Bytes there are.
        got: usize,
    },
    /// Of another key.
    #[error("this {0} belongs to another client key: keys and ciphertexts must be of one kind")]
    Identity(Kind),
    /// Values that cannot be.
    #[error("this {0} is damaged: a value in it is impossible")]
    Damaged(Kind),
}

/// A number that changes with every parameter (FNV-1a over their text).
pub(super) fn fingerprint(set: &ClassicPBSParameters) -> u64 {
    let hash = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    format!("{set:?}").bytes().fold(0xcbf2_9ce4_8422_2325, hash)
}

/// Writes header and words.
pub(super) struct Writer(Vec<u8>);

impl Writer {
    pub fn new(kind: Kind, set: &ClassicPBSParameters, identity: u128, words: usize) -> Self {
        let mut bytes = Vec::with_capacity(HEADER + 8 * words);
        bytes.extend(MAGIC);
        bytes.extend(VERSION.to_le_bytes());
        bytes.extend((kind as u32).to_le_bytes());
        bytes.extend(fingerprint(set).to_le_bytes());
        bytes.extend(identity.to_le_bytes());
        bytes.extend((words as u64).to_le_bytes());
        Self(bytes)
    }

    pub fn words(&mut self, words: &[u64]) {
        self.0
            .extend(words.iter().flat_map(|word| word.to_le_bytes()));
    }

    /// Two words.
    pub fn seed(&mut self, seed: u128) {
        self.0.extend(seed.to_le_bytes());
    }

    pub fn end(self) -> Vec<u8> {
        self.0
    }
}

/// Reads what [`Writer`] wrote.
pub(super) struct Reader<'a> {
    identity: u128,
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Checks everything but the words, of which there must be so many.
    pub fn new(
        kind: Kind,
        bytes: &'a [u8],
        set: &ClassicPBSParameters,
        words: usize,
    ) -> Result<Self, WireError> {
        let length = || WireError::Length {
            kind,
            expected: HEADER + 8 * words,
            got: bytes.len(),
        };
        if bytes.len() < 16 || &bytes[..8] != MAGIC {
            return Err(WireError::Foreign(kind));
        }
        let version = u32::from_le_bytes(bytes[8..12].try_into().expect("four bytes"));
        if version != VERSION {
            return Err(WireError::Version { kind, version });
        }
        if bytes[12..16] != (kind as u32).to_le_bytes() {
            return Err(WireError::Foreign(kind));
        }
        let Some((header, rest)) = bytes.split_at_checked(HEADER) else {
            return Err(length());
        };
        if header[16..24] != fingerprint(set).to_le_bytes() {
            return Err(WireError::Parameters(kind));
        }
        if header[40..48] != (words as u64).to_le_bytes() || rest.len() != 8 * words {
            return Err(length());
        }
        let identity = u128::from_le_bytes(header[24..40].try_into().expect("sixteen bytes"));
        Ok(Self { identity, rest })
    }

    pub fn identity(&self) -> u128 {
        self.identity
    }

    pub fn words(&mut self, count: usize) -> Vec<u64> {
        let (words, rest) = self.rest.split_at(8 * count);
        self.rest = rest;
        let words = words.chunks_exact(8);
        words
            .map(|word| u64::from_le_bytes(word.try_into().expect("eight bytes")))
            .collect()
    }

    pub fn seed(&mut self) -> u128 {
        let words = self.words(2);
        u128::from(words[0]) | u128::from(words[1]) << 64
    }
}
