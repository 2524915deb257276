//! How large the noise of a parameter set is, and how often it makes a look-up or a decryption wrong.
//!
//! All variances are of the torus scaled to length 1. They come from the formulas that TFHE-rs chooses
//! its own sets with (for noise of 132-bit security), in `tfhe::core_crypto::commons::noise_formulas`:
//!
//! - a fresh encryption and the output of a bootstrap have a fixed variance each;
//! - a weighted sum multiplies it by the sum of the squared weights;
//! - what decides a look-up is that, plus the key switch, plus the rounding to one of `2N` positions.
//!
//! An error at least `h` from its centre has probability `erfc(h / √(2 V))` at most.
//!
//! # References
//! - Chillotti, Gama, Georgieva, Izabachène: *TFHE*, J. Cryptology 33 (2020), section 6.
//! - Bergerat et al.: *Parameter optimization & larger precision for (T)FHE*, J. Cryptology 36 (2023).

use tfhe::core_crypto::commons::noise_formulas::{
    centered_mean_shifted_modulus_switch::centered_binary_shifted_modulus_switch_additive_variance,
    lwe_keyswitch::keyswitch_additive_variance_132_bits_security_gaussian,
    lwe_programmable_bootstrap::pbs_variance_132_bits_security_gaussian_fft_mul,
    secure_noise::minimal_glwe_variance_for_132_bits_security_gaussian,
};
use tfhe::shortint::ClassicPBSParameters;

/// log2 of the largest probability of a wrong look-up or decryption.
pub(super) const LOG2_FAILURE: f64 = -128.0;

/// 2⁶⁴, the modulus.
const MODULUS: f64 = 18_446_744_073_709_551_616.0;

/// The variances of a parameter set.
#[derive(Clone, Copy, Debug)]
pub(super) struct Noise {
    /// Of a fresh encryption.
    pub fresh: f64,
    /// Of a bootstrap's output.
    pub bootstrap: f64,
    /// What key switch and rounding add in front of a look-up.
    pub look_up: f64,
}

impl Noise {
    pub fn of(set: &ClassicPBSParameters) -> Self {
        let long = set
            .glwe_dimension
            .to_equivalent_lwe_dimension(set.polynomial_size);
        let switch = keyswitch_additive_variance_132_bits_security_gaussian(
            long,
            set.lwe_dimension,
            set.ks_base_log,
            set.ks_level,
            MODULUS,
            MODULUS,
        );
        let rounding = centered_binary_shifted_modulus_switch_additive_variance(
            set.lwe_dimension,
            MODULUS,
            2.0 * set.polynomial_size.0 as f64,
        );
        let bootstrap = pbs_variance_132_bits_security_gaussian_fft_mul(
            set.lwe_dimension,
            set.glwe_dimension,
            set.polynomial_size,
            set.pbs_base_log,
            set.pbs_level,
            f64::from(f64::MANTISSA_DIGITS),
            MODULUS,
        );
        let fresh = minimal_glwe_variance_for_132_bits_security_gaussian(
            set.glwe_dimension,
            set.polynomial_size,
            MODULUS,
        );
        Self {
            fresh: fresh.0,
            bootstrap: bootstrap.0,
            look_up: switch.0 + rounding.0,
        }
    }
}

/// log2 of a bound on the probability that an error of this variance reaches `half_width`:
/// `erfc(x) ≤ e^(-x²) / (x √π)`.
pub(super) fn log2_failure(half_width: f64, variance: f64) -> f64 {
    let x = half_width / (2.0 * variance).sqrt();
    if x <= 0.0 {
        return 0.0;
    }
    let log2 = -x * x * std::f64::consts::LOG2_E - (x * std::f64::consts::PI.sqrt()).log2();
    log2.min(0.0)
}

/// Which of `values` table entries position `j` of `size` belongs to: equal boxes, rounded to positions.
pub(super) fn entry(j: usize, values: usize, size: usize) -> usize {
    (2 * j + 1) * values / (2 * size)
}

/// Half the width of the narrowest box of a table of `values` entries on `size` positions, in torus
/// units, from where an exact accumulator points to: the box's middle, `(m + ½) / (2 values) - 1 / (4 size)`.
pub(super) fn half_box(values: usize, size: usize) -> f64 {
    if values > size {
        return 0.0;
    }
    let mut narrowest = f64::INFINITY;
    let mut first = 0;
    for m in 0..values {
        // the first position of box m + 1
        let end = ((2 * (m + 1) * size).saturating_sub(values)).div_ceil(2 * values);
        debug_assert!(end == size || entry(end, values, size) == m + 1);
        let middle = (m as f64 + 0.5) * size as f64 / values as f64;
        narrowest = narrowest
            .min(middle - first as f64)
            .min(end as f64 - middle);
        first = end;
    }
    narrowest / (2 * size) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schemes::tfhe::parameters::SETS;

    #[test]
    fn the_formulas_give_the_failure_probabilities_that_the_sets_are_published_with() {
        for named in SETS {
            let set = &named.set;
            let noise = Noise::of(set);
            let norm = set.max_noise_level.get() as f64;
            let values = (set.message_modulus.0 * set.carry_modulus.0) as usize;
            let ideal = 1.0 / (4 * values) as f64;
            let variance = norm * norm * noise.bootstrap + noise.look_up;
            let ours = log2_failure(ideal, variance);
            assert!(
                (ours - set.log2_p_fail).abs() < 1.5,
                "{}: {ours}, published {}",
                named.name,
                set.log2_p_fail
            );
            // whole positions cost a box of a power of two nothing but half a position
            let real = half_box(values, set.polynomial_size.0);
            assert!(
                (real - ideal).abs() < 1e-12,
                "{}: {real}, {ideal}",
                named.name
            );
        }
    }

    #[test]
    fn boxes_cover_every_position_in_order() {
        for (values, size) in [(1, 512), (3, 512), (16, 512), (23, 2048), (511, 512)] {
            let entries: Vec<usize> = (0..size).map(|j| entry(j, values, size)).collect();
            assert_eq!((entries[0], entries[size - 1]), (0, values - 1));
            assert!(entries.windows(2).all(|w| w[1] - w[0] <= 1));
            let ideal = 1.0 / (4 * values) as f64;
            let real = half_box(values, size);
            assert!(real <= ideal + 1e-15 && real >= ideal - 0.5 / (2 * size) as f64);
        }
        assert!(half_box(513, 512) == 0.0);
    }
}
