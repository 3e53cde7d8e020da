//! How arguments stand one after the other in a request (protocol facts 3.1), and what is wrong with
//! a frame that does not hold them. Which call has which arguments: [`request`](super::request).

use super::structs::{CmAccess2, Layout};
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;

/// What a program hands in, or hands in to be changed: its length, its bytes, and one more word
/// that was zero in every capture (meaning unknown; kept).
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

/// The bytes are not the call that their number says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed {
    /// The call number; `None` if not even that is whole, and in a reply.
    pub number: Option<u32>,
    /// The argument that should have stood there, by its name in [`Request`](super::Request).
    pub expected: &'static str,
    /// Where, in bytes from the start of the frame.
    pub offset: usize,
    /// What is wrong there.
    pub fault: Fault,
}

/// How a frame differs from its call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It ends inside the argument.
    Short,
    /// It goes on after its last argument.
    Long,
    /// A length points behind its end.
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

/// A value that can stand in a request.
pub(super) trait Argument: Sized {
    /// Takes it off the front of `input`.
    fn take(input: &[u8]) -> Result<(&[u8], Self), Fault>;
    /// Appends it.
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

/// The largest structure: a call that holds it stays as small as the others.
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
        // The length is believed only as far as there are bytes; nothing is reserved before.
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

/// All that is left, as it is.
impl Argument for Vec<u8> {
    fn take(input: &[u8]) -> Result<(&[u8], Self), Fault> {
        Ok((&[], input.to_vec()))
    }
    fn put(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self);
    }
}

/// Takes arguments off a frame and remembers where it is.
pub(super) struct Reader<'a> {
    frame: &'a [u8],
    rest: &'a [u8],
    number: Option<u32>,
    last: &'static str,
}

impl<'a> Reader<'a> {
    /// At the first byte of `frame`.
    pub(super) fn new(frame: &'a [u8]) -> Self {
        Self { frame, rest: frame, number: None, last: "nothing" }
    }

    fn malformed(&self, expected: &'static str, fault: Fault) -> Malformed {
        let offset = self.frame.len() - self.rest.len();
        Malformed { number: self.number, expected, offset, fault }
    }

    /// The call number.
    pub(super) fn number(&mut self) -> Result<u32, Malformed> {
        let number = self.take("number")?;
        self.number = Some(number);
        Ok(number)
    }

    /// The next argument.
    pub(super) fn take<T: Argument>(&mut self, name: &'static str) -> Result<T, Malformed> {
        let (rest, value) = T::take(self.rest).map_err(|fault| self.malformed(name, fault))?;
        self.rest = rest;
        self.last = name;
        Ok(value)
    }

    /// Nothing may follow.
    pub(super) fn end(self) -> Result<(), Malformed> {
        if self.rest.is_empty() { Ok(()) } else { Err(self.malformed(self.last, Fault::Long)) }
    }
}
