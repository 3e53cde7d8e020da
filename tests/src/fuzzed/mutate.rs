//! Inputs made from those of a corpus, the same on every machine, which `cargo test` tries beside
//! the corpus. libFuzzer reaches further, but it is not deterministic, even with a fixed seed.

use crate::sim::rng::Rng;

/// Longest input that is made.
const LENGTH_MAX: usize = 4096;
/// Most changes that one input is apart from its corpus.
const CHANGES_MAX: usize = 6;
/// Longest run of bytes that one change copies, repeats or leaves out.
const RUN_MAX: usize = 64;
/// Values at which programs err.
const EDGES: [u64; 10] =
    [0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0xffff, 0x7fff_ffff, 0xffff_ffff, u64::MAX];

/// One input of `corpus`, changed in one to six places. `corpus` is not empty.
#[must_use]
pub fn mutant(rng: &mut Rng, corpus: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = pick(rng, corpus).clone();
    for _ in 0..=rng.index(CHANGES_MAX) {
        change(rng, corpus, &mut bytes);
    }
    bytes.truncate(LENGTH_MAX);
    bytes
}

fn change(rng: &mut Rng, corpus: &[Vec<u8>], bytes: &mut Vec<u8>) {
    let at = rng.index(bytes.len() + 1);
    let run = 1 + rng.index(RUN_MAX);
    match rng.index(8) {
        0 if at < bytes.len() => bytes[at] ^= 1 << rng.index(8),
        1 if at < bytes.len() => bytes[at] = byte(rng),
        2 => write(bytes, at, &edge(rng)),
        3 => insert(bytes, at, &edge(rng)),
        4 => {
            let end = bytes.len().min(at + run);
            bytes.drain(at..end);
        }
        5 => {
            let end = bytes.len().min(at + run);
            let again = bytes[at..end].to_vec();
            insert(bytes, at, &again);
        }
        6 => {
            let other = pick(rng, corpus);
            let from = rng.index(other.len() + 1);
            let part = &other[from..other.len().min(from + run)];
            if rng.index(2) == 0 { write(bytes, at, part) } else { insert(bytes, at, part) }
        }
        // The beginning of one and the end of another.
        7 => {
            let other = pick(rng, corpus);
            bytes.truncate(at);
            bytes.extend(&other[rng.index(other.len() + 1)..]);
        }
        // A byte is added where there was none to change.
        _ => bytes.push(byte(rng)),
    }
}

/// One of [`EDGES`], or one beside it, in one to eight bytes of either order.
fn edge(rng: &mut Rng) -> Vec<u8> {
    let value = EDGES[rng.index(EDGES.len())].wrapping_add(rng.between(0, 2)).wrapping_sub(1);
    let length = 1 << rng.index(4);
    let mut bytes = value.to_le_bytes()[..length].to_vec();
    if rng.index(4) == 0 {
        bytes.reverse();
    }
    bytes
}

fn write(bytes: &mut [u8], at: usize, part: &[u8]) {
    let length = part.len().min(bytes.len() - at);
    bytes[at..at + length].copy_from_slice(&part[..length]);
}

fn insert(bytes: &mut Vec<u8>, at: usize, part: &[u8]) {
    bytes.splice(at..at, part.iter().copied());
}

fn pick<'a>(rng: &mut Rng, corpus: &'a [Vec<u8>]) -> &'a Vec<u8> {
    &corpus[rng.index(corpus.len())]
}

fn byte(rng: &mut Rng) -> u8 {
    rng.bits() as u8
}
