//! Calls on their way: those that wait for a slot to commit, those that a backend works on, and
//! those that wait for this front to lead. Each ends within its time, with an answer or an error.

use super::copies::distinct;
use super::virtual_containers::VirtualContainers;
use crate::front::replication::backend_link::{BackendLink, LinkState, OrderPurpose, Progress};
use crate::front::replication::vote::{Vote, vote};
use crate::front::{Front, Phase};
use crate::io::Intent;
use crate::limits::ANYONE_TIMEOUT;
use crate::link::Link;
use crate::log::{Entry, Grant, Handle, LicenceKey, Outcome, Slot};
use crate::time::Mono;
use crate::wire::group::Order;
use crate::wire::{CmError, Reply, Request};
use alloc::vec::Vec;

/// What waits for its slot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::front) enum Waits {
    /// A grant: the client gets its handle.
    Grant(Grant),
    /// A release.
    Release,
    /// Units: the call that takes them is done now.
    Spend(LicenceKey, Vec<u8>),
}

/// A call whose entry is proposed and not answered yet.
#[derive(Clone, Debug)]
pub(in crate::front) struct PendingCommit {
    /// Who asked; `None` when it has gone away.
    pub(in crate::front) link: Option<Link>,
    /// What for.
    pub(in crate::front) waits: Waits,
    /// Backends whose own part is not as the grant says.
    pub(in crate::front) differs: [bool; 3],
    /// Why stock servers refused the seat.
    pub(in crate::front) errors: [Option<CmError>; 3],
    /// It is committed, and waits for the twin to have it.
    pub(in crate::front) twin: bool,
    pub(in crate::front) until: Mono,
}

/// A call that one backend does: whichever answers first.
#[derive(Clone, Debug)]
pub(in crate::front) struct AnyOneCall {
    link: Link,
    licence: LicenceKey,
    /// As the client said it.
    call: Vec<u8>,
    tried: [bool; 3],
    at: usize,
    next_at: Mono,
    until: Mono,
}

impl Front {
    /// Proposes an entry for a client, which waits for it unless it is a grant that takes nothing.
    pub(in crate::front) fn commit(
        &mut self,
        now: Mono,
        until: Mono,
        link: Link,
        (entry, waits): (Entry, Waits),
        out: &mut Vec<Intent>,
    ) {
        let released = if let Entry::Release(handle) = entry { Some(handle) } else { None };
        // Nobody is told of a grant before it is known to hold: it is folded in first.
        let (slot, outcome) = self.log.propose(entry);
        if let Outcome::Refused(refusal) = outcome {
            // The desk has checked this very state; kept as the last line of defence.
            return self.refuse(link, refusal.into(), out);
        }
        if let Some(handle) = released {
            self.desk.linger(now, handle, self.log.speculative_state());
        }
        let waits = match waits {
            // It goes out with this very step, and is on two disks some milliseconds later. Its
            // release waits for the disks all the same: told before, it could be the one entry of
            // the two that is lost, and a handle that was given back would live again.
            Waits::Grant(grant) if !grant.waits_for_disk() => {
                return self.desk.granted(now, link, &grant, out);
            }
            waits => waits,
        };
        let (differs, errors) = ([false; 3], [None; 3]);
        let flight = PendingCommit { link: Some(link), waits, differs, errors, twin: false, until };
        self.commits.insert(slot, flight);
        self.commits_until.insert((until, slot));
    }

