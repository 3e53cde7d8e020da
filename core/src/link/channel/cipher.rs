//! The protected message (protocol facts 2.3): padding, length, checksum, AES-128-CBC, and the last
//! two blocks swapped.
//!
//! It is confidential but not authenticated: an attacker who can change bytes in transit can change
//! the message. What must resist that is bound by the group key ([`group`](super::group)).

use crate::link::CloseReason;
use aes::cipher::consts::U16;
use aes::cipher::inout::InOutBuf;
use aes::cipher::{BlockDecryptMut, BlockEncryptMut, KeyIvInit};
use aes::{Aes128Dec, Aes128Enc};
use alloc::vec::Vec;

const BLOCK: usize = 16;
/// Length and checksum at the end of a message, in bytes.
const TRAILER: usize = 8;
/// The least length of a protected message, in bytes: there must be two blocks to swap.
const LEAST: usize = 2 * BLOCK;

/// The key and initialisation vector shared by the two ends of a connection. Both directions and
/// every message start from the same values.
///
/// The round keys are expanded for each message: that costs some 50 ns with AES instructions, and
/// keeps an idle link 700 bytes smaller.
#[derive(Clone)]
pub(super) struct Cipher {
    key: [u8; BLOCK],
    iv: [u8; BLOCK],
}

/// Returns the length on the wire of `n` bytes of plaintext, by the rule that fits all record sizes
/// of the official client (protocol facts 2.3).
pub(super) const fn sealed_length(n: usize) -> usize {
    (n + 24 + 15) / BLOCK * BLOCK
}

impl Cipher {
    pub(super) fn new(key: [u8; BLOCK], iv: [u8; BLOCK]) -> Self {
        Self { key, iv }
    }

    /// Protects the bytes of `wire` from `from` on, in place.
    pub(super) fn seal(&self, wire: &mut Vec<u8>, from: usize) {
        let n = wire.len() - from;
        wire.resize(from + sealed_length(n) - TRAILER, 0);
        let length = u32::try_from(n).expect("what a node sends is far below 4 GiB");
        wire.extend_from_slice(&length.to_le_bytes());
        let check = crc32fast::hash(&wire[from..]);
        wire.extend_from_slice(&check.to_le_bytes());
        let message = &mut wire[from..];
        let (blocks, _) = InOutBuf::from(&mut *message).into_chunks::<U16>();
        cbc::Encryptor::<Aes128Enc>::new(&self.key.into(), &self.iv.into())
            .encrypt_blocks_inout_mut(blocks);
        swap_last_two(message);
    }

    /// Replaces the protected message in `body` from `from` on by its plaintext. Accepts any
    /// padding, as servers were seen to do.
    pub(super) fn open(&self, body: &mut Vec<u8>, from: usize) -> Result<(), CloseReason> {
        let message = body.get_mut(from..).unwrap_or_default();
        if message.len() < LEAST || message.len() % BLOCK != 0 {
            return Err(CloseReason::Protocol("a protected message of a wrong length"));
        }
        swap_last_two(message);
        let (blocks, _) = InOutBuf::from(&mut *message).into_chunks::<U16>();
        cbc::Decryptor::<Aes128Dec>::new(&self.key.into(), &self.iv.into())
            .decrypt_blocks_inout_mut(blocks);
        let (rest, check) = split_word(message);
        let (room, length) = split_word(rest);
        if crc32fast::hash(rest) != check {
            return Err(CloseReason::Protocol("the checksum of a protected message"));
        }
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        if length > room.len() {
            return Err(CloseReason::Protocol("the length field of a protected message"));
        }
        body.copy_within(from..from + length, 0);
        body.truncate(length);
        Ok(())
    }
}

/// Swaps the last two blocks; its own inverse. At least two blocks must be there.
fn swap_last_two(message: &mut [u8]) {
    let (rest, last) = message.split_at_mut(message.len() - BLOCK);
    let at = rest.len() - BLOCK;
    rest[at..].swap_with_slice(last);
}

/// Splits a little-endian word off the end; at least four bytes must be there.
fn split_word(bytes: &[u8]) -> (&[u8], u32) {
    let (rest, word) = bytes.split_last_chunk::<4>().expect("at least two blocks");
    (rest, u32::from_le_bytes(*word))
}
