//! Taking the lead: a claim asks backends to promise an epoch, reads the log of those that
//! promised, and leads when the entries read are committed under that epoch. The rules are those of
//! *Consistency* 5 and 7.

use super::phase::Phase;
use super::{Context, Leadership};
use crate::base::limits::{CLAIM_DOUBLED, CLAIM_PAUSE, CLAIM_TIMEOUT};
use crate::base::time::Mono;
use crate::front::BackendId;
use crate::front::leadership::log_recovery::{BestCopy, LogRecovery, PartialState};
use crate::front::replication::backend_link::BackendLink;
use crate::front::replication::follower::Progress;
use crate::front::replication::membership::is_unborn;
use crate::front::replication::pending_orders::OrderPurpose;
use crate::io::Intent;
use crate::log::{Epoch, GroupId, Slot};
use crate::messages::group::{Order, Standing};
use alloc::boxed::Box;
use alloc::vec::Vec;

/// What is kept of the present claim and of earlier ones.
#[derive(Clone, Debug, Default)]
pub(in crate::front) struct Claim {
    /// When the present claim is given up, unless it makes progress before.
    pub(super) until: Mono,
    /// The number of claims in a row that failed.
    pub(super) failures: u32,
    /// A state that the previous claim did not read to its end.
    pub(super) partial: Option<PartialState>,
    /// The last slot of a group that was known to be chosen when the latest claim began.
    pub(super) knew: Option<(GroupId, Slot)>,
}

impl Leadership {
    /// Asks all connected backends that count to promise an epoch above any that was seen.
    pub(in crate::front) fn claim(
        &mut self,
        now: Mono,
        ctx: &mut Context<'_>,
        out: &mut Vec<Intent>,
    ) {
        for backend in
            ctx.replication.backends().iter().filter(|backend| backend.exclusion().is_none())
        {
            if let Some(standing) = backend.standing() {
                self.highest = self.highest.max(standing.promised);
            }
        }
        let epoch = self.highest.next_of(ctx.config.front);
        self.highest = epoch;
        self.claim.knew = ctx
            .replication
            .log()
            .group()
            .map(|group| (group, ctx.replication.known_chosen(&self.surroundings(ctx.view()))));
        ctx.replication.log_mut().drop_uncommitted();
        ctx.calls.forget_block();
        self.fenced = false;
        self.phase = Phase::Claiming { epoch };
        self.claim.until = now + CLAIM_TIMEOUT;
        tracing::debug!(target: "tmr_core::front::claim", %epoch, "claiming the lead");
        ctx.replication.forget_confirmations();
        for backend in ctx.replication.backends_mut() {
            let here = backend.is_up();
            backend.follower_mut().claimed(here);
            if backend.known().is_some() && backend.exclusion().is_none() {
                backend.ask(now, OrderPurpose::Claim(epoch), &Order::Claim { epoch }, out);
            }
        }
    }

    /// Gives this claim up and schedules another one after a random pause, so that two fronts do
    /// not keep each other from leading. The pause doubles with each failed claim, and before the
    /// next claim the backends are asked whether another front leads.
    pub(in crate::front) fn claim_again(&mut self, now: Mono, reason: &str, ctx: &mut Context<'_>) {
        self.recovery_failed(reason);
        self.keep_partial();
        let doubled = self.claim.failures.min(CLAIM_DOUBLED);
        let pause = ctx.random.pause(CLAIM_PAUSE) * (1 << doubled);
        self.claim.failures += 1;
        tracing::debug!(
            target: "tmr_core::front::claim",
            reason, pause_ms = pause.as_millis(), "claim given up, another follows"
        );
        self.phase = Phase::Pausing { until: now + pause };
        // Descriptions are requested at once, so that they arrive before the next claim.
        self.heartbeat = now;
    }

    /// Extends the time of a claim that makes progress.
    pub(super) fn progress(&mut self, now: Mono) {
        self.claim.until = now + CLAIM_TIMEOUT;
    }

    /// Handles a promise of the current epoch: continues the claim, or has the backend follow.
    /// `before` is the epoch that the backend had promised until then.
    pub(in crate::front) fn promised(
        &mut self,
        now: Mono,
        id: BackendId,
        before: Epoch,
        ctx: &mut Context<'_>,
        out: &mut Vec<Intent>,
    ) {
        if self.recovery.is_busy() {
            return self.promised_to_recover(now, id, ctx, out);
        }
        let (replication, context) = self.with_replication(ctx);
        replication.look_back(id, before, &context);
        self.judge(now, ctx, out);
        if ctx.replication.backend(id).exclusion().is_some() {
            return;
        }
        self.progress(now);
        ctx.replication.backend_mut(id).set_progress(Progress::Promised);
        match self.phase {
            Phase::Claiming { epoch } => self.weigh(now, epoch, ctx, out),
            Phase::Reproposing { .. } | Phase::Leading { .. }
                if ctx.replication.contradicts(id, &self.surroundings(ctx.view())) =>
            {
                self.contradicted(now, id, ctx, out);
            }
            Phase::Reproposing { .. } | Phase::Leading { .. } => {
                self.has_come_back(now, id, ctx, out);
                self.follow(now, id, ctx, out);
            }
            Phase::Standby
            | Phase::Pausing { .. }
            | Phase::Reading { .. }
            | Phase::Recovering { .. }
            | Phase::Founding { .. } => {}
        }
    }

