//! The admin door's framing: whole HTTP/1.x requests out of a byte stream.
//!
//! What never lives here: what a request means, and the response.

use crate::base::limits::{HTTP_HEAD_MAX, HTTP_HEADERS_MAX, HTTP_REQUEST_MAX};
use crate::link::{CloseReason, Frame};
use alloc::vec::Vec;

/// Cuts a byte stream into requests. Nothing on the heap between two of them.
#[derive(Default)]
pub(super) struct Reader {
    buffer: Vec<u8>,
    /// Length of the request that the buffer begins with, once its head is whole.
    length: Option<usize>,
    /// A request was let through of which only the head can be read: whoever answers it closes, and
    /// what follows is nothing to them.
    over: bool,
}

/// How much of the bytes a request is.
#[derive(Clone, Copy)]
struct Extent {
    length: usize,
    endless: Endless,
}

/// What keeps the end of a request from being looked for. Whoever answers it says what is wrong, and
/// closes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Endless {
    /// Nothing.
    No,
    /// Its body is in chunks, or its length is not one number.
    Body,
    /// It has more headers than are looked at.
    Headers,
}

impl Extent {
    fn is_last(&self) -> bool {
        self.endless != Endless::No
    }
}

impl Reader {
    /// Takes bytes that arrived and appends every whole request to `frames`.
    pub(super) fn read(
        &mut self,
        bytes: &[u8],
        frames: &mut Vec<Frame>,
    ) -> Result<(), CloseReason> {
        if self.over {
            return Ok(());
        }
        // A head becomes whole with a new line only, and its lines are counted: so a head that
        // comes byte by byte is looked at no more often than it may have lines.
        let mut look = self.buffer.is_empty() || bytes.contains(&b'\n');
        self.buffer.extend_from_slice(bytes);
        let mut from = 0;
        loop {
            if self.length.is_none() && look {
                // Empty lines before a request are skipped (RFC 9112, 2.2).
                from +=
                    self.buffer[from..].iter().take_while(|&&b| b == b'\r' || b == b'\n').count();
                let extent = length(&self.buffer[from..])?;
                if let Some(Extent { length, endless }) = extent.filter(Extent::is_last) {
                    let mut head = self.buffer[from..from + length].to_vec();
                    if endless == Endless::Headers {
                        // However many there are: one too many says it.
                        head.extend_from_slice(b"x: y\r\n\r\n");
                    }
                    frames.push(Frame::Http(head));
                    self.buffer = Vec::new();
                    self.over = true;
                    return Ok(());
                }
                self.length = extent.map(|extent| extent.length);
            }
            match self.length {
                Some(length) if length <= self.buffer.len() - from => {
                    frames.push(Frame::Http(self.buffer[from..from + length].to_vec()));
                    from += length;
                    self.length = None;
                    look = true;
                }
                _ => break,
            }
        }
        self.buffer.drain(..from);
        if self.length.is_none() && self.buffer.len() > HTTP_HEAD_MAX {
            return Err(TOO_LONG);
        }
        if self.buffer.is_empty() {
            self.buffer = Vec::new();
        }
        Ok(())
    }

    /// Bytes of memory that it takes for a request that is not whole.
    pub(super) fn held(&self) -> usize {
        self.buffer.capacity()
    }

    /// A request has begun that is not whole.
    pub(super) fn partial(&self) -> bool {
        !self.buffer.is_empty()
    }
}

const TOO_LONG: CloseReason = CloseReason::Limit("length of an HTTP request");

/// The request that `bytes` begin with, body included unless its length is not known (its head alone is
/// enough to say that this is not taken), at most [`HTTP_REQUEST_MAX`]; of one with too many headers,
/// as many as may be; `None` while its head is not whole.
fn length(bytes: &[u8]) -> Result<Option<Extent>, CloseReason> {
    let mut headers = [httparse::EMPTY_HEADER; HTTP_HEADERS_MAX];
    let mut request = httparse::Request::new(&mut headers);
    let head = match request.parse(bytes) {
        Ok(httparse::Status::Complete(head)) => head,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(httparse::Error::TooManyHeaders) => {
            return match lines(bytes, 1 + HTTP_HEADERS_MAX) {
                Some(length) if length <= HTTP_HEAD_MAX => {
                    Ok(Some(Extent { length, endless: Endless::Headers }))
                }
                _ => Err(TOO_LONG),
            };
        }
        Err(_) => return Err(CloseReason::Protocol("not an HTTP/1.x request")),
    };
    let mut body = None;
    let mut endless = Endless::No;
    for header in request.headers.iter() {
        if header.name.eq_ignore_ascii_case("transfer-encoding") {
            endless = Endless::Body;
        }
        if header.name.eq_ignore_ascii_case("content-length") {
            let length = decimal(header.value)?;
            // Two different lengths are how requests are smuggled.
            if length.is_none() || body.is_some_and(|other| Some(other) != length) {
                endless = Endless::Body;
            }
            body = length;
        }
    }
    let body = if endless == Endless::No { body.unwrap_or(0) } else { 0 };
    match head.checked_add(body) {
        Some(length) if head <= HTTP_HEAD_MAX && length <= HTTP_REQUEST_MAX => {
            Ok(Some(Extent { length, endless }))
        }
        _ => Err(TOO_LONG),
    }
}

/// Returns how long the first lines of this are, if there are so many.
fn lines(bytes: &[u8], count: usize) -> Option<usize> {
    let ends = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n');
    ends.map(|(at, _)| at + 1).nth(count - 1)
}

/// Digits only: what `str::parse` takes beside them is not a length here. `None`: it is none.
fn decimal(value: &[u8]) -> Result<Option<usize>, CloseReason> {
    if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
        return Ok(None);
    }
    let digits = core::str::from_utf8(value).expect("digits are text");
    digits.parse().map(Some).map_err(|_| TOO_LONG)
}
