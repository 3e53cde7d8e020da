//! The date of the group, by which licences are judged. It is the middle one of the three backends'
//! clocks, never runs back, and leaps ahead only when two clocks agree on it for a while.
//!
//! What never lives here: how the clocks are reported and the date is kept
//! ([`clocks`](super::clocks)), and local durations, which do not depend on the clock of another
//! machine.

use crate::base::limits::{CLOCK_OFF, CLOCKS_AGREE, DATE_LEAP, DATE_LEAP_LASTS};
use crate::base::time::{Duration, Mono, Now, Wall};

/// The date of the group as a front keeps it.
#[derive(Clone, Debug, Default)]
pub(in crate::front) struct GroupDate {
    date: Wall,
    /// `None` while too few clocks are known for a date; then the front's own clock is used.
    anchor: Option<Anchor>,
    /// Since when two clocks have agreed on a date that is too far ahead to be adopted at once.
    leap: Option<Mono>,
}

/// When the date was last taken from the clocks. Without them it advances with the front's
/// monotonic clock.
#[derive(Clone, Copy, Debug)]
struct Anchor {
    date: Wall,
    at: Mono,
    /// The date comes from two backends' clocks, read here. Otherwise the backends have kept it and
    /// may have been off for any time since; or the front's own clock took part.
    measured: bool,
}

impl GroupDate {
    /// Returns the date as of the last step.
    pub(in crate::front) fn now(&self) -> Wall {
        self.date
    }

    /// Returns the date that the backends should keep; `None` if it comes from the front's own
    /// clock only.
    pub(in crate::front) fn to_keep(&self) -> Option<Wall> {
        self.anchor.map(|_| self.date)
    }

    /// Begins with the date that the group has kept; 0 if it has none.
    pub(in crate::front) fn begin(&mut self, kept: Wall, now: Mono) {
        let anchor = Anchor { date: kept, at: now, measured: false };
        *self = Self { date: kept, anchor: (kept > Wall(0)).then_some(anchor), leap: None };
    }

    /// Updates the date at the beginning of a step; `told` are the present times of the backends'
    /// clocks. If fewer than two are known, the front's own clock takes the place of one; alone it
    /// decides nothing.
    pub(in crate::front) fn update(&mut self, now: Now, told: [Option<Wall>; 3]) {
        let mut told = told;
        let known = told.iter().flatten().count();
        if let Some(place) = told.iter_mut().find(|place| place.is_none()).filter(|_| known < 2) {
            *place = Some(now.wall);
        }
        let count = known + usize::from(known < 2);
        // Unknown clocks come first.
        told.sort_unstable();
        let mut clocks = [Wall(0); 3];
        for (clock, told) in clocks.iter_mut().zip(told.iter().flatten()) {
            *clock = *told;
        }
        let told = &clocks[..count];
        let Some(anchor) = self.anchor else {
            self.date = middle(told, Wall(0)).unwrap_or(now.wall);
            let anchor = Anchor { date: self.date, at: now.mono, measured: known >= 2 };
            self.anchor = (told.len() >= 2).then_some(anchor);
            return;
        };
        let paced = later(anchor.date, now.mono.since(anchor.at));
        // The front's own clock takes the date no further than the one backend's clock beside it.
        let middle = if known == 1 { lower(told, self.date) } else { middle(told, self.date) };
        let taken = middle.filter(|&middle| {
            middle <= later(paced, DATE_LEAP) || self.may_leap(now.mono, anchor, told)
        });
        if let Some(middle) = taken {
            self.date = self.date.max(middle);
            let measured = known >= 2 || anchor.measured;
            self.anchor = Some(Anchor { date: self.date, at: now.mono, measured });
            self.leap = None;
        } else {
            self.date = self.date.max(paced);
        }
    }

    /// Whether the date may be taken from clocks that are far ahead of it. Effects of a date are
    /// never undone, so a clock that is wrong for some seconds must not set it.
    fn may_leap(&mut self, now: Mono, anchor: Anchor, told: &[Wall]) -> bool {
        // Of three sorted clocks, the middle one is in both pairs.
        let agree = |pair: &[Wall]| pair[1] <= later(pair[0], CLOCKS_AGREE);
        if !told.windows(2).any(agree) {
            self.leap = None;
            return false;
        }
        let since = *self.leap.get_or_insert(now);
        !anchor.measured || now.since(since) >= DATE_LEAP_LASTS
    }
}

