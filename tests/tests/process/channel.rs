//! The server's secure channel against the independent client, without a network: any chunking of
//! the bytes gives the same calls.

use tmr_core::link::Frame;
use tmr_core::link::channel::SecureChannel;
use tmr_tests::independent_client::{
    AccessRequest, Crypt, Key, KeyPair, Reply, envelope, get_version, handshake_body, release,
};

/// Bodies of whole envelopes.
fn bodies(mut wire: &[u8]) -> Vec<Vec<u8>> {
    let mut bodies = Vec::new();
    while !wire.is_empty() {
        assert_eq!(&wire[..4], b"samc");
        let length = u32::from_le_bytes(wire[4..8].try_into().expect("four bytes")) as usize;
        bodies.push(wire[16..16 + length].to_vec());
        wire = &wire[16 + length..];
    }
    bodies
}

fn calls() -> Vec<Vec<u8>> {
    let ask = AccessRequest::new(10, 13);
    vec![
        get_version(0),
        ask.access(),
        ask.access2(),
        ask.access2_remote(),
        Crypt::firm_key(Crypt::ECB_ENCRYPT, 3).request(7, &[9; 160]),
        release(7),
    ]
}

/// Gives bytes to a stream in pieces; returns what it answers and understands.
fn feed(stream: &mut SecureChannel, bytes: &[u8], piece: usize) -> (Vec<u8>, Vec<Vec<u8>>) {
    let (mut wire, mut frames) = (Vec::new(), Vec::new());
    for chunk in bytes.chunks(piece) {
        stream.open(chunk, &mut wire, &mut frames).expect("nothing is wrong with these bytes");
    }
    let calls = frames.into_iter().map(|frame| match frame {
        Frame::Call(call) => call,
        other => panic!("not a call: {other:?}"),
    });
    (wire, calls.collect())
}

fn converse(piece: usize) {
    let mut stream = SecureChannel::licence([42; 32], None);
    let pair = KeyPair::fresh().expect("entropy");
    let (wire, frames) = feed(&mut stream, &envelope(&handshake_body(&pair.point())), piece);
    assert!(frames.is_empty());
    let [answer] = &bodies(&wire)[..] else { panic!("one answer to the key agreement") };
    assert_eq!(answer.len(), 65);
    let key: Key = pair.agree(&answer[8..]).expect("a point on the curve");

    let mut sent = Vec::new();
    for call in calls() {
        sent.extend(envelope(&[vec![0xa1], key.protect(&call)].concat()));
    }
    let (wire, frames) = feed(&mut stream, &sent, piece);
    assert!(wire.is_empty());
    assert_eq!(frames, calls(), "in pieces of {piece}");

    let replies: Vec<Vec<u8>> =
        [0, 8, 48, 280, 4096].map(|length| vec![3; 8 + length]).into_iter().collect();
    let mut wire = Vec::new();
    stream.seal(&replies, &mut wire);
    let got: Vec<Reply> = bodies(&wire)
        .iter()
        .map(|body| Reply::decode(&key.open(body).expect("it opens")).expect("a reply"))
        .collect();
    let expected: Vec<Reply> =
        replies.iter().map(|reply| Reply::decode(reply).expect("a reply")).collect();
    assert_eq!(got, expected);
}

#[test]
fn any_chunking_gives_the_same_calls() {
    for piece in [1, 2, 3, 15, 16, 17, 31, 75, 76, 1000, usize::MAX] {
        converse(piece);
    }
}

#[test]
fn the_smaller_padding_is_taken() {
    let mut stream = SecureChannel::licence([42; 32], None);
    let pair = KeyPair::fresh().expect("entropy");
    let (wire, _) = feed(&mut stream, &envelope(&handshake_body(&pair.point())), usize::MAX);
    let key = pair.agree(&bodies(&wire)[0][8..]).expect("a point on the curve");
    // Protocol facts 2.3: servers were seen to take ((n + 16 + 15) / 16) * 16 as well.
    let call = Crypt::firm_key(Crypt::ECB_ENCRYPT, 3).request(7, &[9; 44]);
    let mut plain = call.clone();
    plain.resize((call.len() + 16).div_ceil(16) * 16 - 8, 0);
    plain.extend_from_slice(&u32::try_from(call.len()).expect("small").to_le_bytes());
    Key::seal_check(&mut plain);
    assert!(plain.len() < Key::plain(&call).len(), "the vector has the smaller padding");
    let body = [vec![0xa1], key.encrypt(&plain)].concat();
    let (_, frames) = feed(&mut stream, &envelope(&body), usize::MAX);
    assert_eq!(frames, [call]);
}
