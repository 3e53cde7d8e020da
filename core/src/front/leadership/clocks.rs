//! The clocks of the five machines: what the backends have reported of theirs, the date of the
//! group that follows, and how far each clock is off.
//!
//! What never lives here: the rule by which clocks make a date ([`date`](super::date)).

use super::date::later;
use super::phase::Phase;
use super::{Leadership, View};
use crate::base::limits::CLOCK_FRESH;
use crate::base::time::{Mono, Now, Wall};
use crate::front::operator::At;
use crate::front::replication::Replication;
use crate::front::replication::backend_link::BackendLink;
use crate::status::{ClockStatus, ClockVerdict};
use alloc::string::ToString;
use alloc::vec::Vec;

/// The time of a clock, and when it was reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::front) struct Reading {
    pub(in crate::front) clock: Wall,
    pub(in crate::front) at: Mono,
}

impl Reading {
    /// Returns the present time of the clock; `None` if it was reported too long ago and may have
    /// been set since.
    fn now(self, now: Mono) -> Option<Wall> {
        let passed = now.since(self.at);
        (passed < CLOCK_FRESH).then(|| later(self.clock, passed))
    }
}

impl BackendLink {
    /// Returns the present time of this backend's clock, if it is known.
    fn clock_now(&self, now: Mono) -> Option<Wall> {
        self.clock.and_then(|reading| reading.now(now))
    }
}

impl Leadership {
    /// Updates the date of the group. Machines that are left out of the group, or reached twice, do
    /// not take part.
    pub(in crate::front) fn update_date(&mut self, now: Now, replication: &Replication) {
        let told = |index: usize| {
            let backend = replication.backend(index);
            if backend.exclusion.is_some() { None } else { backend.clock_now(now.mono) }
        };
        let told = [told(0), told(1), told(2)];
        self.date.update(now, told);
    }

    /// Whether this front misses the backends' clocks: it does not lead, so it does not get them
    /// with the heartbeat, and has not asked for them lately.
    pub(in crate::front) fn misses_clocks(&self, now: Mono, view: View<'_>) -> bool {
        let stale = |backend: &BackendLink| {
            backend.clock.is_some_and(|reading| now.since(reading.at) >= CLOCK_FRESH / 2)
        };
        !matches!(self.phase, Phase::Leading { .. })
            && view.replication.backends().iter().any(stale)
    }
}

impl At<'_> {
    /// Returns how far the clocks of the five machines are off the date of the group.
    pub(in crate::front) fn clocks(&self) -> Vec<ClockStatus> {
        let front = self.front;
        let clock = |machine, clock: Option<Wall>| {
            let offset = clock.map(|clock| signed(clock.0) - signed(front.leadership.date().0));
            ClockStatus { machine, offset_seconds: offset, verdict: offset.map(ClockVerdict::of) }
        };
        let own = clock("front".to_string(), Some(self.now.wall));
        // Fronts do not exchange their clocks.
        let twin = front.config.twin.as_ref().map(|_| clock("twin".to_string(), None));
        let backends =
            front.replication.backends().iter().map(|backend| {
                clock(backend.address.to_string(), backend.clock_now(self.now.mono))
            });
        core::iter::once(own).chain(twin).chain(backends).collect()
    }
}

/// Converts seconds to a number that can be subtracted from.
fn signed(seconds: u64) -> i64 {
    i64::try_from(seconds).unwrap_or(i64::MAX)
}
