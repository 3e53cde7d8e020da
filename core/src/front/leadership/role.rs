//! The role: whether this front is to lead, by command or because its machine has the virtual
//! address.
//!
//! The address is a hint to claim, never a right to write: that is an epoch which two backends have
//! promised. So two machines may hold the address for any time.
//!
//! - The address comes: the front claims even if another one leads, since the address was moved on
//!   purpose.
//! - The address is found here when the front starts, or is still here after another front has
//!   taken the lead: the front claims only if no front leads. A front that returns does not
//!   pre-empt another one.
//! - The twin gives its role away by an operator's order: the front claims, for a short time. The
//!   address follows some milliseconds later, which changes nothing.
//! - The address goes: the front claims no more, unless an operator has ordered it to lead. A front
//!   that leads goes on until another one does; clients that know its own address lose nothing.

use super::failover::Failover;
use super::phase::Phase;
use super::{Context, Leadership, View};
use crate::base::time::Mono;
use crate::front::replication::backend_link::BackendLink;
use crate::io::{Intent, VipRequest};
use crate::log::Epoch;
use crate::messages::twin::TwinRole;
use alloc::vec::Vec;

/// Whether a front is to lead.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum RoleRequest {
    /// No request to lead.
    #[default]
    StandBy,
    /// It leads as soon as no other front does: the virtual address is here.
    WhenNobodyLeads,
    /// It is to lead.
    Lead {
        /// When it was last ordered to.
        told: Mono,
        /// It was ordered by an operator, so that it stays when the address goes.
        ordered: bool,
        terms: Terms,
    },
}

/// For how long a front leads, or tries to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Terms {
    /// Until another front leads.
    Unlimited,
    /// The twin gives its role away; this front leads by then, or gives up.
    Offered { until: Mono },
    /// It led until a backend named a higher epoch, and is checking whether another front leads.
    Deposed,
}

/// The request to lead, and the virtual address.
#[derive(Clone, Debug, Default)]
pub(in crate::front) struct Role {
    request: RoleRequest,
    /// Whether the virtual address is here; `None` if there is none, or if it is not known yet.
    address: Option<bool>,
    /// This machine was ordered to give the address away.
    away: bool,
}

impl Role {
    /// Returns whether the front is to lead.
    pub(in crate::front) fn is_to_lead(&self) -> bool {
        matches!(self.request, RoleRequest::Lead { .. })
    }

    /// Returns whether the front is to lead as soon as no other front does.
    pub(in crate::front) fn waits(&self) -> bool {
        self.request == RoleRequest::WhenNobodyLeads
    }

    /// Returns whether the front led until a backend named a higher epoch, and is checking whether
    /// another front leads.
    pub(in crate::front) fn is_deposed(&self) -> bool {
        matches!(self.request, RoleRequest::Lead { terms: Terms::Deposed, .. })
    }

    /// Returns by when a front leads or gives up to which the twin gives its role away.
    pub(in crate::front) fn offered_until(&self) -> Option<Mono> {
        match self.request {
            RoleRequest::Lead { terms: Terms::Offered { until }, .. } => Some(until),
            _ => None,
        }
    }

    /// Returns whether the virtual address is here; `None` if there is none, or if it is not known
    /// yet.
    pub(in crate::front) fn address(&self) -> Option<bool> {
        self.address
    }

    /// Returns whether the virtual address is known to be here.
    pub(in crate::front) fn has_address(&self) -> bool {
        self.address == Some(true)
    }

    fn told(&self) -> Option<Mono> {
        match self.request {
            RoleRequest::Lead { told, .. } => Some(told),
            _ => None,
        }
    }

    fn is_ordered(&self) -> bool {
        matches!(self.request, RoleRequest::Lead { ordered: true, .. })
    }

    fn lead(&mut self, now: Mono, ordered: bool, terms: Terms) {
        let ordered = ordered || self.is_ordered();
        self.request = RoleRequest::Lead { told: now, ordered, terms };
    }

    fn set_terms(&mut self, new: Terms) {
        if let RoleRequest::Lead { terms, .. } = &mut self.request {
            *terms = new;
        }
    }

    /// Notes that a backend has named a higher epoch to this front, which led.
    pub(in crate::front) fn depose(&mut self) {
        self.set_terms(Terms::Deposed);
    }

    /// Ends the check whether another front leads, because this one claims again.
    pub(in crate::front) fn looks_no_more(&mut self) {
        if self.is_deposed() {
            self.set_terms(Terms::Unlimited);
        }
    }

    /// Makes the role unlimited, because the front leads.
    pub(in crate::front) fn takes_effect(&mut self) {
        self.set_terms(Terms::Unlimited);
    }

    /// Ends the wait until no front leads.
    fn wait_no_more(&mut self) {
        if self.waits() {
            self.request = RoleRequest::StandBy;
        }
    }

    /// Forgets the virtual address: from now on the role is set by command only.
    pub(in crate::front) fn forget_address(&mut self) {
        self.address = None;
        self.wait_no_more();
    }

    fn stand_by(&mut self) {
        self.request = match self.address {
            Some(true) => RoleRequest::WhenNobodyLeads,
            _ => RoleRequest::StandBy,
        };
    }
}

#[cfg(feature = "model")]
impl Role {
    /// For an exhaustive check: adds everything except the time of the request.
    pub(in crate::front) fn fingerprint(&self, print: &mut crate::front::print::Print) {
        let Self { request: _, address, away } = self;
        assert!(self.offered_until().is_none() && address.is_none() && !away);
        print.add(&(self.is_to_lead(), self.is_ordered(), self.waits(), self.is_deposed()));
    }
}

impl Leadership {
    /// Takes the role, by an operator's order or because the virtual address has come.
    pub(in crate::front) fn take_role(&mut self, now: Mono) {
        self.take_role_for(now, false, Terms::Unlimited);
    }

