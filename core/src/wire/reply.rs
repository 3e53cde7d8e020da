//! Replies (protocol facts 3.2): status, result, output. The rule for output buffers is implemented
//! here once; other modules decide about their contents.

use super::argument::{Malformed, Reader};
use super::inferred::list_bytes;
use super::structs::Layout;
use super::{CmError, Request};
use crate::base::limits::{ERROR_ZEROS_MAX, OUTPUT_BUFFER_MAX};
use alloc::vec;
use alloc::vec::Vec;

/// The plaintext of one reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The status.
    pub status: CmError,
    /// The return value of the API function: a handle (known), a byte count (known for
    /// CmGetServers), a version (inferred).
    pub result: u32,
    /// Output arguments.
    pub body: Vec<u8>,
}

impl Reply {
    /// Parses a reply.
    ///
    /// # Errors
    /// Returns [`Malformed`] for fewer than eight bytes.
    pub fn parse(frame: &[u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(frame);
        Ok(Self {
            status: CmError(reader.take("status")?),
            result: reader.take("result")?,
            body: reader.take("body")?,
        })
    }

    /// Returns the plaintext.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(8 + self.body.len());
        self.status.code().encode(&mut out);
        self.result.encode(&mut out);
        out.extend_from_slice(&self.body);
        out
    }

    /// Returns success without output.
    #[must_use]
    pub fn ok(result: u32) -> Self {
        Self { status: CmError::NO_ERROR, result, body: Vec::new() }
    }

    /// Returns an error of a call that has no output buffer.
    #[must_use]
    pub fn error(status: CmError) -> Self {
        Self { status, result: 0, body: Vec::new() }
    }

    /// Returns an error of `request`: in the form of a success, with zeros in the place of the
    /// output (known for one call, else inferred). A buffer beyond [`ERROR_ZEROS_MAX`] is omitted
    /// if the call has not brought as many bytes itself, so that a short call never causes a long
    /// reply.
    #[must_use]
    pub fn error_for(request: &Request, status: CmError) -> Self {
        let counter = if matches!(request, Request::GetServers { .. }) { u32::SIZE } else { 0 };
        let body = match request.output_size() {
            Some(asked)
                if asked <= OUTPUT_BUFFER_MAX && asked <= ERROR_ZEROS_MAX.max(request.brings()) =>
            {
                zeros(counter, asked)
            }
            _ => Vec::new(),
        };
        Self { status, result: 0, body }
    }

    /// Returns success with an output buffer (inferred). For a requested size of 0 the result is
    /// the needed size; otherwise `output` is padded with zeros to the requested size, and the
    /// result is the number of filled bytes. An `output` that does not fit gives error 112 and
    /// zeros. A size beyond [`OUTPUT_BUFFER_MAX`] gives error 105 without a buffer.
    #[must_use]
    pub fn buffer(asked: u32, output: &[u8]) -> Self {
        Self::filled(asked, &[], output)
    }

    /// Returns the same as [`Self::buffer`] for this many structures one after the other. They are
    /// made only if there is room for all of them.
    #[must_use]
    pub fn array<T: Layout>(asked: u32, number: usize, items: impl Iterator<Item = T>) -> Self {
        let needed = number.saturating_mul(T::SIZE);
        let fits = usize::try_from(asked).is_ok_and(|room| needed <= room);
        if asked != 0 && asked <= OUTPUT_BUFFER_MAX && fits {
            let mut output = Vec::with_capacity(needed);
            items.for_each(|item| item.encode(&mut output));
            return Self::buffer(asked, &output);
        }
        match asked {
            0 => Self::ok(u32::try_from(needed).unwrap_or(u32::MAX)),
            _ if asked > OUTPUT_BUFFER_MAX => Self::error(CmError::INVALID_PARAMETER),
            _ => Self { body: zeros(0, asked), ..Self::error(CmError::BUFFER_OVERFLOW) },
        }
    }

    /// Returns the same as [`Self::array`] for a call that counts structures, not bytes, in its
    /// request and in its result.
    #[must_use]
    pub fn list<T: Layout>(asked: u32, number: usize, items: impl Iterator<Item = T>) -> Self {
        let reply = Self::array(list_bytes(asked, T::SIZE), number, items);
        let done = reply.status == CmError::NO_ERROR;
        let result = if done { u32::try_from(number).unwrap_or(u32::MAX) } else { 0 };
        Self { result, ..reply }
    }

    /// Returns the reply to CmGetServers: as [`Self::buffer`], with the number of servers before
    /// the list (known). The list has each name with its NUL (known for one name, inferred for
    /// more).
    #[must_use]
    pub fn servers(asked: u32, names: &[&str]) -> Self {
        let mut list = Vec::new();
        for name in names {
            list.extend_from_slice(name.as_bytes());
            list.push(0);
        }
        let count = u32::try_from(names.len()).unwrap_or(u32::MAX);
        Self::filled(asked, &count.to_le_bytes(), &list)
    }

    fn filled(asked: u32, before: &[u8], output: &[u8]) -> Self {
        if asked > OUTPUT_BUFFER_MAX {
            return Self::error(CmError::INVALID_PARAMETER);
        }
        let mut body = zeros(before.len(), asked);
        let fits = output.len() <= body.len() - before.len();
        if asked != 0 && !fits {
            return Self { status: CmError::BUFFER_OVERFLOW, result: 0, body };
        }
        body[..before.len()].copy_from_slice(before);
        if asked != 0 {
            body[before.len()..][..output.len()].copy_from_slice(output);
        }
        Self { body, ..Self::ok(u32::try_from(output.len()).unwrap_or(u32::MAX)) }
    }
}

