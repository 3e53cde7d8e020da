//! What crosses the boundary between a pure node and its runtime: [`Input`] in, [`Intent`] out.
//!
//! A runtime is accept, dial, read, write, wait and append; it decides nothing. A link that a
//! node does not know is a no-op on both sides.

use crate::admin::{Entrance, Misplaced, Password, Place, Rights};
use crate::config::InForce;
use crate::counts::HubCounts;
use crate::history::Mark;
use crate::licence::Container;
use crate::limits::DIAL_TIMEOUT;
use crate::time::Duration;
use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::net::SocketAddr;

/// One connection, accepted or dialled. Never used again once it is closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Link(pub u64);

impl Link {
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

/// Which listener a connection came in by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Door {
    /// The licence port: clients, and fronts that prove themselves with the group key.
    Licence,
    /// The admin port: HTTP.
    Admin,
    /// The port where the other front is awaited.
    Twin,
    /// The socket by which the machine itself comes in, as HTTP: whoever the system lets open it.
    Machine,
}

/// Where to dial: a host name or an address, and a port.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Address {
    /// IPv4, IPv6 (without brackets) or host name.
    pub host: String,
    /// TCP port.
    pub port: u16,
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// Who is at the other end of a connection that a node dials.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Callee {
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

impl Callee {
    /// How long the connection may take to stand.
    #[must_use]
    pub fn within(self) -> Duration {
        match self {
            Self::Backend | Self::Stock => DIAL_TIMEOUT,
            Self::Twin { within } => within,
        }
    }
}

/// Why a link is gone, or is to go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Why {
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

impl fmt::Display for Why {
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

/// A unit that a link's [`Stream`](crate::channel::Stream) made out of bytes: already decrypted,
/// checked and delimited, not yet understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// The plaintext of one client request (fact sheet 3.1).
    Call(Vec<u8>),
    /// The plaintext of a server's reply (fact sheet 3.2), on a link that was dialled to one.
    Reply(Vec<u8>),
    /// The peer holds the group key. On a backend: a front has proved itself, with its id. On a
    /// front: the backend it dialled has.
    Joined {
        /// The id of the front at one end of this link.
        front: u32,
        /// The minor version of the protocol that both ends speak: a higher one adds messages.
        minor: u16,
    },
    /// One verified batch of front–backend messages ([`wire::group`](crate::wire::group)).
    Batch(Vec<u8>),
    /// One message of the other front ([`wire::twin`](crate::wire::twin)); the first of a link says
    /// that it holds the group key.
    Twin(Vec<u8>),
    /// One whole HTTP request, head and body.
    Http(Vec<u8>),
    /// The same of a sender who may not hear the answer any more: the connection was ended at that
    /// end before the request was looked at, or the request has waited for longer than
    /// [`ORDER_LATE`](crate::limits::ORDER_LATE). What it orders is not carried out.
    Unheard(Vec<u8>),
}

