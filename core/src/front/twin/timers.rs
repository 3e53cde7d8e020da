//! When the twin is dialled, and when one of its links is given up.

use super::Twin;
use super::context::Context;
use crate::base::limits::{TWIN_HEARTBEAT, TWIN_SILENCE};
use crate::base::time::{Deadline, Duration, Mono};
use crate::front::LinkNumbers;
use crate::front::replication::link_state::LinkState;
use crate::io::Intent;
use crate::link::{LinkId, PeerKind};
use alloc::vec::Vec;

/// A link of the twin without progress.
#[derive(Debug)]
pub(in crate::front) struct LateLink {
    pub(in crate::front) link: LinkId,
    /// What did not arrive in time.
    pub(in crate::front) what: &'static str,
}

impl Twin {
    /// Returns for how long the twin has been silent although both connections are up, if that is
    /// longer than an idle twin ever is: its process is stopped, its machine is overloaded, or the
    /// network drops everything.
    pub(super) fn silent_for(&self, now: Mono) -> Option<Duration> {
        let quiet = self.receiver.quiet(now).max(self.sender.link.quiet(now));
        (self.is_connected() && quiet >= TWIN_SILENCE).then_some(quiet)
    }

    /// Dials. Returns the links without progress, which have to be closed.
    pub(in crate::front) fn timers(
        &mut self,
        now: Mono,
        numbers: &mut LinkNumbers,
        context: &Context<'_>,
        out: &mut Vec<Intent>,
    ) -> Vec<LateLink> {
        let within = self.config.connect_timeout;
        let transfer = self.config.transfer_timeout;
        self.hellos.begin(now);
        let mut late = Vec::new();
        match self.sender.link.state() {
            LinkState::Down(at) if at <= now => {
                let link = numbers.next();
                self.sender.link.dialling(link, now + within);
                let to = self.config.address.clone();
                out.push(Intent::Dial { link, to, callee: PeerKind::Twin { within } });
                let frame = self.hellos.own(context.log, context.history);
                out.push(Intent::Send { link, frame });
            }
            LinkState::Dialling(link, until) if until <= now => {
                let what = "no hello of the twin within ConnectTimeoutInSeconds";
                late.push(LateLink { link, what });
            }
            LinkState::Up(link) if self.sender.link.due(transfer).is_some_and(|at| at <= now) => {
                let what = "no answer of the twin within TransferTimeoutInSeconds";
                late.push(LateLink { link, what });
            }
            _ => {}
        }
        if let Some(link) = self.receiver.link() {
            if self.receiver.silent(transfer) <= now {
                let what = "no word of the twin within TransferTimeoutInSeconds";
                late.push(LateLink { link, what });
            }
        }
        late
    }

    pub(in crate::front) fn deadline(&self) -> Option<Deadline> {
        let transfer = self.config.transfer_timeout;
        let sender = match self.sender.link.state() {
            LinkState::Down(at) => Some(Deadline { at, reason: "dial the twin" }),
            LinkState::Dialling(_, at) => Some(Deadline { at, reason: "twin does not answer" }),
            LinkState::Up(_) => {
                let due = self.sender.link.due(transfer);
                let due = due.map(|at| Deadline { at, reason: "twin takes nothing" });
                let next = self.sender.next(TWIN_HEARTBEAT);
                Deadline::sooner(due, next.map(|at| Deadline { at, reason: "tell the twin" }))
            }
        };
        let at = self.receiver.silent(transfer);
        let receiver = self.receiver.link().map(|_| Deadline { at, reason: "twin is silent" });
        let passed = self.outgoing.due().map(|at| Deadline { at, reason: "a call passed on" });
        Deadline::sooner(Deadline::sooner(sender, receiver), passed)
    }
}
