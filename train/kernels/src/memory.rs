//! Memory that is written for the first time.

use rayon::prelude::*;

/// Zeros; many of them are written by all threads, since one alone would keep the others waiting.
pub(crate) fn zeros<T: Copy + Default + Send>(count: usize) -> Vec<T> {
    const CHUNK: usize = 4096;
    if count <= 8 * CHUNK {
        return vec![T::default(); count];
    }
    let chunks = (0..count.div_ceil(CHUNK)).into_par_iter();
    let chunks: Vec<[T; CHUNK]> = chunks.map(|_| [T::default(); CHUNK]).collect();
    let mut zeros = chunks.into_flattened();
    zeros.truncate(count);
    zeros
}
