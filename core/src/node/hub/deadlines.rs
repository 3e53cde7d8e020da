//! Every deadline that a link, a listener or the node has, so that a runtime has one: the next of
//! them.

use super::{Hub, Output};
use crate::base::limits::{ACCEPT_BACKOFF, WRITE_TIMEOUT};
use crate::base::time::{Deadline, Mono, Now};
use crate::link::{Flow, LinkId, ListenerId, NOT_READING};
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

/// What is waited for, and until when.
#[derive(Debug, Default)]
pub(super) struct Deadlines {
    /// The node's own.
    pub(super) node: Option<Deadline>,
    /// Links whose next frame is to be whole.
    pub(super) frames: BTreeSet<(Mono, LinkId)>,
    /// When links are looked for that hold nothing and say nothing.
    pub(super) idle_look: Option<Mono>,
    /// Peers that do not read.
    peers: BTreeMap<LinkId, Mono>,
    /// Listeners that take nobody in.
    listeners: BTreeMap<ListenerId, Mono>,
}

impl Deadlines {
    /// Returns the next one, apart from the look at idle links, which is for as long as there are
    /// any.
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

    /// A link is gone, or its peer has read.
    pub(super) fn forget(&mut self, link: LinkId) {
        self.peers.remove(&link);
    }
}

impl Hub {
    /// What a link's peer is to take goes on, or stops: it has [`WRITE_TIMEOUT`] from when it took
    /// something last. What became of it is what
    /// [`Connection::flow`](crate::link::Connection::flow) says.
    pub fn flow(&mut self, now: Now, link: LinkId, flow: Flow) {
        match flow {
            Flow::Same => {}
            Flow::Begun if self.ports.contains_key(&link) => {
                self.deadlines.peers.insert(link, now.mono + WRITE_TIMEOUT);
            }
            Flow::Begun | Flow::Over => self.deadlines.forget(link),
        }
    }

    /// The system could not take anybody in at a listener: no file, no memory. The runtime leaves
    /// it alone until [`Output::Listen`] names it.
    pub fn cannot_accept(&mut self, now: Now, listener: ListenerId) {
        self.deadlines.listeners.insert(listener, now.mono + ACCEPT_BACKOFF);
    }

    /// Returns whether a link's peer is waited for.
    #[must_use]
    pub fn is_stalled(&self, link: LinkId) -> bool {
        self.deadlines.peers.contains_key(&link)
    }

    /// Says whose time is over.
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
