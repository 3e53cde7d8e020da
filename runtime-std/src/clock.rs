//! The clocks in the form of core's [`Now`], from [`Instant`] and [`SystemTime`].
//!
//! The wall clock has 64 bits on a 32-bit machine too: the standard library keeps seconds in an
//! `i64` and reads them with `__clock_gettime64`, which glibc has from 2.34 on (Debian 12). With an
//! older glibc it falls back to a call that ends in 2038.

use std::time::{Instant, SystemTime, UNIX_EPOCH};
use tmr_core::base::time::{Duration, Mono, Now, Wall};

/// A clock that measures from its start.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: Instant,
}

impl Clock {
    /// Starts the clock. One clock serves the whole process.
    #[must_use]
    pub fn start() -> Self {
        Self { start: Instant::now() }
    }

    /// Returns the time of both clocks. A system clock before 1970 reads as 1970.
    #[must_use]
    pub fn now(&self) -> Now {
        let mono = u64::try_from(self.start.elapsed().as_micros()).unwrap_or(u64::MAX);
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        Now { mono: Mono(mono), wall: Wall(wall) }
    }

    /// Returns the `Instant` of a monotonic time; `None` if the system cannot represent it, which
    /// never happens.
    #[must_use]
    pub fn instant(&self, at: Mono) -> Option<Instant> {
        self.start.checked_add(Duration::from_micros(at.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instant_and_now_agree() {
        let clock = Clock::start();
        let now = clock.now();
        assert!(clock.instant(now.mono).unwrap() <= Instant::now());
        assert!(clock.instant(Mono(0)).unwrap() == clock.start);
        assert!(now.wall.0 > 1_700_000_000, "the wall clock of the machine is set");
    }
}
