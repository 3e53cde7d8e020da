//! Recovery after the group's memory was lost on two disks or on all, or contradicts itself: an
//! operator orders that the best copy that is left counts (*Consistency* 7).
//!
//! The front claims an epoch at every backend that takes part, reads the best copy, and has each of
//! these backends begin anew, as a disk of a new group in which that copy is committed. Two such
//! disks are two members, so that the ordinary claim succeeds from then on. The phases are
//! `Claiming`, `Reading` and `Recovering`; a recovery without a copy to read skips `Reading`.
//!
//! What lives here: the steps of a recovery, and its outcome for the operator. What never lives
//! here: why a recovery is needed, which copy counts, and what may be lost (that is
//! `recovery_plan`); how a copy is read (that is `reading`).
//!
//! Tests: `front/tests/recovery.rs`.

use super::log_recovery::{BestCopy, LogRecovery};
use super::phase::Phase;
use super::recovery_plan::{Plan, Source};
use super::{Context, Leadership, View};
use crate::base::limits::{
    CLAIM_TIMEOUT, HANDLE_BLOCK, HANDLE_LAST, PIECE_BYTES, RECOVER_BLOCKS, RECOVER_BLOCKS_MAX,
};
use crate::base::time::{Mono, Now};
use crate::front::BackendId;
use crate::front::replication::follower::Progress;
use crate::front::replication::pending_orders::OrderPurpose;
use crate::io::Intent;
use crate::link::LinkId;
use crate::log::{DiskId, Epoch, GroupId, Slot, State};
use crate::messages::group::{Description, Order};
use alloc::boxed::Box;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use serde_json::{Value, json};

/// The recovery that an operator has ordered, and how far it has come.
#[derive(Clone, Debug, Default)]
pub(in crate::front) struct Recovery {
    /// The recovery that is under way.
    work: Option<Box<Work>>,
    /// The link on which the operator waits for the outcome.
    asker: Option<LinkId>,
    /// The outcome, until the operator has been sent it.
    outcome: Option<Outcome>,
}

/// The outcome of a recovery, as the reply to the operator's request.
#[derive(Clone, Debug)]
struct Outcome {
    /// The status of the HTTP reply: 200 or 409.
    status: u16,
    /// The body of the HTTP reply.
    said: Value,
}

/// A recovery that is under way.
#[derive(Clone, Debug)]
struct Work {
    plan: Plan,
    /// How far each backend has come.
    steps: [Step; 3],
    /// The new group.
    group: GroupId,
    /// The disks of the new group, by the place of their backends. A backend that takes no part
    /// gets an id that no disk has: it is admitted later, like a backend that has lost its disk.
    disks: [DiskId; 3],
    /// The last handle number that this front knows to be reserved.
    reserved: u32,
    /// The slot of the state that is sent; 0 until the state is made.
    slot: Slot,
    /// The number of handles that are held in that state.
    handles: usize,
}

/// How far one backend has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// The backend takes no part.
    Out,
    /// The backend was asked for a promise.
    Asked,
    /// The backend has promised.
    Promised,
    /// The backend has begun anew.
    Done,
}

impl Work {
    /// Returns how many backends are at this step.
    fn count(&self, step: Step) -> usize {
        self.steps.iter().filter(|own| **own == step).count()
    }
}

impl Recovery {
    /// Returns whether a recovery is under way.
    pub(in crate::front) fn is_busy(&self) -> bool {
        self.work.is_some()
    }
}

