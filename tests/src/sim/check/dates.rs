//! The date by which licences are judged, as it is in every grant and in what a front has the
//! backends keep. It follows the backends' clocks only, never runs back, is kept by the backends to
//! within a minute, and leaps by more than a day only after two clocks have agreed on that for a
//! minute.
//!
//! The source of a front's date is invisible from outside while clocks disagree or some are out of
//! reach. So the last two rules are checked for a front that has granted a handle while all clocks
//! had been right for as long as a clock is remembered: that front has its date from them.

use super::Decided;
use std::collections::{BTreeMap, BTreeSet};
use tmr_core::base::limits::{CLOCK_FRESH, CLOCKS_AGREE, DATE_LEAP, DATE_LEAP_LASTS, DATE_STEP};
use tmr_core::log::{Entry, Epoch, Handle};
use tmr_core::messages::group::Order;

/// A process: host and life.
type Process = (usize, u32);

const SECOND: u64 = 1_000_000;
/// The error of a date during a run, in seconds: clocks drift by one percent, and dates count whole
/// seconds.
const SLACK: i64 = 8;
/// A further permitted error of a date, in seconds: without a valid clock the date follows the
/// front's monotonic clock, which may have been paused repeatedly.
const PAUSES: i64 = 600;

/// A setting of a clock: the time, and the error since then in seconds.
type Set = (u64, i64);

/// The date of one front under one epoch.
#[derive(Clone, Copy, Debug)]
struct Known {
    /// The error of the latest date, in seconds.
    off: i64,
    /// The latest date.
    date: i64,
    /// The date was taken from right clocks.
    measured: bool,
}

/// All dates that fronts have sent.
#[derive(Debug, Default)]
pub struct Dates {
    /// The true date at the beginning, in seconds.
    begin: i64,
    /// The settings of each backend's clock, oldest first.
    clocks: BTreeMap<usize, Vec<Set>>,
    known: BTreeMap<(Process, Epoch), Known>,
    seen: BTreeSet<Handle>,
}

fn seconds(span: core::time::Duration) -> i64 {
    i64::try_from(span.as_secs()).unwrap_or(i64::MAX)
}

impl Dates {
    /// Records that a backend's clock has this error from now on. At time 0 it is right, and shows
    /// the true date.
    pub fn set(&mut self, now: u64, date: u64, backend: usize, off: i64) {
        let passed = now / SECOND;
        self.begin = i64::try_from(date - passed.min(date)).unwrap_or_default();
        self.clocks.entry(backend).or_insert_with(|| vec![(0, 0)]).push((now, off));
    }

    /// Returns the errors of the clocks within the last `span` before `now`.
    fn offs(&self, now: u64, span: u64) -> impl Iterator<Item = i64> {
        self.clocks.values().flat_map(move |sets| {
            let first = sets.partition_point(|(at, _)| at + span <= now).saturating_sub(1);
            let upto = sets.partition_point(|(at, _)| *at <= now);
            sets[first.min(upto)..upto].iter().map(|(_, off)| *off)
        })
    }

    /// Returns whether two clocks have agreed long enough on a date that is more than a day ahead.
    fn may_leap(&self, now: u64) -> bool {
        let lasts = u64::try_from(seconds(DATE_LEAP_LASTS) - SLACK).unwrap_or_default() * SECOND;
        let long_ago = |sets: &Vec<Set>| -> Vec<i64> {
            let long = sets.iter().filter(|(at, off)| at + lasts <= now && *off > 0);
            long.map(|(_, off)| *off).collect()
        };
        let all: Vec<Vec<i64>> = self.clocks.values().map(long_ago).collect();
        let agree = |one: &i64, other: &i64| (one - other).abs() <= seconds(CLOCKS_AGREE) + SLACK;
        all.iter().enumerate().any(|(index, one)| {
            let others = || all[..index].iter().flatten();
            one.iter().any(|off| others().any(|other| agree(off, other)))
        })
    }

    /// Checks the date in a front's order.
    ///
    /// # Errors
    /// It goes by a date that no rule allows.
    pub fn ordered(&mut self, by: Process, sent: Decided, order: &Order) -> Result<(), String> {
        match order {
            Order::Append { epoch, entries, .. } => {
                let mut found = Ok(());
                for entry in entries {
                    let Entry::Grant(grant) = entry else { continue };
                    if self.seen.insert(grant.handle) {
                        let date = i64::try_from(grant.since.0).unwrap_or(i64::MAX);
                        let granted = self.granted((by, *epoch), sent, date);
                        found = found.and(granted);
                    }
                }
                found
            }
            Order::Witness { epoch, date, .. } => {
                let Some(known) = self.known.get(&(by, *epoch)).filter(|known| known.measured)
                else {
                    return Ok(());
                };
                let kept = i64::try_from(date.0).unwrap_or(i64::MAX);
                if kept + seconds(DATE_STEP) + SLACK >= known.date {
                    return Ok(());
                }
                Err(format!(
                    "front {} has granted by the date {}, and has the backends keep {kept}",
                    by.0, known.date
                ))
            }
            _ => Ok(()),
        }
    }

