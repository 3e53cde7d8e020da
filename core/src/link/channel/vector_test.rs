//! The test vector of protocol facts 2.5, byte for byte, in both roles.

use super::agreement::{OffCurve, Point, Secret};
use super::cipher::{Cipher, sealed_length};
use super::stream::SecureChannel;
use crate::link::{CloseReason, Frame};
use alloc::vec;
use alloc::vec::Vec;

const CLIENT_POINT: &str = "04627b7c0b3a2fb7a478ac5670e9973194a5fda0bc0791b07506a73ddd99113b3fdea71bbff9921330d9ce980155eebd620c46be927c214543";
const SERVER_POINT: &str = "0431cd16fae67464ce88bbf0739ed7813a1c35322a5a77a5b98da257663825df4d4f032d92c22f6b5b04c840e2b2caf8446f034d47466b0bc9";
const DATA: &str = "2300000010001229";
const REQUEST: &str = "73616d63210000001100010000000000a1bc8d3b01be4a7505a2a6c6daaf7cf286ef934eda925d740681a8905dc7673524";
const DATA_16: &str = "21000000100012290b00000010000000";
const DATA_16_SEALED: &str = "f0442fe9e8b2269e35a14c1c5309b8756e8c265827f9a33b94470d5431dbf606eb8c3b100ae264d370647bcba90a27ed";
const REPLY_DATA: &str = "0000000010001229";
const REPLY: &str = "73616d63200000001100010000000000e818b287b001ab1270a23cb0b29388b8042635c7f07d8f74973d35b0c73b033a";

fn bytes(hex: &str) -> Vec<u8> {
    hex::decode(hex).unwrap()
}

/// Returns the 28 bytes `first`, `first + 1`, …
fn secret(first: u8) -> Secret {
    let mut byte = first..;
    Secret::from_scalar(&core::array::from_fn(|_| byte.next().unwrap())).unwrap()
}

fn cipher() -> Cipher {
    Cipher::new(
        bytes("ac6ffe3fa217729d02194188c5ea0f05").try_into().unwrap(),
        bytes("4f7e178d62c60fc8149471780a9b51dc").try_into().unwrap(),
    )
}

fn sealed(data: &[u8]) -> Vec<u8> {
    let mut out = data.to_vec();
    cipher().seal(&mut out, 0);
    out
}

#[test]
fn both_roles_speak_the_vector() {
    let mut client = SecureChannel::dialled(secret(0x01), None);
    let mut server = SecureChannel::accepted(secret(0x21), None);

    let mut wire = Vec::new();
    server.greet(&mut wire);
    assert!(wire.is_empty(), "an accepted connection says nothing first");
    client.greet(&mut wire);
    let hello = bytes("73616d633b0000001100010000000000a205");
    assert_eq!(wire, [hello, bytes(CLIENT_POINT)].concat());

    let (mut back, mut frames) = (Vec::new(), Vec::new());
    server.open(&wire, &mut back, &mut frames).unwrap();
    let head = bytes("73616d634100000011000100000000000000000000000000");
    assert_eq!(back, [head, bytes(SERVER_POINT)].concat());

    wire.clear();
    client.open(&back, &mut wire, &mut frames).unwrap();
    assert!(wire.is_empty() && frames.is_empty());
    client.seal(&[bytes(DATA)], &mut wire);
    assert_eq!(wire, bytes(REQUEST));
    server.open(&wire, &mut Vec::new(), &mut frames).unwrap();
    assert_eq!(frames, [Frame::Call(bytes(DATA))]);

    wire.clear();
    frames.clear();
    server.seal(&[bytes(REPLY_DATA)], &mut wire);
    assert_eq!(wire, bytes(REPLY));
    client.open(&wire, &mut Vec::new(), &mut frames).unwrap();
    assert_eq!(frames, [Frame::Reply(bytes(REPLY_DATA))]);
}

#[test]
fn both_secrets_give_the_cipher_of_the_vector() {
    let client: Point = bytes(CLIENT_POINT).try_into().unwrap();
    let server: Point = bytes(SERVER_POINT).try_into().unwrap();
    assert_eq!((secret(0x01).point(), secret(0x21).point()), (client, server));
    for cipher in [secret(0x01).agree(&server), secret(0x21).agree(&client)] {
        let mut out = bytes(DATA_16);
        cipher.unwrap().seal(&mut out, 0);
        assert_eq!(out, bytes(DATA_16_SEALED));
    }
}

#[test]
fn lengths_follow_the_official_rule() {
    for (n, t) in [(0, 32), (8, 32), (9, 48), (16, 48), (204, 240), (212, 240)] {
        assert_eq!(sealed_length(n), t);
        assert_eq!(sealed(&vec![7; n]).len(), t);
    }
    // The record of 1296 bytes holds 1257 to 1272 bytes of data (protocol facts 3.4).
    assert_eq!((sealed_length(1256), sealed_length(1257)), (1280, 1296));
    assert_eq!((sealed_length(1272), sealed_length(1273)), (1296, 1312));
}

