//! Deadlines of what a runtime waits for: peers that do not read, and listeners at which the system
//! could not take anybody in. So a runtime has one deadline, the hub's.

use super::{Hub, Output};
use crate::limits::{ACCEPT_BACKOFF, WRITE_TIMEOUT};
use crate::link::{Flow, Link, ListenerId, NOT_READING};
use crate::time::{Mono, Now};
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

/// What is waited for, and until when.
#[derive(Debug, Default)]
pub(super) struct Overdue {
    /// Peers that do not read.
    peers: BTreeMap<Link, Mono>,
    /// Listeners that take nobody in.
    listeners: BTreeMap<ListenerId, Mono>,
}

impl Overdue {
    /// Returns when the first of them is due.
    pub(super) fn due(&self) -> Option<Mono> {
        self.peers.values().chain(self.listeners.values()).min().copied()
    }

    /// A link is gone, or its peer has read.
    pub(super) fn forget(&mut self, link: Link) {
        self.peers.remove(&link);
    }
}

impl Hub {
    /// What a link's peer is to take goes on, or stops: it has [`WRITE_TIMEOUT`] from when it took
    /// something last. What became of it is what [`Connection::flow`](crate::link::Connection::flow)
    /// says.
    pub fn flow(&mut self, now: Now, link: Link, flow: Flow) {
        match flow {
            Flow::Same => {}
            Flow::Begun if self.ports.contains_key(&link) => {
                self.overdue.peers.insert(link, now.mono + WRITE_TIMEOUT);
            }
            Flow::Begun | Flow::Over => self.overdue.forget(link),
        }
    }

    /// The system could not take anybody in at a listener: no file, no memory. The runtime leaves it
    /// alone until [`Output::Listen`] names it.
    pub fn cannot_accept(&mut self, now: Now, listener: ListenerId) {
        self.overdue.listeners.insert(listener, now.mono + ACCEPT_BACKOFF);
    }

    /// Returns whether a link's peer is waited for.
    #[must_use]
    pub fn is_stalled(&self, link: Link) -> bool {
        self.overdue.peers.contains_key(&link)
    }

    /// Says whose time is over.
    pub(super) fn end_overdue(&mut self, now: Now, out: &mut Vec<Output>) {
        if self.overdue.due().is_none_or(|due| due > now.mono) {
            return;
        }
        self.overdue.peers.retain(|link, until| {
            let late = *until <= now.mono;
            out.extend(late.then_some(Output::Drop { link: *link, why: NOT_READING }));
            !late
        });
        self.overdue.listeners.retain(|listener, until| {
            let rested = *until <= now.mono;
            out.extend(rested.then_some(Output::Listen(*listener)));
            !rested
        });
    }
}
