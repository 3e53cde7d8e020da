//! One backend as seen by a front: its connection, what it has reported, its pending orders, how far
//! it follows the log, and whether it counts. Each of these is a component with a file of its own;
//! what lives here is what concerns several of them.

use super::connection::Connection;
use super::disk_writes::Writes;
use super::eligibility::{Eligibility, Exclusion, Lapse};
use super::follower::{Follower, Progress};
use super::link_state::LinkState;
use super::pending_orders::{OrderPurpose, PendingOrder, PendingOrders};
use super::reported::Reported;
use super::trouble::Trouble;
use crate::base::network::Address;
use crate::base::time::{Duration, Mono};
use crate::io::Intent;
use crate::link::LinkId;
use crate::log::{Handle, Slot};
use crate::messages::group::{Description, Facts, Lost, Order, Standing, encode};
use alloc::collections::BTreeSet;
use alloc::string::String;
use alloc::vec::Vec;

/// One of the three backends.
#[derive(Clone, Debug)]
pub(in crate::front) struct BackendLink {
    address: Address,
    connection: Connection,
    orders: PendingOrders,
    reported: Reported,
    follower: Follower,
    eligibility: Eligibility,
    trouble: Trouble,
    /// The number of any-one calls that it is working on.
    busy: usize,
    /// Seats that a stock server has given, as of the latest page; `None` for a tmrd backend.
    seats: Option<BTreeSet<Handle>>,
    /// How long its durable writes take.
    writes: Writes,
}

impl BackendLink {
    /// Returns a backend that is due to be dialled at once.
    pub(in crate::front) fn new(address: Address) -> Self {
        Self {
            address,
            connection: Connection::default(),
            orders: PendingOrders::default(),
            reported: Reported::default(),
            follower: Follower::default(),
            eligibility: Eligibility::default(),
            trouble: Trouble::default(),
            busy: 0,
            seats: None,
            writes: Writes::default(),
        }
    }

    /// Returns the address at which the backend is dialled.
    pub(in crate::front) fn address(&self) -> &Address {
        &self.address
    }

    /// Returns what the backend has reported of itself.
    pub(in crate::front) fn reported(&self) -> &Reported {
        &self.reported
    }

    /// Lends what the backend has reported of itself.
    pub(in crate::front) fn reported_mut(&mut self) -> &mut Reported {
        &mut self.reported
    }

    /// Returns how the backend follows the log.
    pub(in crate::front) fn follower(&self) -> &Follower {
        &self.follower
    }

    /// Lends how the backend follows the log.
    pub(in crate::front) fn follower_mut(&mut self) -> &mut Follower {
        &mut self.follower
    }
}

/// The connection.
impl BackendLink {
    /// Returns the state of the connection.
    pub(in crate::front) fn link_state(&self) -> LinkState {
        self.connection.state()
    }

    /// Returns whether the link is up and the backend has proved the group key.
    pub(in crate::front) fn is_up(&self) -> bool {
        matches!(self.link_state(), LinkState::Up(_))
    }

    /// Returns the link, also while it is being dialled.
    pub(in crate::front) fn link(&self) -> Option<LinkId> {
        self.connection.link()
    }

    /// Returns the minor version of the protocol that both ends of the link speak.
    pub(in crate::front) fn minor(&self) -> u16 {
        self.connection.minor()
    }

    /// Returns how often the backend was dialled.
    pub(in crate::front) fn dials(&self) -> u64 {
        self.connection.dials()
    }

    /// Opens a connection to the backend.
    pub(in crate::front) fn dial(&mut self, now: Mono, link: LinkId, out: &mut Vec<Intent>) {
        self.connection.dial(now, link, self.address.clone(), out);
    }

    /// Marks the link as up: the backend has proved the group key.
    pub(in crate::front) fn joined(&mut self, now: Mono, link: LinkId, minor: u16) {
        self.connection.joined(link, minor);
        self.orders.heard(now);
    }

    /// Marks the link as down, and returns the purposes of the orders that have no report, so that
    /// any-one calls can move to another backend.
    pub(in crate::front) fn lost(&mut self, now: Mono, retry: Duration) -> Vec<OrderPurpose> {
        self.connection.lost(now, retry);
        self.reported.forget();
        self.eligibility.forget();
        self.follower = Follower::default();
        self.busy = 0;
        self.orders.drain()
    }

