//! What leadership lends to other components, out of what it is lent itself.

use super::{Context, Leadership, View};
use crate::base::time::{Duration, Mono, Now};
use crate::front::BackendId;
use crate::front::calls::{self, Calls};
use crate::front::leadership::phase::Phase;
use crate::front::replication::{self, Replication};
use crate::front::twin::{self, Twin};
use crate::front::usage::{self, Usage};
use crate::io::Intent;
use crate::messages::group::Facts;
use alloc::vec::Vec;

impl Leadership {
    /// Returns what replication needs to know of the rest of this front.
    pub(in crate::front) fn surroundings<'a>(&'a self, view: View<'a>) -> replication::Context<'a> {
        let View { config, usage, twin, .. } = view;
        let (phase, unproved) = (&self.phase, self.obstacles.unproved);
        replication::Context { config, phase, unproved, usage, twin }
    }

    /// Lends replication what it needs.
    pub(in crate::front) fn with_replication<'a>(
        &'a self,
        ctx: &'a mut Context<'_>,
    ) -> (&'a mut Replication, replication::Context<'a>) {
        let Context { replication, config, usage, twin, .. } = ctx;
        let (phase, unproved, twin) = (&self.phase, self.obstacles.unproved, twin.as_deref());
        (replication, replication::Context { config, phase, unproved, usage, twin })
    }

    /// Lends the calls what they need.
    pub(super) fn with_calls<'a>(
        &self,
        ctx: &'a mut Context<'_>,
    ) -> (&'a mut Calls, calls::Context<'a>) {
        let (leads, date) = (self.leads(), self.date());
        let Context { config, replication, calls, usage, twin, operator, random, .. } = ctx;
        let (log, backends) = replication.log_and_backends();
        let twin = twin.as_deref_mut();
        let context =
            calls::Context { leads, date, config, log, backends, twin, usage, operator, random };
        (calls, context)
    }

    /// Lends the twin what it needs; `None` if there is no twin.
    pub(super) fn with_twin<'a>(
        &self,
        ctx: &'a mut Context<'_>,
    ) -> Option<(&'a mut Twin, twin::Context<'a>)> {
        let stands_by = self.listens(ctx.view());
        let Context { replication, usage, twin, .. } = ctx;
        let (log, history) = (replication.log_mut(), usage.history_mut());
        Some((twin.as_deref_mut()?, twin::Context { stands_by, log, history }))
    }

    /// Has the usage history record what was committed, unless the twin sends those lines.
    pub(in crate::front) fn record_committed(&self, ctx: &mut Context<'_>) {
        let told = !self.leads() && !ctx.twin.as_deref().is_some_and(Twin::sends_no_history);
        let (usage, mut context) = self.recording(ctx);
        usage.record_committed(told, &mut context);
    }

    /// Has the usage history record what it still counts, because this process ends.
    pub(in crate::front) fn flush_history(&self, ctx: &mut Context<'_>) {
        let (usage, context) = self.recording(ctx);
        usage.flush(&context);
    }

    /// Lends the usage history what it needs to record.
    pub(super) fn recording<'a>(
        &self,
        ctx: &'a mut Context<'_>,
    ) -> (&'a mut Usage, usage::Context<'a>) {
        let leads = self.leads();
        let Context { config, replication, calls, usage, .. } = ctx;
        let (log, catalogue) = (replication.log_mut(), &calls.virtuals().catalogue);
        (usage, usage::Context { leads, log, catalogue, config })
    }

    /// Decides anew which backends are left out, and why.
    pub(in crate::front) fn judge(&self, now: Mono, ctx: &mut Context<'_>, out: &mut Vec<Intent>) {
        let (replication, context) = self.with_replication(ctx);
        if replication.judge(now, &context, out) {
            self.merge_parts(ctx);
        }
    }

    /// Has a backend that has promised follow the log.
    pub(in crate::front) fn follow(
        &self,
        now: Mono,
        id: BackendId,
        ctx: &mut Context<'_>,
        out: &mut Vec<Intent>,
    ) {
        let (replication, context) = self.with_replication(ctx);
        if replication.follow(now, id, &context, out) {
            self.merge_parts(ctx);
        }
    }

    /// Takes facts that a backend reports.
    pub(in crate::front) fn told_facts(
        &self,
        now: Mono,
        id: BackendId,
        facts: Facts,
        ctx: &mut Context<'_>,
        out: &mut Vec<Intent>,
    ) {
        if ctx.replication.told_facts(now, id, facts) {
            self.judge(now, ctx, out);
        }
    }

    /// Begins or ends the doubt about the group's memory, at the end of a step.
    pub(in crate::front) fn doubt(&mut self, now: Mono, ctx: &mut Context<'_>) {
        let (replication, context) = self.with_replication(ctx);
        if replication.doubt(now, &context) {
            // The heartbeat comes after this step, so that a report for an earlier order does not
            // pass for an answer to it.
            self.heartbeat = now + Duration::from_micros(1);
        }
    }

    /// Merges the parts again after a backend came, went, or changed its licences.
    pub(in crate::front) fn merge_parts(&self, ctx: &mut Context<'_>) {
        let (calls, context) = self.with_calls(ctx);
        calls.merge_parts(&context);
    }

    /// Drops every pending call; the caller closes their links.
    pub(in crate::front) fn drop_flights(&self, ctx: &mut Context<'_>) {
        let (calls, mut context) = self.with_calls(ctx);
        calls.drop_all(&mut context);
    }

    /// Commits what enough backends have on disk, if this front leads or is proposing again what it
    /// has read. Returns whether it does either.
    pub(in crate::front) fn commit(&mut self, now: Mono, ctx: &mut Context<'_>) -> bool {
        let need = match self.phase {
            Phase::Reproposing { need, .. } => need,
            Phase::Leading { .. } => 2,
            _ => return false,
        };
        let (replication, context) = self.with_replication(ctx);
        let upto = replication.reached(need, &context).min(replication.log().last());
        if upto > replication.log().committed() {
            replication.log_mut().commit(upto);
            ctx.calls.take_handles(ctx.replication.log());
            self.proved(now, ctx);
        }
        true
    }

    /// Proposes a backend as a member if one is ready, and logs what keeps this front from leading.
    pub(in crate::front) fn admit(&mut self, ctx: &mut Context<'_>) {
        let (replication, context) = self.with_replication(ctx);
        replication.admit(&context);
        self.log_obstacle(ctx);
    }

    /// Sends the backends entries that are proposed and not sent.
    pub(in crate::front) fn replicate(
        &self,
        now: Mono,
        ctx: &mut Context<'_>,
        out: &mut Vec<Intent>,
    ) {
        let (replication, context) = self.with_replication(ctx);
        replication.replicate(now, &context, out);
    }

    /// Ends a step: updates doubts, and reports outcomes to the operator and the machine.
    pub(in crate::front) fn end_step(
        &mut self,
        now: Now,
        ctx: &mut Context<'_>,
        out: &mut Vec<Intent>,
    ) {
        self.doubt(now.mono, ctx);
        ctx.replication.watch_doubled(now.mono);
        self.tell_recovery(now, ctx, out);
        self.tell_away(ctx, out);
    }
}