impl Leadership {
    /// Begins a recovery whose plan an operator has confirmed: asks every backend that takes part
    /// for a promise. The outcome is reported on `link`, also if no recovery is possible any more.
    pub(in crate::front) fn recover(
        &mut self,
        now: Now,
        link: LinkId,
        ctx: &mut Context<'_>,
        out: &mut Vec<Intent>,
    ) {
        self.recovery.asker = Some(link);
        let plan = match self.plan(now.mono, ctx.view()) {
            Ok(plan) => plan,
            Err(reason) => return self.recovery.outcome = Some(Outcome::refused(&reason)),
        };
        tracing::warn!(
            target: "tmr_core::front::recover",
            source = %self.name_source(&plan, ctx.view()),
            slot = %plan.slot,
            "by command of an operator a new group is made from the best copy that is left"
        );
        if let Phase::Leading { .. } = self.phase {
            self.step_back(ctx, out);
        }
        self.order(now.mono);
        for &id in &plan.takes_part {
            if let Some(standing) = ctx.replication.backend(id).standing() {
                self.highest = self.highest.max(standing.promised);
            }
        }
        let epoch = self.highest.next_of(ctx.config.front);
        self.highest = epoch;
        let mut steps = [Step::Out; 3];
        for &id in &plan.takes_part {
            steps[id] = Step::Asked;
        }
        let work = Work {
            steps,
            group: GroupId(ctx.random.u128()),
            disks: [(); 3].map(|()| DiskId(ctx.random.u128())),
            reserved: ctx.replication.log().speculative_state().handles_reserved(),
            slot: Slot(0),
            handles: 0,
            plan,
        };
        ctx.replication.log_mut().drop_uncommitted();
        ctx.calls.forget_block();
        ctx.replication.forget_confirmations();
        self.phase = Phase::Claiming { epoch };
        self.claim.until = now.mono + CLAIM_TIMEOUT;
        for (backend, step) in ctx.replication.backends_mut().iter_mut().zip(work.steps) {
            backend.set_progress(Progress::NotPromised);
            if step == Step::Asked {
                backend.ask(now.mono, OrderPurpose::Claim(epoch), &Order::Claim { epoch }, out);
            }
        }
        self.recovery.work = Some(Box::new(work));
    }

    /// Handles a promise of a recovery's epoch. When every backend that takes part has promised,
    /// the best copy is read; if there is nothing to read at a backend, the new group is made at
    /// once.
    pub(in crate::front) fn promised_to_recover(
        &mut self,
        now: Mono,
        id: BackendId,
        ctx: &mut Context<'_>,
        out: &mut Vec<Intent>,
    ) {
        let (Some(work), Phase::Claiming { epoch }) = (&mut self.recovery.work, &self.phase) else {
            return;
        };
        let epoch = *epoch;
        if work.steps[id] == Step::Asked {
            work.steps[id] = Step::Promised;
            self.claim.until = now + CLAIM_TIMEOUT;
        }
        if work.count(Step::Asked) > 0 {
            return;
        }
        let Some(group) = work.plan.group else { return self.make_anew(now, epoch, ctx, out) };
        let holds = |&id: &BackendId| {
            let standing = ctx.replication.backend(id).standing();
            standing.is_some_and(|standing| standing.group == Some(group))
        };
        let mut from: Vec<BackendId> = work.plan.takes_part.iter().copied().filter(holds).collect();
        // If memory contradicts itself, only one of the copies is used.
        if work.plan.contradicts {
            from.retain(|&id| work.plan.source == Source::Backend(id));
        }
        if work.plan.source == Source::Front && from.is_empty() {
            return self.make_anew(now, epoch, ctx, out);
        }
        let best = |id: &BackendId| {
            let committed =
                ctx.replication.backend(*id).standing().map_or(Slot(0), |own| own.committed);
            (core::cmp::Reverse(committed), *id)
        };
        from.sort_by_key(best);
        let Some(&first) = from.first() else {
            return self.claim_again(now, "the copy that was to be read is gone", ctx);
        };
        let Some(best) = ctx.replication.backend(first).standing().copied() else { return };
        let whole = work.plan.source != Source::Front;
        let process = ctx.replication.backend(first).reported().process();
        let kept = ctx.replication.remember_group(group);
        self.date.begin(kept, now);
        let next = ctx.replication.log().committed().next();
        let best = BestCopy { group, standing: best, process };
        let reading = LogRecovery::new(epoch, best, from, whole, next);
        self.phase = Phase::Reading(Box::new(reading));
        self.read_on(now, ctx, out);
    }

