//! Front and backend among themselves: the project's own calls, from 0x00010000 up.
//!
//! A batch is a run of messages, each `u32 call · u32 correlation · u32 length · body`, little
//! endian; a report carries the number of its order with bit 31 set and the same correlation.
//! The body is postcard. The link that carries batches has proved the group key
//! ([`channel`](crate::channel)); `core/docs/wire.md` has the test vectors.

use super::bytes::at_most;
use crate::licence::Part;
use crate::limits::{APPEND_ENTRIES, GROUP_FRAME_MAX, PIECE_BYTES, PIECE_ENTRIES, SLOT_LAST};
use crate::log::{DiskId, Entry, Epoch, GroupId, LicenceKey, Slot, Stored};
use alloc::vec::Vec;
use nom::Parser;
use nom::bytes::complete::take;
use nom::number::complete::le_u32;
use serde::{Deserialize, Serialize};

/// The hello of a link that will carry batches; the only own call outside of a batch.
pub const HELLO: u32 = 0x0001_0000;
/// Bytes of most messages, a call of a client in them included.
const USUAL: usize = 384;
/// Set in the call number of a report.
const REPORT: u32 = 0x8000_0000;

/// Which part of a backend's copy a front wants to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Piece {
    /// Bytes of the encoded state at the backend's committed slot.
    State {
        /// From this byte on.
        offset: u64,
    },
    /// Log entries.
    Log {
        /// From this slot on.
        from: Slot,
    },
}

/// What a front asks of a backend.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Order {
    /// Who are you, what do you hold.
    Describe,
    /// Promise me this epoch: refuse every lower one from now on.
    Claim {
        /// The epoch.
        epoch: Epoch,
    },
    /// Read a piece of your copy to me; you have promised me `epoch`.
    Fetch {
        /// The epoch that was promised.
        epoch: Epoch,
        /// What.
        piece: Piece,
    },
    /// The group is born: keep its name. Only to a backend with an empty log.
    Found {
        /// The epoch that was promised.
        epoch: Epoch,
        /// The name.
        group: GroupId,
    },
    /// Accept these entries.
    Append {
        /// The epoch that was promised.
        epoch: Epoch,
        /// The slot of the first entry; the rest follow without a gap.
        first: Slot,
        /// The entries, at most [`APPEND_ENTRIES`].
        #[serde(deserialize_with = "at_most::<_, _, APPEND_ENTRIES>")]
        entries: Vec<Entry>,
        /// Every slot up to here is chosen.
        committed: Slot,
    },
    /// Take this state in the place of what you have: you are blank, or too far behind.
    Install {
        /// The epoch that was promised.
        epoch: Epoch,
        /// The group.
        group: GroupId,
        /// The chosen slot that the state stands for.
        slot: Slot,
        /// Where these bytes belong; 0 starts anew.
        offset: u64,
        /// Bytes of [`State::encode`](crate::log::State::encode).
        #[serde(with = "super::bytes")]
        bytes: Vec<u8>,
        /// These are the last ones.
        last: bool,
    },
    /// Do you still hold your promise to me?
    Confirm {
        /// The epoch that was promised.
        epoch: Epoch,
        /// Every slot up to here is chosen.
        committed: Slot,
        /// The front serves clients: two backends have confirmed it lately.
        serves: bool,
    },
    /// Do this call of a client with the keys of that licence.
    Perform {
        /// The licence.
        licence: LicenceKey,
        /// The client's request, its handle included.
        #[serde(with = "super::bytes")]
        call: Vec<u8>,
    },
}

/// What a backend answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Report {
    /// To [`Order::Describe`], and unasked (correlation 0) when a licence file was replaced.
    Described(Description),
    /// To [`Order::Claim`]: the promise is on disk.
    Promised(Standing),
    /// To any order with an epoch: another one was promised. Nothing was done.
    Refused {
        /// The epoch that holds.
        promised: Epoch,
    },
    /// To [`Order::Fetch`] of state.
    State {
        /// The chosen slot it stands for.
        slot: Slot,
        /// The bytes.
        #[serde(with = "super::bytes")]
        bytes: Vec<u8>,
        /// Nothing follows.
        last: bool,
    },
    /// To [`Order::Fetch`] of log: entries from the slot asked for, in order. Empty: no more.
    Log {
        /// The entries, at most [`PIECE_ENTRIES`].
        #[serde(deserialize_with = "at_most::<_, _, PIECE_ENTRIES>")]
        entries: Vec<Stored>,
    },
    /// To [`Order::Found`], [`Order::Append`] and [`Order::Install`]: on disk.
    Stored {
        /// Up to here this copy is the front's log. Older entries may stand behind it.
        last: Slot,
        /// Grants of that append whose licence this backend holds with other properties, or
        /// does not hold.
        differing: Vec<Slot>,
    },
    /// To [`Order::Append`] and [`Order::Install`]: this does not join what is here. To
    /// [`Order::Fetch`]: these entries are folded. To [`Order::Found`]: a group was built on.
    Gap {
        /// Every slot up to here is known to be chosen; go on from the next.
        committed: Slot,
    },
    /// To [`Order::Confirm`]: the promise holds.
    Confirmed,
    /// To [`Order::Perform`]: the plaintext of the reply.
    Performed {
        /// Fact sheet 3.2.
        #[serde(with = "super::bytes")]
        reply: Vec<u8>,
    },
}

