//! A backend's description of itself, and what follows for a front that claims or waits.

use super::{Context, Leadership, View};
use crate::base::time::Mono;
use crate::front::BackendId;
use crate::front::replication::eligibility::Exclusion;
use crate::front::replication::follower::Progress;
use crate::front::replication::pending_orders::OrderPurpose;
use crate::io::Intent;
use crate::messages::group::{Description, Order};
use alloc::vec::Vec;

/// A description that answers an order.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) description: Description,
    /// When the order was sent.
    pub(super) sent: Mono,
}

impl Leadership {
    /// Takes a description.
    pub(super) fn described(
        &mut self,
        now: Mono,
        id: BackendId,
        Answer { description, sent }: Answer,
        ctx: &mut Context<'_>,
        out: &mut Vec<Intent>,
    ) {
        let backend = ctx.replication.backend_mut(id);
        let known = backend.reported().description();
        if known.is_none_or(|known| known.standing.disk != description.standing.disk) {
            tracing::info!(
                target: "tmr_core::front::backends",
                backend = %backend.address(), parts = description.parts.len(), "backend is up"
            );
            backend.set_lapse(None);
        }
        let promised = description.standing.promised;
        backend.reported_mut().described(now, description, sent);
        ctx.replication.forgive(id);
        self.judge(now, ctx, out);
        let backend = ctx.replication.backend_mut(id);
        if backend.exclusion().is_none() {
            backend.clear_trouble();
        }
        self.merge_parts(ctx);
        self.yield_to_another_group(ctx);
        if self.is_foreign(id, ctx.view()) {
            return;
        }
        self.highest = self.highest.max(promised);
        self.yield_to_successor(ctx);
        self.give_up_claiming(id, ctx);
        self.forget_obstacles(id, ctx);
        self.lead_if_nobody_does(now, ctx);
        let Some(epoch) = self.phase.epoch() else { return };
        // A description from before the backend counted is older than what its disk has
        // acknowledged on another connection; another one has been requested.
        if self.recovery.is_busy() || sent < ctx.replication.backend(id).counts_since() {
            return;
        }
        match ctx.replication.backend(id).exclusion() {
            // It has promised on an earlier connection, and may already follow on this one.
            None if promised == epoch
                && ctx.replication.backend(id).progress() != Progress::NotPromised => {}
            None if promised == epoch => self.promised(now, id, promised, ctx, out),
            None => ctx.replication.backend_mut(id).ask(
                now,
                OrderPurpose::Claim(epoch),
                &Order::Claim { epoch },
                out,
            ),
            Some(_) => {}
        }
    }

    /// Whether the backend belongs to another group, so that its epochs mean nothing here.
    pub(super) fn is_foreign(&self, id: BackendId, view: View<'_>) -> bool {
        matches!(view.replication.backend(id).exclusion(), Some(Exclusion::Foreign(_)))
    }

    /// Takes the description of a backend that has loaded other licence files. What it reported of
    /// the log before stays valid, since this description answers no order.
    pub(super) fn described_anew(
        &mut self,
        id: BackendId,
        description: Description,
        ctx: &mut Context<'_>,
    ) {
        if !self.is_foreign(id, ctx.view()) {
            self.highest = self.highest.max(description.standing.promised);
        }
        let backend = ctx.replication.backend_mut(id);
        // Before its first description, the one that was ordered is on its way and contains all
        // this.
        let parts = description.parts.len();
        if backend.reported_mut().has_parts(description.parts) {
            tracing::info!(
                target: "tmr_core::front::backends",
                backend = %backend.address(), parts, "backend has other licences"
            );
            self.merge_parts(ctx);
        }
    }
}
