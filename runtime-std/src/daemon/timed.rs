//! The hub with what it needs of this machine: the clock that steps it, the time that the
//! runtime's timer is set to, the patience with peers that do not read, the rest of doors that
//! cannot take anybody in, and where its requests to the machine go.

use super::clock::Clock;
use super::net::BREATH;
use super::notify;
use super::workers::{self, Inboxes, Outboxes};
use std::collections::BTreeMap;
use tmr_core::limits::WRITE_TIMEOUT;
use tmr_core::link::{Link, Why};
use tmr_core::node::hub::{Dial, Hub, Output};
use tmr_core::time::{Duration, Mono, Now};

/// What stands behind a runtime's lock.
#[derive(Debug)]
pub(super) struct TimedHub {
    hub: Hub,
    clock: Clock,
    /// When the timer will look again; `None`: not before it is told to.
    set: Option<Mono>,
    /// Links whose peers do not read, and until when that is borne.
    pub(super) patience: BTreeMap<Link, Mono>,
    /// Doors that take nobody in, and until when.
    resting: BTreeMap<u64, Mono>,
    outboxes: Outboxes,
}

/// What a step left to do, outside of the lock.
#[derive(Debug, Default)]
pub(super) struct Todo {
    /// The timer is set to a time after the deadline: set it anew.
    pub(super) sooner: bool,
    /// The hub has something for these links.
    pub(super) wake: Vec<Link>,
    /// Their peers have not read for too long.
    pub(super) late: Vec<Link>,
    /// Connections to open.
    pub(super) dial: Vec<Dial>,
    /// Doors to look at again.
    pub(super) rested: Vec<u64>,
}

impl Todo {
    /// This and then that.
    pub(super) fn and(mut self, that: Self) -> Self {
        self.sooner |= that.sooner;
        self.wake.extend(that.wake);
        self.late.extend(that.late);
        self.dial.extend(that.dial);
        self.rested.extend(that.rested);
        self
    }
}

impl TimedHub {
    /// A hub that has not been stepped yet, and what it wants done on this machine.
    pub(super) fn new(hub: Hub) -> (Self, Inboxes) {
        let (outboxes, inboxes) = workers::boxes();
        let (clock, set) = (Clock::start(), None);
        let (patience, resting) = (BTreeMap::new(), BTreeMap::new());
        (Self { hub, clock, set, patience, resting, outboxes }, inboxes)
    }

    /// The hub, for what takes no time and leaves nothing to do.
    pub(super) fn hub(&mut self) -> &mut Hub {
        &mut self.hub
    }

    /// Steps the hub at the time that it is now.
    pub(super) fn step<T>(
        &mut self,
        step: impl FnOnce(&mut Hub, Now, &mut Vec<Output>) -> T,
    ) -> (T, Todo) {
        let mut outputs = Vec::new();
        let out = step(&mut self.hub, self.clock.now(), &mut outputs);
        notify::turned();
        let mut todo = Todo { sooner: self.sooner(), ..Todo::default() };
        for output in outputs {
            match output {
                Output::Wake(link) | Output::End(link) => todo.wake.push(link),
                Output::Dial(dial) => todo.dial.push(dial),
                Output::Host(request) => self.outboxes.hand_on(request),
            }
        }
        (out, todo)
    }

    /// Steps the hub because time has gone on.
    pub(super) fn tick(&mut self) -> Todo {
        let now = self.clock.now().mono;
        let late = self.patience.iter().filter(|(_, until)| **until <= now);
        let late = late.map(|(link, _)| *link).collect();
        let rested = self.resting.iter().filter(|(_, until)| **until <= now);
        let rested = rested.map(|(door, _)| *door).collect();
        self.resting.retain(|_, until| *until > now);
        Todo { late, rested, ..self.step(Hub::tick).1 }
    }

    /// A link's key agreement or TLS handshake is over.
    pub(super) fn greeted(&mut self, link: Link) {
        self.hub.greeted(self.clock.now(), link);
    }

    /// The node was told that the process ends, and has recorded all that it had to.
    pub(super) fn lines_are_laid(&self) {
        self.outboxes.all_is_recorded();
    }

    /// A door takes nobody in for a moment.
    pub(super) fn rest(&mut self, door: u64) -> Todo {
        self.resting.insert(door, self.clock.now().mono + BREATH);
        Todo { sooner: self.sooner(), ..Todo::default() }
    }

    /// A link is gone, and why; for the hub and for the log.
    pub(super) fn closed(&mut self, link: Link, why: Why, unsent: bool) -> Todo {
        tracing::debug!(
            target: "tmr_runtime_std::daemon::timed",
            link = link.0, %why, unsent, "closed"
        );
        self.patience.remove(&link);
        self.step(|hub, now, out| hub.closed(now, link, why, unsent, out)).1
    }

    /// A link's peer is waited for from now on until it reads, or not any more.
    pub(super) fn wait_for(&mut self, link: Link, waits: bool) -> Todo {
        if waits {
            self.patience.insert(link, self.clock.now().mono + WRITE_TIMEOUT);
        } else {
            self.patience.remove(&link);
        }
        Todo { sooner: self.sooner(), ..Todo::default() }
    }

    /// How long the timer has to wait before the next [`tick`](Self::tick); zero: it is due. The
    /// timer counts as set to that time from now on.
    pub(super) fn set_timer(&mut self) -> Duration {
        self.set = self.due();
        self.set.map_or(Duration::MAX, |at| at.since(self.clock.now().mono))
    }

    fn due(&self) -> Option<Mono> {
        let hub = self.hub.deadline().map(|due| due.at);
        hub.into_iter().chain(self.patience.values().chain(self.resting.values()).copied()).min()
    }

    fn sooner(&self) -> bool {
        self.due().is_some_and(|due| self.set.is_none_or(|set| due < set))
    }
}
