//! The messages between the two fronts: those of the one that dials, and the other's answers.
//!
//! First each sends a hello, in a form that every version reads. Then messages follow in the lower
//! of the two minor versions; they are postcard, and begin with the index of their kind. The link
//! has proved the group key at both ends ([`channel`](crate::link::channel)); `core/docs/wire.md`
//! has the test vectors.
//!
//! | minor | what came with it |
//! |---|---|
//! | 0 | everything else |
//! | 1 | [`TwinMessage::Shared`] |
//! | 2 | [`TwinMessage::Lead`]; [`TwinMessage::Call`], [`TwinMessage::Gone`], [`Answer::Reply`], [`Answer::Dropped`]; [`TwinMessage::Seats`] |
//! | 3 | [`TwinMessage::Settings`] in the place of [`TwinMessage::Shared`]; [`TwinMessage::History`], [`Answer::Recorded`] |
//! | 4 | [`TwinMessage::Alive`] |
//! | 5 | [`TwinMessage::Machine`] |

mod hello;

use crate::base::limits::{
    CLIENT_FRAME_MAX, HISTORY_BLOCK, SLOT_LAST, TWIN_ADDRESS_MAX, TWIN_ALIVE, TWIN_ENTRIES,
    TWIN_PIECE_BYTES, TWIN_REASON_TEXT, TWIN_SEATS, TWIN_SETTINGS_MAX, TWIN_VIRTUALS_MAX,
};
use crate::base::time::Wall;
use crate::history::Mark;
use crate::log::{ContainerId, Entry, Epoch, GroupId, Handle, LicenceKey, Slot};
use alloc::string::String;
use alloc::vec::Vec;
pub use hello::{Hello, Version};

use core::net::SocketAddr;

use serde::{Deserialize, Serialize};

/// The first bytes of every hello.
const MAGIC: &[u8] = b"tmr twin";

/// The role of a front.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TwinRole {
    /// It stands by.
    Standby,
    /// It tries to lead, or leads without confirmation.
    Starting,
    /// It leads, and two backends confirm it.
    Active,
}

/// The state of the front that dialled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// Its role.
    pub part: TwinRole,
    /// The highest epoch that it has seen; its own while it leads.
    pub epoch: Epoch,
    /// Since when it leads under that epoch, by its own clock, for people; `None` if it does not
    /// lead.
    pub leads: Option<Wall>,
    /// The last slot that it knows to be committed.
    pub committed: Slot,
}

/// The settings that two fronts of one group must have in common.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shared {
    /// `CmServer.Server`, sorted.
    pub servers: [String; 3],
    /// `VirtualContainers`, each with its serial if one was chosen; sorted.
    pub virtuals: Vec<(ContainerId, Option<u32>)>,
    /// `TmrServer.CleanUpTimeInSeconds`.
    pub cleanup_seconds: u64,
}

/// A handle at a stock server, and the seat that it stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemoteHandle {
    /// The serial of the container there: another server at that address later has other handles.
    pub server: u32,
    /// The number of the handle there.
    pub number: u32,
    /// The seat; 0 if that handle was given back, or does not exist there any more.
    pub handle: Handle,
    /// The licence that the seat takes.
    pub licence: LicenceKey,
}

/// A call with a handle that arrived at a front which could not have it decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignOfLife {
    /// The handle that the call named.
    pub handle: Handle,
    /// How long before sending the call arrived, in milliseconds, rounded up.
    pub milliseconds_ago: u32,
}

/// Whether keepalived on a front's machine calls its track scripts, which ask the front.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Asks {
    /// Not since the front started, or not yet at regular intervals.
    #[default]
    Never,
    /// At regular intervals.
    Regularly,
    /// They came at regular intervals, and have not for this number of seconds.
    Silent(u32),
}

/// The state of keepalived's instances on a front's machine, by keepalived's last notice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Instances {
    /// No notice has come since the front started.
    #[default]
    Unknown,
    /// Each is MASTER or BACKUP.
    Ready,
    /// At least one is in FAULT.
    Fault,
    /// They were stopped.
    Stopped,
}

/// What a front knows about its machine: whether it could take the virtual address, and serve
/// there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MachineReport {
    /// Whether the front has just started, or keepalived there has just changed its state: the
    /// other fields may improve in some seconds.
    pub starting: bool,
    /// Whether keepalived's track scripts run.
    pub asks: Asks,
    /// The state of keepalived's instances.
    pub instances: Instances,
    /// What prevents the address on this machine, as a sentence.
    pub obstacle: Option<String>,
    /// Why the front could not serve, as a sentence; `None` if it could, or leads.
    pub unready: Option<String>,
}

