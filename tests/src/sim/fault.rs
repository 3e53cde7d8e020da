//! The kinds of faults. Each kind is on or off for a whole seed, so that some seeds have many
//! faults of few kinds.

use super::event::Event;
use super::licences::PRODUCTS;
use super::rng::Rng;
use super::world::{BACKENDS, FRONTS, HOSTS, MACHINES, NAMES, SECOND, World};

/// The clients of a seed.
#[derive(Clone, Debug)]
pub struct Crowd {
    /// The number of clients.
    pub clients: usize,
    /// The number of stations that they share.
    pub stations: usize,
    /// Some close their connection during a call.
    pub hangup: bool,
    /// They mostly request handles that take no seat.
    pub light: bool,
    /// They make all requests that may reveal a server's identity.
    pub curious: bool,
}

/// The configured times of fronts, in seconds.
#[derive(Clone, Copy, Debug)]
pub struct Waits {
    /// The longest pause before a backend is dialled again.
    pub retry: u64,
    /// The longest wait for a connection to the twin.
    pub connect: u64,
    /// The longest wait for the twin's answers.
    pub transfer: u64,
}

/// The configuration and the first faults of a seed.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The number of fronts: 1 or 2.
    pub fronts: usize,
    /// The clients.
    pub crowd: Crowd,
    /// The configured times of fronts.
    pub waits: Waits,
    /// One part of one licence differs.
    pub odd: bool,
    /// The role follows a virtual address, which goes to either front, both or neither; otherwise
    /// fronts are ordered to lead.
    pub address: bool,
    /// The longest duration of a write to disk, in microseconds.
    pub disk: u64,
    kinds: Vec<Kind>,
    /// The longest pause between faults, in microseconds.
    pause: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    CrashBackend,
    CrashFront,
    Freeze,
    Cut,
    Isolate,
    OneWay,
    SlowLink,
    SlowDisk,
    LoseDisk,
    Twin,
    Vanish,
    PowerCut,
    /// Many small faults around a change of leaders, close to each other.
    Storm,
}

const KINDS: [Kind; 13] = [
    Kind::CrashBackend,
    Kind::CrashFront,
    Kind::Freeze,
    Kind::Cut,
    Kind::Isolate,
    Kind::OneWay,
    Kind::SlowLink,
    Kind::SlowDisk,
    Kind::LoseDisk,
    Kind::Twin,
    Kind::Vanish,
    Kind::PowerCut,
    Kind::Storm,
];

impl Plan {
    /// Draws a plan.
    pub fn draw(rng: &mut Rng) -> Self {
        let clients = 2 + rng.index(6);
        let fronts = if rng.chance(80) { 2 } else { 1 };
        let stations = 1 + rng.index(clients);
        let odd = rng.chance(20);
        let address = rng.chance(50);
        let hangup = rng.chance(50);
        let waits = Waits {
            retry: rng.between(1, 10),
            connect: rng.between(1, 3),
            transfer: rng.between(1, 10),
        };
        let disk = rng.span(500, 40_000);
        let kinds = KINDS.into_iter().filter(|_| rng.chance(45)).collect();
        let pause = rng.between(SECOND / 2, 8 * SECOND);
        let light = rng.chance(30);
        let crowd = Crowd { clients, stations, hangup, light, curious: false };
        Self { fronts, crowd, waits, odd, address, disk, kinds, pause }
    }

    /// Returns a plan without faults, with three idle clients on three stations.
    pub(super) fn quiet() -> Self {
        let crowd = Crowd { clients: 3, stations: 3, hangup: false, light: false, curious: false };
        Self {
            fronts: FRONTS,
            crowd,
            waits: Waits { retry: 1, connect: 1, transfer: 1 },
            odd: false,
            address: false,
            disk: 4_000,
            kinds: Vec::new(),
            pause: SECOND,
        }
    }

    /// Draws later additions from a generator of their own, so that seeds without them run as
    /// before.
    pub(super) fn widen(&mut self, rng: &mut Rng) {
        self.crowd.curious = rng.chance(40);
        if rng.chance(10) {
            self.crowd.clients = 20 + rng.index(31);
            self.crowd.stations = 1 + rng.index(self.crowd.clients);
        }
    }
}

impl World {
    /// Draws the drift of each clock.
    pub(super) fn drift(rng: &mut Rng) -> [i64; HOSTS] {
        let off = rng.chance(60);
        [(); HOSTS].map(|()| match (off, i64::try_from(rng.between(0, 20_000))) {
            (true, Ok(ppm)) => ppm - 10_000,
            _ => 0,
        })
    }