/// What a runtime tells a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// Nothing but the time: due timers run.
    Tick,
    /// A connection came in.
    Accepted {
        /// Its new name.
        link: Link,
        /// The listener.
        door: Door,
        /// The peer's address; never an IPv4 address in IPv6 form.
        from: SocketAddr,
    },
    /// A frame arrived.
    Frame {
        /// On which link.
        link: Link,
        /// What.
        frame: Frame,
    },
    /// Requests of clients that arrived together, each of another link (fact sheet 3.1): what they
    /// lead to is sent on for all of them at once.
    Calls(Vec<(Link, Vec<u8>)>),
    /// A link is gone, or could not be dialled.
    Closed {
        /// Which.
        link: Link,
        /// Why.
        why: Why,
        /// Something that was to be sent on it was not handed to the network.
        unsent: bool,
    },
    /// The licence files of this backend hold this now, all of it checked. Not for a front.
    Containers(Vec<Container>),
    /// The one outstanding durable write ([`Intent::Append`], [`Intent::Rewrite`]) is on disk.
    Written,
    /// To a front: what [`Intent::Recall`] asked for.
    Recalled {
        /// As it was asked.
        after: Option<Mark>,
        /// The lines; none: there are none.
        lines: Vec<u8>,
    },
    /// To a front: whether this machine has the virtual address. When that is first known, and
    /// whenever it changes.
    Address {
        /// It is here.
        here: bool,
    },
    /// To a front: what the system says against the virtual address on this machine, in a sentence;
    /// `None`: nothing. Whenever that changes.
    Obstacle(Option<String>),
    /// Who can come in at its admin pages now, and which files of its machine are in trouble. At a
    /// backend nobody comes in.
    Entrance(Box<Entrance>),
    /// The process is told to end, and will be gone in a moment: what was only counted is recorded.
    Stopping,
    /// What is found where something of this server's own belongs; `None`: that. When it changes.
    Misplaced {
        /// What is looked after.
        place: Place,
        /// What is there instead.
        found: Option<Misplaced>,
    },
    /// The password that [`Intent::Verify`] named was checked.
    Verified {
        /// The link it came in by.
        link: Link,
        /// What it gives; `None`: it is wrong.
        granted: Option<Rights>,
    },
    /// What the hub has counted, before any page that may show it.
    Counted(HubCounts),
    /// To a front: this configuration is in force now. When that is first known, and whenever
    /// another one comes into force.
    Configured(Box<InForce>),
    /// To a front: what became of the one outstanding [`Intent::Store`].
    Stored(Stored),
}

/// What became of a configuration that was to be stored: it is in force, apart from what is named,
/// which needs a restart; or nothing has changed, and why.
pub type Stored = Result<Vec<String>, String>;

/// What a node wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Intent {
    /// Open a connection.
    Dial {
        /// The name of the link to be.
        link: Link,
        /// Where to.
        to: Address,
        /// Whom it expects there.
        callee: Callee,
    },
    /// Send one plaintext frame.
    Send {
        /// On which link.
        link: Link,
        /// A reply, an HTTP response, or one message between servers.
        frame: Vec<u8>,
    },
    /// Send what is queued, then close. The node has forgotten the link already.
    Close {
        /// Which.
        link: Link,
        /// Why, for the log.
        why: Why,
    },
    /// Append these bytes to the journal and make them durable, then say [`Input::Written`].
    /// At most one durable write is outstanding, which is what makes group commit: all that
    /// becomes ready meanwhile goes out with the next one.
    Append(Vec<u8>),
    /// Put these bytes in the journal's place, atomically and durably, then say
    /// [`Input::Written`].
    Rewrite(Vec<u8>),
    /// The same, but keep the journal that was there under another name, in the place of one that
    /// was kept before: this disk begins anew, and what it remembered may be needed by people.
    BeginAnew(Vec<u8>),
    /// Add these lines to the usage history. What cannot be written is lost: nothing waits for it.
    Record(Vec<u8>),
    /// Read lines of the usage history that follow this, in order and one message at most
    /// ([`HISTORY_BLOCK`](crate::limits::HISTORY_BLOCK)), then say [`Input::Recalled`].
    Recall {
        /// `None`: from the first one on.
        after: Option<Mark>,
    },
    /// Look now whether this machine has the virtual address: it may just have moved.
    Look,
    /// Tell whoever moves the virtual address whether this machine is to give it away.
    GiveAway(bool),
    /// Check a password, which takes long on purpose, then say [`Input::Verified`].
    Verify {
        /// The link it came in by.
        link: Link,
        /// What was typed.
        password: Password,
    },
    /// Append this line to the record of what operators changed. Nothing waits for it.
    Audit(String),
    /// Put this text into the file of the configuration, durably and as a whole, and into force; then
    /// say [`Input::Configured`] and [`Input::Stored`]. At most one is outstanding.
    Store(String),
    /// This process must not go on; the reason, for people.
    Halt(String),
}
