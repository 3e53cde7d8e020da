//! Fine faults: a front that is stopped just longer than its confirmation lasts, in the middle of a
//! question to its backends; two backends that get the same wrong date from a time server for some
//! seconds; and a call that requests the last unit. They are drawn from a random number of their
//! own, so that seeds without them, also those pinned earlier, run as before.

use super::event::Event;
use super::extra::Strike;
use super::rng::Rng;
use super::world::{BACKENDS, FRONTS, NAMES, SECOND, World};

/// A salt with which the pinned seeds draw nothing here.
const SALT: u64 = 56_292;
/// The time for which a front is stopped: the front notices the pause, and its earlier question may
/// still look fresh.
const STOP: (u64, u64) = (1_700_000, 1_990_000);
/// The time for which a time server is wrong: less than the minute for which two clocks must agree.
const WRONG: (u64, u64) = (2 * SECOND, 40 * SECOND);
/// The error of the time server, in seconds: more than a day, and before any licence ends.
const AHEAD: (u64, u64) = (2 * 86_400, 300 * 86_400);

/// The finer faults of a seed.
#[derive(Debug)]
pub(super) struct Finer {
    rng: Rng,
    /// Fronts are stopped while they await confirmations.
    stops: bool,
    /// Time servers are wrong.
    clocks: bool,
    /// Clients request all units that are left.
    pub(super) all: bool,
}

impl Finer {
    /// Draws the faults of a seed.
    pub(super) fn draw(seed: u64) -> Self {
        let mut rng = Rng::new(seed.rotate_left(12) ^ SALT);
        let any = rng.chance(40);
        let [stops, clocks, all] = [60, 50, 50].map(|percent| rng.chance(percent) && any);
        Self { rng, stops, clocks, all }
    }

    /// Returns no faults.
    pub(super) fn none() -> Self {
        Self { rng: Rng::new(0), stops: false, clocks: false, all: false }
    }

    /// Returns the pause until a time server is wrong; `None`: never.
    pub(super) fn pause(&mut self) -> Option<u64> {
        self.clocks.then(|| self.rng.span(5 * SECOND, 60 * SECOND))
    }
}

impl World {
    /// Handles a front's request for a confirmation.
    pub(super) fn asks(&mut self, front: usize) {
        if !self.faults.on || !self.faults.finer.stops || self.faults.finer.rng.bits() % 1_000 >= 8
        {
            return;
        }
        let rng = &mut self.faults.finer.rng;
        let (wait, length) = (rng.between(0, SECOND / 500), rng.between(STOP.0, STOP.1));
        self.after(wait, Event::Strike(Strike::Stop { host: front, length }));
    }

    /// Gives two backends a wrong date, and the right one again a little later.
    pub(super) fn mislead(&mut self) {
        let rng = &mut self.faults.finer.rng;
        let spared = rng.index(BACKENDS);
        let off = i64::try_from(rng.between(AHEAD.0, AHEAD.1)).unwrap_or_default();
        let length = rng.span(WRONG.0, WRONG.1);
        for host in (0..BACKENDS).filter(|part| *part != spared).map(|part| FRONTS + part) {
            self.trace(|| {
                format!("a time server tells {} a date that is {off} s off", NAMES[host])
            });
            self.set_date(host, off);
            self.after(length, Event::Strike(Strike::Date { host, off: 0 }));
        }
    }
}
