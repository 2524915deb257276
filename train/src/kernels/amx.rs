//! Products of bf16 numbers with 32-bit sums, by the processor's matrix registers (Intel AMX).
//!
//! `tdpbf16ps` multiplies 16 rows of 16 pairs with 16 pairs of 16 columns, in the time of sixteen of the vectors that
//! [`super::bfloat`] multiplies. Rounding, denormal numbers and the order of sums are as there. Compilers do not know
//! the registers yet, so the loop is written out.
//!
//! A thread may use them once its process has asked the kernel for the room that they take when threads change places.
//!
//! # References
//! - Intel, *Architecture instruction set extensions and future features*, 319433, chapter 3.
//! - The Linux kernel's documentation, *Using XSTATE features in user space applications*.

#![expect(
    unsafe_code,
    reason = "the instructions are called directly; each block says why it may"
)]

use super::bfloat::{IMAGES, Run};

/// Rows of weights in a tile: two registers.
pub(super) const ROWS: usize = 32;
/// Pairs of a slab.
pub(super) const PAIRS: usize = 16;

/// Sums of a tile.
pub(super) type Sums = [[f32; IMAGES]; ROWS];

/// 2 KiB of pairs: [`PAIRS`] of each of [`ROWS`] rows, or [`IMAGES`] of each of [`PAIRS`] rows.
pub(super) type Slab = [u32; PAIRS * ROWS];

/// Runs that are multiplied in one go.
const MOST_RUNS: usize = 16;

/// That the processor has the registers, and the process may use them.
#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
#[derive(Clone, Copy, Debug)]
pub(super) struct Unit(());

#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
#[expect(
    clippy::unused_self,
    reason = "a unit is the proof that the registers are there"
)]
impl Unit {
    /// Asks the processor and the system, once.
    pub(super) fn detect() -> Option<Self> {
        static THERE: std::sync::OnceLock<bool> = std::sync::OnceLock::new();
        let there = *THERE.get_or_init(|| registers::known() && registers::permitted());
        there.then_some(Self(()))
    }

    /// `sums[r] += Σ_k weights[k][r] · values[k]` over the slabs `k` of the runs, both products of a pair. Slabs of
    /// weights are `[row, pair]`, those of values `[pair, image]`.
    pub(super) fn tile(self, weights: &[Slab], values: &[Slab], runs: &[Run], sums: &mut Sums) {
        // A list of its own would cost more than the products of a short run.
        for runs in runs.chunks(MOST_RUNS) {
            let mut stretches = [registers::Stretch::default(); MOST_RUNS];
            for (stretch, run) in stretches.iter_mut().zip(runs) {
                *stretch = registers::Stretch {
                    weights: weights[run.weights..][..run.length].as_ptr(),
                    values: values[run.values..][..run.length].as_ptr(),
                    length: run.length,
                };
            }
            // SAFETY: there is a unit only where `detect` found the registers; each stretch is a part of the slices.
            unsafe { registers::tile(&stretches[..runs.len()], sums) }
        }
    }
}

#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
mod registers {
    use super::{Slab, Sums};
    use core::arch::asm;
    use core::arch::x86_64::__cpuid_count;
    use core::ptr;

    /// Slabs behind each other.
    #[derive(Clone, Copy)]
    #[repr(C)]
    pub(super) struct Stretch {
        pub weights: *const Slab,
        pub values: *const Slab,
        pub length: usize,
    }

    impl Default for Stretch {
        fn default() -> Self {
            Self {
                weights: ptr::null(),
                values: ptr::null(),
                length: 0,
            }
        }
    }

    /// What the registers hold: 16 rows of 64 bytes in each of the eight.
    #[repr(C, align(64))]
    struct Shapes {
        palette: u8,
        start_row: u8,
        reserved: [u8; 14],
        row_bytes: [u16; 16],
        rows: [u8; 16],
    }

    static SHAPES: Shapes = {
        let mut shapes = Shapes {
            palette: 1,
            start_row: 0,
            reserved: [0; 14],
            row_bytes: [0; 16],
            rows: [0; 16],
        };
        let mut register = 0;
        while register < 8 {
            shapes.row_bytes[register] = 64;
            shapes.rows[register] = 16;
            register += 1;
        }
        shapes
    };

