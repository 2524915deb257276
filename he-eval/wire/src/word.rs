//! The words that schemes compute with.

use bytemuck::Pod;

/// An unsigned word: `u32` or `u64`.
pub trait Word: Pod + Ord + sealed::Sealed {
    /// The word whose bytes in memory are little-endian, and back; on most machines the same.
    #[must_use]
    fn little_endian(self) -> Self;
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for u32 {}
    impl Sealed for u64 {}
}

impl Word for u32 {
    fn little_endian(self) -> Self {
        self.to_le()
    }
}

impl Word for u64 {
    fn little_endian(self) -> Self {
        self.to_le()
    }
}
