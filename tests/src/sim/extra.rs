//! Further faults of a seed: licences of more kinds, long outages, connections that lose bytes in
//! the middle, writes that fail, and faults within milliseconds of important events ([`Moment`]).
//! They are drawn from a random number of their own, so that seeds without them, also those pinned
//! earlier, run as before.

use super::event::Event;
use super::licences::{PROPERTIES, Property};
use super::net::End;
use super::rng::Rng;
use super::world::{BACKENDS, FRONTS, HOSTS, NAMES, SECOND, World};

/// A salt with which the pinned seeds draw nothing here.
const SALT: u64 = 406;
/// One millisecond.
const MILLI: u64 = 1_000;
/// The duration of an outage, longer than any clean-up time here.
const OUTAGE: (u64, u64) = (31 * SECOND, 70 * SECOND);

/// A moment at which a strike is most effective.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Moment {
    /// A front claims the lead at a backend.
    Claim,
    /// A complete state is on its way to a backend.
    Install,
    /// The members of the group are to change.
    Repair,
    /// A backend is told that a slot is committed. Another backend has that slot and later ones,
    /// and has not been told.
    Commit,
    /// A reply is being sent to a client.
    Reply,
    /// A client's call reaches a front.
    Call,
}

/// The strike at that moment.
#[derive(Clone, Copy, Debug)]
pub(super) enum Strike {
    Crash {
        host: usize,
        down: u64,
    },
    Cut {
        conn: u64,
    },
    /// Nothing passes between two hosts for a while.
    Apart {
        one: usize,
        other: usize,
        length: u64,
    },
    /// Two parts of a licence are issued again and installed at once.
    Reissue,
    /// A process makes no step for a while.
    Stop {
        host: usize,
        length: u64,
    },
    /// The date of a machine is off by this number of seconds.
    Date {
        host: usize,
        off: i64,
    },
}

/// The further faults of a seed.
#[derive(Debug)]
pub(super) struct Extra {
    rng: Rng,
    /// The committed slot that each backend was last told, and the last slot that it was sent.
    sent: [(u64, u64); HOSTS],
    /// Strikes happen.
    strikes: bool,
    /// Connections lose something in their middle, and break a little later.
    holes: bool,
    /// Outages last longer than clean-up times.
    outages: bool,
    /// Writes fail.
    flushes: bool,
    /// Seats linger, and there are units.
    pub(super) rich: bool,
    /// Stations share addresses and host names.
    pub(super) mixed: bool,
    /// The property in which the odd part differs, if there is one.
    pub(super) property: Property,
}

impl Extra {
    /// Draws the faults of a seed.
    pub(super) fn draw(seed: u64) -> Self {
        let mut rng = Rng::new(seed.rotate_left(24) ^ SALT);
        let any = rng.chance(70);
        let [strikes, holes, outages, flushes, rich, mixed] =
            [60, 30, 30, 30, 40, 40].map(|percent| rng.chance(percent) && any);
        let property = PROPERTIES[rng.index(PROPERTIES.len())];
        let property = if any { property } else { Property::Quantity };
        let sent = [(0, 0); HOSTS];
        Self { rng, sent, strikes, holes, outages, flushes, rich, mixed, property }
    }

    /// Returns no faults.
    pub(super) fn none() -> Self {
        let rng = Rng::new(0);
        let (strikes, holes, outages) = (false, false, false);
        let (flushes, rich, mixed) = (false, false, false);
        let (sent, property) = ([(0, 0); HOSTS], Property::Quantity);
        Self { rng, sent, strikes, holes, outages, flushes, rich, mixed, property }
    }

    /// Returns the pause until the next event of this module; `None`: there is none.
    pub(super) fn pause(&mut self) -> Option<u64> {
        (self.outages || self.flushes).then(|| self.rng.span(SECOND, 25 * SECOND))
    }

