//! Links between front and backend: the proofs, and changed batches.

use super::agreement::Secret;
use super::cipher::sealed_length;
use super::{GroupKey, SecureChannel};
use crate::base::limits::{GROUP_BATCH_BYTES, GROUP_FRAME_MAX};
use crate::link::{CloseReason, Frame};
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

const FRONT: u32 = 0x0a0b_0c0d;

fn key() -> GroupKey {
    GroupKey::new(core::array::from_fn(|i| i as u8))
}

fn front(key: GroupKey) -> SecureChannel {
    SecureChannel::dialled(secret(0x01), Some((key, FRONT)))
}

fn backend(key: GroupKey) -> SecureChannel {
    SecureChannel::accepted(secret(0x21), Some(key))
}

/// Returns the 28 bytes `first`, `first + 1`, …; the scalars of protocol facts 2.5.
fn secret(first: u8) -> Secret {
    let mut byte = first..;
    Secret::from_scalar(&core::array::from_fn(|_| byte.next().unwrap())).unwrap()
}

/// The results of running both ends until neither sends anything: the frames of each, and all bytes
/// of the front and of the backend.
struct Meeting {
    front: (Result<(), CloseReason>, Vec<Frame>),
    backend: (Result<(), CloseReason>, Vec<Frame>),
    out: Vec<u8>,
    back: Vec<u8>,
}

fn meet(front: &mut SecureChannel, backend: &mut SecureChannel) -> Meeting {
    let (mut out, mut back) = (Vec::new(), Vec::new());
    let (mut front_frames, mut backend_frames) = (Vec::new(), Vec::new());
    let (mut front_end, mut backend_end) = (Ok(()), Ok(()));
    let (mut read_out, mut read_back) = (0, 0);
    front.greet(&mut out);
    while read_out < out.len() || read_back < back.len() {
        if backend_end.is_ok() {
            backend_end = backend.open(&out[read_out..], &mut back, &mut backend_frames);
        }
        read_out = out.len();
        if front_end.is_ok() {
            front_end = front.open(&back[read_back..], &mut out, &mut front_frames);
        }
        read_back = back.len();
    }
    let front = (front_end, front_frames);
    Meeting { front, backend: (backend_end, backend_frames), out, back }
}

fn joined() -> (SecureChannel, SecureChannel) {
    let (mut front, mut backend) = (front(key()), backend(key()));
    assert!(!front.duplex() && !backend.duplex());
    let meeting = meet(&mut front, &mut backend);
    let both = vec![Frame::Joined { front: FRONT, minor: 3 }];
    assert_eq!((meeting.front, meeting.backend), ((Ok(()), both.clone()), (Ok(()), both)));
    assert!(front.duplex() && backend.duplex());
    (front, backend)
}

fn sealed(stream: &mut SecureChannel, frames: &[Vec<u8>]) -> Vec<u8> {
    let mut wire = Vec::new();
    stream.seal(frames, &mut wire);
    wire
}

fn opened(stream: &mut SecureChannel, bytes: &[u8]) -> Result<Vec<Frame>, CloseReason> {
    let (mut wire, mut frames) = (Vec::new(), Vec::new());
    stream.open(bytes, &mut wire, &mut frames)?;
    assert!(wire.is_empty());
    Ok(frames)
}

const CHANGED: CloseReason =
    CloseReason::Protocol("a batch was changed, lost or repeated on the way");

#[test]
fn batches_go_both_ways_at_any_time() {
    let (mut front, mut backend) = joined();
    for round in 0..3u8 {
        let wire = sealed(&mut front, &[vec![round; 3], vec![0xff; 2]]);
        let batch = [vec![round; 3], vec![0xff; 2]].concat();
        assert_eq!(opened(&mut backend, &wire), Ok(vec![Frame::Batch(batch)]));
        let mut wire = sealed(&mut backend, &[vec![round; 40]]);
        wire.extend(sealed(&mut backend, &[vec![9]]));
        let batches = vec![Frame::Batch(vec![round; 40]), Frame::Batch(vec![9])];
        assert_eq!(opened(&mut front, &wire), Ok(batches));
    }
    assert!(sealed(&mut front, &[]).is_empty());
}

