//! Timers: dials, heartbeats, claims, the fence; and the deadline of the front.

use super::phase::Phase;
use super::{Context, Leadership, View};
use crate::base::limits::{FENCE, HEARTBEAT};
use crate::base::time::{Deadline, Mono};
use crate::front::BackendId;
use crate::front::replication::backend_link::BackendLink;
use crate::front::replication::link_state::LinkState;
use crate::front::replication::pending_orders::OrderPurpose;
use crate::front::twin::Twin;
use crate::io::Intent;
use crate::link::CloseReason;
use crate::messages::group::Order;
use alloc::vec::Vec;

/// Why a connection is closed that was accepted and then stayed silent: a hung backend, or another
/// service.
const UNPROVEN: CloseReason =
    CloseReason::Timeout("it took the connection and did not prove the group key");

/// Why a connection to a backend that is reached twice is closed.
const LOOKED_UP: CloseReason = CloseReason::Stepped("its address is looked up anew");

impl Leadership {
    /// Runs due timers: dials, drops silent backends, asks for confirmations, claims, and continues
    /// a planned failover.
    pub(in crate::front) fn timers(
        &mut self,
        now: Mono,
        ctx: &mut Context<'_>,
        out: &mut Vec<Intent>,
    ) {
        for id in BackendId::all() {
            let backend = ctx.replication.backend_mut(id);
            match backend.link_state() {
                LinkState::Down(at) if at <= now => {
                    backend.dial(now, ctx.numbers.next(), out);
                }
                LinkState::Dialling(link, until) if until <= now => {
                    self.drop_backend(now, link, id, UNPROVEN, ctx, out);
                }
                LinkState::Up(link) if backend.silent_at().is_some_and(|at| at <= now) => {
                    self.drop_backend(
                        now,
                        link,
                        id,
                        CloseReason::Timeout("a backend is silent"),
                        ctx,
                        out,
                    );
                }
                _ => {}
            }
        }
        if self.heartbeat <= now {
            self.beat(now, ctx, out);
        }
        self.claim_timers(now, ctx, out);
        if self.role.offered_until().is_some_and(|until| until <= now) {
            tracing::warn!(
                target: "tmr_core::front::timing",
                "the role that the twin gives away could not be taken in time"
            );
            self.stand_by();
        }
        let (replication, context) = self.with_replication(ctx);
        if let Some(id) = replication.take_doubled(now, &context) {
            if let Some(link) = ctx.replication.backend(id).link() {
                self.drop_backend(now, link, id, LOOKED_UP, ctx, out);
            }
        }
        self.failover_timers(now, ctx, out);
    }

    /// Asks every backend to confirm this front, and sends whatever else goes with the heartbeat.
    pub(in crate::front) fn beat(
        &mut self,
        now: Mono,
        ctx: &mut Context<'_>,
        out: &mut Vec<Intent>,
    ) {
        self.heartbeat = now + HEARTBEAT;
        let epoch = self.phase.epoch().unwrap_or_default();
        let (committed, serves) = (ctx.replication.log().committed(), self.serves(now, ctx.view()));
        let order = Order::Confirm { epoch, committed, serves };
        let stuck =
            self.role.is_to_lead() && self.phase.epoch().is_none() && !self.could_claim(ctx.view());
        // A front that stands by gets no report of changes by others, such as the birth of a group;
        // and the descriptions of a front that leads are old.
        let still = matches!(self.phase, Phase::Standby | Phase::Leading { .. });
        let unsure = still && !ctx.replication.has_two_members(&self.surroundings(ctx.view()));
        let asks = self.role.is_deposed()
            || self.role.waits()
            || self.claim.failures > 0
            || stuck
            || unsure;
        let asks = asks
            || self.fenced
            || self.misses_clocks(now, ctx.view())
            || ctx.replication.seems_lost();
        let doubled = BackendId::ALL.map(|id| ctx.replication.is_doubled(id));
        let backends = ctx.replication.backends_mut().iter_mut().zip(doubled);
        for (backend, doubled) in backends.filter(|(backend, _)| backend.known().is_some()) {
            backend.ask(now, OrderPurpose::Confirm(epoch), &order, out);
            // A backend that is left out may have been put right, and gets no claim.
            if asks || doubled || backend.exclusion().is_some() {
                backend.ask(now, OrderPurpose::Describe, &Order::Describe, out);
            }
        }
        let date = self.date.to_keep();
        let (replication, context) = self.with_replication(ctx);
        replication.tell_witness(now, date, &context, out);
        ctx.replication.backends_mut().iter_mut().for_each(BackendLink::log_what_lasts);
        self.log_obstacle(ctx);
        let (usage, context) = self.recording(ctx);
        usage.beat(now, &context);
    }

