//! What a connection is called, where it came in or leads to, and why it ended.

use crate::base::limits::DIAL_TIMEOUT;
use crate::base::time::Duration;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

/// One connection, accepted or dialled. Never used again once it is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LinkId(pub u64);

impl LinkId {
    /// Above any number that a connection ever has.
    const PASSED: u64 = 1 << 63;

    /// A client of the other front, which passes its calls on: it has no connection here. A runtime
    /// never hears of such a link.
    pub(crate) fn passed(number: u64) -> Self {
        Self(Self::PASSED | number)
    }

    /// Whether it is one of those.
    pub(crate) fn is_passed(self) -> bool {
        self.0 >= Self::PASSED
    }
}

/// One listener, by the name that its runtime gives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ListenerId(pub u64);

/// Which listener a connection came in by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Listener {
    /// The licence port: clients, and fronts that prove themselves with the group key.
    Licence,
    /// The admin port: HTTP.
    Admin,
    /// The port where the other front is awaited.
    Twin,
    /// The socket by which the machine itself comes in, as HTTP: whoever the system lets open it.
    Machine,
}

/// Who is at the other end of a connection that a node dials.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PeerKind {
    /// A backend of ours: the link proves the group key and carries batches.
    Backend,
    /// A stock licence server: the link carries one client call after the other.
    Stock,
    /// The other front, at its door for twins.
    Twin {
        /// How long the connection may take to stand.
        within: Duration,
    },
}

impl PeerKind {
    /// How long the connection may take to stand.
    #[must_use]
    pub fn within(self) -> Duration {
        match self {
            Self::Backend | Self::Stock => DIAL_TIMEOUT,
            Self::Twin { within } => within,
        }
    }

    /// Returns how long a runtime tries to connect: less than the node waits, so that the node
    /// hears what failed at which address, and not only that nothing came.
    #[must_use]
    pub fn connects_within(self) -> Duration {
        self.within() / 8 * 7
    }
}

/// It has room for bytes of ours no more.
pub const NOT_READING: CloseReason = CloseReason::Timeout("the peer does not read");

/// Why a link is gone, or is to go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CloseReason {
    /// The peer closed it in good order.
    Eof,
    /// The network or the peer broke it, or it could not be opened; the system's words.
    Broken(String),
    /// It kept silent, or slow, for longer than its limit.
    Timeout(&'static str),
    /// The peer broke the protocol; what it did.
    Protocol(&'static str),
    /// A limit of ours was reached; which one.
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

/// A unit that a link's [`Stream`](crate::link::channel::SecureChannel) made out of bytes: already
/// decrypted, checked and delimited, not yet understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// The plaintext of one client request (protocol facts 3.1).
    Call(Vec<u8>),
    /// The plaintext of a server's reply (protocol facts 3.2), on a link that was dialled to one.
    Reply(Vec<u8>),
    /// The peer holds the group key. On a backend: a front has proved itself, with its id. On a
    /// front: the backend it dialled has.
    Joined {
        /// The id of the front at one end of this link.
        front: u32,
        /// The minor version of the protocol that both ends speak: a higher one adds messages.
        minor: u16,
    },
    /// One verified batch of front–backend messages ([`messages::group`](crate::messages::group)).
    Batch(Vec<u8>),
    /// One message of the other front ([`messages::twin`](crate::messages::twin)); the first of a link says
    /// that it holds the group key.
    Twin(Vec<u8>),
    /// One whole HTTP request, head and body.
    Http(Vec<u8>),
    /// The same of a sender who may not hear the answer any more: the connection was ended at that
    /// end before the request was looked at, or the request has waited for longer than
    /// [`ORDER_LATE`](crate::base::limits::ORDER_LATE). What it orders is not carried out.
    Unheard(Vec<u8>),
}

impl Frame {
    /// Returns the same frame of a sender who has hung up since.
    #[must_use]
    pub fn unheard(self) -> Self {
        match self {
            Self::Http(bytes) => Self::Unheard(bytes),
            frame => frame,
        }
    }
}
