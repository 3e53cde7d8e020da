//! The intents of a node: effects that it wants.

use crate::base::credentials::Password;
use crate::base::network::Address;
use crate::history::Mark;
use crate::link::{CloseReason, LinkId, PeerKind};
use alloc::string::String;
use alloc::vec::Vec;

/// An effect that a node wants, by its hub, which has the links, or by its host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Intent {
    /// Open a connection.
    Dial {
        /// The name of the new link.
        link: LinkId,
        /// The address.
        to: Address,
        /// The kind of peer that the node expects there.
        callee: PeerKind,
    },
    /// Send one plaintext frame.
    Send {
        /// The link.
        link: LinkId,
        /// A reply, an HTTP response, or one message between servers.
        frame: Vec<u8>,
    },
    /// Send what is queued, then close. The node has already removed the link.
    Close {
        /// The link.
        link: LinkId,
        /// The reason, for the log.
        reason: CloseReason,
    },
    /// Have the host do something.
    Host(HostRequest),
}

/// A request of a node to its host, by the worker that performs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostRequest {
    /// For a backend: write its journal.
    Journal(JournalWrite),
    /// For a front: write or read its usage history.
    History(HistoryRequest),
    /// For a front: a request about the virtual address.
    Vip(VipRequest),
    /// For a front: a request about the files of the admin pages. Not performed at a backend.
    AdminFiles(AdminFilesRequest),
    /// For a front: write this text to the configuration file, durably and as a whole, and put it
    /// into force. The answers are [`FrontEvent::Configured`](super::FrontEvent::Configured) and
    /// [`FrontEvent::ConfigStored`](super::FrontEvent::ConfigStored). At most one is outstanding.
    StoreConfig(String),
    /// End this process; the reason, for people.
    Halt(String),
}

/// A durable write of a backend. The answer, when it is on disk, is
/// [`BackendEvent::JournalWritten`](super::BackendEvent::JournalWritten). At most one is
/// outstanding, which makes group commit: records that arrive meanwhile form the next write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JournalWrite {
    /// Append these bytes to the journal.
    Append(Vec<u8>),
    /// Replace the journal by these bytes, atomically.
    Rewrite(Vec<u8>),
    /// The same, but keep the old journal under another name, in the place of one that was kept
    /// before: this disk starts again under a new id, and people may need its old contents.
    BeginAnew(Vec<u8>),
}

impl JournalWrite {
    /// Returns the bytes to be written.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        let (Self::Append(bytes) | Self::Rewrite(bytes) | Self::BeginAnew(bytes)) = self;
        bytes
    }

    /// Returns whether the bytes replace the journal.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        !matches!(self, Self::Append(_))
    }
}

/// A request about the usage history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HistoryRequest {
    /// Append these lines. Lines that cannot be written are lost: nothing waits for them.
    Record(Vec<u8>),
    /// Read the lines that follow this position, in order and one message at most
    /// ([`HISTORY_BLOCK`](crate::base::limits::HISTORY_BLOCK)); `None`: from the first one. The
    /// answer is [`FrontEvent::HistoryRead`](super::FrontEvent::HistoryRead).
    ReadAfter(Option<Mark>),
}

/// A request about the virtual address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VipRequest {
    /// Check now whether this machine has it: it may just have moved.
    Look,
    /// Report to keepalived whether this machine is to give the address away.
    GiveAway(bool),
}

/// A request about the files of the admin pages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AdminFilesRequest {
    /// Check a password, which is slow on purpose. The answer is
    /// [`FrontEvent::PasswordVerified`](super::FrontEvent::PasswordVerified).
    Verify {
        /// The link by which the password arrived.
        link: LinkId,
        /// The password.
        password: Password,
    },
    /// Append this line to the record of operators' changes. Nothing waits for it.
    Audit(String),
}

impl From<HostRequest> for Intent {
    fn from(request: HostRequest) -> Self {
        Self::Host(request)
    }
}

impl From<JournalWrite> for Intent {
    fn from(write: JournalWrite) -> Self {
        Self::Host(HostRequest::Journal(write))
    }
}

impl From<HistoryRequest> for Intent {
    fn from(request: HistoryRequest) -> Self {
        Self::Host(HostRequest::History(request))
    }
}

impl From<VipRequest> for Intent {
    fn from(request: VipRequest) -> Self {
        Self::Host(HostRequest::Vip(request))
    }
}

impl From<AdminFilesRequest> for Intent {
    fn from(request: AdminFilesRequest) -> Self {
        Self::Host(HostRequest::AdminFiles(request))
    }
}
