//! The one format of everything that leaves a process: keys, ciphertexts, batches, specs, programs and plans.
//!
//! A type says what it is and how its payload is laid out ([`Wire`]), or is plain data and travels as JSON
//! ([`Document`]), or as [`postcard`] where it is long; header, limits and checksum are the same for all.
//!
//! ```
//! use cryptodl_wire::{Fingerprint, Kind, Parameters, Reader, Wire, WireError, Writer};
//!
//! /// Sizes that both sides know already.
//! #[derive(Clone)]
//! struct Shape { values: usize }
//!
//! impl Parameters for Shape {
//!     fn fingerprint(&self) -> Fingerprint {
//!         Fingerprint::of(&self.values.to_le_bytes())
//!     }
//! }
//!
//! struct Sums { shape: Shape, words: Vec<u64> }
//!
//! impl Wire for Sums {
//!     const KIND: Kind = Kind { tag: *b"sums", name: "a list of sums" };
//!     const WORD_BYTES: u8 = 8;
//!     type Parameters = Shape;
//!     fn parameters(&self) -> &Shape {
//!         &self.shape
//!     }
//!     fn payload_size(&self) -> u64 {
//!         8 * self.words.len() as u64
//!     }
//!     fn write_payload(&self, to: &mut Writer<'_>) -> std::io::Result<()> {
//!         to.words(&self.words)
//!     }
//!     fn read_payload(shape: &Shape, from: &mut Reader<'_>) -> Result<Self, WireError> {
//!         from.expect(8 * shape.values as u64)?; // before any memory is set aside
//!         let mut words = vec![0; shape.values];
//!         from.words(&mut words)?;
//!         Ok(Self { shape: shape.clone(), words })
//!     }
//! }
//!
//! let shape = Shape { values: 3 };
//! let sums = Sums { shape: shape.clone(), words: vec![1, 2, 3] };
//! let bytes = sums.to_bytes();
//! assert_eq!(bytes.len() as u64, sums.size()); // known before a byte is written
//! assert_eq!(Sums::from_bytes(&shape, &bytes)?.words, [1, 2, 3]);
//!
//! let other = Shape { values: 4 };
//! assert!(matches!(Sums::from_bytes(&other, &bytes), Err(WireError::OtherParameters { .. })));
//! # Ok::<(), WireError>(())
//! ```
//!
//! # Layout
//!
//! All numbers are little-endian.
//!
//! | bytes | what |
//! |---|---|
//! | 0 … 7 | `cryptodl` |
//! | 8, 9 | version of the layout: [`VERSION`] |
//! | 10 | bytes of the words that the writer computes with: 8 or 4, or 0 where there are none |
//! | 11 | 0 |
//! | 12 … 15 | tag of the kind, four characters |
//! | 16 … 47 | fingerprint of the parameters; zeros where there are none |
//! | 48 … 55 | bytes of the payload |
//! | 56 … | the payload |
//! | last 4 | CRC-32 of all bytes before |
//!
//! Residues are packed: each takes as many bytes as its prime has, whatever the width of the words.
//!
//! # Reading with suspicion
//!
//! 1. The header is read, 56 bytes, and every field compared with what the reader wants. The length must not be above
//!    the limit that the caller declares.
//! 2. The type reads its payload. It compares the length with what its shape asks for before it sets memory aside
//!    ([`Reader::expect`]), and lists whose length nobody knows grow with the bytes that were really read
//!    ([`Reader::list`]). No read goes past the payload.
//! 3. Nothing may be left over, and the checksum must be right; only then is the value handed out.
//!
//! The checksum finds damage: most flipped bits in a ciphertext give another valid residue, and a result that is
//! wrong without a sign. It costs a tenth of a nanosecond a byte. It is no signature: whoever can change bytes
//! can change it, too, so types check every value that they could not live with.
//!
//! # Left out
//!
//! Encryption and authentication of files and connections, compression, and reading of older layouts.

mod document;
mod error;
pub mod frame;
mod header;
mod kind;
mod reader;
mod wire;
mod word;
mod writer;

pub use document::{Document, Json, MAX_DOCUMENT_BYTES, binary_size};
pub use error::WireError;
pub use kind::{Fingerprint, Kind, VERSION};
pub use reader::Reader;
pub use wire::{Parameters, Wire};
pub use word::Word;
pub use writer::Writer;
