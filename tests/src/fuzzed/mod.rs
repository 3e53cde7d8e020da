//! The properties that fuzz targets check. The targets in `fuzz/` are one line each, and
//! `tests/tests/fuzzed.rs` replays their corpus; both call the functions here.
//!
//! What lives here: one module for each target, with the properties that hold for all bytes. What
//! never lives here: how bytes are found (libFuzzer does that) and how much memory a target may
//! take (`fuzz/` counts it).

mod backend;
mod bundle;
mod channel;
mod config;
mod front;
mod group;
mod http;
mod journal;
mod licence;
mod licence_request;
pub mod mutate;
mod node;
mod reply;
mod request;
mod scenario;
mod state;
mod stream;
mod twin;

use arbitrary::Unstructured;

/// What is done with one input; it panics if something is found.
pub type Target = fn(&[u8]);

/// Every target by its name, which is also that of its corpus.
pub const TARGETS: [(&str, Target); 16] = [
    ("backend", backend::run),
    ("bundle", bundle::run),
    ("channel", channel::run),
    ("config", config::run),
    ("front", front::run),
    ("group", group::run),
    ("http", http::run),
    ("journal", journal::run),
    ("licence", licence::run),
    ("licence_request", licence_request::run),
    ("reply", reply::run),
    ("request", request::run),
    ("scenario", scenario::run),
    ("state", state::run),
    ("stream", stream::run),
    ("twin", twin::run),
];

/// The inputs that the corpora of the targets for bundles and licence requests began with, by target
/// and name. They are made here, because a fuzzer finds no signature.
#[must_use]
pub fn first_inputs() -> Vec<(&'static str, String, Vec<u8>)> {
    let mut all = Vec::new();
    for (target, inputs) in
        [("bundle", bundle::first_inputs()), ("licence_request", licence_request::first_inputs())]
    {
        let named = inputs.into_iter().enumerate();
        all.extend(named.map(|(number, bytes)| (target, format!("first-{number}"), bytes)));
    }
    all
}

/// A run of bytes, after its length in two bytes; what there is, if there is less.
fn piece<'a>(input: &mut Unstructured<'a>) -> &'a [u8] {
    let length = input.arbitrary::<u16>().map_or(0, usize::from);
    input.bytes(length.min(input.len())).unwrap_or_default()
}

/// All of them until the input is used up.
fn pieces<'a>(input: &mut Unstructured<'a>) -> Vec<&'a [u8]> {
    let mut pieces = Vec::new();
    while !input.is_empty() {
        pieces.push(piece(input));
    }
    pieces
}

/// The next byte; 0 behind the end.
fn byte(input: &mut Unstructured<'_>) -> u8 {
    input.arbitrary().unwrap_or_default()
}
