//! The fence: who decides a call was confirmed by two backends at most [`CONFIRMED`] ago, by what is on
//! the wire. A confirmation counts from when its order was sent, and once it has reached the front.

use std::collections::{BTreeMap, VecDeque};
use tmr_core::io::Link;
use tmr_core::limits::CONFIRMED;
use tmr_core::wire::group::{Message, Order, Report};

/// A process: host and life.
type Process = (usize, u32);

/// Longest that a reply is on its way to a client that still listens, in microseconds.
const KEPT: u64 = 15_000_000;
/// What one percent of drift, and the time that orders lie in a front's outbox, make of it.
const SLACK: u64 = 30_000;

/// One confirmation.
#[derive(Clone, Copy, Debug)]
struct Word {
    /// When the order was sent.
    sent: u64,
    /// When the front heard of it.
    heard: u64,
}

/// A front that is configured anew takes what the backend confirmed that was in the same place of the
/// list before for the word of the one that is there now. `true`: nothing is said of that, so seeds in
/// which fronts are configured anew are not looked at.
const BY_PLACE: bool = true;

/// All confirmations of late.
#[derive(Debug, Default)]
pub struct Fence {
    /// Fronts are configured anew in this seed.
    pub moves: bool,
    /// Orders without a report, by the front's link: when they were sent.
    asked: BTreeMap<(Process, Link), BTreeMap<u32, u64>>,
    words: BTreeMap<Process, BTreeMap<usize, VecDeque<Word>>>,
}

impl Fence {
    /// A front sends an order.
    pub fn ordered(&mut self, by: Process, link: Link, sent: u64, order: &Message<Order>) {
        if let Order::Claim { .. } | Order::Append { .. } | Order::Confirm { .. } = order.body {
            self.asked.entry((by, link)).or_default().insert(order.correlation, sent);
        }
    }

    /// A report of a backend reaches a front.
    pub fn heard(
        &mut self,
        by: Process,
        link: Link,
        backend: usize,
        now: u64,
        report: &Message<Report>,
    ) {
        let asked = self.asked.get_mut(&(by, link));
        let Some(sent) = asked.and_then(|asked| asked.remove(&report.correlation)) else { return };
        if let Report::Promised(_) | Report::Stored { .. } | Report::Confirmed = report.body {
            let words = self.words.entry(by).or_default().entry(backend).or_default();
            words.push_back(Word { sent, heard: now });
            while words.front().is_some_and(|word| word.heard + KEPT < now) {
                words.pop_front();
            }
        }
    }

    /// A link of a front is gone.
    pub fn lost(&mut self, by: Process, link: Link) {
        self.asked.remove(&(by, link));
    }

    /// A front decided a call then.
    ///
    /// # Errors
    /// Fewer than two backends had confirmed it lately.
    pub fn decided(&self, by: Process, at: u64, what: &str) -> Result<(), String> {
        if BY_PLACE && self.moves {
            return Ok(());
        }
        let none = BTreeMap::new();
        let words = self.words.get(&by).unwrap_or(&none);
        let latest = words.values().filter_map(|words| {
            words.iter().filter(|word| word.heard <= at).map(|word| word.sent).max()
        });
        let mut latest: Vec<u64> = latest.collect();
        latest.sort_unstable_by(|a, b| b.cmp(a));
        let limit = u64::try_from(CONFIRMED.as_micros()).unwrap_or(u64::MAX) * 101 / 100 + SLACK;
        match latest.get(1) {
            Some(second) if at.saturating_sub(*second) <= limit => Ok(()),
            second => Err(format!(
                "front {} decides {what} at {at} us: two backends last confirmed it at {second:?}",
                by.0
            )),
        }
    }
}

#[cfg(test)]
mod test {
    use super::*;

    const SECOND: u64 = 1_000_000;
    const BY: Process = (0, 1);

    fn confirmed(fence: &mut Fence, backend: usize, sent: u64, heard: u64) {
        let link = Link(backend as u64);
        let body = Order::Confirm {
            epoch: Default::default(),
            committed: tmr_core::log::Slot(0),
            serves: true,
        };
        fence.ordered(BY, link, sent, &Message { correlation: 7, body });
        fence.heard(BY, link, backend, heard, &Message { correlation: 7, body: Report::Confirmed });
    }

    #[test]
    fn two_have_confirmed_it_at_most_two_seconds_ago() {
        let mut fence = Fence::default();
        assert!(fence.decided(BY, SECOND, "a call").is_err());
        confirmed(&mut fence, 2, SECOND, SECOND + 10);
        assert!(fence.decided(BY, SECOND + 20, "a call").is_err(), "one has");
        confirmed(&mut fence, 3, SECOND, 3 * SECOND);
        assert!(fence.decided(BY, SECOND + 20, "a call").is_err(), "it did not know");
        assert_eq!(fence.decided(BY, 3 * SECOND, "a call"), Ok(()));
        assert!(
            fence.decided(BY, 3 * SECOND + SECOND / 10, "a call").is_err(),
            "asked too long ago"
        );
        fence.ordered(BY, Link(3), 3 * SECOND, &Message { correlation: 8, body: Order::Describe });
        let body = Report::Confirmed;
        fence.heard(BY, Link(3), 3, 3 * SECOND, &Message { correlation: 8, body });
        assert!(
            fence.decided(BY, 4 * SECOND, "a call").is_err(),
            "a question that confirms nothing"
        );
        assert!(fence.decided((1, 1), 3 * SECOND, "a call").is_err(), "another front");
    }
}