    /// Records the entries and the committed slot that a backend is sent. Returns another backend
    /// that has later entries and was not told of that slot.
    pub(super) fn told(&mut self, backend: usize, last: u64, committed: u64) -> Option<usize> {
        self.sent[backend] = (committed, last);
        let behind = |other: &usize| {
            let (told, last) = self.sent[*other];
            *other != backend && told < committed && last > committed
        };
        (FRONTS..HOSTS).find(behind)
    }

    /// Returns whether all clients make requests at once before a planned failover.
    pub(super) fn crowds(&mut self) -> bool {
        self.strikes && self.rng.chance(60)
    }

    /// Returns the pause of one of them before its request.
    pub(super) fn soon(&mut self) -> u64 {
        self.rng.between(0, 3 * MILLI)
    }

    /// Returns whether a connection loses the current load.
    pub(super) fn loses(&mut self) -> bool {
        self.holes && self.rng.bits() % 1_000 < 4
    }
}

impl World {
    /// Begins a long outage, or makes a write fail.
    pub(super) fn extra(&mut self) {
        let extra = &mut self.faults.extra;
        if extra.flushes && (!extra.outages || extra.rng.chance(70)) {
            let host = FRONTS + extra.rng.index(BACKENDS);
            self.trace(|| format!("the next write of {} fails", NAMES[host]));
            return self.hosts[host].disk.fail_next();
        }
        let length = extra.rng.between(OUTAGE.0, OUTAGE.1);
        let front = extra.rng.index(self.plan.fronts);
        let backend = FRONTS + extra.rng.index(BACKENDS);
        let kind = extra.rng.between(0, 6);
        if kind > 3 {
            return self.far(front);
        }
        // Other faults continue meanwhile, so a seed has at most one long outage.
        extra.outages = false;
        match kind {
            0 => self.crash(front, length),
            1 => self.crash(backend, length),
            2 => self.freeze(front, length),
            _ => self.apart(front, HOSTS, length),
        }
    }

    /// Delays all messages between a front and the backends for a while: each answer takes more
    /// than half a second, and less than the time-out.
    fn far(&mut self, front: usize) {
        let by = self.faults.extra.rng.between(600 * MILLI, 950 * MILLI);
        let until = self.now + self.faults.extra.rng.between(2 * SECOND, 20 * SECOND);
        self.trace(|| format!("{} is {} ms away from its backends", NAMES[front], by / MILLI));
        for backend in FRONTS..HOSTS {
            self.net.slow.insert((front, backend), (until, by));
            self.net.slow.insert((backend, front), (until, by));
        }
    }

    /// Blocks the traffic between two hosts, or between one and all others ([`HOSTS`]), for a
    /// while.
    pub(super) fn apart(&mut self, one: usize, other: usize, length: u64) {
        let name = NAMES.get(other).unwrap_or(&"anybody");
        self.trace(|| format!("{} cannot reach {name} for {} ms", NAMES[one], length / MILLI));
        let until = self.now + length;
        for place in (0..HOSTS).filter(|place| other == HOSTS || other == *place) {
            self.net.blocked.insert((one, place), until);
            self.net.blocked.insert((place, one), until);
        }
    }

