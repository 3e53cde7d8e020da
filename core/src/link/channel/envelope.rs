//! The envelope around every message on the licence port (protocol facts 1): 16 bytes, then the body.

use crate::link::CloseReason;
use alloc::vec::Vec;
use nom::Parser;
use nom::bytes::streaming::tag;
use nom::number::streaming::le_u32;

/// Length of the envelope's header, in bytes.
pub(super) const HEAD: usize = 16;
const MAGIC: [u8; 4] = *b"samc";
/// Bytes 8 to 15 as every captured client sent them; their meaning is unknown, and any value is
/// accepted.
const CONSTANT: [u8; 8] = [0x11, 0, 1, 0, 0, 0, 0, 0];
/// The first four bytes of HTTP requests.
const HTTP: [&[u8; 4]; 8] =
    [b"GET ", b"HEAD", b"POST", b"PUT ", b"DELE", b"OPTI", b"PATC", b"CONN"];

/// Splits a byte stream into bodies, whatever chunks it arrives in.
///
/// It keeps only bytes that arrived, never room for an announced length, and nothing on the heap
/// between two messages.
#[derive(Default)]
pub(super) struct Reader {
    head: [u8; HEAD],
    /// Bytes of the header that have arrived.
    got: usize,
    body: Vec<u8>,
}

impl Reader {
    /// Takes bytes off the front of `bytes` up to the end of the next body, and returns that body
    /// once it is complete. `max`: its greatest length.
    pub(super) fn next(
        &mut self,
        bytes: &mut &[u8],
        max: usize,
    ) -> Result<Option<Vec<u8>>, CloseReason> {
        let (new, rest) = bytes.split_at((HEAD - self.got).min(bytes.len()));
        self.head[self.got..self.got + new.len()].copy_from_slice(new);
        self.got += new.len();
        *bytes = rest;
        let Some(length) = announced(&self.head[..self.got], max)? else { return Ok(None) };
        if self.got < HEAD {
            return Ok(None);
        }
        let (new, rest) = bytes.split_at((length - self.body.len()).min(bytes.len()));
        self.body.extend_from_slice(new);
        *bytes = rest;
        if self.body.len() < length {
            return Ok(None);
        }
        self.got = 0;
        Ok(Some(core::mem::take(&mut self.body)))
    }

    /// Returns the bytes of memory used for an incomplete message.
    pub(super) fn held(&self) -> usize {
        self.body.capacity()
    }

    /// Whether part of a message has arrived.
    pub(super) fn partial(&self) -> bool {
        self.got > 0
    }
}

/// Returns the length in a header of which the first bytes are here; `None` if more are needed.
fn announced(head: &[u8], max: usize) -> Result<Option<usize>, CloseReason> {
    // The error names the first four bytes of a foreign protocol, so fewer are not judged.
    if head.len() < MAGIC.len() {
        return Ok(None);
    }
    let parsed = (tag::<_, _, nom::error::Error<&[u8]>>(&MAGIC[..]), le_u32).parse(head);
    match parsed {
        Ok((_, (_, length))) => match usize::try_from(length) {
            Ok(length) if length <= max => Ok(Some(length)),
            _ => Err(CloseReason::Limit("length of a message")),
        },
        Err(nom::Err::Incomplete(_)) => Ok(None),
        Err(_) if HTTP.iter().any(|method| head.starts_with(&method[..])) => {
            Err(CloseReason::Protocol("HTTP on the licence port"))
        }
        Err(_) => Err(CloseReason::Protocol("no envelope: the magic is not samc")),
    }
}

/// Starts an envelope at the end of `wire`; the body is appended next, then [`end`] is called with
/// the returned position.
pub(super) fn begin(wire: &mut Vec<u8>) -> usize {
    let at = wire.len();
    wire.extend_from_slice(&MAGIC);
    wire.extend_from_slice(&[0; 4]);
    wire.extend_from_slice(&CONSTANT);
    at
}

/// Writes the length of the body that was appended after [`begin`].
pub(super) fn end(wire: &mut [u8], at: usize) {
    let length =
        u32::try_from(wire.len() - at - HEAD).expect("what a node sends is far below 4 GiB");
    wire[at + 4..at + 8].copy_from_slice(&length.to_le_bytes());
}