    /// Whether the processor has the registers and their bf16 product.
    pub(super) fn known() -> bool {
        const TILE: u32 = 1 << 24;
        const BF16: u32 = 1 << 22;
        __cpuid_count(0, 0).eax >= 7 && __cpuid_count(7, 0).edx & (TILE | BF16) == TILE | BF16
    }

    /// Asks the kernel, which answers with an error where it does not know them.
    pub(super) fn permitted() -> bool {
        const ARCH_PRCTL: usize = 158;
        const REQUEST_PERMISSION: usize = 0x1023;
        const TILE_DATA: usize = 18;
        let answer: isize;
        // SAFETY: the call reads and writes no memory of the process.
        unsafe {
            asm!(
                "syscall",
                inlateout("rax") ARCH_PRCTL => answer,
                in("rdi") REQUEST_PERMISSION,
                in("rsi") TILE_DATA,
                lateout("rcx") _,
                lateout("r11") _,
                options(nostack),
            );
        }
        answer == 0
    }

    /// `sums += weights · values` over all stretches.
    ///
    /// # Safety
    /// The process must be permitted to use the registers, and each stretch must lie in memory that it may read.
    pub(super) unsafe fn tile(stretches: &[Stretch], sums: &mut Sums) {
        if stretches.is_empty() {
            return;
        }
        // Registers 0 to 3 are the quarters of the sums, 4 and 5 rows of weights, 6 and 7 images.
        // SAFETY: reads `SHAPES`, the stretches and what they point to, reads and writes the 32 rows of 128 bytes of
        // `sums`; the registers are given back in the end.
        unsafe {
            asm!(
                "ldtilecfg [{shapes}]",
                "tileloadd tmm0, [{sums} + {wide}]",
                "tileloadd tmm1, [{sums} + {wide} + 64]",
                "tileloadd tmm2, [{sums} + {wide} + 2048]",
                "tileloadd tmm3, [{sums} + {wide} + 2112]",
                "2:",
                "mov {weights}, [{stretch}]",
                "mov {values}, [{stretch} + 8]",
                "mov {left}, [{stretch} + 16]",
                "test {left}, {left}",
                "jz 4f",
                "3:",
                "tileloadd tmm4, [{weights} + {narrow}]",
                "tileloadd tmm6, [{values} + {wide}]",
                "tileloadd tmm7, [{values} + {wide} + 64]",
                "tileloadd tmm5, [{weights} + {narrow} + 1024]",
                "tdpbf16ps tmm0, tmm4, tmm6",
                "tdpbf16ps tmm1, tmm4, tmm7",
                "tdpbf16ps tmm2, tmm5, tmm6",
                "tdpbf16ps tmm3, tmm5, tmm7",
                "add {weights}, 2048",
                "add {values}, 2048",
                "dec {left}",
                "jnz 3b",
                "4:",
                "add {stretch}, 24",
                "cmp {stretch}, {end}",
                "jne 2b",
                "tilestored [{sums} + {wide}], tmm0",
                "tilestored [{sums} + {wide} + 64], tmm1",
                "tilestored [{sums} + {wide} + 2048], tmm2",
                "tilestored [{sums} + {wide} + 2112], tmm3",
                "tilerelease",
                shapes = in(reg) &raw const SHAPES,
                sums = in(reg) sums.as_mut_ptr(),
                narrow = in(reg) 64_usize,
                wide = in(reg) 128_usize,
                stretch = inout(reg) stretches.as_ptr_range().start => _,
                end = in(reg) stretches.as_ptr_range().end,
                weights = out(reg) _,
                values = out(reg) _,
                left = out(reg) _,
                out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
                out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
                options(nostack),
            );
        }
    }
}

/// Only x86-64 has the registers; other systems than Linux are not asked.
#[cfg(not(all(target_arch = "x86_64", target_os = "linux")))]
#[derive(Clone, Copy, Debug)]
pub(super) enum Unit {}

#[cfg(not(all(target_arch = "x86_64", target_os = "linux")))]
impl Unit {
    pub(super) fn detect() -> Option<Self> {
        None
    }

    pub(super) fn tile(self, _: &[Slab], _: &[Slab], _: &[Run], _: &mut Sums) {
        match self {}
    }
}
