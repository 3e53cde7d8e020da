//! Taking the lead: claim an epoch, read the log from those who promised it, prove that it
//! commits; or, once, the birth of a group. The rules are those of *Consistency* 5 and 7.

use crate::base::limits::{CLAIM_DOUBLED, CLAIM_PAUSE, CLAIM_TIMEOUT, STATE_MAX};
use crate::base::time::{Mono, Wall};
use crate::front::replication::backend_link::{BackendLink, LinkState, OrderPurpose, Progress};
use crate::front::replication::membership::is_unborn;
use crate::front::usage::Backfill;
use crate::front::{Front, Phase};
use crate::io::Intent;
use crate::log::{AcceptedEntry, DiskId, Entry, Epoch, GroupId, Setting, Slot, State};
use crate::messages::group::{Order, Piece, Report, Standing};
use alloc::boxed::Box;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

/// What a claim has read so far, one piece after the other.
#[derive(Clone, Debug)]
pub(in crate::front) struct LogRecovery {
    pub(in crate::front) epoch: Epoch,
    group: GroupId,
    /// Backends that promised, the one with the most committed slots first.
    from: Vec<usize>,
    /// Which of them is being read.
    at: usize,
    /// Its state, while that is read.
    state: Option<PartialState>,
    /// The next slot to read.
    next: Slot,
    /// Per slot the entry of the highest epoch.
    read: BTreeMap<Slot, AcceptedEntry>,
    /// Every slot up to here is known to be chosen.
    chosen: Slot,
    /// What led to the state, where the usage history has not got so far.
    backfill: Option<Backfill>,
}

/// The copy with the most committed slots.
#[derive(Clone, Copy, Debug)]
pub(in crate::front) struct BestCopy {
    pub(in crate::front) group: GroupId,
    pub(in crate::front) standing: Standing,
    /// Of its backend.
    pub(in crate::front) process: u128,
}

/// A state that is read piece by piece. It outlives the claim that began it, so that a line that
/// is slow or breaks costs a front what it has still to read, and not what it has read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::front) struct PartialState {
    group: GroupId,
    disk: DiskId,
    /// Of that disk's backend: what is read of one process is never continued from another.
    process: u128,
    /// What the state stands for; `None` before the first piece.
    slot: Option<Slot>,
    bytes: Vec<u8>,
}

impl Front {
    /// Asks all who are there for a promise of an epoch above any that was seen.
    pub(in crate::front) fn claim(&mut self, now: Mono, out: &mut Vec<Intent>) {
        for backend in
            self.replication.backends().iter().filter(|backend| backend.exclusion.is_none())
        {
            if let Some(standing) = backend.standing() {
                self.highest = self.highest.max(standing.promised);
            }
        }
        let epoch = self.highest.next_of(self.config.front);
        self.highest = epoch;
        self.claim_knew = self
            .replication
            .log()
            .group()
            .map(|group| (group, self.replication.known_chosen(&self.surroundings())));
        self.replication.log_mut().drop_uncommitted();
        self.calls.forget_block();
        self.silenced = false;
        self.phase = Phase::Claiming { epoch };
        self.claim_until = now + CLAIM_TIMEOUT;
        tracing::debug!(target: "tmr_core::front::claim", %epoch, "claiming the lead");
        self.replication.forget_confirmations();
        for backend in self.replication.backends_mut() {
            backend.progress = Progress::NotPromised;
            backend.was_read = false;
            backend.was_here = matches!(backend.link_state, LinkState::Up(_));
            if backend.known().is_some() && backend.exclusion.is_none() {
                backend.ask(now, OrderPurpose::Claim(epoch), &Order::Claim { epoch }, out);
            }
        }
    }

