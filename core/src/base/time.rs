//! Time in core: two integers that are passed in with every step.
//!
//! [`Mono`] measures local durations and is compared with nothing from another machine; [`Wall`]
//! is for licence dates and for people. No clock is read here.

use chrono::{DateTime, SecondsFormat};
use core::fmt;
use core::ops::Add;
pub use core::time::Duration;

/// Monotonic time: microseconds since an arbitrary start on this machine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mono(pub u64);

impl Mono {
    /// Returns the time since `earlier`; zero if that is in the future.
    #[must_use]
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }

    /// Returns the time that is this long ago, or the start of this clock if that is later.
    #[must_use]
    pub fn before(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(u64::try_from(span.as_micros()).unwrap_or(u64::MAX)))
    }
}

impl Add<Duration> for Mono {
    type Output = Self;
    fn add(self, span: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(span.as_micros()).unwrap_or(u64::MAX)))
    }
}

/// Wall-clock time: seconds since 1970-01-01 UTC, 64 bits on every machine.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    serde::Serialize,
    serde::Deserialize,
)]
pub struct Wall(pub u64);

/// 9999-12-31T23:59:59Z, the last second that RFC 3339 can write.
const RFC_3339_LAST: u64 = 253_402_300_799;

impl fmt::Display for Wall {
    /// Formats it by RFC 3339 in UTC; beyond the year 9999 as `@` and seconds.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = i64::try_from(self.0).ok().and_then(|at| DateTime::from_timestamp(at, 0));
        match time.filter(|_| self.0 <= RFC_3339_LAST) {
            Some(time) => f.write_str(&time.to_rfc3339_opts(SecondsFormat::Secs, true)),
            None => write!(f, "@{}", self.0),
        }
    }
}

/// Both clocks, read by the runtime just before a step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// For durations and deadlines.
    pub mono: Mono,
    /// For licence dates and for people.
    pub wall: Wall,
}

/// When a node has to be stepped again, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deadline {
    /// Step at this time, or earlier if there is input.
    pub at: Mono,
    /// What is due then, in one word, for the log.
    pub reason: &'static str,
}

impl Deadline {
    /// Returns the earlier of two optional deadlines.
    #[must_use]
    pub fn sooner(one: Option<Self>, other: Option<Self>) -> Option<Self> {
        match (one, other) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn wall_time_is_written_as_rfc_3339_while_that_goes() {
        for (seconds, text) in [
            (0, "1970-01-01T00:00:00Z"),
            (1_795_287_600, "2026-11-21T19:00:00Z"),
            (1_709_164_800, "2024-02-29T00:00:00Z"),
            (4_294_967_296, "2106-02-07T06:28:16Z"),
            (RFC_3339_LAST, "9999-12-31T23:59:59Z"),
            (RFC_3339_LAST + 1, "@253402300800"),
            (u64::MAX, "@18446744073709551615"),
        ] {
            assert_eq!(Wall(seconds).to_string(), text);
        }
    }
}
