//! What every encrypted scheme refuses: too little security, too little memory, a ring that nobody offers.

use cryptodl_ckks::security::{modulus_limit, security_bits};
use thiserror::Error;

use crate::system;

/// Ring degrees of batched schemes.
pub const RINGS: [usize; 4] = [4096, 8192, 16384, 32768];

/// Why parameters are refused.
#[derive(Debug, Error)]
pub enum LimitError {
    /// A ring degree that no scheme offers.
    #[error("there is no ring of degree {asked}: choose 4096, 8192, 16384 or 32768")]
    RingDegree {
        /// What was asked for.
        asked: usize,
    },
    /// Parameters below the promised security.
    #[error(
        "ring degree {ring_degree} with a {log2_qp:.0}-bit modulus is below 128-bit security (at most {limit} bits): ask for toy parameters if that is meant"
    )]
    Insecure {
        /// Ring degree N.
        ring_degree: usize,
        /// Bits of the modulus, special primes included.
        log2_qp: f64,
        /// What the table allows.
        limit: u32,
    },
    /// The plan needs more memory than the machine has.
    #[error(
        "this run needs about {needed} MiB of memory and {available} MiB are free: use a smaller network or a machine with more memory"
    )]
    Memory {
        /// Predicted peak.
        needed: usize,
        /// What the system reports as available.
        available: usize,
    },
}

/// The ring degrees to choose from, smallest first.
///
/// # Errors
/// When there is none of the degree asked for.
pub fn rings(asked: Option<usize>) -> Result<&'static [usize], LimitError> {
    let asked = asked.unwrap_or(RINGS[0]);
    match RINGS.iter().position(|&ring| ring == asked) {
        Some(first) => Ok(&RINGS[first..]),
        None => Err(LimitError::RingDegree { asked }),
    }
}

/// Refuses parameters below 128 bits.
///
/// # Errors
/// When the modulus is larger than the table allows for this ring degree.
pub fn check_security(ring_degree: usize, log2_qp: f64) -> Result<(), LimitError> {
    let limit = modulus_limit(ring_degree).unwrap_or(0);
    if log2_qp <= f64::from(limit) {
        Ok(())
    } else {
        Err(LimitError::Insecure {
            ring_degree,
            log2_qp,
            limit,
        })
    }
}

/// Security of a ring degree and modulus, after a check of the memory that is needed.
///
/// # Errors
/// When it is more than is free.
pub fn check(ring_degree: usize, log2_qp: f64, memory_bytes: usize) -> Result<u32, LimitError> {
    check_memory(memory_bytes)?;
    Ok(security_bits(ring_degree, log2_qp))
}

/// Refuses what does not fit in memory.
///
/// # Errors
/// When more bytes are needed than are free.
pub fn check_memory(memory_bytes: usize) -> Result<(), LimitError> {
    if let Some(available) = system::available_bytes().filter(|&bytes| bytes < memory_bytes) {
        let (needed, available) = (memory_bytes >> 20, available >> 20);
        return Err(LimitError::Memory { needed, available });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bit_more_than_the_table_allows_is_refused() {
        for n in RINGS {
            let limit = f64::from(modulus_limit(n).unwrap());
            assert!(check_security(n, limit).is_ok());
            assert!(check_security(n, limit + 0.1).is_err());
        }
        assert!(
            check_security(64, 20.0).is_err(),
            "a ring outside the table is never secure"
        );
    }
}
