//! Front and backend among themselves: the project's own calls, from 0x00010000 up.
//!
//! A batch is a run of messages, each `u32 call · u32 correlation · u32 length · body`, little
//! endian; a report carries the number of its order with bit 31 set and the same correlation.
//! The body is postcard. The link that carries batches has proved the group key
//! ([`channel`](crate::link::channel)); `core/docs/wire.md` has the test vectors.

use super::bytes::at_most;
use crate::licence::Part;
use crate::limits::{
    APPEND_ENTRIES, GROUP_FRAME_MAX, PIECE_BYTES, PIECE_ENTRIES, SLOT_LAST, THIRDS_MAX,
    WITNESSED_MAX,
};
use crate::log::{Acked, Digest, DiskId, Entry, Epoch, GroupId, LicenceKey, Slot, Stored};
use crate::time::Wall;
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
    /// Keep what this front knows of the group, so that a disk that goes back in time is noticed.
    /// From minor version 1 of the link on, behind every [`Order::Confirm`].
    Witness {
        /// The epoch that was promised.
        epoch: Epoch,
        /// Every slot up to here is chosen.
        committed: Slot,
        /// The digest of the entries up to a committed slot, if it is known.
        digest: Option<Digest>,
        /// How far other disks have come, at most [`WITNESSED_MAX`].
        #[serde(deserialize_with = "at_most::<_, _, WITNESSED_MAX>")]
        acked: Vec<Acked>,
        /// The date of the group; 0: not known.
        date: Wall,
    },
    /// This disk remembers less than it has said, or something else than the group: begin anew,
    /// blank and under another name. From minor version 1 of the link on.
    Disown {
        /// The epoch that was promised.
        epoch: Epoch,
        /// Which disk.
        disk: DiskId,
    },
    /// The group's memory is lost, and an operator has said what takes its place: begin anew under
    /// another name, as a disk of a new group that has committed this state. What is here is kept
    /// aside. From minor version 1 of the link on. Answered with [`Report::Described`] when the last
    /// piece is on disk, and with [`Report::Stored`] before.
    Recover {
        /// The epoch that was promised.
        epoch: Epoch,
        /// The new group.
        group: GroupId,
        /// The name that this disk is to have in it.
        disk: DiskId,
        /// The slot that the state stands for; not 0.
        slot: Slot,
        /// Where these bytes belong; 0 starts anew.
        offset: u64,
        /// Bytes of [`State::encode`](crate::log::State::encode). The state names the disk among its
        /// members.
        #[serde(with = "super::bytes")]
        bytes: Vec<u8>,
        /// These are the last ones.
        last: bool,
    },
}

/// The number that a licence file gives to its container: which third of a set it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Third {
    /// Serial number of the container.
    pub serial: u32,
    /// 1, 2 or 3; 0: not known.
    pub number: u8,
}

/// What a backend says of itself beyond [`Description`] and [`Standing`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// Drawn when the process began: one process has one, by whatever address it is reached.
    pub process: u128,
    /// What it had promised when it was last asked for a promise, or when its process began.
    pub before: Epoch,
    /// The highest slot that any front has told it to be chosen, whether it holds that or not.
    pub known: Slot,
    /// The digest of its copy up to its committed slot, if it is known.
    pub digest: Option<Digest>,
    /// Its copy differs from that of the front that it has promised.
    pub differs: bool,
    /// How far other disks have come, as fronts have told it, at most [`WITNESSED_MAX`].
    #[serde(deserialize_with = "at_most::<_, _, WITNESSED_MAX>")]
    pub acked: Vec<Acked>,
    /// What its clock says.
    pub clock: Wall,
    /// The latest date of the group that it knows; 0: none.
    pub date: Wall,
    /// Which thirds its containers are, at most [`THIRDS_MAX`].
    #[serde(deserialize_with = "at_most::<_, _, THIRDS_MAX>")]
    pub thirds: Vec<Third>,
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
        /// Protocol facts 3.2.
        #[serde(with = "super::bytes")]
        reply: Vec<u8>,
    },
    /// To [`Order::Witness`], and unasked (correlation 0) before every [`Report::Described`] and
    /// [`Report::Promised`]. From minor version 1 of the link on.
    Facts(Facts),
    /// Unasked (correlation 0), when it changes, and when a front has joined while something is lost.
    /// From minor version 2 of the link on.
    Lost(Lost),
    /// Unasked (correlation 0), when it changes, and when a front has joined while there are some. From
    /// minor version 3 of the link on.
    Unusable {
        /// Files that the backend cannot use, and does without or goes on with what it has read before.
        files: u32,
    },
}

/// What of a backend's own somebody has removed or replaced under it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lost {
    /// Its state folder, or the journal in it: what it acknowledges does not outlive its process.
    pub state: bool,
    /// The socket by which its machine comes in.
    pub socket: bool,
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

fn are_known(digest: Option<&Digest>, acked: &[Acked]) -> bool {
    digest.is_none_or(|digest| digest.base <= digest.slot && in_range([digest.slot]))
        && acked.iter().all(|one| in_range([one.slot]))
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
            Self::Witness { .. } => 0x0001_000a,
            Self::Disown { .. } => 0x0001_000b,
            Self::Recover { .. } => 0x0001_000c,
        }
    }

    fn in_range(&self) -> bool {
        match self {
            Self::Fetch { piece: Piece::Log { from: slot }, .. }
            | Self::Install { slot, .. }
            | Self::Recover { slot, .. }
            | Self::Confirm { committed: slot, .. } => in_range([*slot]),
            Self::Append { first, committed, .. } => in_range([*first, *committed]),
            Self::Witness { committed, digest, acked, .. } => {
                in_range([*committed]) && are_known(digest.as_ref(), acked)
            }
            Self::Describe
            | Self::Disown { .. }
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
                Self::Facts(_) => 0x0001_000a,
                Self::Lost(_) => 0x0001_000d,
                Self::Unusable { .. } => 0x0001_000e,
            }
    }

    fn in_range(&self) -> bool {
        match self {
            Self::Described(description) => description.standing.in_range(),
            Self::Promised(standing) => standing.in_range(),
            Self::State { slot, .. }
            | Self::Stored { last: slot, .. }
            | Self::Gap { committed: slot } => in_range([*slot]),
            Self::Facts(facts) => {
                in_range([facts.known]) && are_known(facts.digest.as_ref(), &facts.acked)
            }
            Self::Refused { .. }
            | Self::Log { .. }
            | Self::Confirmed
            | Self::Performed { .. }
            | Self::Lost(_)
            | Self::Unusable { .. } => true,
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
