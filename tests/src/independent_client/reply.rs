//! Replies (protocol facts 3.2), and the meaning of the structures in them.

use super::Fault;

/// One decoded reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The CMERROR code; 0 is success.
    pub status: u32,
    /// The function's return value: the handle for an access, a byte count for others.
    pub result: u32,
    /// The output arguments.
    pub body: Vec<u8>,
}

impl Reply {
    /// Decodes the plaintext of a reply.
    ///
    /// # Errors
    /// The plaintext has fewer than eight bytes.
    pub fn decode(plain: &[u8]) -> Result<Self, Fault> {
        let Some((head, body)) = plain.split_at_checked(8) else {
            return Err(Fault::Malformed("a reply has fewer than eight bytes"));
        };
        let word = |at: usize| u32::from_le_bytes(head[at..at + 4].try_into().expect("four of 8"));
        Ok(Self { status: word(0), result: word(4), body: body.to_vec() })
    }

    /// Returns the result of a call that succeeded.
    ///
    /// # Errors
    /// The call failed; the error is its status.
    pub fn done(&self) -> Result<u32, u32> {
        if self.status == 0 { Ok(self.result) } else { Err(self.status) }
    }

    /// Returns the 32-bit word at offset `at` of the body.
    ///
    /// # Panics
    /// The body ends before the end of the word.
    #[must_use]
    pub fn word(&self, at: usize) -> u32 {
        u32::from_le_bytes(self.body[at..at + 4].try_into().expect("four bytes"))
    }

    /// Returns the 16-bit word at offset `at` of the body.
    ///
    /// # Panics
    /// The body ends before the end of the word.
    #[must_use]
    pub fn half(&self, at: usize) -> u16 {
        u16::from_le_bytes(self.body[at..at + 2].try_into().expect("two bytes"))
    }
}

/// The fields of a CMBOXINFO that a client evaluates (protocol facts 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BoxInfo {
    /// The container mask; 131 stands for a virtual container.
    pub mask: u16,
    /// The serial number.
    pub serial: u32,
}

impl BoxInfo {
    /// Decodes the reply to a CmGetInfo request for container info.
    ///
    /// # Errors
    /// The body is not as long as the structure, which has 144 bytes.
    pub fn decode(reply: &Reply) -> Result<Self, Fault> {
        if reply.body.len() != 144 {
            return Err(Fault::Malformed("container info has not 144 bytes"));
        }
        Ok(Self { mask: reply.half(2), serial: reply.word(4) })
    }
}

/// Returns the text of a character field, up to its first NUL.
#[must_use]
pub fn text(field: &[u8]) -> String {
    let end = field.iter().position(|&byte| byte == 0).unwrap_or(field.len());
    String::from_utf8_lossy(&field[..end]).into_owned()
}

/// The ranges of status codes in protocol facts 5.10, with both ends included.
const KNOWN: [(u32, u32); 18] = [
    (0, 135),
    (176, 243),
    (254, 255),
    (260, 274),
    (300, 313),
    (700, 706),
    (711, 713),
    (730, 731),
    (780, 780),
    (0xd002_0001, 0xd002_0001),
    (0xd01c_0061, 0xd01c_0063),
    (0xd01c_0066, 0xd01c_0068),
    (0xd01c_006c, 0xd01c_006f),
    (0xd01c_0073, 0xd01c_0074),
    (0xd01c_0102, 0xd01c_0102),
    (0xd01c_0111, 0xd01c_0114),
    (0xd01c_0151, 0xd01c_0151),
    (0xd01c_0160, 0xd01c_0160),
];

/// Returns whether protocol facts 5.10 list a status, so that a client library has a name for it.
#[must_use]
pub fn is_known_status(status: u32) -> bool {
    KNOWN.iter().any(|&(first, last)| (first..=last).contains(&status))
}
