//! Reading the copies of the backends that promised, piece by piece, and proposing the entries
//! again when all are read. The rules are those of *Consistency* 5 and 7.

use super::phase::Phase;
use super::{Context, Leadership};
use crate::base::limits::STATE_MAX;
use crate::base::time::Mono;
use crate::front::BackendId;
use crate::front::replication::follower::Progress;
use crate::front::replication::pending_orders::OrderPurpose;
use crate::front::usage::Backfill;
use crate::io::Intent;
use crate::log::{AcceptedEntry, DiskId, Entry, Epoch, GroupId, Setting, Slot, State};
use crate::messages::group::{Order, Piece, Report, Standing};
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

/// What a claim has read so far.
#[derive(Clone, Debug)]
pub(in crate::front) struct LogRecovery {
    pub(in crate::front) epoch: Epoch,
    group: GroupId,
    /// The backends that promised, the one with the most committed slots first.
    from: Vec<BackendId>,
    /// The place in `from` of the one that is being read.
    at: usize,
    /// Its state, while that is being read.
    state: Option<PartialState>,
    /// The next slot to read.
    next: Slot,
    /// For each slot the entry of the highest epoch.
    read: BTreeMap<Slot, AcceptedEntry>,
    /// Every slot up to here is known to be chosen.
    chosen: Slot,
    /// The entries before the state, as far as the usage history has not recorded them.
    backfill: Option<Backfill>,
}

/// The copy with the most committed slots.
#[derive(Clone, Copy, Debug)]
pub(in crate::front) struct BestCopy {
    pub(in crate::front) group: GroupId,
    pub(in crate::front) standing: Standing,
    /// The process of its backend.
    pub(in crate::front) process: u128,
}

/// A state that is read piece by piece. It outlives the claim that began to read it: after a slow
/// or broken connection, only the rest has to be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::front) struct PartialState {
    group: GroupId,
    disk: DiskId,
    /// The process of that disk's backend; reading never continues from another process.
    process: u128,
    /// The slot of the state; `None` before the first piece.
    slot: Option<Slot>,
    bytes: Vec<u8>,
}

impl Leadership {
    /// Keeps the part of a state that was read, for the next claim.
    pub(super) fn keep_partial(&mut self) {
        if let Phase::Reading(reading) = &mut self.phase {
            self.claim.partial = reading.state.take();
        }
    }

    /// Requests the next piece, or proposes again what was read when nothing is left.
    pub(in crate::front) fn read_on(
        &mut self,
        now: Mono,
        ctx: &mut Context<'_>,
        out: &mut Vec<Intent>,
    ) {
        let Phase::Reading(reading) = &mut self.phase else { return };
        let (epoch, piece) = loop {
            let Some(&index) = reading.from.get(reading.at) else {
                return self.prove(now, ctx, out);
            };
            if let Some(state) = &reading.state {
                break (reading.epoch, Piece::State { offset: state.bytes.len() as u64 });
            }
            if let Some(from) = reading.backfill.as_ref().and_then(Backfill::next) {
                break (reading.epoch, Piece::Log { from });
            }
            let last =
                ctx.replication.backend(index).standing().map_or(Slot(0), |standing| standing.last);
            if reading.next <= last {
                break (reading.epoch, Piece::Log { from: reading.next });
            }
            reading.at += 1;
            reading.next = reading.chosen.max(ctx.replication.log().committed()).next();
        };
        let index = reading.from[reading.at];
        ctx.replication.backend_mut(index).ask(
            now,
            OrderPurpose::Fetch(epoch),
            &Order::Fetch { epoch, piece },
            out,
        );
    }

    /// Takes a piece.
    pub(in crate::front) fn fetched(
        &mut self,
        now: Mono,
        report: Report,
        ctx: &mut Context<'_>,
        out: &mut Vec<Intent>,
    ) {
        self.progress(now);
        let Phase::Reading(reading) = &mut self.phase else { return };
        match report {
            Report::State { slot, bytes, last } => {
                let Some(state) = &mut reading.state else { return };
                if state.slot.is_some_and(|begun| begun != slot) {
                    // The backend's state has changed since the claim that began to read it.
                    state.slot = None;
                    state.bytes.clear();
                    return self.read_on(now, ctx, out);
                }
                state.slot = Some(slot);
                if state.bytes.len() + bytes.len() > STATE_MAX {
                    reading.state = None;
                    return self.claim_again(now, "a backend sent a state that is too long", ctx);
                }
                state.bytes.extend_from_slice(&bytes);
                if last {
                    let decoded = State::decode(&state.bytes);
                    reading.state = None;
                    let Some(state) = decoded else {
                        return self.claim_again(now, "a backend sent a state that is none", ctx);
                    };
                    reading.next = slot.next();
                    let (group, index) = (reading.group, reading.from[reading.at]);
                    ctx.replication.log_mut().load(group, slot, state);
                    let facts = ctx.replication.backend(index).facts();
                    let digest = facts.and_then(|facts| facts.digest);
                    ctx.replication.log_mut().learn_digest(digest);
                    let base = ctx
                        .replication
                        .backend(index)
                        .standing()
                        .map_or(slot, |standing| standing.base);
                    let backfill = ctx.usage.backfill(group, base, slot);
                    if let Phase::Reading(reading) = &mut self.phase {
                        reading.backfill = backfill;
                    }
                }
            }
            Report::Log { entries } if !entries.is_empty() && reading.backfill.is_some() => {
                let backfill = reading.backfill.take().expect("it is there").and(entries);
                match backfill.next() {
                    Some(_) => reading.backfill = Some(backfill),
                    None => ctx.usage.fill_in(&backfill, ctx.replication.log_mut()),
                }
            }
            Report::Log { entries } if !entries.is_empty() => {
                for stored in entries {
                    let slot = reading.next;
                    reading.next = slot.next();
                    let newer = reading.read.get(&slot).is_none_or(|had| had.epoch < stored.epoch);
                    if newer {
                        reading.read.insert(slot, stored);
                    }
                }
            }
            _ => return self.claim_again(now, "a backend could not read out its copy", ctx),
        }
        self.read_on(now, ctx, out);
    }