    /// Takes the role that the twin gives away, until this time.
    pub(in crate::front) fn take_role_by(&mut self, now: Mono, until: Mono) {
        self.take_role_for(now, false, Terms::Offered { until });
    }

    fn take_role_for(&mut self, now: Mono, ordered: bool, terms: Terms) {
        self.claim.failures = 0;
        self.heartbeat = now;
        if !self.role.is_to_lead() {
            self.phase = Phase::Pausing { until: now };
        }
        self.role.lead(now, ordered, terms);
    }

    /// Takes the role by an operator's order.
    pub(in crate::front) fn order(&mut self, now: Mono) {
        tracing::info!(target: "tmr_core::front::role", "activated by command");
        self.failover = Failover::default();
        self.take_role_for(now, true, Terms::Unlimited);
    }

    /// Returns whether the order to lead is newer than the last confirmation: then a higher epoch
    /// that was claimed meanwhile is older than that order.
    pub(in crate::front) fn was_told_since(&self, view: View<'_>) -> bool {
        let confirmed = view.replication.confirmed_at();
        self.role.told().is_some_and(|told| confirmed.is_none_or(|at| at < told))
    }

    /// Takes the machine's report whether it has the virtual address.
    pub(in crate::front) fn address(&mut self, now: Mono, here: bool, ctx: &mut Context<'_>) {
        match (self.role.address.replace(here), here) {
            (Some(false), true) => {
                tracing::info!(
                    target: "tmr_core::front::role",
                    "the virtual address has come: taking the lead"
                );
                ctx.operator.has_address();
                self.take_role(now);
            }
            (None, true) => {
                tracing::info!(
                    target: "tmr_core::front::role",
                    "the virtual address is here: leading as soon as nobody does"
                );
                if !self.role.is_to_lead() {
                    self.role.stand_by();
                }
            }
            (Some(true), false) => {
                tracing::info!(target: "tmr_core::front::role", "the virtual address has gone");
                self.role.wait_no_more();
                if !matches!(self.phase, Phase::Leading { .. }) && !self.role.is_ordered() {
                    self.stand_by();
                }
            }
            (None | Some(false), false) | (Some(true), true) => {}
        }
    }

    /// Stands by: another front leads, or this one has no reason to try.
    pub(in crate::front) fn stand_by(&mut self) {
        self.phase = Phase::Standby;
        self.fenced = false;
        self.claim.failures = 0;
        self.role.stand_by();
    }

    /// Takes the role if it is waiting until no front leads, and none does.
    pub(in crate::front) fn lead_if_nobody_does(&mut self, now: Mono, ctx: &Context<'_>) {
        let sure = self.twin_awaited(ctx.view()) <= now;
        if self.role.waits()
            && ctx.replication.could_serve()
            && sure
            && !self.somebody_leads(ctx.view())
        {
            tracing::info!(
                target: "tmr_core::front::role",
                "the virtual address is here and nobody leads: taking the lead"
            );
            self.take_role(now);
        }
    }

    /// Returns whether a backend knows of a front that serves. Stock servers do not know; in
    /// unfenced mode the twin's report decides.
    pub(in crate::front) fn somebody_leads(&self, view: View<'_>) -> bool {
        let led = view
            .replication
            .backends()
            .iter()
            .filter_map(BackendLink::known)
            .any(|description| description.led);
        led || !view.config.backend_kind().fences() && self.twin_epoch(view).is_some()
    }

    /// Returns whether this front takes the twin's copy of the log: it neither leads nor tries to.
    /// In unfenced mode it takes it also while it waits to claim, since it has no other source.
    pub(in crate::front) fn listens(&self, view: View<'_>) -> bool {
        match self.phase {
            Phase::Standby => true,
            Phase::Pausing { .. } => !view.config.backend_kind().keeps_log(),
            _ => false,
        }
    }

    /// Returns the present role of this front, as reported to the twin.
    pub(in crate::front) fn part(&self, now: Mono, view: View<'_>) -> TwinRole {
        match self.phase {
            Phase::Standby => TwinRole::Standby,
            Phase::Leading { .. } if self.is_confirmed(now, view) => TwinRole::Active,
            _ => TwinRole::Starting,
        }
    }

    /// Handles the twin's report that it leads under an epoch that it had not named before.
    pub(in crate::front) fn twin_leads_now(
        &mut self,
        now: Mono,
        epoch: Epoch,
        ctx: &mut Context<'_>,
        out: &mut Vec<Intent>,
    ) {
        self.highest = self.highest.max(epoch);
        let leads = matches!(self.phase, Phase::Leading { .. });
        let above = self.phase.epoch().is_none_or(|own| own < epoch);
        if above && self.failover.was_told() {
            self.twin_has_taken_over(now, ctx);
        } else if !ctx.config.backend_kind().fences() {
            // No backend can be asked.
            self.refused(now, epoch, ctx, out);
        } else if above && leads {
            // The twin is no authority. The backends are, and they are asked at once.
            self.heartbeat = now;
        }
    }

    /// Returns whether the address is here although another front leads.
    pub(in crate::front) fn is_misplaced(&self, view: View<'_>) -> bool {
        let here = self.role.waits() && self.role.has_address();
        here && self.somebody_leads(view) && !self.failover.keeps_address()
    }

    /// Requests that the address be given away or kept, when that changes.
    pub(in crate::front) fn tell_away(&mut self, ctx: &Context<'_>, out: &mut Vec<Intent>) {
        let away = self.is_misplaced(ctx.view());
        if core::mem::replace(&mut self.role.away, away) != away {
            out.push(VipRequest::GiveAway(away).into());
        }
    }
}
