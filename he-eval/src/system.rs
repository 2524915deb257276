//! What the operating system says of this process's memory (empty on systems without `/proc`), and what the processor has.

use std::fs;

/// The instructions that the fastest kernels for small integers use here: `AVX2`, `AVX-512 VNNI`, `AMX int8`, `portable`.
pub fn instructions() -> &'static str {
    cryptodl_ckks::columns::Kernel::best().name()
}

/// Peak resident memory since the last [`reset_peak_rss`], in bytes.
pub(crate) fn peak_rss_bytes() -> Option<usize> {
    kibibytes("/proc/self/status", "VmHWM:")
}

/// Starts a new peak, so that a run does not report the memory of the one before it.
pub(crate) fn reset_peak_rss() {
    // where this is not allowed the peak is that of the whole process, an upper bound
    let _ = fs::write("/proc/self/clear_refs", "5");
}

/// Memory that a new allocation can take without swapping, in bytes.
pub(crate) fn available_bytes() -> Option<usize> {
    kibibytes("/proc/meminfo", "MemAvailable:")
}

fn kibibytes(file: &str, key: &str) -> Option<usize> {
    let text = fs::read_to_string(file).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(key))?;
    line.split_whitespace()
        .next()?
        .parse::<usize>()
        .ok()
        .map(|k| k * 1024)
}
