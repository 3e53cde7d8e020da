//! What follows for this front when another one leads or claims.

use super::phase::Phase;
use super::{Context, Leadership, View};
use crate::base::limits::{CLAIMS_FUTILE, CONTEST};
use crate::base::time::Mono;
use crate::front::BackendId;
use crate::front::replication::backend_link::BackendLink;
use crate::io::Intent;
use crate::link::CloseReason;
use crate::log::Epoch;
use alloc::vec::Vec;

impl Leadership {
    /// Handles a refusal: a backend has promised a higher epoch to another front.
    pub(in crate::front) fn refused(
        &mut self,
        now: Mono,
        promised: Epoch,
        ctx: &mut Context<'_>,
        out: &mut Vec<Intent>,
    ) {
        self.highest = self.highest.max(promised);
        match self.phase {
            Phase::Standby | Phase::Pausing { .. } => {}
            Phase::Leading { epoch } if promised > epoch => {
                tracing::warn!(
                    target: "tmr_core::front::backends",
                    %promised, %epoch, "another front has claimed the lead"
                );
                let told = self.was_told_since(ctx.view());
                if self.failover.was_told() {
                    self.let_go(ctx);
                } else {
                    self.step_back(ctx, out);
                }
                if told {
                    self.claim_again(now, "it was told to lead meanwhile", ctx);
                } else if self.role.address() == Some(false) || !ctx.config.backend_kind().fences()
                {
                    self.stand_by();
                } else {
                    self.role.depose();
                    self.phase = Phase::Pausing { until: now + CONTEST };
                }
            }
            _ if self.phase.epoch().is_some_and(|epoch| promised > epoch) => {
                self.claim_again(now, "another front has claimed a higher epoch", ctx);
            }
            _ => {}
        }
    }

    /// Gives the lead up: nothing that is not committed is answered any more.
    pub(in crate::front) fn step_back(&mut self, ctx: &mut Context<'_>, out: &mut Vec<Intent>) {
        self.phase = Phase::Standby;
        self.drop_flights(ctx);
        ctx.replication.log_mut().drop_uncommitted();
        ctx.calls.service_mut().drop_clients(CloseReason::Stepped("another front leads"), out);
        ctx.calls.service_mut().forget_handles();
    }

    /// Returns whether another front leads: it has committed at least the first entry of its epoch
    /// since this front's last committed slot. A promise alone proves nothing: that claim may have
    /// failed, and no front would lead if this one did not claim again.
    pub(super) fn succeeded(&self, view: View<'_>) -> bool {
        let known = view.replication.log().committed();
        view.replication
            .backends()
            .iter()
            .filter_map(BackendLink::standing)
            .any(|own| own.committed > known)
    }

    /// Stands by once another front is known to lead. The backend that shows it may not have been
    /// told so by that front; the descriptions are corrected, so that this front does not claim at
    /// once.
    pub(super) fn yield_to_successor(&mut self, ctx: &mut Context<'_>) {
        if self.role.is_deposed() && self.succeeded(ctx.view()) {
            tracing::warn!(target: "tmr_core::front::backends", "another front leads: standing by");
            let known = ctx.replication.log().committed();
            for backend in ctx.replication.backends_mut() {
                backend.reported_mut().is_led_beyond(known);
            }
            self.stand_by();
        }
    }

    /// Stands by if claims fail again and again and a backend reports that the front that it
    /// promised serves. Further claims would only take the lead from that front, for seconds each
    /// time.
    pub(super) fn give_up_claiming(&mut self, id: BackendId, ctx: &Context<'_>) {
        let Some(known) = ctx.replication.backend(id).known() else { return };
        let another = known.led && known.standing.promised.front != ctx.config.front;
        let pausing = matches!(self.phase, Phase::Pausing { .. });
        if another && pausing && self.claim.failures >= CLAIMS_FUTILE {
            tracing::warn!(
                target: "tmr_core::front::backends",
                claims = self.claim.failures,
                "claims lead nowhere, and another front leads: standing by"
            );
            self.stand_by();
        }
    }

    /// Stands by if this front is not confirmed any more because another one serves with two of its
    /// backends in another group, which was made from what was left of this one.
    pub(super) fn yield_to_another_group(&mut self, ctx: &mut Context<'_>) {
        let replaced = |backend: &&BackendLink| {
            let known = backend.known().filter(|known| known.led);
            known.is_some_and(|known| known.standing.group != ctx.replication.log().group())
        };
        let leads = matches!(self.phase, Phase::Leading { .. });
        if leads && self.fenced && ctx.replication.backends().iter().filter(replaced).count() >= 2 {
            tracing::warn!(
                target: "tmr_core::front::backends",
                "another front serves with these backends in another group: standing by"
            );
            ctx.replication.log_mut().drop_uncommitted();
            ctx.calls.service_mut().forget_handles();
            self.stand_by();
        }
    }

    /// Forgets the obstacles once another front serves the group. If memory contradicted itself,
    /// that is so once the other front leads a group that was made anew.
    pub(super) fn forget_obstacles(&mut self, id: BackendId, ctx: &Context<'_>) {
        let Some(known) = ctx.replication.backend(id).known() else { return };
        if !known.led || known.standing.promised.front == ctx.config.front {
            return;
        }
        if self.obstacles.contradiction.is_some()
            && known.standing.group != ctx.replication.log().group()
        {
            self.obstacles.contradiction = None;
            self.stand_by();
        }
        if let Phase::Standby = self.phase {
            self.obstacles.shortfall = None;
            self.obstacles.unproved = false;
            if !self.role.has_address() {
                // The role and the address are where a planned failover should have brought them.
                self.failover.trouble = None;
            }
        }
    }
}
