//! The simulated world: the hosts, the clients, the time, and what happens at each event.
//!
//! What lives here: the state of a run, how a seed draws it, and `World::next`, which takes the
//! next event from the queue and hands it to the file that plays it. Each group of fields belongs
//! to one of these: `fault` and its sisters `machine`, `extra`, `finer` and `mistakes` (faults),
//! `client` (clients), `net` and `delivery` (connections), `runtime` and `workers` (nodes and their
//! machines), `operator` and `editor` (people), `licences` (the vendor), `check` (promises).
//!
//! What never lives here: what a fault does, what must hold, and how long a run is (that is the
//! head of [`sim`](super)).
//!
//! A change here is tested by running seeds (`tests/tests/cluster.rs`) and stories
//! (`tests/tests/stories.rs`). A draw that is added, left out or moved changes every seed: new
//! draws get a generator of their own, so that pinned seeds still play what they found.

use super::check::Checks;
use super::check::handles::Answer;
use super::client::Client;
use super::event::{Event, Queue};
use super::extra::{Extra, Moment};
use super::fault::Plan;
use super::finer::Finer;
use super::host::{Clock, Host};
use super::licences::Style;
use super::machine::Machines;
use super::mistakes::Mistakes;
use super::net::Net;
use super::rng::Rng;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use tmr_core::io::{BackendEvent, FrontEvent};
use tmr_core::licence::Container;
use tmr_core::link::{Frame, LinkId};
use tmr_core::log::DiskId;
use tmr_core::node::hub::Arrived;

/// One second, in the microseconds that all times here are in.
pub const SECOND: u64 = 1_000_000;
/// The number of places for fronts; the second one may stay empty.
pub(super) const FRONTS: usize = 2;
/// The number of backends.
pub(super) const BACKENDS: usize = 3;
/// The number of hosts: fronts and backends.
pub(super) const HOSTS: usize = FRONTS + BACKENDS;
/// The number of machines: the hosts, and a backend that runs only where lists differ
/// ([`super::mistakes`]).
pub(super) const MACHINES: usize = HOSTS + 1;
/// The names of the machines.
pub(super) const NAMES: [&str; MACHINES] =
    ["front-1", "front-2", "backend-1", "backend-2", "backend-3", "backend-4"];

/// The last events, newest last; shared, so that they outlive a panic.
pub type Tail = Rc<RefCell<VecDeque<String>>>;
/// The number of events that are kept.
const TAIL: usize = 5_000;

/// The vendor of the licences.
#[derive(Debug)]
pub(super) struct Vendor {
    /// Draws when and what is issued. It is a generator of its own, so that seeds without this run
    /// as before.
    pub(super) rng: Rng,
    /// The variant of the licences.
    pub(super) style: Style,
    /// The licence file of each backend.
    pub(super) files: [Container; BACKENDS],
}

/// The operators' actions at fronts.
#[derive(Debug, Default)]
pub(super) struct Operator {
    /// Draws planned failovers and the faults meanwhile, as a generator of its own. `None`: never
    /// in this seed.
    pub(super) failovers: Option<Rng>,
    /// Draws changes of configurations, as a generator of its own.
    pub(super) edits: Option<Rng>,
    /// The front that is ordered to lead when faults are over and no other one does.
    pub(super) elected: usize,
    /// Whether all clients were made to send requests at once, before a planned failover.
    pub(super) busy: bool,
}

/// The faults, each group with a generator of its own; the first faults are in the plan.
#[derive(Debug)]
pub(super) struct Faults {
    /// Whether faults still happen.
    pub(super) on: bool,
    /// The time until which a fault may have caused what nodes log.
    pub(super) aftermath: u64,
    pub(super) machines: Machines,
    pub(super) extra: Extra,
    pub(super) finer: Finer,
    pub(super) mistakes: Mistakes,
    /// The members of the group when a disk was last lost: the group must have other members before
    /// the next disk is lost.
    pub(super) lost: Option<[DiskId; 3]>,
    /// The members that were seen after that, and since when.
    pub(super) repaired: Option<(Option<[DiskId; 3]>, u64)>,
}

