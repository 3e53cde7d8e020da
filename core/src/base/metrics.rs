//! Numbers that are only counted, for `/metrics`: durations in fixed buckets, and what the hub tells
//! a node of its links. Counting allocates nothing.

use crate::base::time::Duration;
use crate::link::Listener;

/// Upper bounds of the buckets, in microseconds: from what a memory access takes to what a call may
/// take at most.
pub(crate) const BOUNDS: [u64; 14] = [
    100, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000,
    2_500_000, 5_000_000,
];

/// How long something took, how often.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Histogram {
    /// By bucket; what is above all bounds is in `count` only.
    buckets: [u64; BOUNDS.len()],
    count: u64,
    sum: Duration,
}

impl Histogram {
    /// It took this long once more.
    pub(crate) fn observe(&mut self, took: Duration) {
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        if let Some(bucket) = BOUNDS.iter().position(|bound| micros <= *bound) {
            self.buckets[bucket] += 1;
        }
        self.count += 1;
        self.sum = self.sum.saturating_add(took);
    }

    /// How many were within each bound, those of smaller bounds included.
    pub(crate) fn within(&self) -> impl Iterator<Item = (Duration, u64)> {
        BOUNDS.iter().zip(self.buckets).scan(0, |sum, (bound, count)| {
            *sum += count;
            Some((Duration::from_micros(*bound), *sum))
        })
    }

    /// How many there were, and how long all of them took together.
    pub(crate) fn total(&self) -> (u64, Duration) {
        (self.count, self.sum)
    }
}

/// A bound of the hub that may be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// Links of clients; those above it were told so.
    ClientLinks,
    /// Links of clients from one address.
    ClientLinksOfAddress,
    /// Links of browsers and of what asks for metrics.
    AdminLinks,
    /// Links of the twin.
    TwinLinks,
    /// Links of the machine itself, by its socket.
    MachineLinks,
    /// A link was too slow with its first frame, or with the rest of one.
    SlowLink,
    /// A client's link held nothing and said nothing.
    IdleLink,
    /// A link did not take what was to be sent on it.
    WaitingFrames,
    /// All links together made the server keep too much.
    LinksHeld,
}

impl Limit {
    /// All of them, in order.
    pub const ALL: [Self; 9] = [
        Self::ClientLinks,
        Self::ClientLinksOfAddress,
        Self::AdminLinks,
        Self::TwinLinks,
        Self::MachineLinks,
        Self::SlowLink,
        Self::IdleLink,
        Self::WaitingFrames,
        Self::LinksHeld,
    ];

    /// As metrics call it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::ClientLinks => "client-links",
            Self::ClientLinksOfAddress => "client-links-of-one-address",
            Self::AdminLinks => "admin-links",
            Self::TwinLinks => "twin-links",
            Self::MachineLinks => "machine-links",
            Self::SlowLink => "slow-link",
            Self::IdleLink => "idle-link",
            Self::WaitingFrames => "waiting-frames",
            Self::LinksHeld => "links-held",
        }
    }
}

/// What the hub has counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HubMetrics {
    /// Links of each kind of door, and the most there may be.
    pub doors: [(usize, usize); 4],
    /// How often each [`Limit`] was reached.
    pub reached: [u64; Limit::ALL.len()],
    /// Files that the system lets this process have; 0: not known.
    pub files_max: usize,
}

impl HubMetrics {
    /// A limit was reached.
    pub(crate) fn reach(&mut self, limit: Limit) {
        self.reached[limit as usize] += 1;
    }

    /// Links by the name of their door, and the most there may be.
    pub(crate) fn links(&self) -> impl Iterator<Item = (&'static str, usize, usize)> {
        let name = |door| match door {
            Listener::Licence => "licence",
            Listener::Admin => "admin",
            Listener::Twin => "twin",
            Listener::Machine => "machine",
        };
        [Listener::Licence, Listener::Admin, Listener::Twin, Listener::Machine]
            .into_iter()
            .zip(self.doors)
            .map(move |(door, (links, most))| (name(door), links, most))
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

    #[test]
    fn limits_are_counted_each_by_itself() {
        let mut counts = HubMetrics::default();
        for limit in Limit::ALL {
            counts.reach(limit);
        }
        assert_eq!(counts.reached, [1; 9]);
    }
}
