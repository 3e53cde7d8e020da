//! The server's side of a stand-in: the calls to the stock server, their order, and what follows
//! from its replies. Seats come before calls of clients, and those before background calls, of
//! which there is one at a time.

use super::calls;
use super::discovery::{Heard, Learner, Learnt, is_unknown};
use super::pool::Pool;
use super::seat_table::At;
use super::stand_in::{Change, Errand, Event, Reach, StandIn, seat_of};
use crate::base::limits::{
    STOCK_CLEANUP, STOCK_KEEP, STOCK_LEARN, STOCK_PING, STOCK_QUEUE, STOCK_RETRY,
};
use crate::base::network::Address;
use crate::base::time::{Deadline, Mono};
use crate::io::Intent;
use crate::link::{CloseReason, LinkId};
use crate::log::{ContainerId, Grant, Handle, LicenceKey};
use crate::messages::group::Report;
use crate::wire::{CmError, Reply, Request};
use alloc::boxed::Box;
use alloc::vec::Vec;

/// The purpose of a call to the server.
#[derive(Clone, Debug)]
pub(super) enum Job {
    Learn,
    Ping,
    /// `quiet`: no client waits for it.
    Take {
        grant: Box<Grant>,
        quiet: bool,
    },
    Give {
        order: u64,
        licence: LicenceKey,
        number: u32,
        again: bool,
    },
    /// A client's call; `holder`: the seat over whose handle it was done.
    Perform {
        line: LinkId,
        correlation: u32,
        holder: Option<(Handle, u32)>,
    },
    Keep(Handle, u32),
}

impl Job {
    fn is_background(&self) -> bool {
        matches!(self, Self::Learn | Self::Ping | Self::Keep(..) | Self::Take { quiet: true, .. })
    }
}

/// Whether another server may do a call that this one could not.
fn elsewhere(status: CmError) -> bool {
    let here = [
        CmError::NETWORK_FAULT,
        CmError::SERVER_NOT_FOUND,
        CmError::SEND_FAULT,
        CmError::RECEIVE_FAULT,
        CmError::INTERNAL_ORGANISATION,
        CmError::NO_MORE_HANDLES,
        CmError::NO_MORE_MEMORY,
        CmError::BOXBUSY,
        CmError::BOXLOST,
        CmError::BOX_NOT_FOUND,
        CmError::SERVER_START_PENDING,
        CmError::REQUEST_OVERLOAD_REJECTED,
    ];
    is_unknown(status) || here.contains(&status)
}

impl StandIn {
    /// Begins discovery.
    pub(super) fn come(&mut self, now: Mono) {
        self.reach = Reach::Coming;
        self.learner.begin();
        self.heard = now;
    }

    /// Queues a client's call, to be done over the handle of its seat at this server, or over one
    /// that takes no licence if it has no seat.
    pub(super) fn perform(&mut self, correlation: u32, licence: LicenceKey, call: &[u8]) {
        match (self.line, Request::parse(call)) {
            (Some(line), Ok(call)) if self.errands.len() < STOCK_QUEUE => {
                self.errands.push_back(Errand { line, correlation, licence, call });
            }
            _ => self.events.push_back(Event::Unable(correlation)),
        }
    }

    /// Closes all connections when a call is late, because the server is silent.
    pub(super) fn timers(&mut self, now: Mono, out: &mut Vec<Intent>) {
        if self.pool.due().is_some_and(|at| at <= now) {
            self.lost(now, CloseReason::Timeout("a stock server is silent"), out);
        }
    }

    /// Returns the next deadline.
    pub(super) fn deadline(&self) -> Option<Deadline> {
        let late = self.pool.due().map(|at| Deadline { at, reason: "stock server is silent" });
        let idle = self.reach == Reach::There && !self.background && self.pool.free();
        let ping = self.heard + STOCK_PING;
        let seat = self.seat_table.first().map_or(ping, |(at, _)| at);
        let at = ping.min(seat).min(self.learn_at);
        let next = idle.then_some(Deadline { at, reason: "see to a stock server" });
        Deadline::sooner(late, next)
    }