    /// Claims if that is due, gives up a claim without progress, and applies the fence.
    fn claim_timers(&mut self, now: Mono, ctx: &mut Context<'_>, out: &mut Vec<Intent>) {
        match self.phase {
            Phase::Pausing { until }
                if until.max(self.twin_awaited(ctx.view())) <= now
                    && self.could_claim(ctx.view()) =>
            {
                self.role.looks_no_more();
                self.claim(now, ctx, out);
            }
            Phase::Claiming { .. }
            | Phase::Reading(_)
            | Phase::Founding { .. }
            | Phase::Recovering { .. }
            | Phase::Reproposing { .. }
                if self.claim.until <= now =>
            {
                self.claim_again(now, "it took too long", ctx);
            }
            Phase::Leading { .. } if !ctx.replication.confirmed(now, FENCE) && !self.fenced => {
                tracing::warn!(
                    target: "tmr_core::front::timing",
                    "no majority of backends has confirmed this front: clients dropped"
                );
                self.fenced = true;
                self.drop_flights(ctx);
                ctx.calls
                    .service_mut()
                    .drop_clients(CloseReason::Stepped("no majority of backends"), out);
            }
            _ => {}
        }
    }

    pub(in crate::front) fn deadline(&self, view: View<'_>) -> Option<Deadline> {
        let backends =
            view.replication.backends().iter().filter_map(|backend| match backend.link_state() {
                LinkState::Down(at) => Some(Deadline { at, reason: "dial a backend" }),
                LinkState::Dialling(_, at) => {
                    Some(Deadline { at, reason: "backend does not answer" })
                }
                LinkState::Up(_) => {
                    let at = backend.silent_at()?;
                    Some(Deadline { at, reason: "backend is silent" })
                }
            });
        let heartbeat = Deadline { at: self.heartbeat, reason: "heartbeat" };
        let claim = match self.phase {
            Phase::Standby | Phase::Leading { .. } => None,
            Phase::Pausing { until } if self.could_claim(view) => {
                Some(until.max(self.twin_awaited(view)))
            }
            Phase::Pausing { .. } => None,
            _ => Some(self.claim.until),
        };
        let claim = claim.map(|at| Deadline { at, reason: "claim" });
        let [flights, strange] = view.calls.deadlines();
        let twin = view.twin.and_then(Twin::deadline);
        let handover = self.failover.deadline();
        let offered = self.role.offered_until().map(|at| Deadline { at, reason: "role offered" });
        let doubled = view
            .replication
            .redial_due(&self.surroundings(view))
            .map(|at| Deadline { at, reason: "look an address up" });
        let single = [Some(heartbeat), claim, flights, strange, twin, handover, offered, doubled];
        let first = backends.chain(single.into_iter().flatten()).min();
        let cleanup = view.calls.service().due().map(|at| Deadline { at, reason: "clean-up" });
        // Members are counted only if the result matters.
        let cleanup =
            cleanup.filter(|it| first.is_none_or(|first| *it < first) && self.hears_clients(view));
        cleanup.or(first)
    }
}
