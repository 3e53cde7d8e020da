//! The hub with what it needs of this machine: the clock that steps it, the time that the
//! runtime's timer is set to, the patience with peers that do not read, the rest of doors that
//! cannot take anybody in, and the errands it sends.

use super::clock::Clock;
use super::disk::Durable;
use super::exit::halt;
use super::history::Tray;
use super::net::BREATH;
use super::notify;
use super::plan::{Errand, Errands};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::{self, Sender};
use tmr_core::limits::WRITE_TIMEOUT;
use tmr_core::link::{Address, Callee, Link, Why};
use tmr_core::node::hub::{Act, Hub};
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
    errands: Sender<Errand>,
    tray: Arc<Tray>,
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

/// A connection to open: its link, where to, and whom it expects there.
pub type Dial = (Link, Address, Callee);

impl TimedHub {
    /// A hub that has not been stepped yet, and what it wants done on this machine.
    pub(super) fn new(hub: Hub) -> (Self, Errands) {
        let (errands, waiting) = mpsc::channel();
        let tray = Arc::new(Tray::default());
        let arrive = Errands { waiting, tray: Arc::clone(&tray) };
        let (clock, set) = (Clock::start(), None);
        let (patience, resting) = (BTreeMap::new(), BTreeMap::new());
        (Self { hub, clock, set, patience, resting, errands, tray }, arrive)
    }

    /// The hub, for what takes no time and leaves nothing to do.
    pub(super) fn hub(&mut self) -> &mut Hub {
        &mut self.hub
    }

    /// Steps the hub at the time that it is now.
    pub(super) fn step<T>(
        &mut self,
        step: impl FnOnce(&mut Hub, Now, &mut Vec<Act>) -> T,
    ) -> (T, Todo) {
        let mut acts = Vec::new();
        let out = step(&mut self.hub, self.clock.now(), &mut acts);
        notify::turned();
        let mut todo = Todo { sooner: self.sooner(), ..Todo::default() };
        for act in acts {
            match act {
                Act::Wake(link) | Act::End(link) => todo.wake.push(link),
                Act::Dial { link, to, callee } => todo.dial.push((link, to, callee)),
                Act::Append(bytes) => self.errand(Errand::Write(Durable::Append(bytes))),
                Act::Rewrite(bytes) => self.errand(Errand::Write(Durable::Rewrite(bytes))),
                Act::BeginAnew(bytes) => self.errand(Errand::Write(Durable::BeginAnew(bytes))),
                Act::Record(lines) => self.tray.record(&lines),
                Act::Recall(after) => self.tray.recall(after),
                Act::Look => self.errand(Errand::Look),
                Act::GiveAway(away) => self.errand(Errand::GiveAway(away)),
                Act::Verify { link, password } => self.errand(Errand::Verify { link, password }),
                Act::Audit(line) => self.errand(Errand::Audit(line)),
                Act::Store(text) => self.errand(Errand::Store(text)),
                Act::Halt(reason) => halt(&reason),
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
        self.tray.all_laid();
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
        self.step(|hub, now, acts| hub.closed(now, link, why, unsent, acts)).1
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

    fn errand(&self, errand: Errand) {
        let write = matches!(errand, Errand::Write(_));
        let sent = self.errands.send(errand).is_ok();
        assert!(sent || !write, "a node that writes has a journal, served to the end");
    }
}
