//! Stories: a cluster with exactly the faults that the test states, described by its trace. The
//! checkers run as in every other run. `turns` has further faults of disks, parts, lines and time.

use super::check::{Violation, lines};
use super::client::{Client, Held, What};
use super::event::Event;
use super::extra::Extra;
use super::fault::Plan;
use super::finer::Finer;
use super::host::Clock;
use super::licences::Style;
use super::mistakes::Mistakes;
use super::rng::Rng;
use super::world::{FRONTS, HOSTS, NAMES, SECOND, Tail, World};
use std::cell::RefCell;
use std::collections::{BTreeSet, VecDeque};
use std::rc::Rc;
use tmr_core::log::Mode;

/// The longest wait for any event.
pub(super) const LONG: u64 = 10 * SECOND;
/// One millisecond.
pub(super) const MILLI: u64 = 1_000;
/// The uptime of machines when a story begins.
const UPTIME: u64 = 3_600 * SECOND;

/// A cluster and its trace.
#[derive(Debug)]
pub struct Story {
    pub(super) world: World,
    tail: Tail,
}

impl Default for Story {
    /// Begins with two fronts, of which front-1 leads, three backends, and an empty trace.
    fn default() -> Self {
        Self::led(Plan::quiet())
    }
}

impl Story {
    /// The same, with a time-out of ten seconds between the fronts.
    #[must_use]
    pub fn of_patient_fronts() -> Self {
        let mut plan = Plan::quiet();
        plan.waits.connect = 10;
        plan.waits.transfer = 10;
        Self::led(plan)
    }

    fn led(plan: Plan) -> Self {
        let tail = Rc::new(RefCell::new(VecDeque::new()));
        let mut world = World::quiet(plan, Rc::clone(&tail));
        for host in 0..HOSTS {
            world.at(0, Event::Restart { host });
        }
        let mut story = Self { world, tail };
        story.run(100);
        story.lead("front-1");
        story.run(3_000);
        story.tail.borrow_mut().clear();
        story
    }

    /// Begins with five machines that were made from one image: the backends' disks are copies of
    /// one another, and no group was founded.
    #[must_use]
    pub fn of_one_image() -> Self {
        let tail = Rc::new(RefCell::new(VecDeque::new()));
        let mut story = Self { world: World::quiet(Plan::quiet(), Rc::clone(&tail)), tail };
        story.world.at(0, Event::Restart { host: FRONTS });
        story.run(100);
        let image = story.world.hosts[FRONTS].disk.moment();
        // A copy repeats the promises of its original, and logs that it is a copy.
        story.world.checks.distrust(image.read());
        story.world.faults.mistakes = Mistakes::copied();
        for host in FRONTS + 1..HOSTS {
            story.world.hosts[host].disk = image.clone();
        }
        for host in 0..HOSTS {
            let now = story.world.now;
            story.world.at(now, Event::Restart { host });
        }
        story.run(100);
        story
    }

    /// Lets time pass.
    pub fn run(&mut self, milliseconds: u64) {
        let _kept = lines::keep();
        self.world.run_for(milliseconds * MILLI);
    }

    /// Orders a front to lead.
    pub fn lead(&mut self, front: &str) {
        self.world.activate(place(front));
    }

    /// Orders a planned failover.
    pub fn fail_over(&mut self, front: &str) {
        let ordered = self.world.fail_over(place(front));
        assert!(ordered, "it cannot");
    }

    /// Orders a planned failover. Returns whether the front refuses.
    pub fn refuses_to_fail_over(&mut self, front: &str) -> bool {
        !self.world.fail_over(place(front))
    }

    /// Returns whether a front reports that it leads.
    pub fn leads(&mut self, front: &str) -> bool {
        self.status(front)["role"] == "active"
    }

    /// Stops a machine without warning, and starts it again.
    pub fn stop(&mut self, host: &str, milliseconds: u64) {
        self.world.crash(place(host), milliseconds * MILLI);
    }

    /// Replaces a backend's machine by a blank one, which takes a while.
    pub fn replace(&mut self, host: &str, milliseconds: u64) {
        self.stop(host, milliseconds);
        self.world.trace(|| format!("{host} has lost its disk"));
        self.world.hosts[place(host)].disk.lose();
    }

    /// Freezes a machine for a while.
    pub fn freeze(&mut self, host: &str, milliseconds: u64) {
        self.world.freeze(place(host), milliseconds * MILLI);
    }

    /// Blocks the traffic between two machines for a while.
    pub fn part(&mut self, one: &str, other: &str, milliseconds: u64) {
        self.world.apart(place(one), place(other), milliseconds * MILLI);
    }

    /// Breaks every connection between two machines.
    pub fn cut(&mut self, one: &str, other: &str) {
        let ends = [place(one), place(other)];
        for conn in self.world.between(ends) {
            self.world.cut(conn);
        }
    }

    /// Delays messages from one machine to another by half to all of this time, for as long.
    pub fn slow(&mut self, from: &str, to: &str, milliseconds: u64) {
        self.world.trace(|| format!("what {from} says to {to} takes {milliseconds} ms"));
        let until = self.world.now + milliseconds * MILLI;
        self.world.net.slow.insert((place(from), place(to)), (until, milliseconds * MILLI));
    }

