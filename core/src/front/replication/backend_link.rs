//! One backend as seen by a front: its link, its description, its pending orders, and how far it
//! follows the log.

use super::disk_writes::Writes;
use super::exclusion::{Exclusion, Lapse};
use crate::base::limits::{DIAL_TIMEOUT, REDIAL_MIN};
use crate::base::log_throttle::LogThrottle;
use crate::base::network::Address;
use crate::base::time::{Duration, Mono};
use crate::front::leadership::clocks::Reading;
use crate::io::Intent;
use crate::link::{LinkId, PeerKind};
use crate::log::{Epoch, Handle, Slot};
use crate::messages::group::{Description, Facts, Lost, Order, Standing, correlate, encode};
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;

/// What an order was sent for, kept until its report arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::front) enum OrderPurpose {
    /// To describe itself.
    Describe,
    /// To promise the epoch.
    Claim(Epoch),
    /// To send a piece of its copy, for the claim of that epoch.
    Fetch(Epoch),
    /// To store the group's name.
    Found(Epoch),
    /// To accept entries.
    Append(Epoch),
    /// To install a state. The last piece carries the slot of the state.
    Install(Epoch, Option<Slot>),
    /// To confirm its promise.
    Confirm(Epoch),
    /// To store what this front knows of the group.
    Witness(Epoch),
    /// To begin anew under another disk id.
    Disown(Epoch),
    /// To begin anew in a new group.
    Recover(Epoch),
    /// An any-one call, by flight number.
    Perform(u64),
}

/// An order without a report.
#[derive(Clone, Copy, Debug)]
pub(in crate::front) struct PendingOrder {
    /// The purpose of the order.
    pub(in crate::front) what: OrderPurpose,
    /// When it was sent.
    pub(in crate::front) sent: Mono,
    /// The round in which it was sent.
    pub(in crate::front) round: u32,
}

/// The state of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::front) enum LinkState {
    /// Not connected; dialled again at this time.
    Down(Mono),
    /// Being dialled; given up at this time unless the backend proves the group key.
    Dialling(LinkId, Mono),
    /// The backend has proved the group key.
    Up(LinkId),
}

/// How far a backend follows the front's log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::front) enum Progress {
    /// It has not promised the front's epoch.
    NotPromised,
    /// It has promised; no entries were sent yet.
    Promised,
    /// A state is being sent to it.
    Installing {
        /// The last slot that the state covers.
        slot: Slot,
    },
    /// Entries are sent to it as they are proposed.
    Following {
        /// The next slot to send.
        next: Slot,
        /// The backend has every slot up to this one on disk.
        matched: Slot,
    },
}

/// One of the three backends.
#[derive(Clone, Debug)]
pub(in crate::front) struct BackendLink {
    pub(in crate::front) address: Address,
    pub(in crate::front) link_state: LinkState,
    pub(in crate::front) description: Option<Description>,
    /// When it first described itself on this connection.
    pub(in crate::front) met: Mono,
    /// When the order was sent that the description answers.
    pub(in crate::front) as_of: Mono,
    pub(in crate::front) progress: Progress,
    /// Why it is not counted although it is up, in words for people.
    pub(in crate::front) trouble: Option<String>,
    /// A trouble that is logged after this many heartbeats, unless it has passed by then.
    pub(in crate::front) unlogged: Option<(u8, String)>,
    /// Limits the log lines that say that the backend cannot be reached.
    pub(in crate::front) unreached: LogThrottle,
    /// Orders without a report.
    pub(in crate::front) pending: BTreeMap<u32, PendingOrder>,
    /// The round in which it is sent orders.
    pub(in crate::front) round: u32,
    /// Its link was up when this front claimed, or another round has begun since then because the
    /// backend returned.
    pub(in crate::front) was_here: bool,
    /// Its copy was read over this link for the claim that is being proposed again.
    pub(in crate::front) was_read: bool,
    /// When the backend last sent anything.
    pub(in crate::front) heard: Mono,
    /// The minor version of the protocol that both ends of the link speak.
    pub(in crate::front) minor: u16,
    /// What it last reported beside its description; `None`: nothing yet, or an older program.
    pub(in crate::front) facts: Option<Facts>,
    /// Its clock, as reported with the facts.
    pub(in crate::front) clock: Option<Reading>,
    /// Which of its files it last reported as removed.
    pub(in crate::front) lost_files: Lost,
    /// How many files it last reported as unusable.
    pub(in crate::front) unusable: u32,
    /// Why it is not counted although it is connected.
    pub(in crate::front) exclusion: Option<Exclusion>,
    /// When it last began to count.
    pub(in crate::front) counts_since: Mono,
    /// What the disk is known to have had and does not have any more.
    pub(in crate::front) went_back: Option<Lapse>,
    /// The number of any-one calls that it is working on.
    pub(in crate::front) busy: usize,
    /// Seats that a stock server has given, as of the latest page; `None` for a tmrd backend.
    pub(in crate::front) seats: Option<BTreeSet<Handle>>,
    /// How often it was dialled.
    pub(in crate::front) dials: u64,
    /// How long its durable writes take.
    pub(in crate::front) writes: Writes,
    correlation: u32,
    pause: Duration,
}

