//! Products of bf16 numbers with 32-bit sums, by the processor's matrix registers (Intel AMX).
//!
//! `tdpbf16ps` multiplies 16 rows of 16 pairs with 16 pairs of 16 columns, in the time of sixteen of the vectors that
//! [`crate::bfloat`] multiplies. Denormal numbers count as 0 as there, only the order of sums is another. Stable Rust
//! has no functions for these instructions, so the loop is written out.
//! Whether they may be used, and their shape, is in [`cryptodl_amx`].
//!
//! # References
//! - Intel, *64 and IA-32 architectures software developer's manual*, volume 2, `TDPBF16PS`.

#![cfg_attr(
    target_arch = "x86_64",
    expect(
        unsafe_code,
        reason = "the instructions are called directly; each block says why it may"
    )
)]

use crate::bfloat::{IMAGES, Run};

/// Rows of weights in a tile: two registers.
pub(crate) const ROWS: usize = 32;
/// Pairs of a slab.
pub(crate) const PAIRS: usize = 16;

/// Sums of a tile.
pub(crate) type Sums = [[f32; IMAGES]; ROWS];

/// 2 KiB of pairs: [`PAIRS`] of each of [`ROWS`] rows, or [`IMAGES`] of each of [`PAIRS`] rows.
pub(crate) type Slab = [u32; PAIRS * ROWS];

/// That the processor has the registers, and the process may use them.
#[cfg(target_arch = "x86_64")]
#[derive(Clone, Copy, Debug)]
pub(crate) struct Unit(());

#[cfg(target_arch = "x86_64")]
#[expect(
    clippy::unused_self,
    reason = "a unit is the proof that the registers are there"
)]
impl Unit {
    /// Asks the processor and the system.
    pub(crate) fn detect() -> Option<Self> {
        let there = cryptodl_amx::available(cryptodl_amx::Numbers::Bf16);
        there.then_some(Self(()))
    }

