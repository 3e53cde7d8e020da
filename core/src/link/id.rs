//! The names of connections, their listeners and peers, and why they ended.

use crate::base::limits::DIAL_TIMEOUT;
use crate::base::time::Duration;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

/// One connection, accepted or dialled. An id is never used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LinkId(pub u64);

impl LinkId {
    /// Higher than the number of any connection.
    const PASSED: u64 = 1 << 63;

    /// Returns the id of a client of the other front, which forwards its calls: it has no
    /// connection here. A runtime never gets such an id.
    pub(crate) fn passed(number: u64) -> Self {
        Self(Self::PASSED | number)
    }

    /// Whether this is the id of such a client.
    pub(crate) fn is_passed(self) -> bool {
        self.0 >= Self::PASSED
    }
}

/// One listener, by the number that its runtime gives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ListenerId(pub u64);

/// The kind of listener at which a connection was accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Listener {
    /// The licence port: clients, and fronts that prove themselves with the group key.
    Licence,
    /// The admin port: HTTP.
    Admin,
    /// The port for the other front.
    Twin,
    /// The local socket of the machine, with HTTP; the system's permissions decide who may open it.
    Machine,
}

/// The kind of peer that a node dials.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PeerKind {
    /// A backend of the group: the link proves the group key and carries batches.
    Backend,
    /// A stock licence server: the link carries one client call at a time.
    Stock,
    /// The other front, at its port for twins.
    Twin {
        /// The time limit for the connection to open.
        within: Duration,
    },
}

impl PeerKind {
    /// Returns the time limit for the connection to open.
    #[must_use]
    pub fn within(self) -> Duration {
        match self {
            Self::Backend | Self::Stock => DIAL_TIMEOUT,
            Self::Twin { within } => within,
        }
    }

    /// Returns how long a runtime tries to connect: less than the node waits, so that the node gets
    /// the error and its address, and not only a timeout.
    #[must_use]
    pub fn connects_within(self) -> Duration {
        self.within() / 8 * 7
    }
}

/// The peer takes no more bytes.
pub const NOT_READING: CloseReason = CloseReason::Timeout("the peer does not read");

/// The reason why a link has closed, or is to close.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CloseReason {
    /// The peer closed it normally.
    Eof,
    /// The network or the peer broke it, or it could not be opened; the system's message.
    Broken(String),
    /// The peer was silent, or slow, for longer than its limit.
    Timeout(&'static str),
    /// The peer broke the protocol; how.
    Protocol(&'static str),
    /// A limit of this server was reached; which one.
    Limit(&'static str),
    /// This node no longer serves it: another front leads, or there is no majority.
    Stepped(&'static str),
}

impl fmt::Display for CloseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Eof => f.write_str("closed by the peer"),
            Self::Broken(what) => f.write_str(what),
            Self::Timeout(what) => write!(f, "timed out: {what}"),
            Self::Protocol(what) => write!(f, "broke the protocol: {what}"),
            Self::Limit(what) => write!(f, "limit reached: {what}"),
            Self::Stepped(what) => f.write_str(what),
        }
    }
}

/// A unit that a link's [`SecureChannel`](crate::link::channel::SecureChannel) made out of bytes:
/// decrypted, checked and delimited, but not parsed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// The plaintext of one client request (protocol facts 3.1).
    Call(Vec<u8>),
    /// The plaintext of a server's reply (protocol facts 3.2), on a link that was dialled to one.
    Reply(Vec<u8>),
    /// The peer has proved the group key. On a backend: a front, with its id. On a front: the
    /// backend that it dialled.
    Joined {
        /// The id of the front at one end of this link.
        front: u32,
        /// The minor version of the protocol that both ends speak: a higher one adds messages.
        minor: u16,
    },
    /// One verified batch of front–backend messages ([`messages::group`](crate::messages::group)).
    Batch(Vec<u8>),
    /// One message of the other front ([`messages::twin`](crate::messages::twin)); the first one on
    /// a link proves that it has the group key.
    Twin(Vec<u8>),
    /// One complete HTTP request, head and body.
    Http(Vec<u8>),
    /// A request whose sender may not read the answer any more: the peer has ended the connection
    /// before the request was served, or the request has waited for longer than
    /// [`ORDER_LATE`](crate::base::limits::ORDER_LATE). An order in it is not carried out.
    Unheard(Vec<u8>),
}

impl Frame {
    /// Returns the same frame, of a sender that has since disconnected.
    #[must_use]
    pub fn unheard(self) -> Self {
        match self {
            Self::Http(bytes) => Self::Unheard(bytes),
            frame => frame,
        }
    }
}
