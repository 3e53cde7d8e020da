//! A stand-in: answers a front's orders as a tmrd backend would, and has the stock server give and
//! take the seats meanwhile. This is the front's side: the acceptor, whose memory is this process,
//! and the acknowledgements that wait for the server's replies.

use super::discovery::{Learner, Learnt};
use super::pool::Pool;
use super::seat_table::{At, SeatTable};
use crate::backend::acceptor::{Acceptor, OrderEffects};
use crate::base::limits::{LOG_KEPT, STOCK_QUEUE};
use crate::base::network::Address;
use crate::base::time::Mono;
use crate::io::Input;
use crate::link::{CloseReason, Frame, LinkId};
use crate::log::{
    ContainerId, DiskId, Entry, Epoch, Grant, GroupId, Handle, LicenceKey, Setting, Slot, State,
};
use crate::messages::group::{Description, Message, Order, Report, encode};
use crate::messages::twin::RemoteHandle;
use crate::wire::{CmError, Request};
use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::vec::Vec;

/// Returns the licence of which a grant takes a seat, or begins a usage period.
pub(super) fn seat_of(grant: &Grant) -> Option<LicenceKey> {
    grant.held.licence().filter(|_| grant.waits_for_disk()).copied()
}

/// The log with which the three stand-ins of a front begin: in memory, since the three servers
/// store nothing of it.
#[derive(Debug)]
pub(super) struct Log {
    /// The front under whose lowest epoch it is written.
    pub(super) front: u32,
    pub(super) group: GroupId,
    pub(super) slot: Slot,
    /// The encoded state at that slot.
    pub(super) state: Vec<u8>,
}

impl Log {
    /// Returns the log of a group that is born with these members.
    pub(super) fn birth(front: u32, group: GroupId, members: [DiskId; 3]) -> Self {
        let mut state = State::default();
        state.apply(&Entry::Configure(Setting::Members(members)));
        Self { front, group, slot: Slot(1), state: state.encode() }
    }

    fn acceptor(&self, disk: DiskId) -> Acceptor {
        let Self { front, group, slot, ref state } = *self;
        let mut acceptor = Acceptor::blank(disk);
        let epoch = Epoch::default().next_of(front);
        let (offset, bytes, last) = (0, state.clone(), true);
        for order in [
            Order::Claim { epoch },
            Order::Found { epoch, group },
            Order::Install { epoch, group, slot, offset, bytes, last },
        ] {
            acceptor.order(order, &mut OrderEffects::default());
        }
        acceptor
    }
}

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

/// How much is known of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// It is not reachable, or was not dialled yet.
    Away,
    /// Discovery is under way.
    Coming,
    /// It serves.
    There,
}

/// A change of seats at the server, in the order of the log.
#[derive(Clone, Debug)]
pub(super) enum Change {
    Take(Box<Grant>),
    /// `again`: its connection broke once before.
    Give {
        licence: LicenceKey,
        number: u32,
        again: bool,
    },
}

/// A client's call that waits for a connection.
#[derive(Clone, Debug)]
pub(super) struct Errand {
    pub(super) line: LinkId,
    pub(super) correlation: u32,
    pub(super) licence: LicenceKey,
    pub(super) call: Request,
}

/// An acknowledgement that waits for the server.
#[derive(Clone, Debug)]
struct Waiting {
    correlation: u32,
    last: Slot,
    awaited: BTreeMap<Handle, Slot>,
    differing: Vec<Slot>,
}

/// The stand-in of one stock server.
#[derive(Clone, Debug)]
pub(super) struct StandIn {
    acceptor: Acceptor,
    /// The front has claimed again: entries accepted before may not be in its log.
    pub(super) unsure: bool,
    /// The server was away, or has forgotten a handle: it may have been restarted.
    pub(super) broke: bool,
    waiting: VecDeque<Waiting>,
    /// The link that the front takes for one to a backend.
    pub(super) line: Option<LinkId>,
    pub(super) events: VecDeque<Event>,
    pub(super) reach: Reach,
    pub(super) pool: Pool<super::driver::Job>,
    pub(super) learner: Learner,
    pub(super) learnt: Learnt,
    pub(super) learn_at: Mono,
    pub(super) seat_table: SeatTable,
    /// Numbered, so that an access never overtakes a release of its licence.
    pub(super) changes: VecDeque<(u64, Change)>,
    pub(super) changed: u64,
    /// Releases without a reply.
    pub(super) giving: BTreeMap<LicenceKey, BTreeSet<u64>>,
    pub(super) errands: VecDeque<Errand>,
    /// Whether a background call is under way, of which there is one at a time.
    pub(super) background: bool,
    /// Whose turn the next background call is: that of discovery, or that of a seat.
    pub(super) learns: bool,
    pub(super) heard: Mono,
    pub(super) address: Address,
}

