//! Frequent mistakes of operators and machines that are neither a crash nor a broken link: disks
//! that are old or in another machine, addresses that lead to another machine, clocks that stopped
//! for a while.
//!
//! Each kind has a switch in [`ON`]. A kind that is off happens in no seed, because the code does
//! not keep its promises under it yet. `TMR_MISTAKES=swap,rot` switches some on for one run, to try
//! a change that mends them. One disk at a time is old or gone, and the next one only when three
//! parts have recovered ([`World::may_lose`]). What a disk that goes back in time forgets, both
//! others remember ([`World::is_remembered`]).

use super::check::truth;
use super::disk::Disk;
use super::rng::Rng;
use super::world::{BACKENDS, FRONTS, HOSTS, NAMES, SECOND, World};
use tmr_core::log::DiskId;

/// A kind of mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mistake {
    /// A backend's state folder is missing at some boots (a failed mount): the backend has two
    /// disks, and boots with either.
    Swap,
    /// A backend's disk is put back to any earlier moment.
    Rollback,
    /// A backend's disk becomes a copy of another one's.
    Clone,
    /// A byte of the last batch of a journal changes while the machine is off.
    Rot,
    /// No restart of one backend finds what its process had on disk.
    Ephemeral,
    /// Two addresses are exchanged: each name leads to the machine of the other.
    Exchange,
    /// One backend is configured twice, by two names.
    Double,
    /// The fronts have different lists: one has a machine that the other one does not know.
    Differ,
    /// A machine is paused, and its monotonic clock stands still meanwhile.
    Pause,
}

/// A kind with its name and its switch.
struct Switch {
    kind: Mistake,
    name: &'static str,
    on: bool,
}

/// Returns a kind that is switched on.
const fn on(kind: Mistake, name: &'static str) -> Switch {
    Switch { kind, name, on: true }
}

/// All kinds.
const ON: [Switch; 9] = [
    on(Mistake::Swap, "swap"),
    on(Mistake::Rollback, "rollback"),
    on(Mistake::Clone, "clone"),
    on(Mistake::Rot, "rot"),
    on(Mistake::Ephemeral, "ephemeral"),
    on(Mistake::Exchange, "exchange"),
    on(Mistake::Double, "double"),
    on(Mistake::Differ, "differ"),
    on(Mistake::Pause, "pause"),
];

/// The most earlier moments that are kept of each disk.
const KEPT: usize = 8;
/// A set of members that no group has.
const NOBODY: [DiskId; 3] = [DiskId(0); 3];
/// The number of bytes at the end of a journal that may rot.
const LAST: usize = 60;

/// The mistakes of a seed.
#[derive(Debug)]
pub(super) struct Mistakes {
    rng: Rng,
    kinds: Vec<Mistake>,
    /// The backend that has a second disk, and that disk.
    other: Option<(usize, Disk)>,
    /// Earlier moments of each backend's disk.
    earlier: [Vec<Disk>; BACKENDS],
    /// The backend that forgets with every restart.
    pub(super) forgetful: Option<usize>,
    /// Hosts whose names lead to each other.
    exchanged: Option<(usize, usize)>,
    /// Backends whose journal may not open any more.
    pub(super) rotten: [bool; BACKENDS],
}

impl Mistakes {
    /// Draws the mistakes of a seed.
    pub(super) fn draw(seed: u64) -> Self {
        let mut rng = Rng::new(seed.rotate_left(52));
        let tried = std::env::var("TMR_MISTAKES").unwrap_or_default();
        let tried: Vec<&str> = tried.split(',').collect();
        let mut kinds = Vec::new();
        for Switch { kind, name, on } in ON {
            // The number is drawn in any case, so that a switch changes no seed without this kind.
            let drawn = rng.chance(30);
            if drawn && (on || tried.contains(&name)) {
                kinds.push(kind);
            }
        }
        let ephemeral = kinds.contains(&Mistake::Ephemeral);
        let forgetful = ephemeral.then(|| FRONTS + rng.index(BACKENDS));
        Self {
            rng,
            kinds,
            other: None,
            earlier: Default::default(),
            forgetful,
            exchanged: None,
            rotten: [false; BACKENDS],
        }
    }

    /// Returns no mistakes.
    pub(super) fn none() -> Self {
        Self { kinds: Vec::new(), forgetful: None, ..Self::draw(0) }
    }

    /// Returns copied or old disks only, for stories.
    pub(super) fn copied() -> Self {
        Self { kinds: vec![Mistake::Clone], ..Self::none() }
    }

    /// Removes the disk that is not in use for good.
    pub(super) fn put_aside(&mut self) {
        self.other = None;
    }