    /// Proposes everything that was read under the new epoch, with one more entry. This front leads
    /// once two members have that on disk.
    pub(super) fn prove(&mut self, now: Mono, ctx: &mut Context<'_>, out: &mut Vec<Intent>) {
        let Phase::Reading(reading) = &mut self.phase else { return };
        let (epoch, chosen) = (reading.epoch, reading.chosen);
        let read = core::mem::take(&mut reading.read);
        let from = core::mem::take(&mut reading.from);
        if ctx.replication.log_mut().adopt(read, chosen).is_none() {
            return self.claim_again(now, "the copies that were read have a gap", ctx);
        }
        if self.recovery.is_busy() {
            return self.make_anew(now, epoch, ctx, out);
        }
        if !ctx.replication.are_voters(&from) {
            return self.ask_the_third(now, epoch, &from, ctx, out);
        }
        self.obstacles.unproved = false;
        let last = ctx.replication.log().last();
        // Slots that were known before the promises were chosen before them: if they cannot be
        // read, they are missing. Slots known only since may have been chosen under a later claim,
        // of which this front learns in a moment.
        let own =
            self.claim.knew.filter(|(group, _)| Some(*group) == ctx.replication.log().group());
        self.obstacles.shortfall =
            own.filter(|(_, known)| *known > last).map(|(_, known)| (known, last));
        if ctx.replication.known_chosen(&self.surroundings(ctx.view())) > last {
            return self.await_more(
                now,
                epoch,
                &from,
                "slots that were chosen are missing",
                ctx,
                out,
            );
        }
        ctx.replication.log_mut().propose(Entry::Configure(Setting::Leader(epoch)));
        ctx.calls.reserve_handles(ctx.replication.log_mut());
        self.phase = Phase::Reproposing { epoch, upto: ctx.replication.log().last(), need: 2 };
        // The backends may have forgotten their promise since, and another front may have written
        // there.
        ctx.replication.begin_round();
        for index in from {
            ctx.replication.backend_mut(index).follower_mut().set_read(true);
        }
        for index in BackendId::all() {
            if ctx.replication.backend(index).progress() == Progress::Promised {
                self.follow(now, index, ctx, out);
            }
        }
    }
}

impl LogRecovery {
    /// Returns a reading of the copies of `from`, the best one first. With `whole` its state is
    /// read, otherwise only the entries from `next` on.
    pub(in crate::front) fn new(
        epoch: Epoch,
        best: BestCopy,
        from: Vec<BackendId>,
        whole: bool,
        next: Slot,
    ) -> Self {
        let BestCopy { group, standing, process } = best;
        let disk = standing.disk;
        let fresh = PartialState { group, disk, process, slot: None, bytes: Vec::new() };
        Self {
            epoch,
            group,
            from,
            at: 0,
            state: whole.then_some(fresh),
            next,
            read: BTreeMap::new(),
            chosen: standing.committed,
            backfill: None,
        }
    }

    /// Continues with what an earlier claim has read, if that was of the same copy.
    pub(super) fn go_on_with(&mut self, partial: Option<PartialState>) {
        let of = |partial: &PartialState| (partial.group, partial.disk, partial.process);
        if let (Some(state), Some(partial)) = (&mut self.state, partial) {
            if of(state) == of(&partial) {
                *state = partial;
            }
        }
    }

    /// Returns whether a backend's copy is part of this reading.
    pub(in crate::front) fn reads(&self, index: BackendId) -> bool {
        self.from.contains(&index)
    }

    /// For an exhaustive check: adds what was read, apart from the order of the backends.
    #[cfg(feature = "model")]
    pub(in crate::front) fn fingerprint(
        &self,
        print: &mut crate::front::model::Print,
        name: &dyn Fn(DiskId) -> u8,
    ) {
        // Entries that are filled in later change no decision.
        let Self { epoch, group, from: _, at, state, next, read, chosen, backfill: _ } = self;
        let state = state.as_ref().map(|state| state.fingerprint(name));
        print.add(&(epoch, group, at, state, next, read, chosen));
    }

    /// For an exhaustive check: returns when a backend's copy is read.
    #[cfg(feature = "model")]
    pub(in crate::front) fn turn(&self, index: BackendId) -> Option<usize> {
        self.from.iter().position(|&read| read == index)
    }
}

#[cfg(feature = "model")]
impl PartialState {
    /// For an exhaustive check: returns whether a part is read, so that reading can continue.
    pub(in crate::front) fn is_begun(&self) -> bool {
        self.slot.is_some()
    }

    /// For an exhaustive check: returns what was read, with the name of the disk in the check.
    pub(in crate::front) fn fingerprint(
        &self,
        name: &dyn Fn(DiskId) -> u8,
    ) -> (GroupId, u8, Option<Slot>, Vec<u8>) {
        // The name of a process is random, and each disk has one process here.
        let Self { group, disk, process: _, slot, bytes } = self;
        (*group, name(*disk), *slot, bytes.clone())
    }
}
