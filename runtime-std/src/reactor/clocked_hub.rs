//! The hub with what it needs of this machine: the clock that steps it, the time that the
//! runtime's timer is set to, and where its requests to the machine go.

use crate::clock::Clock;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use tmr_core::base::time::{Duration, Mono, Now};
use tmr_core::io::HostRequest;
use tmr_core::link::{CloseReason, LinkId, ListenerId};
use tmr_core::node::hub::{Dial, Hub, Output};

/// Takes what a node wants of its machine.
pub trait Requests: fmt::Debug + Send {
    /// Hands a request to the worker that serves it, and waits for nothing.
    fn hand_on(&self, request: HostRequest);
    /// The node was told that the process ends, and has recorded all that it had to.
    fn all_recorded(&self);
}

/// Steps that the node of this process has taken.
static STEPS: AtomicU64 = AtomicU64::new(0);

/// Returns how many steps the node of this process has taken, which tells a process that works from one that
/// hangs.
#[must_use]
pub fn steps_taken() -> u64 {
    STEPS.load(Ordering::Relaxed)
}

/// What stands behind a runtime's lock.
#[derive(Debug)]
pub(super) struct ClockedHub {
    hub: Hub,
    clock: Clock,
    /// When the timer will look again; `None`: not before it is told to.
    set: Option<Mono>,
    requests: Box<dyn Requests>,
}

/// What a step left to do, outside of the lock.
#[derive(Debug, Default)]
pub(super) struct Effects {
    /// The timer is set to a time after the deadline: set it anew.
    pub(super) sooner: bool,
    /// The hub has something for these links.
    pub(super) wake: Vec<LinkId>,
    /// Connections to close at once.
    pub(super) drop: Vec<(LinkId, CloseReason)>,
    /// Connections to open.
    pub(super) dial: Vec<Dial>,
    /// Listeners to look at again.
    pub(super) listen: Vec<ListenerId>,
}

impl Effects {
    /// This and then that.
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
    /// Around a hub that has not been stepped yet.
    pub(super) fn new(hub: Hub, requests: Box<dyn Requests>) -> Self {
        Self { hub, clock: Clock::start(), set: None, requests }
    }

    /// The hub, for what takes no time and leaves nothing to do.
    pub(super) fn hub(&mut self) -> &mut Hub {
        &mut self.hub
    }

    /// Steps the hub at the time that it is now.
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

    /// A link's key agreement or TLS handshake is over.
    pub(super) fn greeted(&mut self, link: LinkId) {
        self.hub.greeted(self.clock.now(), link);
    }

    /// The node was told that the process ends, and has recorded all that it had to.
    pub(super) fn all_recorded(&self) {
        self.requests.all_recorded();
    }

    /// A link is gone, and why; for the hub and for the log.
    pub(super) fn closed(&mut self, link: LinkId, reason: CloseReason, unsent: bool) -> Effects {
        tracing::debug!(
            target: "tmr_runtime_std::daemon::timed",
            link = link.0, %reason, unsent, "closed"
        );
        self.step(|hub, now, out| hub.closed(now, link, reason, unsent, out)).1
    }

    /// How long the timer has to wait before the next [`tick`](Self::tick); zero: it is due. The
    /// timer counts as set to that time from now on.
    pub(super) fn set_timer(&mut self) -> Duration {
        self.set = self.hub.deadline().map(|due| due.at);
        self.set.map_or(Duration::MAX, |at| at.since(self.clock.now().mono))
    }

    fn sooner(&self) -> bool {
        self.hub.deadline().is_some_and(|due| self.set.is_none_or(|set| due.at < set))
    }
}
