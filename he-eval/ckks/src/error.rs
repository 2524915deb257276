//! What can go wrong, each with the numbers that say why.

use thiserror::Error;

use crate::limits;

/// Errors of this crate.
#[derive(Debug, Error, PartialEq)]
pub enum Error {
    /// The ring degree is not supported.
    #[error(
        "ring degree {0} is not supported: use a power of two from {min} to {max}",
        min = limits::MIN_RING_DEGREE,
        max = limits::MAX_RING_DEGREE
    )]
    RingDegree(usize),
    /// A prime size is not supported, or too few primes were asked for.
    #[error(
        "{0:?} are not usable prime sizes: give at least one, each from {min} to {max} bits",
        min = limits::MIN_PRIME_BITS,
        max = limits::MAX_PRIME_BITS
    )]
    PrimeBits(Vec<u32>),
    /// There are not enough primes of a size.
    #[error("there are fewer than {count} primes of {bits} bits that are 1 modulo {modulus}")]
    TooFewPrimes {
        /// Size in bits.
        bits: u32,
        /// How many were wanted.
        count: usize,
        /// 4·N.
        modulus: u64,
    },
    /// Less than 128 bits of security.
    #[error(
        "log2 QP = {log2_qp:.1} is not 128-bit secure at ring degree {ring_degree}, where at most {limit} is: take fewer or smaller primes, or a larger ring"
    )]
    Insecure {
        /// Ring degree.
        ring_degree: usize,
        /// log2 of all primes together.
        log2_qp: f64,
        /// The most that is secure.
        limit: u32,
    },
    /// More values than slots.
    #[error("{values} values do not fit in {slots} slots")]
    TooManyValues {
        /// Values given.
        values: usize,
        /// Slots there are.
        slots: usize,
    },
    /// A value times the scale does not fit in 62 bits, or one of them is no usable number.
    #[error(
        "a value of {value:e} at scale 2^{log2_scale:.1} cannot be encoded: both must be finite, the scale above zero, and their product below 2^62"
    )]
    Encoding {
        /// The value.
        value: f64,
        /// log2 of the scale.
        log2_scale: f64,
    },
    /// Noise to be added to a result that is no number, negative or too large.
    #[error(
        "noise of deviation {deviation:e} cannot be added to a result: it must be 0 or more and below 2^62"
    )]
    Flood {
        /// On each coefficient.
        deviation: f64,
    },
    /// Operands that do not belong together.
    #[error("the operands do not match: {0}")]
    Mismatch(String),
    /// No prime is left to rescale by.
    #[error("no prime is left to rescale by: the parameters allow fewer products in sequence")]
    NoLevel,
    /// A layer whose description contradicts itself.
    #[error("the layer is malformed: {0}")]
    Layer(String),
}
