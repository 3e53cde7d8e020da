//! The first message of a link between two fronts: the sender, and its version.

use super::{MAGIC, Malformed, in_range};
use crate::base::limits::TWIN_VERSION_TEXT;
use crate::history::Mark;
use crate::log::{Epoch, GroupId, Slot};
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt;
use nom::Parser;
use nom::bytes::complete::{tag, take};
use nom::number::complete::{le_u16, le_u32, le_u64, u8};

/// A version of this protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Version {
    /// The major version; fronts with different ones cannot communicate.
    pub major: u16,
    /// The minor version; fronts with different ones use the lower one.
    pub minor: u16,
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

impl Version {
    /// The version of this program.
    pub const OWN: Self = Self { major: 1, minor: 5 };
    /// The minor version that introduced the transfer of the lead:
    /// [`TwinMessage::Lead`](super::TwinMessage::Lead).
    pub const GIVES_LEAD: u16 = 2;
    /// The minor version that introduced calls of clients:
    /// [`TwinMessage::Call`](super::TwinMessage::Call).
    pub const PASSES: u16 = 2;
    /// The minor version that introduced configuration changes:
    /// [`TwinMessage::Settings`](super::TwinMessage::Settings).
    pub const SETTINGS: u16 = 3;
    /// The minor version that introduced the usage history:
    /// [`TwinMessage::History`](super::TwinMessage::History).
    pub const HISTORY: u16 = 3;
    /// The minor version that introduced signs of life of clients:
    /// [`TwinMessage::Alive`](super::TwinMessage::Alive).
    pub const ALIVE: u16 = 4;
    /// The minor version that introduced reports on the front's machine:
    /// [`TwinMessage::Machine`](super::TwinMessage::Machine).
    pub const MACHINE: u16 = 5;

    /// Returns the minor version in use with another version; `None` if they cannot communicate.
    #[must_use]
    pub fn spoken_with(self, other: Self) -> Option<u16> {
        (self.major == other.major).then_some(self.minor.min(other.minor))
    }
}

/// The first message of each end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hello {
    /// The highest version that it implements.
    pub version: Version,
    /// The id of the front, drawn at every start.
    pub front: u32,
    /// The version of its program, for people.
    pub program: String,
    /// The last position in the log that it knows to be chosen, by its copy or by its files; `None`
    /// if it knows of none, or its program does not report one.
    pub chosen: Option<Mark>,
}

impl Hello {
    /// Encodes it.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = MAGIC.to_vec();
        out.extend_from_slice(&self.version.major.to_le_bytes());
        out.extend_from_slice(&self.version.minor.to_le_bytes());
        out.extend_from_slice(&self.front.to_le_bytes());
        let program = self.program.as_bytes();
        let program = &program[..program.len().min(TWIN_VERSION_TEXT)];
        out.push(u8::try_from(program.len()).expect("the limit is below 256"));
        out.extend_from_slice(program);
        out.push(u8::from(self.chosen.is_some()));
        if let Some(chosen) = self.chosen {
            let Epoch { round, front } = chosen.epoch();
            for word in [chosen.group(), round, front] {
                out.extend_from_slice(&word.to_le_bytes());
            }
            out.extend_from_slice(&chosen.slot().0.to_le_bytes());
        }
        out
    }

    /// Decodes it. Further bytes are ignored: a later version may append some.
    ///
    /// # Errors
    /// The bytes are no hello.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let (rest, (_, major, minor, front, length)) =
            (tag::<_, _, nom::error::Error<&[u8]>>(MAGIC), le_u16, le_u16, le_u32, u8)
                .parse(bytes)
                .map_err(|_| Malformed)?;
        let (rest, program) =
            take::<_, _, nom::error::Error<&[u8]>>(length).parse(rest).map_err(|_| Malformed)?;
        let plain = program.iter().all(u8::is_ascii_graphic) && program.len() <= TWIN_VERSION_TEXT;
        let text = core::str::from_utf8(program).ok().filter(|_| plain).ok_or(Malformed)?;
        let (version, program) = (Version { major, minor }, text.to_string());
        Ok(Self { version, front, program, chosen: chosen(rest) })
    }
}

/// Returns the position after the program's version; `None` if there is none.
pub(super) fn chosen(bytes: &[u8]) -> Option<Mark> {
    let words = (tag::<_, _, nom::error::Error<&[u8]>>(&[1u8][..]), le_u32, le_u32, le_u32, le_u64);
    let mut words = words;
    let (_, (_, group, round, front, slot)) = words.parse(bytes).ok()?;
    let (group, epoch) = (GroupId(group.into()), Epoch { round, front });
    in_range(Slot(slot)).then(|| Mark::of_entry(group, epoch, Slot(slot)))
}
