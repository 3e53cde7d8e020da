//! Calls that wait for a slot to commit. Each ends within its time, with an answer or an error.

use super::any_one::{Performance, Performers};
use super::copies::distinct;
use super::{Calls, Context, recording};
use crate::base::time::Mono;
use crate::front::BackendId;
use crate::front::replication::follower::Progress;
use crate::front::replication::vote::{Vote, vote};
use crate::io::Intent;
use crate::link::LinkId;
use crate::log::{Entry, Grant, LicenceKey, Outcome, Slot};
use crate::wire::{CmError, Reply};
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

/// What a call waits for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Waits {
    /// A grant: the client gets its handle.
    Grant(Grant),
    /// A release.
    Release,
    /// Units: the call that takes them is done after the commit.
    Spend(LicenceKey, Vec<u8>),
}

/// A call whose entry is proposed and not answered yet.
#[derive(Clone, Debug)]
struct PendingCommit {
    /// The link of the client; `None` if the client is gone.
    link: Option<LinkId>,
    /// What it waits for.
    waits: Waits,
    /// The backends whose own part differs from the grant.
    differs: [bool; 3],
    /// The errors with which stock servers refused the seat.
    errors: [Option<CmError>; 3],
    /// Whether it is committed, and waits for the twin to have it.
    twin: bool,
    until: Mono,
}

/// A call that waits for an entry that is to be proposed.
#[derive(Debug)]
pub(super) struct Proposal {
    pub(super) link: LinkId,
    pub(super) entry: Entry,
    pub(super) waits: Waits,
    /// When its time ends.
    pub(super) until: Mono,
}

/// The calls that wait for their slot, by slot.
#[derive(Clone, Debug, Default)]
pub(super) struct PendingCommits {
    commits: BTreeMap<Slot, PendingCommit>,
    until: BTreeSet<(Mono, Slot)>,
}

impl PendingCommits {
    pub(super) fn is_empty(&self) -> bool {
        self.commits.is_empty()
    }

    /// Returns the last slot that a call waits for.
    pub(super) fn last(&self) -> Option<Slot> {
        self.commits.last_key_value().map(|(slot, _)| *slot)
    }

    /// Returns when the time of the first call ends.
    pub(super) fn due(&self) -> Option<Mono> {
        self.until.first().map(|&(until, _)| until)
    }

    pub(super) fn differs(&mut self, id: BackendId, slot: Slot) {
        if let Some(flight) = self.commits.get_mut(&slot) {
            flight.differs[id] = true;
        }
    }

    pub(super) fn refused(&mut self, id: BackendId, slot: Slot, error: CmError) {
        if let Some(flight) = self.commits.get_mut(&slot) {
            flight.errors[id] = Some(error);
        }
    }

    /// Drops all calls. Returns the grants for which some of them waited.
    pub(super) fn take_grants(&mut self) -> impl Iterator<Item = Grant> {
        self.until.clear();
        core::mem::take(&mut self.commits).into_values().filter_map(|flight| match flight.waits {
            Waits::Grant(grant) => Some(grant),
            Waits::Release | Waits::Spend(..) => None,
        })
    }

    fn insert(&mut self, slot: Slot, flight: PendingCommit) {
        self.until.insert((flight.until, slot));
        self.commits.insert(slot, flight);
    }

    fn remove(&mut self, slot: Slot) -> Option<PendingCommit> {
        let flight = self.commits.remove(&slot)?;
        self.until.remove(&(flight.until, slot));
        Some(flight)
    }

    /// Lets the reply of a committed call wait for the twin until `late`; it is not refused any
    /// more.
    fn wait_for_twin(&mut self, slot: Slot, late: Mono) {
        let Some(flight) = self.commits.get_mut(&slot).filter(|flight| !flight.twin) else {
            return;
        };
        self.until.remove(&(flight.until, slot));
        flight.twin = true;
        flight.until = late;
        self.until.insert((late, slot));
    }
}