    /// Answers what is committed, once enough backends have said that their part agrees, and in
    /// unfenced mode the twin has it.
    pub(in crate::front) fn answer_committed(&mut self, now: Mono, out: &mut Vec<Intent>) {
        let committed = self.log.committed();
        let ready: Vec<Slot> = self.commits.range(..=committed).map(|(slot, _)| *slot).collect();
        for slot in ready {
            let Some(flight) = self.commits.get(&slot) else { continue };
            let agreed = flight.twin
                || match &flight.waits {
                    Waits::Grant(grant) => {
                        let agree = |i| self.agrees(i, slot, grant, flight.differs);
                        // The same container at two backends is one part.
                        distinct((0..3).filter_map(agree)) >= 2
                    }
                    Waits::Release | Waits::Spend(..) => true,
                };
            let awaited = (0..3).any(|i| match self.backends[i].progress {
                Progress::Following { matched, .. } => matched < slot && !flight.differs[i],
                _ => false,
            });
            if !agreed && awaited {
                continue;
            }
            if let Some(late) =
                self.twin.as_ref().and_then(|twin| twin.holds_back(now, slot)).filter(|_| agreed)
            {
                self.wait_for_twin(slot, late);
                continue;
            }
            let Some(PendingCommit { link, waits, errors, until, .. }) = self.commits.remove(&slot)
            else {
                continue;
            };
            self.commits_until.remove(&(until, slot));
            let link = link.filter(|&link| self.desk.knows(link));
            match (waits, link) {
                (Waits::Grant(grant), Some(link)) if agreed => {
                    self.desk.granted(now, link, &grant, out);
                }
                (Waits::Grant(grant), None) if agreed => {
                    self.give_back(grant.handle, "its client went away");
                }
                (Waits::Grant(grant), link) => {
                    self.give_back(grant.handle, "fewer than two backends hold a matching part");
                    if let Some(link) = link {
                        let error = self.why_not(errors);
                        self.denied_grant(&grant, error);
                        self.refuse(link, error, out);
                    }
                }
                (Waits::Release, Some(link)) => self.desk.released(link, out),
                (Waits::Spend(licence, call), Some(link)) => {
                    self.perform(now, until, link, (licence, call), out);
                }
                (Waits::Release | Waits::Spend(..), None) => {}
            }
        }
    }

    /// What is committed is not refused any more: its reply waits for the twin, until then.
    fn wait_for_twin(&mut self, slot: Slot, late: Mono) {
        let Some(flight) = self.commits.get_mut(&slot).filter(|flight| !flight.twin) else {
            return;
        };
        self.commits_until.remove(&(flight.until, slot));
        (flight.twin, flight.until) = (true, late);
        self.commits_until.insert((late, slot));
    }

    /// A stock server has refused a grant, which will be among those it does not hold.
    pub(in crate::front) fn refused_there(&mut self, index: usize, slot: Slot, error: CmError) {
        if let Some(flight) = self.commits.get_mut(&slot) {
            flight.errors[index] = Some(error);
        }
    }

    /// A stock server cannot do a call now, and another one may: it is tried there.
    pub(in crate::front) fn unable(
        &mut self,
        now: Mono,
        index: usize,
        correlation: u32,
        out: &mut Vec<Intent>,
    ) {
        let Some(pending) = self.backends[index].answered(now, correlation) else { return };
        self.backends[index].busy = self.backends[index].busy.saturating_sub(1);
        self.failover_from(now, index, alloc::vec![pending.what], out);
    }

    /// A backend has the grant on disk, and its own part is as the grant says: by its word with
    /// the acknowledgement, and by what it last said of its parts, because one that came back
    /// with the slot already committed is not asked for that word again. Returns the serial of the
    /// container that the part is in; `None`: it does not agree.
    fn agrees(&self, index: usize, slot: Slot, grant: &Grant, differs: [bool; 3]) -> Option<u32> {
        let merged = self.virtuals.merged.get(grant.held.licence()?)?;
        let matched = self.backends[index].matched();
        let follows =
            matches!(self.backends[index].progress, Progress::Following { .. }) && matched >= slot;
        let same = merged.prints[index] == Some(grant.fingerprint) && !differs[index];
        merged.serials[index].filter(|_| follows && same)
    }

    /// What a client is told whose seat fewer than two backends have given: the error that two of
    /// them have named, or else any one; 218 if none has named one. That a server was not reached
    /// is told only if no server said more.
    fn why_not(&self, errors: [Option<CmError>; 3]) -> CmError {
        let said = errors.map(|error| error.filter(|error| *error != CmError::NETWORK_FAULT));
        match (vote(said), said.into_iter().flatten().next()) {
            (Vote::Agreed(error), _) | (_, Some(error)) => error,
            _ if errors == [None; 3] => CmError::NO_LICENSE_AVAILABLE,
            _ if self.could_serve() => CmError::NETWORK_FAULT,
            _ => CmError::REDUNDANCY_SERVER_MISSING,
        }
    }

