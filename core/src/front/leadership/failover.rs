//! Planned failover: the lead goes to the twin in good order, by an operator's order.
//!
//! Whatever was begun ends before the twin is ordered to lead, so no client loses an answer. Then
//! the backends decide, as always: this front steps back when they, or the twin itself, report that
//! the twin leads. If no such report arrives in time, it goes on as before.
//!
//! If this machine has the virtual address, that goes last. Once the address has left, no answer
//! can leave this machine, and a client would wait for it in vain; so links are closed before.

use super::phase::Phase;
use super::{Context, Leadership, View};
use crate::base::limits::{
    HANDOVER_ADDRESS, HANDOVER_CLAIM, HANDOVER_CLOSE, HANDOVER_DRAIN, HANDOVER_FLUSH,
    HANDOVER_WAIT, HEARTBEAT,
};
use crate::base::time::{Deadline, Mono};
use crate::io::Intent;
use crate::link::CloseReason;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

/// The stage of a planned failover, each with the end of its time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Stage {
    /// No failover is under way.
    #[default]
    Idle,
    /// New calls wait, calls that were begun end, and the twin gets every entry.
    Draining(Mono),
    /// The twin was ordered to lead.
    Told(Mono),
    /// The twin leads, and the virtual address is here: the links of clients are closed, each after
    /// the reply that its client waits for.
    Closing(Mono),
    /// All links are closed; their last bytes leave this machine.
    Flushing(Mono),
    /// The address may leave.
    Leaving(Mono),
}

/// The planned failover that is under way, and the outcome of the last one.
#[derive(Clone, Debug, Default)]
pub(in crate::front) struct Failover {
    stage: Stage,
    /// Why the last failover failed or was not completed.
    pub(in crate::front) trouble: Option<String>,
}

impl Failover {
    /// Whether new calls wait.
    pub(in crate::front) fn holds_back(&self) -> bool {
        matches!(self.stage, Stage::Draining(_) | Stage::Told(_))
    }

    /// Whether the twin was ordered to lead.
    pub(in crate::front) fn was_told(&self) -> bool {
        matches!(self.stage, Stage::Told(_))
    }

    /// Whether new clients are turned away, to return when the address has left.
    pub(in crate::front) fn turns_away(&self) -> bool {
        matches!(self.stage, Stage::Closing(_) | Stage::Flushing(_) | Stage::Leaving(_))
    }

    /// Whether the address may not leave yet, because replies to clients are still to be sent.
    pub(in crate::front) fn keeps_address(&self) -> bool {
        matches!(self.stage, Stage::Closing(_) | Stage::Flushing(_))
    }

    pub(in crate::front) fn deadline(&self) -> Option<Deadline> {
        match self.stage {
            Stage::Idle => None,
            Stage::Draining(at)
            | Stage::Told(at)
            | Stage::Closing(at)
            | Stage::Flushing(at)
            | Stage::Leaving(at) => Some(Deadline { at, reason: "planned failover" }),
        }
    }
}

impl Leadership {
    /// Returns whether the role can be given away.
    ///
    /// # Errors
    /// Why not, in a sentence for people.
    pub(in crate::front) fn could_fail_over(
        &self,
        now: Mono,
        view: View<'_>,
    ) -> Result<(), String> {
        if self.failover.stage != Stage::Idle {
            return Ok(());
        }
        if !matches!(self.phase, Phase::Leading { .. }) || !self.serves(now, view) {
            return Err("this front does not lead, so it has no role to give away; tmrd activate \
                        gives it the role"
                .to_string());
        }
        if !view.config.backend_kind().fences() {
            return Err("the backends are stock servers, which cannot tell one front that the \
                        other one leads: stop this front, and run tmrd activate on the other one"
                .to_string());
        }
        self.twin_could_lead(now, view)
    }

    /// Returns whether the twin can be given the lead in good order.
    ///
    /// # Errors
    /// Why not, in a sentence for people.
    fn twin_could_lead(&self, now: Mono, view: View<'_>) -> Result<(), String> {
        let Some(twin) = view.twin else {
            let none = "there is no other front: TmrServer.TwinServer is not configured";
            return Err(none.to_string());
        };
        twin.could_lead(now)?;
        let could = self.twin_machine_could(now, view);
        could.map_err(|reason| format!("the twin {} {reason}", twin.address()))
    }

    /// Begins a planned failover, unless one is under way.
    pub(in crate::front) fn begin_failover(&mut self, now: Mono, ctx: &mut Context<'_>) {
        if self.failover.stage == Stage::Idle {
            tracing::info!(
                target: "tmr_core::front::handover",
                "planned failover: what was begun ends, then the twin is to lead"
            );
            let stage = Stage::Draining(now + HANDOVER_DRAIN);
            self.failover = Failover { stage, trouble: None };
            // The twin gets these records with the others.
            let (usage, context) = self.recording(ctx);
            usage.flush(&context);
        }
    }

