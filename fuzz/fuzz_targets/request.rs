//! A client's call: what was understood of it, written and read again, is the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use tmr_core::wire::request::Request;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(request) = Request::parse(bytes) {
        assert_eq!(Request::parse(&request.encode()).as_ref(), Ok(&request));
    }
});