    /// Takes a handle back that nobody was told of, or whose holder is gone.
    pub(in crate::front) fn give_back(&mut self, handle: Handle, reason: &str) {
        let leads = matches!(self.phase, Phase::Leading { .. });
        if leads && self.log.speculative_state().seat(handle).is_some() {
            tracing::info!(target: "tmr_core::front::flight", %handle, reason, "handle given back");
            self.log.propose(Entry::Expire(handle));
        }
    }

    /// Ends what has waited too long.
    pub(in crate::front) fn end_late(&mut self, now: Mono, out: &mut Vec<Intent>) {
        while let Some(&(until, slot)) = self.commits_until.first() {
            if until > now {
                break;
            }
            self.commits_until.pop_first();
            if self.commits.get(&slot).is_some_and(|flight| flight.twin) {
                let last = self.log.last();
                self.twin.iter_mut().for_each(|twin| twin.is_late(last));
                continue;
            }
            let Some(flight) = self.commits.remove(&slot) else { continue };
            if let Waits::Grant(grant) = &flight.waits {
                self.give_back(grant.handle, "two backends did not confirm it in time");
                if flight.link.is_some() {
                    self.denied_grant(grant, CmError::REDUNDANCY_SERVER_MISSING);
                }
            }
            if let Some(link) = flight.link {
                // Not 238, after which a client may do anything again: this call was begun.
                self.refuse(link, CmError::REDUNDANCY_SERVER_MISSING, out);
            }
        }
        while let Some(&(until, link)) = self.parked_until.first() {
            if until > now {
                break;
            }
            self.parked_until.pop_first();
            let Some((_, call)) = self.parked.remove(&link) else { continue };
            let error = self.no_majority();
            self.turn_down(link, &call, error, out);
        }
        while let Some(&(at, number)) = self.next_attempts.first() {
            if at > now {
                break;
            }
            self.next_attempts.pop_first();
            self.failover_to_next(now, number, out);
        }
    }

    /// When something of this is due.
    pub(in crate::front) fn flights_due(&self) -> Option<Mono> {
        let commit = self.commits_until.first().map(|&(until, _)| until);
        let parked = self.parked_until.first().map(|&(until, _)| until);
        let anyone = self.next_attempts.first().map(|&(at, _)| at);
        [commit, parked, anyone].into_iter().flatten().min()
    }

    /// The error that says why nothing could be decided, and nothing was begun.
    pub(in crate::front) fn no_majority(&self) -> CmError {
        let up = self.backends.iter().filter(|backend| backend.known().is_some()).count();
        if up < 2 { CmError::REDUNDANCY_SERVER_MISSING } else { CmError::SERVER_START_PENDING }
    }

    /// Sends a call to the healthy backend with the least to do.
    pub(in crate::front) fn perform(
        &mut self,
        now: Mono,
        until: Mono,
        link: Link,
        (licence, call): (LicenceKey, Vec<u8>),
        out: &mut Vec<Intent>,
    ) {
        self.any_one_number += 1;
        let flight =
            AnyOneCall { link, licence, call, tried: [false; 3], at: 0, next_at: now, until };
        self.any_one.insert(self.any_one_number, flight);
        self.failover_to_next(now, self.any_one_number, out);
    }

    /// Tries an any-one call at the next backend; the client sees nothing of it.
    pub(in crate::front) fn failover_to_next(
        &mut self,
        now: Mono,
        number: u64,
        out: &mut Vec<Intent>,
    ) {
        let Some(flight) = self.any_one.get_mut(&number) else { return };
        self.next_attempts.remove(&(flight.next_at, number));
        let next = next_holder(&self.backends, &self.virtuals, flight, number);
        let Some(index) = next.filter(|_| now < flight.until) else {
            let Some(flight) = self.any_one.remove(&number) else { return };
            return self.unanswered(&flight, out);
        };
        flight.tried[index] = true;
        flight.at = index;
        flight.next_at = (now + ANYONE_TIMEOUT).min(flight.until);
        self.next_attempts.insert((flight.next_at, number));
        let order = Order::Perform { licence: flight.licence, call: flight.call.clone() };
        self.backends[index].busy += 1;
        self.backends[index].ask(now, OrderPurpose::Perform(number), &order, out);
    }

