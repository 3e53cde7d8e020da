//! How long a backend takes to write entries to disk, as measured by the front that leads.

use crate::base::limits::{DISK_SLOW, DISK_SLOW_COUNTED};
use crate::base::time::{Duration, Mono};

/// Durable writes of one backend, counted for a minute at a time.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::front) struct Writes {
    /// When the minute began.
    since: Mono,
    all: u32,
    slow: u32,
    /// Most writes of the minute before were slow.
    before: bool,
}

impl Writes {
    /// Adds a write that was acknowledged after `took`.
    pub(in crate::front) fn add(&mut self, now: Mono, took: Duration) {
        let age = now.since(self.since);
        if age >= DISK_SLOW_COUNTED.0 {
            let before = self.are_slow() && age < DISK_SLOW_COUNTED.0 * 2;
            *self = Self { since: now, before, ..Self::default() };
        }
        self.all = self.all.saturating_add(1);
        self.slow = self.slow.saturating_add(u32::from(took > DISK_SLOW));
    }

    /// Whether most of the latest writes were slow, and enough of them to rule out chance.
    pub(in crate::front) fn slow(&self, now: Mono) -> bool {
        now.since(self.since) < DISK_SLOW_COUNTED.0 * 2 && (self.are_slow() || self.before)
    }

    fn are_slow(&self) -> bool {
        self.slow >= DISK_SLOW_COUNTED.1 && self.slow > self.all / 2
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_is_slow_when_most_writes_of_the_last_minutes_were() {
        let (mut writes, second) = (Writes::default(), Duration::from_secs(1));
        let mut now = Mono(0) + second * 3_600;
        let slow = DISK_SLOW + Duration::from_millis(1);
        for _ in 1..DISK_SLOW_COUNTED.1 {
            writes.add(now, slow);
        }
        assert!(!writes.slow(now), "a few are an accident");
        writes.add(now, slow);
        assert!(writes.slow(now));
        for _ in 0..DISK_SLOW_COUNTED.1 {
            writes.add(now, DISK_SLOW);
        }
        assert!(!writes.slow(now), "half of them is not most");
        (0..9).for_each(|_| writes.add(now, slow));
        now = now + second * 61;
        writes.add(now, DISK_SLOW);
        assert!(writes.slow(now), "it is not forgotten at once");
        now = now + second * 61;
        writes.add(now, DISK_SLOW);
        assert!(!writes.slow(now));
        (0..9).for_each(|_| writes.add(now, slow));
        assert!(writes.slow(now));
        assert!(!writes.slow(now + second * 120), "nobody has written since");
    }
}
