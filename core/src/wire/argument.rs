//! Reads and writes the arguments of a request (protocol facts 3.1), and describes what is wrong
//! with a frame that does not contain them. [`request`](super::request) has the arguments of each
//! call.

use super::structs::{CmAccess2, Layout};
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

/// An input buffer, or a buffer that is changed in place: its length, its bytes, and one more word
/// that was zero in every capture (its meaning is unknown, and it is kept).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Buffer {
    /// The bytes.
    pub bytes: Vec<u8>,
    /// The word after them.
    pub trailer: u32,
}

impl From<Vec<u8>> for Buffer {
    fn from(bytes: Vec<u8>) -> Self {
        Self { bytes, trailer: 0 }
    }
}

/// The bytes do not fit the layout of the call that their number names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed {
    /// The call number; `None` if even that is incomplete, and for a reply.
    pub number: Option<u32>,
    /// The expected argument, by its name in [`Request`](super::Request).
    pub expected: &'static str,
    /// The place, in bytes from the start of the frame.
    pub offset: usize,
    /// The fault.
    pub fault: Fault,
}

/// The difference between a frame and the layout of its call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The frame ends inside the argument.
    Short,
    /// The frame has bytes after its last argument.
    Long,
    /// A length exceeds the end of the frame.
    Size,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.number {
            Some(number) => write!(f, "call {number:#04x}: ")?,
            None => f.write_str("frame: ")?,
        }
        let Self { expected, offset, .. } = self;
        match self.fault {
            Fault::Short => write!(f, "ends inside {expected} (from byte {offset})"),
            Fault::Long => write!(f, "goes on at byte {offset}, after {expected}"),
            Fault::Size => write!(f, "length of {expected} at byte {offset} points behind the end"),
        }
    }
}

impl core::error::Error for Malformed {}

/// A value that can be an argument of a request.
pub(super) trait Argument: Sized {
    /// Splits the value off the beginning of `input`.
    fn take(input: &[u8]) -> Result<(&[u8], Self), Fault>;
    /// Appends the value.
    fn put(&self, out: &mut Vec<u8>);
}

impl<T: Layout> Argument for T {
    fn take(input: &[u8]) -> Result<(&[u8], Self), Fault> {
        T::parse(input).map_err(|_| Fault::Short)
    }
    fn put(&self, out: &mut Vec<u8>) {
        self.encode(out);
    }
}

/// The largest structure is boxed, so that a call with it stays as small as the others.
impl Argument for Box<CmAccess2> {
    fn take(input: &[u8]) -> Result<(&[u8], Self), Fault> {
        CmAccess2::take(input).map(|(rest, value)| (rest, Self::new(value)))
    }
    fn put(&self, out: &mut Vec<u8>) {
        self.encode(out);
    }
}

impl Argument for Buffer {
    fn take(input: &[u8]) -> Result<(&[u8], Self), Fault> {
        let (rest, length) = u32::take(input)?;
        let length = usize::try_from(length).map_err(|_| Fault::Size)?;
        // No memory is reserved by the length before the bytes are known to be there.
        let (bytes, rest) = rest.split_at_checked(length).ok_or(Fault::Size)?;
        let (rest, trailer) = u32::take(rest)?;
        Ok((rest, Self { bytes: bytes.to_vec(), trailer }))
    }
    fn put(&self, out: &mut Vec<u8>) {
        let length = u32::try_from(self.bytes.len()).expect("buffers come from frames below 4 GiB");
        length.put(out);
        out.extend_from_slice(&self.bytes);
        self.trailer.put(out);
    }
}

/// All remaining bytes, unchanged.
impl Argument for Vec<u8> {
    fn take(input: &[u8]) -> Result<(&[u8], Self), Fault> {
        Ok((&[], input.to_vec()))
    }
    fn put(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self);
    }
}

/// Reads the arguments of a frame, and keeps its position.
pub(super) struct Reader<'a> {
    frame: &'a [u8],
    rest: &'a [u8],
    number: Option<u32>,
    last: &'static str,
}

impl<'a> Reader<'a> {
    /// Returns a reader at the first byte of `frame`.
    pub(super) fn new(frame: &'a [u8]) -> Self {
        Self { frame, rest: frame, number: None, last: "nothing" }
    }

    fn malformed(&self, expected: &'static str, fault: Fault) -> Malformed {
        let offset = self.frame.len() - self.rest.len();
        Malformed { number: self.number, expected, offset, fault }
    }

    /// Reads the call number.
    pub(super) fn number(&mut self) -> Result<u32, Malformed> {
        let number = self.take("number")?;
        self.number = Some(number);
        Ok(number)
    }

    /// Reads the next argument.
    pub(super) fn take<T: Argument>(&mut self, name: &'static str) -> Result<T, Malformed> {
        let (rest, value) = T::take(self.rest).map_err(|fault| self.malformed(name, fault))?;
        self.rest = rest;
        self.last = name;
        Ok(value)
    }

    /// Checks that nothing follows.
    pub(super) fn end(self) -> Result<(), Malformed> {
        if self.rest.is_empty() { Ok(()) } else { Err(self.malformed(self.last, Fault::Long)) }
    }
}
