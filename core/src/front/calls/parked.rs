//! Calls that wait for a front to lead: this one, or the twin. Each ends within its time.
use crate::base::time::Mono;
use crate::link::LinkId;
use crate::wire::Request;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

/// A call that waits.
#[derive(Clone, Debug)]
pub(in crate::front) struct ParkedCall {
    pub(in crate::front) link: LinkId,
    /// When its time ends.
    pub(in crate::front) until: Mono,
    pub(in crate::front) call: Request,
}

/// The parked calls: at most one for each link.
#[derive(Clone, Debug, Default)]
pub(super) struct ParkedCalls {
    calls: BTreeMap<LinkId, (Mono, Request)>,
    until: BTreeSet<(Mono, LinkId)>,
}

impl ParkedCalls {
    pub(super) fn is_empty(&self) -> bool {
        self.calls.is_empty()
    }

    pub(super) fn has(&self, link: LinkId) -> bool {
        self.calls.contains_key(&link)
    }

    /// Returns when the time of the first call ends.
    pub(super) fn due(&self) -> Option<Mono> {
        self.until.first().map(|&(until, _)| until)
    }

    /// Keeps a call until it is taken, or its time is over.
    pub(super) fn park(&mut self, parked: ParkedCall) {
        let ParkedCall { link, until, call } = parked;
        self.forget(link);
        self.until.insert((until, link));
        self.calls.insert(link, (until, call));
    }

    /// Drops the call of a link that is gone.
    pub(super) fn forget(&mut self, link: LinkId) {
        if let Some((until, _)) = self.calls.remove(&link) {
            self.until.remove(&(until, link));
        }
    }

    pub(super) fn clear(&mut self) {
        self.calls.clear();
        self.until.clear();
    }

    /// Takes all calls.
    pub(super) fn take(&mut self) -> Vec<ParkedCall> {
        self.until.clear();
        let parked = core::mem::take(&mut self.calls).into_iter();
        parked.map(|(link, (until, call))| ParkedCall { link, until, call }).collect()
    }

    /// Takes a call whose time is over.
    pub(super) fn pop_late(&mut self, now: Mono) -> Option<ParkedCall> {
        let (until, link) = self.until.first().copied().filter(|(until, _)| *until <= now)?;
        self.until.pop_first();
        let (_, call) = self.calls.remove(&link)?;
        Some(ParkedCall { link, until, call })
    }

    /// Returns the links of the twin's clients that have a parked call.
    pub(super) fn passed(&self) -> Vec<LinkId> {
        self.calls.keys().rev().take_while(|link| link.is_passed()).copied().collect()
    }
}
