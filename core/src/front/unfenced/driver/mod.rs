//! The server's side of a stand-in: which call to the stock server is the next. Seats come before
//! calls of clients, and those before background calls, of which there is one at a time.
//!
//! What never lives here: what follows from a reply (that is `replies`), and orders of the front
//! (those are `stand_in`'s).

mod replies;

use super::calls;
use super::inventory::Inventory;
use super::job::{Call, ClientCall, Job, Outcome};
use super::pool::Pool;
use super::seat_changes::{Change, NumberedChange, SeatChanges, seat_of};
use super::seat_table::{At, SeatTable, ServerHandle};
use crate::base::limits::{STOCK_KEEP, STOCK_PING, STOCK_QUEUE, STOCK_RETRY};
use crate::base::network::Address;
use crate::base::time::{Deadline, Mono};
use crate::io::Intent;
use crate::licence::Part;
use crate::link::LinkId;
use crate::log::{ContainerId, Grant, Handle, LicenceKey, State};
use crate::messages::twin::RemoteHandle;
use crate::wire::{CmError, Request};
use alloc::boxed::Box;
use alloc::collections::VecDeque;
use alloc::vec::Vec;

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

/// One stock server, and what it is to do.
#[derive(Clone, Debug)]
pub(super) struct Driver {
    pool: Pool<Job>,
    reach: Reach,
    /// When the server last replied.
    last_reply: Mono,
    inventory: Inventory,
    seat_table: SeatTable,
    changes: SeatChanges,
    client_calls: VecDeque<ClientCall>,
    /// Whether a background call is under way, of which there is one at a time.
    background: bool,
    /// Whether the next background call is that of discovery, or that of a seat.
    discovers_next: bool,
    /// The server was away, or has forgotten a handle: it may have been restarted.
    may_have_restarted: bool,
    /// What the stand-in has not taken yet.
    outcomes: VecDeque<Outcome>,
}

impl Driver {
    /// Returns a server that was not dialled, for parts of these virtual containers.
    pub(super) fn new(address: Address, wanted: Vec<ContainerId>) -> Self {
        Self {
            pool: Pool::new(address),
            reach: Reach::Away,
            last_reply: Mono(0),
            inventory: Inventory::new(wanted),
            seat_table: SeatTable::default(),
            changes: SeatChanges::default(),
            client_calls: VecDeque::new(),
            background: false,
            discovers_next: false,
            may_have_restarted: false,
            outcomes: VecDeque::new(),
        }
    }

    /// Returns how much is known of the server.
    pub(super) fn reach(&self) -> Reach {
        self.reach
    }

    /// Returns the address of the server.
    pub(super) fn address(&self) -> &Address {
        self.pool.address()
    }

    /// Whether this is a connection to the server.
    pub(super) fn has_connection(&self, link: LinkId) -> bool {
        self.pool.has(link)
    }

    /// Returns what is known of the licences there.
    pub(super) fn inventory(&self) -> &Inventory {
        &self.inventory
    }

    /// Returns the seats there.
    pub(super) fn seat_table(&self) -> &SeatTable {
        &self.seat_table
    }

    /// Takes the handles that have changed since this was last called.
    pub(super) fn changed_handles(&mut self) -> Vec<ServerHandle> {
        self.seat_table.changed_handles().collect()
    }

    /// Returns whether the server may have been restarted since this was last called.
    pub(super) fn may_have_restarted(&mut self) -> bool {
        core::mem::take(&mut self.may_have_restarted)
    }

    /// Takes the next outcome.
    pub(super) fn next_outcome(&mut self) -> Option<Outcome> {
        self.outcomes.pop_front()
    }

    /// Drops the calls of clients that were not made yet: the front does not wait for them.
    pub(super) fn drop_client_calls(&mut self) {
        self.client_calls.clear();
    }

    /// Returns the parts of containers that the server holds.
    pub(super) fn parts(&self) -> &[Part] {
        self.inventory.parts()
    }

    /// Begins discovery.
    pub(super) fn come(&mut self, now: Mono) {
        self.reach = Reach::Coming;
        self.inventory.begin();
        self.last_reply = now;
    }

    /// Gives up all seats at the server. Returns the handles that there were.
    pub(super) fn set_down(&mut self) -> SeatTable {
        self.changes.clear();
        core::mem::take(&mut self.seat_table)
    }