#[test]
fn each_end_sends_when_it_likes() {
    let (mut front, mut backend) = joined();
    let mut wire = Vec::new();
    front.seal(&[vec![1]], &mut wire);
    assert_eq!(opened(&mut backend, &wire), Ok(vec![Frame::Batch(vec![1])]));
    wire.clear();
    backend.seal(&[vec![2]], &mut wire);
    assert_eq!(opened(&mut front, &wire), Ok(vec![Frame::Batch(vec![2])]));
}

#[test]
fn frames_are_cut_into_batches() {
    let (mut front, mut backend) = joined();
    let frames: Vec<Vec<u8>> =
        [1, GROUP_BATCH_BYTES - 1, 1, 2, GROUP_BATCH_BYTES + 1, 5, 5].map(|n| vec![1; n]).to_vec();
    let mut lengths = Vec::new();
    for frame in opened(&mut backend, &sealed(&mut front, &frames)).unwrap() {
        let Frame::Batch(bytes) = frame else { panic!("{frame:?}") };
        lengths.push(bytes.len());
    }
    assert_eq!(lengths, [GROUP_BATCH_BYTES, 3, GROUP_BATCH_BYTES + 1, 10]);
}

#[test]
fn the_greatest_message_has_room() {
    // The longest plaintext that a correct end may seal, with selector, tag and trailer beside it.
    let most = (1..).map(|less| GROUP_FRAME_MAX - less);
    let most = most.into_iter().find(|n| sealed_length(n + 16) < GROUP_FRAME_MAX).unwrap();
    let (mut front, mut backend) = joined();
    let wire = sealed(&mut front, &[vec![1; most]]);
    let mut frames = Vec::new();
    for chunk in wire.chunks(65_536) {
        frames.extend(opened(&mut backend, chunk).unwrap());
    }
    assert_eq!(frames, [Frame::Batch(vec![1; most])]);
    let wire = sealed(&mut front, &[vec![1; most + 16]]);
    assert_eq!(opened(&mut backend, &wire), Err(CloseReason::Limit("length of a message")));
}

#[test]
fn a_batch_repeated_lost_or_out_of_order_is_found() {
    let two = || {
        let (mut front, backend) = joined();
        let first = sealed(&mut front, &[vec![1; 50]]);
        (backend, first, sealed(&mut front, &[vec![2; 50]]))
    };
    let (mut backend, first, second) = two();
    assert_eq!(opened(&mut backend, &second), Err(CHANGED), "swapped, or the first was lost");
    assert!(opened(&mut backend, &first).is_err(), "and nothing is taken after that");
    let (mut backend, first, _) = two();
    assert!(opened(&mut backend, &first).is_ok());
    assert_eq!(opened(&mut backend, &first), Err(CHANGED), "repeated");
    let (mut backend, first, mut again) = two();
    again.splice(..0, first.clone());
    assert_eq!(opened(&mut backend, &again).unwrap().len(), 2);
    let (mut front, _) = joined();
    let mut reflected = first;
    reflected.remove(16);
    reflected[4] -= 1;
    assert_eq!(opened(&mut front, &reflected), Err(CHANGED), "sent back to its sender");
}

#[test]
fn a_flipped_bit_in_any_byte_is_found() {
    let (mut front, _) = joined();
    let wire = sealed(&mut front, &[vec![1; 20]]);
    for at in 16..wire.len() {
        let (_, mut backend) = joined();
        let mut wire = wire.clone();
        wire[at] ^= 1 << (at % 8);
        assert!(opened(&mut backend, &wire).is_err());
    }
}

/// The channel alone accepts a change that keeps the checksum right; the tag must not.
#[test]
fn a_change_with_a_right_checksum_is_found() {
    let (mut front, mut backend) = joined();
    let secrets = (secret(0x01), secret(0x21));
    let cipher = secrets.0.agree(&secrets.1.point()).unwrap();
    let mut wire = sealed(&mut front, &[vec![1; 20]]);
    let mut body = wire.split_off(16);
    cipher.open(&mut body, 1).unwrap();
    body[3] ^= 1;
    cipher.seal(&mut body, 0);
    wire.push(0xa1);
    wire.extend(body);
    assert_eq!(opened(&mut backend, &wire), Err(CHANGED));

    let (_, mut backend) = joined();
    let mut short = vec![1; 15];
    cipher.seal(&mut short, 0);
    let mut wire = b"samc\x31\0\0\0........\xa1".to_vec();
    wire.extend(short);
    assert_eq!(opened(&mut backend, &wire), Err(CloseReason::Protocol("a batch without its tag")));
}

