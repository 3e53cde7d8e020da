//! The deadlines of links, listeners and the node, of which a runtime gets only the earliest.

use super::{Hub, Output};
use crate::base::limits::{ACCEPT_BACKOFF, WRITE_TIMEOUT};
use crate::base::time::{Deadline, Mono, Now};
use crate::link::{Flow, LinkId, ListenerId, NOT_READING};
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

/// The pending deadlines.
#[derive(Debug, Default)]
pub(super) struct Deadlines {
    /// The node's deadline.
    pub(super) node: Option<Deadline>,
    /// Deadlines for complete frames, by link.
    pub(super) frames: BTreeSet<(Mono, LinkId)>,
    /// When links are next searched for idle ones.
    pub(super) idle_look: Option<Mono>,
    /// Deadlines of peers that do not read.
    peers: BTreeMap<LinkId, Mono>,
    /// When listeners that could not accept are tried again.
    listeners: BTreeMap<ListenerId, Mono>,
}

impl Deadlines {
    /// Returns the next deadline, apart from the search for idle links, which continues while there
    /// are links.
    pub(super) fn next(&self) -> Option<Deadline> {
        let frames = self.frames.first().map(|&(at, _)| Deadline { at, reason: "slow link" });
        let waited = self.waited_for();
        let waited = waited.map(|at| Deadline { at, reason: "a peer or a listener" });
        [frames, waited].into_iter().fold(self.node, Deadline::sooner)
    }

    /// Returns when the first peer or listener is due.
    fn waited_for(&self) -> Option<Mono> {
        self.peers.values().chain(self.listeners.values()).min().copied()
    }

    /// Removes the deadline of a link that has closed or whose peer has read.
    pub(super) fn forget(&mut self, link: LinkId) {
        self.peers.remove(&link);
    }
}

impl Hub {
    /// Starts or ends the deadline of a peer that does not read: [`WRITE_TIMEOUT`] after it took
    /// something last. `flow` is the result of [`Connection::flow`](crate::link::Connection::flow).
    pub fn flow(&mut self, now: Now, link: LinkId, flow: Flow) {
        match flow {
            Flow::Same => {}
            Flow::Begun if self.ports.contains_key(&link) => {
                self.deadlines.peers.insert(link, now.mono + WRITE_TIMEOUT);
            }
            Flow::Begun | Flow::Over => self.deadlines.forget(link),
        }
    }

    /// Records that the system could not accept a connection at a listener: no file, no memory. The
    /// runtime leaves the listener alone until [`Output::Listen`] names it.
    pub fn cannot_accept(&mut self, now: Now, listener: ListenerId) {
        self.deadlines.listeners.insert(listener, now.mono + ACCEPT_BACKOFF);
    }

    /// Returns whether something waits for a link's peer.
    #[must_use]
    pub fn is_stalled(&self, link: LinkId) -> bool {
        self.deadlines.peers.contains_key(&link)
    }

    /// Ends the links whose peers are overdue, and names the listeners to be tried again.
    pub(super) fn end_overdue(&mut self, now: Now, out: &mut Vec<Output>) {
        if self.deadlines.waited_for().is_none_or(|due| due > now.mono) {
            return;
        }
        self.deadlines.peers.retain(|link, until| {
            let late = *until <= now.mono;
            out.extend(late.then_some(Output::Drop { link: *link, reason: NOT_READING }));
            !late
        });
        self.deadlines.listeners.retain(|listener, until| {
            let rested = *until <= now.mono;
            out.extend(rested.then_some(Output::Listen(*listener)));
            !rested
        });
    }
}
