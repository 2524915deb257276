//! The processor's matrix registers (Intel AMX): whether they are there, permission to use them, and their shape.
//!
//! Eight registers, *tiles*, hold 16 rows of 64 bytes each. A kernel that multiplies with them does so in three steps:
//! 1. It asks [`available`] once. Linux gives a process room for the registers, 8 KiB a thread, on demand only.
//! 2. It writes one `asm!` block that begins with `ldtilecfg` of [`CONFIGURATION`] and ends with `tilerelease`, and that
//!    names all tiles it changes. Stable Rust has no functions for these instructions and keeps nothing in tiles, so
//!    what a tile holds is known only inside a block.
//! 3. Released tiles cost nothing when threads change places.
//!
//! Both users, the products of bytes under encryption and the products of bf16 numbers in training, bring a block of
//! their own: the loops differ, the set-up does not.
//!
//! # References
//! - Intel, *64 and IA-32 architectures software developer's manual*, volume 1, chapter 18, and volume 2, `LDTILECFG`.
//! - The Linux kernel's documentation, *Using XSTATE features in user space applications*.

use std::sync::LazyLock;

/// What tiles multiply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Numbers {
    /// Bytes, with 32-bit integer sums: `tdpbsud` and its kin.
    Bytes,
    /// bf16 numbers, with 32-bit float sums: `tdpbf16ps`.
    Bf16,
}

/// Whether the processor has the registers and products of such numbers, and the system lets this process use them.
///
/// Both are asked once; the system is not where the processor has none.
pub fn available(numbers: Numbers) -> bool {
    // Asking the processor takes microseconds where it is a virtual one.
    static AVAILABLE: LazyLock<[bool; 2]> = LazyLock::new(|| {
        let known = [Numbers::Bytes, Numbers::Bf16].map(system::known);
        let permitted = known.contains(&true) && system::permitted();
        known.map(|known| known && permitted)
    });
    AVAILABLE[numbers as usize]
}

/// What `ldtilecfg` reads, 64 bytes.
#[derive(Debug)]
#[repr(C, align(64))]
pub struct Configuration {
    palette: u8,
    start_row: u8,
    reserved: [u8; 14],
    row_bytes: [u16; 16],
    rows: [u8; 16],
}

const _: () = assert!(size_of::<Configuration>() == 64);

/// All eight tiles with 16 rows of 64 bytes, the largest there are.
pub static CONFIGURATION: Configuration = Configuration {
    palette: 1,
    start_row: 0,
    reserved: [0; 14],
    row_bytes: [64, 64, 64, 64, 64, 64, 64, 64, 0, 0, 0, 0, 0, 0, 0, 0],
    rows: [16, 16, 16, 16, 16, 16, 16, 16, 0, 0, 0, 0, 0, 0, 0, 0],
};

#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
mod system {
    use super::Numbers;
    use core::arch::x86_64::__cpuid_count;

    pub(super) fn known(numbers: Numbers) -> bool {
        // Bits of register EDX of leaf 7.
        const TILE: u32 = 1 << 24;
        const BYTES: u32 = 1 << 25;
        const BF16: u32 = 1 << 22;
        let needed = match numbers {
            Numbers::Bytes => TILE | BYTES,
            Numbers::Bf16 => TILE | BF16,
        };
        __cpuid_count(0, 0).eax >= 7 && __cpuid_count(7, 0).edx & needed == needed
    }

    /// Asks the kernel, which answers with an error where it does not know the registers.
    #[expect(
        unsafe_code,
        reason = "a system call that the standard library does not have"
    )]
    pub(super) fn permitted() -> bool {
        const ARCH_PRCTL: isize = 158;
        const REQUEST_PERMISSION: usize = 0x1023;
        const TILE_DATA: usize = 18;
        let answer: isize;
        // SAFETY: the call reads and writes no memory of the process; what it changes beside its answer is named.
        unsafe {
            core::arch::asm!(
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
}

/// Only x86-64 has the registers; other systems than Linux are not asked.
#[cfg(not(all(target_arch = "x86_64", target_os = "linux")))]
mod system {
    pub(super) fn known(_: super::Numbers) -> bool {
        false
    }

    pub(super) fn permitted() -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(all(target_arch = "x86_64", target_os = "linux"))]
    #[test]
    fn the_processor_has_what_the_system_lists() {
        let list = std::fs::read_to_string("/proc/cpuinfo").unwrap();
        let flags = list.lines().find(|line| line.starts_with("flags")).unwrap();
        let listed = |flag| flags.split_whitespace().any(|word| word == flag);
        for (numbers, flag) in [(Numbers::Bytes, "amx_int8"), (Numbers::Bf16, "amx_bf16")] {
            let listed = listed("amx_tile") && listed(flag);
            assert_eq!(
                available(numbers),
                listed && system::permitted(),
                "{numbers:?}"
            );
        }
    }

    #[test]
    fn the_configuration_is_what_the_manual_describes() {
        let Configuration {
            palette,
            start_row,
            reserved,
            row_bytes,
            rows,
        } = &CONFIGURATION;
        assert_eq!((*palette, *start_row, *reserved), (1, 0, [0; 14]));
        // Tile i has its bytes a row at byte 16 + 2 i, and its rows at 48 + i.
        assert_eq!(core::mem::offset_of!(Configuration, row_bytes), 16);
        assert_eq!(core::mem::offset_of!(Configuration, rows), 48);
        for tile in 0..16 {
            let size = usize::from(row_bytes[tile]) * usize::from(rows[tile]);
            assert_eq!(size, if tile < 8 { 1024 } else { 0 }, "tile {tile}");
        }
        // A line of the cache, so that it is read at once.
        assert!((&raw const CONFIGURATION).addr().is_multiple_of(64));
    }
}
