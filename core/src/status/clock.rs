//! What `/api/status` says of the clocks of the machines.

use crate::base::limits::{CLOCK_OFF, CLOCK_WRONG};
use alloc::string::String;
use serde::Serialize;

/// The clock of a machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ClockStatus {
    /// `front` is the one that answers, `twin` the other one; a backend has its address, as
    /// configured.
    pub machine: String,
    /// Seconds that it is ahead of the date of the group; `null`: not known. The other front's
    /// never is: fronts do not tell each other their clocks.
    pub offset_seconds: Option<i64>,
    /// What to think of that; `null`: not known.
    pub verdict: Option<ClockVerdict>,
}

/// What to think of a clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ClockVerdict {
    /// It is right.
    Ok,
    /// It is off by more than a minute: it should be set by a time server.
    Off,
    /// It is off by more than a day.
    Wrong,
}

impl ClockVerdict {
    /// Of a clock that is off by so many seconds.
    #[must_use]
    pub fn of(offset_seconds: i64) -> Self {
        match offset_seconds.unsigned_abs() {
            seconds if seconds > CLOCK_WRONG.as_secs() => Self::Wrong,
            seconds if seconds > CLOCK_OFF.as_secs() => Self::Off,
            _ => Self::Ok,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_minute_off_is_off_and_a_day_is_wrong() {
        let verdicts = [0, 60, -60, 61, -86_400, 86_401, i64::MIN].map(ClockVerdict::of);
        let expected = json!(["ok", "ok", "ok", "off", "off", "wrong", "wrong"]);
        assert_eq!(serde_json::to_value(verdicts).unwrap(), expected);
    }
}
