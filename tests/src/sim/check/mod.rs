//! The checks, one promise of the consistency design in each file. Each checker sees only what is
//! visible from outside of a node: the calls and answers of clients, and the messages on the links
//! between fronts and backends.
//!
//! | file | promise it guards |
//! |---|---|
//! | [`seats`] | seats in use by clients (from grant received to release sent, or until clean-up may have passed) are never above the quantity that two agreeing parts allowed when the last of them was granted; an exclusive use is alone on its station, also among those without limit that are on two disks |
//! | [`handles`] | no acknowledged grant or release is missing later, except that of a handle without a seat that was not on two disks yet; a handle number is never granted twice; a released one is never valid again |
//! | [`acks`] | no grant is acknowledged that two disks with matching parts do not have, and no release that two disks do not have; both are in the log of every later epoch |
//! | [`ledger`] | a release frees one seat once, and its client requested it; no seat ends before its time; no number is granted twice; seats are counted as the consistency document says |
//! | [`truth`] | a backend's reports of its promise and of entries are true of its disk at that moment |
//! | [`fence`] | a front that decides a call, or believes that it may, was confirmed by two backends at most 2 s ago, and since it was last stopped |
//! | [`dates`] | licences are judged by a date that follows the backends' clocks, never runs back, is kept, and leaps only after two clocks have agreed on it for a minute |
//! | [`silence`] | after a takeover no handle ends before its whole clean-up time |
//! | [`numbers`] | no call is granted twice, and each gets the handle of its own grant |
//! | [`units`] | units are taken once by the call that requested them, and no more than there are |
//! | [`passing`] | a front that leads passes no reply of the other one to clients any more |
//! | [`slots`] | no slot is reported as chosen that two members do not have; the lead is given away with no entry under way; at most one value is committed in a slot, a setting as well as a seat; every state that is sent is the result of applying the committed entries |
//! | [`epochs`] | at most one epoch can commit: no backend breaks a promise |
//! | [`calls`] | every call ends, with an answer or a closed link, within the bound of the limits |
//! | [`history`] | the usage history of each front has every acknowledged grant and end once and in order, or states a gap; records of the same event are equal on both |
//! | [`identity`] | nothing of one backend's identity reaches a client |
//! | [`service`] | after faults stop, full service returns within a bound, and every seat of a vanished client is freed |
//! | [`lines`] | no node logs at ERROR level, except about faults that were made |
//!
//! A panic ends a run by itself.

pub mod acks;
pub mod calls;
pub mod dates;
pub mod epochs;
pub mod fence;
pub mod handles;
pub mod history;
pub mod identity;
pub mod ledger;
pub mod lines;
pub mod numbers;
pub mod passing;
pub mod seats;
pub mod service;
pub mod silence;
pub mod slots;
pub mod truth;
pub mod units;

use tmr_core::link::LinkId;
use tmr_core::log::Entry;
use tmr_core::messages::group::{Message, Order, Report};
use tmr_core::messages::twin::TwinMessage;

/// The earliest and the latest time at which a node decided on a message. Messages on one link are
/// sent together, and the step that decided each of them cannot be seen from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decided {
    /// The earliest true time, in microseconds.
    pub since: u64,
    /// The latest true time.
    pub until: u64,
}

impl Decided {
    /// Returns a decision at one time.
    #[must_use]
    pub fn at(at: u64) -> Self {
        Self { since: at, until: at }
    }
}

/// A promise that was broken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The true time, in microseconds.
    pub at: u64,
    /// The checker that found it.
    pub check: &'static str,
    /// What happened, in words.
    pub what: String,
}

/// The checkers of answers to clients.
#[derive(Debug, Default)]
pub struct ClientChecks {
    /// See [`seats`].
    pub seats: seats::Seats,
    /// See [`handles`].
    pub handles: handles::Handles,
    /// See [`calls`].
    pub calls: calls::Calls,
    /// See [`numbers`].
    pub numbers: numbers::Numbers,
    /// See [`units`].
    pub units: units::Units,
    /// See [`identity`].
    pub identity: identity::Identity,
    /// See [`service`].
    pub service: service::Service,
}

/// The checkers of what is committed, and of what is on disks.
#[derive(Debug, Default)]
pub struct LogChecks {
    /// See [`acks`].
    pub acks: acks::Acks,
    /// See [`ledger`].
    pub ledger: ledger::Ledger,
    /// See [`slots`].
    pub slots: slots::Slots,
    /// See [`epochs`].
    pub epochs: epochs::Epochs,
    /// See [`truth`].
    pub truth: truth::Truth,
}

