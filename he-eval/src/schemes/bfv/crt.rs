//! Results modulo several plaintext moduli, put together by the Chinese remainder theorem.

use ethnum::{AsI256, I256};

/// Garner's mixed-radix lift of residues to the centred integer.
pub(super) struct Crt {
    moduli: Vec<u64>,
    /// `inverse[i]` is `(m_0 ⋯ m_(i-1))⁻¹` modulo `m_i`.
    inverse: Vec<u64>,
    product: I256,
}

impl Crt {
    pub fn new(moduli: &[u64]) -> Self {
        let product_mod = |i: usize| {
            moduli[..i]
                .iter()
                .fold(1u128, |p, &m| p * u128::from(m) % u128::from(moduli[i]))
        };
        let inverse = (0..moduli.len())
            // Fermat: the moduli are prime
            .map(|i| power_mod(product_mod(i) as u64, moduli[i] - 2, moduli[i]))
            .collect();
        let product = moduli.iter().fold(I256::ONE, |p, &m| p * I256::from(m));
        Self {
            moduli: moduli.to_vec(),
            inverse,
            product,
        }
    }

    pub fn lift(&self, residues: impl Iterator<Item = u64>) -> I256 {
        let mut value = I256::ZERO;
        let mut radix = I256::ONE;
        for ((residue, &modulus), &inverse) in residues.zip(&self.moduli).zip(&self.inverse) {
            let known = (value % I256::from(modulus)).as_u64();
            let missing = (residue + modulus - known) % modulus;
            let digit = u128::from(missing) * u128::from(inverse) % u128::from(modulus);
            value += radix * digit.as_i256();
            radix *= I256::from(modulus);
        }
        if value > self.product / 2 {
            value - self.product
        } else {
            value
        }
    }
}

fn power_mod(base: u64, mut exponent: u64, modulus: u64) -> u64 {
    let m = u128::from(modulus);
    let (mut base, mut result) = (u128::from(base) % m, 1u128);
    while exponent > 0 {
        if exponent & 1 == 1 {
            result = result * base % m;
        }
        base = base * base % m;
        exponent >>= 1;
    }
    result as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lifting_inverts_residues_for_centred_integers() {
        let moduli = [1_099_511_480_321, 1_099_510_890_497, 786_433];
        let crt = Crt::new(&moduli);
        let half = crt.product / 2;
        let some = [
            I256::ZERO,
            I256::ONE,
            -I256::ONE,
            half,
            -half,
            half / 3,
            -half / 7,
        ];
        for value in some {
            let residues = moduli.map(|m| value.rem_euclid(I256::from(m)).as_u64());
            assert_eq!(crt.lift(residues.into_iter()), value);
        }
    }
}
