//! A whole cluster in one process: the real nodes behind their real hubs, on a virtual network
//! with virtual clocks and disks. Everything is drawn from one number, so a run can be repeated
//! event by event.
//!
//! What lives here: the world ([`world`], `event`, `host`, `net`, `delivery`, `disk`, `runtime`,
//! `workers`), its faults ([`fault`], `machine`, `extra`, `finer`, `mistakes`), the clients, the
//! `operator` and the `editor` of configurations, and the checks ([`check`]). A [`story`] (with
//! `turns`) has no random faults. Links carry complete frames; in one seed of twenty they carry the
//! bytes that the real connections make of them, cut anywhere (`cable`). What never lives here:
//! sockets, files, and stock servers.

mod cable;
pub mod check;
mod client;
mod delivery;
mod disk;
mod editor;
mod event;
mod extra;
pub mod fault;
mod finer;
mod host;
pub mod licences;
mod looks;
mod machine;
mod mistakes;
mod net;
mod operator;
pub mod rng;
mod runtime;
pub mod story;
mod turns;
mod watch;
mod words;
mod workers;
pub mod world;

use check::Violation;
use check::service::Service;
use event::Event;
use rng::Rng;
use std::panic::{AssertUnwindSafe, catch_unwind};
use tmr_core::messages::twin::Version;
use world::{FRONTS, HOSTS, SECOND, Tail, World};

/// The longest time with faults, in virtual microseconds.
const FAULTS: u64 = 100 * SECOND;
/// The longest time from the last fault until service must be whole again, beside the configured
/// pause before a backend is dialled again.
const RECOVERY: u64 = 20 * SECOND;
/// The longest time until a planned failover has ended, or the front says why it has not: calls in
/// progress end, and the twin takes the lead, by a clock that may drift.
const FAILED_OVER: u64 = 3 * SECOND;
/// The longest time until a front reports that the address has not left it, by its own clock.
const LEAVES: u64 = 6 * SECOND;
/// The longest clean-up time that a client requests, and one percent, and a takeover.
const COME_BACK: u64 = 55 * SECOND;

/// The result of a run.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// The number of events.
    pub events: u64,
    /// The duration in virtual microseconds.
    pub micros: u64,
    /// The number of committed slots.
    pub slots: usize,
    /// The violations that were found.
    pub violations: Vec<Violation>,
}

/// Runs one seed, with at most `steps` events in the part with faults.
#[must_use]
pub fn run(seed: u64, steps: u64, tail: Option<Tail>) -> Outcome {
    end(World::new(seed, tail), steps)
}

/// Runs a scenario from bytes: the first eight are the seed, and the others are drawn for the plan
/// and the faults while there are any.
#[must_use]
pub fn run_drawn(bytes: &[u8], steps: u64, tail: Option<Tail>) -> Outcome {
    let mut rng = Rng::of_bytes(bytes);
    let seed = rng.bits();
    end(World::drawn(rng, seed, tail), steps)
}

fn end(mut world: World, steps: u64) -> Outcome {
    let _kept = check::lines::keep();
    let ran = catch_unwind(AssertUnwindSafe(|| world.live(steps)));
    let mut violations = std::mem::take(&mut world.checks.violations);
    if let Err(panic) = ran {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        let what = text.unwrap_or_else(|| "no message".to_owned());
        violations.push(Violation { at: world.now, check: "panic", what });
    }
    let slots = world.checks.log.slots.chosen();
    Outcome { events: world.queue.taken, micros: world.now, slots, violations }
}

impl World {
    /// Runs the world from birth to the end: with faults, then without.
    fn live(&mut self, steps: u64) {
        while self.now < FAULTS && self.queue.taken < steps && self.fine() {
            self.next(FAULTS);
        }
        self.mend();
        let bound = self.now + RECOVERY + self.plan.waits.retry * SECOND;
        let mut missing = String::new();
        while self.fine() && (self.checks.clients.service.served.is_none() || !missing.is_empty()) {
            if self.now >= bound {
                let served = self.checks.clients.service.served;
                let found = Err(format!("no full service: probe served {served:?}; {missing}"));
                return self.checks.note(self.now, "service", found);
            }
            self.attend();
            self.run_for(SECOND / 4);
            missing = self.missing();
        }
        if self.fine() && self.operator.failovers.is_some() {
            self.fail_over_at_end();
        }
        self.trace(|| "service is whole again; all clients stop".to_owned());
        for client in &mut self.clients {
            client.stopped = true;
        }
        let bound = self.now + COME_BACK;
        while self.fine() && self.now < bound {
            self.run_for(SECOND);
        }
        if self.fine() {
            let found = self.checks.log.acks.kept(&self.checks.log.slots);
            self.checks.note(self.now, "acks", found);
            let found = self.checks.clients.units.kept();
            self.checks.note(self.now, "units", found);
            let (granted, released) = self.checks.log.acks.acknowledged();
            let histories = self.hosts[..FRONTS].iter().map(host::Host::recorded);
            let histories: Vec<_> = histories.collect();
            let found = check::history::whole(&histories, granted, released);
            self.checks.note(self.now, "history", found);
        }
        let statuses = self.statuses();
        let empty: Vec<_> = statuses.iter().map(Service::empty).collect();
        if self.fine() && !empty.iter().any(Result::is_ok) {
            let found = Err(format!("seats of clients that are gone do not come back: {empty:?}"));
            self.checks.note(self.now, "service", found);
        }
    }

