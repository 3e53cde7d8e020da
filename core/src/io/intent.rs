//! What a node wants done.

use crate::base::credentials::Password;
use crate::base::network::Address;
use crate::history::Mark;
use crate::link::{CloseReason, LinkId, PeerKind};
use alloc::string::String;
use alloc::vec::Vec;

/// What a node wants done: by the hub, which has the links, or by the machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Intent {
    /// Open a connection.
    Dial {
        /// The name of the link to be.
        link: LinkId,
        /// Where to.
        to: Address,
        /// Whom it expects there.
        callee: PeerKind,
    },
    /// Send one plaintext frame.
    Send {
        /// On which link.
        link: LinkId,
        /// A reply, an HTTP response, or one message between servers.
        frame: Vec<u8>,
    },
    /// Send what is queued, then close. The node has forgotten the link already.
    Close {
        /// Which.
        link: LinkId,
        /// Why, for the log.
        reason: CloseReason,
    },
    /// Have something done by the machine.
    Host(HostRequest),
}

/// What a node wants of its machine, by the worker that does it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HostRequest {
    /// Of a backend: write its journal.
    Journal(JournalWrite),
    /// Of a front: write or read its usage history.
    History(HistoryRequest),
    /// Of a front: something about the virtual address.
    Vip(VipRequest),
    /// Of a front: something with the files of the admin pages. At a backend it is not done.
    AdminFiles(AdminFilesRequest),
    /// Of a front: put this text into the file of the configuration, durably and as a whole, and
    /// into force. The answers are [`FrontEvent::Configured`](super::FrontEvent::Configured) and
    /// [`FrontEvent::ConfigStored`](super::FrontEvent::ConfigStored). At most one is outstanding.
    StoreConfig(String),
    /// This process must not go on; the reason, for people.
    Halt(String),
}

/// A durable write of a backend. The answer, when it is on disk, is
/// [`BackendEvent::JournalWritten`](super::BackendEvent::JournalWritten). At most one is
/// outstanding, which is what makes group commit: all that becomes ready meanwhile goes out with
/// the next one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JournalWrite {
    /// Append these bytes to the journal.
    Append(Vec<u8>),
    /// Put these bytes in the journal's place, atomically.
    Rewrite(Vec<u8>),
    /// The same, but keep the journal that was there under another name, in the place of one that
    /// was kept before: this disk begins anew, and what it remembered may be needed by people.
    BeginAnew(Vec<u8>),
}

impl JournalWrite {
    /// Returns the bytes to be written.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        let (Self::Append(bytes) | Self::Rewrite(bytes) | Self::BeginAnew(bytes)) = self;
        bytes
    }

    /// Returns whether the bytes take the journal's place.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        !matches!(self, Self::Append(_))
    }
}

/// Something with the usage history.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HistoryRequest {
    /// Add these lines. What cannot be written is lost: nothing waits for it.
    Record(Vec<u8>),
    /// Read lines that follow this, in order and one message at most
    /// ([`HISTORY_BLOCK`](crate::base::limits::HISTORY_BLOCK)); `None`: from the first one on. The answer
    /// is [`FrontEvent::HistoryRead`](super::FrontEvent::HistoryRead).
    ReadAfter(Option<Mark>),
}

/// Something about the virtual address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VipRequest {
    /// Look now whether this machine has it: it may just have moved.
    Look,
    /// Tell whoever moves it whether this machine is to give it away.
    GiveAway(bool),
}

/// Something with the files of the admin pages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AdminFilesRequest {
    /// Check a password, which takes long on purpose. The answer is
    /// [`FrontEvent::PasswordVerified`](super::FrontEvent::PasswordVerified).
    Verify {
        /// The link it came in by.
        link: LinkId,
        /// What was typed.
        password: Password,
    },
    /// Append this line to the record of what operators changed. Nothing waits for it.
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