    /// Requests a seat for a client at a front. Returns whether the client has one then.
    pub fn take(&mut self, client: usize, front: &str, product: u32) -> bool {
        self.ask(client, front, access(product));
        self.has_seat(client)
    }

    /// Connects a client to a front and requests a seat, without waiting for the answer.
    pub fn begins_to_take(&mut self, client: usize, front: &str, product: u32) {
        self.connect(client, front);
        self.world.ask(client, access(product));
    }

    /// Returns whether a client has a seat.
    #[must_use]
    pub fn has_seat(&self, client: usize) -> bool {
        self.seat(client).is_some()
    }

    /// Uses a client's seat at a front. Returns whether that works.
    pub fn uses(&mut self, client: usize, front: &str) -> bool {
        self.uses_of(client, 0, front)
    }

    /// Uses one of a client's seats, counted from 0 in the order of its accesses. Returns whether
    /// that works.
    pub fn uses_of(&mut self, client: usize, seat: usize, front: &str) -> bool {
        let before = self.world.clients[client].held[seat];
        self.ask(client, front, What::Info(before));
        let same = |seat: &Held| seat.handle == before.handle && seat.until > before.until;
        self.world.clients[client].held.iter().any(same)
    }

    /// Releases a client's seat at a front.
    pub fn give_back(&mut self, client: usize, front: &str) {
        let seat = self.seat(client).expect("it has one");
        self.ask(client, front, What::Release(seat));
    }

    /// Uses a client's seat on its present connection, without waiting for the answer.
    pub fn begins_to_use(&mut self, client: usize) {
        let seat = self.seat(client).expect("it has one");
        self.world.ask(client, What::Info(seat));
    }

    /// Returns whether a client waits for an answer on an established connection.
    #[must_use]
    pub fn waits(&self, client: usize) -> bool {
        self.world.clients[client].call.is_some()
    }

    fn seat(&self, client: usize) -> Option<Held> {
        self.world.clients[client].held.first().copied()
    }

    /// Makes a request on the client's connection to that front, or on a new one, and waits for the
    /// answer.
    fn ask(&mut self, client: usize, front: &str, what: What) {
        self.connect(client, front);
        let _kept = lines::keep();
        let world = &mut self.world;
        let until = world.now + LONG;
        world.ask(client, what);
        while world.clients[client].call.is_some() && world.next(until) {}
    }

    /// Makes sure that a client has a connection to that front.
    fn connect(&mut self, client: usize, front: &str) {
        let _kept = lines::keep();
        let world = &mut self.world;
        let until = world.now + LONG;
        let front = place(front);
        let conn = world.clients[client].conn;
        let stands = conn.and_then(|conn| world.net.conns.get(&conn)).is_some_and(|conn| !conn.cut);
        if !stands || world.clients[client].front != front {
            world.hang_up(client);
            world.clients[client].front = front;
            world.dial(client);
        }
        while !world.clients[client].open && world.next(until) {}
    }

    /// Returns the violations that were found.
    #[must_use]
    pub fn violations(&self) -> &[Violation] {
        &self.world.checks.violations
    }

    /// Returns the events since the last call, one line each. A standby front makes the same
    /// refused requests all the time; each is shown once.
    #[must_use]
    pub fn told(&self) -> String {
        let mut refused = BTreeSet::new();
        let mut lines: Vec<String> = self.tail.borrow_mut().drain(..).collect();
        lines.retain(|line| {
            let what = line.split_once(" ms  ").map_or("", |(_, what)| what);
            !what.contains(": refused") || refused.insert(what.to_owned())
        });
        lines.join("\n")
    }
}

/// Returns the access that clients of stories make.
fn access(product: u32) -> What {
    What::Access { product, mode: Mode::UserLimit, take: 1, cleanup: 30 }
}

pub(super) fn place(name: &str) -> usize {
    NAMES.iter().position(|known| *known == name).expect("one of the five")
}

impl World {
    /// Returns a world in which nothing happens by itself, not even a start.
    fn quiet(plan: Plan, tail: Tail) -> Self {
        let mut world = Self::drawn(Rng::new(0), 0, None);
        world.forget();
        // A fixed generator keeps stories equal whatever seeds draw later.
        world.rng = Rng::new(0);
        world.vendor.style = Style::default();
        world.faults.extra = Extra::none();
        world.faults.finer = Finer::none();
        world.faults.mistakes = Mistakes::none();
        world.vendor.files = world.vendor.style.containers();
        for host in &mut world.hosts {
            host.clock = Clock { ppm: 0, offset: UPTIME, date: 0 };
        }
        let client = |station| Client { station, stopped: true, ..Client::default() };
        world.clients = (0..plan.crowd.clients).map(client).collect();
        world.net.late = None;
        world.net.pieces = None;
        world.operator.failovers = None;
        world.faults.on = false;
        world.faults.aftermath = 0;
        world.plan = plan;
        world.tail = Some(tail);
        world
    }
}
