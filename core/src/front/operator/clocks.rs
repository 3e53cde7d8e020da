//! How far the clocks of the five machines are off the date of the group.
//!
//! What never lives here: how the date follows from the clocks
//! ([`date`](crate::front::leadership::date)).

use super::status::At;
use crate::base::time::Wall;
use crate::status::{ClockStatus, ClockVerdict};
use alloc::string::ToString;
use alloc::vec::Vec;

impl At<'_> {
    /// Returns how far the clocks of the five machines are off the date of the group.
    pub(super) fn clocks(&self) -> Vec<ClockStatus> {
        let front = self.front;
        let clock = |machine, clock: Option<Wall>| {
            let offset = clock.map(|clock| signed(clock.0) - signed(front.leadership.date().0));
            ClockStatus { machine, offset_seconds: offset, verdict: offset.map(ClockVerdict::of) }
        };
        let own = clock("front".to_string(), Some(self.now.wall));
        // Fronts do not exchange their clocks.
        let twin = front.config.twin.as_ref().map(|_| clock("twin".to_string(), None));
        let backends = front.replication.backends().iter().map(|backend| {
            clock(backend.address().to_string(), backend.reported().clock_now(self.now.mono))
        });
        core::iter::once(own).chain(twin).chain(backends).collect()
    }
}

/// Converts seconds to a number that can be subtracted from.
fn signed(seconds: u64) -> i64 {
    i64::try_from(seconds).unwrap_or(i64::MAX)
}