fn zeros(before: usize, asked: u32) -> Vec<u8> {
    vec![0; before + usize::try_from(asked).expect("at most OUTPUT_BUFFER_MAX")]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_of_zero_asks_for_the_size() {
        assert_eq!(Reply::buffer(0, &[1; 144]), Reply::ok(144));
    }

    #[test]
    fn a_short_buffer_gets_112_and_nothing_of_the_output() {
        let reply = Reply::buffer(3, &[1; 4]);
        assert_eq!((reply.status, reply.result), (CmError::BUFFER_OVERFLOW, 0));
        assert_eq!(reply.body, [0; 3]);
    }

    #[test]
    fn a_long_buffer_is_padded() {
        assert_eq!(Reply::buffer(3, &[1, 2]).encode(), [0, 0, 0, 0, 2, 0, 0, 0, 1, 2, 0]);
        assert_eq!(Reply::buffer(2, &[1, 2]).body, [1, 2]);
        assert_eq!(Reply::buffer(2, &[]), Reply { body: vec![0; 2], ..Reply::ok(0) });
    }

    #[test]
    fn arrays_count_bytes_and_lists_count_structures() {
        let three = || [1_u16, 2, 3].into_iter();
        assert_eq!(Reply::array(6, 3, three()), Reply::buffer(6, &[1, 0, 2, 0, 3, 0]));
        assert_eq!(Reply::array(0, 3, three()), Reply::ok(6));
        assert_eq!(Reply::array(5, 3, three()), Reply::buffer(5, &[0; 6]));
        assert_eq!(Reply::list(0, 3, three()), Reply::ok(3));
        let room = Reply::list(4, 3, three());
        assert_eq!((room.result, &room.body[..]), (3, &[1, 0, 2, 0, 3, 0, 0, 0][..]));
        let short = Reply::list(2, 3, three());
        assert_eq!((short.status, short.result), (CmError::BUFFER_OVERFLOW, 0));
        assert_eq!(short.body, [0; 4]);
        // What does not fit is not even made.
        let never = || core::iter::from_fn(|| -> Option<u16> { panic!("made") });
        assert_eq!(Reply::list(u32::MAX, 3, never()), Reply::error(CmError::INVALID_PARAMETER));
        assert_eq!(Reply::array(0, usize::MAX, never()), Reply::ok(u32::MAX));
        assert_eq!(Reply::array(2, usize::MAX, never()).status, CmError::BUFFER_OVERFLOW);
    }

    #[test]
    fn no_buffer_beyond_the_limit() {
        assert_eq!(Reply::buffer(OUTPUT_BUFFER_MAX, &[]).body.len(), OUTPUT_BUFFER_MAX as usize);
        for asked in [OUTPUT_BUFFER_MAX + 1, u32::MAX] {
            assert_eq!(Reply::buffer(asked, &[1]), Reply::error(CmError::INVALID_PARAMETER));
            let request = Request::GetInfo { handle: 1, ctrl: 1, size: asked };
            let reply = Reply::error_for(&request, CmError::INVALID_HANDLE);
            assert_eq!(reply, Reply::error(CmError::INVALID_HANDLE));
        }
    }

    #[test]
    fn an_error_has_zeros_where_the_output_would_be() {
        let request = Request::GetInfo { handle: 1, ctrl: 1, size: 144 };
        let reply = Reply::error_for(&request, CmError::INVALID_HANDLE).encode();
        assert_eq!(reply[..8], [106, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(reply[8..], [0; 144]);
        let release = Request::Release { handle: 1 };
        assert_eq!(Reply::error_for(&release, CmError::INVALID_HANDLE).encode().len(), 8);
        let data = vec![7; 5].into();
        let crypt = Request::Crypt2 { handle: 1, ctrl: 0, crypt: Default::default(), data };
        assert_eq!(Reply::error_for(&crypt, CmError::CRYPTION_FAILED).body, [0; 5]);
    }

    #[test]
    fn servers_are_counted_before_the_list() {
        // The captured reply: one name of 25 letters.
        let name = "abcdefghijklmnopqrstuvwxy";
        let reply = Reply::servers(26, &[name]).encode();
        assert_eq!(reply[..12], [0, 0, 0, 0, 26, 0, 0, 0, 1, 0, 0, 0]);
        assert_eq!(&reply[12..37], name.as_bytes());
        assert_eq!(reply[37..], [0]);
        let size = Reply::servers(0, &["a", "bc"]);
        assert_eq!((size.result, &size.body[..]), (5, &[2, 0, 0, 0][..]));
        let short = Reply::servers(4, &["a", "bc"]);
        assert_eq!((short.status, short.body), (CmError::BUFFER_OVERFLOW, vec![0; 8]));
        let request = Request::GetServers { ctrl: 0, size: 4 };
        assert_eq!(Reply::error_for(&request, CmError::INTERNAL).body, [0; 8]);
    }

    #[test]
    fn a_reply_survives_and_a_short_one_does_not() {
        let reply = Reply { status: CmError(999), result: 7, body: vec![1, 2, 3] };
        let bytes = reply.encode();
        assert_eq!(Reply::parse(&bytes), Ok(reply));
        for short in 0..8 {
            assert!(Reply::parse(&bytes[..short]).is_err());
        }
    }
}
