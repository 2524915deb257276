//! The published bound on the modulus for 128-bit security; see [`cryptodl_ckks::security`].

pub use cryptodl_ckks::security::{modulus_limit, security_bits};

use crate::EvalError;

/// Refuses parameters below 128 bits.
///
/// # Errors
/// When the modulus is larger than the table allows for this ring degree.
pub fn check(ring_degree: usize, log2_qp: f64) -> Result<(), EvalError> {
    let limit = modulus_limit(ring_degree).unwrap_or(0);
    if log2_qp <= f64::from(limit) {
        Ok(())
    } else {
        Err(EvalError::Insecure {
            ring_degree,
            log2_qp,
            limit,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bit_more_than_the_table_allows_is_refused() {
        for n in [1024, 2048, 4096, 8192, 16384, 32768] {
            let limit = f64::from(modulus_limit(n).unwrap());
            assert!(check(n, limit).is_ok());
            assert!(check(n, limit + 0.1).is_err());
        }
        assert!(
            check(64, 20.0).is_err(),
            "a ring outside the table is never secure"
        );
    }
}