    /// Causes a fault. Returns the pause until the next one.
    pub(super) fn fault(&mut self) -> u64 {
        let pause = self.rng.span(1000, self.plan.pause);
        if self.plan.kinds.is_empty() {
            return pause;
        }
        let kind = self.plan.kinds[self.rng.index(self.plan.kinds.len())];
        let (front, backend) =
            (self.rng.index(self.plan.fronts), FRONTS + self.rng.index(BACKENDS));
        let any = if self.rng.chance(60) { backend } else { front };
        let length = self.rng.span(SECOND / 20, 15 * SECOND);
        match kind {
            Kind::CrashBackend => self.crash(backend, length),
            Kind::CrashFront => self.crash(front, length),
            Kind::PowerCut => {
                for host in FRONTS..HOSTS {
                    let length = self.rng.span(SECOND / 20, 6 * SECOND);
                    self.crash(host, length);
                }
                if self.rng.chance(30) {
                    self.crash(front, length);
                }
            }
            Kind::Freeze => {
                let length = self.rng.span(SECOND / 100, 15 * SECOND);
                self.freeze(any, length);
            }
            Kind::Cut => {
                let conns: Vec<u64> = self.net.conns.keys().copied().collect();
                if !conns.is_empty() {
                    let conn = conns[self.rng.index(conns.len())];
                    self.cut(conn);
                }
            }
            Kind::Isolate | Kind::OneWay => {
                let places = MACHINES + self.clients.len();
                let one_way = kind == Kind::OneWay;
                let other = self.rng.chance(60).then(|| self.rng.index(HOSTS));
                self.trace(|| {
                    format!(
                        "{} cannot reach {}, one way: {one_way}",
                        NAMES[any],
                        other.map_or("anybody", |other| NAMES[other])
                    )
                });
                for place in (0..places).filter(|place| other.is_none_or(|only| only == *place)) {
                    self.net.blocked.insert((any, place), self.now + length);
                    if !one_way {
                        self.net.blocked.insert((place, any), self.now + length);
                    }
                }
            }
            Kind::SlowLink => {
                let by = self.rng.span(1000, 900_000);
                if self.rng.chance(30) {
                    self.net.slow.insert((front, 1 - front), (self.now + length, by));
                }
                self.net.slow.insert((front, backend), (self.now + length, by));
                if self.rng.chance(50) {
                    self.net.slow.insert((backend, front), (self.now + length, by));
                }
            }
            Kind::SlowDisk => {
                let by = self.rng.span(50_000, 3 * SECOND);
                self.trace(|| {
                    format!("the disk of {} is slow by {} ms", NAMES[backend], by / 1000)
                });
                self.hosts[backend].slow = (self.now + length, by);
            }
            Kind::Storm => {
                let left = self.rng.between(5, 60);
                self.storm(left);
            }
            Kind::LoseDisk => self.lose_disk(backend, length),
            Kind::Twin => self.let_lead(front),
            Kind::Vanish => {
                let who = self.rng.index(self.plan.crowd.clients);
                self.vanish(who);
            }
        }
        pause
    }

    /// Issues one, two or three parts of a licence again with another quantity, mostly the same
    /// one, and installs them on the backends one after the other. Returns the pause until the next
    /// time.
    pub(super) fn reissue(&mut self) -> u64 {
        let vendor = &mut self.vendor.rng;
        let (product, usual) = PRODUCTS[vendor.index(PRODUCTS.len() - 1)];
        let most = u64::from(usual) + 3;
        let mut quantity = vendor.between(1, most);
        let first = vendor.index(BACKENDS);
        for step in 0..=vendor.index(BACKENDS) {
            if self.vendor.rng.chance(15) {
                quantity = self.vendor.rng.between(1, most);
            }
            let part = (first + step) % BACKENDS;
            let seats = u32::try_from(quantity).unwrap_or(1);
            self.trace(|| format!("part {part} of {product} is issued again with {seats} seats"));
            self.vendor.files[part] =
                self.vendor.style.reissued(part, &self.vendor.files[part], product, seats);
            let wait = self.vendor.rng.span(1000, 3 * SECOND);
            self.after(wait, Event::Reload { host: FRONTS + part });
        }
        self.vendor.rng.span(SECOND / 100, 15 * SECOND)
    }