    /// Checks that a planned failover without faults ends.
    fn fail_over_at_end(&mut self) {
        let spoken = self.hosts[0].process.version.spoken_with(self.hosts[1].process.version);
        if spoken.is_none_or(|minor| minor < Version::GIVES_LEAD) {
            return;
        }
        let active = |status: &serde_json::Value| status["role"] == "active";
        let statuses = self.statuses();
        let Some(leader) = statuses.iter().position(active).filter(|_| statuses.len() == FRONTS)
        else {
            return self.checks.note(self.now, "service", Err("nobody leads".to_owned()));
        };
        // The other front may still lack backends, because a fault has broken its connections
        // unnoticed. Then it says so, and the order is refused until it has them again.
        let asked = self.now;
        while !self.fail_over(leader) {
            if !self.fine() {
                return;
            }
            if self.now >= asked + RECOVERY {
                let found = Err(format!("front {leader} does not give its role away"));
                return self.checks.note(self.now, "service", found);
            }
            self.run_for(SECOND / 4);
        }
        // A connection that a fault has broken may not be noticed yet. Then the role stays, the
        // front says why, and the failover succeeds when the connection is back.
        let (mut until, bound) = (self.now + FAILED_OVER, self.now + RECOVERY);
        while self.fine() {
            self.run_for(SECOND / 4);
            let statuses = self.statuses();
            let [ours, theirs] = [leader, 1 - leader].map(|front| statuses.get(front));
            if theirs.is_some_and(active) && !ours.is_some_and(active) {
                return;
            }
            let kept = ours.is_some_and(|status| status["failover_trouble"].is_string());
            if self.now >= if kept { bound } else { until } {
                let found = Err(format!("the role was not given away: {statuses:#?}"));
                return self.checks.note(self.now, "service", found);
            }
            if kept && self.fail_over(leader) {
                until = self.now + FAILED_OVER;
            }
        }
    }

    fn fine(&self) -> bool {
        self.checks.violations.is_empty()
    }

    fn run_for(&mut self, span: u64) {
        let until = self.now + span;
        while self.fine() && self.next(until) {}
    }

    /// Ends the faults: every host is up, nothing is slow, and the address is on one machine, where
    /// it stays if it is there already. No order is given to a front that has the address or leads:
    /// see [`attend`](Self::attend).
    fn mend(&mut self) {
        self.trace(|| "no more faults".to_owned());
        self.faults.on = false;
        self.vendor.files = self.vendor.style.containers();
        self.put_right();
        for host in FRONTS..HOSTS {
            self.at(self.now, Event::Reload { host });
        }
        let blocked = self.net.blocked.values().copied().max().unwrap_or(0);
        let frozen = self.hosts.iter().map(|host| host.frozen).max().unwrap_or(0);
        self.net.heal();
        for host in 0..HOSTS {
            self.hosts[host].slow = (0, 0);
            self.set_date(host, 0);
            self.hosts[host].disk.fill(None);
            self.start(host);
        }
        self.run_for(blocked.max(frozen).saturating_sub(self.now));
        let front = self.rng.index(self.plan.fronts);
        let mut places = (0..self.plan.fronts).filter(|front| self.hosts[*front].address.here);
        match (self.plan.address, places.next(), places.next()) {
            (false, ..) | (true, Some(_), None) => {}
            // The address is on both machines or on none: keepalived's election ends that.
            _ => self.move_address(front, true, false),
        }
        self.operator.elected = front;
        // After an earlier planned failover the address may not have been moved.
        self.faults.aftermath = self.now + LEAVES;
        let probe = self.clients.len();
        self.clients.push(client::Client { probe: true, station: 99, ..Default::default() });
        self.after(SECOND, Event::Think { client: probe });
    }

    /// With a virtual address, service returns without help. Without one the role is set only by
    /// command: if no front leads or tries to, an operator orders one to lead.
    fn attend(&mut self) {
        if self.plan.address {
            return;
        }
        let tries = |status: &serde_json::Value| status["role"] != "standby";
        if !self.statuses().iter().any(tries) {
            self.activate(self.operator.elected);
        }
    }

    /// Returns what keeps the cluster from being whole; empty: nothing.
    fn missing(&mut self) -> String {
        let odd = self.plan.odd;
        let matching = |product| if odd && product == u64::from(licences::ODD) { 2 } else { 3 };
        let statuses = self.statuses();
        // The standby front must be able to serve as well.
        let mut all: Vec<_> =
            statuses.iter().filter_map(|status| Service::connected(status).err()).collect();
        let whole: Vec<_> =
            statuses.iter().map(|status| Service::whole(status, matching)).collect();
        if !whole.iter().any(Result::is_ok) {
            all.extend(whole.into_iter().filter_map(Result::err));
        }
        all.join("; ")
    }
}

const _: () = assert!(FRONTS == 2);
