//! Memory that is used again.
//!
//! A batch fills gigabytes, and fresh pages cost more than what is computed on them. So the buffers of
//! ciphertexts go back to their parameters when they are dropped, and the next batch finds them there.

use std::{
    collections::HashMap,
    ops::{Deref, DerefMut},
    sync::{Arc, Mutex, PoisonError},
};

use memmap2::MmapMut;
use rayon::prelude::*;

use crate::columns::{BLOCK, Row};

/// Buffers that nobody uses at the moment, by length.
#[derive(Default)]
pub(crate) struct Pool(Mutex<HashMap<usize, Vec<Memory>>>);

/// Words, from a pool that they go back to or on their own.
pub(crate) struct Buffer {
    memory: Memory,
    pool: Option<Arc<Pool>>,
}

/// Where words lie.
enum Memory {
    Vector(Vec<Row>),
    /// Pages of our own, large ones if the system has them: layers are read in small pieces all over
    /// their memory, and looking up small pages takes longer than the reading.
    Pages(MmapMut),
}

/// From this many bytes on, memory is taken as pages.
const LARGE: usize = 4 << 20;

impl Memory {
    fn new(rows: usize) -> Self {
        Self::pages(rows).unwrap_or_else(|| Self::Vector(vec![[0; BLOCK]; rows]))
    }

    /// Pages, if there is enough to fill them and the system has some left.
    fn pages(rows: usize) -> Option<Self> {
        let bytes = rows * size_of::<Row>();
        if bytes < LARGE {
            return None;
        }
        let pages = MmapMut::map_anon(bytes).ok()?;
        // advice only: without it everything works, a little slower
        #[cfg(target_os = "linux")]
        let _ = pages.advise(memmap2::Advice::HugePage);
        Some(Self::Pages(pages))
    }
}

impl Pool {
    /// So many rows of 32 words, of any content.
    pub fn take(self: &Arc<Self>, rows: usize) -> Buffer {
        let kept = self
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get_mut(&rows)
            .and_then(Vec::pop);
        Buffer {
            memory: kept.unwrap_or_else(|| Memory::new(rows)),
            pool: Some(self.clone()),
        }
    }

    /// Makes sure that `count` buffers of so many rows are there, in memory that has been touched.
    pub fn reserve(self: &Arc<Self>, rows: usize, count: usize) {
        let mut taken: Vec<Buffer> = (0..count).map(|_| self.take(rows)).collect();
        // a page is 16 rows; all threads, since the system clears what is touched
        taken.par_iter_mut().for_each(|buffer| {
            buffer.par_chunks_mut(1 << 12).for_each(|rows| {
                for row in rows.iter_mut().step_by(8) {
                    row[0] = 1;
                }
            });
        });
    }
}

impl Buffer {
    /// Zeros that are given back to the system when they are dropped: for lengths that a stranger chose, since
    /// a pool keeps what it has seen. Nothing if the system has no pages left.
    pub fn single(rows: usize) -> Option<Self> {
        let memory = if rows * size_of::<Row>() < LARGE {
            Memory::new(rows)
        } else {
            Memory::pages(rows)?
        };
        Some(Self { memory, pool: None })
    }
}

impl Deref for Buffer {
    type Target = [Row];
    fn deref(&self) -> &[Row] {
        match &self.memory {
            Memory::Vector(rows) => rows,
            Memory::Pages(pages) => bytemuck::cast_slice(pages),
        }
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [Row] {
        match &mut self.memory {
            Memory::Vector(rows) => rows,
            Memory::Pages(pages) => bytemuck::cast_slice_mut(pages),
        }
    }
}

impl Clone for Buffer {
    fn clone(&self) -> Self {
        let mut copy = match &self.pool {
            Some(pool) => pool.take(self.len()),
            None => Self {
                memory: Memory::new(self.len()),
                pool: None,
            },
        };
        copy.copy_from_slice(self);
        copy
    }
}

impl PartialEq for Buffer {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl std::fmt::Debug for Buffer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} rows", self.len())
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let Some(pool) = &self.pool else { return };
        let rows = self.len();
        let memory = std::mem::replace(&mut self.memory, Memory::Vector(Vec::new()));
        let mut free = pool.0.lock().unwrap_or_else(PoisonError::into_inner);
        free.entry(rows).or_default().push(memory);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dropped_buffer_is_used_again() {
        let pool = Arc::new(Pool::default());
        let first = pool.take(3);
        let address = first.as_ptr();
        drop(first);
        let again = pool.take(3);
        assert_eq!(again.as_ptr(), address);
        assert_ne!(pool.take(3).as_ptr(), address);
        drop(Buffer::single(3).unwrap().clone());
        assert_eq!(pool.0.lock().unwrap()[&3].len(), 1, "only its own");
        pool.reserve(3, 4);
        let kept = pool.0.lock().unwrap()[&3].len();
        assert_eq!(kept, 4);
        let mut large = pool.take(1 << 15);
        large[(1 << 15) - 1][31] = 7;
        assert_eq!(large.iter().flatten().sum::<u64>(), 7);
    }

    #[test]
    fn memory_that_nobody_has_is_refused() {
        assert!(Buffer::single(usize::MAX / size_of::<Row>()).is_none());
    }
}