    /// Queues a client's call, to be done over the handle of its seat at this server, or over one
    /// that takes no licence if it has no seat.
    pub(super) fn perform(&mut self, call: ClientCall) {
        if self.client_calls.len() < STOCK_QUEUE {
            self.client_calls.push_back(call);
        } else {
            self.outcomes.push_back(Outcome::Unable(call.correlation));
        }
    }

    /// Requests a seat from the server.
    ///
    /// # Errors
    /// Why it cannot be requested.
    pub(super) fn take(&mut self, now: Mono, grant: Grant) -> Result<(), CmError> {
        let handle = grant.handle;
        let Some(licence) = seat_of(&grant).filter(|_| self.matches(&grant)) else {
            return Err(CmError::NO_LICENSE_AVAILABLE);
        };
        if self.changes.len() >= STOCK_QUEUE {
            self.seat_table.put(now, handle, licence, At::Lacking(now));
            return Err(CmError::REQUEST_OVERLOAD_REJECTED);
        }
        self.seat_table.put(now, handle, licence, At::Asked);
        self.changes.take(grant);
        Ok(())
    }

    /// Marks a seat of the log that this server lacks.
    pub(super) fn lacks(&mut self, now: Mono, grant: &Grant) {
        if let Some(licence) = seat_of(grant) {
            self.seat_table.put(now, grant.handle, licence, At::Lacking(now));
        }
    }

    /// Releases a seat at the server, if it has one there. A seat that was just requested is
    /// released when its handle arrives.
    pub(super) fn give(&mut self, handle: Handle) {
        if let Some((licence, number)) = self.seat_table.remove(handle) {
            self.give_number(licence, number, handle);
        }
    }

    /// Releases a handle at the server that was that of a seat.
    fn give_number(&mut self, licence: LicenceKey, number: u32, handle: Handle) {
        self.seat_table.leave(number, handle, licence);
        self.changes.give(licence, number);
    }

    /// Continues with a handle that another front had there for a seat. A handle that no seat needs
    /// is released, if it is `sure` that the server has not been restarted since.
    pub(super) fn take_up(&mut self, now: Mono, remote: &RemoteHandle, sure: bool) {
        let RemoteHandle { number, handle, licence, .. } = *remote;
        if self.inventory.has(number) {
            return;
        }
        match self.seat_table.at(handle) {
            Some(At::Lacking(_)) => self.seat_table.set(now, handle, At::Held(number, now)),
            Some(At::Held(held, _)) if held == number => {}
            _ if sure => self.give_number(licence, number, handle),
            _ => {}
        }
    }

    /// Returns whether this server's own part of a licence equals that of a grant.
    fn matches(&self, grant: &Grant) -> bool {
        let known = seat_of(grant).and_then(|licence| self.inventory.licence(&licence));
        known.is_some_and(|known| known.print == grant.fingerprint)
    }

    /// Returns the next deadline.
    pub(super) fn deadline(&self) -> Option<Deadline> {
        let late = self.pool.due().map(|at| Deadline { at, reason: "stock server is silent" });
        let idle = self.reach == Reach::There && !self.background && self.pool.free();
        let ping = self.last_reply + STOCK_PING;
        let seat = self.seat_table.first().map_or(ping, |(at, _)| at);
        let at = ping.min(seat).min(self.inventory.due());
        let next = idle.then_some(Deadline { at, reason: "see to a stock server" });
        Deadline::sooner(late, next)
    }

    /// Makes calls as long as a connection is free. `settled`: the seats of the log.
    pub(super) fn pump(
        &mut self,
        now: Mono,
        settled: &State,
        mut new: impl FnMut() -> LinkId,
        out: &mut Vec<Intent>,
    ) {
        while self.reach != Reach::Away && self.pool.free() {
            let Some(Call { job, request }) = self.next(now, settled) else { return };
            self.background |= job.is_background();
            self.pool.call(now, job, &request, &mut new, out);
        }
    }

    fn next(&mut self, now: Mono, settled: &State) -> Option<Call> {
        if self.reach == Reach::There {
            if let Some(next) = self.next_change().or_else(|| self.next_client_call()) {
                return Some(next);
            }
        }
        if self.background { None } else { self.next_background(now, settled) }
    }

    fn next_change(&mut self) -> Option<Call> {
        while let Some(NumberedChange { order, change }) = self.changes.pop() {
            match change {
                Change::Give { licence, number, again } => {
                    let job = Job::Give { order, licence, number, again };
                    return Some(Call { job, request: Request::Release { handle: number } });
                }
                Change::Take(grant) if self.seat_table.at(grant.handle) == Some(At::Asked) => {
                    if let Some(next) = self.seat(*grant, false) {
                        return Some(next);
                    }
                }
                // The seat ended before its turn.
                Change::Take(grant) => self.replied_for(grant.handle, None),
            }
        }
        None
    }