    /// `sums[r] += Σ_k weights[k][r] · values[k]` over the slabs `k` of the runs, both products of a pair. Slabs of
    /// weights are `[row, pair]`, those of values `[pair, image]`.
    pub(crate) fn tile(self, weights: &[Slab], values: &[Slab], runs: &[Run], sums: &mut Sums) {
        // A list on the heap would cost more than the products of a short run.
        for runs in runs.chunks(registers::MOST_STRETCHES) {
            let mut stretches = [registers::Stretch::default(); registers::MOST_STRETCHES];
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

#[cfg(target_arch = "x86_64")]
mod registers {
    use super::{IMAGES, PAIRS, ROWS, Slab, Sums};
    use core::arch::asm;
    use core::ptr;
    use cryptodl_amx::CONFIGURATION;

    // What is written as numbers in `tile`.
    const _: () = assert!(
        ROWS == 32 && PAIRS == 16 && IMAGES == 32 && size_of::<Stretch>() == 24,
        "a slab is two registers"
    );

    /// Stretches that are multiplied in one go.
    pub(crate) const MOST_STRETCHES: usize = 16;

    /// Slabs behind each other.
    #[derive(Clone, Copy)]
    #[repr(C)]
    pub(crate) struct Stretch {
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

    /// `sums += weights · values` over all stretches.
    ///
    /// # Safety
    /// The process must be permitted to use the registers, and each stretch must lie in memory that it may read.
    pub(crate) unsafe fn tile(stretches: &[Stretch], sums: &mut Sums) {
        if stretches.is_empty() {
            return;
        }
        // Registers 0 to 3 are the quarters of the sums, 4 and 5 rows of weights, 6 and 7 images.
        // SAFETY: reads the configuration, the stretches and what they point to, reads and writes the 32 rows of 128 bytes of
        // `sums`; the registers are given back in the end.
        unsafe {
            asm!(
                "ldtilecfg [{configuration}]",
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
                configuration = in(reg) &raw const CONFIGURATION,
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

/// Only x86-64 has the registers.
#[cfg(not(target_arch = "x86_64"))]
#[derive(Clone, Copy, Debug)]
pub(crate) enum Unit {}

#[cfg(not(target_arch = "x86_64"))]
impl Unit {
    pub(crate) fn detect() -> Option<Self> {
        None
    }

    pub(crate) fn tile(self, _: &[Slab], _: &[Slab], _: &[Run], _: &mut Sums) {
        match self {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bfloat::{rounded, widened};
    use crate::samples::normals;

    /// The upper half of a float: a denormal number stays one.
    fn bfloat(value: f32) -> u16 {
        (value.to_bits() >> 16) as u16
    }

    /// Slabs of pairs, and the two numbers of each pair.
    fn slabs(count: usize, seed: u64) -> (Vec<Slab>, Vec<[f64; 2]>) {
        let numbers = normals(2 * count * ROWS * PAIRS, seed);
        let halves: Vec<u16> = numbers.into_iter().map(rounded).collect();
        let pairs = halves.as_chunks::<2>().0;
        let words: Vec<u32> = pairs
            .iter()
            .map(|[first, second]| u32::from(*first) | u32::from(*second) << 16)
            .collect();
        let numbers = pairs
            .iter()
            .map(|pair| pair.map(|half| f64::from(widened(half))));
        (words.as_chunks().0.to_vec(), numbers.collect())
    }

    #[test]
    fn a_tile_adds_the_products_of_all_pairs_in_its_runs() {
        let Some(unit) = Unit::detect() else { return };
        let (weights, a) = slabs(9, 1);
        let (values, b) = slabs(7, 2);
        // More runs than are multiplied in one go, one of them empty.
        let runs: Vec<Run> = (0..20)
            .map(|index| Run {
                weights: index * 5 % 7,
                values: index * 3 % 5,
                length: if index == 4 { 0 } else { 1 + index % 2 },
            })
            .collect();
        for runs in [&runs[..], &runs[..1], &runs[..5], &runs[4..5], &[]] {
            let mut sums = [[0.5; IMAGES]; ROWS];
            unit.tile(&weights, &values, runs, &mut sums);
            for (row, sums) in sums.iter().enumerate() {
                for (image, sum) in sums.iter().enumerate() {
                    let (mut expected, mut size) = (0.5, 0.5);
                    for run in runs {
                        for pair in 0..run.length * PAIRS {
                            let (slab, pair) = (pair / PAIRS, pair % PAIRS);
                            let [a, b] = [
                                a[((run.weights + slab) * ROWS + row) * PAIRS + pair],
                                b[((run.values + slab) * PAIRS + pair) * IMAGES + image],
                            ];
                            for (a, b) in a.iter().zip(b) {
                                expected += a * b;
                                size += (a * b).abs();
                            }
                        }
                    }
                    let difference = (f64::from(*sum) - expected).abs();
                    assert!(difference <= 1e-5 * size, "{row} {image}: {sum} {expected}");
                }
            }
        }
    }

    #[test]
    fn what_is_not_finite_stays_so_and_what_is_tiny_counts_as_nothing() {
        let Some(unit) = Unit::detect() else { return };
        for value in [1.5, f32::INFINITY, f32::NEG_INFINITY, f32::NAN, 1e-40] {
            // Times 1, as the second number of the last pair of the last row.
            let mut weights: Slab = [0; PAIRS * ROWS];
            weights[PAIRS * ROWS - 1] = u32::from(bfloat(value)) << 16;
            let values: Slab = [u32::from(bfloat(1.0)) << 16; PAIRS * ROWS];
            let run = Run {
                weights: 0,
                values: 0,
                length: 1,
            };
            let mut sums = [[0.0; IMAGES]; ROWS];
            unit.tile(&[weights], &[values], &[run], &mut sums);
            let expected = widened(rounded(value));
            for sum in sums[ROWS - 1] {
                let same = sum.to_bits() == expected.to_bits() || sum.is_nan() && expected.is_nan();
                assert!(same, "{value:e}: {sum:e}");
            }
            assert_eq!(sums[..ROWS - 1].as_flattened(), [0.0; IMAGES * (ROWS - 1)]);
        }
    }

    #[test]
    fn registers_survive_that_threads_change_places() {
        let Some(unit) = Unit::detect() else { return };
        let repeat = |seed| {
            let (weights, _) = slabs(64, seed);
            let (values, _) = slabs(64, seed + 1);
            let all = [Run {
                weights: 0,
                values: 0,
                length: 64,
            }];
            let run = || {
                let mut sums = [[0.0; IMAGES]; ROWS];
                unit.tile(&weights, &values, &all, &mut sums);
                sums
            };
            let first = run();
            // Long enough for every thread to be interrupted many times.
            assert!((0..10_000).all(|_| run() == first), "{seed}");
            first
        };
        let threads = 2 * std::thread::available_parallelism().map_or(1, usize::from) as u64;
        let together: Vec<Sums> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..threads)
                .map(|seed| scope.spawn(move || repeat(seed)))
                .collect();
            threads.into_iter().map(|t| t.join().unwrap()).collect()
        });
        assert!(together.windows(2).all(|two| two[0] != two[1]));
    }
}