    /// Returns whether disks or lists may be wrong in this seed.
    pub(super) fn are_made(&self) -> bool {
        let told = [
            Mistake::Rollback,
            Mistake::Clone,
            Mistake::Rot,
            Mistake::Swap,
            Mistake::Exchange,
            Mistake::Double,
            Mistake::Differ,
        ];
        self.kinds.iter().any(|kind| told.contains(kind))
    }

    /// Returns the pause until the next mistake; `None`: never.
    pub(super) fn pause(&mut self) -> Option<u64> {
        (!self.kinds.is_empty()).then(|| self.rng.span(SECOND / 10, 10 * SECOND))
    }

    /// Returns the host that a name leads to.
    pub(super) fn leads_to(&self, name: &str) -> Option<usize> {
        // This may be the second name of a backend.
        let name = name.strip_suffix(TWICE).unwrap_or(name);
        let host = NAMES.iter().position(|known| *known == name)?;
        Some(match self.exchanged {
            Some((one, other)) if host == one => other,
            Some((one, other)) if host == other => one,
            _ => host,
        })
    }
}

/// The ending of a backend's second name.
const TWICE: &str = ".example";

impl World {
    /// Makes a mistake.
    pub(super) fn mistake(&mut self) {
        for part in 0..BACKENDS {
            let disk = self.hosts[FRONTS + part].disk.moment();
            let earlier = &mut self.faults.mistakes.earlier[part];
            if earlier.len() < KEPT {
                earlier.push(disk);
            } else {
                earlier[self.faults.mistakes.rng.index(KEPT)] = disk;
            }
        }
        let rng = &mut self.faults.mistakes.rng;
        let kind = self.faults.mistakes.kinds[rng.index(self.faults.mistakes.kinds.len())];
        let part = rng.index(BACKENDS);
        let (backend, other) = (FRONTS + part, FRONTS + (part + 1 + rng.index(2)) % BACKENDS);
        let (down, front) = (rng.span(SECOND / 20, 5 * SECOND), rng.index(self.plan.fronts));
        match kind {
            Mistake::Swap => self.swap(backend, down),
            Mistake::Rollback => {
                let moments = self.faults.mistakes.earlier[part].len();
                let moment = self.faults.mistakes.rng.index(moments);
                let disk = self.faults.mistakes.earlier[part][moment].clone();
                self.replace(backend, down, "is put back to an earlier moment", disk);
            }
            Mistake::Clone => {
                let disk = self.hosts[other].disk.moment();
                if self.is_in_copy_or_third(backend, other) {
                    self.replace(backend, down, "is a copy of another one now", disk);
                }
            }
            Mistake::Rot => {
                let at = self.faults.mistakes.rng.index(LAST);
                let mut disk = self.hosts[backend].disk.moment();
                if disk.rot(at) && self.replace(backend, down, "has rotted at its end", disk) {
                    self.faults.mistakes.rotten[part] = true;
                }
            }
            Mistake::Ephemeral => {
                self.crash(self.faults.mistakes.forgetful.unwrap_or(backend), down);
            }
            Mistake::Exchange => {
                let now = self.faults.mistakes.exchanged.is_some();
                self.faults.mistakes.exchanged = (!now).then_some((backend, other));
                self.trace(|| {
                    format!("names that lead elsewhere: {:?}", self.faults.mistakes.exchanged)
                });
            }
            Mistake::Double => {
                let [one, two] = [backend, other].map(|host| NAMES[host].to_owned());
                let twice = format!("{one}{TWICE}");
                let list =
                    if self.faults.mistakes.rng.chance(50) { [one, twice, two] } else { right() };
                self.list(front, &list, false);
            }
            Mistake::Differ => {
                let mut list = right();
                if self.faults.mistakes.rng.chance(60) {
                    // For this front the third backend's disk is lost.
                    if !self.may_lose() {
                        return;
                    }
                    // The spare backend holds the part of the one that it replaces.
                    list[BACKENDS - 1] = NAMES[HOSTS].to_owned();
                } else if self.lists_differ() {
                    self.faults.lost = Some(NOBODY);
                    self.faults.repaired = None;
                }
                self.start(HOSTS);
                self.list(front, &list, false);
            }
            Mistake::Pause => {
                let host = if rng.chance(50) { front } else { backend };
                let length = rng.span(SECOND / 10, 30 * SECOND);
                self.stand_still(host, length);
            }
        }
    }

    /// Returns whether a front's list differs from that of the three backends.
    pub(super) fn lists_differ(&self) -> bool {
        let spare = |text: &String| text.contains(NAMES[HOSTS]);
        self.hosts[..FRONTS].iter().any(|host| host.config.file.as_ref().is_some_and(spare))
    }

