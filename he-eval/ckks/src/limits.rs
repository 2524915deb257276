//! Sizes that parameters may have.

/// Smallest ring degree; only toy parameters are this small.
pub const MIN_RING_DEGREE: usize = 32;
/// Largest ring degree of the security table.
pub const MAX_RING_DEGREE: usize = 32768;
/// Smallest prime, in bits.
pub const MIN_PRIME_BITS: u32 = 20;
/// Largest prime, in bits: sums of five residues must fit in the 52 bits of the multiplier.
pub const MAX_PRIME_BITS: u32 = 49;
