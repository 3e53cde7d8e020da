//! Client links: any chunks, any truncation, and everything that an unknown peer may send.

use super::agreement::Secret;
use super::{GroupKey, SecureChannel};
use crate::base::limits::CLIENT_FRAME_MAX;
use crate::link::{CloseReason, Frame};
use alloc::format;
use alloc::string::ToString;
use alloc::vec;
use alloc::vec::Vec;

/// Returns the requests of one client: all lengths up to 70, and three long ones.
fn requests() -> Vec<Vec<u8>> {
    let lengths = (0u8..70).map(usize::from).chain([712, 1260, 5000]);
    lengths.map(|n| (0..n).map(|i| if i == 1 || i > 3 { i as u8 } else { 0 }).collect()).collect()
}

fn answers(replies: &[Vec<u8>]) -> Vec<Frame> {
    replies.iter().cloned().map(Frame::Reply).collect()
}

fn calls(requests: &[Vec<u8>]) -> Vec<Frame> {
    requests.iter().cloned().map(Frame::Call).collect()
}

/// Returns both ends of a client link after the key agreement, and all bytes that each has sent.
fn agreed() -> (SecureChannel, SecureChannel, Vec<u8>, Vec<u8>) {
    let (mut client, mut server) =
        (SecureChannel::dial_server([1; 32]), SecureChannel::licence([2; 32], None));
    let (mut out, mut back) = (Vec::new(), Vec::new());
    client.greet(&mut out);
    server.open(&out, &mut back, &mut Vec::new()).unwrap();
    client.open(&back, &mut Vec::new(), &mut Vec::new()).unwrap();
    (client, server, out, back)
}

/// Gives a new server with the same secret the bytes in chunks that end at `cuts`.
fn fed(bytes: &[u8], cuts: &[usize]) -> (SecureChannel, Vec<u8>, Vec<Frame>) {
    let mut server = SecureChannel::licence([2; 32], None);
    let (mut wire, mut frames) = (Vec::new(), Vec::new());
    let mut from = 0;
    for &to in cuts.iter().chain([&bytes.len()]) {
        server.open(&bytes[from..to], &mut wire, &mut frames).unwrap();
        from = to;
    }
    (server, wire, frames)
}

#[test]
fn any_chunking_gives_the_same_frames() {
    let requests = requests();
    let (mut client, _, mut out, back) = agreed();
    client.seal(&requests, &mut out);
    let ones: Vec<usize> = (0..out.len()).collect();
    let sevens: Vec<usize> = (0..out.len()).step_by(7).collect();
    for cuts in [&[][..], &ones, &sevens] {
        let (server, wire, frames) = fed(&out, cuts);
        assert_eq!((wire, frames), (back.clone(), calls(&requests)));
        assert!(!server.partial());
    }
}

#[test]
fn any_two_halves_give_the_same_frames() {
    let requests = [0, 1, 8, 40].map(|n| vec![0; n]);
    let (mut client, _, mut out, back) = agreed();
    client.seal(&requests, &mut out);
    for cut in 0..=out.len() {
        let (_, wire, frames) = fed(&out, &[cut]);
        assert_eq!((wire, frames), (back.clone(), calls(&requests)));
    }
}

#[test]
fn truncation_never_yields_what_was_not_whole() {
    let requests = requests();
    let (mut client, _, mut out, back) = agreed();
    let mut ends = vec![out.len()];
    for request in &requests {
        client.seal(core::slice::from_ref(request), &mut out);
        ends.push(out.len());
    }
    let mut server = SecureChannel::licence([2; 32], None);
    let (mut wire, mut frames) = (Vec::new(), Vec::new());
    for at in 0..out.len() {
        server.open(&out[at..=at], &mut wire, &mut frames).unwrap();
        let messages = ends.iter().filter(|&&end| end <= at + 1).count();
        assert_eq!(frames.len(), messages.saturating_sub(1));
        assert_eq!(wire.len(), if messages > 0 { back.len() } else { 0 });
        assert_eq!(server.partial(), !ends.contains(&(at + 1)));
    }
    assert_eq!(frames, calls(&requests));
}

#[test]
fn a_changed_byte_never_makes_another_frame() {
    let requests = [8, 20].map(|n| vec![0; n]);
    let (mut client, _, mut out, _) = agreed();
    client.seal(&requests, &mut out);
    let expected = calls(&requests);
    for at in 0..out.len() {
        let mut changed = out.clone();
        changed[at] ^= 1 << (at % 8);
        let mut server = SecureChannel::licence([2; 32], None);
        let mut frames = Vec::new();
        let end = server.open(&changed, &mut Vec::new(), &mut frames);
        assert!(expected.starts_with(&frames));
        // All frames are accepted only if the change has no meaning: in the envelope's constant.
        assert!(end.is_err() || frames == expected || server.partial(), "byte {at}");
    }
}