    /// Decides whether the promises suffice, and whether to found a group or to read its log.
    pub(super) fn weigh(
        &mut self,
        now: Mono,
        epoch: Epoch,
        ctx: &mut Context<'_>,
        out: &mut Vec<Intent>,
    ) {
        let promised: Vec<(BackendId, Standing)> = BackendId::all()
            .filter(|&id| ctx.replication.backend(id).progress() == Progress::Promised)
            .filter_map(|id| ctx.replication.backend(id).standing().map(|standing| (id, *standing)))
            .collect();
        if promised.len() == 3 && promised.iter().all(|(_, standing)| is_unborn(standing)) {
            if ctx.replication.remembers(&self.surroundings(ctx.view())) {
                return self.claim_again(now, "all three have lost the group's memory", ctx);
            }
            return self.found(now, epoch, ctx, out);
        }
        let groups: Vec<GroupId> = promised.iter().filter_map(|(_, s)| s.group).collect();
        let Some(&group) = groups.iter().find(|g| groups.iter().filter(|o| o == g).count() > 1)
        else {
            return;
        };
        let mut from: Vec<(BackendId, Standing)> =
            promised.into_iter().filter(|(_, standing)| standing.group == Some(group)).collect();
        if from.iter().all(|(_, standing)| is_unborn(standing)) {
            return;
        }
        let kept = ctx.replication.remember_group(group);
        self.date.begin(kept, now);
        from.sort_by_key(|&(id, standing)| (core::cmp::Reverse(standing.committed), id));
        let base = from[0].1;
        let whole = ctx.replication.log().group() != Some(group)
            || ctx.replication.log().committed() < base.base
            || ctx.usage.has_gap(ctx.replication.log())
                && ctx.usage.backfill(group, base.base, base.committed).is_some();
        let process = ctx.replication.backend(from[0].0).reported().process();
        let from = from.iter().map(|&(id, _)| id).collect();
        let next = ctx.replication.log().committed().next();
        let best = BestCopy { group, standing: base, process };
        let mut reading = LogRecovery::new(epoch, best, from, whole, next);
        reading.go_on_with(self.claim.partial.take_if(|_| whole));
        self.phase = Phase::Reading(Box::new(reading));
        self.read_on(now, ctx, out);
    }

    /// Continues a claim of which fewer than two of the backends read are members: one is repaired
    /// and not admitted yet, or a change of members is proposed and not known to be committed.
    pub(super) fn ask_the_third(
        &mut self,
        now: Mono,
        epoch: Epoch,
        read: &[BackendId],
        ctx: &mut Context<'_>,
        out: &mut Vec<Intent>,
    ) {
        self.obstacles.unproved = true;
        let reason = "fewer than two of those who promised are members of the group";
        self.await_more(now, epoch, read, reason, ctx, out);
    }

    /// Continues a claim for which the backends read are not enough: reads those that have promised
    /// since, and waits for those that have not answered. Otherwise the same two would be the first
    /// to answer every claim.
    pub(super) fn await_more(
        &mut self,
        now: Mono,
        epoch: Epoch,
        read: &[BackendId],
        reason: &str,
        ctx: &mut Context<'_>,
        out: &mut Vec<Intent>,
    ) {
        let group = ctx.replication.log().group();
        let unread = |id: BackendId| {
            let backend = ctx.replication.backend(id);
            let same = backend.standing().is_some_and(|standing| standing.group == group);
            backend.progress() == Progress::Promised && same && !read.contains(&id)
        };
        let asked = |backend: &BackendLink| backend.is_asked(OrderPurpose::Claim(epoch));
        if BackendId::all().any(unread) {
            self.weigh(now, epoch, ctx, out);
        } else if ctx.replication.backends().iter().any(asked) {
            self.phase = Phase::Claiming { epoch };
        } else {
            self.claim_again(now, reason, ctx);
        }
    }

    /// Leads, once everything that was proposed again is committed.
    pub(in crate::front) fn proved(&mut self, now: Mono, ctx: &mut Context<'_>) {
        let Phase::Reproposing { epoch, upto, need } = self.phase else { return };
        if ctx.replication.log().committed() < upto {
            return;
        }
        if need == 3 {
            for backend in ctx.replication.backends_mut() {
                let follows = backend.follows();
                backend.follower_mut().set_read(follows);
            }
            ctx.calls.reserve_handles(ctx.replication.log_mut());
            self.phase = Phase::Reproposing { epoch, upto: ctx.replication.log().last(), need: 2 };
            return;
        }
        self.phase = Phase::Leading { epoch };
        self.claim.failures = 0;
        self.claim.partial = None;
        let (log, backends) = ctx.replication.log_and_backends();
        for backend in backends {
            log.learn_digest(backend.facts().and_then(|facts| facts.digest));
        }
        ctx.replication.log_mut().begin_digest();
        self.role.takes_effect();
        // A front that waits until no front leads has to learn from the backends that this one
        // does.
        self.heartbeat = now;
        self.fenced = false;
        ctx.calls.name_anew();
        let handles = ctx.replication.log().speculative_state().seat_count();
        tracing::info!(
            target: "tmr_core::front::claim",
            %epoch, slot = %upto, handles, "leading: two backends have the log on disk"
        );
        ctx.calls.service_mut().take_over(now, ctx.replication.log().speculative_state());
    }
}
