//! Metrics: durations in fixed buckets, and the text page for monitors ([`Page`]). Counting
//! allocates nothing.
//!
//! What never lives here: what is counted, and its name.

mod page;

pub use page::{Family, Page};

use crate::base::time::Duration;

/// Upper bounds of the buckets, in microseconds: from a fast memory access to the greatest duration
/// of a call.
pub(crate) const BOUNDS: [u64; 14] = [
    100, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000,
    2_500_000, 5_000_000,
];

/// A histogram of durations.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Histogram {
    /// Counts by bucket; durations above all bounds are in `count` only.
    buckets: [u64; BOUNDS.len()],
    count: u64,
    sum: Duration,
}

impl Histogram {
    /// Adds a duration.
    pub(crate) fn observe(&mut self, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        if let Some(bucket) = BOUNDS.iter().position(|bound| micros <= *bound) {
            self.buckets[bucket] += 1;
        }
        self.count += 1;
        self.sum = self.sum.saturating_add(took);
    }

    /// Returns, for each bound, the number of durations up to it, including those of smaller
    /// bounds.
    pub(crate) fn within(&self) -> impl Iterator<Item = (Duration, u64)> {
        BOUNDS.iter().zip(self.buckets).scan(0, |sum, (bound, count)| {
            *sum += count;
            Some((Duration::from_micros(*bound), *sum))
        })
    }

    /// Returns the number of durations and their sum.
    pub(crate) fn total(&self) -> (u64, Duration) {
        (self.count, self.sum)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    #[test]
    fn a_histogram_counts_up_to_each_bound_and_beyond() {
        let mut histogram = Histogram::default();
        for micros in [0, 100, 101, 5_000_000, 5_000_001] {
            histogram.observe(Duration::from_micros(micros));
        }
        let within: Vec<u64> = histogram.within().map(|(_, count)| count).collect();
        assert_eq!(within[..3], [2, 3, 3], "a bound is within its bucket");
        assert_eq!(within.last(), Some(&4));
        assert_eq!(histogram.total(), (5, Duration::from_micros(10_000_202)));
    }
}
