//! A stand-in: answers a front's orders as a tmrd backend would, and has the stock server give and
//! take the seats meanwhile. This is the front's side: the acceptor, whose memory is this process,
//! and the acknowledgements that wait for the server's replies.
//!
//! What never lives here: which call the server gets next, and what its replies mean (those are
//! `driver`'s and `replies`').

use super::acknowledgements::{Acknowledgement, Acknowledgements};
use super::driver::{Driver, Reach};
use super::initial_log::InitialLog;
use super::job::{ClientCall, Outcome};
use super::seat_changes::seat_of;
use super::seat_table::{At, SeatTable, ServerHandle};
use crate::backend::acceptor::{Acceptor, OrderEffects};
use crate::base::limits::LOG_KEPT;
use crate::base::network::Address;
use crate::base::time::{Deadline, Mono};
use crate::io::{Input, Intent};
use crate::link::{CloseReason, Frame, LinkId};
use crate::log::{ContainerId, DiskId, Entry, Handle, LicenceKey, Slot};
use crate::messages::group::{Description, Message, Order, Report, encode};
use crate::messages::twin::RemoteHandle;
use crate::wire::{CmError, Request};
use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;

/// What a stand-in reports to the front.
#[derive(Clone, Debug)]
pub(super) enum Event {
    /// An input on the link that the front takes for one to a backend.
    Line(Input),
    /// The error because of which a slot will be among those that differ.
    Refused(Slot, CmError),
    /// A call that another server has to do.
    Unable(u32),
}

/// An append that was accepted.
struct Append {
    correlation: u32,
    /// The last slot that the acceptor has.
    last: Slot,
    /// The last slot that the front had committed.
    committed: Slot,
    /// The entries that are about seats.
    seats: Vec<(Slot, Entry)>,
}

/// The stand-in of one stock server.
#[derive(Clone, Debug)]
pub(super) struct StandIn {
    acceptor: Acceptor,
    /// The front has claimed again: entries accepted before may not be in its log.
    unsure: bool,
    acknowledgements: Acknowledgements,
    /// The link that the front takes for one to a backend.
    line: Option<LinkId>,
    events: VecDeque<Event>,
    driver: Driver,
}

impl StandIn {
    /// Returns a stand-in that is this member of a group with this log.
    pub(super) fn new(
        address: Address,
        wanted: Vec<ContainerId>,
        disk: DiskId,
        log: &InitialLog,
    ) -> Self {
        Self {
            acceptor: log.acceptor(disk),
            unsure: false,
            acknowledgements: Acknowledgements::default(),
            line: None,
            events: VecDeque::new(),
            driver: Driver::new(address, wanted),
        }
    }

    /// Replaces the log.
    pub(super) fn begin(&mut self, log: &InitialLog) {
        self.acceptor = log.acceptor(self.acceptor.standing().disk);
    }

    /// Notes that the front claims: entries accepted before may not be in its log.
    pub(super) fn claimed(&mut self) {
        self.unsure = true;
    }

    /// Gives up all seats at the server because the front stands by. Returns the handles that it
    /// had there.
    pub(super) fn set_down(&mut self) -> SeatTable {
        let committed = self.acceptor.standing().committed;
        for correlation in self.acknowledgements.drop_all() {
            self.report(correlation, &Report::Gap { committed });
        }
        self.driver.set_down()
    }

    /// Returns the seats at the server.
    pub(super) fn seat_table(&self) -> &SeatTable {
        self.driver.seat_table()
    }

    /// Takes the handles that have changed since this was last called.
    pub(super) fn changed_handles(&mut self) -> Vec<ServerHandle> {
        self.driver.changed_handles()
    }

    /// Returns the serial of the container that has a licence there.
    pub(super) fn serial_of(&self, licence: &LicenceKey) -> Option<u32> {
        self.driver.inventory().licence(licence).map(|known| known.product.place.serial)
    }

    /// Returns the serials of the containers there.
    pub(super) fn serials(&self) -> impl Iterator<Item = u32> {
        self.driver.parts().iter().map(|part| part.serial)
    }

    /// Whether the server serves.
    pub(super) fn is_there(&self) -> bool {
        self.driver.reach() == Reach::There
    }

    /// Whether it is known which handles at the server are those of seats.
    pub(super) fn knows_seats(&self) -> bool {
        !self.unsure
    }

    /// Returns whether the server may have been restarted since this was last called.
    pub(super) fn may_have_restarted(&mut self) -> bool {
        self.driver.may_have_restarted()
    }

    /// Continues with a handle that another front had there for a seat. A handle that no seat needs
    /// is released, if it is `sure` that the server has not been restarted since.
    pub(super) fn take_up(&mut self, now: Mono, remote: &RemoteHandle, sure: bool) {
        self.driver.take_up(now, remote, sure);
    }

