//! Every call that reaches a running front ends within the bound that the limits name.

use std::collections::BTreeMap;
use tmr_core::base::limits::CALL_TIMEOUT;
use tmr_core::link::LinkId;

/// Calls that wait, by host and link, with the time of arrival.
#[derive(Debug, Default)]
pub struct Calls {
    waiting: BTreeMap<(usize, LinkId), u64>,
}

impl Calls {
    /// Records a call that a front got.
    pub fn asked(&mut self, now: u64, host: usize, link: LinkId) {
        self.waiting.insert((host, link), now);
    }

    /// Records that the call of a link was answered, or the link closed.
    pub fn ended(&mut self, host: usize, link: LinkId) {
        self.waiting.remove(&(host, link));
    }

    /// Removes the calls of a front that is gone.
    pub fn forget(&mut self, host: usize) {
        self.waiting.retain(|(at, _), _| *at != host);
    }

    /// Extends the limits of a front's calls by a time in which it makes no step.
    pub fn excuse(&mut self, host: usize, span: u64) {
        for ((_, _), since) in self.waiting.iter_mut().filter(|((at, _), _)| *at == host) {
            *since += span;
        }
    }

    /// Checks that no call waits for too long.
    ///
    /// # Errors
    /// There is one.
    pub fn check(&mut self, now: u64) -> Result<(), String> {
        // One percent for the drift of the clock, and the time that the network takes.
        let bound = u64::try_from(CALL_TIMEOUT.as_micros()).unwrap_or(u64::MAX) * 102 / 100;
        let late = self.waiting.iter().find(|(_, since)| now > **since + bound + 100_000);
        let Some((&(host, link), &since)) = late else { return Ok(()) };
        self.waiting.remove(&(host, link));
        let after = (now - since) / 1000;
        Err(format!("front {host} has not ended a call on {link:?} after {after} ms"))
    }
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn a_call_that_waits_for_too_long_is_found_once() {
        let late = 3_200_000;
        let mut calls = Calls::default();
        calls.asked(0, 0, LinkId(2));
        calls.asked(0, 0, LinkId(4));
        calls.asked(0, 1, LinkId(2));
        assert_eq!(calls.check(3_000_000), Ok(()));
        calls.ended(0, LinkId(2));
        calls.forget(1);
        assert!(calls.check(late).is_err());
        assert_eq!(calls.check(late), Ok(()));
        calls.asked(0, 0, LinkId(6));
        calls.excuse(0, 1_000_000);
        assert_eq!(calls.check(late), Ok(()), "its front was frozen");
        assert!(calls.check(late + 1_000_000).is_err());
    }
}
