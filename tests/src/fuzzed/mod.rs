//! The properties that the fuzz targets check. The targets in `fuzz/` are one line each, and
//! `tests/tests/fuzzed.rs` replays their corpora. Both call the functions here.
//!
//! What lives here: one module for each target, with the properties that hold for all bytes. What
//! never lives here: the generation of inputs (libFuzzer does that) and the limit on a target's
//! memory (`fuzz/` sets it).

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

/// A function that runs one input, and panics if a property does not hold.
pub type Target = fn(&[u8]);

/// Every target with its name, which is also the name of its corpus.
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

/// Takes a length of two bytes and that number of bytes; fewer if the input is shorter.
fn piece<'a>(input: &mut Unstructured<'a>) -> &'a [u8] {
    let length = input.arbitrary::<u16>().map_or(0, usize::from);
    input.bytes(length.min(input.len())).unwrap_or_default()
}

/// Takes pieces until the input is used up.
fn pieces<'a>(input: &mut Unstructured<'a>) -> Vec<&'a [u8]> {
    let mut pieces = Vec::new();
    while !input.is_empty() {
        pieces.push(piece(input));
    }
    pieces
}

/// Takes the next byte; 0 after the end of the input.
fn byte(input: &mut Unstructured<'_>) -> u8 {
    input.arbitrary().unwrap_or_default()
}
