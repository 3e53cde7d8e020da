//! Links between fronts: handshakes that succeed and fail, and changed messages.

use super::{GroupKey, SecureChannel};
use crate::base::limits::TWIN_FRAME_MAX;
use crate::link::{CloseReason, Frame};
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

const NO_TWIN: CloseReason = CloseReason::Protocol("no handshake of a twin with this group key");
const CHANGED: CloseReason =
    CloseReason::Protocol("a message of a twin was changed, lost or repeated on the way");
const OVER: CloseReason = CloseReason::Protocol("bytes after what broke the protocol");

fn key(first: u8) -> GroupKey {
    GroupKey::new(core::array::from_fn(|i| first + i as u8))
}

fn dial() -> SecureChannel {
    SecureChannel::twin_dial([1; 32], &key(0))
}

fn accept() -> SecureChannel {
    SecureChannel::twin_accept([2; 32], &key(0))
}

fn greeting(stream: &mut SecureChannel) -> Vec<u8> {
    let mut wire = Vec::new();
    stream.greet(&mut wire);
    wire
}

/// Returns what a stream makes of bytes: the result, the answer, the frames.
fn open(
    stream: &mut SecureChannel,
    bytes: &[u8],
) -> (Result<(), CloseReason>, Vec<u8>, Vec<Frame>) {
    let (mut wire, mut frames) = (Vec::new(), Vec::new());
    let end = stream.open(bytes, &mut wire, &mut frames);
    (end, wire, frames)
}

fn opened(stream: &mut SecureChannel, bytes: &[u8]) -> Result<Vec<Frame>, CloseReason> {
    let (end, wire, frames) = open(stream, bytes);
    assert!(wire.is_empty());
    end.map(|()| frames)
}

fn sealed(stream: &mut SecureChannel, frames: &[Vec<u8>]) -> Vec<u8> {
    let mut wire = Vec::new();
    stream.seal(frames, &mut wire);
    wire
}

/// Returns two ends after their handshake.
fn pair() -> (SecureChannel, SecureChannel) {
    let (mut one, mut other) = (dial(), accept());
    let hello = greeting(&mut one);
    let (end, answer, _) = open(&mut other, &hello);
    assert_eq!(end, Ok(()));
    assert_eq!(opened(&mut one, &answer), Ok(vec![]));
    assert!(one.duplex() && other.duplex() && !one.partial() && !other.partial());
    (one, other)
}

fn frames(all: &[Vec<u8>]) -> Vec<Frame> {
    all.iter().cloned().map(Frame::Twin).collect()
}

#[test]
fn frames_of_any_length_go_both_ways_however_they_are_cut() {
    let all = [vec![], vec![7], vec![8; 65_515], vec![9; 65_516], vec![3; TWIN_FRAME_MAX], vec![4]];
    let (mut one, mut other) = pair();
    for chunk in [1_000_000_000, 65_536, 1_021] {
        let wire = sealed(&mut one, &all);
        let mut got = Vec::new();
        for bytes in wire.chunks(chunk) {
            got.extend(opened(&mut other, bytes).unwrap());
        }
        assert!(got == frames(&all), "in chunks of {chunk}");
        assert!(!other.partial());
        let back = sealed(&mut other, &all[..3]);
        assert!(opened(&mut one, &back).unwrap() == frames(&all[..3]));
    }
    assert!(sealed(&mut one, &[]).is_empty());
}

#[test]
fn frames_that_come_too_early_are_held() {
    let (mut one, mut other) = (dial(), accept());
    assert!(sealed(&mut one, &[vec![1]]).is_empty());
    assert!(sealed(&mut other, &[vec![2]]).is_empty());
    let (_, answer, _) = open(&mut other, &greeting(&mut one));
    let (end, more, got) = open(&mut one, &answer);
    assert_eq!((end, got), (Ok(()), frames(&[vec![2]])));
    assert_eq!(opened(&mut other, &more), Ok(frames(&[vec![1]])));
}

#[test]
fn each_end_sends_when_it_likes() {
    let (mut one, mut other) = pair();
    let mut wire = Vec::new();
    one.seal(&[vec![1, 2]], &mut wire);
    assert_eq!(opened(&mut other, &wire), Ok(frames(&[vec![1, 2]])));
    let back = sealed(&mut other, &[vec![3]]);
    assert_eq!(opened(&mut one, &back), Ok(frames(&[vec![3]])));
}

#[test]
fn another_key_gets_nothing() {
    for stranger in [key(1), GroupKey::new([0; 32])] {
        let (mut one, mut other) = (SecureChannel::twin_dial([1; 32], &stranger), accept());
        assert!(sealed(&mut other, &[vec![9]]).is_empty());
        let (end, wire, got) = open(&mut other, &greeting(&mut one));
        assert_eq!((end, wire, got), (Err(NO_TWIN), vec![], vec![]));
        // An end with another key that answers.
        let (mut one, mut other) = (dial(), accept());
        let (_, answer, _) = open(&mut other, &greeting(&mut one));
        let mut one = SecureChannel::twin_dial([1; 32], &stranger);
        greeting(&mut one);
        assert_eq!(opened(&mut one, &answer), Err(NO_TWIN));
    }
}

