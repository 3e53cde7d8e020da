//! How a fuzz target gets its bytes, and how much memory it may take for them.
//!
//! What lives here: the allocator that counts. What must hold of the bytes stands in
//! `tests/src/fuzzed/`, where `cargo test` replays the corpus with the same functions.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
pub use libfuzzer_sys;
use tmr_tests::fuzzed::TARGETS;

/// Most bytes that a target may have allocated at one time, beside [`PER_BYTE`].
const BASE: usize = 24 * 1024 * 1024;
/// And for each byte of its input.
const PER_BYTE: usize = 256;

thread_local! {
    static LIVE: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
}

struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn count(by: isize) {
    // Nothing to count on a thread that ends.
    let _ = LIVE.try_with(|live| {
        live.set(live.get() + by);
        PEAK.with(|peak| peak.set(peak.get().max(live.get())));
    });
}

// SAFETY: everything is done by the system's allocator.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        unsafe { System.alloc(layout) }
    }
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        unsafe { System.alloc_zeroed(layout) }
    }
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        unsafe { System.dealloc(block, layout) }
    }
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size as isize - layout.size() as isize);
        unsafe { System.realloc(block, layout, size) }
    }
}

/// Runs a target on one input, and panics if it took more memory than it may.
pub fn run(name: &str, bytes: &[u8]) {
    let (_, target) = TARGETS.iter().find(|(own, _)| *own == name).expect("a target's name");
    let before = LIVE.get();
    PEAK.set(before);
    target(bytes);
    let took = usize::try_from(PEAK.get() - before).unwrap_or(0);
    let may = BASE + PER_BYTE * bytes.len();
    assert!(took <= may, "{took} bytes of memory for {} bytes of input", bytes.len());
}

/// A fuzz target by its name.
#[macro_export]
macro_rules! target {
    ($name:ident) => {
        $crate::libfuzzer_sys::fuzz_target!(|bytes: &[u8]| $crate::run(stringify!($name), bytes));
    };
}