/// A message of the front that dialled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TwinMessage {
    /// Its state: after the hello, at every change, and as a sign of life. One with a new epoch
    /// under which it leads starts its log again: it waits for [`Answer::Ready`].
    Standing(Standing),
    /// A piece of the state up to a committed slot.
    State {
        /// The epoch under which it leads.
        epoch: Epoch,
        /// The group of the log.
        group: GroupId,
        /// The last slot that the state includes.
        slot: Slot,
        /// The position of these bytes; 0 starts again.
        offset: u64,
        /// Bytes of [`State::encode`](crate::log::State::encode).
        #[serde(with = "crate::base::bytes")]
        bytes: Vec<u8>,
        /// Whether these are the last bytes.
        last: bool,
    },
    /// Entries as they are proposed; empty if only more is committed.
    Entries {
        /// The epoch under which it leads.
        epoch: Epoch,
        /// The slot of the first one; the rest follow without a gap.
        first: Slot,
        /// The entries.
        entries: Vec<Entry>,
        /// Every slot up to here is chosen.
        committed: Slot,
    },
    /// Its configuration. Since minor version 1.
    Shared(Shared),
    /// The other front is to take the lead: this one has completed what it had begun, starts
    /// nothing more, and steps back as soon as a backend has promised another epoch. Since minor
    /// version 2.
    Lead {
        /// The epoch under which it leads.
        epoch: Epoch,
        /// Every slot up to here is committed, and no later one is used.
        committed: Slot,
    },
    /// A call of one of its own clients, forwarded to the front that leads. Since minor version 2.
    Call {
        /// The number of the client, never used for another one on this connection.
        client: u64,
        /// The client's address.
        from: SocketAddr,
        /// The call, unchanged.
        #[serde(with = "crate::base::bytes")]
        bytes: Vec<u8>,
    },
    /// That client has disconnected. Since minor version 2.
    Gone {
        /// Its number.
        client: u64,
        /// The number of replies that have reached it, on this connection, or on the last one if it
        /// has made no call on this one.
        replies: u32,
    },
    /// In unfenced mode: the handles at the servers that stand for its seats; the changes, before
    /// they are committed, or all of them. Since minor version 2.
    Seats {
        /// The epoch under which it leads.
        epoch: Epoch,
        /// Whether earlier messages are void: these handles and those that follow are all there
        /// are.
        anew: bool,
        /// The handles.
        seats: Vec<RemoteHandle>,
    },
    /// The part of its configuration that both fronts must have in common. Since minor version 3.
    Settings {
        /// How often that was changed on a web admin page; the higher number prevails.
        revision: u32,
        /// A JSON object ([`config::shared`](crate::config::shared)).
        text: String,
    },
    /// Lines of the usage history that follow the position which the other front reported last
    /// ([`Answer::Recorded`]). The next message follows after the next report. Since minor version
    /// 3.
    History {
        /// The epoch under which it leads.
        epoch: Epoch,
        /// The lines; empty if the message asks for the other's position, or only the position has
        /// moved.
        #[serde(with = "crate::base::bytes")]
        lines: Vec<u8>,
        /// The position up to which everything is recorded with them; `None` if it is not stated.
        upto: Option<Mark>,
    },
    /// Calls of clients at the front that dialled, which had no leader to decide them: the front
    /// that leads counts them as calls at itself. Since minor version 4.
    Alive(Vec<SignOfLife>),
    /// What the front that dialled knows about its machine: after the hello, and at every change.
    /// Since minor version 5.
    Machine(MachineReport),
}

/// An answer of the other front, with the number of messages that it covers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TwinAck {
    /// The number of messages processed on this link, without the hello.
    pub count: u64,
    /// The answer.
    pub answer: Answer,
}

/// See [`TwinAck`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// Nothing more.
    Noted,
    /// The log is to continue after this slot if the group is the same, and otherwise from a state.
    Ready {
        /// The highest epoch that it has seen.
        epoch: Epoch,
        /// The group of its log.
        group: Option<GroupId>,
        /// The last slot that it knows to be committed.
        committed: Slot,
    },
    /// It leads, or tries to, and takes no log of another front.
    Busy {
        /// The highest epoch that it has seen.
        epoch: Epoch,
    },
    /// It has the log of this epoch.
    Have {
        /// The epoch of the messages.
        epoch: Epoch,
        /// The last slot, committed or not.
        last: Slot,
    },
    /// The reply to a client's [`TwinMessage::Call`]; it is sent when it is ready, also with the
    /// same count as the answer before. Since minor version 2.
    Reply {
        /// The number of the client.
        client: u64,
        /// The reply.
        #[serde(with = "crate::base::bytes")]
        bytes: Vec<u8>,
    },
    /// A client's [`TwinMessage::Call`] gets no reply. Since minor version 2.
    Dropped {
        /// The number of the client.
        client: u64,
        /// Whether the call may have been executed, so that the client's link has to be closed;
        /// otherwise the leading front may still execute it.
        begun: bool,
    },
    /// The position up to which everything is recorded, `None` if nothing is; the answer to each
    /// [`TwinMessage::History`] that was accepted. Since minor version 3.
    Recorded {
        /// The position.
        upto: Option<Mark>,
    },
}

