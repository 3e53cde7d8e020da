//! What is known of the licences at a stock server, and when that is discovered again.

use super::discovery::{Discovery, DiscoveryStep, Holdings, Known};
use crate::base::limits::STOCK_LEARN;
use crate::base::time::Mono;
use crate::licence::Part;
use crate::log::{ContainerId, LicenceKey};
use crate::wire::{Reply, Request};
use alloc::string::String;
use alloc::vec::Vec;

/// What follows from a reply to a call of discovery.
#[derive(Debug)]
pub(super) enum Discovered {
    /// The next call is to be made.
    More,
    /// Everything is known; `same`: the parts are those that were known before.
    All { same: bool },
    /// Discovery failed, for this reason.
    Failed(String),
}

/// What is known of a server.
#[derive(Clone, Debug)]
pub(super) struct Inventory {
    discovery: Discovery,
    holdings: Holdings,
    /// When discovery begins again.
    due: Mono,
}

impl Inventory {
    /// Returns the inventory of an unknown server, for parts of these virtual containers.
    pub(super) fn new(wanted: Vec<ContainerId>) -> Self {
        Self { discovery: Discovery::new(wanted), holdings: Holdings::default(), due: Mono(0) }
    }

    /// Begins from the start, with another server or other containers.
    pub(super) fn reset(&mut self, wanted: Vec<ContainerId>) {
        self.discovery = Discovery::new(wanted);
        self.holdings = Holdings::default();
    }

    /// Begins discovery.
    pub(super) fn begin(&mut self) {
        self.discovery.begin();
    }

    /// Begins discovery if it is due and none is under way.
    pub(super) fn begin_if_due(&mut self, now: Mono) {
        if self.due <= now && self.discovery.call().is_none() {
            self.due = now + STOCK_LEARN;
            self.discovery.begin();
        }
    }

    /// Returns when discovery begins again.
    pub(super) fn due(&self) -> Mono {
        self.due
    }

    /// Has discovery begin at once, because the server has forgotten something.
    pub(super) fn begin_at(&mut self, now: Mono) {
        self.due = now;
    }

    /// Stops discovery, which begins later from the start: handles that its last call may have
    /// taken are cleaned up at the server.
    pub(super) fn stop(&mut self, now: Mono) {
        self.discovery.stop();
        self.due = now + STOCK_LEARN;
    }

    /// Forgets every handle of discovery: the server was away, and may be another one.
    pub(super) fn forget_handles(&mut self) {
        self.discovery.forget();
        self.holdings.licences.values_mut().for_each(|known| known.number = 0);
    }

    /// Returns the next call of discovery.
    pub(super) fn call(&self) -> Option<Request> {
        self.discovery.call()
    }

    /// Takes the reply to the latest call.
    pub(super) fn replied(&mut self, now: Mono, reply: &Reply) -> Discovered {
        match self.discovery.replied(reply) {
            DiscoveryStep::More => Discovered::More,
            DiscoveryStep::Failed(reason) => Discovered::Failed(reason),
            DiscoveryStep::Done(holdings) => {
                self.due = now + STOCK_LEARN;
                let same = self.holdings.parts == holdings.parts;
                self.holdings = holdings;
                Discovered::All { same }
            }
        }
    }

    /// Returns the parts of containers that the server holds.
    pub(super) fn parts(&self) -> &[Part] {
        &self.holdings.parts
    }

    /// Returns a licence at the server.
    pub(super) fn licence(&self, licence: &LicenceKey) -> Option<&Known> {
        self.holdings.licences.get(licence)
    }

    /// Returns whether this handle is one of discovery.
    pub(super) fn has(&self, number: u32) -> bool {
        self.discovery.has(number)
    }

    /// Returns the handle of the service; 0 if there is none.
    pub(super) fn service(&self) -> u32 {
        self.discovery.service()
    }

    /// In tests: what a server holds.
    #[cfg(test)]
    pub(super) fn set_parts(&mut self, parts: Vec<Part>) {
        self.holdings.parts = parts;
    }
}
