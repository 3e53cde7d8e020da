//! Points in time. Layouts: protocol facts 4, known.

use super::{Layout, layout};
use crate::base::time::Wall;
use chrono::{DateTime, Datelike, NaiveDate, Timelike};

layout! {
    /// CMTIME: a point in time.
    CmTime, 16 {
        /// Year.
        0 => year: u16,
        /// Month 1..12.
        2 => month: u16,
        /// Day 1..31.
        4 => day: u16,
        /// Hour.
        6 => hours: u16,
        /// Minute.
        8 => minutes: u16,
        /// Second.
        10 => seconds: u16,
        /// Seconds since 2000-01-01 00:00 UTC (add 946684800 for Unix time).
        12 => seconds_since_2000: u32,
    }
}

layout! {
    /// CMBOXTIME: the three clocks that matter to a container.
    CmBoxTime, 48 {
        /// Last time from a time server.
        0 => certified_time: CmTime,
        /// Container clock.
        16 => box_time: CmTime,
        /// Host clock.
        32 => system_time: CmTime,
    }
}

layout! {
    /// CMSIGNEDTIME: container time with its proof.
    CmSignedTime, 64 {
        /// Container clock.
        0 => box_time: CmBoxTime,
        /// Validation block.
        48 => trailing_validation_block: [u8; 16],
    }
}

layout! {
    /// CMUSAGEPERIOD: usage period of an entry.
    CmUsagePeriod, 20 {
        /// Period length.
        0 => period: u32,
        /// Start.
        4 => start_time: CmTime,
    }
}

/// 2000-01-01 00:00 UTC in seconds since 1970 (protocol facts 4, CMTIME).
const YEAR_2000: u64 = 946_684_800;
/// The last second that the year field can hold, 65535-12-31 23:59:59 UTC.
const LAST_SECOND: u64 = 2_005_949_145_599;

/// Seconds since 2000, as the 32-bit fields of the API count; saturating at both ends.
#[must_use]
pub fn seconds_since_2000(wall: Wall) -> u32 {
    u32::try_from(wall.0.saturating_sub(YEAR_2000)).unwrap_or(u32::MAX)
}

impl CmTime {
    /// A time in UTC. The calendar is exact up to the year 65535; the count of seconds saturates
    /// before 2000 and after 2136.
    #[must_use]
    pub fn from_wall(wall: Wall) -> Self {
        let seconds = wall.0.min(LAST_SECOND);
        let time = i64::try_from(seconds)
            .ok()
            .and_then(|seconds| DateTime::from_timestamp(seconds, 0))
            .expect("chrono's calendar goes beyond the year 65535");
        let short = |part: u32| u16::try_from(part).expect("parts of a date are small");
        Self {
            year: u16::try_from(time.year()).expect("bounded by LAST_SECOND"),
            month: short(time.month()),
            day: short(time.day()),
            hours: short(time.hour()),
            minutes: short(time.minute()),
            seconds: short(time.second()),
            seconds_since_2000: seconds_since_2000(wall),
        }
    }

    /// The calendar part if it is a date, or else the count of seconds. `None` when neither is
    /// set, which is how the API says "no time", or when the date lies before 1970.
    #[must_use]
    pub fn to_wall(&self) -> Option<Wall> {
        let date = NaiveDate::from_ymd_opt(
            i32::from(self.year),
            u32::from(self.month),
            u32::from(self.day),
        );
        let time = date.and_then(|date| {
            date.and_hms_opt(
                u32::from(self.hours),
                u32::from(self.minutes),
                u32::from(self.seconds),
            )
        });
        match (time, self.seconds_since_2000) {
            (Some(time), _) => u64::try_from(time.and_utc().timestamp()).ok().map(Wall),
            (None, 0) => None,
            (None, seconds) => Some(Wall(YEAR_2000 + u64::from(seconds))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_the_same_after_a_trip_through_the_calendar() {
        for seconds in [0, 951_782_400, YEAR_2000, 4_294_967_296, 5_241_652_096, LAST_SECOND] {
            assert_eq!(CmTime::from_wall(Wall(seconds)).to_wall(), Some(Wall(seconds)));
        }
        let leap = CmTime::from_wall(Wall(951_827_696));
        assert_eq!((leap.year, leap.month, leap.day), (2000, 2, 29));
        assert_eq!((leap.hours, leap.minutes, leap.seconds), (12, 34, 56));
        assert_eq!(leap.seconds_since_2000, 951_827_696 - 946_684_800);
    }

    #[test]
    fn the_ends_saturate() {
        assert_eq!(CmTime::from_wall(Wall(0)).seconds_since_2000, 0);
        assert_eq!(CmTime::from_wall(Wall(u64::MAX)).year, u16::MAX);
        assert_eq!(CmTime::from_wall(Wall(u64::MAX)).seconds_since_2000, u32::MAX);
    }

    #[test]
    fn no_time_and_half_a_time() {
        assert_eq!(CmTime::default().to_wall(), None);
        let counted = CmTime { seconds_since_2000: 1, ..CmTime::default() };
        assert_eq!(counted.to_wall(), Some(Wall(YEAR_2000 + 1)));
        let impossible = CmTime { year: 2023, month: 2, day: 29, ..CmTime::default() };
        assert_eq!(impossible.to_wall(), None);
        let before = CmTime { year: 1969, month: 12, day: 31, ..CmTime::default() };
        assert_eq!(before.to_wall(), None);
    }
}
