//! The connections to one stock server: strict request and reply, so one call at a time on each,
//! and a time limit for each call.

use crate::base::limits::{STOCK_LINKS, STOCK_TIMEOUT};
use crate::base::network::Address;
use crate::base::time::Mono;
use crate::io::Intent;
use crate::link::{CloseReason, LinkId, PeerKind};
use crate::wire::Request;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

/// A connection that is open, or being opened.
#[derive(Clone, Debug)]
struct Line<J> {
    /// The pending call, and its time limit.
    busy: Option<(J, Mono)>,
    /// Whether the server has replied on it.
    spoke: bool,
}

/// The remains of a closed connection.
#[derive(Clone, Debug)]
pub(super) struct Left<J> {
    /// The call that has no reply.
    pub(super) job: Option<J>,
    /// Whether the server has replied on it; if not, the server is not reachable.
    pub(super) spoke: bool,
}

/// The connections to one server; `J` is the purpose of a call.
#[derive(Clone, Debug)]
pub(super) struct Pool<J> {
    address: Address,
    lines: BTreeMap<LinkId, Line<J>>,
}

impl<J> Pool<J> {
    pub(super) fn new(address: Address) -> Self {
        Self { address, lines: BTreeMap::new() }
    }

    /// Returns the address of the server.
    pub(super) fn address(&self) -> &Address {
        &self.address
    }

    pub(super) fn has(&self, link: LinkId) -> bool {
        self.lines.contains_key(&link)
    }

    /// Returns whether a call can be made now.
    pub(super) fn free(&self) -> bool {
        self.lines.len() < STOCK_LINKS || self.lines.values().any(|line| line.busy.is_none())
    }

    /// Makes a call on the first free connection; `new` numbers one to be opened if there is none.
    /// It must only be used if [`free`](Self::free).
    pub(super) fn call(
        &mut self,
        now: Mono,
        job: J,
        request: &Request,
        new: impl FnOnce() -> LinkId,
        out: &mut Vec<Intent>,
    ) {
        debug_assert!(self.free());
        let free = self.lines.iter().find(|(_, line)| line.busy.is_none()).map(|(link, _)| *link);
        let link = free.unwrap_or_else(|| {
            let link = new();
            let to = self.address.clone();
            out.push(Intent::Dial { link, to, callee: PeerKind::Stock });
            link
        });
        let line = self.lines.entry(link).or_insert(Line { busy: None, spoke: false });
        line.busy = Some((job, now + STOCK_TIMEOUT));
        out.push(Intent::Send { link, frame: request.encode() });
    }

    /// Takes a reply, and returns the purpose of its call; `None` if there was no call.
    pub(super) fn answered(&mut self, link: LinkId) -> Option<J> {
        let line = self.lines.get_mut(&link)?;
        line.spoke = true;
        line.busy.take().map(|(job, _)| job)
    }

    /// Removes a closed connection.
    pub(super) fn gone(&mut self, link: LinkId) -> Option<Left<J>> {
        let Line { busy, spoke } = self.lines.remove(&link)?;
        Some(Left { job: busy.map(|(job, _)| job), spoke })
    }

    /// Closes all connections.
    pub(super) fn close(&mut self, reason: &CloseReason, out: &mut Vec<Intent>) -> Vec<Left<J>> {
        let lines = core::mem::take(&mut self.lines);
        let mut left = Vec::new();
        for (link, Line { busy, spoke }) in lines {
            out.push(Intent::Close { link, reason: reason.clone() });
            left.push(Left { job: busy.map(|(job, _)| job), spoke });
        }
        left
    }

    /// Returns when the first call without a reply is late.
    pub(super) fn due(&self) -> Option<Mono> {
        self.lines.values().filter_map(|line| line.busy.as_ref().map(|(_, until)| *until)).min()
    }
}