    fn granted(&mut self, by: (Process, Epoch), sent: Decided, date: i64) -> Result<(), String> {
        if self.clocks.is_empty() {
            return Ok(());
        }
        let now = sent.until;
        let off = date - self.begin - i64::try_from(now / SECOND).unwrap_or_default();
        let ((front, _), epoch) = by;
        let fresh = u64::try_from(seconds(CLOCK_FRESH) + SLACK).unwrap_or_default() * SECOND;
        let all = |span| self.offs(now, span);
        let (low, high) = (all(now).min().unwrap_or(0).min(0), all(now).max().unwrap_or(0).max(0));
        let slack = SLACK + PAUSES;
        let said = format!("front {front} grants by a date that is {off} s off");
        if off + slack < low || off - slack > high {
            return Err(format!("{said}; its backends' clocks were off by {low} to {high} s"));
        }
        let right = all(fresh).all(|off| off.abs() <= seconds(CLOCKS_AGREE) / 2);
        let leap = seconds(DATE_LEAP) + slack;
        let known = self.known.get(&by).copied();
        if let Some(known) = known {
            if date < known.date {
                return Err(format!(
                    "{said}, behind {} s: under {epoch} it has run back",
                    known.off
                ));
            }
            if known.measured && off > known.off + leap && !self.may_leap(now) {
                return Err(format!("{said}, a leap from {} s which no two clocks say", known.off));
            }
        }
        let measured = right || known.is_some_and(|known| known.measured);
        self.known.insert(by, Known { off, date, measured });
        Ok(())
    }
}

#[cfg(test)]
mod test {
    use super::super::slots::test::grant;
    use super::*;
    use tmr_core::base::time::Wall;
    use tmr_core::log::Slot;

    const NOON: u64 = 1_795_287_600;
    const DAY: i64 = 86_400;
    const EPOCH: Epoch = Epoch { round: 1, front: 7 };

    struct Cluster {
        dates: Dates,
        handles: u32,
    }

    impl Cluster {
        fn new() -> Self {
            let mut dates = Dates::default();
            (2..5).for_each(|backend| dates.set(0, NOON, backend, 0));
            Self { dates, handles: 0 }
        }

        fn set(&mut self, second: u64, backend: usize, off: i64) {
            self.dates.set(second * SECOND, NOON + second, backend, off);
        }

        fn grants(&mut self, second: u64, off: i64) -> Result<(), String> {
            self.handles += 1;
            let Entry::Grant(mut grant) = grant(self.handles) else { panic!("a grant") };
            grant.since = Wall((NOON + second).saturating_add_signed(off));
            let entries = vec![Entry::Grant(grant)];
            let order = Order::Append { epoch: EPOCH, first: Slot(1), entries, committed: Slot(0) };
            self.dates.ordered((0, 1), Decided::at(second * SECOND), &order)
        }

        fn keeps(&mut self, date: u64) -> Result<(), String> {
            let order = Order::Witness {
                epoch: EPOCH,
                committed: Slot(0),
                digest: None,
                acked: Vec::new(),
                date: Wall(date),
            };
            self.dates.ordered((0, 1), Decided::at(0), &order)
        }
    }

    #[test]
    fn a_date_follows_the_clocks_of_the_backends_and_never_runs_back() {
        let mut cluster = Cluster::new();
        assert_eq!(cluster.grants(10, 0), Ok(()));
        assert!(cluster.grants(11, 40 * DAY).is_err(), "nobody says so");
        assert!(cluster.grants(12, -40 * DAY).is_err());
        cluster.set(20, 2, 4_000);
        assert_eq!(cluster.grants(30, 4_000), Ok(()));
        assert!(cluster.grants(31, 0).is_err(), "it runs back");
    }

    #[test]
    fn a_leap_takes_two_clocks_that_agree_for_a_minute() {
        let mut cluster = Cluster::new();
        assert_eq!(cluster.grants(10, 0), Ok(()));
        cluster.set(20, 2, 40 * DAY);
        cluster.set(20, 3, 40 * DAY + 9);
        assert!(cluster.grants(50, 40 * DAY).is_err());
        assert_eq!(cluster.grants(80, 40 * DAY), Ok(()));
        let mut cluster = Cluster::new();
        cluster.set(20, 2, 40 * DAY);
        assert_eq!(cluster.grants(50, 40 * DAY), Ok(()), "as it begins it may leap at once");
    }

    #[test]
    fn the_date_is_kept_to_within_a_minute() {
        let mut cluster = Cluster::new();
        assert_eq!(cluster.keeps(0), Ok(()), "nothing was granted");
        assert_eq!(cluster.grants(90, 0), Ok(()));
        assert_eq!(cluster.keeps(NOON + 50), Ok(()));
        assert!(cluster.keeps(NOON).is_err());
    }
}
