//! One link in the reactor's table, and the rule which thread writes it.

use crate::reactor::connection::SocketConnection;
use crate::sync::lock;
use rustix::event::epoll::EventFlags;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use tmr_core::link::LinkId;

/// One link.
#[derive(Debug)]
pub(super) struct Peer {
    pub(super) link: LinkId,
    /// The peer's address; unspecified if this node dialled.
    pub(super) from: IpAddr,
    /// Whether it may speak TLS.
    pub(super) layered: bool,
    pub(super) connection: Mutex<SocketConnection>,
    /// How many requests to write it came since the writing thread last looked.
    pub(super) asked: AtomicUsize,
}

/// A link that a poll has named, and why.
#[derive(Debug)]
pub(super) struct ReadyPeer {
    pub(super) peer: Arc<Peer>,
    pub(super) flags: EventFlags,
}

impl Peer {
    pub(super) fn new(link: LinkId, from: IpAddr, connection: SocketConnection) -> Self {
        let layered = connection.protocol.is_layered();
        Self { link, from, layered, connection: Mutex::new(connection), asked: 0.into() }
    }

    /// Requests that the link is written. Returns `true` if no thread writes it, so that the caller
    /// has to ([`while_asked`](Self::while_asked)).
    pub(super) fn ask_to_write(&self) -> bool {
        self.asked.fetch_add(1, Ordering::AcqRel) == 0
    }

    /// Calls `write` until no request has come meanwhile.
    pub(super) fn while_asked(&self, mut write: impl FnMut()) {
        loop {
            let asked = self.asked.load(Ordering::Acquire);
            write();
            if self.asked.fetch_sub(asked, Ordering::AcqRel) == asked {
                return;
            }
        }
    }

    /// Returns whether the link is served in every turn: its peer is a program of this machine or a
    /// server of the group.
    pub(super) fn comes_first(&self) -> bool {
        self.from.is_unspecified() || lock(&self.connection).comes_first()
    }
}
