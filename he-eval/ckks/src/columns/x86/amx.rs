//! Products of bytes in the matrix unit (AMX int8).
//!
//! The intrinsics are not stable, so the loop is written out, in one block: what a tile holds is known
//! only inside a block. Tiles are 16 rows of 64 bytes: A holds 16 rows of weights for a chunk of 16
//! quads, B the 16 quads of one plane for 16 columns, and C the 16 × 16 sums.
#![expect(
    unsafe_code,
    reason = "instructions without stable intrinsics; each block says why it is sound"
)]

use std::{arch::asm, mem::offset_of, ptr};

use cryptodl_amx::{CONFIGURATION, Numbers};

use super::super::{
    BLOCK, MAX_PLANES, Quad, Sums,
    layer::{CHUNK, ROWS},
    operands::Operands,
};

/// Tiles of sums held at a time; two more hold the operands.
const HELD: usize = 6;
/// Bytes of a tile, and of a row of it.
const TILE: usize = ROWS * LINE;
const LINE: usize = 64;
/// Sums of a row with the most planes and weights of two bytes, times the halves of a block.
const MOST_JOBS: usize = 2 * (MAX_PLANES + 1);

// What is written as numbers in `run`.
const _: () = assert!(
    HELD == 6
        && LINE == 4 * CHUNK
        && size_of::<Step>() == 16
        && offset_of!(Step, weights) == 8
        && size_of::<Job>() == 40
        && offset_of!(Job, steps) == 8
        && offset_of!(Job, half) == 16
        && offset_of!(Job, first) == 24
        && offset_of!(Job, to) == 32
);

/// Whether the processor has the unit and the operating system lets this process use it.
pub(in super::super) fn available() -> bool {
    cryptodl_amx::available(Numbers::Bytes)
}

/// One chunk of one plane, times the weights of one digit.
#[derive(Clone, Copy)]
#[repr(C)]
struct Step {
    /// 16 quads; only the plane's columns are read.
    columns: *const u8,
    /// A tile of weights for the first 16 rows; those of the next rows follow.
    weights: *const i8,
}

/// Sums of half a block for some rows.
#[derive(Clone, Copy)]
#[repr(C)]
struct Job {
    step: *const Step,
    steps: usize,
    /// Bytes from the columns of a block to those of this half.
    half: usize,
    /// Bytes from the first tile of weights to that of these rows.
    first: usize,
    to: *mut i32,
}

/// What is the same for all jobs of a group of rows; distances are in bytes.
struct Group {
    /// Tiles of rows, 1 to [`HELD`].
    held: usize,
    /// From a tile of weights to that of the next rows.
    below: usize,
    /// From a quad to the next one of a chunk.
    quad: usize,
    /// From a row of sums to the next one.
    row: usize,
}

impl Step {
    const NONE: Self = Self {
        columns: ptr::null(),
        weights: ptr::null(),
    };
}

impl Job {
    const NONE: Self = Self {
        step: ptr::null(),
        steps: 0,
        half: 0,
        first: 0,
        to: ptr::null_mut(),
    };
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
    let chunks = matrix.chunks;
    assert!((1..=MOST_JOBS / 2).contains(&count));
    assert!(sums.len() >= row_tiles * ROWS * count);
    assert_eq!(gather.quads.len(), chunks * CHUNK);
    assert!(
        matrix
            .digits
            .iter()
            .all(|digit| digit.len() == row_tiles * chunks * TILE)
    );
    // chunks whose quads lie apart are copied together; each chunk then starts at a quad of its own
    panel.clear();
    let chunk_quads = || gather.quads.chunks_exact(CHUNK).zip(&gather.direct);
    for (ids, _) in chunk_quads().filter(|(_, direct)| !**direct) {
        for &id in ids {
            let at = id as usize * planes;
            panel.extend_from_slice(&quads[at..at + planes]);
        }
    }
    let mut copies = panel.chunks_exact(CHUNK * planes);
    let starts = chunk_quads().map(|(ids, &direct)| {
        if direct {
            let at = ids[0] as usize * planes;
            &quads[at..at + CHUNK * planes]
        } else {
            copies
                .next()
                .expect("every chunk that lies apart was copied")
        }
    });
    // `[sum][digit and plane][chunk]`
    let pairs = || (0..count).flat_map(|s| operands.digits(s));
    let mut steps = vec![Step::NONE; pairs().count() * chunks];
    for (chunk, start) in starts.enumerate() {
        for (pair, (digit, plane)) in pairs().enumerate() {
            steps[pair * chunks + chunk] = Step {
                columns: start[plane..].as_ptr().cast(),
                weights: matrix.digits[digit][chunk * TILE..].as_ptr(),
            };
        }
    }
    let to = sums.as_mut_ptr();
    for first in (0..row_tiles).step_by(HELD) {
        let mut jobs = [Job::NONE; MOST_JOBS];
        let mut rest = steps.as_slice();
        for (s, both) in jobs.as_chunks_mut::<2>().0[..count].iter_mut().enumerate() {
            let own;
            (own, rest) = rest.split_at(operands.digits(s).count() * chunks);
            for (half, job) in both.iter_mut().enumerate() {
                *job = Job {
                    step: own.as_ptr(),
                    steps: own.len(),
                    half: LINE * half,
                    first: first * chunks * TILE,
                    to: to
                        .wrapping_add(first * ROWS * count + s)
                        .cast::<i32>()
                        .wrapping_add(BLOCK / 2 * half),
                };
            }
        }
        let group = Group {
            held: HELD.min(row_tiles - first),
            below: chunks * TILE,
            quad: planes * size_of::<Quad>(),
            row: count * size_of::<Sums>(),
        };
        // SAFETY: the kernel is only chosen where the unit is available. A step's 16 quads lie in one slice
        // of `planes` each, its weights in a digit of a tile for each 16 rows and chunk; the sums of `held`
        // times 16 rows, `count` each, lie in `sums`: all lengths are checked above.
        unsafe { run(&jobs[..2 * count], &group) }
    }
}