    /// Logs that the backend cannot be reached, unless that was logged lately.
    pub(in crate::front) fn warn_unreached(&mut self, now: Mono, text: &str) {
        self.connection.warn_unreached(now, text);
    }

    /// For an exhaustive check: has the backend dialled at this time. Returns `false` if the
    /// connection is not down.
    #[cfg(feature = "model")]
    pub(in crate::front) fn let_dial(&mut self, due: Mono) -> bool {
        self.connection.let_dial(due)
    }
}

/// Orders.
impl BackendLink {
    /// Sets the round in which the backend is sent orders.
    pub(in crate::front) fn set_round(&mut self, round: u32) {
        self.orders.set_round(round);
    }

    /// Returns when the backend counts as silent; `None` if it owes no report.
    pub(in crate::front) fn silent_at(&self) -> Option<Mono> {
        self.orders.silent_at()
    }

    /// Returns whether an order with this purpose has no report yet.
    pub(in crate::front) fn is_asked(&self, purpose: OrderPurpose) -> bool {
        self.orders.has(purpose)
    }

    /// Sends an order, if the link is up.
    pub(in crate::front) fn ask(
        &mut self,
        now: Mono,
        asked: OrderPurpose,
        order: &Order,
        out: &mut Vec<Intent>,
    ) {
        self.ask_encoded(now, asked, encode(0, order), out);
    }

    /// Sends an order that is encoded already, if the link is up.
    pub(in crate::front) fn ask_encoded(
        &mut self,
        now: Mono,
        asked: OrderPurpose,
        order: Vec<u8>,
        out: &mut Vec<Intent>,
    ) {
        if let LinkState::Up(link) = self.link_state() {
            self.orders.send(now, link, asked, order, out);
        }
    }

    /// Takes the order that a report answers; `None` if no order has this correlation.
    pub(in crate::front) fn answered(
        &mut self,
        now: Mono,
        correlation: u32,
    ) -> Option<PendingOrder> {
        let pending = self.orders.answered(now, correlation)?;
        if let OrderPurpose::Append(_) = pending.what {
            self.writes.add(now, now.since(pending.sent));
        }
        Some(pending)
    }

    /// Returns the number of any-one calls that the backend is working on.
    pub(in crate::front) fn busy(&self) -> usize {
        self.busy
    }

    /// Counts an any-one call that the backend begins.
    pub(in crate::front) fn begins_call(&mut self) {
        self.busy += 1;
    }

    /// Counts an any-one call that the backend has done, or cannot do.
    pub(in crate::front) fn ends_call(&mut self) {
        self.busy = self.busy.saturating_sub(1);
    }

    /// Returns whether most of the latest durable writes were slow.
    pub(in crate::front) fn is_disk_slow(&self, now: Mono) -> bool {
        self.writes.slow(now)
    }

    /// For an exhaustive check: returns the orders without a report by their correlation, the
    /// oldest first.
    #[cfg(feature = "model")]
    pub(in crate::front) fn orders(&self) -> &alloc::collections::BTreeMap<u32, PendingOrder> {
        self.orders.orders()
    }
}

/// What the backend has reported.
impl BackendLink {
    /// Returns the description of a backend whose link is up.
    pub(in crate::front) fn known(&self) -> Option<&Description> {
        self.reported.description().filter(|_| self.is_up())
    }

    /// Returns the backend's standing, as it last described it.
    pub(in crate::front) fn standing(&self) -> Option<&Standing> {
        self.known().map(|description| &description.standing)
    }

    /// Returns what the backend last reported beside its description.
    pub(in crate::front) fn facts(&self) -> Option<&Facts> {
        self.reported.facts()
    }

    /// Returns the last slot that the backend knows to be chosen, whether it holds that slot or
    /// not.
    pub(in crate::front) fn known_chosen(&self) -> Slot {
        let told = self.facts().map_or(Slot(0), |facts| facts.known);
        self.standing().map_or(told, |standing| told.max(standing.committed))
    }

    /// Takes facts that the backend reports. Returns whether they may change which backends are
    /// left out.
    pub(in crate::front) fn told_facts(&mut self, now: Mono, facts: Facts) -> bool {
        self.reported.told_facts(now, facts)
    }

