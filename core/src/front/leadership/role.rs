//! The role: whether this front is to lead, by command or because the virtual address is here.
//!
//! The address is a hint to try, never a right to write: that is an epoch which two backends have
//! promised. So two machines may hold the address for as long as they like.
//!
//! - The address comes: claim, whoever leads. Whoever moved it wants it so.
//! - The address is found here when the front starts, or is still here after another front has
//!   taken the lead: claim only if nobody leads. A front that comes back pre-empts nobody.
//! - The twin gives its role away, because an operator says so: claim, for a short time. The address
//!   follows some milliseconds later, and changes nothing then.
//! - The address goes: nothing is claimed any more, unless an operator has said so. A front that
//!   leads goes on until another one does; clients that know its own address lose nothing.

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
    /// Nobody has asked for it.
    #[default]
    StandBy,
    /// As soon as nobody leads: the virtual address is here.
    WhenNobodyLeads,
    /// It is to lead.
    Lead {
        /// When it was last told to.
        told: Mono,
        /// An operator has told it to: that the address goes does not end it.
        ordered: bool,
        terms: Terms,
    },
}

/// For how long a front is to lead, or to try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Terms {
    /// Until another front leads.
    Unlimited,
    /// The twin gives its role away; this front leads by then, or lets it be.
    Offered { until: Mono },
    /// It led until a backend named a higher epoch, and looks whether another front leads now.
    Deposed,
}

/// What the role of a front hangs on.
#[derive(Clone, Debug, Default)]
pub(in crate::front) struct Role {
    request: RoleRequest,
    /// The virtual address is here; `None`: there is none, or nobody has looked.
    address: Option<bool>,
    /// This machine was told to give the address away.
    away: bool,
}

impl Role {
    /// Returns whether the front is to lead.
    pub(in crate::front) fn is_to_lead(&self) -> bool {
        matches!(self.request, RoleRequest::Lead { .. })
    }

    /// Returns whether the front is to lead as soon as nobody does.
    pub(in crate::front) fn waits(&self) -> bool {
        self.request == RoleRequest::WhenNobodyLeads
    }

    /// Returns whether the front led until a backend named a higher epoch, and looks whether another
    /// front leads now.
    pub(in crate::front) fn is_deposed(&self) -> bool {
        matches!(self.request, RoleRequest::Lead { terms: Terms::Deposed, .. })
    }

    /// Returns by when the front leads, or lets it be: the twin gives its role away.
    pub(in crate::front) fn offered_until(&self) -> Option<Mono> {
        match self.request {
            RoleRequest::Lead { terms: Terms::Offered { until }, .. } => Some(until),
            _ => None,
        }
    }

    /// Returns whether the virtual address is here; `None`: there is none, or nobody has looked.
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

    /// A backend has named a higher epoch to this front, which led.
    pub(in crate::front) fn depose(&mut self) {
        self.set_terms(Terms::Deposed);
    }

    /// The front claims once more, having looked whether another one leads.
    pub(in crate::front) fn looks_no_more(&mut self) {
        if self.is_deposed() {
            self.set_terms(Terms::Unlimited);
        }
    }

    /// The front leads: what was offered is taken.
    pub(in crate::front) fn takes_effect(&mut self) {
        self.set_terms(Terms::Unlimited);
    }

    /// The front does not wait for nobody to lead any more.
    fn wait_no_more(&mut self) {
        if self.waits() {
            self.request = RoleRequest::StandBy;
        }
    }

    /// There is no virtual address any more: the role is set by command.
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
    /// For an exhaustive check: all of it but when it was told.
    pub(in crate::front) fn fingerprint(&self, print: &mut crate::front::model::Print) {
        let Self { request: _, address, away } = self;
        assert!(self.offered_until().is_none() && address.is_none() && !away);
        print.add(&(self.is_to_lead(), self.is_ordered(), self.waits(), self.is_deposed()));
    }
}

impl Leadership {
    /// It is to lead: an operator says so, or the virtual address has come.
    pub(in crate::front) fn take_role(&mut self, now: Mono) {
        self.take_role_for(now, false, Terms::Unlimited);
    }

    /// It is to lead by then, or to let it be: the twin gives its role away.
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

    /// An operator says that it is to lead.
    pub(in crate::front) fn order(&mut self, now: Mono) {
        tracing::info!(target: "tmr_core::front::role", "activated by command");
        self.failover = Failover::default();
        self.take_role_for(now, true, Terms::Unlimited);
    }

    /// It was told to lead after it last knew that it did: whoever has claimed a higher epoch
    /// meanwhile did so before that.
    pub(in crate::front) fn was_told_since(&self, view: View<'_>) -> bool {
        let confirmed = view.replication.confirmed_at();
        self.role.told().is_some_and(|told| confirmed.is_none_or(|at| at < told))
    }

    /// The machine says whether it has the virtual address.
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

    /// Another front leads, or this one has no reason to try.
    pub(in crate::front) fn stand_by(&mut self) {
        self.phase = Phase::Standby;
        self.fenced = false;
        self.claim.failures = 0;
        self.role.stand_by();
    }

    /// Takes the role if it waits for nobody to lead, and nobody does.
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

    /// A backend knows of a front that serves. No stock server does: there it is the twin that says
    /// so.
    pub(in crate::front) fn somebody_leads(&self, view: View<'_>) -> bool {
        let led = view
            .replication
            .backends()
            .iter()
            .filter_map(BackendLink::known)
            .any(|description| description.led);
        led || view.config.unfenced && self.twin_epoch(view).is_some()
    }

    /// It neither leads nor tries to: its copy of the log may be the twin's. In unfenced mode it
    /// takes that also while it waits to claim: it has nothing else to go on with.
    pub(in crate::front) fn listens(&self, view: View<'_>) -> bool {
        match self.phase {
            Phase::Standby => true,
            Phase::Pausing { .. } => view.config.unfenced,
            _ => false,
        }
    }

    /// The part that this front plays now.
    pub(in crate::front) fn part(&self, now: Mono, view: View<'_>) -> TwinRole {
        match self.phase {
            Phase::Standby => TwinRole::Standby,
            Phase::Leading { .. } if self.is_confirmed(now, view) => TwinRole::Active,
            _ => TwinRole::Starting,
        }
    }

    /// The twin says that it leads under an epoch that it had not named before.
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
        } else if ctx.config.unfenced {
            // There is nobody else to ask.
            self.refused(now, epoch, ctx, out);
        } else if above && leads {
            // The twin is no authority. The backends are, and they are asked at once.
            self.heartbeat = now;
        }
    }

    /// The address is here, and another front leads: it is better there.
    pub(in crate::front) fn is_misplaced(&self, view: View<'_>) -> bool {
        let here = self.role.waits() && self.role.has_address();
        here && self.somebody_leads(view) && !self.failover.keeps_address()
    }

    /// Tells whoever moves the address, when that changes.
    pub(in crate::front) fn tell_away(&mut self, ctx: &Context<'_>, out: &mut Vec<Intent>) {
        let away = self.is_misplaced(ctx.view());
        if core::mem::replace(&mut self.role.away, away) != away {
            out.push(VipRequest::GiveAway(away).into());
        }
    }
}