/// How a backend stands to the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// Its state folder.
    pub disk: DiskId,
    /// Its group; `None` while it is blank.
    pub group: Option<GroupId>,
    /// The highest epoch it promised.
    pub promised: Epoch,
    /// It can read out entries that come after this slot.
    pub base: Slot,
    /// Every slot up to here is known to it to be chosen.
    pub committed: Slot,
    /// The last slot it holds.
    pub last: Slot,
}

/// What a backend says of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Description {
    /// How it stands to the log.
    pub standing: Standing,
    /// The front that it promised has said lately that it serves.
    pub led: bool,
    /// What it holds: one part per container.
    pub parts: Vec<Part>,
}

/// A message with the number that ties a report to its order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message<T> {
    /// Chosen by the front, never 0 in an order.
    pub correlation: u32,
    /// The order or report.
    pub body: T,
}

/// The bytes are not a run of messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

/// What the two directions have in common: a call number for each kind.
pub trait Numbered: Serialize + for<'a> Deserialize<'a> {
    /// The call number of this kind.
    fn number(&self) -> u32;
    /// No slot in it lies behind [`SLOT_LAST`].
    fn in_range(&self) -> bool;
}

fn in_range<const N: usize>(slots: [Slot; N]) -> bool {
    slots.iter().all(|slot| slot.0 <= SLOT_LAST)
}

impl Standing {
    fn in_range(&self) -> bool {
        in_range([self.base, self.committed, self.last])
    }
}

impl Numbered for Order {
    fn number(&self) -> u32 {
        match self {
            Self::Describe => 0x0001_0001,
            Self::Claim { .. } => 0x0001_0002,
            Self::Fetch { .. } => 0x0001_0003,
            Self::Found { .. } => 0x0001_0004,
            Self::Append { .. } => 0x0001_0005,
            Self::Install { .. } => 0x0001_0006,
            Self::Confirm { .. } => 0x0001_0007,
            Self::Perform { .. } => 0x0001_0008,
        }
    }

    fn in_range(&self) -> bool {
        match self {
            Self::Fetch { piece: Piece::Log { from: slot }, .. }
            | Self::Install { slot, .. }
            | Self::Confirm { committed: slot, .. } => in_range([*slot]),
            Self::Append { first, committed, .. } => in_range([*first, *committed]),
            Self::Describe
            | Self::Claim { .. }
            | Self::Fetch { piece: Piece::State { .. }, .. }
            | Self::Found { .. }
            | Self::Perform { .. } => true,
        }
    }
}

impl Numbered for Report {
    fn number(&self) -> u32 {
        REPORT
            | match self {
                Self::Described(_) => 0x0001_0001,
                Self::Promised(_) => 0x0001_0002,
                Self::State { .. } | Self::Log { .. } => 0x0001_0003,
                Self::Stored { .. } | Self::Gap { .. } => 0x0001_0005,
                Self::Confirmed => 0x0001_0007,
                Self::Performed { .. } => 0x0001_0008,
                Self::Refused { .. } => 0x0001_0009,
            }
    }

    fn in_range(&self) -> bool {
        match self {
            Self::Described(description) => description.standing.in_range(),
            Self::Promised(standing) => standing.in_range(),
            Self::State { slot, .. }
            | Self::Stored { last: slot, .. }
            | Self::Gap { committed: slot } => in_range([*slot]),
            Self::Refused { .. } | Self::Log { .. } | Self::Confirmed | Self::Performed { .. } => {
                true
            }
        }
    }
}

/// One message as it stands in a batch.
#[must_use]
pub fn encode<T: Numbered>(correlation: u32, body: &T) -> Vec<u8> {
    let mut out = Vec::with_capacity(USUAL);
    out.extend_from_slice(&body.number().to_le_bytes());
    out.extend_from_slice(&correlation.to_le_bytes());
    out.extend_from_slice(&[0; 4]);
    let mut out = postcard::to_extend(body, out).expect("a message in memory always encodes");
    let length = u32::try_from(out.len() - 12).expect("messages stay below the frame limit");
    debug_assert!(out.len() <= GROUP_FRAME_MAX && PIECE_BYTES < GROUP_FRAME_MAX);
    out[8..12].copy_from_slice(&length.to_le_bytes());
    out
}

/// Gives a message that [`encode`] made another correlation: what goes to all three backends is
/// encoded once.
pub fn correlate(message: &mut [u8], correlation: u32) {
    message[4..8].copy_from_slice(&correlation.to_le_bytes());
}

/// The messages of a batch, in order.
///
/// # Errors
/// [`Malformed`] at the first message that is not whole, has another number than its body, trails
/// bytes, or says something beyond a limit; the link is to be closed.
pub fn decode<T: Numbered>(mut batch: &[u8]) -> Result<Vec<Message<T>>, Malformed> {
    let mut messages = Vec::new();
    while !batch.is_empty() {
        let (rest, (number, correlation, length)) =
            (le_u32::<_, nom::error::Error<&[u8]>>, le_u32, le_u32)
                .parse(batch)
                .map_err(|_| Malformed)?;
        let (rest, body) =
            take::<_, _, nom::error::Error<&[u8]>>(length).parse(rest).map_err(|_| Malformed)?;
        let (body, trailing) = postcard::take_from_bytes::<T>(body).map_err(|_| Malformed)?;
        if body.number() != number || !trailing.is_empty() || !body.in_range() {
            return Err(Malformed);
        }
        messages.push(Message { correlation, body });
        batch = rest;
    }
    Ok(messages)
}
