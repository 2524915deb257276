//! Bytes on their way in.

use std::io::{self, ErrorKind, Read};

use crc32fast::Hasher;
use serde::de::DeserializeOwned;

use crate::{error::WireError, kind::Kind, word::Word};

/// Bytes of packed words, or of a list, that are read at a time.
const CHUNK: usize = 1 << 16;

/// Bytes of the longest name in binary data.
const NAME: usize = 4096;

/// Reads a payload; see [`Wire::read_payload`](crate::Wire::read_payload).
pub struct Reader<'a> {
    from: &'a mut dyn Read,
    kind: Kind,
    left: u64,
    checksum: Hasher,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(from: &'a mut dyn Read, kind: Kind, left: u64) -> Self {
        Self {
            from,
            kind,
            left,
            checksum: Hasher::new(),
        }
    }

    /// So many bytes may be read from here on.
    pub(crate) fn open(&mut self, payload: u64) {
        self.left = payload;
    }

    /// Checks that the payload ends here, and then the checksum.
    pub(crate) fn finish(mut self) -> Result<(), WireError> {
        if self.left > 0 {
            return Err(WireError::Trailing {
                kind: self.kind,
                bytes: self.left,
            });
        }
        let wanted = self.checksum.clone().finalize();
        self.left = 4;
        if self.u32()? == wanted {
            Ok(())
        } else {
            Err(WireError::Checksum { kind: self.kind })
        }
    }

    /// Bytes of the payload that are still to be read.
    pub fn left(&self) -> u64 {
        self.left
    }

    /// The rest of the payload must be so many bytes: to be asked before memory is set aside for them.
    ///
    /// # Errors
    /// When it is not.
    pub fn expect(&self, bytes: u64) -> Result<(), WireError> {
        if bytes == self.left {
            Ok(())
        } else {
            Err(WireError::Length {
                kind: self.kind,
                found: self.left,
                needed: bytes,
            })
        }
    }

    /// An error about the content.
    pub fn malformed(&self, reason: impl Into<String>) -> WireError {
        WireError::Malformed {
            kind: self.kind,
            reason: reason.into(),
        }
    }

    /// An error about memory: there are not so many bytes.
    pub fn no_memory(&self, bytes: u64) -> WireError {
        WireError::Memory {
            kind: self.kind,
            bytes,
        }
    }

    /// As many bytes as fit.
    ///
    /// # Errors
    /// When the payload has not so many, or the source fails.
    pub fn bytes(&mut self, to: &mut [u8]) -> Result<(), WireError> {
        let count = to.len() as u64;
        if count > self.left {
            return Err(WireError::Length {
                kind: self.kind,
                found: self.left,
                needed: count,
            });
        }
        self.from.read_exact(to).map_err(|e| self.failure(e))?;
        self.checksum.update(to);
        self.left -= count;
        Ok(())
    }

    fn failure(&self, source: io::Error) -> WireError {
        let kind = self.kind;
        match source.kind() {
            ErrorKind::UnexpectedEof => WireError::CutShort { kind },
            _ => WireError::Io { kind, source },
        }
    }

    /// A few bytes.
    ///
    /// # Errors
    /// As [`bytes`](Self::bytes).
    pub fn array<const N: usize>(&mut self) -> Result<[u8; N], WireError> {
        let mut array = [0; N];
        self.bytes(&mut array)?;
        Ok(array)
    }

    /// A number of four bytes.
    ///
    /// # Errors
    /// As [`bytes`](Self::bytes).
    pub fn u32(&mut self) -> Result<u32, WireError> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    /// A number of eight bytes.
    ///
    /// # Errors
    /// As [`bytes`](Self::bytes).
    pub fn u64(&mut self) -> Result<u64, WireError> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    /// A real number, bit for bit.
    ///
    /// # Errors
    /// As [`bytes`](Self::bytes).
    pub fn f64(&mut self) -> Result<f64, WireError> {
        Ok(f64::from_le_bytes(self.array()?))
    }

    /// As many whole words as fit.
    ///
    /// # Errors
    /// As [`bytes`](Self::bytes).
    pub fn words<W: Word>(&mut self, to: &mut [W]) -> Result<(), WireError> {
        self.bytes(bytemuck::cast_slice_mut(to))?;
        for word in to {
            *word = word.little_endian();
        }
        Ok(())
    }

    /// As many words of `width` bytes each as fit, every one below `bound`.
    ///
    /// # Errors
    /// When one is not, and as [`bytes`](Self::bytes).
    pub fn packed<W: Word>(
        &mut self,
        to: &mut [W],
        width: usize,
        bound: W,
    ) -> Result<(), WireError> {
        let most = CHUNK / width;
        let mut scratch = vec![0; to.len().min(most) * width];
        for words in to.chunks_mut(most) {
            let bytes = &mut scratch[..words.len() * width];
            self.bytes(bytes)?;
            let mut largest = W::zeroed();
            for (word, bytes) in words.iter_mut().zip(bytes.chunks_exact(width)) {
                let mut whole = W::zeroed();
                bytemuck::bytes_of_mut(&mut whole)[..width].copy_from_slice(bytes);
                *word = whole.little_endian();
                largest = largest.max(*word);
            }
            if largest >= bound {
                return Err(self.malformed("a number in it is not below its modulus"));
            }
        }
        Ok(())
    }

    /// `count` items of N bytes. Memory is taken as they come, not as they are announced.
    ///
    /// # Errors
    /// As [`bytes`](Self::bytes).
    pub fn list<const N: usize>(&mut self, count: usize) -> Result<Vec<[u8; N]>, WireError> {
        let needed = (count as u64).saturating_mul(N as u64);
        if needed > self.left {
            return Err(WireError::Length {
                kind: self.kind,
                found: self.left,
                needed,
            });
        }
        let mut list: Vec<[u8; N]> = Vec::new();
        while list.len() < count {
            let first = list.len();
            list.resize((first + (CHUNK / N).max(1)).min(count), [0; N]);
            self.bytes(list[first..].as_flattened_mut())?;
        }
        Ok(list)
    }

    /// Plain data in the format of [`postcard`], as [`Writer::binary`](crate::Writer::binary) wrote it. Names in it have
    /// at most 4096 bytes.
    ///
    /// Lists grow with the bytes that were really read.
    ///
    /// # Errors
    /// When it is something else, and as [`bytes`](Self::bytes).
    pub fn binary<T: DeserializeOwned>(&mut self) -> Result<T, WireError> {
        let mut scratch = [0; NAME];
        let mut failed = None;
        let source = Keep {
            from: self,
            failed: &mut failed,
        };
        let read = postcard::from_io::<T, _>((source, &mut scratch)).map(|(value, _)| value);
        match (failed, read) {
            (Some(error), _) => Err(error),
            (None, read) => read.map_err(|e| self.malformed(e.to_string())),
        }
    }

    /// The rest of the payload, which is JSON of at most `limit` bytes.
    ///
    /// # Errors
    /// When it is longer or something else, and as [`bytes`](Self::bytes).
    pub fn json<T: DeserializeOwned>(&mut self, limit: u64) -> Result<T, WireError> {
        let (kind, bytes) = (self.kind, self.left);
        if bytes > limit {
            return Err(WireError::TooLarge { kind, bytes, limit });
        }
        let mut text = Vec::new();
        while self.left > 0 {
            let first = text.len();
            text.resize(first + self.left.min(CHUNK as u64) as usize, 0);
            self.bytes(&mut text[first..])?;
        }
        serde_json::from_slice(&text).map_err(|e| self.malformed(e.to_string()))
    }
}

/// Lets a library read, and keeps the error that it would forget.
struct Keep<'a, 'b> {
    from: &'a mut Reader<'b>,
    failed: &'a mut Option<WireError>,
}

impl Read for Keep<'_, '_> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        match self.from.bytes(to) {
            Ok(()) => Ok(to.len()),
            Err(error) => {
                *self.failed = Some(error);
                Err(ErrorKind::UnexpectedEof.into())
            }
        }
    }
}
