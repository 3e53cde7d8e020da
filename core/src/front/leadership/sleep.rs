//! Whether this front has slept. After a process was stopped, or a machine was paused, the front
//! goes on with what it knew before, while another front may have led. So it decides nothing until
//! two members have answered orders that it sent after it woke.
//!
//! If a machine is paused and its monotonic clock stops too, only the wall clock shows it. So a
//! front asks again also when a wall clock is set, which costs one round trip. If that clock has
//! moved too little to tell, orders that were sent longer ago by it than a confirmation holds count
//! no more, however short and many the pauses were.

use super::phase::Phase;
use super::{Context, Leadership};
use crate::base::limits::{CONFIRMED, HANDOVER_WAIT, WALL_STEP, WOKE_LATE};
use crate::base::log_throttle::LogThrottle;
use crate::base::time::{Deadline, Duration, Mono, Now, Wall};
use alloc::collections::VecDeque;
use alloc::format;

/// The time of the last step, and what is known of sleep.
#[derive(Clone, Debug, Default)]
pub(in crate::front) struct SleepDetector {
    last: Option<Now>,
    due: Option<Mono>,
    /// When this front was last found to have slept.
    woke: Option<Mono>,
    /// When the wall clock was first seen to show each of the last seconds, oldest first.
    seconds: VecDeque<(Wall, Mono)>,
    logged: LogThrottle,
}

/// Why a front is taken to have slept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Slept {
    /// The wall clock has moved this many seconds more than the monotonic one, or fewer if
    /// negative.
    Stepped(i64),
    /// The step came this long after the deadline.
    Late(Duration),
}

impl SleepDetector {
    /// Begins a step. Returns why the front may have slept since the last one; `None` if it was
    /// awake.
    fn begins(&mut self, now: Now) -> Option<Slept> {
        self.note_second(now);
        let last = self.last.replace(now)?;
        let seconds = |from: u64, to: u64| i128::from(to) - i128::from(from);
        let passed = seconds(last.mono.0, now.mono.0) / 1_000_000;
        let stepped = seconds(last.wall.0, now.wall.0) - passed;
        // It was awake at the last step, even if the deadline was before that.
        let late = self.due.map_or(Duration::ZERO, |due| now.mono.since(due.max(last.mono)));
        if stepped.unsigned_abs() >= u128::from(WALL_STEP.as_secs()) {
            Some(Slept::Stepped(i64::try_from(stepped).unwrap_or(i64::MAX)))
        } else {
            (late > WOKE_LATE).then_some(Slept::Late(late))
        }
    }
}

impl SleepDetector {
    fn note_second(&mut self, now: Now) {
        while self.seconds.back().is_some_and(|&(wall, _)| wall > now.wall) {
            self.seconds.pop_back();
        }
        if self.seconds.back().is_none_or(|&(wall, _)| wall < now.wall) {
            self.seconds.push_back((now.wall, now.mono));
        }
        let past = |wall: Wall| now.wall.0 - wall.0 > CONFIRMED.as_secs();
        while self.seconds.front().is_some_and(|&(wall, _)| past(wall)) {
            self.seconds.pop_front();
        }
    }

    /// Returns the time before which orders were sent more than [`CONFIRMED`] ago by the wall
    /// clock, in its whole seconds.
    pub(in crate::front) fn horizon(&self) -> Option<Mono> {
        self.seconds.front().map(|&(_, mono)| mono)
    }
}

impl Leadership {
    /// Returns whether this front has slept a moment ago: orders of that time are old, and their
    /// senders may have given up.
    pub(in crate::front) fn has_just_woken(&self, now: Mono) -> bool {
        self.sleep.woke.is_some_and(|woke| now.since(woke) < HANDOVER_WAIT)
    }

