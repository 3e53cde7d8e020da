//! The two fronts among themselves: what the one that dials tells, and what the other answers.
//!
//! First each says hello, in a form that every version reads. Then messages follow in the lower of
//! the two minor versions; they are postcard, and begin with the index of their kind. The link has
//! proved the group key at both ends ([`channel`](crate::link::channel)); `core/docs/wire.md` has the
//! test vectors.
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

/// How every hello begins.
const MAGIC: &[u8] = b"tmr twin";

/// The part that a front plays.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TwinRole {
    /// It could serve.
    Standby,
    /// It tries to lead, or leads and is not confirmed.
    Starting,
    /// It leads, and two backends confirm it.
    Active,
}

/// How the one that dialled stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// Its part.
    pub part: TwinRole,
    /// The highest epoch that it has seen; its own while it leads.
    pub epoch: Epoch,
    /// Since when it leads under that epoch, by its clock, for people; `None`: it does not.
    pub leads: Option<Wall>,
    /// The last slot that it knows to be committed.
    pub committed: Slot,
}

/// What two fronts of one group must have alike in their configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shared {
    /// `CmServer.Server`, sorted.
    pub servers: [String; 3],
    /// `VirtualContainers`, each with its serial if one was chosen, sorted.
    pub virtuals: Vec<(ContainerId, Option<u32>)>,
    /// `TmrServer.CleanUpTimeInSeconds`.
    pub cleanup_seconds: u64,
}

/// A handle at a stock server, and the seat that it stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemoteHandle {
    /// The serial of the container there: whatever stands at that server's address later, its
    /// handles are another one's.
    pub server: u32,
    /// The handle there.
    pub number: u32,
    /// The seat; 0: that handle was given back, or is not known there any more.
    pub handle: Handle,
    /// The licence that it takes.
    pub licence: LicenceKey,
}

/// A client has called with a handle at a front that could not have the call decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignOfLife {
    /// The handle that the call named.
    pub handle: Handle,
    /// How long ago the call came when this was sent, in milliseconds, rounded up.
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
    /// It did at regular intervals, and has not for so many seconds.
    Silent(u32),
}

/// The state of keepalived's instances on a front's machine, as keepalived's last notice says.
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

/// What a front knows of its machine: whether it could take the virtual address, and serve there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MachineReport {
    /// The front has just started, or keepalived there has just changed its state: what follows may be
    /// better in some seconds.
    pub starting: bool,
    /// What keepalived's track scripts do.
    pub asks: Asks,
    /// How keepalived's instances stand.
    pub instances: Instances,
    /// What the system says against the address on this machine, in a sentence.
    pub obstacle: Option<String>,
    /// Why the front could not serve, in a sentence; `None`: it could, or leads.
    pub unready: Option<String>,
}

