//! Messages between front and backend: the project's own calls, from 0x00010000 up.
//!
//! A batch is a sequence of messages, each `u32 call · u32 correlation · u32 length · body`, little
//! endian; a report has the number of its order with bit 31 set and the same correlation.
//! The body is postcard. The link that carries batches has proved the group key
//! ([`channel`](crate::link::channel)); `core/docs/wire.md` has the test vectors.

use crate::base::bytes::at_most;
use crate::base::limits::{
    APPEND_ENTRIES, GROUP_FRAME_MAX, PIECE_BYTES, PIECE_ENTRIES, SLOT_LAST, THIRDS_MAX,
    WITNESSED_MAX,
};
use crate::base::time::Wall;
use crate::licence::Part;
use crate::log::{AcceptedEntry, Acked, Digest, DiskId, Entry, Epoch, GroupId, LicenceKey, Slot};
use alloc::vec::Vec;
use nom::Parser;
use nom::bytes::complete::take;
use nom::number::complete::le_u32;
use serde::{Deserialize, Serialize};

/// The call number of the hello of a link that will carry batches; the project's only own call
/// outside of a batch.
pub const HELLO: u32 = 0x0001_0000;
/// Bytes that hold most messages, including a client's call in them.
const USUAL: usize = 384;
/// Set in the call number of a report.
const REPORT: u32 = 0x8000_0000;

/// A part of a backend's copy that a front reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Piece {
    /// Bytes of the encoded state at the backend's committed slot.
    State {
        /// The first byte.
        offset: u64,
    },
    /// Log entries.
    Log {
        /// The first slot.
        from: Slot,
    },
}

/// An order of a front to a backend.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Order {
    /// Asks for the backend's standing and its parts.
    Describe,
    /// Asks for the promise of this epoch: to refuse every lower one from now on.
    Claim {
        /// The epoch.
        epoch: Epoch,
    },
    /// Reads a piece of the copy of a backend that has promised `epoch`.
    Fetch {
        /// The epoch that was promised.
        epoch: Epoch,
        /// The piece.
        piece: Piece,
    },
    /// Names a group that is born. It goes only to a backend with an empty log.
    Found {
        /// The epoch that was promised.
        epoch: Epoch,
        /// The name.
        group: GroupId,
    },
    /// Asks the backend to accept these entries.
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
    /// Replaces the copy of a backend that is blank, or too far behind, by this state.
    Install {
        /// The epoch that was promised.
        epoch: Epoch,
        /// The group.
        group: GroupId,
        /// The last slot that the state includes, a chosen one.
        slot: Slot,
        /// The offset of these bytes; 0 starts again.
        offset: u64,
        /// Bytes of [`State::encode`](crate::log::State::encode).
        #[serde(with = "crate::base::bytes")]
        bytes: Vec<u8>,
        /// Whether these are the last bytes.
        last: bool,
    },
    /// Asks whether the promise still holds.
    Confirm {
        /// The epoch that was promised.
        epoch: Epoch,
        /// Every slot up to here is chosen.
        committed: Slot,
        /// Whether the front serves clients: two backends have confirmed it lately.
        serves: bool,
    },
    /// Performs this call of a client with the keys of a licence.
    Perform {
        /// The licence.
        licence: LicenceKey,
        /// The client's request, its handle included.
        #[serde(with = "crate::base::bytes")]
        call: Vec<u8>,
    },
    /// Has the backend keep this front's knowledge of the group, which reveals a disk that goes
    /// back in time. From minor version 1 of the link on, behind every [`Order::Confirm`].
    Witness {
        /// The epoch that was promised.
        epoch: Epoch,
        /// Every slot up to here is chosen.
        committed: Slot,
        /// The digest of the entries up to a committed slot, if it is known.
        digest: Option<Digest>,
        /// The positions of other disks, at most [`WITNESSED_MAX`].
        #[serde(deserialize_with = "at_most::<_, _, WITNESSED_MAX>")]
        acked: Vec<Acked>,
        /// The date of the group; 0: not known.
        date: Wall,
    },
    /// Lets a disk start again, blank and under another id, because it remembers less than it has
    /// reported, or differs from the group. From minor version 1 of the link on.
    Disown {
        /// The epoch that was promised.
        epoch: Epoch,
        /// The disk.
        disk: DiskId,
    },
    /// Lets a disk start again under another id, as a disk of a new group that has committed this
    /// state, because the group's memory is lost and an operator has chosen its replacement. The
    /// old journal is kept. From minor version 1 of the link on. Answered with
    /// [`Report::Described`] when the last piece is on disk, and with [`Report::Stored`] before.
    Recover {
        /// The epoch that was promised.
        epoch: Epoch,
        /// The new group.
        group: GroupId,
        /// The id of this disk in it.
        disk: DiskId,
        /// The last slot that the state includes; not 0.
        slot: Slot,
        /// The offset of these bytes; 0 starts again.
        offset: u64,
        /// Bytes of [`State::encode`](crate::log::State::encode). The state names the disk among its
        /// members.
        #[serde(with = "crate::base::bytes")]
        bytes: Vec<u8>,
        /// Whether these are the last bytes.
        last: bool,
    },
}

/// The number of a container's part in its set, as the licence file states it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Third {
    /// Serial number of the container.
    pub serial: u32,
    /// 1, 2 or 3; 0: not known.
    pub number: u8,
}