#[test]
fn replies_in_any_chunking() {
    let (mut client, mut server, _, _) = agreed();
    let replies = requests();
    let mut wire = Vec::new();
    server.seal(&replies, &mut wire);
    let mut frames = Vec::new();
    for chunk in wire.chunks(5) {
        client.open(chunk, &mut Vec::new(), &mut frames).unwrap();
    }
    assert_eq!(frames, answers(&replies));
}

#[test]
fn requests_made_too_early_go_out_when_they_can() {
    let (mut client, mut server) =
        (SecureChannel::dial_server([1; 32]), SecureChannel::licence([2; 32], None));
    let (mut out, mut back, mut frames) = (Vec::new(), Vec::new(), Vec::new());
    client.greet(&mut out);
    let greeting = out.len();
    client.seal(&[vec![1, 0, 0, 0]], &mut out);
    client.seal(&[vec![2, 0, 0, 0]], &mut out);
    assert_eq!(out.len(), greeting);
    assert!(!client.greeted(), "the handshake is not over");
    server.open(&out, &mut back, &mut frames).unwrap();
    out.clear();
    client.open(&back, &mut out, &mut frames).unwrap();
    server.open(&out, &mut Vec::new(), &mut frames).unwrap();
    assert_eq!(frames, calls(&[vec![1, 0, 0, 0], vec![2, 0, 0, 0]]));
    assert!(client.duplex() && !server.duplex());
}

fn envelope(length: u32, body: &[u8]) -> Vec<u8> {
    let head = [&b"samc"[..], &length.to_le_bytes(), &[0xee; 8]].concat();
    [&head, body].concat()
}

fn first(bytes: &[u8]) -> Result<(), CloseReason> {
    let (mut wire, mut frames) = (Vec::new(), Vec::new());
    let result = SecureChannel::licence([2; 32], None).open(bytes, &mut wire, &mut frames);
    assert!(frames.is_empty());
    assert_eq!(result.is_ok() && bytes.len() == 16 + 59, !wire.is_empty());
    result
}

fn agreement() -> Vec<u8> {
    [&[0xa2, 5][..], &Secret::new(&[1; 32]).point()].concat()
}

#[test]
fn the_constant_of_the_envelope_may_be_anything() {
    assert_eq!(first(&envelope(59, &agreement())), Ok(()));
}

#[test]
fn whoever_does_not_begin_with_the_key_agreement_is_refused() {
    let with = |at: usize, byte: u8| {
        let mut body = agreement();
        body[at] = byte;
        first(&envelope(59, &body))
    };
    let is = |what| Err(CloseReason::Protocol(what));
    assert_eq!(with(0, 0xa0), is("selector 0xa0: the local-only channel is refused"));
    assert_eq!(with(0, 0xa1), is("a protected message before the key agreement"));
    assert_eq!(with(0, 0xa3), is("an unknown selector"));
    assert_eq!(with(1, 6), is("a key agreement of an unknown kind"));
    let off = "the point of the key agreement is not on the curve";
    assert_eq!(with(58, agreement()[58] ^ 1), is(off));
    assert_eq!(with(2, 2), is(off));
    let infinity = [&[0xa2, 5][..], &[0; 57]].concat();
    assert_eq!(first(&envelope(59, &infinity)), is(off));
    let short = &agreement()[..58];
    assert_eq!(first(&envelope(58, short)), is("a key agreement of a wrong length"));
    assert_eq!(first(&envelope(0, &[])), is("an unknown selector"));
}

#[test]
fn what_is_foreign_is_named_after_four_bytes() {
    for bytes in [&b"GET / HTTP/1.1\r\n"[..], b"POST", b"HEAD /"] {
        assert_eq!(first(bytes), Err(CloseReason::Protocol("HTTP on the licence port")));
    }
    let magic = Err(CloseReason::Protocol("no envelope: the magic is not samc"));
    for bytes in [&b"\x16\x03\x01\x02"[..], b"samd", b"Samc"] {
        assert_eq!(first(bytes), magic);
        assert_eq!(first(&bytes[..3]), Ok(()), "not yet");
    }
}

#[test]
fn an_announced_length_is_judged_from_the_head() {
    let long = Err(CloseReason::Limit("length of a message"));
    assert_eq!(first(b"samc\xff\xff\xff\xff"), long);
    assert_eq!(first(&envelope(60, &[])), long, "the key agreement has 59 bytes");
    let (_, mut server, _, _) = agreed();
    let most = u32::try_from(CLIENT_FRAME_MAX).unwrap();
    let mut open = |length| server.open(&envelope(length, &[]), &mut Vec::new(), &mut Vec::new());
    assert_eq!(open(most), Ok(()));
    let (_, mut server, _, _) = agreed();
    let mut open = |length| server.open(&envelope(length, &[]), &mut Vec::new(), &mut Vec::new());
    assert_eq!(open(most + 1), long);
}