/// What the one that dialled tells of itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TwinMessage {
    /// How it stands: after the hello, at every change, and as a sign of life. One with a new
    /// epoch under which it leads begins its log anew: it waits for [`Answer::Ready`].
    Standing(Standing),
    /// A piece of the state up to a committed slot.
    State {
        /// Under which it leads.
        epoch: Epoch,
        /// Whose log it is.
        group: GroupId,
        /// What the state stands for.
        slot: Slot,
        /// Where these bytes belong; 0 begins anew.
        offset: u64,
        /// Bytes of [`State::encode`](crate::log::State::encode).
        #[serde(with = "crate::base::bytes")]
        bytes: Vec<u8>,
        /// These are the last ones.
        last: bool,
    },
    /// Entries as they are proposed; none, if only more is committed.
    Entries {
        /// Under which it leads.
        epoch: Epoch,
        /// The slot of the first one; the rest follow without a gap.
        first: Slot,
        /// The entries.
        entries: Vec<Entry>,
        /// Every slot up to here is chosen.
        committed: Slot,
    },
    /// What its configuration says. Since minor version 1.
    Shared(Shared),
    /// The other one is to take the lead: this one has ended what it had begun, begins nothing
    /// more, and steps back as soon as a backend has promised another epoch. Since minor version 2.
    Lead {
        /// Under which it leads.
        epoch: Epoch,
        /// Every slot up to here is committed, and there is none behind it.
        committed: Slot,
    },
    /// A call of one of its own clients, for the one that leads. Since minor version 2.
    Call {
        /// Its number for that client, never used for another one on this connection.
        client: u64,
        /// Where the client is.
        from: SocketAddr,
        /// The call, as the client said it.
        #[serde(with = "crate::base::bytes")]
        bytes: Vec<u8>,
    },
    /// That client has gone. Since minor version 2.
    Gone {
        /// Its number.
        client: u64,
        /// So many replies on this connection, or on the last one if it has not called by this one,
        /// have reached it.
        replies: u32,
    },
    /// In unfenced mode: which handles at the servers stand for its seats; what has changed, before
    /// that is committed, or all of it. Since minor version 2.
    Seats {
        /// Under which it leads.
        epoch: Epoch,
        /// What was told before counts no more: these, and those that follow, are all there are.
        anew: bool,
        /// The handles.
        seats: Vec<RemoteHandle>,
    },
    /// What its configuration says of what both must have alike. Since minor version 3.
    Settings {
        /// How often that was changed at a web admin; the higher one holds.
        revision: u32,
        /// A JSON object ([`config::shared`](crate::config::shared)).
        text: String,
    },
    /// What has happened, as lines of the usage history, behind what the other one said last that it
    /// has ([`Answer::Recorded`]). The next one follows when that has been said again. Since minor
    /// version 3.
    History {
        /// Under which it leads.
        epoch: Epoch,
        /// The lines; none: it asks how far the other one is, or only more is recorded.
        #[serde(with = "crate::base::bytes")]
        lines: Vec<u8>,
        /// Everything up to here is recorded with them; `None`: that is not said.
        upto: Option<Mark>,
    },
    /// Clients have called the one that dialled, which had nobody to decide their calls: the one
    /// that leads counts that as it counts calls at itself. Since minor version 4.
    Alive(Vec<SignOfLife>),
    /// What the one that dialled knows of its machine: after the hello, and at every change. Since
    /// minor version 5.
    Machine(MachineReport),
}

/// What the other one answers, and to how much.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TwinAck {
    /// Messages on this link that it has dealt with, the hello not among them.
    pub count: u64,
    /// What it has to say.
    pub answer: Answer,
}

/// See [`TwinAck`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Answer {
    /// Nothing more.
    Noted,
    /// Go on behind this slot, if this is your group; else from a state.
    Ready {
        /// Of which it has heard.
        epoch: Epoch,
        /// Whose log it has.
        group: Option<GroupId>,
        /// How far.
        committed: Slot,
    },
    /// It leads, or tries to, and takes no log of anybody else's.
    Busy {
        /// Of which it has heard.
        epoch: Epoch,
    },
    /// It has the log of this epoch.
    Have {
        /// Under which it was told.
        epoch: Epoch,
        /// Up to here, committed or not.
        last: Slot,
    },
    /// The reply to a client's [`TwinMessage::Call`]; comes in its own time, also with the count of
    /// before. Since minor version 2.
    Reply {
        /// Whose it is.
        client: u64,
        /// The reply.
        #[serde(with = "crate::base::bytes")]
        bytes: Vec<u8>,
    },
    /// A client's [`TwinMessage::Call`] gets no reply. Since minor version 2.
    Dropped {
        /// Its number.
        client: u64,
        /// The call may have been done, so its client's link is to be closed; else whoever leads
        /// may still do it.
        begun: bool,
    },
    /// Everything up to here is recorded; `None`: nothing is. To each [`TwinMessage::History`] that is
    /// taken. Since minor version 3.
    Recorded {
        /// How far.
        upto: Option<Mark>,
    },
}

/// The bytes are no message of the version that is spoken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

impl TwinMessage {
    /// The minor version that it came with.
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

    /// Its bytes in a minor version; `None`: that one has no such message.
    #[must_use]
    pub fn encode(&self, minor: u16) -> Option<Vec<u8>> {
        (self.since() <= minor).then(|| bytes(self))
    }

    /// From bytes of a minor version.
    ///
    /// # Errors
    /// They are no message of that version, or one beyond a limit.
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
    /// Its bytes: the same in every minor version that has it. Those that came later answer only
    /// what came with them.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        bytes(self)
    }

    /// From bytes.
    ///
    /// # Errors
    /// They are no answer.
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
