//! Faults of one machine: its disk is full for a while, its date is changed, or the front that it
//! starts is of another version. They are drawn from a random number of their own, so that seeds
//! without them run as before.

use super::event::Event;
use super::host::TODAY;
use super::rng::Rng;
use super::world::{BACKENDS, FRONTS, HOSTS, NAMES, SECOND, World};
use tmr_core::messages::twin::Version;

/// The free bytes of a disk that is almost full.
const ROOM: u64 = 5_000;
/// Ten years, in seconds.
const YEARS: u64 = 10 * 365 * 24 * 60 * 60;
/// Minor versions of the protocol between fronts, from the first to one that does not exist yet.
const MINORS: u16 = Version::OWN.minor + 2;

/// The faults of machines in a seed.
#[derive(Debug)]
pub(super) struct Machines {
    rng: Rng,
    /// Disks become full.
    full: bool,
    /// Dates change.
    pub(super) dates: bool,
    /// Fronts start as older and newer programs.
    versions: bool,
}

impl Machines {
    /// Draws the faults of a seed.
    pub(super) fn draw(seed: u64) -> Self {
        let mut rng = Rng::new(seed.rotate_left(8));
        let [full, dates, versions] = [(); 3].map(|()| rng.chance(25));
        Self { rng, full, dates, versions }
    }

    /// Returns the version of a front that starts now.
    pub(super) fn version(&mut self, faulty: bool) -> Version {
        if !self.versions || !faulty {
            return Version::OWN;
        }
        let minor = self.rng.between(0, u64::from(MINORS - 1));
        Version { minor: u16::try_from(minor).unwrap_or_default(), ..Version::OWN }
    }

    /// Returns the pause until the next fault; `None`: never.
    pub(super) fn pause(&mut self) -> Option<u64> {
        (self.full || self.dates).then(|| self.rng.span(SECOND / 10, 15 * SECOND))
    }
}

impl World {
    /// Fills a disk, or changes a date.
    pub(super) fn machine(&mut self) {
        let machines = &mut self.faults.machines;
        if machines.full && (!machines.dates || machines.rng.chance(50)) {
            let host = FRONTS + machines.rng.index(BACKENDS);
            let room = usize::try_from(machines.rng.span(0, ROOM)).unwrap_or_default();
            let length = machines.rng.span(SECOND / 10, 20 * SECOND);
            self.trace(|| format!("the disk of {} has room for {room} bytes", NAMES[host]));
            self.hosts[host].disk.fill(Some(room));
            self.after(length, Event::Room { host });
        } else {
            let host = machines.rng.index(HOSTS);
            let seconds = machines.rng.span(60, YEARS);
            let back = match machines.rng.between(0, 9) {
                0..5 => None,
                5..9 => Some(seconds),
                // Its battery is dead.
                _ => Some(TODAY),
            };
            let off = |seconds| i64::try_from(seconds).expect("some years");
            self.set_date(host, back.map_or_else(|| off(seconds), |back| -off(back)));
            self.trace(|| {
                format!("the date of {} is {} s off", NAMES[host], self.hosts[host].clock.date)
            });
        }
    }

    /// Sets the error of a machine's date, in seconds.
    pub(super) fn set_date(&mut self, host: usize, off: i64) {
        self.hosts[host].clock.date = off;
        if host >= FRONTS {
            self.checks.fronts.dates.set(self.now, TODAY + self.now / SECOND, host, off);
        }
    }

    /// Gives a disk room again.
    pub(super) fn room(&mut self, host: usize) {
        self.trace(|| format!("the disk of {} has room again", NAMES[host]));
        self.hosts[host].disk.fill(None);
    }

    /// Handles a write that did not fit: the process ends, and its supervisor starts it again.
    pub(super) fn full(&mut self, host: usize) {
        self.trace(|| format!("the disk of {} is full", NAMES[host]));
        self.hosts[host].disk.fail(&mut self.faults.machines.rng);
        let pause = self.faults.machines.rng.span(SECOND / 10, 2 * SECOND);
        self.crash(host, pause);
    }
}
