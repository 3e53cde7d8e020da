//! Inputs that are derived from a corpus and are the same on every machine. `cargo test` runs them
//! after the corpus. libFuzzer reaches more code, but is not deterministic even with a fixed seed.

use crate::sim::rng::Rng;

/// The longest derived input.
const LENGTH_MAX: usize = 4096;
/// The most changes between a derived input and its origin in the corpus.
const CHANGES_MAX: usize = 6;
/// The longest run of bytes that one change copies, repeats or removes.
const RUN_MAX: usize = 64;
/// Values at which arithmetic and bounds checks often fail.
const EDGES: [u64; 10] =
    [0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0xffff, 0x7fff_ffff, 0xffff_ffff, u64::MAX];

/// Returns one input of `corpus` with one to six changes. `corpus` must not be empty.
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
        // The beginning of one input is joined with the end of another.
        7 => {
            let other = pick(rng, corpus);
            bytes.truncate(at);
            bytes.extend(&other[rng.index(other.len() + 1)..]);
        }
        // The position is behind the last byte, which leaves nothing to change, so a byte is added.
        _ => bytes.push(byte(rng)),
    }
}

/// Returns a value of [`EDGES`], or a neighbour of one, in one to eight bytes of either byte order.
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
