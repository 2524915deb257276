//! Memory that begins where a line of the cache does: vectors then never lie across two of them.

use crate::memory::zeros;

/// Numbers that begin where a line of the cache does.
#[derive(Debug)]
pub(super) struct Aligned<T> {
    buffer: Vec<T>,
    start: usize,
    length: usize,
}

impl<T: Copy + Default + Send> Aligned<T> {
    pub(super) fn zeros(length: usize) -> Self {
        const LINE: usize = 64;
        let buffer: Vec<T> = zeros(length + LINE / size_of::<T>());
        let start = buffer.as_ptr().align_offset(LINE);
        Self {
            buffer,
            start,
            length,
        }
    }

    pub(super) fn as_mut(&mut self) -> &mut [T] {
        &mut self.buffer[self.start..self.start + self.length]
    }

    pub(super) fn as_ref(&self) -> &[T] {
        &self.buffer[self.start..self.start + self.length]
    }
}
