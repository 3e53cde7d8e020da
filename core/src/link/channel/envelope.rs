//! The envelope around every message on the licence port (protocol facts 1): 16 bytes, then the body.

use crate::link::CloseReason;
use alloc::vec::Vec;
use nom::Parser;
use nom::bytes::streaming::tag;
use nom::number::streaming::le_u32;

/// Length of the envelope's head, in bytes.
pub(super) const HEAD: usize = 16;
const MAGIC: [u8; 4] = *b"samc";
/// Bytes 8 to 15 as every captured client sent them; the meaning is unknown, any value is taken.
const CONSTANT: [u8; 8] = [0x11, 0, 1, 0, 0, 0, 0, 0];
/// How HTTP requests begin, in as many bytes as the magic has.
const HTTP: [&[u8; 4]; 8] =
    [b"GET ", b"HEAD", b"POST", b"PUT ", b"DELE", b"OPTI", b"PATC", b"CONN"];

/// Cuts a byte stream into bodies, whatever chunks it arrives in.
///
/// Holds only bytes that arrived, never room for an announced length; nothing on the heap between
/// two messages.
#[derive(Default)]
pub(super) struct Reader {
    head: [u8; HEAD],
    /// Bytes of the head that are here.
    got: usize,
    body: Vec<u8>,
}

impl Reader {
    /// Takes bytes off the front of `bytes` up to the end of the next body, and returns that body
    /// once it is whole. `max`: its greatest length.
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

    /// Bytes of memory that it takes for a message that is not whole.
    pub(super) fn held(&self) -> usize {
        self.body.capacity()
    }

    /// A message has begun that is not whole.
    pub(super) fn partial(&self) -> bool {
        self.got > 0
    }
}

/// The length in a head of which the first bytes are here; `None` if that needs more of them.
fn announced(head: &[u8], max: usize) -> Result<Option<usize>, CloseReason> {
    // What is foreign is named by its first four bytes, so it is not judged by fewer.
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

/// Begins an envelope at the end of `wire`; the body is appended next, then [`end`] is called with
/// what this returned.
pub(super) fn begin(wire: &mut Vec<u8>) -> usize {
    let at = wire.len();
    wire.extend_from_slice(&MAGIC);
    wire.extend_from_slice(&[0; 4]);
    wire.extend_from_slice(&CONSTANT);
    at
}

/// Writes the length of the body that was appended since [`begin`].
pub(super) fn end(wire: &mut [u8], at: usize) {
    let length =
        u32::try_from(wire.len() - at - HEAD).expect("what a node sends is far below 4 GiB");
    wire[at + 4..at + 8].copy_from_slice(&length.to_le_bytes());
}