    /// Orders a planned failover, often while all clients make requests at once, and mostly with
    /// faults meanwhile. Returns the pause until the next one.
    pub(super) fn order_failover(&mut self) -> Option<u64> {
        let mut operator = self.operator.failovers.take()?;
        if !std::mem::replace(&mut self.operator.busy, true) && self.faults.extra.crowds() {
            for client in 0..self.clients.len() {
                let wait = self.faults.extra.soon();
                self.after(wait, Event::Think { client });
            }
            let wait = 3 * SECOND / 1000;
            self.operator.failovers = Some(operator);
            return Some(wait);
        }
        self.operator.busy = false;
        let front = operator.index(FRONTS);
        let ordered = self.fail_over(front) || self.fail_over(1 - front);
        if ordered && operator.chance(70) {
            let wait = operator.span(100, SECOND / 10);
            self.after(wait, Event::Storm { left: operator.between(0, 5) });
        }
        let pause = operator.span(SECOND / 100, 10 * SECOND);
        self.operator.failovers = Some(operator);
        Some(pause)
    }

    /// Moves the address, as keepalived does, away from a machine that is to give it away.
    pub(super) fn follow(&mut self, host: usize) {
        if self.hosts[host].address.here && self.hosts[host].address.away {
            self.move_address(1 - host, true, false);
        }
    }

    /// Causes one small fault, with `left` more to come.
    pub(super) fn storm(&mut self, left: u64) {
        let (front, backend) =
            (self.rng.index(self.plan.fronts), FRONTS + self.rng.index(BACKENDS));
        let short = self.rng.span(500, 3 * SECOND / 10);
        match self.rng.between(0, 9) {
            0..3 => self.let_lead(front),
            3 => self.crash(front, short),
            4 => self.crash(backend, short),
            5 => {
                let long = self.now + 4 * short;
                self.net.blocked.insert((front, backend), long);
                if self.rng.chance(70) {
                    self.net.blocked.insert((backend, front), long);
                }
            }
            6 => {
                let by = self.rng.span(1000, 3 * SECOND / 10);
                self.hosts[backend].slow = (self.now + 4 * short, by);
            }
            7 => {
                let any = if self.rng.chance(50) { front } else { backend };
                self.freeze(any, short);
            }
            _ => {
                let other = if self.rng.chance(50) { backend } else { 1 - front };
                let between = |conn: &u64| {
                    let ends = (self.place(*conn, 0), self.place(*conn, 1));
                    ends == (Some(front), Some(other))
                };
                let conns: Vec<u64> = self.net.conns.keys().copied().filter(between).collect();
                for conn in conns {
                    self.cut(conn);
                }
            }
        }
        if left > 0 {
            let pause = self.rng.span(200, SECOND / 5);
            self.after(pause, Event::Storm { left: left - 1 });
        }
    }

    /// Replaces a backend's machine, at most one until it is a member again.
    fn lose_disk(&mut self, backend: usize, length: u64) {
        if self.may_lose() {
            self.crash(backend, length);
            self.trace(|| format!("{} has lost its disk", NAMES[backend]));
            self.hosts[backend].disk.lose();
        }
    }

    /// Returns whether a disk may be lost or rolled back now: three parts are up, and the group has
    /// admitted the replacement of the last lost disk.
    pub(super) fn may_lose(&mut self) -> bool {
        let whole = self.statuses().iter().any(|status| {
            let backends = status["backends"].as_array();
            status["role"] == "active"
                && backends.is_some_and(|all| all.iter().all(|one| one["state"] == "up"))
        });
        let members = self.checks.log.slots.members();
        let forgets = self.faults.mistakes.forgetful.is_some();
        // Where lists differ, one front cannot reach one of the group's disks.
        let away = forgets || self.lists_differ();
        if !whole || members.is_none() || members == self.faults.lost || away {
            return false;
        }
        // The backends must learn that the new members are chosen. A disk that is lost before takes
        // the proof with it, so that two disks would be lost at once.
        self.faults.repaired = self.faults.repaired.filter(|(set, _)| *set == members);
        let (_, repaired) = *self.faults.repaired.get_or_insert((members, self.now));
        let may = self.faults.lost.is_none() || self.now > repaired + 10 * SECOND;
        if may {
            self.faults.lost = members;
            self.faults.repaired = None;
            // A disk that was put aside would be a second outdated one.
            self.faults.mistakes.put_aside();
        }
        may
    }
}