    /// Has every backend that has promised begin anew. Its state is the copy that was read, or
    /// empty if no group is remembered; handle numbers that may have been used since are skipped.
    pub(in crate::front) fn make_anew(
        &mut self,
        now: Mono,
        epoch: Epoch,
        ctx: &mut Context<'_>,
        out: &mut Vec<Intent>,
    ) {
        let Some(work) = &mut self.recovery.work else { return };
        let (mut state, mut slot) = match work.plan.group {
            Some(_) => {
                (ctx.replication.log().speculative_state().clone(), ctx.replication.log().last())
            }
            None => (State::default(), Slot(0)),
        };
        // A group without any slot would be born again.
        slot = slot.max(Slot(1));
        let lost = work.plan.known.0.saturating_sub(slot.0);
        let blocks = lost.clamp(RECOVER_BLOCKS, RECOVER_BLOCKS_MAX);
        let skipped = u32::try_from(blocks).unwrap_or(u32::MAX).saturating_mul(HANDLE_BLOCK);
        let reserved = state.handles_reserved().max(work.reserved);
        let handles = reserved.saturating_add(skipped).min(HANDLE_LAST);
        state.recover(work.disks, handles, work.plan.group.unwrap_or(work.group));
        work.slot = slot;
        work.handles = state.seat_count();
        self.highest = self.highest.max(state.leader());
        self.phase = Phase::Recovering { epoch };
        self.claim.until = now + CLAIM_TIMEOUT;
        let bytes = state.encode();
        let pieces = bytes.len().div_ceil(PIECE_BYTES);
        for (id, backend) in ctx.replication.backends_mut().iter_mut().enumerate() {
            if work.steps[id] != Step::Promised {
                continue;
            }
            for (number, piece) in bytes.chunks(PIECE_BYTES).enumerate() {
                let last = number + 1 == pieces;
                let order = Order::Recover {
                    epoch,
                    group: work.group,
                    disk: work.disks[id],
                    slot,
                    offset: (number * PIECE_BYTES) as u64,
                    bytes: piece.to_vec(),
                    last,
                };
                backend.ask(now, OrderPurpose::Recover(epoch), &order, out);
            }
        }
        tracing::info!(
            target: "tmr_core::front::recover",
            group = %work.group, %slot, bytes = bytes.len(), "sending the state of a new group"
        );
    }

    /// Extends the time limit of the recovery, since a backend has a piece of the state on disk.
    pub(in crate::front) fn recover_goes_on(&mut self, now: Mono) {
        self.claim.until = now + CLAIM_TIMEOUT;
    }

    /// Notes that a backend has begun anew and has that on disk. `description` is its first one as
    /// a disk of the new group.
    pub(in crate::front) fn recovered(
        &mut self,
        now: Mono,
        id: BackendId,
        description: Description,
        ctx: &mut Context<'_>,
        out: &mut Vec<Intent>,
    ) {
        let Some(work) = &mut self.recovery.work else { return };
        work.steps[id] = Step::Done;
        let backend = ctx.replication.backend_mut(id);
        backend.set_lapse(None);
        backend.reported_mut().began_anew(description);
        tracing::info!(
            target: "tmr_core::front::recover",
            backend = %backend.address(), "it has begun anew as a disk of the new group"
        );
        self.recover_goes_on(now);
        self.end_recovery_if_done(now, ctx, out);
    }

    /// Handles a backend that went away or was replaced. The recovery goes on without it, or fails
    /// if fewer than two backends are left or the copy that counts is gone.
    pub(in crate::front) fn lost_for_recovery(
        &mut self,
        now: Mono,
        id: BackendId,
        ctx: &mut Context<'_>,
        out: &mut Vec<Intent>,
    ) {
        let sending = self.is_sending();
        let Some(work) = &mut self.recovery.work else { return };
        if work.steps[id] == Step::Out {
            return;
        }
        if work.steps[id] != Step::Done {
            work.steps[id] = Step::Out;
        }
        if 3 - work.count(Step::Out) < 2 {
            return self.claim_again(now, "a backend went away, and fewer than two are left", ctx);
        }
        let reading = matches!(&self.phase, Phase::Reading(reading) if reading.reads(id));
        if reading || work.plan.source == Source::Backend(id) && !sending {
            return self.claim_again(now, "the backend with the copy that counts went away", ctx);
        }
        match self.phase {
            Phase::Claiming { .. } if work.count(Step::Asked) == 0 => {
                let promised = BackendId::all().find(|&id| work.steps[id] == Step::Promised);
                if let Some(id) = promised {
                    self.promised_to_recover(now, id, ctx, out);
                }
            }
            Phase::Recovering { .. } => self.end_recovery_if_done(now, ctx, out),
            _ => {}
        }
    }

