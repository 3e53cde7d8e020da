//! A connection on the licence door, of a front and of a backend: any bytes in any chunks give
//! frames or an error, the same ones however they were cut.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tmr_core::channel::{GroupKey, Stream};

fuzz_target!(|input: (bool, Vec<Vec<u8>>)| {
    let (backend, chunks) = input;
    let stream = || Stream::licence([7; 32], backend.then(|| GroupKey::new([9; 32])));
    let (mut cut, mut cut_wire, mut cut_frames) = (stream(), Vec::new(), Vec::new());
    let cut_end = chunks.iter().try_for_each(|bytes| cut.open(bytes, &mut cut_wire, &mut cut_frames));
    let (mut whole, mut wire, mut frames) = (stream(), Vec::new(), Vec::new());
    let end = whole.open(&chunks.concat(), &mut wire, &mut frames);
    assert_eq!((cut_end, cut_wire, cut_frames), (end, wire, frames));
});