#[test]
fn recorded_bytes_played_again_are_refused() {
    let (mut one, mut other) = (dial(), accept());
    let mut recorded = greeting(&mut one);
    let (_, answer, _) = open(&mut other, &recorded);
    opened(&mut one, &answer).unwrap();
    let message = sealed(&mut one, &[vec![5]]);
    assert_eq!(opened(&mut other, &message), Ok(frames(&[vec![5]])));
    // On the same link a message is not accepted twice.
    assert_eq!(opened(&mut other, &message), Err(CHANGED));
    assert_eq!(open(&mut other, &message).0, Err(OVER));
    // Another link: the handshake's first message is accepted, since it can be replayed; the answer
    // cannot be read without the key, and no replayed message after it is valid.
    recorded.extend(message);
    let mut later = SecureChannel::twin_accept([3; 32], &key(0));
    let (end, _, got) = open(&mut later, &recorded);
    assert_eq!((end, got), (Err(CHANGED), vec![]));
    // The answer of the recorded link, on another link of the same front.
    let mut again = SecureChannel::twin_dial([4; 32], &key(0));
    greeting(&mut again);
    assert_eq!(opened(&mut again, &answer), Err(NO_TWIN));
}

#[test]
fn every_flipped_bit_and_every_cut_is_noticed() {
    let hello = greeting(&mut dial());
    for at in 0..hello.len() {
        for bit in 0..8 {
            let mut bent = hello.clone();
            bent[at] ^= 1 << bit;
            // With a greater length the stream waits for more, until the hub's time-out; nothing is
            // accepted.
            let (end, wire, got) = open(&mut accept(), &bent);
            assert!(end.is_err() && wire.is_empty() && got.is_empty(), "byte {at} bit {bit}");
        }
        let mut cut = accept();
        assert_eq!(opened(&mut cut, &hello[..at]), Ok(vec![]));
        assert_eq!(cut.partial(), at > 0);
    }
    for at in 2..30 {
        let (mut one, mut other) = pair();
        let mut wire = sealed(&mut one, &[vec![1; 10]]);
        wire[at] ^= 0x10;
        assert_eq!(opened(&mut other, &wire), Err(CHANGED), "byte {at}");
    }
    // Two messages in the wrong order, and one that is missing.
    let (mut one, mut other) = pair();
    let (first, second) = (sealed(&mut one, &[vec![1]]), sealed(&mut one, &[vec![2]]));
    assert_eq!(opened(&mut other, &second), Err(CHANGED));
    assert_eq!(opened(&mut other, &first), Err(OVER));
}

#[test]
fn lengths_have_limits() {
    let (mut one, mut other) = pair();
    // A peer with the key may still be wrong: a frame that announces too much.
    let wire = sealed(&mut one, &[vec![1; TWIN_FRAME_MAX + 1]]);
    assert_eq!(opened(&mut other, &wire), Err(CloseReason::Limit("length of a twin's frame")));
    // A message must not be empty, and a handshake's has one length.
    let (mut one, _) = pair();
    assert_eq!(opened(&mut one, &[16, 0]), Err(CHANGED));
    assert_eq!(opened(&mut accept(), &[47, 0]), Err(NO_TWIN));
    assert_eq!(opened(&mut accept(), b"GET / HTTP/1.1\r\n"), Err(NO_TWIN));
    assert_eq!(opened(&mut dial(), &[0xff, 0xff]), Err(NO_TWIN));
}

/// Checks the vector of wire.md.
#[test]
fn the_bytes_are_pinned() {
    let mut one = SecureChannel::twin_dial(core::array::from_fn(|i| 0x20 + i as u8), &key(0));
    let mut other = SecureChannel::twin_accept(core::array::from_fn(|i| 0x40 + i as u8), &key(0));
    let first = greeting(&mut one);
    let (_, second, _) = open(&mut other, &first);
    opened(&mut one, &second).unwrap();
    let third = sealed(&mut one, &[b"one".to_vec(), b"two".to_vec()]);
    let fourth = sealed(&mut other, &[b"three".to_vec()]);
    let shown = [first, second, third, fourth].map(hex::encode);
    let text = include_str!("../../../docs/wire.md");
    let missing: Vec<String> =
        shown.into_iter().filter(|bytes| !text.contains(&alloc::format!("`{bytes}`"))).collect();
    assert!(missing.is_empty(), "not in wire.md:\n{}", missing.join("\n"));
}
