//! The inner loops for x86-64 processors.

pub(super) mod amx;
pub(super) mod avx2;
pub(super) mod avx512;
