//! What a runtime tells a node.

use crate::admin::{Entrance, Misplaced, Place, Rights};
use crate::config::InForce;
use crate::counts::HubCounts;
use crate::history::Mark;
use crate::licence::Container;
use crate::link::{Door, Frame, Link, Why};
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
    /// The one outstanding durable write ([`Intent::Append`](super::Intent::Append), [`Intent::Rewrite`](super::Intent::Rewrite)) is on disk.
    Written,
    /// To a front: what [`Intent::Recall`](super::Intent::Recall) asked for.
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
    /// The password that [`Intent::Verify`](super::Intent::Verify) named was checked.
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
    /// To a front: what became of the one outstanding [`Intent::Store`](super::Intent::Store).
    Stored(Stored),
}

/// What became of a configuration that was to be stored: it is in force, apart from what is named,
/// which needs a restart; or nothing has changed, and why.
pub type Stored = Result<Vec<String>, String>;