/// A backend's report of itself beyond [`Description`] and [`Standing`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// A number drawn when the process began; it is the same by every address of the process.
    pub process: u128,
    /// The epoch that it had promised when it was last asked for a promise, or when its process
    /// began.
    pub before: Epoch,
    /// The highest slot that any front has reported as chosen, whether the backend holds it or not.
    pub known: Slot,
    /// The digest of its copy up to its committed slot, if it is known.
    pub digest: Option<Digest>,
    /// Whether its copy differs from that of the front that it has promised.
    pub differs: bool,
    /// The positions of other disks, as fronts have reported them, at most [`WITNESSED_MAX`].
    #[serde(deserialize_with = "at_most::<_, _, WITNESSED_MAX>")]
    pub acked: Vec<Acked>,
    /// The time of its clock.
    pub clock: Wall,
    /// The latest date of the group that it knows; 0: none.
    pub date: Wall,
    /// The numbers of its containers' parts, at most [`THIRDS_MAX`].
    #[serde(deserialize_with = "at_most::<_, _, THIRDS_MAX>")]
    pub thirds: Vec<Third>,
}

/// A report of a backend to a front.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Report {
    /// The answer to [`Order::Describe`], and sent unasked (correlation 0) when a licence file was
    /// replaced.
    Described(Description),
    /// The answer to [`Order::Claim`]: the promise is on disk.
    Promised(Standing),
    /// The answer to any order with an epoch if another one was promised. Nothing was done.
    Refused {
        /// The promised epoch.
        promised: Epoch,
    },
    /// The answer to [`Order::Fetch`] of state.
    State {
        /// The last slot that the state includes, a chosen one.
        slot: Slot,
        /// The bytes.
        #[serde(with = "crate::base::bytes")]
        bytes: Vec<u8>,
        /// Whether these are the last bytes.
        last: bool,
    },
    /// The answer to [`Order::Fetch`] of log: entries from the requested slot, in order. An empty
    /// list means that there are no more.
    Log {
        /// The entries, at most [`PIECE_ENTRIES`].
        #[serde(deserialize_with = "at_most::<_, _, PIECE_ENTRIES>")]
        entries: Vec<AcceptedEntry>,
    },
    /// The answer to [`Order::Found`], [`Order::Append`] and [`Order::Install`]: it is on disk.
    Stored {
        /// The slot up to which this copy is the front's log. Older entries may stand behind it.
        last: Slot,
        /// Grants of that append whose licence this backend holds with other properties, or
        /// does not hold.
        differing: Vec<Slot>,
    },
    /// The answer to [`Order::Append`] and [`Order::Install`] that do not join the copy, to
    /// [`Order::Fetch`] of entries that exist as a state only, and to [`Order::Found`] if the copy
    /// has a group with entries.
    Gap {
        /// The slot up to which every slot is known to be chosen; the front goes on from the next.
        committed: Slot,
    },
    /// The answer to [`Order::Confirm`]: the promise holds.
    Confirmed,
    /// The answer to [`Order::Perform`]: the plaintext of the reply.
    Performed {
        /// The reply (protocol facts 3.2).
        #[serde(with = "crate::base::bytes")]
        reply: Vec<u8>,
    },
    /// The answer to [`Order::Witness`], and sent unasked (correlation 0) before every
    /// [`Report::Described`] and [`Report::Promised`]. From minor version 1 of the link on.
    Facts(Facts),
    /// Lost files, sent unasked (correlation 0) when they change, and when a front has joined while
    /// there are some. From minor version 2 of the link on.
    Lost(Lost),
    /// Unusable files, sent unasked (correlation 0) when their number changes, and when a front has
    /// joined while there are some. From minor version 3 of the link on.
    Unusable {
        /// The number of files that the backend cannot use; it does without them, or uses their
        /// former contents.
        files: u32,
    },
}

/// The files of a backend that were removed or replaced while it runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lost {
    /// Whether the state folder or the journal in it is lost: acknowledged entries do not outlive
    /// the process.
    pub state: bool,
    /// Whether the socket of its own machine is lost.
    pub socket: bool,
}

/// A backend's position in the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// Its state folder.
    pub disk: DiskId,
    /// Its group; `None` while it is blank.
    pub group: Option<GroupId>,
    /// The highest epoch it promised.
    pub promised: Epoch,
    /// The slot behind which it still has entries.
    pub base: Slot,
    /// The slot up to which it knows every slot to be chosen.
    pub committed: Slot,
    /// The last slot it holds.
    pub last: Slot,
}

/// A backend's description of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Description {
    /// Its position in the log.
    pub standing: Standing,
    /// Whether the front that it promised has reported lately that it serves.
    pub led: bool,
    /// Its parts, one for each container.
    pub parts: Vec<Part>,
}

/// A message with the number that connects a report with its order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message<T> {
    /// Chosen by the front, never 0 in an order.
    pub correlation: u32,
    /// The order or report.
    pub body: T,
}

/// The bytes are not a sequence of messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

/// The common properties of orders and reports: a call number for each kind.
pub trait Numbered: Serialize + for<'a> Deserialize<'a> {
    /// Returns the call number of this kind.
    fn number(&self) -> u32;
    /// Returns whether no slot in it is above [`SLOT_LAST`].
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

/// Encodes one message of a batch.
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

/// Sets another correlation in a message that [`encode`] made, so that a message to all three
/// backends is encoded once.
pub fn correlate(message: &mut [u8], correlation: u32) {
    message[4..8].copy_from_slice(&correlation.to_le_bytes());
}

/// Decodes the messages of a batch, in order.
///
/// # Errors
/// Returns [`Malformed`] at the first message that is incomplete, has another number than its body, has
/// trailing bytes, or exceeds a limit; the link has to be closed.
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