/// The simulated world.
#[derive(Debug)]
pub struct World {
    /// The time since the beginning, in microseconds.
    pub(super) now: u64,
    /// Draws everything that has no generator of its own.
    pub(super) rng: Rng,
    pub(super) plan: Plan,
    pub(super) hosts: Vec<Host>,
    pub(super) clients: Vec<Client>,
    pub(super) net: Net,
    pub(super) vendor: Vendor,
    pub(super) operator: Operator,
    pub(super) faults: Faults,
    /// The checkers and what they found.
    pub checks: Checks,
    pub(super) queue: Queue,
    /// The trace; `None`: none is kept.
    pub(super) tail: Option<Tail>,
}

impl World {
    /// Returns the world of a seed at its beginning. `tail`: keeps the last events for people.
    #[must_use]
    pub fn new(seed: u64, tail: Option<Tail>) -> Self {
        Self::drawn(Rng::new(seed), seed, tail)
    }

    /// Returns the world that a generator draws, with the vendor and the operators of a seed.
    pub(super) fn drawn(mut rng: Rng, seed: u64, tail: Option<Tail>) -> Self {
        rng.follow(true);
        let mut plan = Plan::draw(&mut rng);
        rng.follow(false);
        let mut later = Rng::new(seed.rotate_left(44));
        plan.widen(&mut later);
        let pieces = later.chance(5).then(|| Rng::new(!seed.rotate_left(44)));
        let late = later.chance(40).then_some(later);
        let mut machines = Machines::draw(seed);
        let pause = machines.pause();
        let mut extra = Extra::draw(seed);
        let extras = extra.pause();
        let odd = plan.odd.then_some(extra.property);
        let style = Style { odd, dates: machines.dates, rich: extra.rich };
        let drift = Self::drift(&mut rng);
        let hosts = (0..HOSTS).map(|host| {
            let clock = Clock { ppm: drift[host], offset: rng.between(0, 1 << 40), date: 0 };
            let last = u8::try_from(host).unwrap_or(0) + 1;
            Host::new(NAMES[host].to_owned(), last, clock)
        });
        let spare = Clock { ppm: 0, offset: 1 << 38, date: 0 };
        let last = u8::try_from(HOSTS).unwrap_or(0) + 1;
        let hosts = hosts.chain([Host::new(NAMES[HOSTS].to_owned(), last, spare)]);
        let hosts = hosts.collect();
        let files = style.containers();
        let faults = Faults {
            on: true,
            aftermath: u64::MAX,
            machines,
            extra,
            finer: Finer::draw(seed),
            mistakes: Mistakes::draw(seed),
            lost: None,
            repaired: None,
        };
        let mut world = Self {
            now: 0,
            rng,
            plan,
            hosts,
            clients: Vec::new(),
            net: Net { late, pieces, ..Net::default() },
            vendor: Vendor { rng: Rng::new(!seed), style, files },
            operator: Operator::default(),
            faults,
            checks: Checks::default(),
            queue: Queue::default(),
            tail,
        };
        world.trace(|| format!("{:?}, {:?}", world.plan, world.faults.machines));
        world.keep_identities();
        if let Some(first) = pause {
            world.at(first, Event::Machine);
        }
        if let Some(first) = extras {
            world.at(first, Event::Extra);
        }
        if let Some(first) = world.faults.mistakes.pause() {
            world.at(first, Event::Mistake);
        }
        (FRONTS..MACHINES).for_each(|host| world.set_date(host, 0));
        if let Some(first) = world.faults.finer.pause() {
            world.at(first, Event::Mislead);
        }
        for host in (0..world.plan.fronts).chain(FRONTS..HOSTS) {
            let wait = world.rng.between(0, SECOND);
            world.at(wait, Event::Restart { host });
        }
        for client in 0..world.plan.crowd.clients {
            let station = client % world.plan.crowd.stations;
            let front = world.rng.index(FRONTS);
            world.clients.push(Client { station, front, ..Client::default() });
            let wait = world.rng.between(SECOND, 3 * SECOND);
            world.at(wait, Event::Think { client });
        }
        world.at(2 * SECOND, Event::Operator);
        let first = world.rng.between(2 * SECOND, 6 * SECOND);
        world.at(first, Event::Fault);
        if world.vendor.rng.chance(40) {
            let first = world.vendor.rng.between(2 * SECOND, 20 * SECOND);
            world.at(first, Event::Reissue);
        }
        let mut operator = Rng::new(seed.rotate_left(32));
        if world.plan.fronts == FRONTS && operator.chance(60) {
            let first = operator.between(3 * SECOND, 10 * SECOND);
            world.at(first, Event::Failover);
            world.operator.failovers = Some(operator);
        }
        let mut editor = Rng::new(seed.rotate_left(16));
        // A configuration file names a twin, so without a twin no file is read.
        if editor.chance(30) && world.plan.fronts == FRONTS {
            let first = editor.between(2 * SECOND, 20 * SECOND);
            world.at(first, Event::Edit);
            world.operator.edits = Some(editor);
        }
        world
    }