/// Returns the middle one of three clocks, or the lower one of two that is not below the date.
/// `None` if there are fewer. The clocks are sorted.
fn middle(told: &[Wall], date: Wall) -> Option<Wall> {
    match *told {
        [_, middle, _] => Some(middle),
        // Two correct clocks may differ by this much too.
        [lower, upper] if later(lower, CLOCK_OFF) < date => Some(upper),
        [lower, _] => Some(lower),
        _ => None,
    }
}

/// Returns the lower one of two clocks, unless it is below the date. The clocks are sorted.
fn lower(told: &[Wall], date: Wall) -> Option<Wall> {
    told.first().copied().filter(|&lower| later(lower, CLOCK_OFF) >= date)
}

/// Returns the date after a time span.
pub(in crate::front) fn later(date: Wall, span: Duration) -> Wall {
    Wall(date.0.saturating_add(span.as_secs()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    const DAY: u64 = 86_400;
    const NOON: u64 = 1_795_287_600;

    /// A date in a test, with the front's monotonic and own clock.
    struct Front {
        date: GroupDate,
        passed: u64,
        /// The time of the front's own clock.
        own: u64,
    }

    impl Front {
        fn new() -> Self {
            Self { date: GroupDate::default(), passed: 0, own: NOON }
        }

        /// Lets seconds pass, and then reports these clocks. Returns the date.
        fn hears(&mut self, seconds: u64, told: &[u64]) -> u64 {
            self.passed += seconds;
            let now = Now { mono: Mono(self.passed * 1_000_000), wall: Wall(self.own) };
            self.date.update(now, core::array::from_fn(|at| told.get(at).map(|&wall| Wall(wall))));
            self.date.now().0
        }
    }

    #[test]
    fn the_middle_clock_of_three_counts_whatever_the_third_says() {
        for wrong in [0, NOON - 40 * DAY, NOON + 40 * DAY, u64::MAX] {
            for place in 0..3 {
                let mut front = Front::new();
                for second in 0..200 {
                    let mut told = vec![NOON + second, NOON + second + 2];
                    told.insert(place, wrong);
                    let date = front.hears(1, &told);
                    assert!((NOON + second..=NOON + second + 2).contains(&date), "{wrong} {date}");
                }
            }
        }
    }

    #[test]
    fn the_fronts_own_clock_counts_only_where_two_others_are_not_known() {
        let mut front = Front::new();
        front.own = NOON + 40 * DAY;
        assert_eq!(front.hears(1, &[]), front.own);
        assert_eq!(front.date.to_keep(), None, "nobody else says so");
        front.own = 823_000_000;
        assert_eq!(front.hears(1, &[]), 823_000_000);
        assert_eq!(front.hears(1, &[NOON, NOON, NOON]), NOON);
        assert_eq!(front.date.to_keep(), Some(Wall(NOON)));
        for own in [0, NOON - 40 * DAY, NOON + 40 * DAY] {
            front.own = own;
            assert_eq!(front.hears(0, &[NOON, NOON, NOON]), NOON);
            assert_eq!(front.hears(0, &[NOON]), NOON);
            assert_eq!(front.hears(0, &[]), NOON);
        }
        assert_eq!(front.hears(100, &[]), NOON + 100, "it goes on by itself");
    }

    #[test]
    fn the_fronts_own_clock_takes_the_date_no_further_than_a_backends() {
        let mut front = Front::new();
        front.hears(1, &[NOON; 3]);
        front.own = NOON + DAY / 2;
        for (told, passed) in [0, NOON - DAY, NOON - 100].into_iter().zip(1..) {
            assert_eq!(front.hears(1, &[told]), NOON + passed, "the one that is known is behind");
        }
        assert_eq!(front.hears(1, &[NOON + 5]), NOON + 5);
        front.own = NOON - DAY;
        assert_eq!(front.hears(1, &[NOON + DAY / 2]), NOON + 6, "nor back, nor any further then");
    }

    #[test]
    fn of_two_clocks_the_lower_one_counts_that_is_not_below_the_date() {
        let mut front = Front::new();
        assert_eq!(front.hears(1, &[NOON, NOON + 40 * DAY]), NOON);
        assert_eq!(front.hears(5, &[NOON + 5, NOON + 40 * DAY]), NOON + 5);
        assert_eq!(front.hears(5, &[0, NOON + 10]), NOON + 10);
        assert_eq!(front.hears(5, &[NOON + 14, NOON + 9]), NOON + 10, "it stands still until then");
        // Neither can be right: the monotonic clock continues.
        assert_eq!(front.hears(5, &[0, NOON + 40 * DAY]), NOON + 15);
    }

    #[test]
    fn it_never_runs_back_and_waits_for_the_clocks_to_come() {
        let mut front = Front::new();
        front.hears(1, &[NOON; 3]);
        for second in 0..600 {
            let told = NOON - 300 + second;
            assert_eq!(front.hears(1, &[told; 3]), told.max(NOON));
        }
    }

    #[test]
    fn a_leap_of_the_middle_one_is_taken_when_two_agree_on_it_for_long() {
        let lasts = DATE_LEAP_LASTS.as_secs();
        let mut front = Front::new();
        front.hears(1, &[NOON; 3]);
        let ahead = |second| NOON + 40 * DAY + second;
        for second in 1..lasts {
            let told = [NOON + second, ahead(second), ahead(second)];
            assert_eq!(front.hears(1, &told), NOON + second);
        }
        // The clocks return in time, so nothing has leapt.
        assert_eq!(front.hears(1, &[NOON + lasts; 3]), NOON + lasts);
        for second in lasts + 1..=2 * lasts {
            assert_eq!(front.hears(1, &[0, ahead(second), ahead(second)]), NOON + second);
        }
        let last = 2 * lasts + 1;
        assert_eq!(front.hears(1, &[0, ahead(last), ahead(last)]), ahead(last));
        assert_eq!(front.hears(1, &[NOON + last + 1; 3]), ahead(last), "it cannot be taken back");
    }

    #[test]
    fn no_leap_is_taken_that_no_two_agree_on() {
        let mut front = Front::new();
        front.hears(1, &[NOON; 3]);
        for second in 1..1000 {
            let told = [NOON + second, NOON + 40 * DAY, NOON + 800 * DAY];
            assert_eq!(front.hears(1, &told), NOON + second);
        }
    }

    #[test]
    fn up_to_a_day_ahead_is_taken_at_once() {
        let mut front = Front::new();
        front.hears(1, &[NOON; 3]);
        assert_eq!(front.hears(1, &[NOON, NOON + DAY, NOON + DAY]), NOON + DAY);
    }

    #[test]
    fn a_group_that_was_off_for_long_has_the_right_date_at_once_and_never_an_earlier_one() {
        let mut front = Front::new();
        front.date.begin(Wall(NOON), Mono(0));
        assert_eq!(front.hears(0, &[NOON + 40 * DAY, 0, NOON + 40 * DAY]), NOON + 40 * DAY);
        front.date.begin(Wall(NOON), Mono(0));
        assert_eq!(front.hears(0, &[0, 1, NOON]), NOON);
        front.date.begin(Wall(0), Mono(0));
        assert_eq!(front.date.to_keep(), None);
    }

    #[test]
    fn what_the_fronts_own_clock_began_with_is_left_as_soon_as_two_others_agree() {
        let mut front = Front::new();
        front.own = NOON - 5 * DAY;
        assert_eq!(front.hears(1, &[NOON]), front.own);
        assert_eq!(front.hears(1, &[NOON + 1, NOON + 1]), NOON + 1);
        // From then on a front without other clocks does not begin anew.
        front.hears(1, &[NOON + 2]);
        assert_eq!(front.hears(1, &[NOON + 40 * DAY; 3]), NOON + 3);
    }
}