/// Runs jobs: their sums, for 16 columns of [`Group::held`] times 16 rows.
///
/// # Safety
/// The unit must be available, there must be a job, and what the distances in `group` lead to from the
/// pointers of the jobs must be memory to read, and for sums to write.
unsafe fn run(jobs: &[Job], group: &Group) {
    // Tiles 0 to 5 are C, 6 is A, 7 is B.
    // SAFETY: reads the configuration, the jobs, their steps and what these point to, writes the sums; all
    // tiles are named, and given back in the end.
    unsafe {
        asm!(
            "ldtilecfg [{line}]",
            "mov {line}, 64",
            "2:",
            "mov {step}, [{job}]",
            "mov {left}, [{job} + 8]",
            "tilezero tmm0",
            "tilezero tmm1",
            "tilezero tmm2",
            "tilezero tmm3",
            "tilezero tmm4",
            "tilezero tmm5",
            "test {left}, {left}",
            "jz 5f",
            "3:",
            "mov {at}, [{step}]",
            "add {at}, [{job} + 16]",
            "tileloadd tmm7, [{at} + {quad}*1]",
            "mov {at}, [{step} + 8]",
            "add {at}, [{job} + 24]",
            "tileloadd tmm6, [{at} + {line}*1]",
            "tdpbsud tmm0, tmm6, tmm7",
            "cmp {held}, 1",
            "je 4f",
            "add {at}, {below}",
            "tileloadd tmm6, [{at} + {line}*1]",
            "tdpbsud tmm1, tmm6, tmm7",
            "cmp {held}, 2",
            "je 4f",
            "add {at}, {below}",
            "tileloadd tmm6, [{at} + {line}*1]",
            "tdpbsud tmm2, tmm6, tmm7",
            "cmp {held}, 3",
            "je 4f",
            "add {at}, {below}",
            "tileloadd tmm6, [{at} + {line}*1]",
            "tdpbsud tmm3, tmm6, tmm7",
            "cmp {held}, 4",
            "je 4f",
            "add {at}, {below}",
            "tileloadd tmm6, [{at} + {line}*1]",
            "tdpbsud tmm4, tmm6, tmm7",
            "cmp {held}, 5",
            "je 4f",
            "add {at}, {below}",
            "tileloadd tmm6, [{at} + {line}*1]",
            "tdpbsud tmm5, tmm6, tmm7",
            "4:",
            "add {step}, 16",
            "dec {left}",
            "jnz 3b",
            "5:",
            "mov {at}, [{job} + 32]",
            "tilestored [{at} + {row}*1], tmm0",
            "cmp {held}, 1",
            "je 6f",
            "add {at}, {rows}",
            "tilestored [{at} + {row}*1], tmm1",
            "cmp {held}, 2",
            "je 6f",
            "add {at}, {rows}",
            "tilestored [{at} + {row}*1], tmm2",
            "cmp {held}, 3",
            "je 6f",
            "add {at}, {rows}",
            "tilestored [{at} + {row}*1], tmm3",
            "cmp {held}, 4",
            "je 6f",
            "add {at}, {rows}",
            "tilestored [{at} + {row}*1], tmm4",
            "cmp {held}, 5",
            "je 6f",
            "add {at}, {rows}",
            "tilestored [{at} + {row}*1], tmm5",
            "6:",
            "add {job}, 40",
            "cmp {job}, {end}",
            "jne 2b",
            "tilerelease",
            line = inout(reg) &raw const CONFIGURATION => _,
            job = inout(reg) jobs.as_ptr_range().start => _,
            end = in(reg) jobs.as_ptr_range().end,
            held = in(reg) group.held,
            below = in(reg) group.below,
            quad = in(reg) group.quad,
            row = in(reg) group.row,
            rows = in(reg) ROWS * group.row,
            step = out(reg) _,
            left = out(reg) _,
            at = out(reg) _,
            out("tmm0") _, out("tmm1") _, out("tmm2") _, out("tmm3") _,
            out("tmm4") _, out("tmm5") _, out("tmm6") _, out("tmm7") _,
            options(nostack),
        );
    }
}
