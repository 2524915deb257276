//! What can be sent and kept.

use std::io::{self, Read, Write};

use crate::{
    error::WireError,
    header::{HEADER_BYTES, Header, MAGIC, size},
    kind::{Fingerprint, Kind},
    reader::Reader,
    writer::Writer,
};

/// What both sides must know before anything is sent.
pub trait Parameters {
    /// Of them; what was made for others is refused.
    fn fingerprint(&self) -> Fingerprint;
}

/// Nothing has to be known.
impl Parameters for () {
    fn fingerprint(&self) -> Fingerprint {
        Fingerprint::NONE
    }
}

/// What can be sent and kept: see the [layout](crate).
pub trait Wire: Sized {
    /// What it is.
    const KIND: Kind;
    /// Bytes of the words that it is computed with; 0 where there are none.
    const WORD_BYTES: u8;
    /// What a reader must know already.
    type Parameters: Parameters;

    /// Those it was made for.
    fn parameters(&self) -> &Self::Parameters;

    /// Bytes of the payload.
    fn payload_size(&self) -> u64;

    /// Writes exactly so many bytes.
    ///
    /// # Errors
    /// When the destination fails.
    fn write_payload(&self, to: &mut Writer<'_>) -> io::Result<()>;

    /// Reads a payload to its end, with suspicion: lengths before memory, and values before they are used.
    ///
    /// # Errors
    /// When it is no such thing.
    fn read_payload(
        parameters: &Self::Parameters,
        from: &mut Reader<'_>,
    ) -> Result<Self, WireError>;

    /// Bytes of the whole.
    fn size(&self) -> u64 {
        size(self.payload_size())
    }

    /// Writes all of it, in pieces of any size: put a buffer in front of files.
    ///
    /// # Errors
    /// When the destination fails.
    ///
    /// # Panics
    /// When the payload is not as long as it said.
    fn write_to(&self, to: &mut impl Write) -> io::Result<()> {
        let payload = self.payload_size();
        let header = Header {
            kind: Self::KIND,
            word_bytes: Self::WORD_BYTES,
            fingerprint: self.parameters().fingerprint(),
            payload,
        };
        let mut writer = Writer::new(to);
        writer.bytes(&header.to_bytes())?;
        self.write_payload(&mut writer)?;
        let whole = HEADER_BYTES as u64 + payload;
        assert_eq!(writer.written(), whole, "the size is known before");
        writer.finish()
    }

    /// Reads one value, and not a byte more. A payload above `limit` bytes is refused.
    ///
    /// # Errors
    /// When it is something else, for other parameters, larger or damaged, or the source fails.
    fn read_from(
        parameters: &Self::Parameters,
        from: &mut impl Read,
        limit: u64,
    ) -> Result<Self, WireError> {
        let mut reader = Reader::new(from, Self::KIND, HEADER_BYTES as u64);
        let mut header = [0; HEADER_BYTES];
        reader.bytes(&mut header[..MAGIC.len()])?;
        if !header.starts_with(MAGIC) {
            return Err(WireError::Foreign { kind: Self::KIND });
        }
        reader.bytes(&mut header[MAGIC.len()..])?;
        let payload = Header::check(
            &header,
            Self::KIND,
            Self::WORD_BYTES,
            parameters.fingerprint(),
            limit,
        )?;
        reader.open(payload);
        let value = Self::read_payload(parameters, &mut reader)?;
        reader.finish()?;
        Ok(value)
    }

    /// All of it in memory, which is set aside once and never moved: whoever wipes it leaves no copy behind.
    fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.size() as usize);
        self.write_to(&mut bytes).expect("memory does not fail");
        bytes
    }

    /// Reads one value from all of the bytes.
    ///
    /// # Errors
    /// As [`read_from`](Self::read_from), and when bytes are left over.
    fn from_bytes(parameters: &Self::Parameters, bytes: &[u8]) -> Result<Self, WireError> {
        let mut rest = bytes;
        let value = Self::read_from(parameters, &mut rest, bytes.len() as u64)?;
        if rest.is_empty() {
            Ok(value)
        } else {
            Err(WireError::Trailing {
                kind: Self::KIND,
                bytes: rest.len() as u64,
            })
        }
    }
}