    /// Returns the address of its server.
    pub(super) fn address(&self) -> &Address {
        self.driver.address()
    }

    /// Whether the front takes this link for one to the backend.
    pub(super) fn is_line(&self, link: LinkId) -> bool {
        self.line == Some(link)
    }

    /// Whether this is a connection to the server.
    pub(super) fn has_connection(&self, link: LinkId) -> bool {
        self.driver.has_connection(link)
    }

    /// Takes the next report to the front.
    pub(super) fn next_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Takes the link that the front dials to a backend.
    pub(super) fn dialled(&mut self, now: Mono, line: LinkId) {
        self.line = Some(line);
        match self.driver.reach() {
            Reach::Away => self.driver.come(now),
            Reach::Coming => {}
            Reach::There => self.join(),
        }
    }

    /// Reports the backend as connected, because the server is known.
    fn join(&mut self) {
        if let Some(link) = self.line {
            let frame = Frame::Joined { front: 0, minor: 0 };
            self.events.push_back(Event::Line(Input::Frame { link, frame }));
        }
    }

    /// Handles that the front has closed the link.
    pub(super) fn hung_up(&mut self) {
        self.line = None;
        self.acknowledgements = Acknowledgements::default();
        self.driver.drop_client_calls();
        self.acceptor.let_go();
    }

    /// Closes the link, so that the front dials again.
    fn hang_up(&mut self, reason: CloseReason) {
        if let Some(link) = self.line {
            let closed = Input::Closed { link, reason, unsent: false };
            self.events.push_back(Event::Line(closed));
        }
        self.hung_up();
    }

    /// Takes an order of the front.
    pub(super) fn order(&mut self, now: Mono, message: Message<Order>) {
        let Message { correlation, body } = message;
        match body {
            Order::Describe => {
                let standing = self.acceptor.standing();
                let parts = self.driver.parts().to_vec();
                // No other front can lead with what is in this one's memory.
                let led = false;
                self.report(correlation, &Report::Described(Description { standing, led, parts }));
            }
            Order::Perform { licence, call } => self.perform(correlation, licence, &call),
            Order::Append { epoch, first, entries, committed } => {
                let seats: Vec<(Slot, Entry)> = (first.0..)
                    .map(Slot)
                    .zip(&entries)
                    .filter(|(_, entry)| {
                        matches!(entry, Entry::Grant(_) | Entry::Release(_) | Entry::Expire(_))
                    })
                    .map(|(slot, entry)| (slot, entry.clone()))
                    .collect();
                match self.accept(Order::Append { epoch, first, entries, committed }) {
                    Report::Stored { last, .. } => {
                        self.reconcile_if_unsure(now);
                        let append = Append { correlation, last, committed, seats };
                        self.change_seats(now, append);
                    }
                    report => self.report(correlation, &report),
                }
            }
            order => {
                let whole = matches!(order, Order::Install { last: true, .. });
                self.unsure |= matches!(order, Order::Claim { .. });
                let report = self.accept(order);
                if whole {
                    self.unsure = true;
                    self.reconcile_if_unsure(now);
                }
                self.report(correlation, &report);
            }
        }
        let standing = self.acceptor.standing();
        if standing.committed.0 - standing.base.0 > LOG_KEPT as u64 {
            self.acceptor.forget_committed();
        }
        self.acceptor.check_invariants();
    }

    /// Accepts entries. They are in the memory of this process, so they are recorded at once.
    fn accept(&mut self, order: Order) -> Report {
        self.acceptor.order(order, &mut OrderEffects::default())
    }

    /// Has the server do a client's call.
    fn perform(&mut self, correlation: u32, licence: LicenceKey, call: &[u8]) {
        match (self.line, Request::parse(call)) {
            (Some(line), Ok(call)) => {
                self.driver.perform(ClientCall { line, correlation, licence, call });
                self.take_outcomes();
            }
            _ => self.events.push_back(Event::Unable(correlation)),
        }
    }

    /// Has the server carry out the entries of an append; the acknowledgement follows when it has
    /// replied for every grant.
    fn change_seats(&mut self, now: Mono, append: Append) {
        let Append { correlation, last, committed, seats } = append;
        let mut awaited = BTreeMap::new();
        let mut differing = Vec::new();
        for (slot, entry) in seats {
            match entry {
                // A grant that takes no seat takes none at the server either.
                Entry::Grant(grant) if seat_of(&grant).is_none() => {}
                Entry::Grant(grant) => match self.seat_table().at(grant.handle) {
                    Some(At::Asked) => {
                        awaited.insert(grant.handle, slot);
                    }
                    Some(At::Held(..)) => {}
                    // Chosen already: nothing waits for this server.
                    _ if slot <= committed => self.driver.lacks(now, &grant),
                    _ => {
                        let handle = grant.handle;
                        match self.driver.take(now, grant) {
                            Ok(()) => {
                                awaited.insert(handle, slot);
                            }
                            Err(error) => {
                                differing.push(slot);
                                self.events.push_back(Event::Refused(slot, error));
                            }
                        }
                    }
                },
                Entry::Release(handle) | Entry::Expire(handle) => self.driver.give(handle),
                _ => {}
            }
        }
        let acknowledgement = Acknowledgement { correlation, last, awaited, differing };
        self.acknowledgements.add(acknowledgement);
        self.acknowledge();
    }