    /// Handles an important moment of a front and possibly a backend on this connection, at which a
    /// strike may follow.
    pub(super) fn moment(&mut self, what: Moment, front: usize, other: Option<usize>, conn: u64) {
        if !self.faults.on || !self.faults.extra.strikes {
            return;
        }
        let rng = &mut self.faults.extra.rng;
        let often = match what {
            Moment::Claim => 60,
            Moment::Install => 250,
            Moment::Repair => 300,
            Moment::Commit => 40,
            Moment::Reply | Moment::Call => 6,
        };
        if rng.bits() % 1_000 >= often {
            return;
        }
        let wait = rng.span(0, 25 * MILLI);
        let down = rng.span(50 * MILLI, 4 * SECOND);
        let backend = other.unwrap_or_else(|| FRONTS + rng.index(BACKENDS));
        let strike = match (what, rng.between(0, 9)) {
            (Moment::Claim, ..=3) => return self.delay(conn),
            (Moment::Commit, _) => {
                // The lagging backend is not told, and both fronts lose what they know of the log.
                self.apart(front, backend, down);
                for front in 0..self.plan.fronts {
                    let crash = Strike::Crash { host: front, down: down / 4 };
                    self.after(wait / 8, Event::Strike(crash));
                }
                return;
            }
            (Moment::Call, _) => {
                let wait = rng.span(0, MILLI);
                return self.after(wait, Event::Strike(Strike::Reissue));
            }
            (Moment::Reply, ..=2) => {
                for backend in FRONTS..HOSTS {
                    if self.faults.extra.rng.chance(70) {
                        let crash = Strike::Crash { host: backend, down };
                        self.after(wait / 8, Event::Strike(crash));
                    }
                }
                return;
            }
            (Moment::Reply, 3 | 4) => Strike::Cut { conn },
            (_, ..=4) => Strike::Crash { host: front, down },
            (_, 5..=7) => Strike::Crash { host: backend, down },
            (_, 8) => Strike::Cut { conn },
            _ => Strike::Apart { one: front, other: backend, length: down },
        };
        self.after(wait, Event::Strike(strike));
    }

    /// Performs a strike.
    pub(super) fn strike(&mut self, strike: Strike) {
        // A connection that has lost something breaks, even if faults are over meanwhile.
        if !self.faults.on && !matches!(strike, Strike::Cut { .. }) {
            return;
        }
        match strike {
            Strike::Crash { host, down } => self.crash(host, down),
            Strike::Cut { conn } => self.cut(conn),
            Strike::Apart { one, other, length } => self.apart(one, other, length),
            Strike::Reissue => self.reissue_at_once(),
            Strike::Stop { host, length } => self.freeze(host, length),
            Strike::Date { host, off } => self.set_date(host, off),
        }
    }

    /// Breaks the connection on which a front has just sent, and lets the front notice. The message
    /// arrives late, when the front may have repeated it on the next connection.
    fn delay(&mut self, conn: u64) {
        let rng = &mut self.faults.extra.rng;
        let late = rng.between(300 * MILLI, 1_800 * MILLI);
        let soon = rng.span(MILLI, 40 * MILLI);
        let Some(known) = self.net.conns.get_mut(&conn).filter(|conn| conn.open) else { return };
        let End::Host { .. } = known.ends[1] else { return };
        known.lanes[1].1 = known.lanes[1].1.max(self.now + late);
        known.late = true;
        self.trace(|| format!("what goes on connection {conn} comes {} ms late", late / MILLI));
        self.after(soon, Event::Notice { conn, side: 0 });
        self.after(late + SECOND, Event::Notice { conn, side: 1 });
    }

    /// Lets a connection between servers lose a message, and break soon.
    pub(super) fn hole(&mut self, conn: u64) {
        let wait = self.faults.extra.rng.span(MILLI, 3 * SECOND);
        self.trace(|| format!("connection {conn} has lost something in its middle"));
        self.after(wait, Event::Strike(Strike::Cut { conn }));
    }

    /// Issues two parts of a licence again with another quantity, and installs them at once.
    fn reissue_at_once(&mut self) {
        let rng = &mut self.faults.extra.rng;
        let (product, quantity) = super::licences::PRODUCTS[rng.index(3)];
        let quantity = quantity + u32::try_from(rng.between(0, 2)).unwrap_or_default();
        let spared = rng.index(BACKENDS);
        self.trace(|| format!("two parts of {product} are issued again with {quantity} seats"));
        for part in (0..BACKENDS).filter(|part| *part != spared) {
            self.vendor.files[part] =
                self.vendor.style.reissued(part, &self.vendor.files[part], product, quantity);
            self.at(self.now, Event::Reload { host: FRONTS + part });
        }
    }
}
