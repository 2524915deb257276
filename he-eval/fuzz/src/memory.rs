//! Counts what readers ask for.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    sync::atomic::{AtomicUsize, Ordering},
};

thread_local! {
    /// The largest allocation of this thread since it began to count.
    static LARGEST: Cell<usize> = const { Cell::new(0) };
}

/// The largest allocation of any reader until now.
static RECORD: AtomicUsize = AtomicUsize::new(0);

struct Counting;

#[global_allocator]
static COUNTING: Counting = Counting;

fn count(bytes: usize) {
    // no destructor, so that it is there until the thread is gone
    LARGEST.with(|largest| largest.set(largest.get().max(bytes)));
}

// SAFETY: everything is passed on to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        unsafe { System.dealloc(at, layout) }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size);
        unsafe { System.realloc(at, layout, size) }
    }
}

/// Runs a reader, which may ask for no more than `limit` bytes at a time.
///
/// # Panics
/// When it does.
pub fn limited(limit: usize, run: impl FnOnce()) {
    LARGEST.with(|largest| largest.set(0));
    run();
    let bytes = LARGEST.with(Cell::get);
    assert!(
        bytes <= limit,
        "{bytes} bytes asked for, {limit} is the limit"
    );
    if bytes > RECORD.fetch_max(bytes, Ordering::Relaxed) {
        eprintln!("largest allocation: {bytes} bytes");
    }
}