    /// After a claim or a whole state: releases seats that are not in the log any more, and
    /// requests those that are missing here.
    fn reconcile_if_unsure(&mut self, now: Mono) {
        if !core::mem::take(&mut self.unsure) {
            return;
        }
        let state = self.acceptor.matched_state();
        let held = |handle: &Handle| state.seat(*handle).is_some() && !state.lingers(*handle);
        let handles = self.driver.seat_table().handles();
        let gone: Vec<Handle> = handles.filter(|handle| !held(handle)).collect();
        for handle in gone {
            self.driver.give(handle);
        }
        for seat in state.seats().filter(|seat| held(&seat.handle)) {
            if self.driver.seat_table().at(seat.handle).is_none() {
                self.driver.lacks(now, seat);
            }
        }
    }

    /// Notes that the server has replied for a seat, or will not.
    fn replied_for(&mut self, handle: Handle, error: Option<CmError>) {
        for slot in self.acknowledgements.replied(handle, error.is_some()) {
            if let Some(error) = error {
                self.events.push_back(Event::Refused(slot, error));
            }
        }
        self.acknowledge();
    }

    /// Sends the acknowledgements that wait for no reply any more.
    fn acknowledge(&mut self) {
        while let Some(Acknowledgement { correlation, last, differing, .. }) =
            self.acknowledgements.pop()
        {
            self.report(correlation, &Report::Stored { last, differing });
        }
    }

    fn report(&mut self, correlation: u32, report: &Report) {
        if let Some(link) = self.line {
            let frame = Frame::Batch(encode(correlation, report));
            self.events.push_back(Event::Line(Input::Frame { link, frame }));
        }
    }
}

/// The server's side, and what it means to the front.
impl StandIn {
    /// Closes all connections when a call is late, because the server is silent.
    pub(super) fn timers(&mut self, now: Mono, out: &mut Vec<Intent>) {
        self.driver.timers(now, out);
        self.take_outcomes();
    }

    /// Returns the next deadline.
    pub(super) fn deadline(&self) -> Option<Deadline> {
        self.driver.deadline()
    }

    /// Makes calls as long as a connection is free.
    pub(super) fn pump(&mut self, now: Mono, new: impl FnMut() -> LinkId, out: &mut Vec<Intent>) {
        self.driver.pump(now, self.acceptor.settled(), new, out);
        self.take_outcomes();
    }

    /// Takes a reply of the server.
    pub(super) fn replied(&mut self, now: Mono, link: LinkId, bytes: &[u8], out: &mut Vec<Intent>) {
        self.driver.replied(now, link, bytes, out);
        self.take_outcomes();
    }

    /// Handles a connection to the server that is closed, or could not be opened.
    pub(super) fn closed(
        &mut self,
        now: Mono,
        link: LinkId,
        reason: CloseReason,
        out: &mut Vec<Intent>,
    ) {
        self.driver.closed(now, link, reason, out);
        self.take_outcomes();
    }

    /// Continues from the start with another server, or with this one and other containers.
    pub(super) fn moved(
        &mut self,
        now: Mono,
        address: Address,
        wanted: Vec<ContainerId>,
        out: &mut Vec<Intent>,
    ) {
        self.driver.moved(now, address, wanted, out);
        self.take_outcomes();
    }

    /// Reports to the front what the server has done.
    fn take_outcomes(&mut self) {
        while let Some(outcome) = self.driver.next_outcome() {
            match outcome {
                Outcome::Seat { handle, error } => self.replied_for(handle, error),
                // The front does not wait for calls on an earlier link.
                Outcome::Performed { line, .. } if self.line != Some(line) => {}
                Outcome::Performed { correlation, reply: Some(reply), .. } => {
                    self.report(correlation, &Report::Performed { reply });
                }
                Outcome::Performed { correlation, reply: None, .. }
                | Outcome::Unable(correlation) => self.events.push_back(Event::Unable(correlation)),
                Outcome::Known => self.join(),
                Outcome::HangUp(reason) => self.hang_up(reason),
            }
        }
    }

    /// In tests: the server.
    #[cfg(test)]
    pub(super) fn driver(&self) -> &Driver {
        &self.driver
    }

    /// In tests: the server, to be changed.
    #[cfg(test)]
    pub(super) fn driver_mut(&mut self) -> &mut Driver {
        &mut self.driver
    }
}