/// Returns the result of one more message at a server after the key agreement.
fn then(bytes: &[u8], group: Option<GroupKey>) -> Result<(), CloseReason> {
    let mut server = SecureChannel::licence([2; 32], group);
    let (mut out, mut wire, mut frames) = (Vec::new(), Vec::new(), Vec::new());
    SecureChannel::dial_server([1; 32]).greet(&mut out);
    server.open(&out, &mut wire, &mut frames).unwrap();
    wire.clear();
    let result = server.open(bytes, &mut wire, &mut frames);
    assert!(frames.is_empty() && wire.is_empty());
    assert!(server.open(b"", &mut wire, &mut frames).is_err(), "once broken, for ever");
    result
}

#[test]
fn what_follows_the_key_agreement_is_a_protected_message() {
    let (mut client, _, out, _) = agreed();
    let mut good = Vec::new();
    client.seal(&[vec![0; 20]], &mut good);
    let is = |what| Err(CloseReason::Protocol(what));
    assert_eq!(then(&out, None), is("a second key agreement"));
    assert_eq!(then(&envelope(0, &[]), None), is("an unknown selector"));
    let local = "selector 0xa0: the local-only channel is refused";
    assert_eq!(then(&envelope(33, &[0xa0; 33]), None), is(local));
    let length = "a protected message of a wrong length";
    for body in [1, 2, 17, 32, 34, 48] {
        assert_eq!(then(&envelope(body, &vec![0xa1; body as usize]), None), is(length));
    }
    let last = good.len() - 1;
    good[last] ^= 1;
    assert_eq!(then(&good, None), is("the checksum of a protected message"));
}

#[test]
fn a_stranger_cannot_use_the_calls_of_a_front() {
    let (mut client, _, _, _) = agreed();
    let mut sealed = |call: u32, length: usize| {
        let mut frame = call.to_le_bytes().to_vec();
        frame.resize(length, 0);
        let mut wire = Vec::new();
        client.seal(&[frame], &mut wire);
        wire
    };
    let key = || Some(GroupKey::new([7; 32]));
    let own = Err(CloseReason::Protocol("a front's call from who has not proved to be one"));
    for call in [0x0001_0001, 0x0001_0008, 0x8001_0001, u32::MAX] {
        assert_eq!(then(&sealed(call, 4), key()), own);
        assert_eq!(then(&sealed(call, 64), None), own);
    }
    let nobody = Err(CloseReason::Protocol("a front's hello where none is expected"));
    assert_eq!(then(&sealed(0x0001_0000, 44), None), nobody);

    // A hello must be the first message.
    let mut server = SecureChannel::licence([2; 32], key());
    let (mut out, mut frames) = (Vec::new(), Vec::new());
    SecureChannel::dial_server([1; 32]).greet(&mut out);
    out.extend(sealed(0xffff, 4));
    out.extend(sealed(0x0001_0000, 44));
    assert_eq!(server.open(&out, &mut Vec::new(), &mut frames), nobody);
    assert_eq!(frames.len(), 1);
}

#[test]
fn a_server_that_answers_wrongly_is_left() {
    let reply = [&[0; 8][..], &Secret::new(&[2; 32]).point()].concat();
    let left = |bytes: &[u8]| {
        SecureChannel::dial_server([1; 32]).open(bytes, &mut Vec::new(), &mut Vec::new())
    };
    assert_eq!(left(&envelope(65, &reply)), Ok(()));
    let length = Err(CloseReason::Protocol("a reply to the key agreement of a wrong length"));
    for n in [0, 7, 8, 64] {
        assert_eq!(left(&envelope(n, &reply[..n as usize])), length);
    }
    assert_eq!(left(&envelope(66, &reply)), Err(CloseReason::Limit("length of a message")));
    let off = Err(CloseReason::Protocol("the point of the key agreement is not on the curve"));
    assert_eq!(left(&envelope(65, &[4; 65])), off);
}

#[test]
fn secrets_do_not_show() {
    let key = GroupKey::new([0xab; 32]);
    let stream = SecureChannel::dial_backend([0xab; 32], key.clone(), 0xabab_abab);
    assert_eq!(format!("{key:?} {stream:?}"), "GroupKey(..) Stream(dialled)");
    let (client, _, _, _) = agreed();
    assert_eq!(format!("{client:?}"), "Stream(asking)");
}

#[test]
fn key_files_are_read_or_explained() {
    let digits = "00112233445566778899aabbccddeeff00112233445566778899AABBCCDDEEFF";
    let key = GroupKey::from_hex(&format!("\n {digits}\r\n")).unwrap();
    let bytes: [u8; 32] = hex::decode(digits).unwrap().try_into().unwrap();
    assert_eq!(key.check(), GroupKey::new(bytes).check());
    assert_ne!(key.check(), GroupKey::new([0; 32]).check());
    let said = |text: &str| GroupKey::from_hex(text).unwrap_err().to_string();
    assert_eq!(said(""), "a group key is 64 hex digits; there are 0");
    assert_eq!(said(&digits[1..]), "a group key is 64 hex digits; there are 63");
    assert_eq!(said(&format!("{digits}0")), "a group key is 64 hex digits; there are 65");
    assert_eq!(said("00é1"), "a group key is 64 hex digits; character 3 is none");
}
