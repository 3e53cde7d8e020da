//! The hub with the clock that steps it, the time that the runtime's timer is set to, and the
//! receiver of its requests to the host.

use crate::clock::Clock;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use tmr_core::base::time::{Duration, Mono, Now};
use tmr_core::io::HostRequest;
use tmr_core::link::{CloseReason, LinkId, ListenerId};
use tmr_core::node::hub::{Dial, Hub, Output};

/// Receives what a node requests of its machine.
pub trait Requests: fmt::Debug + Send {
    /// Hands a request to the worker that serves it, without blocking.
    fn hand_on(&self, request: HostRequest);
    /// Reports that the node has handled the end of the process, and recorded all that it had to.
    fn all_recorded(&self);
}

/// Steps that the node of this process has taken.
static STEPS: AtomicU64 = AtomicU64::new(0);

/// Returns how many steps the node of this process has taken. A process that hangs takes none.
#[must_use]
pub fn steps_taken() -> u64 {
    STEPS.load(Ordering::Relaxed)
}

/// The hub with its clock and its requests, which a runtime keeps behind one lock.
#[derive(Debug)]
pub(super) struct ClockedHub {
    hub: Hub,
    clock: Clock,
    /// The time that the timer is set to; `None`: it waits until it is set anew.
    set: Option<Mono>,
    requests: Box<dyn Requests>,
}

/// What a step left to do outside of the lock.
#[derive(Debug, Default)]
pub(super) struct Effects {
    /// Whether the timer is set to a time after the deadline, and must be set anew.
    pub(super) sooner: bool,
    /// Links to flush: the hub has frames for them, or has ended them.
    pub(super) wake: Vec<LinkId>,
    /// Connections to close at once.
    pub(super) drop: Vec<(LinkId, CloseReason)>,
    /// Connections to open.
    pub(super) dial: Vec<Dial>,
    /// Listeners to watch again.
    pub(super) listen: Vec<ListenerId>,
}

impl Effects {
    /// Appends the effects of a later step.
    pub(super) fn and(mut self, that: Self) -> Self {
        self.sooner |= that.sooner;
        self.wake.extend(that.wake);
        self.drop.extend(that.drop);
        self.dial.extend(that.dial);
        self.listen.extend(that.listen);
        self
    }
}

impl ClockedHub {
    /// Wraps a hub that has not been stepped yet.
    pub(super) fn new(hub: Hub, requests: Box<dyn Requests>) -> Self {
        Self { hub, clock: Clock::start(), set: None, requests }
    }

    /// Lends the hub, for calls that need no time and have no effects.
    pub(super) fn hub(&mut self) -> &mut Hub {
        &mut self.hub
    }

    /// Steps the hub at the current time, and hands its requests to the host on.
    pub(super) fn step<T>(
        &mut self,
        step: impl FnOnce(&mut Hub, Now, &mut Vec<Output>) -> T,
    ) -> (T, Effects) {
        let mut outputs = Vec::new();
        let out = step(&mut self.hub, self.clock.now(), &mut outputs);
        STEPS.fetch_add(1, Ordering::Relaxed);
        let mut effects = Effects { sooner: self.sooner(), ..Effects::default() };
        for output in outputs {
            match output {
                Output::Wake(link) | Output::End(link) => effects.wake.push(link),
                Output::Dial(dial) => effects.dial.push(dial),
                Output::Drop { link, reason } => effects.drop.push((link, reason)),
                Output::Listen(listener) => effects.listen.push(listener),
                Output::Host(request) => self.requests.hand_on(request),
            }
        }
        (out, effects)
    }

    /// Reports to the hub that a link's key agreement or TLS handshake is over.
    pub(super) fn greeted(&mut self, link: LinkId) {
        self.hub.greeted(self.clock.now(), link);
    }

    /// Reports that the node has handled the end of the process, and recorded all that it had to.
    pub(super) fn all_recorded(&self) {
        self.requests.all_recorded();
    }

    /// Reports to the hub, and logs, that a link is closed and why.
    pub(super) fn closed(&mut self, link: LinkId, reason: CloseReason, unsent: bool) -> Effects {
        tracing::debug!(
            target: "tmr_runtime_std::daemon::timed",
            link = link.0, %reason, unsent, "closed"
        );
        self.step(|hub, now, out| hub.closed(now, link, reason, unsent, out)).1
    }

    /// Returns how long the timer has to wait before the next [`tick`](Hub::tick), zero if it is
    /// due, and records the timer as set to that time.
    pub(super) fn set_timer(&mut self) -> Duration {
        self.set = self.hub.deadline().map(|due| due.at);
        self.set.map_or(Duration::MAX, |at| at.since(self.clock.now().mono))
    }

    fn sooner(&self) -> bool {
        self.hub.deadline().is_some_and(|due| self.set.is_none_or(|set| due.at < set))
    }
}
