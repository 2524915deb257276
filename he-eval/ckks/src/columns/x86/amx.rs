//! Products of bytes in the matrix unit (AMX int8).
//!
//! The intrinsics are not stable, so the instructions are written out. Tiles are 16 rows of 64 bytes:
//! A holds 16 rows of weights for a chunk of 16 quads, B the 16 quads of one plane for 16 columns, and
//! C the 16 × 16 sums.
#![expect(
    unsafe_code,
    reason = "instructions without stable intrinsics; each block says why it is sound"
)]

use std::{arch::asm, sync::LazyLock};

use super::super::{
    BLOCK, Quad, Sums,
    kernel::Operands,
    layer::{CHUNK, ROWS},
};

/// Tiles of sums held at a time; two more hold the operands.
const HELD: usize = 6;

/// Whether the processor has the unit and the operating system lets this process use it.
pub(in super::super) fn available() -> bool {
    static AVAILABLE: LazyLock<bool> = LazyLock::new(|| detected() && permitted());
    *AVAILABLE
}

fn detected() -> bool {
    // AMX-TILE and AMX-INT8 are bits 24 and 25 of EDX of leaf 7
    let leaves = std::arch::x86_64::__cpuid(0).eax;
    let bits = if leaves >= 7 {
        std::arch::x86_64::__cpuid_count(7, 0).edx
    } else {
        0
    };
    bits >> 24 & 3 == 3
}

/// Asks Linux for the permission that large register states need.
#[cfg(target_os = "linux")]
fn permitted() -> bool {
    const ARCH_PRCTL: i64 = 158;
    const REQUEST_PERMISSION: i64 = 0x1023;
    const TILE_DATA: i64 = 18;
    let result: i64;
    // SAFETY: the call reads and writes no memory of ours; it clobbers what is named
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") ARCH_PRCTL => result,
            in("rdi") REQUEST_PERMISSION,
            in("rsi") TILE_DATA,
            out("rcx") _,
            out("r11") _,
            options(nostack),
        );
    }
    result == 0
}

#[cfg(not(target_os = "linux"))]
fn permitted() -> bool {
    false
}

/// The shape of all eight tiles: 16 rows of 64 bytes.
#[repr(C, align(64))]
struct Configuration {
    palette: u8,
    start_row: u8,
    reserved: [u8; 14],
    bytes: [u16; 16],
    rows: [u8; 16],
}

static CONFIGURATION: Configuration = Configuration {
    palette: 1,
    start_row: 0,
    reserved: [0; 14],
    bytes: [64, 64, 64, 64, 64, 64, 64, 64, 0, 0, 0, 0, 0, 0, 0, 0],
    rows: [16, 16, 16, 16, 16, 16, 16, 16, 0, 0, 0, 0, 0, 0, 0, 0],
};

/// Leaves the tiles as if they had never been used, which makes switching threads cheap again.
pub(in super::super) fn release() {
    // SAFETY: the kernel is only chosen where the unit is available
    unsafe { asm!("tilerelease", options(nostack, nomem)) }
}