    /// Records which files were removed from under the backend.
    pub(in crate::front) fn told_lost(&mut self, lost: Lost) {
        if self.reported.told_lost(lost) {
            tracing::error!(
                target: "tmr_core::front::backend",
                "backend {} writes its journal to a file that is not in its state folder any more",
                self.address
            );
        }
    }

    /// Records how many files the backend cannot use.
    pub(in crate::front) fn told_unusable(&mut self, files: u32) {
        if self.reported.told_unusable(files) {
            tracing::warn!(
                target: "tmr_core::front::backend",
                "backend {} cannot use {files} of its files", self.address
            );
        }
    }

    /// Returns the seats that a stock server has given; `None` for a tmrd backend.
    pub(in crate::front) fn seats(&self) -> Option<&BTreeSet<Handle>> {
        self.seats.as_ref()
    }

    /// Sets the seats that a stock server has given.
    pub(in crate::front) fn set_seats(&mut self, seats: BTreeSet<Handle>) {
        self.seats = Some(seats);
    }
}

/// How the backend follows the log.
impl BackendLink {
    /// Returns how far the backend follows the log.
    pub(in crate::front) fn progress(&self) -> Progress {
        self.follower.progress()
    }

    /// Returns whether entries are sent to the backend as they are proposed.
    pub(in crate::front) fn follows(&self) -> bool {
        self.follower.follows()
    }

    /// Returns the last slot that the backend has acknowledged; 0 unless it follows.
    pub(in crate::front) fn matched(&self) -> Slot {
        self.follower.matched()
    }

    /// Sets how far the backend follows the log.
    pub(in crate::front) fn set_progress(&mut self, progress: Progress) {
        self.follower.set_progress(progress);
    }
}

/// Whether the backend counts.
impl BackendLink {
    /// Returns whether the backend is known and not left out.
    pub(in crate::front) fn counts(&self) -> bool {
        self.known().is_some() && self.exclusion().is_none()
    }

    /// Returns why the backend is not counted although it is connected.
    pub(in crate::front) fn exclusion(&self) -> Option<Exclusion> {
        self.eligibility.exclusion()
    }

    /// Returns when the backend last began to count.
    pub(in crate::front) fn counts_since(&self) -> Mono {
        self.eligibility.counts_since()
    }

    /// Leaves the backend out. What it has promised does not count any more.
    pub(in crate::front) fn exclude(&mut self, exclusion: Exclusion) {
        self.eligibility.exclude(exclusion);
        self.follower.set_progress(Progress::NotPromised);
    }

    /// Counts the backend again.
    pub(in crate::front) fn include(&mut self, now: Mono) {
        self.eligibility.include(now);
        self.trouble.clear();
    }

    /// Returns what the disk is known to have had and does not have any more.
    pub(in crate::front) fn lapse(&self) -> Option<Lapse> {
        self.eligibility.lapse()
    }

    /// Sets what the disk is known to have had and does not have any more.
    pub(in crate::front) fn set_lapse(&mut self, lapse: Option<Lapse>) {
        self.eligibility.set_lapse(lapse);
    }

    /// Returns why the backend is not counted although it is up, in words for people.
    pub(in crate::front) fn trouble(&self) -> Option<&str> {
        self.trouble.text()
    }

    /// Sets what keeps the backend from being counted, without logging it.
    pub(in crate::front) fn set_trouble(&mut self, trouble: String) {
        self.trouble.set(trouble);
    }

    /// Ends what kept the backend from being counted. Returns whether there was anything.
    pub(in crate::front) fn clear_trouble(&mut self) -> bool {
        self.trouble.clear()
    }

    /// Logs what keeps the backend from being counted, once for each trouble.
    pub(in crate::front) fn complain(&mut self, trouble: String) {
        self.trouble.complain(&self.address, trouble);
    }

    /// Does the same, but logs only what lasts: see [`BackendLink::log_what_lasts`].
    pub(in crate::front) fn complain_later(&mut self, trouble: String) {
        self.trouble.complain_later(trouble);
    }

    /// Logs, with a heartbeat, what has kept this backend from being counted for some of them.
    pub(in crate::front) fn log_what_lasts(&mut self) {
        self.trouble.log_what_lasts(&self.address);
    }
}