#[test]
fn another_group_key_is_refused_and_explained() {
    let (mut front, mut backend) = (front(GroupKey::new([1; 32])), backend(key()));
    let meeting = meet(&mut front, &mut backend);
    let refused = Err(CloseReason::Protocol("group key does not match"));
    assert_eq!(meeting.backend, (refused, vec![]));
    let told = Err(CloseReason::Broken(String::from("the backend has another group key")));
    assert_eq!(meeting.front, (told, vec![]));
    assert!(!front.duplex() && !backend.duplex());
}

#[test]
fn a_backend_must_prove_the_key_too() {
    // A server that accepts every hello and answers like a backend, without the key.
    let (mut front, mut stranger) = (front(key()), SecureChannel::accepted(secret(0x21), None));
    let (mut out, mut back) = (Vec::new(), Vec::new());
    front.greet(&mut out);
    stranger.open(&out, &mut back, &mut Vec::new()).unwrap();
    front.open(&back, &mut Vec::new(), &mut Vec::new()).unwrap();
    let yes = [&[0, 0, 0, 0, 0, 0, 1, 0][..], &[0x55; 32]].concat();
    let unproved = Err(CloseReason::Protocol("the backend did not prove the group key"));
    assert_eq!(opened(&mut front, &sealed(&mut stranger, &[yes])), unproved);
}

#[test]
fn a_proof_is_of_one_connection_only() {
    // A hello for one backend is relayed to another, whose point differs.
    let (mut first, mut second) = (backend(key()), SecureChannel::licence([9; 32], Some(key())));
    let mut dialled = front(key());
    let meeting = meet(&mut dialled, &mut first);
    let (agreement, hello) = meeting.out.split_at(16 + 59);
    assert!(opened(&mut first, &meeting.out).is_err(), "not twice on one connection");
    let mut back = Vec::new();
    second.open(agreement, &mut back, &mut Vec::new()).unwrap();
    assert!(opened(&mut second, hello).is_err(), "not on another connection");

    // The same by an attacker with the channel's key, but without the group's.
    let cipher = secret(0x01).agree(&secret(0x21).point()).unwrap();
    let mut plain = hello[16..].to_vec();
    cipher.open(&mut plain, 1).unwrap();
    let mut relay = SecureChannel::dial_server([3; 32]);
    let mut second = SecureChannel::licence([9; 32], Some(key()));
    let (mut out, mut back, mut frames) = (Vec::new(), Vec::new(), Vec::new());
    relay.greet(&mut out);
    relay.seal(&[plain], &mut out);
    second.open(&out, &mut back, &mut frames).unwrap();
    out.clear();
    relay.open(&back, &mut out, &mut frames).unwrap();
    let refused = second.open(&out, &mut Vec::new(), &mut frames);
    assert_eq!(refused, Err(CloseReason::Protocol("group key does not match")));
    assert!(frames.is_empty());
}

#[test]
fn another_version_is_refused_and_named() {
    // A front of version 2.7, whose hello has another length.
    let mut backend = backend(key());
    let mut other = SecureChannel::dial_server([3; 32]);
    let (mut out, mut back, mut frames) = (Vec::new(), Vec::new(), Vec::new());
    other.greet(&mut out);
    backend.open(&out, &mut back, &mut frames).unwrap();
    other.open(&back, &mut Vec::new(), &mut frames).unwrap();
    let hello = [&[0, 0, 1, 0, 2, 0, 7, 0][..], &[0; 50]].concat();
    let mut answer = Vec::new();
    let end = backend.open(&sealed(&mut other, &[hello]), &mut answer, &mut frames);
    let reason = String::from("the front speaks version 2.7, this backend 1.3");
    assert_eq!(end, Err(CloseReason::Broken(reason)));
    assert_eq!(opened(&mut other, &answer), Ok(vec![Frame::Reply(vec![125, 0, 0, 0, 3, 0, 1, 0])]));

    for (answer, said) in [
        (vec![125, 0, 0, 0, 7, 0, 2, 0], "the backend speaks version 2.7, this front 1.3"),
        (
            vec![115, 0, 0, 0, 0, 0, 0, 0],
            "the server answers the hello with status 115: not a backend of a group",
        ),
    ] {
        let (mut front, mut server) = (front(key()), SecureChannel::accepted(secret(0x21), None));
        let (mut out, mut back) = (Vec::new(), Vec::new());
        front.greet(&mut out);
        server.open(&out, &mut back, &mut Vec::new()).unwrap();
        front.open(&back, &mut Vec::new(), &mut Vec::new()).unwrap();
        let end = opened(&mut front, &sealed(&mut server, &[answer]));
        assert_eq!(end, Err(CloseReason::Broken(String::from(said))));
    }
}