impl StandIn {
    /// Returns a stand-in that is this member of a group with this log.
    pub(super) fn new(address: Address, wanted: Vec<ContainerId>, disk: DiskId, log: &Log) -> Self {
        Self {
            acceptor: log.acceptor(disk),
            unsure: false,
            broke: false,
            waiting: VecDeque::new(),
            line: None,
            events: VecDeque::new(),
            reach: Reach::Away,
            pool: Pool::new(address.clone()),
            learner: Learner::new(wanted),
            learnt: Learnt::default(),
            learn_at: Mono(0),
            seat_table: SeatTable::default(),
            changes: VecDeque::new(),
            changed: 0,
            giving: BTreeMap::new(),
            errands: VecDeque::new(),
            background: false,
            learns: false,
            heard: Mono(0),
            address,
        }
    }

    /// Replaces the log.
    pub(super) fn begin(&mut self, log: &Log) {
        self.acceptor = log.acceptor(self.acceptor.standing().disk);
    }

    /// Gives up all seats at the server because the front stands by. Returns the handles that it
    /// had there.
    pub(super) fn set_down(&mut self) -> SeatTable {
        let committed = self.acceptor.standing().committed;
        for waiting in core::mem::take(&mut self.waiting) {
            self.report(waiting.correlation, &Report::Gap { committed });
        }
        self.changes.clear();
        self.giving.clear();
        core::mem::take(&mut self.seat_table)
    }

    /// Returns the serial of the container that has a licence there.
    pub(super) fn place(&self, licence: &LicenceKey) -> Option<u32> {
        self.learnt.licences.get(licence).map(|known| known.product.place.serial)
    }

    /// Continues with a handle that another front had there for a seat. A handle that no seat needs
    /// is released, if it is `sure` that the server has not been restarted since.
    pub(super) fn take_up(&mut self, now: Mono, placed: &RemoteHandle, sure: bool) {
        let RemoteHandle { number, handle, licence, .. } = *placed;
        if self.learner.has(number) {
            return;
        }
        match self.seat_table.at(handle) {
            Some(At::Lacking(_)) => self.seat_table.set(now, handle, At::Held(number, now)),
            Some(At::Held(held, _)) if held == number => {}
            _ if sure => self.give_number(licence, number, handle),
            _ => {}
        }
    }

    /// Returns the address of its server.
    pub(super) fn address(&self) -> &Address {
        &self.address
    }

    /// Takes the link that the front dials to a backend.
    pub(super) fn dialled(&mut self, now: Mono, line: LinkId) {
        self.line = Some(line);
        match self.reach {
            Reach::Away => self.come(now),
            Reach::Coming => {}
            Reach::There => self.join(),
        }
    }

    /// Reports the backend as connected, because the server is known.
    pub(super) fn join(&mut self) {
        if let Some(link) = self.line {
            let frame = Frame::Joined { front: 0, minor: 0 };
            self.events.push_back(Event::Line(Input::Frame { link, frame }));
        }
    }

    /// Handles that the front has closed the link.
    pub(super) fn hung_up(&mut self) {
        self.line = None;
        self.waiting.clear();
        self.errands.clear();
        self.acceptor.let_go();
    }