    /// No backend is left to try.
    fn unanswered(&mut self, flight: &AnyOneCall, out: &mut Vec<Intent>) {
        match Request::parse(&flight.call) {
            Ok(call) => {
                tracing::warn!(
                    target: "tmr_core::front::flight",
                    call = call.name(), "no backend has answered a call in time"
                );
                self.desk.refuse(flight.link, &call, CmError::NETWORK_FAULT, out);
            }
            Err(malformed) => self.desk.misread(flight.link, &malformed, out),
        }
    }

    /// A backend has done a call. The first answer counts; a later one finds no flight. One whose
    /// part was taken away while the call was on its way is no answer while there is another part.
    pub(in crate::front) fn performed(
        &mut self,
        now: Mono,
        index: usize,
        number: u64,
        reply: Vec<u8>,
        out: &mut Vec<Intent>,
    ) {
        self.backends[index].busy = self.backends[index].busy.saturating_sub(1);
        let Some(flight) = self.any_one.get(&number) else { return };
        let gone = Reply::parse(&reply).is_ok_and(|reply| reply.status == CmError::ENTRY_NOT_FOUND);
        if gone && flight.at != index {
            return;
        }
        if gone && next_holder(&self.backends, &self.virtuals, flight, number).is_some() {
            return self.failover_to_next(now, number, out);
        }
        if let Some(flight) = self.any_one.remove(&number) {
            self.next_attempts.remove(&(flight.next_at, number));
            self.desk.pass(flight.link, reply, out);
        }
    }

    /// A backend is gone: what it was working on is tried at another.
    pub(in crate::front) fn failover_from(
        &mut self,
        now: Mono,
        index: usize,
        lost: Vec<OrderPurpose>,
        out: &mut Vec<Intent>,
    ) {
        for asked in lost {
            if let OrderPurpose::Perform(number) = asked {
                if self.any_one.get(&number).is_some_and(|flight| flight.at == index) {
                    self.failover_to_next(now, number, out);
                }
            }
        }
    }

    /// Forgets every call on its way; the links they came by are closed by the caller. A front
    /// that leads on must not keep the seats: nobody was told of them, and nobody watches them.
    pub(in crate::front) fn drop_flights(&mut self) {
        self.commits_until.clear();
        for flight in core::mem::take(&mut self.commits).into_values() {
            if let Waits::Grant(grant) = &flight.waits {
                self.give_back(grant.handle, "this front could not confirm it");
            }
        }
        self.any_one.clear();
        self.next_attempts.clear();
        self.parked.clear();
        self.parked_until.clear();
    }

    /// Keeps a call until this front leads, or its time is up.
    pub(in crate::front) fn park(&mut self, until: Mono, link: Link, call: Request) {
        self.unpark_one(link);
        self.parked_until.insert((until, link));
        self.parked.insert(link, (until, call));
    }

    /// A parked call's link is gone.
    pub(in crate::front) fn unpark_one(&mut self, link: Link) {
        if let Some((until, _)) = self.parked.remove(&link) {
            self.parked_until.remove(&(until, link));
        }
    }

    /// Takes up the calls that waited for this front to lead, each with the end of its time.
    pub(in crate::front) fn unpark(&mut self) -> Vec<(Link, Mono, Request)> {
        self.parked_until.clear();
        let parked = core::mem::take(&mut self.parked).into_iter();
        parked.map(|(link, (until, call))| (link, until, call)).collect()
    }
}

/// The healthy backend with the least to do that holds a matching part and was not tried yet.
fn next_holder(
    backends: &[BackendLink; 3],
    virtuals: &VirtualContainers,
    flight: &AnyOneCall,
    number: u64,
) -> Option<usize> {
    let merged = virtuals.merged.get(&flight.licence)?;
    (0..3)
        .filter(|&i| !flight.tried[i] && merged.prints[i] == Some(merged.print))
        .filter(|&i| matches!(backends[i].link_state, LinkState::Up(_)))
        // Equal ones take turns, so that load is spread evenly.
        .min_by_key(|&i| (backends[i].busy, (i as u64 + number) % 3))
}
