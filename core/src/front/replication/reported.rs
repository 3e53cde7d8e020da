//! What a backend has reported of itself: its description, the facts beside it, its clock, and the
//! files that it lacks. The description is kept up to date by later reports about the log, so that
//! the backend does not have to describe itself again.
//!
//! What never lives here: what a front concludes from that (in `eligibility`, `exclusion`,
//! `membership` and `memory_loss`), and how far the backend follows this front's log (that is
//! `follower`).
//!
//! Tests: `front/tests/members.rs` and `front/tests/old_disks.rs` (descriptions and their age),
//! `front/tests/date.rs` (clocks).

use crate::base::limits::CLOCK_FRESH;
use crate::base::time::{Mono, Wall};
use crate::front::leadership::date::later;
use crate::licence::Part;
use crate::log::{GroupId, Slot};
use crate::messages::group::{Description, Facts, Lost, Standing};
use alloc::vec::Vec;

/// The time of a backend's clock, and the time of this front at which it was reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct ClockReading {
    clock: Wall,
    at: Mono,
}

/// What a backend has reported of itself.
#[derive(Clone, Debug, Default)]
pub(in crate::front) struct Reported {
    /// The latest description; `None`: none on this connection.
    description: Option<Description>,
    /// When the backend first described itself on this connection.
    met: Mono,
    /// When the order was sent that the description answers. The description may be as old as that.
    as_of: Mono,
    /// The facts that were last reported beside the description; `None`: none yet, or an older
    /// program, which reports none.
    facts: Option<Facts>,
    /// The clock of the backend, as reported with the facts.
    clock: Option<ClockReading>,
    /// Which files of the backend were last reported as removed.
    lost_files: Lost,
    /// How many files of the backend were last reported as unusable.
    unusable: u32,
}

impl Reported {
    /// Returns the latest description.
    pub(in crate::front) fn description(&self) -> Option<&Description> {
        self.description.as_ref()
    }

    /// Returns when the backend first described itself on this connection.
    pub(in crate::front) fn met(&self) -> Mono {
        self.met
    }

    /// Returns when the order was sent that the description answers.
    pub(in crate::front) fn as_of(&self) -> Mono {
        self.as_of
    }

    /// Returns what was last reported beside the description.
    pub(in crate::front) fn facts(&self) -> Option<&Facts> {
        self.facts.as_ref()
    }

    /// Returns the random number of the backend's process; 0 if it was not reported.
    pub(in crate::front) fn process(&self) -> u128 {
        self.facts.as_ref().map_or(0, |facts| facts.process)
    }

    /// Returns which files are reported as removed.
    pub(in crate::front) fn lost_files(&self) -> Lost {
        self.lost_files
    }

    /// Returns how many files are reported as unusable.
    pub(in crate::front) fn unusable(&self) -> u32 {
        self.unusable
    }

    /// Returns the present time of the backend's clock; `None` if it is not known, or if it was
    /// reported too long ago and may have been set since.
    pub(in crate::front) fn clock_now(&self, now: Mono) -> Option<Wall> {
        let reading = self.clock?;
        let passed = now.since(reading.at);
        (passed < CLOCK_FRESH).then(|| later(reading.clock, passed))
    }

    /// Returns whether the clock has to be asked for again, before its report is too old.
    pub(in crate::front) fn has_stale_clock(&self, now: Mono) -> bool {
        self.clock.is_some_and(|reading| now.since(reading.at) >= CLOCK_FRESH / 2)
    }

    /// Takes a description, which answers an order that was sent at `sent`.
    pub(in crate::front) fn described(&mut self, now: Mono, description: Description, sent: Mono) {
        if self.description.is_none() {
            self.met = now;
        }
        self.description = Some(description);
        self.as_of = sent;
    }

    /// Takes the description of a backend that has begun anew.
    pub(in crate::front) fn began_anew(&mut self, description: Description) {
        self.description = Some(description);
    }

    /// Takes the standing that comes with a promise, for an order that was sent at `sent`.
    pub(in crate::front) fn promised(&mut self, standing: Standing, sent: Mono) {
        if let Some(description) = &mut self.description {
            description.standing = standing;
            self.as_of = sent;
        }
    }

    /// Notes when the order was sent that the next description answers.
    pub(in crate::front) fn set_as_of(&mut self, sent: Mono) {
        self.as_of = sent;
    }

    /// Takes the parts of licences that the backend holds now. Returns whether the backend has
    /// described itself before; if not, the parts are dropped.
    pub(in crate::front) fn has_parts(&mut self, parts: Vec<Part>) -> bool {
        let Some(description) = &mut self.description else { return false };
        description.parts = parts;
        true
    }

    /// Notes that the disk has stored the name of a group that is being born, and has no slot of
    /// it.
    pub(in crate::front) fn founded(&mut self, group: GroupId) {
        if let Some(description) = &mut self.description {
            description.standing.group = Some(group);
            description.standing.last = Slot(0);
            description.standing.base = Slot(0);
        }
    }

    /// Notes that the disk has the state at slot `at` of this group, and nothing after it.
    pub(in crate::front) fn installed(&mut self, group: Option<GroupId>, at: Slot) {
        if let Some(description) = &mut self.description {
            let standing = &mut description.standing;
            standing.group = group;
            standing.base = at;
            standing.committed = at;
            standing.last = at;
        }
    }

    /// Notes up to which slot the backend knows its copy to be committed.
    pub(in crate::front) fn is_sure_up_to(&mut self, committed: Slot) {
        if let Some(description) = &mut self.description {
            description.standing.committed = committed;
        }
    }

    /// Notes that the disk has every slot up to `last`.
    pub(in crate::front) fn acknowledged(&mut self, last: Slot) {
        if let Some(description) = &mut self.description {
            description.standing.last = last.max(description.standing.last);
        }
    }

    /// Notes that a front leads, which the backend may not have learned yet.
    pub(in crate::front) fn is_led(&mut self) {
        if let Some(description) = &mut self.description {
            description.led = true;
        }
    }

    /// Notes that another front leads if the backend has committed slots after `known`, the last
    /// one that this front has committed.
    pub(in crate::front) fn is_led_beyond(&mut self, known: Slot) {
        if let Some(description) = &mut self.description {
            description.led |= description.standing.committed > known;
        }
    }

    /// Takes facts. Returns whether they may change which backends are left out.
    pub(super) fn told_facts(&mut self, now: Mono, facts: Facts) -> bool {
        let differed = self.facts.as_ref().is_some_and(|facts| facts.differs);
        let differs = facts.differs;
        self.clock = Some(ClockReading { clock: facts.clock, at: now });
        self.facts = Some(facts);
        differed != differs
    }

    /// Takes which files were removed. Returns whether the journal's file is newly among them.
    pub(super) fn told_lost(&mut self, lost: Lost) -> bool {
        let newly = lost.state && !self.lost_files.state;
        self.lost_files = lost;
        newly
    }

    /// Takes how many files are unusable. Returns whether there are more than before.
    pub(super) fn told_unusable(&mut self, files: u32) -> bool {
        let more = files > self.unusable;
        self.unusable = files;
        more
    }

    /// Forgets what was reported on a connection that is lost, except the two times.
    pub(super) fn forget(&mut self) {
        let Self { met, as_of, .. } = *self;
        *self = Self { met, as_of, ..Self::default() };
    }
}