    /// Makes calls as long as a connection is free.
    pub(super) fn pump(
        &mut self,
        now: Mono,
        mut new: impl FnMut() -> LinkId,
        out: &mut Vec<Intent>,
    ) {
        while self.reach != Reach::Away && self.pool.free() {
            let Some((job, request)) = self.next(now) else { return };
            self.background |= job.is_background();
            self.pool.call(now, job, &request, &mut new, out);
        }
    }

    fn next(&mut self, now: Mono) -> Option<(Job, Request)> {
        if self.reach == Reach::There {
            if let Some(next) = self.next_change().or_else(|| self.next_errand()) {
                return Some(next);
            }
        }
        if self.background { None } else { self.next_background(now) }
    }

    fn next_change(&mut self) -> Option<(Job, Request)> {
        while let Some((order, change)) = self.changes.front() {
            let order = *order;
            if let Change::Take(grant) = change {
                let giving = seat_of(grant).and_then(|licence| self.giving.get(&licence));
                let first = giving.and_then(|orders| orders.first());
                if first.is_some_and(|&first| first < order) {
                    return None;
                }
            }
            match self.changes.pop_front()?.1 {
                Change::Give { licence, number, again } => {
                    let job = Job::Give { order, licence, number, again };
                    return Some((job, Request::Release { handle: number }));
                }
                Change::Take(grant) if self.seat_table.at(grant.handle) == Some(At::Asked) => {
                    if let Some(next) = self.seat(*grant, false) {
                        return Some(next);
                    }
                }
                // The seat ended before its turn.
                Change::Take(grant) => self.answered(grant.handle, None),
            }
        }
        None
    }

    /// Returns the call that takes a seat.
    fn seat(&mut self, grant: Grant, quiet: bool) -> Option<(Job, Request)> {
        let known = seat_of(&grant).and_then(|licence| self.learnt.licences.get(&licence));
        let Some(known) = known else {
            self.answered(grant.handle, Some(CmError::NO_LICENSE_AVAILABLE));
            return None;
        };
        let request = calls::seat(&known.product, &known.licence, &grant);
        Some((Job::Take { grant: Box::new(grant), quiet }, request))
    }

    fn next_errand(&mut self) -> Option<(Job, Request)> {
        while let Some(Errand { line, correlation, licence, call }) = self.errands.pop_front() {
            let client = Handle(call.handle().unwrap_or_default());
            let known = self.learnt.licences.get(&licence);
            let number = match (self.seat_table.at(client), known) {
                (Some(At::Held(number, _)), _) => Some((number, Some((client, number)))),
                (Some(_), _) => None,
                (None, known) => known.map(|known| (known.number, None)),
            };
            let Some((known, (number, holder))) = known.zip(number.filter(|(n, _)| *n != 0)) else {
                self.events.push_back(Event::Unable(correlation));
                continue;
            };
            let request = calls::translated(call, number, known.product.place);
            return Some((Job::Perform { line, correlation, holder }, request));
        }
        None
    }

    fn next_background(&mut self, now: Mono) -> Option<(Job, Request)> {
        if self.reach == Reach::There && self.learn_at <= now && self.learner.call().is_none() {
            self.learn_at = now + STOCK_LEARN;
            self.learner.begin();
        }
        let learn = self.learner.call().map(|call| (Job::Learn, call));
        if self.reach == Reach::Coming {
            return learn;
        }
        self.learns = !self.learns;
        if self.learns && learn.is_some() {
            return learn;
        }
        self.next_seat(now).or(learn).or_else(|| {
            let silent = self.heard + STOCK_PING <= now;
            silent.then(|| (Job::Ping, calls::ping(self.learner.service())))
        })
    }

