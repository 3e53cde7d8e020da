//! The age at which a file is removed. The date is that of one machine, and may be wrong by years
//! for some seconds. So files are removed by age only after the date has agreed with the monotonic
//! clock for a whole day, of one month a day at most, and never before a file with a lower number.
//!
//! What lives here: whether the date can be trusted. What never lives here: files.

use std::time::Duration;
use tmr_core::base::time::{Mono, Now, Wall};

/// How long the date must have agreed with the monotonic clock.
const STEADY: Duration = Duration::from_secs(24 * 60 * 60);
/// How many seconds the two may differ in that time: a clock that is corrected in small steps is
/// steady.
const APART: u64 = 10 * 60;

/// Compares the date with the monotonic clock.
#[derive(Debug, Default)]
pub(super) struct Steady {
    /// The times at which both clocks began to agree.
    since: Option<(Mono, Wall)>,
}

impl Steady {
    /// Compares both clocks. Returns `true` once a day, when they have agreed for that day.
    pub(super) fn day_is_over(&mut self, now: Now) -> bool {
        let (mono, wall) = *self.since.get_or_insert((now.mono, now.wall));
        let passed = now.mono.since(mono);
        let expected = wall.0.saturating_add(passed.as_secs());
        let jumped = expected.abs_diff(now.wall.0) > APART;
        let over = !jumped && passed >= STEADY;
        if jumped || over {
            self.since = Some((now.mono, now.wall));
        }
        over
    }
}

/// Returns the indices of the files to be removed, of files that are given by their months in the
/// order of their numbers: those of the first month before `oldest`. A file with a month after
/// `current` was written while the date was ahead, so its month does not show its age.
pub(super) fn too_old(months: &[u32], oldest: u32, current: u32) -> Vec<usize> {
    let mut old = Vec::new();
    let mut first = None;
    for (index, &month) in months.iter().enumerate() {
        if month > current {
            continue;
        }
        if month >= oldest || *first.get_or_insert(month) != month {
            break;
        }
        old.push(index);
    }
    old
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: u64 = 60 * 60;

    fn at(hours: u64, ahead: i64) -> Now {
        let wall = (1_795_287_600 + hours * HOUR).saturating_add_signed(ahead);
        Now { mono: Mono(hours * HOUR * 1_000_000), wall: Wall(wall) }
    }

    #[test]
    fn a_date_that_jumped_is_believed_after_a_day_without_a_jump() {
        let mut steady = Steady::default();
        let mut days = |looks: &[(u64, i64)]| {
            looks
                .iter()
                .map(|&(hours, ahead)| steady.day_is_over(at(hours, ahead)))
                .collect::<Vec<_>>()
        };
        assert_eq!(
            days(&[(0, 0), (23, 0), (24, 0), (25, 0), (48, 60)]),
            [false, false, true, false, true]
        );
        let years = 2 * 365 * 24 * 3_600;
        assert_eq!(days(&[(72, years), (72, 0), (95, 0), (96, 0)]), [false, false, false, true]);
        assert_eq!(days(&[(119, -years), (142, -years), (143, -years)]), [false, false, true]);
    }

    #[test]
    fn only_the_oldest_month_goes_and_nothing_behind_a_file_that_stays() {
        assert_eq!(too_old(&[], 10, 12), [0; 0]);
        assert_eq!(too_old(&[8, 8, 9, 10, 12], 10, 12), [0, 1]);
        assert_eq!(too_old(&[9, 10], 10, 12), [0]);
        assert_eq!(too_old(&[10, 12], 10, 12), [0; 0]);
        // Written while the date was set back: it is younger than its predecessor.
        assert_eq!(too_old(&[11, 1, 12], 10, 12), [0; 0]);
        // Written while the date was ahead.
        assert_eq!(too_old(&[30, 9, 9, 30, 9, 11], 10, 12), [1, 2, 4]);
        // The date is set back now, so all files seem to be of the future.
        assert_eq!(too_old(&[9, 10, 11], 2, 3), [0; 0]);
    }
}
