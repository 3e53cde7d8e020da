//! Repeated warnings that an unknown peer, or a server that is gone, can cause again and again: one
//! line at a time is logged, with the number of suppressed ones.

use crate::base::limits::TROUBLE_LOGGED;
use crate::base::time::Mono;
use alloc::format;
use alloc::string::String;

/// When the last line was written, and how many were suppressed since.
#[derive(Clone, Debug, Default)]
pub(crate) struct LogThrottle {
    written: Option<Mono>,
    unwritten: u64,
}

impl LogThrottle {
    /// Logs a warning, unless one was logged less than [`TROUBLE_LOGGED`] ago.
    pub(crate) fn warn(&mut self, now: Mono, text: &str) {
        if let Some(line) = self.line(now, text) {
            tracing::warn!(target: "tmr_core::seldom", "{line}");
        }
    }

    /// Returns the line to be logged now, if any.
    pub(crate) fn line(&mut self, now: Mono, text: &str) -> Option<String> {
        if self.written.is_some_and(|at| now.since(at) < TROUBLE_LOGGED) {
            self.unwritten = self.unwritten.saturating_add(1);
            return None;
        }
        self.written = Some(now);
        Some(match core::mem::take(&mut self.unwritten) {
            0 => text.into(),
            more => format!("{text} (and {more} times more since this was last logged)"),
        })
    }
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn a_line_a_minute_counts_those_between() {
        let (mut throttle, minute) = (LogThrottle::default(), 60_000_000);
        assert_eq!(throttle.line(Mono(5), "no").as_deref(), Some("no"));
        for at in [5, 6, minute + 4] {
            assert_eq!(throttle.line(Mono(at), "no"), None);
        }
        let counted = "no (and 3 times more since this was last logged)";
        assert_eq!(throttle.line(Mono(minute + 5), "no").as_deref(), Some(counted));
        assert_eq!(throttle.line(Mono(2 * minute + 5), "no").as_deref(), Some("no"));
    }
}
