//! The published bound on the modulus for 128-bit security.
//!
//! The conjugate-invariant ring of dimension N counts as ring degree N: a sample in it is a lattice
//! problem of dimension N (Kim & Song 2018, section 5).

/// Largest log2 of the whole modulus (special primes included) for a ternary secret, error
/// deviation 3.2 and 128-bit classical security.
///
/// Source: Bossuat et al. (2024), *Security Guidelines for Implementing Homomorphic Encryption*, ePrint 2024/463, tables
/// 5.2 and 5.3. They are up to 2 % below those of the Homomorphic Encryption Standard of 2018, since attacks have become
/// better. Smaller rings hold no network, so they are not here.
const TABLE: [(usize, u32); 4] = [(4096, 106), (8192, 214), (16384, 430), (32768, 868)];

/// Bits of modulus that ring degree `ring_degree` allows at 128-bit security.
pub fn modulus_limit(ring_degree: usize) -> Option<u32> {
    TABLE
        .iter()
        .find(|(n, _)| *n == ring_degree)
        .map(|(_, bits)| *bits)
}

/// Security in bits of a ring degree and modulus: 128 within the table. Outside of it the level is
/// scaled by `limit / log2_qp`, the first-order behaviour of lattice attacks, and rounded down.
pub fn security_bits(ring_degree: usize, log2_qp: f64) -> u32 {
    let limit = modulus_limit(ring_degree).map_or(0.0, f64::from);
    if log2_qp <= limit {
        128
    } else {
        (128.0 * limit / log2_qp) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_the_boundary() {
        for (n, bits) in TABLE {
            assert_eq!(security_bits(n, f64::from(bits)), 128);
            assert!(security_bits(n, f64::from(bits) * 1.1) < 128);
        }
        assert_eq!(TABLE.map(|(_, bits)| bits), [106, 214, 430, 868]);
        assert_eq!(
            security_bits(64, 20.0),
            0,
            "a ring outside the table is never secure"
        );
    }
}
