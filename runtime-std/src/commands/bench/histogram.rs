//! Durations of calls in a table of fixed size: a bench that runs for hours needs no more memory
//! than one of a second.

use std::time::Duration;

/// The steps in each power of two: a value is off by less than one in 64.
const STEPS: u64 = 64;
/// The powers of two of nanoseconds: up to some 39 hours.
const POWERS: u64 = 42;

/// Counts of durations by step.
#[derive(Clone, Debug)]
pub struct Histogram {
    counts: Vec<u64>,
    total: u64,
    longest: Duration,
}

impl Default for Histogram {
    fn default() -> Self {
        let steps = usize::try_from(STEPS * POWERS).expect("some thousands");
        Self { counts: vec![0; steps], total: 0, longest: Duration::ZERO }
    }
}

impl Histogram {
    /// Counts a duration.
    pub fn record(&mut self, took: Duration) {
        let last = self.counts.len() - 1;
        self.counts[step(took).min(last)] += 1;
        self.total += 1;
        self.longest = self.longest.max(took);
    }

    /// Adds the counts of another histogram.
    pub fn add(&mut self, other: &Self) {
        for (count, more) in self.counts.iter_mut().zip(&other.counts) {
            *count += more;
        }
        self.total += other.total;
        self.longest = self.longest.max(other.longest);
    }

    /// Returns the number of durations.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.total
    }

    /// Returns the longest duration, exactly.
    #[must_use]
    pub fn longest(&self) -> Duration {
        self.longest
    }

    /// Returns the duration that `of` in a thousand did not exceed, to the precision of a step;
    /// zero if there are none.
    #[must_use]
    pub fn permille(&self, of: u64) -> Duration {
        let rank = (u128::from(self.total) * u128::from(of)).div_ceil(1000).max(1);
        let mut seen = 0;
        for (step, count) in self.counts.iter().enumerate() {
            seen += u128::from(*count);
            if seen >= rank {
                return top(step as u64).min(self.longest);
            }
        }
        Duration::ZERO
    }
}

/// Returns the step of a duration. The first power of two has steps of a nanosecond, each following
/// one has `STEPS` steps.
fn step(took: Duration) -> usize {
    let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
    let shift = (nanos | STEPS).ilog2() - STEPS.ilog2();
    let step = u64::from(shift) * STEPS + (nanos >> shift);
    usize::try_from(step).unwrap_or(usize::MAX)
}

/// Returns the longest duration of a step.
fn top(step: u64) -> Duration {
    let shift = (step / STEPS).saturating_sub(1);
    Duration::from_nanos(((step - shift * STEPS + 1) << shift) - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_holds_what_falls_into_it_and_is_narrow() {
        for nanos in (0..200).chain([1_000, 4_095, 4_096, 999_999, 1_000_000_007, 1 << 40]) {
            let top = top(step(Duration::from_nanos(nanos)) as u64);
            let top = u64::try_from(top.as_nanos()).unwrap();
            assert!(top >= nanos, "{nanos} is above its step's top, {top}");
            assert!(top - nanos <= nanos / STEPS, "{nanos} is too far from its step's top, {top}");
        }
    }

    #[test]
    fn ranks_are_those_of_the_values() {
        let (mut even, mut odd) = (Histogram::default(), Histogram::default());
        assert_eq!(even.permille(500), Duration::ZERO);
        for micros in 1..=1000 {
            let half = if micros % 2 == 0 { &mut even } else { &mut odd };
            half.record(Duration::from_micros(micros));
        }
        even.add(&odd);
        assert_eq!((even.total(), even.longest()), (1000, Duration::from_millis(1)));
        for of in [1, 500, 990, 1000] {
            let (found, right) = (even.permille(of), Duration::from_micros(of));
            assert!(found >= right && found <= right + right / 64, "{of}: {found:?}");
        }
    }

    #[test]
    fn what_is_beyond_the_table_is_still_counted() {
        let mut histogram = Histogram::default();
        histogram.record(Duration::from_secs(1_000_000));
        assert_eq!(histogram.total(), 1);
        assert_eq!(histogram.longest(), Duration::from_secs(1_000_000));
    }
}
