//! The admin door: any bytes get one response, and none but a marked POST is a command.
#![no_main]

use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};
use tmr_core::admin::{View, answer};

struct Blank;

impl View for Blank {
    fn status(&self) -> Value {
        json!({ "role": "standby" })
    }
    fn ready(&self) -> Result<(), String> {
        Err("Nothing is reachable.".into())
    }
    fn holds(&self) -> Result<(), String> {
        Ok(())
    }
}

fuzz_target!(|request: &[u8]| {
    let answer = answer(request, &Blank);
    assert!(answer.response.starts_with(b"HTTP/1.1 "));
    let marked = request.to_ascii_lowercase().windows(11).any(|name| name == b"x-tmr-admin");
    assert!(answer.command.is_none() || (marked && request.windows(4).any(|word| word == b"POST")));
});