#[test]
fn a_hello_cut_anywhere_is_refused() {
    let (mut dialled, mut accepted) = (front(key()), backend(key()));
    let meeting = meet(&mut dialled, &mut accepted);
    let (agreement, hello) = meeting.out.split_at(16 + 59);
    let cipher = secret(0x01).agree(&secret(0x21).point()).unwrap();
    let mut plain = hello[16..].to_vec();
    cipher.open(&mut plain, 1).unwrap();
    for cut in 4..=plain.len() {
        let mut backend = backend(key());
        let (mut back, mut frames) = (Vec::new(), Vec::new());
        backend.open(agreement, &mut back, &mut frames).unwrap();
        let mut body = plain[..cut].to_vec();
        cipher.seal(&mut body, 0);
        let length = u32::try_from(body.len() + 1).unwrap().to_le_bytes();
        let wire = [&b"samc"[..], &length, &[0; 8], &[0xa1], &body].concat();
        let end = backend.open(&wire, &mut back, &mut frames);
        assert_eq!(end.is_ok(), cut == plain.len());
        assert_eq!(frames.len(), usize::from(cut == plain.len()));
    }
}

#[test]
fn frames_for_a_link_that_is_not_joined_wait_for_it() {
    let (mut front, mut backend) = (front(key()), backend(key()));
    front.seal(&[vec![1, 2], vec![3]], &mut Vec::new());
    let meeting = meet(&mut front, &mut backend);
    let got = vec![Frame::Joined { front: FRONT, minor: 3 }, Frame::Batch(vec![1, 2, 3])];
    assert_eq!(meeting.backend, (Ok(()), got));
}

/// Checks the vector in `core/docs/wire.md`: scalars of protocol facts 2.5, group key 00 01 … 1f.
#[test]
fn the_documented_vector_holds() {
    let (mut front, mut backend) = (front(key()), backend(key()));
    let meeting = meet(&mut front, &mut backend);
    let to_backend = sealed(&mut front, &[b"one".to_vec(), b"two".to_vec()]);
    let second = sealed(&mut front, &[b"one".to_vec(), b"two".to_vec()]);
    let to_front = sealed(&mut backend, &[b"three".to_vec()]);
    assert_eq!(opened(&mut backend, &to_backend).unwrap().len(), 1);
    assert_eq!(opened(&mut front, &to_front).unwrap().len(), 1);
    let doc = include_str!("../../../docs/wire.md");
    let cipher = secret(0x01).agree(&secret(0x21).point()).unwrap();
    let plain = |message: &[u8], from| {
        let mut body = message[16..].to_vec();
        cipher.open(&mut body, from).unwrap();
        hex::encode(body)
    };
    let (hello, welcome) = (&meeting.out[16 + 59..], &meeting.back[16 + 65..]);
    let rows = [
        ("group key check", hex::encode(key().check())),
        ("hello", plain(hello, 1)),
        ("hello, on the wire", hex::encode(hello)),
        ("answer", plain(welcome, 0)),
        ("answer, on the wire", hex::encode(welcome)),
        ("first batch to the backend", plain(&to_backend, 1)),
        ("the same, on the wire", hex::encode(&to_backend)),
        ("second batch to the backend", plain(&second, 1)),
        ("first batch to the front", plain(&to_front, 0)),
        ("the same, on the wire", hex::encode(&to_front)),
    ]
    .map(|(what, value)| alloc::format!("| {what} | `{value}` |"));
    let missing: Vec<_> = rows.iter().filter(|row| !doc.contains(row.as_str())).collect();
    assert!(missing.is_empty(), "core/docs/wire.md lacks {missing:#?}");
}
