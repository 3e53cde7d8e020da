//! The inputs of a node, which its runtime makes.

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

/// An input of a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// Only the passing of time: due timers run.
    Tick,
    /// A connection was accepted.
    Accepted {
        /// The name of the new link.
        link: LinkId,
        /// The listener.
        listener: Listener,
        /// The peer's address; never an IPv4 address in IPv6 form.
        from: SocketAddr,
    },
    /// A frame arrived.
    Frame {
        /// The link.
        link: LinkId,
        /// The frame.
        frame: Frame,
    },
    /// Requests of clients that arrived together, each from another link (protocol facts 3.1); the
    /// messages that result from all of them are sent together.
    Calls(Vec<(LinkId, Vec<u8>)>),
    /// A link has closed, or could not be opened.
    Closed {
        /// The link.
        link: LinkId,
        /// The reason.
        reason: CloseReason,
        /// Whether something to be sent on it was not handed to the network.
        unsent: bool,
    },
    /// The hub's metrics, before any page that may show them.
    Counted(HubMetrics),
    /// An event of the host.
    Host(HostEvent),
}

/// An event of a node's host; nothing about links.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostEvent {
    /// The watchdog checks whether the node still takes steps.
    Probe,
    /// The process was asked to end and will do so in a moment: history that is only in memory has
    /// to be recorded.
    Stopping,
    /// The credentials that the admin pages accept now, and the files of this machine that cannot
    /// be used. A backend has no credentials.
    AdminAccess(Box<AdminAccess>),
    /// What was found in the place of a file or folder of this server, `None` if it is there again;
    /// sent at every change.
    Misplaced {
        /// The file or folder.
        place: Place,
        /// What is there instead.
        found: Option<Misplaced>,
    },
    /// An event for a backend; a front ignores it.
    Backend(BackendEvent),
    /// An event for a front; a backend ignores it.
    Front(FrontEvent),
}

/// An event of a backend's host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BackendEvent {
    /// The [`JournalWrite`](super::JournalWrite) in progress is on disk.
    JournalWritten,
    /// The contents of this backend's licence files have changed; all of them are checked.
    LicencesRead(Vec<Container>),
}

/// An event of a front's host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FrontEvent {
    /// The answer to [`HistoryRequest::ReadAfter`](super::HistoryRequest::ReadAfter).
    HistoryRead {
        /// The position of the request.
        after: Option<Mark>,
        /// The lines; empty if there are no more.
        lines: Vec<u8>,
    },
    /// Whether this machine has the virtual address; sent when it is first known, and at every
    /// change.
    VirtualAddress {
        /// Whether the address is here.
        here: bool,
    },
    /// What prevents the virtual address on this machine, as a sentence, or `None`; sent at every
    /// change.
    VirtualAddressObstacle(Option<String>),
    /// The result of [`AdminFilesRequest::Verify`](super::AdminFilesRequest::Verify) for a
    /// password.
    PasswordVerified {
        /// The link by which the password arrived.
        link: LinkId,
        /// The rights that the password gives; `None` if it is wrong.
        granted: Option<Rights>,
    },
    /// The configuration that is in force; sent when it is first known, and when another one takes
    /// its place.
    Configured(Box<InForce>),
    /// The result of the one outstanding
    /// [`HostRequest::StoreConfig`](super::HostRequest::StoreConfig).
    ConfigStored(ConfigStoreResult),
}

/// The result of storing a configuration: it is in force, apart from the named settings, which need
/// a restart; or nothing has changed.
pub type ConfigStoreResult = Result<Vec<String>, ConfigNotStored>;

/// A configuration was not stored; nothing has changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigNotStored {
    /// The file in which it was to be stored.
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