    /// Returns the call that takes a seat.
    fn seat(&mut self, grant: Grant, quiet: bool) -> Option<Call> {
        let known = seat_of(&grant).and_then(|licence| self.inventory.licence(&licence));
        let Some(known) = known else {
            self.replied_for(grant.handle, Some(CmError::NO_LICENSE_AVAILABLE));
            return None;
        };
        let request = calls::seat(&known.product, &known.licence, &grant);
        Some(Call { job: Job::Take { grant: Box::new(grant), quiet }, request })
    }

    /// Notes that the server has replied for a seat, or will not.
    fn replied_for(&mut self, handle: Handle, error: Option<CmError>) {
        self.outcomes.push_back(Outcome::Seat { handle, error });
    }

    fn next_client_call(&mut self) -> Option<Call> {
        while let Some(next) = self.client_calls.pop_front() {
            let ClientCall { line, correlation, licence, call } = next;
            let client = Handle(call.handle().unwrap_or_default());
            let known = self.inventory.licence(&licence);
            let number = match (self.seat_table.at(client), known) {
                (Some(At::Held(number, _)), _) => Some((number, Some((client, number)))),
                (Some(_), _) => None,
                (None, known) => known.map(|known| (known.number, None)),
            };
            let Some((known, (number, holder))) = known.zip(number.filter(|(n, _)| *n != 0)) else {
                self.outcomes.push_back(Outcome::Unable(correlation));
                continue;
            };
            let request = calls::translated(call, number, known.product.place);
            return Some(Call { job: Job::Perform { line, correlation, holder }, request });
        }
        None
    }

    fn next_background(&mut self, now: Mono, settled: &State) -> Option<Call> {
        if self.reach == Reach::There {
            self.inventory.begin_if_due(now);
        }
        let discovery = self.inventory.call().map(|request| Call { job: Job::Discover, request });
        if self.reach == Reach::Coming {
            return discovery;
        }
        self.discovers_next = !self.discovers_next;
        if self.discovers_next && discovery.is_some() {
            return discovery;
        }
        self.next_seat(now, settled).or(discovery).or_else(|| {
            let silent = self.last_reply + STOCK_PING <= now;
            let request = calls::ping(self.inventory.service());
            silent.then_some(Call { job: Job::Ping, request })
        })
    }

    /// Returns the call for the next seat that is due.
    fn next_seat(&mut self, now: Mono, settled: &State) -> Option<Call> {
        while let Some((at, handle)) = self.seat_table.first() {
            if at > now {
                return None;
            }
            match self.seat_table.at(handle) {
                Some(At::Held(number, _)) => {
                    self.seat_table.set(now, handle, At::Held(number, now + STOCK_KEEP));
                    let job = Job::Keep(handle, number);
                    return Some(Call { job, request: calls::keep(number) });
                }
                _ => self.seat_table.set(now, handle, At::Lacking(now + STOCK_RETRY)),
            }
            let grant = settled.seat(handle).filter(|grant| self.matches(grant)).cloned();
            // While a seat of this licence is being released, there may be no free one.
            let Some(grant) = grant.filter(|grant| {
                seat_of(grant).is_some_and(|licence| !self.changes.is_releasing(&licence))
            }) else {
                continue;
            };
            self.seat_table.set(now, handle, At::Asked);
            if let Some(next) = self.seat(grant, true) {
                return Some(next);
            }
        }
        None
    }
}

#[cfg(test)]
impl Driver {
    /// Makes the server one that holds these parts, and serves or does not.
    pub(super) fn set_known(&mut self, parts: Vec<Part>, reach: Reach) {
        self.inventory.set_parts(parts);
        self.reach = reach;
    }

    /// Has the server seem to have been restarted.
    pub(super) fn restart(&mut self) {
        self.may_have_restarted = true;
    }

    /// Gives a seat this handle there.
    pub(super) fn put(&mut self, now: Mono, handle: Handle, licence: LicenceKey, at: At) {
        self.seat_table.put(now, handle, licence, at);
    }

    /// Returns the number of licences of which seats are being released.
    pub(super) fn releasing(&self) -> usize {
        self.changes.releasing()
    }
}