    /// Returns whether the state of the new group goes to the backends.
    fn is_sending(&self) -> bool {
        matches!(self.phase, Phase::Recovering { .. })
    }

    /// Returns whether a backend takes part in a recovery that is under way.
    pub(in crate::front) fn recovers(&self, id: BackendId) -> bool {
        self.recovery.work.as_ref().is_some_and(|work| work.steps[id] != Step::Out)
    }

    /// Ends the recovery when every backend that takes part has begun anew, and these are at least
    /// two. An ordinary claim follows at once.
    fn end_recovery_if_done(&mut self, now: Mono, ctx: &mut Context<'_>, out: &mut Vec<Intent>) {
        let Some(work) = &self.recovery.work else { return };
        if work.count(Step::Promised) > 0 || work.count(Step::Done) < 2 {
            return;
        }
        let Some(work) = self.recovery.work.take() else { return };
        let (slot, handles, done) = (work.slot, work.handles, work.count(Step::Done));
        let text = format!(
            "a new group was made from {}: slot {slot}, {handles} handles held, {done} backends",
            self.name_source(&work.plan, ctx.view())
        );
        tracing::warn!(target: "tmr_core::front::recover", group = %work.group, "{text}");
        ctx.operator.note(ctx.replication.log().now(), "group", text.clone());
        let said = json!({
            "message": text,
            "group": work.group.to_string(),
            "slot": slot.0,
            "handles": handles,
            "backends": done,
        });
        self.recovery.outcome = Some(Outcome { status: 200, said });
        self.obstacles.contradiction = None;
        self.obstacles.shortfall = None;
        self.obstacles.unproved = false;
        self.claim.partial = None;
        self.phase = Phase::Pausing { until: now };
        self.heartbeat = now;
        self.judge(now, ctx, out);
    }

    /// Ends a recovery that has failed. `reason` is a clause for people.
    pub(in crate::front) fn recovery_failed(&mut self, reason: &str) {
        let Some(work) = self.recovery.work.take() else { return };
        let done = work.count(Step::Done);
        let half = match done {
            0 => "nothing was changed",
            _ => {
                "one backend has begun anew, its journal is kept as journal.old, and one alone is \
                  no group: run tmrd recover again"
            }
        };
        let text = format!("no new group was made: {reason}; {half}");
        tracing::error!(target: "tmr_core::front::recover", "{text}");
        self.recovery.outcome = Some(Outcome::refused(&text));
    }

    /// Reports the outcome to the operator, at the end of a step. A recovery whose claim was given
    /// up for another reason, such as another order of the operator, fails here.
    pub(in crate::front) fn tell_recovery(
        &mut self,
        now: Now,
        ctx: &mut Context<'_>,
        out: &mut Vec<Intent>,
    ) {
        let claims = matches!(
            self.phase,
            Phase::Claiming { .. } | Phase::Reading(_) | Phase::Recovering { .. }
        );
        if self.recovery.is_busy() && !claims {
            self.recovery_failed("this front was told something else meanwhile");
        }
        if let (Some(link), Some(outcome)) = (self.recovery.asker, &self.recovery.outcome) {
            ctx.operator.conclude(now, link, (outcome.status, &outcome.said), out);
            self.recovery.asker = None;
        }
        if self.recovery.asker.is_none() {
            self.recovery.outcome = None;
        }
    }
}

impl Outcome {
    /// Returns the outcome of a recovery that was not carried out, or failed: status 409.
    fn refused(reason: &str) -> Self {
        Self { status: 409, said: json!({ "message": reason.to_string() }) }
    }
}

impl Leadership {
    /// Returns the name of the copy that counts, for people.
    pub(in crate::front) fn name_source(&self, plan: &Plan, view: View<'_>) -> String {
        match plan.source {
            Source::Backend(id) => {
                format!("the copy of backend {}", view.replication.backend(id).address())
            }
            Source::Front => "what this front remembers".into(),
            Source::Nothing => "nothing".into(),
        }
    }
}