    /// Checks at the beginning of a step whether this front has slept.
    pub(in crate::front) fn note_sleep(&mut self, now: Now, ctx: &mut Context<'_>) {
        let Some(slept) = self.sleep.begins(now) else { return };
        self.sleep.woke = Some(now.mono);
        ctx.replication.begin_round_after_sleep();
        self.heartbeat = now.mono;
        let text = match slept {
            Slept::Stepped(seconds) => format!(
                "the clock moved by {seconds} s more than time has passed: it was set, or this \
                 machine was paused; calls wait until two backends confirm this front anew"
            ),
            Slept::Late(by) => format!(
                "this front was not run for {} ms: calls wait until two backends confirm it anew",
                by.as_millis()
            ),
        };
        if matches!(self.phase, Phase::Leading { .. }) {
            self.sleep.logged.warn(now.mono, &text);
        } else {
            tracing::debug!(target: "tmr_core::front::sleep", "{text}");
        }
    }

    /// Notes the deadline at the end of a step, and returns it.
    pub(in crate::front) fn expect(&mut self, due: Option<Deadline>) -> Option<Deadline> {
        self.sleep.due = due.map(|due| due.at);
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64, wall: u64) -> Now {
        Now { mono: Mono(millis * 1_000), wall: Wall(wall) }
    }

    #[test]
    fn time_that_passes_alike_by_both_clocks_is_no_sleep() {
        let mut sleep = SleepDetector::default();
        assert_eq!(sleep.begins(at(900, 70)), None);
        for millis in (900..20_000).step_by(37) {
            // The wall clock has whole seconds, which change at another moment than the monotonic
            // ones.
            assert_eq!(sleep.begins(at(millis, 70 + (millis - 100) / 1_000)), None, "{millis}");
        }
    }

    #[test]
    fn a_step_right_behind_a_late_one_is_not_late() {
        let mut sleep = SleepDetector { due: Some(Mono(1_000_000)), ..SleepDetector::default() };
        assert_eq!(sleep.begins(at(900, 70)), None);
        assert!(sleep.begins(at(9_900, 79)).is_some());
        // What was due is done in another step at the same time.
        assert_eq!(sleep.begins(at(9_900, 79)), None);
    }

    #[test]
    fn what_was_asked_lately_by_both_clocks_is_behind_the_horizon_always() {
        let mut sleep = SleepDetector::default();
        for millis in (900..20_000).step_by(37) {
            sleep.begins(at(millis, 70 + (millis - 100) / 1_000));
            let horizon = sleep.horizon().expect("there was a step");
            assert!(horizon <= Mono((millis * 1_000).saturating_sub(1_960_000).max(900_000)));
        }
    }

    #[test]
    fn seconds_that_only_the_wall_clock_has_seen_move_the_horizon() {
        let mut sleep = SleepDetector::default();
        for second in 0..9 {
            // Each pause alone is too short to count as a step of the clock.
            assert_eq!(sleep.begins(at(900 + second, 70 + second)), None);
            let asked = 900 + second.saturating_sub(2);
            assert_eq!(sleep.horizon(), Some(Mono(asked * 1_000)), "{second}");
        }
        sleep.begins(at(1_000, 60));
        assert_eq!(sleep.horizon(), Some(Mono(1_000_000)), "it was set back");
        assert_eq!(sleep.seconds.len(), 1);
    }

    #[test]
    fn a_wall_clock_that_steps_either_way_is_seen() {
        for (wall, slept) in
            [(85, Some(15)), (55, Some(-15)), (71, None), (69, None), (0, Some(-70))]
        {
            let mut sleep = SleepDetector::default();
            sleep.begins(at(900, 70));
            assert_eq!(sleep.begins(at(900, wall)), slept.map(Slept::Stepped), "{wall}");
        }
    }

    #[test]
    fn a_step_that_comes_late_is_seen() {
        let mut sleep = SleepDetector::default();
        sleep.begins(at(1_000, 70));
        sleep.due = Some(Mono(1_500_000));
        assert_eq!(sleep.begins(at(2_500, 71)), None);
        sleep.due = Some(Mono(3_000_000));
        let late = Slept::Late(Duration::from_millis(1_500));
        assert_eq!(sleep.begins(at(4_500, 73)), Some(late));
    }
}