    /// Ends stages whose time is over.
    pub(in crate::front) fn failover_timers(
        &mut self,
        now: Mono,
        ctx: &mut Context<'_>,
        out: &mut Vec<Intent>,
    ) {
        match self.failover.stage {
            Stage::Draining(until) if until <= now => self.keep_role(format!(
                "calls on their way did not end, or the twin did not take their entries, within \
                 {} ms",
                HANDOVER_DRAIN.as_millis()
            )),
            Stage::Told(until) if until <= now => self.keep_role(format!(
                "the twin was told to lead and did not within {} ms; its log says why",
                HANDOVER_WAIT.as_millis()
            )),
            Stage::Closing(until) if until <= now => {
                ctx.calls.service_mut().close_links(|_, _| true, &LEAVES, out);
                self.failover.stage = Stage::Flushing(now + HANDOVER_FLUSH);
            }
            Stage::Flushing(until) if until <= now => {
                self.failover.stage = Stage::Leaving(now + HANDOVER_ADDRESS);
            }
            Stage::Leaving(until) if until <= now => {
                let trouble = format!(
                    "the twin leads, but the virtual address has not left this machine within {} \
                     s: is keepalived running here, and does its configuration track the file \
                     give-away of this front's state folder?",
                    HANDOVER_ADDRESS.as_secs()
                );
                tracing::error!(target: "tmr_core::front::handover", "planned failover: {trouble}");
                self.failover = Failover { stage: Stage::Idle, trouble: Some(trouble) };
            }
            _ => {}
        }
    }

    /// Gives the failover up: calls that wait are served here.
    fn keep_role(&mut self, reason: String) {
        tracing::warn!(target: "tmr_core::front::handover", "planned failover given up: {reason}");
        self.failover = Failover { stage: Stage::Idle, trouble: Some(reason) };
    }

    /// Goes to the next stage if this one is completed. It runs before waiting calls are looked at,
    /// since they are served here if the role stays.
    pub(in crate::front) fn failover_settle(
        &mut self,
        now: Mono,
        ctx: &mut Context<'_>,
        out: &mut Vec<Intent>,
    ) {
        let stands_by = matches!(self.phase, Phase::Standby);
        match self.failover.stage {
            Stage::Draining(_) => match (&self.phase, self.twin_could_lead(now, ctx.view())) {
                (Phase::Leading { epoch }, Ok(())) if self.is_drained(ctx.view()) => {
                    let epoch = *epoch;
                    self.tell_twin_to_lead(now, epoch, ctx, out);
                    self.failover.stage = Stage::Told(now + HANDOVER_WAIT);
                }
                (Phase::Leading { .. }, Ok(())) => {}
                (Phase::Leading { .. }, Err(reason)) => self.keep_role(reason),
                // Another front has taken the lead before it was given away.
                _ => self.failover.stage = Stage::Idle,
            },
            Stage::Told(_) if stands_by => {
                tracing::info!(
                    target: "tmr_core::front::handover",
                    "planned failover: the twin leads"
                );
                self.failover.stage = Stage::Idle;
                if self.role.has_address() {
                    self.failover.stage = Stage::Closing(now + HANDOVER_CLOSE);
                }
            }
            Stage::Closing(_) | Stage::Flushing(_) | Stage::Leaving(_)
                if !stands_by || !self.role.has_address() =>
            {
                self.failover.stage = Stage::Idle;
            }
            _ => {}
        }
    }

    /// Whether no call is being worked on, and the twin has every entry.
    pub(super) fn is_drained(&self, view: View<'_>) -> bool {
        let last = view.replication.log().last();
        view.calls.is_drained()
            && view.replication.log().committed() == last
            && self.twin_has(last, view)
    }

    /// Closes the links of clients that wait for nothing from this front. A parked call was not
    /// passed to the twin; unless it still will be, its client may repeat it at the front that has
    /// the address then. So this comes last in a step.
    pub(in crate::front) fn failover_close(
        &mut self,
        now: Mono,
        ctx: &mut Context<'_>,
        out: &mut Vec<Intent>,
    ) {
        let Stage::Closing(_) = self.failover.stage else { return };
        let passes = self.may_pass(ctx.view());
        if ctx.calls.close_idle(passes, &LEAVES, out) {
            self.failover.stage = Stage::Flushing(now + HANDOVER_FLUSH);
        }
    }

    /// Gives the lead up when no call is being worked on. Links stay, and so do calls that wait.
    pub(in crate::front) fn let_go(&mut self, ctx: &mut Context<'_>) {
        self.phase = Phase::Standby;
        ctx.replication.log_mut().drop_uncommitted();
        ctx.calls.service_mut().forget_handles();
    }

    /// Stands by because the twin, which was ordered to lead, reports that it does. Standing by is
    /// always safe, so the twin's report suffices when the role was given to it.
    pub(in crate::front) fn twin_has_taken_over(&mut self, now: Mono, ctx: &mut Context<'_>) {
        self.let_go(ctx);
        // The backends may not know it from the twin yet; they are asked with the next heartbeat.
        for backend in ctx.replication.backends_mut() {
            backend.reported_mut().is_led();
        }
        self.heartbeat = now + HEARTBEAT;
        self.stand_by();
    }

    /// Takes the lead that the twin, which leads, gives away. If this front cannot take it soon,
    /// nothing changes and the twin goes on. Returns whether it is taken: then due timers have to
    /// run at once.
    pub(in crate::front) fn take_offer(&mut self, now: Mono, ctx: &Context<'_>) -> bool {
        if !ctx.config.backend_kind().fences() || !ctx.replication.could_serve() {
            tracing::warn!(
                target: "tmr_core::front::handover",
                "the twin wants to give its role away; this front cannot take it now"
            );
            return false;
        }
        if self.has_just_woken(now) {
            tracing::warn!(
                target: "tmr_core::front::handover",
                "the twin has wanted to give its role away while this front did not run: it keeps it, for \
                 whoever ordered that may have been told so"
            );
            return false;
        }
        tracing::info!(
            target: "tmr_core::front::handover",
            "the twin gives its role away: taking the lead"
        );
        self.take_role_by(now, now + HANDOVER_CLAIM);
        true
    }
}

/// Why the link of a client is closed before the address leaves.
pub(in crate::front) const LEAVES: CloseReason =
    CloseReason::Stepped("another front leads, and the virtual address goes there");