impl Calls {
    /// Proposes an entry for a client, which waits for its commit unless it is a grant that takes
    /// nothing.
    pub(super) fn commit(
        &mut self,
        now: Mono,
        proposal: Proposal,
        context: &mut Context<'_>,
        out: &mut Vec<Intent>,
    ) {
        let Proposal { link, entry, waits, until } = proposal;
        let released = if let Entry::Release(handle) = entry { Some(handle) } else { None };
        // A grant is applied first: no client is sent a grant that does not hold.
        let (slot, outcome) = context.log.propose(entry);
        if let Outcome::Refused(refusal) = outcome {
            // The service has checked the same state; this is the last line of defence.
            return self.refuse(link, refusal.into(), out);
        }
        if let Some(handle) = released {
            self.service.linger(now, handle, context.log.speculative_state());
        }
        let waits = match waits {
            // The grant is sent in this step, and is on two disks some milliseconds later. Its
            // release still waits for the disks: otherwise it could be the one of the two entries
            // that is lost, and a handle that was given back would exist again.
            Waits::Grant(grant) if !grant.waits_for_disk() => {
                return self.service.granted(now, link, &grant, out);
            }
            waits => waits,
        };
        let (differs, errors) = ([false; 3], [None; 3]);
        let flight = PendingCommit { link: Some(link), waits, differs, errors, twin: false, until };
        self.pending.insert(slot, flight);
    }

    /// Answers committed calls, once enough backends have reported that their part agrees, and in
    /// unfenced mode the twin has the slot.
    pub(in crate::front) fn answer_committed(
        &mut self,
        now: Mono,
        context: &mut Context<'_>,
        out: &mut Vec<Intent>,
    ) {
        let committed = context.log.committed();
        let ready = self.pending.commits.range(..=committed).map(|(slot, _)| *slot);
        for slot in ready.collect::<Vec<Slot>>() {
            let Some(flight) = self.pending.commits.get(&slot) else { continue };
            let agreed = flight.twin
                || match &flight.waits {
                    Waits::Grant(grant) => {
                        let agree = |i| self.agrees(i, slot, grant, flight.differs, context);
                        // The same container at two backends counts as one part.
                        distinct(BackendId::all().filter_map(agree)) >= 2
                    }
                    Waits::Release | Waits::Spend(..) => true,
                };
            let awaited = BackendId::all().any(|i| match context.backends[i].progress() {
                Progress::Following { matched, .. } => matched < slot && !flight.differs[i],
                _ => false,
            });
            if !agreed && awaited {
                continue;
            }
            let late = context.twin.as_ref().and_then(|twin| twin.holds_back(now, slot));
            if let Some(late) = late.filter(|_| agreed) {
                self.pending.wait_for_twin(slot, late);
                continue;
            }
            if let Some(flight) = self.pending.remove(slot) {
                self.answer(now, flight, agreed, context, out);
            }
        }
    }

    /// Answers a call whose slot is committed. `agreed`: enough backends hold a matching part.
    fn answer(
        &mut self,
        now: Mono,
        flight: PendingCommit,
        agreed: bool,
        context: &mut Context<'_>,
        out: &mut Vec<Intent>,
    ) {
        let PendingCommit { link, waits, errors, until, .. } = flight;
        let link = link.filter(|&link| self.service.knows(link));
        match (waits, link) {
            (Waits::Grant(grant), Some(link)) if agreed => {
                self.service.granted(now, link, &grant, out);
            }
            (Waits::Grant(grant), None) if agreed => {
                context.give_back(grant.handle, "its client went away");
            }
            (Waits::Grant(grant), link) => {
                context.give_back(grant.handle, "fewer than two backends hold a matching part");
                if let Some(link) = link {
                    let error = why_not(errors, context);
                    self.denied_grant(&grant, error, context);
                    self.refuse(link, error, out);
                }
            }
            (Waits::Release, Some(link)) => self.service.released(link, out),
            (Waits::Spend(licence, call), Some(link)) => {
                self.perform(now, Performance { link, licence, call, until }, context, out);
            }
            (Waits::Release | Waits::Spend(..), None) => {}
        }
    }

    /// Sends a call to the healthy backend with the least load.
    pub(super) fn perform(
        &mut self,
        now: Mono,
        performance: Performance,
        context: &mut Context<'_>,
        out: &mut Vec<Intent>,
    ) {
        let Self { service, virtuals, any_one, .. } = self;
        any_one.perform(now, performance, &mut Performers::new(service, virtuals, context), out);
    }