    /// Closes the link, so that the front dials again.
    pub(super) fn hang_up(&mut self, reason: CloseReason) {
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
                let (standing, parts) = (self.acceptor.standing(), self.learnt.parts.clone());
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
                        self.seats(now, correlation, last, committed, seats);
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

    /// Has the server carry out these entries; the acknowledgement follows when it has replied for
    /// every grant.
    fn seats(
        &mut self,
        now: Mono,
        correlation: u32,
        last: Slot,
        committed: Slot,
        entries: Vec<(Slot, Entry)>,
    ) {
        let (mut awaited, mut differing) = (BTreeMap::new(), Vec::new());
        for (slot, entry) in entries {
            match entry {
                // A grant that takes no seat takes none at the server either.
                Entry::Grant(grant) if seat_of(&grant).is_none() => {}
                Entry::Grant(grant) => match self.seat_table.at(grant.handle) {
                    Some(At::Asked) => {
                        awaited.insert(grant.handle, slot);
                    }
                    Some(At::Held(..)) => {}
                    // Chosen already: nothing waits for this server.
                    _ if slot <= committed => {
                        self.lacks(now, &grant);
                    }
                    _ => match self.take(now, grant) {
                        Ok(handle) => {
                            awaited.insert(handle, slot);
                        }
                        Err(error) => {
                            differing.push(slot);
                            self.events.push_back(Event::Refused(slot, error));
                        }
                    },
                },
                Entry::Release(handle) | Entry::Expire(handle) => self.give(handle),
                _ => {}
            }
        }
        self.waiting.push_back(Waiting { correlation, last, awaited, differing });
        self.acknowledge();
    }

    /// Requests a seat from the server.
    fn take(&mut self, now: Mono, grant: Grant) -> Result<Handle, CmError> {
        let handle = grant.handle;
        let Some(licence) = seat_of(&grant).filter(|_| self.matches(&grant)) else {
            return Err(CmError::NO_LICENSE_AVAILABLE);
        };
        if self.changes.len() >= STOCK_QUEUE {
            self.seat_table.put(now, handle, licence, At::Lacking(now));
            return Err(CmError::REQUEST_OVERLOAD_REJECTED);
        }
        self.seat_table.put(now, handle, licence, At::Asked);
        self.change(Change::Take(Box::new(grant)));
        Ok(handle)
    }

    /// Marks a seat of the log that this server lacks.
    fn lacks(&mut self, now: Mono, grant: &Grant) {
        if let Some(licence) = seat_of(grant) {
            self.seat_table.put(now, grant.handle, licence, At::Lacking(now));
        }
    }

    /// Returns whether this server's own part of a licence equals that of a grant.
    pub(super) fn matches(&self, grant: &Grant) -> bool {
        let known = seat_of(grant).and_then(|licence| self.learnt.licences.get(&licence));
        known.is_some_and(|known| known.print == grant.fingerprint)
    }

    /// Releases a seat at the server, if it has one there. A seat that was just requested is
    /// released when its handle arrives.
    fn give(&mut self, handle: Handle) {
        if let Some((licence, number)) = self.seat_table.remove(handle) {
            self.give_number(licence, number, handle);
        }
    }

    /// Releases a handle at the server that was that of a seat.
    pub(super) fn give_number(&mut self, licence: LicenceKey, number: u32, handle: Handle) {
        self.seat_table.leave(number, handle, licence);
        self.giving.entry(licence).or_default().insert(self.changed);
        self.change(Change::Give { licence, number, again: false });
    }

    fn change(&mut self, change: Change) {
        self.changes.push_back((self.changed, change));
        self.changed += 1;
    }

    /// Returns the grant of a seat, if the log here has it.
    pub(super) fn grant(&self, handle: Handle) -> Option<&Grant> {
        self.acceptor.settled().seat(handle)
    }

    /// After a claim or a whole state: releases seats that are not in the log any more, and
    /// requests those that are missing here.
    fn reconcile_if_unsure(&mut self, now: Mono) {
        if !core::mem::take(&mut self.unsure) {
            return;
        }
        let state = self.acceptor.matched_state();
        let held = |handle: &Handle| state.seat(*handle).is_some() && !state.lingers(*handle);
        let gone: Vec<Handle> = self.seat_table.handles().filter(|handle| !held(handle)).collect();
        for handle in gone {
            self.give(handle);
        }
        for seat in state.seats().filter(|seat| held(&seat.handle)) {
            if self.seat_table.at(seat.handle).is_none() {
                self.lacks(now, seat);
            }
        }
    }

    /// Notes that the server has replied for a seat, or will not. More than one order may wait for
    /// it, since the front sends pending entries again after another claim.
    pub(super) fn answered(&mut self, handle: Handle, error: Option<CmError>) {
        for waiting in &mut self.waiting {
            let Some(slot) = waiting.awaited.remove(&handle) else { continue };
            if let Some(error) = error {
                waiting.differing.push(slot);
                self.events.push_back(Event::Refused(slot, error));
            }
        }
        self.acknowledge();
    }

    /// Sends acknowledgements in the order of the appends, since each covers everything before it.
    fn acknowledge(&mut self) {
        while self.waiting.front().is_some_and(|waiting| waiting.awaited.is_empty()) {
            let Some(waiting) = self.waiting.pop_front() else { return };
            let Waiting { correlation, last, differing, .. } = waiting;
            self.report(correlation, &Report::Stored { last, differing });
        }
    }

    pub(super) fn report(&mut self, correlation: u32, report: &Report) {
        if let Some(link) = self.line {
            let frame = Frame::Batch(encode(correlation, report));
            self.events.push_back(Event::Line(Input::Frame { link, frame }));
        }
    }
}
