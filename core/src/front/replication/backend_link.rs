//! One backend as a front sees it: its link, what it said of itself, what it was asked, and how
//! far it follows the log.

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

/// What an order was for, kept until its report comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::front) enum OrderPurpose {
    /// Who it is.
    Describe,
    /// A promise of the epoch.
    Claim(Epoch),
    /// A piece of its copy, for the claim of that epoch.
    Fetch(Epoch),
    /// To keep the group's name.
    Found(Epoch),
    /// To accept entries.
    Append(Epoch),
    /// To take a state; the last piece stands for this slot.
    Install(Epoch, Option<Slot>),
    /// To confirm its promise.
    Confirm(Epoch),
    /// To keep what this front knows of the group.
    Witness(Epoch),
    /// To begin anew under another name.
    Disown(Epoch),
    /// To begin anew in a new group.
    Recover(Epoch),
    /// An any-one call, by flight number.
    Perform(u64),
}

/// An order without a report.
#[derive(Clone, Copy, Debug)]
pub(in crate::front) struct PendingOrder {
    /// What it is for.
    pub(in crate::front) what: OrderPurpose,
    /// When it was sent.
    pub(in crate::front) sent: Mono,
    /// The round that it was sent in.
    pub(in crate::front) round: u32,
}

/// The state of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::front) enum LinkState {
    /// Dialled again at this time.
    Down(Mono),
    /// Dialled; given up at this time unless it proves itself.
    Dialling(LinkId, Mono),
    /// It has proved the group key.
    Up(LinkId),
}

/// How far it follows the front's log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::front) enum Progress {
    /// It has not promised the front's epoch.
    NotPromised,
    /// It has promised; nothing was sent to it yet.
    Promised,
    /// A state is on its way to it.
    Installing {
        /// What the state stands for.
        slot: Slot,
    },
    /// Entries go to it as they come.
    Following {
        /// The next slot to send.
        next: Slot,
        /// It has everything up to here on disk.
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
    /// When the question was sent which the description answers.
    pub(in crate::front) as_of: Mono,
    pub(in crate::front) progress: Progress,
    /// Why it is not counted although it is up, in words for people.
    pub(in crate::front) trouble: Option<String>,
    /// This of it is logged after so many heartbeats: it may pass.
    pub(in crate::front) unlogged: Option<(u8, String)>,
    /// That it is out of reach, for the log.
    pub(in crate::front) unreached: LogThrottle,
    /// Orders without a report.
    pub(in crate::front) pending: BTreeMap<u32, PendingOrder>,
    /// The round in which it is asked.
    pub(in crate::front) round: u32,
    /// Its link stood when this front claimed, or a round has begun since because it came back.
    pub(in crate::front) was_here: bool,
    /// Its copy was read for the claim that is being proved, by this link.
    pub(in crate::front) was_read: bool,
    /// When something last came from it.
    pub(in crate::front) heard: Mono,
    /// The minor version of the protocol that both ends of the link speak.
    pub(in crate::front) minor: u16,
    /// What it last said of itself beside its description; `None`: nothing, or an older program.
    pub(in crate::front) facts: Option<Facts>,
    /// What its clock said with that.
    pub(in crate::front) clock: Option<Reading>,
    /// What it last said to be removed under it.
    pub(in crate::front) lost_files: Lost,
    /// How many files it last said that it cannot use.
    pub(in crate::front) unusable: u32,
    /// Why it is not counted although it is connected.
    pub(in crate::front) exclusion: Option<Exclusion>,
    /// When it was last found not to be left out any more.
    pub(in crate::front) counts_since: Mono,
    /// Its disk had this and does not have it any more.
    pub(in crate::front) went_back: Option<Lapse>,
    /// Any-one calls that it works on.
    pub(in crate::front) busy: usize,
    /// Seats that a stock server has given, as of the latest page; `None`: a backend of ours.
    pub(in crate::front) seats: Option<BTreeSet<Handle>>,
    /// How often it was dialled.
    pub(in crate::front) dials: u64,
    /// How long its durable writes take.
    pub(in crate::front) writes: Writes,
    correlation: u32,
    pause: Duration,
}

impl BackendLink {
    /// A backend that is to be dialled at once.
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

    /// Returns whether the backend has proved the group key on a link that stands.
    pub(in crate::front) fn is_up(&self) -> bool {
        matches!(self.link_state, LinkState::Up(_))
    }

    /// Returns whether the backend is there and counted.
    pub(in crate::front) fn counts(&self) -> bool {
        self.known().is_some() && self.exclusion.is_none()
    }

    /// The link, whatever its state.
    pub(in crate::front) fn link(&self) -> Option<LinkId> {
        match self.link_state {
            LinkState::Down(_) => None,
            LinkState::Dialling(link, _) | LinkState::Up(link) => Some(link),
        }
    }

    /// Up, and has said who it is.
    pub(in crate::front) fn known(&self) -> Option<&Description> {
        match self.link_state {
            LinkState::Up(_) => self.description.as_ref(),
            _ => None,
        }
    }

    /// How it stood when it last said so.
    pub(in crate::front) fn standing(&self) -> Option<&Standing> {
        self.known().map(|description| &description.standing)
    }

    /// How far it has acknowledged; 0 unless it follows.
    pub(in crate::front) fn matched(&self) -> Slot {
        match self.progress {
            Progress::Following { matched, .. } => matched,
            _ => Slot(0),
        }
    }

    /// Opens a connection to it.
    pub(in crate::front) fn dial(&mut self, now: Mono, link: LinkId, out: &mut Vec<Intent>) {
        self.dials += 1;
        self.link_state = LinkState::Dialling(link, now + DIAL_TIMEOUT);
        out.push(Intent::Dial { link, to: self.address.clone(), callee: PeerKind::Backend });
    }

    /// It has proved the group key.
    pub(in crate::front) fn joined(&mut self, now: Mono, link: LinkId, minor: u16) {
        self.link_state = LinkState::Up(link);
        self.minor = minor;
        self.heard = now;
        self.pause = REDIAL_MIN;
    }

    /// It says what was removed under it.
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

    /// It says how many of its files it cannot use.
    pub(in crate::front) fn told_unusable(&mut self, files: u32) {
        if files > self.unusable {
            tracing::warn!(
                target: "tmr_core::front::backend",
                "backend {} cannot use {files} of its files", self.address
            );
        }
        self.unusable = files;
    }

    /// The link is gone; what it was asked comes back, so that flights can move on.
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

    /// A report came: the order that it answers.
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
