//! What a hub tells its runtime to do.

use crate::base::network::Address;
use crate::io::HostRequest;
use crate::link::{CloseReason, LinkId, ListenerId, PeerKind};

/// What the runtime has to do now. Everything is in the order in which it must be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Open a connection, and serve it.
    Dial(Dial),
    /// [`Hub::outbox`](super::Hub::outbox) of this link has something: wake whoever serves it.
    Wake(LinkId),
    /// As [`Output::Wake`], and the node is done with this link: whoever waits to read from it must
    /// stop waiting, send what is left, and close it.
    End(LinkId),
    /// Close this connection now, whatever is left to be sent on it, and say so by
    /// [`Hub::closed`](super::Hub::closed).
    Drop {
        /// Which.
        link: LinkId,
        /// Why, for the log.
        reason: CloseReason,
    },
    /// Take in again who comes at this listener.
    Listen(ListenerId),
    /// Have this done by the machine. The hub does not read it.
    Host(HostRequest),
}

/// A connection to open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dial {
    /// The name of the link to be.
    pub link: LinkId,
    /// Where to.
    pub to: Address,
    /// Whom the node expects there.
    pub callee: PeerKind,
}
