//! Memory that is used again.
//!
//! A batch fills gigabytes, and fresh pages cost more than what is computed on them. So the buffers of
//! ciphertexts go back to their parameters when they are dropped, and the next batch finds them there.

use std::{
    collections::HashMap,
    ops::{Deref, DerefMut},
    sync::{Arc, Mutex, PoisonError},
};

use rayon::prelude::*;

use crate::columns::{BLOCK, Row};

/// Buffers that nobody uses at the moment, by length.
#[derive(Default)]
pub(crate) struct Pool(Mutex<HashMap<usize, Vec<Vec<Row>>>>);

/// Words from a pool, which they go back to.
pub(crate) struct Buffer {
    rows: Vec<Row>,
    pool: Arc<Pool>,
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
            rows: kept.unwrap_or_else(|| vec![[0; BLOCK]; rows]),
            pool: self.clone(),
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

impl Deref for Buffer {
    type Target = [Row];
    fn deref(&self) -> &[Row] {
        &self.rows
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [Row] {
        &mut self.rows
    }
}

impl Clone for Buffer {
    fn clone(&self) -> Self {
        let mut copy = self.pool.take(self.rows.len());
        copy.copy_from_slice(self);
        copy
    }
}

impl PartialEq for Buffer {
    fn eq(&self, other: &Self) -> bool {
        self.rows == other.rows
    }
}

impl std::fmt::Debug for Buffer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} rows", self.rows.len())
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let rows = std::mem::take(&mut self.rows);
        let mut free = self.pool.0.lock().unwrap_or_else(PoisonError::into_inner);
        free.entry(rows.len()).or_default().push(rows);
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
        pool.reserve(3, 4);
        let kept = pool.0.lock().unwrap()[&3].len();
        assert_eq!(kept, 4);
    }
}
