//! Why bytes were not read.

use thiserror::Error;

use crate::kind::{Kind, VERSION};

/// Why bytes were not read.
#[derive(Debug, Error)]
pub enum WireError {
    /// Not of this program.
    #[error(
        "this is not {kind}: it does not begin as what this program writes; check what was sent"
    )]
    Foreign {
        /// What was expected.
        kind: Kind,
    },
    /// An earlier or later layout.
    #[error(
        "cannot read {kind} of layout {version}: this program knows layout {VERSION}; make it again with this version"
    )]
    Version {
        /// What was expected.
        kind: Kind,
        /// The layout found.
        version: u16,
    },
    /// Of this program, but something else.
    #[error(
        "this is something else, `{tag}`, where {kind} is needed: check that files were not swapped"
    )]
    OtherKind {
        /// What was expected.
        kind: Kind,
        /// The tag found.
        tag: String,
    },
    /// The writer computes with words of another width.
    #[error(
        "cannot read {kind} with words of {found} bytes, where {wanted} are needed: make it again with this version"
    )]
    OtherWords {
        /// What was expected.
        kind: Kind,
        /// Bytes of a word found.
        found: u8,
        /// Bytes of a word expected.
        wanted: u8,
    },
    /// The fingerprint is another.
    #[error(
        "this is {kind} that was made for other parameters: use those, or make it again for these"
    )]
    OtherParameters {
        /// What was expected.
        kind: Kind,
    },
    /// More than the caller wants to read.
    #[error(
        "cannot read {kind} of {bytes} bytes: at most {limit} are accepted here; raise the limit if you trust its sender"
    )]
    TooLarge {
        /// What was expected.
        kind: Kind,
        /// Bytes of its payload, as it says.
        bytes: u64,
        /// The most.
        limit: u64,
    },
    /// The bytes end too early.
    #[error("cannot read {kind}: it is cut short; transfer it again")]
    CutShort {
        /// What was expected.
        kind: Kind,
    },
    /// The length does not follow from what it holds.
    #[error(
        "cannot read {kind}: its payload has {found} bytes where it needs {needed}; make it again"
    )]
    Length {
        /// What was expected.
        kind: Kind,
        /// Bytes there are.
        found: u64,
        /// Bytes there should be.
        needed: u64,
    },
    /// Bytes behind the end.
    #[error("cannot read {kind}: {bytes} bytes follow its end; transfer it again")]
    Trailing {
        /// What was expected.
        kind: Kind,
        /// Bytes too many.
        bytes: u64,
    },
    /// Bytes were changed on the way.
    #[error("cannot read {kind}: its checksum is wrong, so it was damaged; transfer it again")]
    Checksum {
        /// What was expected.
        kind: Kind,
    },
    /// A value that cannot be.
    #[error("cannot read {kind}: {reason}; make it again")]
    Malformed {
        /// What was expected.
        kind: Kind,
        /// What is wrong.
        reason: String,
    },
    /// No memory for what it holds.
    #[error("cannot read {kind}: there is no memory for its {bytes} bytes; take a smaller batch")]
    Memory {
        /// What was expected.
        kind: Kind,
        /// Bytes in memory.
        bytes: u64,
    },
    /// The source of the bytes failed.
    #[error("cannot read {kind}: {source}")]
    Io {
        /// What was expected.
        kind: Kind,
        /// Why.
        source: std::io::Error,
    },
}