/// See [`super::super::Kernel::product`].
pub(in super::super) fn product(operands: &Operands<'_>, panel: &mut Vec<Quad>, sums: &mut [Sums]) {
    let Operands {
        matrix,
        gather,
        planes,
        count,
        quads,
    } = *operands;
    let row_tiles = matrix.rows.div_ceil(ROWS);
    assert!(sums.len() >= row_tiles * ROWS * count);
    // chunks whose quads lie apart are copied together; each chunk then starts at a quad of its own
    panel.clear();
    let starts: Vec<&[Quad]> = {
        for (ids, _) in gather
            .quads
            .chunks(CHUNK)
            .zip(&gather.direct)
            .filter(|(_, d)| !**d)
        {
            for &id in ids {
                let at = id as usize * planes;
                panel.extend_from_slice(&quads[at..at + planes]);
            }
        }
        let mut copies = panel.chunks_exact(CHUNK * planes);
        gather
            .quads
            .chunks(CHUNK)
            .zip(&gather.direct)
            .map(|(ids, &direct)| {
                if direct {
                    let at = ids[0] as usize * planes;
                    &quads[at..at + CHUNK * planes]
                } else {
                    copies
                        .next()
                        .expect("every chunk that lies apart was copied")
                }
            })
            .collect()
    };
    // SAFETY: the kernel is only chosen where the unit is available, and the configuration is 64 bytes
    unsafe { asm!("ldtilecfg [{}]", in(reg) &raw const CONFIGURATION, options(nostack, readonly)) }
    for first in (0..row_tiles).step_by(HELD) {
        let held = HELD.min(row_tiles - first);
        for s in 0..count {
            for half in 0..2 {
                zero();
                for (limb, plane) in operands.limbs(s) {
                    for (chunk, start) in starts.iter().enumerate() {
                        // all 16 rows of the tile lie in `start`, `planes` quads apart
                        let columns = start.as_ptr().wrapping_add(plane).cast::<u8>();
                        let half = columns.wrapping_add(size_of::<Quad>() / 2 * half);
                        load_columns(half.cast(), planes * size_of::<Quad>());
                        for tile in 0..held {
                            let rows = matrix.rows(limb, first + tile, chunk);
                            multiply_add(tile, rows.as_ptr());
                        }
                    }
                }
                for tile in 0..held {
                    // 16 rows of sums follow, `count` apart; there are as many, see above
                    let to = sums
                        .as_mut_ptr()
                        .wrapping_add((first + tile) * ROWS * count + s);
                    let half = to.cast::<i32>().wrapping_add(BLOCK / 2 * half);
                    keep(tile, half, count * size_of::<Sums>());
                }
            }
        }
    }
}

/// C = 0.
#[inline(always)]
fn zero() {
    // SAFETY: tiles are configured
    unsafe {
        asm!(
            "tilezero tmm0",
            "tilezero tmm1",
            "tilezero tmm2",
            "tilezero tmm3",
            "tilezero tmm4",
            "tilezero tmm5",
            options(nostack, nomem),
        );
    }
}

/// Loads B, 16 rows of 64 bytes, `stride` bytes apart.
#[inline(always)]
fn load_columns(from: *const u8, stride: usize) {
    // SAFETY: the caller has all rows in one slice
    unsafe {
        asm!(
            "tileloadd tmm7, [{} + {}*1]", in(reg) from, in(reg) stride,
            options(nostack, readonly),
        );
    }
}

/// Loads A, 16 rows of 64 bytes that follow one another, and adds A · B to sum `tile`.
#[inline(always)]
fn multiply_add(tile: usize, rows: *const i8) {
    macro_rules! step {
        ($sum:literal) => {
            // SAFETY: packed weights come in whole tiles
            unsafe {
                asm!(
                    "tileloadd tmm6, [{} + {}*1]",
                    concat!("tdpbsud ", $sum, ", tmm6, tmm7"),
                    in(reg) rows, in(reg) 64usize,
                    options(nostack, readonly),
                )
            }
        };
    }
    match tile {
        0 => step!("tmm0"),
        1 => step!("tmm1"),
        2 => step!("tmm2"),
        3 => step!("tmm3"),
        4 => step!("tmm4"),
        _ => step!("tmm5"),
    }
}

/// Stores sum `tile`, 16 rows of 64 bytes, `stride` bytes apart.
#[inline(always)]
fn keep(tile: usize, to: *mut i32, stride: usize) {
    macro_rules! step {
        ($sum:literal) => {
            // SAFETY: the caller has all rows in one slice
            unsafe {
                asm!(
                    concat!("tilestored [{} + {}*1], ", $sum),
                    in(reg) to, in(reg) stride,
                    options(nostack),
                )
            }
        };
    }
    match tile {
        0 => step!("tmm0"),
        1 => step!("tmm1"),
        2 => step!("tmm2"),
        3 => step!("tmm3"),
        4 => step!("tmm4"),
        _ => step!("tmm5"),
    }
}
