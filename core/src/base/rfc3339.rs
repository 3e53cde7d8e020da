//! Reads and writes times by RFC 3339, in whole seconds, in the years 1970 to 9999.

use crate::base::time::Wall;
use alloc::string::String;
use chrono::{DateTime, SecondsFormat, Utc};

/// 9999-12-31T23:59:59Z, the last second that RFC 3339 can write.
const LAST: u64 = 253_402_300_799;

/// Returns a time as text in UTC, such as `2026-11-21T19:00:00Z`. A time beyond the year 9999,
/// which [`parse`] never returns, is written as the last second of that year.
#[must_use]
pub fn format(time: Wall) -> String {
    let seconds = i64::try_from(time.0.min(LAST)).expect("LAST fits");
    DateTime::<Utc>::from_timestamp(seconds, 0)
        .expect("chrono goes far beyond the year 9999")
        .to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// Reads a time with any offset.
///
/// # Errors
/// Returns a description of a valid time.
pub fn parse(text: &str) -> Result<Wall, &'static str> {
    let time = DateTime::parse_from_rfc3339(text)
        .map_err(|_| "expected a time as in RFC 3339, such as 2026-11-21T19:00:00Z")?;
    if time.timestamp_subsec_nanos() != 0 {
        return Err("expected a time in whole seconds");
    }
    match u64::try_from(time.timestamp()) {
        Ok(seconds) if seconds <= LAST => Ok(Wall(seconds)),
        _ => Err("expected a time in the years 1970 to 9999"),
    }
}

#[cfg(test)]
mod tests {
    use super::{LAST, format, parse};
    use crate::base::time::Wall;

    #[test]
    fn known_times() {
        assert_eq!(parse("1970-01-01T00:00:00Z"), Ok(Wall(0)));
        assert_eq!(parse("2001-09-09T03:46:40+02:00"), Ok(Wall(1_000_000_000)));
        assert_eq!(format(Wall(1_000_000_000)), "2001-09-09T01:46:40Z");
        assert_eq!(format(Wall(LAST)), "9999-12-31T23:59:59Z");
        assert_eq!(parse(&format(Wall(LAST))), Ok(Wall(LAST)));
        assert_eq!(format(Wall(u64::MAX)), format(Wall(LAST)));
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in ["", "2026-11-21", "2026-02-30T00:00:00Z", "2026-11-21T19:00:00", "tomorrow"] {
            assert!(parse(text).unwrap_err().contains("RFC 3339"), "{text}");
        }
        assert!(parse("2026-11-21T19:00:00.5Z").unwrap_err().contains("whole"));
        assert!(parse("2016-12-31T23:59:60Z").unwrap_err().contains("whole"));
        assert!(parse("1969-12-31T23:59:59Z").unwrap_err().contains("1970"));
        assert!(parse("9999-12-31T23:59:59-01:00").unwrap_err().contains("9999"));
    }
}