/// Seals with any amount of padding, and any length and checksum.
fn sealed_by_hand(data: &[u8], total: usize, length: u32, spoil: u32) -> Vec<u8> {
    use aes::cipher::{BlockEncryptMut, KeyIvInit};
    let mut plain = data.to_vec();
    plain.resize(total - 8, 0);
    plain.extend(length.to_le_bytes());
    plain.extend((crc32fast::hash(&plain) ^ spoil).to_le_bytes());
    let key = bytes("ac6ffe3fa217729d02194188c5ea0f05");
    let iv = bytes("4f7e178d62c60fc8149471780a9b51dc");
    let mut cbc = cbc::Encryptor::<aes::Aes128>::new_from_slices(&key, &iv).unwrap();
    let mut blocks: Vec<Vec<u8>> = plain
        .chunks(16)
        .map(|block| {
            let mut block = aes::Block::clone_from_slice(block);
            cbc.encrypt_block_mut(&mut block);
            block.to_vec()
        })
        .collect();
    let last = blocks.len() - 1;
    blocks.swap(last - 1, last);
    blocks.concat()
}

fn opened(mut body: Vec<u8>) -> Result<Vec<u8>, CloseReason> {
    cipher().open(&mut body, 0).map(|()| body)
}

#[test]
fn any_padding_is_taken() {
    let data: Vec<u8> = (0..40).collect();
    assert_eq!(sealed_by_hand(&data, 64, 40, 0), sealed(&data), "by the official rule");
    // The smaller rule ((n + 16 + 15) / 16) * 16 gives the same here; 48 leaves no padding at all.
    for total in [48, 64, 80, 4096] {
        assert_eq!(opened(sealed_by_hand(&data, total, 40, 0)), Ok(data.clone()));
    }
    // Eight bytes by the smaller rule: one block less than the sender's rule needs for nine.
    assert_eq!(opened(sealed_by_hand(&data[..16], 32, 16, 0)), Ok(data[..16].to_vec()));
}

#[test]
fn what_is_wrong_with_a_message_is_named() {
    let data = [1; 24];
    for length in [25, 0x7fff_ffff, u32::MAX] {
        let wrong = Err(CloseReason::Protocol("the length field of a protected message"));
        assert_eq!(opened(sealed_by_hand(&data, 32, length, 0)), wrong);
    }
    assert_eq!(opened(sealed_by_hand(&data, 32, 24, 0)), Ok(data.to_vec()));
    let wrong = Err(CloseReason::Protocol("the checksum of a protected message"));
    assert_eq!(opened(sealed_by_hand(&data, 32, 24, 1)), wrong);
    for bit in 0..8 * 48 {
        let mut message = sealed(&data[..16]);
        message[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(opened(message), wrong);
    }
    let wrong = Err(CloseReason::Protocol("a protected message of a wrong length"));
    for length in [0, 1, 8, 15, 16, 17, 31, 33, 47, 49] {
        assert_eq!(opened(vec![0; length]), wrong);
    }
    assert_eq!(cipher().open(&mut Vec::new(), 1), wrong.map(|_| ()));
}

#[test]
fn points_that_are_none_are_refused() {
    let server = secret(0x21);
    let good: Point = bytes(CLIENT_POINT).try_into().unwrap();
    let mut off_curve = good;
    off_curve[56] ^= 1;
    let mut compressed = good;
    compressed[0] = 2;
    let mut infinity = [0; 57];
    let mut origin = [0; 57];
    origin[0] = 4;
    let mut beyond_the_field = [0xff; 57];
    beyond_the_field[0] = 4;
    for point in [off_curve, compressed, infinity, origin, beyond_the_field] {
        assert_eq!(server.agree(&point).err(), Some(OffCurve));
    }
    infinity[0] = 4;
    assert_eq!(infinity, origin, "infinity has no uncompressed form but this invalid one");
}

#[test]
fn scalars_are_checked_and_every_entropy_has_one() {
    let order = bytes("ffffffffffffffffffffffffffff16a2e0b8f03e13dd29455c5c2a3d");
    let mut scalar: [u8; 28] = order.try_into().unwrap();
    assert!(Secret::from_scalar(&scalar).is_none());
    assert!(Secret::from_scalar(&[0; 28]).is_none());
    assert!(Secret::from_scalar(&[0xff; 28]).is_none());
    scalar[27] -= 1;
    assert!(Secret::from_scalar(&scalar).is_some());

    for entropy in [[0; 32], [0xff; 32], [7; 32]] {
        assert_eq!(Secret::new(&entropy).point(), Secret::new(&entropy).point());
    }
    assert_ne!(Secret::new(&[0; 32]).point(), Secret::new(&[1; 32]).point());
}
