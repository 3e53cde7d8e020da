//! Replies (protocol facts 3.2), and the meaning of the structures in them.

use super::Fault;

/// One decoded reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// A CMERROR code; 0 is success.
    pub status: u32,
    /// The function's return value: the handle for an access, a byte count for others.
    pub result: u32,
    /// Output arguments.
    pub body: Vec<u8>,
}

impl Reply {
    /// From the plaintext.
    ///
    /// # Errors
    /// It has fewer than eight bytes.
    pub fn decode(plain: &[u8]) -> Result<Self, Fault> {
        let Some((head, body)) = plain.split_at_checked(8) else {
            return Err(Fault::Malformed("a reply has fewer than eight bytes"));
        };
        let word = |at: usize| u32::from_le_bytes(head[at..at + 4].try_into().expect("four of 8"));
        Ok(Self { status: word(0), result: word(4), body: body.to_vec() })
    }

    /// The result of a call that succeeded.
    ///
    /// # Errors
    /// The status of one that did not.
    pub fn done(&self) -> Result<u32, u32> {
        if self.status == 0 { Ok(self.result) } else { Err(self.status) }
    }

    /// The 32-bit word at `at` in the body.
    ///
    /// # Panics
    /// The body is shorter.
    #[must_use]
    pub fn word(&self, at: usize) -> u32 {
        u32::from_le_bytes(self.body[at..at + 4].try_into().expect("four bytes"))
    }

    /// The 16-bit word at `at` in the body.
    ///
    /// # Panics
    /// The body is shorter.
    #[must_use]
    pub fn half(&self, at: usize) -> u16 {
        u16::from_le_bytes(self.body[at..at + 2].try_into().expect("two bytes"))
    }
}

/// What a client looks at in a CMBOXINFO (protocol facts 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BoxInfo {
    /// Container mask: 131 is a virtual one.
    pub mask: u16,
    /// Serial number.
    pub serial: u32,
}

impl BoxInfo {
    /// From the reply of CmGetInfo container info.
    ///
    /// # Errors
    /// It has not the 144 bytes of the structure.
    pub fn decode(reply: &Reply) -> Result<Self, Fault> {
        if reply.body.len() != 144 {
            return Err(Fault::Malformed("container info has not 144 bytes"));
        }
        Ok(Self { mask: reply.half(2), serial: reply.word(4) })
    }
}

/// The text of a character field, up to its first NUL.
#[must_use]
pub fn text(field: &[u8]) -> String {
    let end = field.iter().position(|&byte| byte == 0).unwrap_or(field.len());
    String::from_utf8_lossy(&field[..end]).into_owned()
}

/// Runs of codes that protocol facts 5.10 list; both ends included.
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

/// Whether a status is one that a client library could name.
#[must_use]
pub fn is_known_status(status: u32) -> bool {
    KNOWN.iter().any(|&(first, last)| (first..=last).contains(&status))
}
