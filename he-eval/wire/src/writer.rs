//! Bytes on their way out.

use std::io::{self, Write};

use crc32fast::Hasher;
use serde::Serialize;

use crate::word::Word;

/// Bytes that packed words are put together in.
const SCRATCH: usize = 4096;

/// Writes a payload; see [`Wire::write_payload`](crate::Wire::write_payload).
pub struct Writer<'a> {
    to: &'a mut dyn Write,
    written: u64,
    checksum: Hasher,
}

impl<'a> Writer<'a> {
    pub(crate) fn new(to: &'a mut dyn Write) -> Self {
        Self {
            to,
            written: 0,
            checksum: Hasher::new(),
        }
    }

    /// Bytes written until now.
    pub(crate) fn written(&self) -> u64 {
        self.written
    }

    /// The checksum of all bytes, which ends them.
    pub(crate) fn finish(self) -> io::Result<()> {
        self.to.write_all(&self.checksum.finalize().to_le_bytes())
    }

    /// Bytes as they are.
    ///
    /// # Errors
    /// When the destination fails.
    pub fn bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.checksum.update(bytes);
        self.written += bytes.len() as u64;
        self.to.write_all(bytes)
    }

    /// A number of four bytes.
    ///
    /// # Errors
    /// When the destination fails.
    pub fn u32(&mut self, number: u32) -> io::Result<()> {
        self.bytes(&number.to_le_bytes())
    }

    /// A number of eight bytes.
    ///
    /// # Errors
    /// When the destination fails.
    pub fn u64(&mut self, number: u64) -> io::Result<()> {
        self.bytes(&number.to_le_bytes())
    }

    /// A real number, bit for bit.
    ///
    /// # Errors
    /// When the destination fails.
    pub fn f64(&mut self, number: f64) -> io::Result<()> {
        self.bytes(&number.to_le_bytes())
    }

    /// Whole words, without a copy.
    ///
    /// # Errors
    /// When the destination fails.
    pub fn words<W: Word>(&mut self, words: &[W]) -> io::Result<()> {
        if cfg!(target_endian = "little") {
            return self.bytes(bytemuck::cast_slice(words));
        }
        words
            .iter()
            .try_for_each(|word| self.bytes(bytemuck::bytes_of(&word.little_endian())))
    }

    /// The lowest `width` bytes of each word; the others must be zero.
    ///
    /// # Errors
    /// When the destination fails.
    pub fn packed<W: Word>(&mut self, words: &[W], width: usize) -> io::Result<()> {
        let mut scratch = [0; SCRATCH];
        for words in words.chunks(SCRATCH / width) {
            for (to, word) in scratch.chunks_exact_mut(width).zip(words) {
                let word = word.little_endian();
                let (low, high) = bytemuck::bytes_of(&word).split_at(width);
                debug_assert!(high.iter().all(|byte| *byte == 0), "a word is too wide");
                to.copy_from_slice(low);
            }
            self.bytes(&scratch[..words.len() * width])?;
        }
        Ok(())
    }

    /// Plain data in the format of [`postcard`], of [`binary_size`](crate::binary_size) bytes.
    ///
    /// # Errors
    /// When the destination fails.
    pub fn binary(&mut self, data: &impl Serialize) -> io::Result<()> {
        let mut kept = Ok(());
        // the library forgets why a destination failed
        let tee = Keep {
            to: self,
            failed: &mut kept,
        };
        let written = postcard::to_io(data, tee).map(|_| ());
        kept?;
        written.map_err(io::Error::other)
    }

    /// Plain data as JSON.
    ///
    /// # Errors
    /// When the destination fails.
    pub fn json(&mut self, data: &impl Serialize) -> io::Result<()> {
        Ok(serde_json::to_writer(self, data)?)
    }
}

/// Keeps the error of a destination.
struct Keep<'a, W> {
    to: &'a mut W,
    failed: &'a mut io::Result<()>,
}

impl<W: Write> Write for Keep<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.to.write(bytes).map_err(|error| {
            let kind = error.kind();
            *self.failed = Err(error);
            kind.into()
        })
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

impl Write for Writer<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes(bytes)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}