    /// Gives this claim up and makes another one after a random pause, so that two fronts do not
    /// keep each other from leading. The pause doubles with each claim that leads nowhere, and
    /// before the next one the backends are asked whether another front leads meanwhile.
    pub(in crate::front) fn claim_again(&mut self, now: Mono, reason: &str) {
        self.recovery_failed(reason);
        self.keep_partial();
        let doubled = self.futile.min(CLAIM_DOUBLED);
        let pause = self.random.pause(CLAIM_PAUSE) * (1 << doubled);
        self.futile += 1;
        tracing::debug!(
            target: "tmr_core::front::claim",
            reason, pause_ms = pause.as_millis(), "claim given up, another follows"
        );
        self.phase = Phase::Pausing { until: now + pause };
        // It is asked at once, for the answer to be there in time.
        self.heartbeat = now;
    }

    /// What was read of a state is gone on with by the next claim.
    fn keep_partial(&mut self) {
        if let Phase::Reading(reading) = &mut self.phase {
            self.partial = reading.state.take();
        }
    }

    /// A claim gets on: it is given up only when that stops.
    fn progress(&mut self, now: Mono) {
        self.claim_until = now + CLAIM_TIMEOUT;
    }

    /// A backend has promised the current epoch: on with the claim, or let it follow.
    /// `before` is what it had promised until then.
    pub(in crate::front) fn promised(
        &mut self,
        now: Mono,
        index: usize,
        before: Epoch,
        out: &mut Vec<Intent>,
    ) {
        if self.recovery.is_busy() {
            return self.promised_to_recover(now, index, out);
        }
        let (replication, context) = self.with_replication();
        replication.look_back(index, before, &context);
        self.judge(now, out);
        if self.replication.backend(index).exclusion.is_some() {
            return;
        }
        self.progress(now);
        self.replication.backend_mut(index).progress = Progress::Promised;
        match self.phase {
            Phase::Claiming { epoch } => self.weigh(now, epoch, out),
            Phase::Reproposing { .. } | Phase::Leading { .. }
                if self.replication.contradicts(index, &self.surroundings()) =>
            {
                self.contradicted(now, index, out);
            }
            Phase::Reproposing { .. } | Phase::Leading { .. } => {
                self.has_come_back(now, index, out);
                self.follow(now, index, out);
            }
            Phase::Standby
            | Phase::Pausing { .. }
            | Phase::Reading { .. }
            | Phase::Recovering { .. }
            | Phase::Founding { .. } => {}
        }
    }

    /// Do those who promised suffice, and what for?
    fn weigh(&mut self, now: Mono, epoch: Epoch, out: &mut Vec<Intent>) {
        let promised: Vec<(usize, Standing)> = (0..3)
            .filter(|&index| self.replication.backend(index).progress == Progress::Promised)
            .filter_map(|index| {
                self.replication.backend(index).standing().map(|standing| (index, *standing))
            })
            .collect();
        if promised.len() == 3 && promised.iter().all(|(_, standing)| is_unborn(standing)) {
            if self.replication.remembers(&self.surroundings()) {
                return self.claim_again(now, "all three have lost the group's memory");
            }
            return self.found(now, epoch, out);
        }
        let groups: Vec<GroupId> = promised.iter().filter_map(|(_, s)| s.group).collect();
        let Some(&group) = groups.iter().find(|g| groups.iter().filter(|o| o == g).count() > 1)
        else {
            return;
        };
        let mut from: Vec<(usize, Standing)> =
            promised.into_iter().filter(|(_, standing)| standing.group == Some(group)).collect();
        if from.iter().all(|(_, standing)| is_unborn(standing)) {
            return;
        }
        let kept = self.replication.remember_group(group);
        self.date.begin(kept, now);
        from.sort_by_key(|&(index, standing)| (core::cmp::Reverse(standing.committed), index));
        let base = from[0].1;
        let whole = self.replication.log().group() != Some(group)
            || self.replication.log().committed() < base.base
            || self.usage.has_gap(self.replication.log())
                && self.usage.backfill(group, base.base, base.committed).is_some();
        let process =
            self.replication.backend(from[0].0).facts.as_ref().map_or(0, |facts| facts.process);
        let from = from.iter().map(|&(index, _)| index).collect();
        let next = self.replication.log().committed().next();
        let best = BestCopy { group, standing: base, process };
        let mut reading = LogRecovery::new(epoch, best, from, whole, next);
        reading.go_on_with(self.partial.take_if(|_| whole));
        self.phase = Phase::Reading(Box::new(reading));
        self.read_on(now, out);
    }