/// The bytes are no message of the version in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

impl TwinMessage {
    /// Returns the minor version that introduced it.
    fn since(&self) -> u16 {
        match self {
            Self::Standing(_) | Self::State { .. } | Self::Entries { .. } => 0,
            Self::Shared(_) => 1,
            Self::Lead { .. } => Version::GIVES_LEAD,
            Self::Call { .. } | Self::Gone { .. } => Version::PASSES,
            Self::Seats { .. } => 2,
            Self::Settings { .. } => Version::SETTINGS,
            Self::History { .. } => Version::HISTORY,
            Self::Alive(_) => Version::ALIVE,
            Self::Machine(_) => Version::MACHINE,
        }
    }

    /// Encodes it for a minor version; `None` if that version has no such message.
    #[must_use]
    pub fn encode(&self, minor: u16) -> Option<Vec<u8>> {
        (self.since() <= minor).then(|| bytes(self))
    }

    /// Decodes a message of a minor version.
    ///
    /// # Errors
    /// The bytes are no message of that version, or exceed a limit.
    pub fn decode(bytes: &[u8], minor: u16) -> Result<Self, Malformed> {
        let tell: Self = whole(bytes)?;
        let fits = match &tell {
            Self::Standing(standing) => in_range(standing.committed),
            Self::State { slot, bytes, .. } => in_range(*slot) && bytes.len() <= TWIN_PIECE_BYTES,
            Self::Entries { first, entries, committed, .. } => {
                let slots = *first > Slot(0) && in_range(*first) && in_range(*committed);
                slots && entries.len() <= TWIN_ENTRIES
            }
            Self::Shared(shared) => {
                let plain = |text: &String| {
                    text.len() <= TWIN_ADDRESS_MAX && text.bytes().all(|b| b.is_ascii_graphic())
                };
                shared.servers.iter().all(plain) && shared.virtuals.len() <= TWIN_VIRTUALS_MAX
            }
            Self::Lead { committed, .. } => in_range(*committed),
            Self::Call { bytes, .. } => bytes.len() <= CLIENT_FRAME_MAX,
            Self::Gone { .. } => true,
            Self::Seats { seats, .. } => seats.len() <= TWIN_SEATS,
            Self::Settings { text, .. } => text.len() <= TWIN_SETTINGS_MAX,
            Self::History { lines, .. } => lines.len() <= HISTORY_BLOCK,
            Self::Alive(signs) => signs.len() <= TWIN_ALIVE,
            Self::Machine(report) => {
                let plain = |text: &String| {
                    text.len() <= TWIN_REASON_TEXT && !text.chars().any(char::is_control)
                };
                report.obstacle.iter().chain(&report.unready).all(plain)
            }
        };
        if tell.since() <= minor && fits { Ok(tell) } else { Err(Malformed) }
    }
}

impl TwinAck {
    /// Encodes it: the bytes are the same in every minor version. Later answers are sent only to
    /// later messages.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        bytes(self)
    }

    /// Decodes an answer.
    ///
    /// # Errors
    /// The bytes are no answer.
    pub fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        let heard: Self = whole(bytes)?;
        let fits = match &heard.answer {
            Answer::Ready { committed: slot, .. } | Answer::Have { last: slot, .. } => {
                in_range(*slot)
            }
            Answer::Reply { bytes, .. } => bytes.len() <= CLIENT_FRAME_MAX,
            Answer::Noted
            | Answer::Busy { .. }
            | Answer::Dropped { .. }
            | Answer::Recorded { .. } => true,
        };
        if fits { Ok(heard) } else { Err(Malformed) }
    }
}

fn in_range(slot: Slot) -> bool {
    slot.0 <= SLOT_LAST
}

fn bytes(message: &impl Serialize) -> Vec<u8> {
    postcard::to_allocvec(message).expect("a message in memory always encodes")
}

fn whole<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, Malformed> {
    match postcard::take_from_bytes(bytes) {
        Ok((message, [])) => Ok(message),
        _ => Err(Malformed),
    }
}