    /// Registers what no client may learn of the backends.
    fn keep_identities(&mut self) {
        let keeps = &mut self.checks.clients.identity;
        for (part, file) in self.vendor.files.iter().enumerate() {
            let (host, serial) = (&self.hosts[FRONTS + part], file.part.serial);
            let name = host.name.clone();
            keeps.keeps_number(format!("the serial of {name}"), serial);
            keeps.keeps(format!("the serial of {name} as text"), serial.to_string().into_bytes());
            keeps.keeps(format!("the address of {name}"), host.ip.to_string().into_bytes());
            keeps.keeps(format!("the name of {name}"), name.into_bytes());
        }
    }

    /// Removes all future events.
    pub(super) fn forget(&mut self) {
        self.queue.clear();
    }

    /// Adds an event at a time, or at once if that is over.
    pub(super) fn at(&mut self, at: u64, event: Event) {
        self.queue.put(at.max(self.now), event);
    }

    /// Adds an event after a span.
    pub(super) fn after(&mut self, span: u64, event: Event) {
        self.at(self.now + span, event);
    }

    /// Adds a line to the trace, if there is one.
    pub(super) fn trace(&self, line: impl FnOnce() -> String) {
        let Some(tail) = &self.tail else { return };
        let mut tail = tail.borrow_mut();
        if tail.len() == TAIL {
            tail.pop_front();
        }
        tail.push_back(format!("{:>10}.{:03} ms  {}", self.now / 1000, self.now % 1000, line()));
    }

    /// Returns whether there is a trace.
    pub(super) fn traces(&self) -> bool {
        self.tail.is_some()
    }

