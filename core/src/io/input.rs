//! What a runtime tells a node.

use crate::base::credentials::{AdminAccess, Rights};
use crate::base::server_files::{Misplaced, Place};
use crate::config::InForce;
use crate::history::Mark;
use crate::licence::Container;
use crate::link::{CloseReason, Frame, HubMetrics, LinkId, Listener};
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::net::SocketAddr;

/// What a runtime tells a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// Nothing but the time: due timers run.
    Tick,
    /// A connection came in.
    Accepted {
        /// Its new name.
        link: LinkId,
        /// The listener.
        listener: Listener,
        /// The peer's address; never an IPv4 address in IPv6 form.
        from: SocketAddr,
    },
    /// A frame arrived.
    Frame {
        /// On which link.
        link: LinkId,
        /// What.
        frame: Frame,
    },
    /// Requests of clients that arrived together, each of another link (protocol facts 3.1): what
    /// they lead to is sent on for all of them at once.
    Calls(Vec<(LinkId, Vec<u8>)>),
    /// A link is gone, or could not be dialled.
    Closed {
        /// Which.
        link: LinkId,
        /// Why.
        reason: CloseReason,
        /// Something that was to be sent on it was not handed to the network.
        unsent: bool,
    },
    /// What the hub has counted, before any page that may show it.
    Counted(HubMetrics),
    /// What the machine reports.
    Host(HostEvent),
}

/// What the machine of a node reports, beside its links.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostEvent {
    /// The watchdog looks whether the node still takes steps.
    Probe,
    /// The process is told to end, and will be gone in a moment: what was only counted is recorded.
    Stopping,
    /// Who can come in at its admin pages now, and which files of its machine are in trouble. At a
    /// backend nobody comes in.
    AdminAccess(Box<AdminAccess>),
    /// What is found where something of this server's own belongs; `None`: that. When it changes.
    Misplaced {
        /// What is looked after.
        place: Place,
        /// What is there instead.
        found: Option<Misplaced>,
    },
    /// What concerns a backend. A front ignores it.
    Backend(BackendEvent),
    /// What concerns a front. A backend ignores it.
    Front(FrontEvent),
}

/// What the machine of a backend reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BackendEvent {
    /// The one outstanding [`JournalWrite`](super::JournalWrite) is on disk.
    JournalWritten,
    /// The licence files of this backend hold this now, all of it checked.
    LicencesRead(Vec<Container>),
}

/// What the machine of a front reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FrontEvent {
    /// What [`HistoryRequest::ReadAfter`](super::HistoryRequest::ReadAfter) asked for.
    HistoryRead {
        /// As it was asked.
        after: Option<Mark>,
        /// The lines; none: there are none.
        lines: Vec<u8>,
    },
    /// Whether this machine has the virtual address. When that is first known, and whenever it
    /// changes.
    VirtualAddress {
        /// It is here.
        here: bool,
    },
    /// What the system says against the virtual address on this machine, in a sentence; `None`:
    /// nothing. Whenever that changes.
    VirtualAddressObstacle(Option<String>),
    /// The password that [`AdminFilesRequest::Verify`](super::AdminFilesRequest::Verify) named was
    /// checked.
    PasswordVerified {
        /// The link it came in by.
        link: LinkId,
        /// What it gives; `None`: it is wrong.
        granted: Option<Rights>,
    },
    /// This configuration is in force now. When that is first known, and whenever another one comes
    /// into force.
    Configured(Box<InForce>),
    /// What became of the one outstanding
    /// [`HostRequest::StoreConfig`](super::HostRequest::StoreConfig).
    ConfigStored(ConfigStoreResult),
}

/// What became of a configuration that was to be stored: it is in force, apart from what is named,
/// which needs a restart; or nothing has changed.
pub type ConfigStoreResult = Result<Vec<String>, ConfigNotStored>;

/// A configuration was not stored, and nothing has changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigNotStored {
    /// The file that it was for.
    pub file: String,
    /// What went wrong, in a sentence for people.
    pub reason: String,
}

impl From<HostEvent> for Input {
    fn from(event: HostEvent) -> Self {
        Self::Host(event)
    }
}

impl From<BackendEvent> for HostEvent {
    fn from(event: BackendEvent) -> Self {
        Self::Backend(event)
    }
}

impl From<FrontEvent> for HostEvent {
    fn from(event: FrontEvent) -> Self {
        Self::Front(event)
    }
}

impl From<BackendEvent> for Input {
    fn from(event: BackendEvent) -> Self {
        Self::Host(event.into())
    }
}

impl From<FrontEvent> for Input {
    fn from(event: FrontEvent) -> Self {
        Self::Host(event.into())
    }
}
