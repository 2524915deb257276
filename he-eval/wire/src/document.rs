//! Plain data as JSON, specs and plans, and how long binary data is.

use std::io::{self, Write};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de, de::DeserializeOwned, ser};

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

/// Bytes of plain data in the format of [`postcard`]; see [`Writer::binary`].
pub fn binary_size(data: &impl Serialize) -> u64 {
    let counted = postcard::to_io(data, Count(0)).expect("plain data, and counting cannot fail");
    counted.0
}

/// As JSON inside of binary data: for types that leave fields out or take several forms, which only a format that names
/// its fields can tell.
pub struct Json<T>(pub T);

impl<T: Serialize> Serialize for Json<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = serde_json::to_vec(&self.0).map_err(ser::Error::custom)?;
        serializer.collect_seq(text)
    }
}

impl<'de, T: DeserializeOwned> Deserialize<'de> for Json<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Vec::<u8>::deserialize(deserializer)?;
        serde_json::from_slice(&text)
            .map(Self)
            .map_err(de::Error::custom)
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
