//! The hub with what it needs of this machine: the clock that steps it, the time that the
//! runtime's timer is set to, and the errands it sends.

use super::clock::Clock;
use super::disk::Durable;
use super::exit::halt;
use super::plan::Errand;
use std::sync::mpsc::{self, Receiver, Sender};
use tmr_core::hub::{Act, Hub};
use tmr_core::io::{Address, Callee, Link, Why};
use tmr_core::time::{Duration, Mono, Now};

/// What a runtime holds behind its lock.
#[derive(Debug)]
pub struct TimedHub {
    hub: Hub,
    clock: Clock,
    /// When the timer will look again; `None`: not before it is told to.
    set: Option<Mono>,
    errands: Sender<Errand>,
}

/// What a step left to do, outside of the lock.
#[derive(Debug, Default)]
pub struct Todo {
    /// The timer is set to a time after the deadline: set it anew.
    pub sooner: bool,
    /// The hub has something for these links.
    pub wake: Vec<Link>,
    /// The hub has the last for these links: nothing more is to be read from them.
    pub end: Vec<Link>,
    /// Connections to open.
    pub dial: Vec<(Link, Address, Callee)>,
}

impl TimedHub {
    /// A hub that has not been stepped yet, and what it wants done on this machine.
    #[must_use]
    pub fn new(hub: Hub) -> (Self, Receiver<Errand>) {
        let (errands, waiting) = mpsc::channel();
        (Self { hub, clock: Clock::start(), set: None, errands }, waiting)
    }

    /// The hub, for what takes no time and leaves nothing to do.
    pub fn hub(&mut self) -> &mut Hub {
        &mut self.hub
    }

    /// Steps the hub at the time that it is now.
    pub fn step<T>(&mut self, step: impl FnOnce(&mut Hub, Now, &mut Vec<Act>) -> T) -> (T, Todo) {
        let mut acts = Vec::new();
        let out = step(&mut self.hub, self.clock.now(), &mut acts);
        let due = self.hub.deadline();
        let sooner = due.is_some_and(|due| self.set.is_none_or(|set| due.at < set));
        let mut todo = Todo { sooner, ..Todo::default() };
        for act in acts {
            match act {
                Act::Wake(link) => todo.wake.push(link),
                Act::End(link) => todo.end.push(link),
                Act::Dial { link, to, callee } => todo.dial.push((link, to, callee)),
                Act::Append(bytes) => self.errand(Errand::Write(Durable::Append(bytes))),
                Act::Rewrite(bytes) => self.errand(Errand::Write(Durable::Rewrite(bytes))),
                Act::Look => self.errand(Errand::Look),
                Act::GiveAway(away) => self.errand(Errand::GiveAway(away)),
                Act::Halt(reason) => halt(&reason),
            }
        }
        (out, todo)
    }

    /// A link is gone, and why; for the hub and for the log.
    pub fn closed(&mut self, link: Link, why: Why, unsent: bool) -> Todo {
        tracing::debug!(link = link.0, %why, unsent, "closed");
        self.step(|hub, now, acts| hub.closed(now, link, why, unsent, acts)).1
    }

    /// How long the timer has to wait before the next [`Hub::tick`]; zero: it is due. The timer
    /// counts as set to that time from now on.
    pub fn set_timer(&mut self) -> Duration {
        self.set = self.hub.deadline().map(|due| due.at);
        self.set.map_or(Duration::MAX, |at| at.since(self.clock.now().mono))
    }

    fn errand(&self, errand: Errand) {
        let write = matches!(errand, Errand::Write(_));
        let sent = self.errands.send(errand).is_ok();
        assert!(sent || !write, "a node that writes has a journal, served to the end");
    }
}
