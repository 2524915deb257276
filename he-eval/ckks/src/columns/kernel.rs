//! The inner loops, as fast as the processor allows.

#[cfg(target_arch = "x86_64")]
use super::x86::{amx, avx2, avx512};
use super::{
    Planes, Quad, Row, Sums,
    layer::{CHUNK, Gather, Packed},
    operands::Operands,
    portable,
};
use crate::modulus::Modulus;

/// Instructions that the inner loops use. All give the same numbers.
///
/// There is no kernel that the processor lacks: they come from [`Kernel::available`] and [`Kernel::best`] alone.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Kernel(Instructions);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Instructions {
    /// Plain Rust.
    Portable,
    /// Products in vectors of 256 bits.
    Avx2,
    /// Products of bytes in vectors of 512 bits (VNNI), with IFMA and VBMI for the rest.
    Avx512,
    /// The same, with products of bytes in the matrix unit.
    Amx,
}

impl Kernel {
    /// The kernels that this processor has, slowest first.
    pub fn available() -> Vec<Self> {
        let mut found = vec![Self(Instructions::Portable)];
        #[cfg(target_arch = "x86_64")]
        {
            if avx2::available() {
                found.push(Self(Instructions::Avx2));
            }
            if avx512::available() {
                found.push(Self(Instructions::Avx512));
                if amx::available() {
                    found.push(Self(Instructions::Amx));
                }
            }
        }
        found
    }

    /// The fastest of them.
    pub fn best() -> Self {
        Self::available()
            .pop()
            .unwrap_or(Self(Instructions::Portable))
    }

    /// What reports call it.
    pub fn name(self) -> &'static str {
        match self.0 {
            Instructions::Portable => "portable",
            Instructions::Avx2 => "AVX2",
            Instructions::Avx512 => "AVX-512 VNNI",
            Instructions::Amx => "AMX int8",
        }
    }

    #[cfg(target_arch = "x86_64")]
    fn wide(self) -> bool {
        matches!(self.0, Instructions::Avx512 | Instructions::Amx)
    }

    /// `a · b` or `2 a · b` modulo the prime.
    #[inline]
    pub(super) fn multiply(self, m: &Modulus, a: &Row, b: &Row, double: bool, to: &mut Row) {
        #[cfg(target_arch = "x86_64")]
        if self.wide() {
            return avx512::multiply(m, a, b, double, to);
        }
        portable::multiply(m, a, b, double, to);
    }

    /// The bytes of residues. In which order columns stand is between this and `interleave`.
    #[inline]
    pub(super) fn split(self, words: &Row, to: &mut Planes) {
        #[cfg(target_arch = "x86_64")]
        if self.wide() {
            return avx512::split(words, to);
        }
        portable::split(words, to);
    }

    /// Four values, as many planes as `to` has.
    #[inline]
    pub(super) fn interleave(self, values: [&Planes; 4], to: &mut [Quad]) {
        #[cfg(target_arch = "x86_64")]
        if self.wide() {
            return avx512::interleave(values, to);
        }
        portable::interleave(values, to);
    }

    /// Sums of products: `sums[row · count + s] = Σ_{plane + digit = s} Σ_quad w_digit · x_plane`.
    #[expect(clippy::too_many_arguments, reason = "one call, from one place")]
    #[inline]
    pub(super) fn product(
        self,
        matrix: &Packed,
        gather: &Gather,
        planes: usize,
        count: usize,
        quads: &[Quad],
        panel: &mut Vec<Quad>,
        sums: &mut [Sums],
    ) {
        let operands = Operands {
            matrix,
            gather,
            planes,
            count,
            quads,
        };
        #[cfg(target_arch = "x86_64")]
        match self.0 {
            // a tile of the matrix unit that is half empty takes as long as a full one
            Instructions::Amx if 4 * gather.used > 3 * CHUNK => {
                return amx::product(&operands, panel, sums);
            }
            Instructions::Amx | Instructions::Avx512 => return avx512::product(&operands, sums),
            Instructions::Avx2 => return avx2::product(&operands, sums),
            Instructions::Portable => {}
        }
        let _ = panel;
        portable::product(&operands, sums);
    }

    /// `Σ_s 2^(8s) sums[s] + bias` modulo the prime.
    #[inline]
    pub(super) fn combine(self, m: &Modulus, bits: u32, sums: &[Sums], bias: u64, to: &mut Row) {
        #[cfg(target_arch = "x86_64")]
        if self.wide() {
            return avx512::combine(m, bits, sums, bias, to);
        }
        portable::combine(m, bits, sums, bias, to);
    }
}

impl std::fmt::Debug for Kernel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}