    /// Returns the serial of the container with a backend's part if the backend has the grant on
    /// disk and its part agrees; otherwise `None`. It agrees by the acknowledgement and by its
    /// latest description: a backend that returned with the slot already committed does not compare
    /// that grant again.
    fn agrees(
        &self,
        id: BackendId,
        slot: Slot,
        grant: &Grant,
        differs: [bool; 3],
        context: &Context<'_>,
    ) -> Option<u32> {
        let merged = self.virtuals.merged.get(grant.held.licence()?)?;
        let backend = &context.backends[id];
        let follows = backend.follows() && backend.matched() >= slot;
        let same = merged.prints[id] == Some(grant.fingerprint) && !differs[id];
        merged.serials[id].filter(|_| follows && same)
    }

    /// Ends calls whose slot was not committed in time.
    pub(super) fn end_late_commits(
        &mut self,
        now: Mono,
        context: &mut Context<'_>,
        out: &mut Vec<Intent>,
    ) {
        while let Some(&(until, slot)) = self.pending.until.first() {
            if until > now {
                break;
            }
            self.pending.until.pop_first();
            if self.pending.commits.get(&slot).is_some_and(|flight| flight.twin) {
                let last = context.log.last();
                context.twin.iter_mut().for_each(|twin| twin.is_late(last));
                continue;
            }
            let Some(flight) = self.pending.commits.remove(&slot) else { continue };
            if let Waits::Grant(grant) = &flight.waits {
                context.give_back(grant.handle, "two backends did not confirm it in time");
                if flight.link.is_some() {
                    self.denied_grant(grant, CmError::REDUNDANCY_SERVER_MISSING, context);
                }
            }
            if let Some(link) = flight.link {
                // Not 238, after which a client may do anything again: this call was begun.
                self.refuse(link, CmError::REDUNDANCY_SERVER_MISSING, out);
            }
        }
    }

    /// Records that a grant that was proposed is refused.
    fn denied_grant(&self, grant: &Grant, error: CmError, context: &mut Context<'_>) {
        let (usage, lent) = recording(context, &self.virtuals);
        let denial = usage.denied_grant(grant, error, &lent);
        context.operator.note_denial(denial);
    }

    /// Refuses an access or a release that was proposed.
    fn refuse(&mut self, link: LinkId, error: CmError, out: &mut Vec<Intent>) {
        self.service.send(link, &Reply::error(error), out);
    }
}

/// Returns the error for a client whose seat fewer than two stock servers have given: the one that
/// two of them reported, or else any reported one; 218 if there is none. An unreached server is
/// reported only if no server reported more.
fn why_not(errors: [Option<CmError>; 3], context: &Context<'_>) -> CmError {
    let said = errors.map(|error| error.filter(|error| *error != CmError::NETWORK_FAULT));
    match (vote(said), said.into_iter().flatten().next()) {
        (Vote::Agreed(error), _) | (_, Some(error)) => error,
        _ if errors == [None; 3] => CmError::NO_LICENSE_AVAILABLE,
        _ if context.could_serve() => CmError::NETWORK_FAULT,
        _ => CmError::REDUNDANCY_SERVER_MISSING,
    }
}

#[cfg(feature = "model")]
impl PendingCommits {
    /// For an exhaustive check: adds which slots are waited for, by which clients, and for what.
    pub(super) fn fingerprint(&self, print: &mut crate::front::print::Print) {
        for (slot, flight) in &self.commits {
            // Whose parts differ is added with each backend.
            let PendingCommit { link, waits, differs: _, errors: _, twin: _, until: _ } = flight;
            print.add(&(slot, matches!(waits, Waits::Grant(_)), link.map(|link| link.0)));
        }
    }

    /// For an exhaustive check: returns from which grants the parts of a backend differ.
    pub(super) fn differing(&self, id: BackendId) -> Vec<bool> {
        self.commits.values().map(|flight| flight.differs[id]).collect()
    }

    /// For an exhaustive check: makes the oldest call late. Returns `false` if there is none.
    pub(super) fn let_fire(&mut self, due: Mono) -> bool {
        let Some((_, slot)) = self.until.pop_first() else { return false };
        self.until.insert((due, slot))
    }
}
