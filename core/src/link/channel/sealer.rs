//! The sending half of a channel: frames into bytes.

use super::cipher::{Cipher, sealed_length};
use super::envelope::{self, HEAD};
use super::group::{Counted, TAG};
use super::noise;
use crate::base::limits::GROUP_BATCH_BYTES;
use alloc::boxed::Box;
use alloc::vec::Vec;

/// First byte of a protected message of the end that dialled (protocol facts 1). Messages of the end
/// that accepted have none.
pub(super) const PROTECTED: u8 = 0xa1;

/// The end of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The end that dialled.
    Client,
    /// The end that accepted.
    Server,
}

/// The sending half of a channel after its handshake.
pub(super) struct Sealer(pub(super) Kind);

pub(super) enum Kind {
    /// Unchanged: the admin port.
    Plain,
    /// One message for each frame.
    Messages(Cipher, End),
    /// As many frames in a message as fit.
    Batches(Box<Batches>),
    /// Noise messages to the twin.
    Twin(Box<noise::Outward>),
}

pub(super) struct Batches {
    pub(super) cipher: Cipher,
    pub(super) end: End,
    pub(super) counted: Counted,
}

impl Sealer {
    /// As [`SecureChannel::seal`](super::SecureChannel::seal).
    pub(super) fn seal(&mut self, frames: &[Vec<u8>], wire: &mut Vec<u8>) {
        match &mut self.0 {
            Kind::Plain => frames.iter().for_each(|frame| wire.extend_from_slice(frame)),
            Kind::Messages(cipher, end) => {
                for frame in frames {
                    message(cipher, *end, frame.len(), wire, |wire| wire.extend_from_slice(frame));
                }
            }
            Kind::Batches(batches) => {
                let mut rest = frames;
                while !rest.is_empty() {
                    let (batch, later) = rest.split_at(fitting(rest));
                    batches.seal(batch, wire);
                    rest = later;
                }
            }
            Kind::Twin(outward) => outward.seal(frames, wire),
        }
    }
}

impl Batches {
    fn seal(&mut self, batch: &[Vec<u8>], wire: &mut Vec<u8>) {
        let length = batch.iter().map(Vec::len).sum::<usize>() + TAG;
        let counted = &mut self.counted;
        message(&self.cipher, self.end, length, wire, |wire| {
            let from = wire.len();
            batch.iter().for_each(|frame| wire.extend_from_slice(frame));
            let tag = counted.tag(&wire[from..]);
            wire.extend_from_slice(&tag);
        });
    }
}

/// Returns how many of these frames, at least one, fit into the next batch.
fn fitting(frames: &[Vec<u8>]) -> usize {
    let mut bytes = 0;
    let more = |frame: &&Vec<u8>| {
        bytes += frame.len();
        bytes <= GROUP_BATCH_BYTES
    };
    frames.iter().take_while(more).count().max(1)
}

/// Appends one protected message; `fill` appends its plaintext of `length` bytes.
pub(super) fn message(
    cipher: &Cipher,
    end: End,
    length: usize,
    wire: &mut Vec<u8>,
    fill: impl FnOnce(&mut Vec<u8>),
) {
    wire.reserve(HEAD + 1 + sealed_length(length));
    let at = envelope::begin(wire);
    if end == End::Client {
        wire.push(PROTECTED);
    }
    let from = wire.len();
    fill(wire);
    cipher.seal(wire, from);
    envelope::end(wire, at);
}
