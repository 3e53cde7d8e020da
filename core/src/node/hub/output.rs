//! The outputs of a hub, which its runtime performs.

use crate::base::network::Address;
use crate::io::HostRequest;
use crate::link::{CloseReason, LinkId, ListenerId, PeerKind};

/// An action of the runtime; they are performed in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Open a connection, and serve it.
    Dial(Dial),
    /// [`Hub::outbox`](super::Hub::outbox) of this link is not empty: the connection is to be
    /// served.
    Wake(LinkId),
    /// As [`Output::Wake`], and the node has ended this link: the runtime stops reading it, sends
    /// what is left, and closes it.
    End(LinkId),
    /// Close this connection now, without sending what is left, and report it with
    /// [`Hub::closed`](super::Hub::closed).
    Drop {
        /// The link.
        link: LinkId,
        /// The reason, for the log.
        reason: CloseReason,
    },
    /// Accept connections at this listener again.
    Listen(ListenerId),
    /// Have the host perform this. The hub does not read it.
    Host(HostRequest),
}

/// A connection to open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dial {
    /// The name of the new link.
    pub link: LinkId,
    /// The address.
    pub to: Address,
    /// The kind of peer that the node expects there.
    pub callee: PeerKind,
}