impl BackendLink {
    /// Returns a backend that is due to be dialled at once.
    pub(in crate::front) fn new(address: Address) -> Self {
        Self {
            address,
            link_state: LinkState::Down(Mono(0)),
            description: None,
            met: Mono(0),
            as_of: Mono(0),
            progress: Progress::NotPromised,
            trouble: None,
            unlogged: None,
            unreached: LogThrottle::default(),
            pending: BTreeMap::new(),
            round: 0,
            was_here: false,
            was_read: false,
            heard: Mono(0),
            minor: 0,
            facts: None,
            clock: None,
            lost_files: Lost::default(),
            unusable: 0,
            exclusion: None,
            counts_since: Mono(0),
            went_back: None,
            busy: 0,
            seats: None,
            dials: 0,
            writes: Writes::default(),
            correlation: 0,
            pause: REDIAL_MIN,
        }
    }

    /// Returns whether the link is up and the backend has proved the group key.
    pub(in crate::front) fn is_up(&self) -> bool {
        matches!(self.link_state, LinkState::Up(_))
    }

    /// Returns whether the backend is known and not left out.
    pub(in crate::front) fn counts(&self) -> bool {
        self.known().is_some() && self.exclusion.is_none()
    }

    /// Returns the link, also while it is being dialled.
    pub(in crate::front) fn link(&self) -> Option<LinkId> {
        match self.link_state {
            LinkState::Down(_) => None,
            LinkState::Dialling(link, _) | LinkState::Up(link) => Some(link),
        }
    }

    /// Returns the description of a backend whose link is up.
    pub(in crate::front) fn known(&self) -> Option<&Description> {
        match self.link_state {
            LinkState::Up(_) => self.description.as_ref(),
            _ => None,
        }
    }

    /// Returns the backend's standing, as it last described it.
    pub(in crate::front) fn standing(&self) -> Option<&Standing> {
        self.known().map(|description| &description.standing)
    }

    /// Returns the last slot that the backend has acknowledged; 0 unless it follows.
    pub(in crate::front) fn matched(&self) -> Slot {
        match self.progress {
            Progress::Following { matched, .. } => matched,
            _ => Slot(0),
        }
    }

    /// Opens a connection to the backend.
    pub(in crate::front) fn dial(&mut self, now: Mono, link: LinkId, out: &mut Vec<Intent>) {
        self.dials += 1;
        self.link_state = LinkState::Dialling(link, now + DIAL_TIMEOUT);
        out.push(Intent::Dial { link, to: self.address.clone(), callee: PeerKind::Backend });
    }

    /// Marks the link as up: the backend has proved the group key.
    pub(in crate::front) fn joined(&mut self, now: Mono, link: LinkId, minor: u16) {
        self.link_state = LinkState::Up(link);
        self.minor = minor;
        self.heard = now;
        self.pause = REDIAL_MIN;
    }

    /// Records which files were removed from under the backend.
    pub(in crate::front) fn told_lost(&mut self, lost: Lost) {
        if lost.state && !self.lost_files.state {
            tracing::error!(
                target: "tmr_core::front::backend",
                "backend {} writes its journal to a file that is not in its state folder any more",
                self.address
            );
        }
        self.lost_files = lost;
    }

    /// Records how many files the backend cannot use.
    pub(in crate::front) fn told_unusable(&mut self, files: u32) {
        if files > self.unusable {
            tracing::warn!(
                target: "tmr_core::front::backend",
                "backend {} cannot use {files} of its files", self.address
            );
        }
        self.unusable = files;
    }

    /// Marks the link as down, and returns the purposes of the orders that have no report, so that
    /// any-one calls can move to another backend.
    pub(in crate::front) fn lost(&mut self, now: Mono, retry: Duration) -> Vec<OrderPurpose> {
        self.link_state = LinkState::Down(now + self.pause);
        self.pause = (self.pause * 2).min(retry);
        self.description = None;
        self.facts = None;
        self.clock = None;
        self.lost_files = Lost::default();
        self.unusable = 0;
        self.exclusion = None;
        self.went_back = None;
        self.progress = Progress::NotPromised;
        self.was_here = false;
        self.was_read = false;
        self.busy = 0;
        core::mem::take(&mut self.pending).into_values().map(|pending| pending.what).collect()
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

    /// Sends an order that is encoded already, under a correlation of its own.
    pub(in crate::front) fn ask_encoded(
        &mut self,
        now: Mono,
        asked: OrderPurpose,
        mut order: Vec<u8>,
        out: &mut Vec<Intent>,
    ) {
        let LinkState::Up(link) = self.link_state else { return };
        if self.pending.is_empty() {
            // Silence is measured from the first order that waits.
            self.heard = now;
        }
        self.correlation = self.correlation.wrapping_add(1).max(1);
        let pending = PendingOrder { what: asked, sent: now, round: self.round };
        self.pending.insert(self.correlation, pending);
        correlate(&mut order, self.correlation);
        out.push(Intent::Send { link, frame: order });
    }

    /// Takes the order that a report answers; `None` if no order has this correlation.
    pub(in crate::front) fn answered(
        &mut self,
        now: Mono,
        correlation: u32,
    ) -> Option<PendingOrder> {
        self.heard = now;
        let pending = self.pending.remove(&correlation)?;
        if let OrderPurpose::Append(_) = pending.what {
            self.writes.add(now, now.since(pending.sent));
        }
        Some(pending)
    }
}