/// The checkers of what a front may do, and when.
#[derive(Debug, Default)]
pub struct FrontChecks {
    /// See [`fence`].
    pub fence: fence::Fence,
    /// See [`dates`].
    pub dates: dates::Dates,
    /// See [`passing`].
    pub passing: passing::Passing,
    /// See [`silence`].
    pub silence: silence::Silence,
}

/// All checkers of one run.
#[derive(Debug, Default)]
pub struct Checks {
    /// The violations that were found.
    pub violations: Vec<Violation>,
    /// Checkers of the answers to clients.
    pub clients: ClientChecks,
    /// Checkers of the log and the disks.
    pub log: LogChecks,
    /// Checkers of the fronts' decisions.
    pub fronts: FrontChecks,
}

impl Checks {
    /// Checks an order that a front sends on a link.
    pub fn ordered(
        &mut self,
        at: u64,
        sent: Decided,
        by: ((usize, u32), LinkId),
        message: &Message<Order>,
    ) {
        let ((process, link), order) = (by, &message.body);
        let decided = self.fronts.fence.proposed(process, sent);
        self.fronts.fence.ordered(process, link, sent, message);
        self.fronts.passing.ordered(process, sent, order);
        if let Order::Append { entries, .. } = order {
            self.proposed(at, decided, process, entries);
        }
        let found = self.fronts.dates.ordered(process, sent, order);
        self.note(at, "dates", found);
        let found = self.fronts.silence.ordered(sent, order, &self.clients.handles);
        self.note(at, "silence", found);
        let found = self.log.slots.ordered(order);
        self.note(at, "slots", found);
        self.chosen(at);
    }

    /// Checks entries that a front proposes; those that no other front proposed before are its own
    /// decision.
    fn proposed(&mut self, at: u64, sent: Decided, by: (usize, u32), entries: &[Entry]) {
        if self.clients.numbers.proposed(entries) {
            let found = self.fronts.fence.decided(by, sent, "a grant");
            self.note(at, "fence", found);
        }
    }

    /// Checks a message of a front to its twin.
    pub fn told(&mut self, at: u64, sent: Decided, by: (usize, u32), message: &TwinMessage) {
        self.fronts.passing.told(by, sent, message);
        let found = self.log.slots.told(message);
        self.note(at, "slots", found);
        self.chosen(at);
    }

    /// Checks a report that a backend sends on a link. Returns whether to look at its disk now.
    pub fn reported(
        &mut self,
        at: u64,
        sent: Decided,
        by: (usize, LinkId),
        report: &Report,
    ) -> bool {
        let since = sent.since;
        let found = self.log.slots.reported(by, report);
        self.note(at, "slots", found);
        let found = match (report, self.log.slots.speaker(by)) {
            (Report::Promised(standing), _) => {
                self.log.epochs.promised(at, since, standing.disk, standing.promised)
            }
            (Report::Stored { last, differing }, Some((epoch, disk))) => {
                self.log.acks.stored(&self.log.slots, by, *last, differing);
                self.log.epochs.acknowledged(since, disk, epoch)
            }
            // The connection has lost reports, and the front continues from here.
            (Report::Gap { committed }, Some(_)) => {
                self.log.acks.stored(&self.log.slots, by, *committed, &[]);
                Ok(())
            }
            _ => Ok(()),
        };
        self.note(at, "epochs", found);
        self.log.truth.said(self.log.slots.speaker(by), report)
    }

    /// Checks a backend's journal as it would be after a power cut.
    pub fn on_disk(&mut self, at: u64, host: usize, journal: Option<&[u8]>) {
        let looked = journal.ok_or_else(|| "no journal".to_owned()).and_then(truth::look);
        let found = looked.and_then(|found| self.log.truth.holds(&self.log.slots, &found));
        self.note(at, "truth", found.map_err(|what| format!("backend {host}: {what}")));
    }

    /// Handles a fault that replaces a disk by this journal: earlier reports about it are void.
    pub fn distrust(&mut self, journal: Option<&[u8]>) {
        if let Some(Ok(found)) = journal.map(truth::look) {
            self.log.truth.distrust(found.standing.disk);
            self.log.epochs.distrust(found.standing.disk);
        }
    }

    /// Checks the entries that were chosen since the last call.
    fn chosen(&mut self, at: u64) {
        let found =
            self.log.ledger.chosen(at, &self.log.slots, &self.clients.seats, &self.clients.handles);
        self.note(at, "ledger", found);
        let found = self.clients.numbers.chosen(&self.log.slots);
        self.note(at, "numbers", found);
        let found = self.clients.units.chosen(&self.log.slots);
        self.note(at, "units", found);
    }

    /// Keeps what a checker found.
    pub fn note(&mut self, at: u64, check: &'static str, found: Result<(), String>) {
        if let Err(what) = found {
            self.violations.push(Violation { at, check, what });
        }
    }
}
