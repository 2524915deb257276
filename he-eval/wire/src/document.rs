//! Plain data as JSON: specs, programs, plans.

use std::io::{self, Write};

use serde::{Serialize, de::DeserializeOwned};

use crate::{error::WireError, kind::Kind, reader::Reader, wire::Wire, writer::Writer};

/// A document is at most so long; in memory a hostile one takes some ten times as much.
pub const MAX_DOCUMENT_BYTES: u64 = 16 << 20;

/// Plain data that travels as JSON.
pub trait Document: Serialize + DeserializeOwned {
    /// What it is.
    const KIND: Kind;
}

impl<T: Document> Wire for T {
    const KIND: Kind = <T as Document>::KIND;
    const WORD_BYTES: u8 = 0;
    type Parameters = ();

    fn parameters(&self) -> &() {
        &()
    }

    fn payload_size(&self) -> u64 {
        let mut count = Count(0);
        serde_json::to_writer(&mut count, self)
            .expect("plain data is JSON, and counting cannot fail");
        count.0
    }

    fn write_payload(&self, to: &mut Writer<'_>) -> io::Result<()> {
        to.json(self)
    }

    fn read_payload((): &(), from: &mut Reader<'_>) -> Result<Self, WireError> {
        from.json(MAX_DOCUMENT_BYTES)
    }
}

/// Counts bytes and forgets them.
struct Count(u64);

impl Write for Count {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len() as u64;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