    /// Makes the next event happen. Returns `false` if it lies after `until`; then the time is
    /// `until`. An event of a frozen host is put off until that host makes steps again.
    pub(super) fn next(&mut self, until: u64) -> bool {
        let Some((at, event)) = self.queue.next(until) else {
            self.now = self.now.max(until);
            return false;
        };
        self.now = at;
        if let Some(thaw) = self.frozen(&event) {
            if let Event::Tick { host, .. } = event {
                if self.hosts[host].process.tick != Some(self.now) {
                    return true;
                }
                self.hosts[host].process.tick = Some(thaw);
            }
            self.at(thaw, event);
            return true;
        }
        self.rng.follow(matches!(event, Event::Fault | Event::Storm { .. }));
        match event {
            Event::Tick { host, life } => {
                if self.hosts[host].lives(life) && self.hosts[host].process.tick == Some(self.now) {
                    self.hosts[host].process.tick = None;
                    self.hosts[host].process.ticked = self.now;
                    self.with(host, |hub, now, out| hub.tick(now, out));
                }
            }
            Event::Flush { host, life, link } => {
                if self.hosts[host].lives(life) {
                    self.flush(host, link);
                }
            }
            Event::Durable { host, life } => {
                if self.hosts[host].lives(life) {
                    self.hosts[host].disk.done();
                    self.with(host, |hub, now, out| {
                        hub.host_event(now, BackendEvent::JournalWritten.into(), out);
                    });
                }
            }
            Event::Recall { host, life, after } => {
                if self.hosts[host].lives(life) {
                    let lines = self.hosts[host].recall(after);
                    let read = FrontEvent::HistoryRead { after, lines };
                    self.with(host, |hub, now, out| hub.host_event(now, read.into(), out));
                }
            }
            Event::Full { host, life } => {
                if self.hosts[host].lives(life) {
                    self.full(host);
                }
            }
            Event::Room { host } => self.room(host),
            Event::Machine => {
                if let Some(pause) = self.faults.on.then(|| self.faults.machines.pause()).flatten()
                {
                    self.machine();
                    self.after(pause, Event::Machine);
                }
            }
            Event::Strike(strike) => self.strike(strike),
            Event::Extra => {
                if let Some(pause) = self.faults.on.then(|| self.faults.extra.pause()).flatten() {
                    self.extra();
                    self.after(pause, Event::Extra);
                }
            }
            Event::Mistake => {
                if let Some(pause) = self.faults.on.then(|| self.faults.mistakes.pause()).flatten()
                {
                    self.mistake();
                    self.after(pause, Event::Mistake);
                }
            }
            Event::Mislead => {
                if let Some(pause) = self.faults.on.then(|| self.faults.finer.pause()).flatten() {
                    self.mislead();
                    self.after(pause, Event::Mislead);
                }
            }
            Event::Restart { host } => self.start(host),
            Event::Open { conn } => self.opened(conn),
            Event::Arrive { conn, side } => self.arrive(conn, side),
            Event::Notice { conn, side } => self.notice(conn, side),
            Event::Think { client } => self.think(client),
            Event::GiveUp { client, call } => {
                let known = &self.clients[client];
                let waits = known.call.is_some_and(|known| known.number == call);
                if waits || (known.conn.is_some() && !known.open && known.number == call) {
                    self.hang_up(client);
                    self.lost(client);
                }
            }
            Event::Fault => {
                if self.faults.on {
                    let pause = self.fault();
                    self.after(pause, Event::Fault);
                }
            }
            Event::Reissue => {
                if self.faults.on {
                    let pause = self.reissue();
                    self.after(pause, Event::Reissue);
                }
            }
            Event::Failover => {
                if let Some(pause) = self.faults.on.then(|| self.order_failover()).flatten() {
                    self.after(pause, Event::Failover);
                }
            }
            Event::Follow { host } => self.follow(host),
            Event::Reload { host } => self.reload(host),
            Event::Edit => {
                if let Some(pause) = self.faults.on.then(|| self.edit()).flatten() {
                    self.after(pause, Event::Edit);
                }
            }
            Event::Store { host, life, text } => {
                if self.hosts[host].lives(life) {
                    self.store(host, text);
                }
            }
            Event::Storm { left } => {
                if self.faults.on {
                    self.storm(left);
                }
            }
            Event::Operator => {
                let found = self.checks.clients.calls.check(self.now);
                self.checks.note(self.now, "calls", found);
                for front in 0..self.plan.fronts {
                    self.look(front);
                }
                if self.faults.on {
                    // A front is ordered to lead now and then, as by keepalived.
                    if self.queue.taken < 2000 || self.rng.chance(4) {
                        let front = self.rng.index(self.plan.fronts);
                        self.let_lead(front);
                    }
                }
                self.after(SECOND / 4, Event::Operator);
            }
        }
        true
    }

    /// Returns the time at which the host of an event makes steps again, if it is frozen.
    fn frozen(&self, event: &Event) -> Option<u64> {
        let host = match event {
            Event::Tick { host, .. }
            | Event::Flush { host, .. }
            | Event::Durable { host, .. }
            | Event::Recall { host, .. }
            | Event::Full { host, .. }
            | Event::Store { host, .. }
            | Event::Reload { host } => Some(*host),
            Event::Open { conn } => self.place(*conn, 1),
            Event::Arrive { conn, side } | Event::Notice { conn, side } => self.place(*conn, *side),
            _ => None,
        };
        let frozen = self.hosts.get(host?)?.frozen;
        (frozen > self.now).then_some(frozen)
    }

    /// Hands frames that have arrived on a link to the node of a host. `partial`: the beginning of
    /// a further frame has arrived too.
    pub(super) fn receive(&mut self, host: usize, link: LinkId, frames: Vec<Frame>, partial: bool) {
        if host < FRONTS && matches!(frames.first(), Some(Frame::Call(_))) {
            self.checks.clients.calls.asked(self.now, host, link);
            let conn = self.hosts[host].links.conns.get(&link).map_or(0, |(conn, _)| *conn);
            self.moment(Moment::Call, host, None, conn);
        }
        self.with(host, |hub, now, out| {
            hub.received(now, [Arrived { link, frames, partial, held: 0 }], out);
        });
    }

    /// Gives the replies of a process to a client.
    pub(super) fn receive_replies(&mut self, who: usize, frames: Vec<Frame>, answer: Answer) {
        for frame in frames {
            if let Frame::Call(bytes) | Frame::Reply(bytes) = frame {
                self.told(who, &bytes, answer);
            }
        }
    }
}
