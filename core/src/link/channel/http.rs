//! The framing of the admin port: complete HTTP/1.x requests out of a byte stream.
//!
//! What never lives here: the meaning of a request, and the response.

use crate::base::limits::{HTTP_HEAD_MAX, HTTP_HEADERS_MAX, HTTP_REQUEST_MAX};
use crate::link::{CloseReason, Frame};
use alloc::vec::Vec;

/// Splits a byte stream into requests. It keeps nothing on the heap between two of them.
#[derive(Default)]
pub(super) struct Reader {
    buffer: Vec<u8>,
    /// Length of the request at the front of the buffer, once its head is complete.
    length: Option<usize>,
    /// A request with an unknown end was passed on: it is answered with an error and the link is
    /// closed, so later bytes are ignored.
    over: bool,
}

/// The part of the bytes that belongs to a request.
#[derive(Clone, Copy)]
struct Extent {
    length: usize,
    endless: Endless,
}

/// The reason why the end of a request is not searched for. The answer states the error, and the
/// link is closed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Endless {
    /// None.
    No,
    /// The body is chunked, or its length is not one number.
    Body,
    /// The request has more headers than are parsed.
    Headers,
}

impl Extent {
    fn is_last(&self) -> bool {
        self.endless != Endless::No
    }
}

impl Reader {
    /// Takes bytes that arrived and appends every complete request to `frames`.
    pub(super) fn read(
        &mut self,
        bytes: &[u8],
        frames: &mut Vec<Frame>,
    ) -> Result<(), CloseReason> {
        if self.over {
            return Ok(());
        }
        // A head is completed by a line end only, and the number of its lines is bounded: so a head
        // that arrives byte by byte is parsed at most once for each line.
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
                        // One header too many is enough for the parser to reject the request,
                        // however many there were.
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

    /// Returns the bytes of memory used for an incomplete request.
    pub(super) fn held(&self) -> usize {
        self.buffer.capacity()
    }

    /// Whether part of a request has arrived.
    pub(super) fn partial(&self) -> bool {
        !self.buffer.is_empty()
    }
}

const TOO_LONG: CloseReason = CloseReason::Limit("length of an HTTP request");

/// Returns the length of the request at the front of `bytes`, at most [`HTTP_REQUEST_MAX`]; `None`
/// while its head is incomplete. If the length of the body is not known, it is that of the head
/// alone, which is enough for a rejection; if there are too many headers, that of as many lines as
/// are allowed.
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
            // Requests with two different lengths are used for request smuggling.
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

/// Returns the length of the first `count` lines, if there are that many.
fn lines(bytes: &[u8], count: usize) -> Option<usize> {
    let ends = bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n');
    ends.map(|(at, _)| at + 1).nth(count - 1)
}

/// Parses digits only, without the signs that `str::parse` accepts; `None` if there is anything
/// else.
fn decimal(value: &[u8]) -> Result<Option<usize>, CloseReason> {
    if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
        return Ok(None);
    }
    let digits = core::str::from_utf8(value).expect("digits are text");
    digits.parse().map(Some).map_err(|_| TOO_LONG)
}