    /// Asks for the next piece, or goes on to prove what was read.
    pub(in crate::front) fn read_on(&mut self, now: Mono, out: &mut Vec<Intent>) {
        let Phase::Reading(reading) = &mut self.phase else { return };
        let (epoch, piece) = loop {
            let Some(&index) = reading.from.get(reading.at) else { return self.prove(now, out) };
            if let Some(state) = &reading.state {
                break (reading.epoch, Piece::State { offset: state.bytes.len() as u64 });
            }
            if let Some(from) = reading.backfill.as_ref().and_then(Backfill::next) {
                break (reading.epoch, Piece::Log { from });
            }
            let last = self
                .replication
                .backend(index)
                .standing()
                .map_or(Slot(0), |standing| standing.last);
            if reading.next <= last {
                break (reading.epoch, Piece::Log { from: reading.next });
            }
            reading.at += 1;
            reading.next = reading.chosen.max(self.replication.log().committed()).next();
        };
        let index = reading.from[reading.at];
        self.replication.backend_mut(index).ask(
            now,
            OrderPurpose::Fetch(epoch),
            &Order::Fetch { epoch, piece },
            out,
        );
    }

    /// A piece came.
    pub(in crate::front) fn fetched(&mut self, now: Mono, report: Report, out: &mut Vec<Intent>) {
        self.progress(now);
        let Phase::Reading(reading) = &mut self.phase else { return };
        match report {
            Report::State { slot, bytes, last } => {
                let Some(state) = &mut reading.state else { return };
                if state.slot.is_some_and(|begun| begun != slot) {
                    // It has moved on since the claim that began to read it.
                    state.slot = None;
                    state.bytes.clear();
                    return self.read_on(now, out);
                }
                state.slot = Some(slot);
                if state.bytes.len() + bytes.len() > STATE_MAX {
                    reading.state = None;
                    return self.claim_again(now, "a backend sent a state that is too long");
                }
                state.bytes.extend_from_slice(&bytes);
                if last {
                    let decoded = State::decode(&state.bytes);
                    reading.state = None;
                    let Some(state) = decoded else {
                        return self.claim_again(now, "a backend sent a state that is none");
                    };
                    reading.next = slot.next();
                    let (group, index) = (reading.group, reading.from[reading.at]);
                    self.replication.log_mut().load(group, slot, state);
                    let digest = self
                        .replication
                        .backend(index)
                        .facts
                        .as_ref()
                        .and_then(|facts| facts.digest);
                    self.replication.log_mut().learn_digest(digest);
                    let base = self
                        .replication
                        .backend(index)
                        .standing()
                        .map_or(slot, |standing| standing.base);
                    let backfill = self.usage.backfill(group, base, slot);
                    if let Phase::Reading(reading) = &mut self.phase {
                        reading.backfill = backfill;
                    }
                }
            }
            Report::Log { entries } if !entries.is_empty() && reading.backfill.is_some() => {
                let backfill = reading.backfill.take().expect("it is there").and(entries);
                match backfill.next() {
                    Some(_) => reading.backfill = Some(backfill),
                    None => self.usage.fill_in(&backfill, self.replication.log_mut()),
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
            _ => return self.claim_again(now, "a backend could not read out its copy"),
        }
        self.read_on(now, out);
    }

    /// Everything is read: propose it again under the new epoch, with one entry more, and serve
    /// when two have that on disk.
    fn prove(&mut self, now: Mono, out: &mut Vec<Intent>) {
        let Phase::Reading(reading) = &mut self.phase else { return };
        let (epoch, chosen) = (reading.epoch, reading.chosen);
        let read = core::mem::take(&mut reading.read);
        let from = core::mem::take(&mut reading.from);
        if self.replication.log_mut().adopt(read, chosen).is_none() {
            return self.claim_again(now, "the copies that were read have a gap");
        }
        if self.recovery.is_busy() {
            return self.make_anew(now, epoch, out);
        }
        if !self.replication.are_voters(&from) {
            return self.ask_the_third(now, epoch, &from, out);
        }
        self.unproved = false;
        let last = self.replication.log().last();
        // What was known before anybody promised was chosen before that, and is missing. What is known
        // since may have been chosen under a later claim, of which this front hears in a moment.
        let own =
            self.claim_knew.filter(|(group, _)| Some(*group) == self.replication.log().group());
        self.shortfall = own.filter(|(_, known)| *known > last).map(|(_, known)| (known, last));
        if self.replication.known_chosen(&self.surroundings()) > last {
            return self.await_more(now, epoch, &from, "slots that were chosen are missing", out);
        }
        self.replication.log_mut().propose(Entry::Configure(Setting::Leader(epoch)));
        self.reserve_handles();
        self.phase = Phase::Reproposing { epoch, upto: self.replication.log().last(), need: 2 };
        // They may have forgotten their promise since, and somebody else may have written there.
        self.replication.begin_round();
        for index in from {
            self.replication.backend_mut(index).was_read = true;
        }
        for index in 0..3 {
            if self.replication.backend(index).progress == Progress::Promised {
                self.follow(now, index, out);
            }
        }
    }

    /// Fewer than two of those who were read are members: one is repaired and not admitted yet, or
    /// a change of members is proposed and not known to be committed.
    fn ask_the_third(&mut self, now: Mono, epoch: Epoch, read: &[usize], out: &mut Vec<Intent>) {
        self.unproved = true;
        let reason = "fewer than two of those who promised are members of the group";
        self.await_more(now, epoch, read, reason, out);
    }

    /// Those who were read are not enough. Who promised meanwhile is read too, and who has not
    /// answered is waited for; without this, the same two would be the first to answer every claim.
    fn await_more(
        &mut self,
        now: Mono,
        epoch: Epoch,
        read: &[usize],
        reason: &str,
        out: &mut Vec<Intent>,
    ) {
        let group = self.replication.log().group();
        let unread = |index: usize| {
            let backend = self.replication.backend(index);
            let same = backend.standing().is_some_and(|standing| standing.group == group);
            backend.progress == Progress::Promised && same && !read.contains(&index)
        };
        let asked = |backend: &BackendLink| {
            backend.pending.values().any(|pending| pending.what == OrderPurpose::Claim(epoch))
        };
        if (0..3).any(unread) {
            self.weigh(now, epoch, out);
        } else if self.replication.backends().iter().any(asked) {
            self.phase = Phase::Claiming { epoch };
        } else {
            self.claim_again(now, reason);
        }
    }

    /// The birth of a group: all three are there and hold nothing.
    fn found(&mut self, now: Mono, epoch: Epoch, out: &mut Vec<Intent>) {
        let group = GroupId(self.random.u128());
        tracing::info!(
            target: "tmr_core::front::claim",
            %group, "all three backends are blank: founding the group"
        );
        self.replication.log_mut().reset(group);
        // It was this front's own clock that stood in while fewer than two others were known.
        self.date.begin(Wall(0), now);
        self.phase = Phase::Founding { epoch, group };
        for backend in self.replication.backends_mut() {
            backend.ask(now, OrderPurpose::Found(epoch), &Order::Found { epoch, group }, out);
        }
    }

    /// A backend keeps the group's name. With all three, the first entry names the members; it
    /// takes all three to commit it, so that a group that serves was never half born.
    pub(in crate::front) fn founded(&mut self, now: Mono, index: usize) {
        let Phase::Founding { epoch, group } = self.phase else { return };
        if let Some(description) = &mut self.replication.backend_mut(index).description {
            description.standing.group = Some(group);
            (description.standing.last, description.standing.base) = (Slot(0), Slot(0));
        }
        self.replication.backend_mut(index).progress =
            Progress::Following { next: Slot(1), matched: Slot(0) };
        self.progress(now);
        let following =
            |backend: &BackendLink| matches!(backend.progress, Progress::Following { .. });
        if !self.replication.backends().iter().all(following) {
            return;
        }
        let disk =
            |index: usize| self.replication.backend(index).standing().map(|standing| standing.disk);
        let (Some(a), Some(b), Some(c)) = (disk(0), disk(1), disk(2)) else {
            return self.claim_again(now, "a backend went away while the group was born");
        };
        let (upto, _) =
            self.replication.log_mut().propose(Entry::Configure(Setting::Members([a, b, c])));
        self.phase = Phase::Reproposing { epoch, upto, need: 3 };
    }

    /// The proof is there: lead.
    pub(in crate::front) fn proved(&mut self, now: Mono) {
        let Phase::Reproposing { epoch, upto, need } = self.phase else { return };
        if self.replication.log().committed() < upto {
            return;
        }
        if need == 3 {
            for backend in self.replication.backends_mut() {
                backend.was_read = matches!(backend.progress, Progress::Following { .. });
            }
            self.reserve_handles();
            self.phase = Phase::Reproposing { epoch, upto: self.replication.log().last(), need: 2 };
            return;
        }
        self.phase = Phase::Leading { epoch };
        self.futile = 0;
        self.partial = None;
        let (log, backends) = self.replication.log_and_backends();
        for backend in backends {
            log.learn_digest(backend.facts.as_ref().and_then(|facts| facts.digest));
        }
        self.replication.log_mut().begin_digest();
        self.role.takes_effect();
        // Who waits for nobody to lead is to learn from the backends that this front does.
        self.heartbeat = now;
        self.silenced = false;
        self.calls.name_anew();
        let handles = self.replication.log().speculative_state().seat_count();
        tracing::info!(
            target: "tmr_core::front::claim",
            %epoch, slot = %upto, handles, "leading: two backends have the log on disk"
        );
        self.calls.desk_mut().take_over(now, self.replication.log().speculative_state());
    }
}

impl LogRecovery {
    /// The copies of `from`, of which the first one is the best. `whole`: its state is read, and not only the
    /// entries from `next` on.
    pub(in crate::front) fn new(
        epoch: Epoch,
        best: BestCopy,
        from: Vec<usize>,
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

    /// Goes on with what an earlier claim has read, if that was of the same copy.
    fn go_on_with(&mut self, partial: Option<PartialState>) {
        let of = |partial: &PartialState| (partial.group, partial.disk, partial.process);
        if let (Some(state), Some(partial)) = (&mut self.state, partial) {
            if of(state) == of(&partial) {
                *state = partial;
            }
        }
    }

    /// Whether a backend's copy is part of this reading.
    pub(in crate::front) fn reads(&self, index: usize) -> bool {
        self.from.contains(&index)
    }

    /// For an exhaustive check: what was read, apart from the order of the backends.
    #[cfg(feature = "model")]
    pub(in crate::front) fn fingerprint(
        &self,
        print: &mut crate::front::model::Print,
        name: &dyn Fn(DiskId) -> u8,
    ) {
        // What is filled in later changes nothing that it decides.
        let Self { epoch, group, from: _, at, state, next, read, chosen, backfill: _ } = self;
        let state = state.as_ref().map(|state| state.fingerprint(name));
        print.add(&(epoch, group, at, state, next, read, chosen));
    }

    /// For an exhaustive check: when a backend's copy is read.
    #[cfg(feature = "model")]
    pub(in crate::front) fn turn(&self, index: usize) -> Option<usize> {
        self.from.iter().position(|&read| read == index)
    }
}

#[cfg(feature = "model")]
impl PartialState {
    /// For an exhaustive check: something of it is read, so that it can be gone on with.
    pub(in crate::front) fn is_begun(&self) -> bool {
        self.slot.is_some()
    }

    /// For an exhaustive check: what was read, of a disk by its name there.
    pub(in crate::front) fn fingerprint(
        &self,
        name: &dyn Fn(DiskId) -> u8,
    ) -> (GroupId, u8, Option<Slot>, Vec<u8>) {
        // A process is named by chance, and here each disk has one.
        let Self { group, disk, process: _, slot, bytes } = self;
        (*group, name(*disk), *slot, bytes.clone())
    }
}