    /// Returns the call for the next seat that is due.
    fn next_seat(&mut self, now: Mono) -> Option<(Job, Request)> {
        while let Some((at, handle)) = self.seat_table.first() {
            if at > now {
                return None;
            }
            match self.seat_table.at(handle) {
                Some(At::Held(number, _)) => {
                    self.seat_table.set(now, handle, At::Held(number, now + STOCK_KEEP));
                    return Some((Job::Keep(handle, number), calls::keep(number)));
                }
                _ => self.seat_table.set(now, handle, At::Lacking(now + STOCK_RETRY)),
            }
            let grant = self.grant(handle).filter(|grant| self.matches(grant)).cloned();
            // While a seat of this licence is being released, there may be no free one.
            let Some(grant) = grant.filter(|grant| {
                seat_of(grant).is_some_and(|licence| !self.giving.contains_key(&licence))
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

    /// Takes a reply of the server.
    pub(super) fn replied(&mut self, now: Mono, link: LinkId, bytes: &[u8], out: &mut Vec<Intent>) {
        let job = self.pool.answered(link);
        let (Some(job), Ok(reply)) = (job, Reply::parse(bytes)) else {
            return self.lost(
                now,
                CloseReason::Protocol("a stock server sent no reply to a call"),
                out,
            );
        };
        self.heard = now;
        self.background &= !job.is_background();
        let done = reply.status == CmError::NO_ERROR;
        match job {
            Job::Learn => self.learnt(now, &reply, out),
            Job::Ping if is_unknown(reply.status) => {
                self.learn_at = now;
                self.broke = true;
            }
            Job::Ping => {}
            Job::Take { grant, .. } => self.taken(now, &grant, &reply),
            Job::Give { order, licence, number, .. } => self.given(order, licence, number),
            Job::Keep(handle, number) if is_unknown(reply.status) => {
                self.unknown(now, handle, number);
            }
            Job::Keep(..) => {}
            Job::Perform { line, correlation, holder } => {
                if is_unknown(reply.status) {
                    match holder {
                        Some((handle, number)) => self.unknown(now, handle, number),
                        None => self.learn_at = now,
                    }
                }
                if self.line != Some(line) {
                    return;
                }
                if !done && elsewhere(reply.status) {
                    self.events.push_back(Event::Unable(correlation));
                } else {
                    self.report(correlation, &Report::Performed { reply: bytes.to_vec() });
                }
            }
        }
    }

    fn learnt(&mut self, now: Mono, reply: &Reply, out: &mut Vec<Intent>) {
        let given = reply.status == CmError::NO_ERROR;
        if given && matches!(self.learner.call(), Some(Request::Access2 { .. })) {
            self.seat_table.taken_over(now, reply.result);
        }
        match self.learner.heard(reply) {
            Heard::More => {}
            Heard::Failed(reason) => self.lost(now, CloseReason::Broken(reason), out),
            Heard::Done(learnt) => {
                self.learn_at = now + STOCK_LEARN;
                let same = self.learnt.parts == learnt.parts;
                self.learnt = learnt;
                if self.reach == Reach::Coming {
                    if self.learnt.parts.is_empty() {
                        let server = self.address();
                        tracing::warn!(
                            target: "tmr_core::front::stock::server",
                            %server,
                            "a stock server has no TMR licence in a container of those CmActIds \
                             that VirtualContainers names"
                        );
                    }
                    self.reach = Reach::There;
                    self.join();
                } else if !same {
                    self.hang_up(CloseReason::Stepped("what this stock server holds has changed"));
                }
            }
        }
    }

    /// Takes the server's reply for a seat.
    fn taken(&mut self, now: Mono, grant: &Grant, reply: &Reply) {
        let handle = grant.handle;
        let wanted = self.seat_table.at(handle) == Some(At::Asked);
        let number = (reply.status == CmError::NO_ERROR).then_some(reply.result);
        match number.filter(|&number| number != 0) {
            Some(number) if wanted => {
                self.seat_table.set(now, handle, At::Held(number, now + STOCK_KEEP));
                self.answered(handle, None);
            }
            Some(number) => {
                if let Some(licence) = seat_of(grant) {
                    self.give_number(licence, number, handle);
                }
                self.answered(handle, None);
            }
            None => {
                if wanted {
                    self.seat_table.set(now, handle, At::Lacking(now + STOCK_RETRY));
                }
                let reason = if number.is_none() { reply.status } else { CmError::NO_MORE_HANDLES };
                self.answered(handle, Some(reason));
            }
        }
    }

    /// Ends a release, whatever the reply: a handle that the server does not know takes no seat
    /// there.
    fn given(&mut self, order: u64, licence: LicenceKey, number: u32) {
        self.seat_table.left(number);
        if let Some(orders) = self.giving.get_mut(&licence) {
            orders.remove(&order);
            if orders.is_empty() {
                self.giving.remove(&licence);
            }
        }
    }

    /// Has a seat taken again whose handle the server does not know.
    fn unknown(&mut self, now: Mono, handle: Handle, number: u32) {
        if matches!(self.seat_table.at(handle), Some(At::Held(held, _)) if held == number) {
            tracing::info!(
                target: "tmr_core::front::stock::server",
                %handle, server = %self.address(), "a stock server has lost a seat"
            );
            self.seat_table.set(now, handle, At::Lacking(now));
        }
    }

    /// Handles a connection that is closed, or could not be opened.
    pub(super) fn closed(
        &mut self,
        now: Mono,
        link: LinkId,
        reason: CloseReason,
        out: &mut Vec<Intent>,
    ) {
        let Some(left) = self.pool.gone(link) else { return };
        let Some(job) = left.job else {
            // The server is asked at once, since the other connections may be the next to close.
            self.heard = Mono(0);
            return;
        };
        self.undone(now, job, left.spoke);
        if !left.spoke || self.reach == Reach::Coming {
            self.lost(now, reason, out);
        }
    }

    /// Handles a call without a reply. `doubt`: the server may have done it. A seat that it may
    /// have given has an unknown handle; it stays taken there until the server cleans it up, and
    /// only then another one is requested. A call is repeated at once only once, since the server
    /// may break the connection at that same call.
    fn undone(&mut self, now: Mono, job: Job, doubt: bool) {
        self.background &= !job.is_background();
        match job {
            Job::Take { grant, .. } => {
                let at = if doubt { now + STOCK_CLEANUP } else { now };
                if self.seat_table.at(grant.handle) == Some(At::Asked) {
                    self.seat_table.set(now, grant.handle, At::Lacking(at));
                }
                self.answered(grant.handle, Some(CmError::NETWORK_FAULT));
            }
            Job::Give { order, licence, number, again: false } => {
                let change = Change::Give { licence, number, again: true };
                self.changes.push_front((order, change));
            }
            Job::Give { order, licence, number, .. } => self.given(order, licence, number),
            Job::Perform { line, correlation, .. } if self.line == Some(line) => {
                self.events.push_back(Event::Unable(correlation));
            }
            Job::Learn => {
                // From the start, later: handles that this call may have taken are cleaned up
                // there.
                self.learner.stop();
                self.learn_at = now + STOCK_LEARN;
            }
            Job::Ping => self.heard = now,
            Job::Perform { .. } | Job::Keep(..) => {}
        }
    }

    /// Continues from the start with another server, or with this one and other containers.
    pub(super) fn moved(
        &mut self,
        now: Mono,
        address: Address,
        wanted: Vec<ContainerId>,
        out: &mut Vec<Intent>,
    ) {
        self.lost(now, CloseReason::Stepped("another configuration is in force"), out);
        self.learner = Learner::new(wanted);
        self.learnt = Learnt::default();
        if self.address != address {
            self.pool = Pool::new(address.clone());
            self.seat_table.lack(now);
            self.address = address;
        }
    }

    /// Handles the loss of the server. Releases that were not made are dropped: after a restart
    /// their numbers may be those of other seats, and without a release the server cleans them up.
    fn lost(&mut self, now: Mono, reason: CloseReason, out: &mut Vec<Intent>) {
        for left in self.pool.close(&reason, out) {
            if let Some(job) = left.job {
                self.undone(now, job, left.spoke);
            }
        }
        self.reach = Reach::Away;
        self.broke = true;
        self.changes.clear();
        self.seat_table.stay();
        self.giving.clear();
        self.learner.forget();
        self.learnt.licences.values_mut().for_each(|known| known.number = 0);
        self.seat_table.doubt(now);
        self.hang_up(reason);
    }
}