    /// Corrects the mistakes: names and lists are those of the three backends again.
    pub(super) fn put_right(&mut self) {
        self.faults.mistakes.exchanged = None;
        self.faults.mistakes.forgetful = None;
        let lists = [Mistake::Double, Mistake::Differ];
        if self.faults.mistakes.kinds.iter().any(|kind| lists.contains(kind)) {
            for front in 0..self.plan.fronts {
                self.list(front, &right(), true);
            }
        }
    }

    /// Boots a backend with its other disk.
    fn swap(&mut self, backend: usize, down: u64) {
        let known = self.faults.mistakes.other.as_ref().is_some_and(|(host, _)| *host == backend);
        if self.hosts[backend].process.hub.is_none() || !(known || self.may_lose()) {
            return;
        }
        if known {
            self.lose_again(backend);
        }
        self.crash(backend, down);
        self.trace(|| format!("{} boots with its other disk", NAMES[backend]));
        let blank = || (backend, Disk::default());
        let (_, other) =
            self.faults.mistakes.other.take_if(|(host, _)| *host == backend).unwrap_or_else(blank);
        let before = std::mem::replace(&mut self.hosts[backend].disk, other);
        self.faults.mistakes.other = Some((backend, before));
    }

    /// Records that a backend boots with an earlier disk, and without the present one. If that disk
    /// is no member any more, another one must replace it before the next is lost; if it is, the
    /// fronts must first notice that it was away.
    fn lose_again(&mut self, backend: usize) {
        let other = self.faults.mistakes.other.as_ref().and_then(|(_, disk)| disk.read());
        let boots = other.map(truth::look).and_then(Result::ok).map(|found| found.standing.disk);
        let members = self.checks.log.slots.members();
        let member = members.is_some_and(|set| boots.is_some_and(|disk| set.contains(&disk)));
        self.trace(|| format!("the other disk of {} is a member: {member}", NAMES[backend]));
        if member {
            self.faults.lost = Some(NOBODY);
            self.faults.repaired = Some((members, self.now));
        } else {
            self.faults.lost = members;
            self.faults.repaired = None;
        }
    }

    /// Returns whether both other backends durably remember all that this one forgets with that
    /// disk. What only one of them remembers is in the window that nothing can close (*Consistency*
    /// 8).
    fn is_remembered(&self, backend: usize, disk: &Disk) -> bool {
        let look = |disk: &Disk| disk.read().map(truth::look).and_then(Result::ok);
        let (Some(before), Some(now)) = (look(&self.hosts[backend].disk), look(disk)) else {
            return false;
        };
        let others = (FRONTS..FRONTS + BACKENDS).filter(|host| *host != backend);
        others
            .map(|host| look(&self.hosts[host].disk))
            .all(|other| other.is_some_and(|other| now.is_made_up_for(&before, &other)))
    }

    /// Whether a copy of `source` in the place of a backend's disk, or the third disk, remembers all that
    /// this one does. The copy is its original as it was at this moment, and may be there when that is
    /// not; what the original acknowledges later, and has in common with the disk that is gone alone,
    /// is in the window of *Consistency* 8.
    fn is_in_copy_or_third(&self, backend: usize, source: usize) -> bool {
        let third = (FRONTS..FRONTS + BACKENDS).find(|host| ![backend, source].contains(host));
        let look = |host: usize| self.hosts[host].disk.read().map(truth::look).and_then(Result::ok);
        match (look(backend), look(source), third.and_then(look)) {
            (Some(before), Some(copy), Some(third)) => copy.remembers(&before, &third),
            _ => false,
        }
    }

    /// Boots a backend with another disk. Returns whether that may happen now.
    fn replace(&mut self, backend: usize, down: u64, what: &str, disk: Disk) -> bool {
        if self.hosts[backend].process.hub.is_none()
            || !self.is_remembered(backend, &disk)
            || !self.may_lose()
        {
            return false;
        }
        self.crash(backend, down);
        self.trace(|| format!("the disk of {} {what}", NAMES[backend]));
        self.checks.distrust(disk.read());
        self.hosts[backend].disk = disk;
        true
    }

    /// Pauses a machine, whose monotonic clock stands still meanwhile.
    pub(super) fn stand_still(&mut self, host: usize, length: u64) {
        let state = &mut self.hosts[host];
        if state.process.hub.is_none() || state.frozen > self.now || state.clock.offset < length * 2
        {
            return;
        }
        self.freeze(host, length);
        self.trace(|| format!("the clock of {} stands still", NAMES[host]));
        self.checks.fronts.fence.paused(host, self.now + length, length);
        // The offset is measured by the machine's own clock.
        let parts = i128::from(length) * i128::from(1_000_000 + self.hosts[host].clock.ppm);
        self.hosts[host].clock.offset -= u64::try_from(parts / 1_000_000).unwrap_or(length);
    }
}

/// Returns the list that both fronts should have.
fn right() -> [String; 3] {
    [0, 1, 2].map(|part| NAMES[FRONTS + part].to_owned())
}
