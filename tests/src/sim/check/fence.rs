//! The fence: a front that decides a call was confirmed by two backends at most [`CONFIRMED`] ago,
//! by the messages on the wire. A confirmation counts from when its order was sent, once it has
//! reached the front. If the wire does not show when a front has decided, its own statement counts:
//! for a grant that was decided when no backend was connected.
//!
//! A front whose machine is paused so that its monotonic clock does not advance has only the wall
//! clock, which counts whole seconds: the bound is then less than one second longer.

use super::Decided;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use tmr_core::base::limits::CONFIRMED;
use tmr_core::link::LinkId;
use tmr_core::messages::group::{Message, Order, Report};

/// A process: host and life.
type Process = (usize, u32);

/// The longest time that a reply is on its way to a client that still listens, in microseconds.
const KEPT: u64 = 15_000_000;
/// The fence with one percent of drift, and the time that orders wait in a front's outbox.
const SLACK: u64 = 30_000;
/// The shortest stop that a process must notice, by a step that is more than a second late.
const SEEN: u64 = 1_700_000;
/// The shortest pause that it must notice if its monotonic clock stood still meanwhile.
const BY_DATE: u64 = 2_000_000;
/// The longest validity of a confirmation by the wall clock of a paused machine.
const BY_WALL: u64 = 3_000_000;

/// One confirmation.
#[derive(Clone, Copy, Debug)]
struct Word {
    /// The time at which the order was sent.
    sent: u64,
    /// The time at which the front got the confirmation.
    heard: u64,
}

/// All recent confirmations.
#[derive(Debug, Default)]
pub struct Fence {
    /// The times of orders without a report, by the front's link.
    asked: BTreeMap<(Process, LinkId), BTreeMap<u32, u64>>,
    words: BTreeMap<Process, BTreeMap<usize, VecDeque<Word>>>,
    /// Links on which a front sends every entry as soon as it is proposed.
    following: BTreeMap<Process, BTreeSet<LinkId>>,
    /// The time at which the last of these links was gone.
    alone: BTreeMap<Process, u64>,
    /// Pauses of machines whose clocks stood still, by host: the end and the length of each.
    pauses: BTreeMap<usize, Vec<(u64, u64)>>,
    /// The time at which a deciding front last ran again after a long stop.
    woken: BTreeMap<Process, u64>,
}

impl Fence {
    /// A front sends an order.
    pub fn ordered(&mut self, by: Process, link: LinkId, sent: Decided, order: &Message<Order>) {
        if let Order::Claim { .. } | Order::Append { .. } | Order::Confirm { .. } = order.body {
            self.asked.entry((by, link)).or_default().insert(order.correlation, sent.until);
        }
        if let Order::Append { .. } = order.body {
            self.following.entry(by).or_default().insert(link);
            self.alone.remove(&by);
        }
    }

    /// Returns the time at which a front decided on the proposals of the order that it sends now.
    pub fn proposed(&self, by: Process, sent: Decided) -> Decided {
        let alone = self.alone.get(&by).copied().unwrap_or(sent.since);
        Decided { since: alone.min(sent.since), ..sent }
    }

    /// Records a backend's report that reaches a front.
    pub fn heard(
        &mut self,
        by: Process,
        link: LinkId,
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

    /// Records that a deciding front makes no step up to this time, for this long.
    pub fn stops(&mut self, by: Process, until: u64, length: u64) {
        if length >= SEEN {
            self.woken.insert(by, until);
        }
    }

    /// Checks a front that, after a look at the time, believes that it may decide calls.
    ///
    /// # Errors
    /// Fewer than two backends had confirmed it lately, or none that it has asked since it was
    /// stopped.
    pub fn ready(&self, by: Process, now: u64) -> Result<(), String> {
        let at = Decided::at(now);
        self.decided(by, at, "calls, by its own word,")?;
        let Some(woken) = self.woken.get(&by) else { return Ok(()) };
        match self.second(by, at) {
            Some(second) if second >= *woken => Ok(()),
            second => Err(format!(
                "front {} was stopped until {woken} us and decides calls at {now} us: two backends \
                 last confirmed it at {second:?}",
                by.0
            )),
        }
    }

    /// Records that a machine and its monotonic clock stand still up to this time, for this long.
    pub fn paused(&mut self, host: usize, until: u64, length: u64) {
        // The front can notice only by its date, which must move by two seconds.
        if length < BY_DATE {
            self.woken.retain(|(other, _), _| *other != host);
        }
        self.pauses.entry(host).or_default().push((until, length));
    }

    /// Returns how long a confirmation is valid for a front that decides at `at`.
    fn limit(&self, host: usize, then: u64, at: u64) -> u64 {
        let pauses = self.pauses.get(&host).into_iter().flatten();
        let unseen: u64 =
            pauses.filter(|(end, _)| then < *end && *end <= at).map(|(_, it)| it).sum();
        let limit = u64::try_from(CONFIRMED.as_micros()).unwrap_or(u64::MAX) * 101 / 100;
        limit.max(BY_WALL.min(limit + unseen)) + SLACK
    }

    /// Records that a front's link is gone, and that its output since `at` was not seen.
    pub fn lost(&mut self, by: Process, link: LinkId, at: u64) {
        self.asked.remove(&(by, link));
        let Some(links) = self.following.get_mut(&by) else { return };
        if links.remove(&link) && links.is_empty() {
            self.alone.insert(by, at);
        }
    }

    /// Returns the time of the latest order that two backends had confirmed to a front by then.
    fn second(&self, by: Process, at: Decided) -> Option<u64> {
        let none = BTreeMap::new();
        let words = self.words.get(&by).unwrap_or(&none);
        let latest = words.values().filter_map(|words| {
            words.iter().filter(|word| word.heard <= at.until).map(|word| word.sent).max()
        });
        let mut latest: Vec<u64> = latest.collect();
        latest.sort_unstable_by(|a, b| b.cmp(a));
        latest.get(1).copied()
    }

    /// Checks a front's decision of a call.
    ///
    /// # Errors
    /// Fewer than two backends had confirmed it lately.
    pub fn decided(&self, by: Process, at: Decided, what: &str) -> Result<(), String> {
        let limit = |then| self.limit(by.0, then, at.until);
        match self.second(by, at) {
            Some(second) if at.since.saturating_sub(second) <= limit(second) => Ok(()),
            second => Err(format!(
                "front {} decides {what} at {} us: two backends last confirmed it at {second:?}",
                by.0, at.since
            )),
        }
    }
}

#[cfg(test)]
mod test {
    use super::*;
    use tmr_core::log::Slot;

    const SECOND: u64 = 1_000_000;
    const BY: Process = (0, 1);

    fn confirmed(fence: &mut Fence, backend: usize, sent: u64, heard: u64) {
        let link = LinkId(backend as u64);
        let body = Order::Confirm { epoch: Default::default(), committed: Slot(0), serves: true };
        fence.ordered(BY, link, Decided::at(sent), &Message { correlation: 7, body });
        fence.heard(BY, link, backend, heard, &Message { correlation: 7, body: Report::Confirmed });
    }

    #[test]
    fn two_have_confirmed_it_at_most_two_seconds_ago() {
        let mut fence = Fence::default();
        let decided = |fence: &Fence, at| fence.decided(BY, Decided::at(at), "a call");
        assert!(decided(&fence, SECOND).is_err());
        confirmed(&mut fence, 2, SECOND, SECOND + 10);
        assert!(decided(&fence, SECOND + 20).is_err(), "one has");
        confirmed(&mut fence, 3, SECOND, 3 * SECOND);
        assert!(decided(&fence, SECOND + 20).is_err(), "it did not know");
        assert_eq!(decided(&fence, 3 * SECOND), Ok(()));
        assert!(decided(&fence, 3 * SECOND + SECOND / 10).is_err(), "asked too long ago");
        fence.ordered(
            BY,
            LinkId(3),
            Decided::at(3 * SECOND),
            &Message { correlation: 8, body: Order::Describe },
        );
        let body = Report::Confirmed;
        fence.heard(BY, LinkId(3), 3, 3 * SECOND, &Message { correlation: 8, body });
        assert!(decided(&fence, 4 * SECOND).is_err(), "a question that confirms nothing");
        let other = fence.decided((1, 1), Decided::at(3 * SECOND), "a call");
        assert!(other.is_err(), "another front");
    }

    #[test]
    fn a_pause_that_the_monotonic_clock_has_not_seen_adds_less_than_a_second() {
        let mut fence = Fence::default();
        confirmed(&mut fence, 2, SECOND, SECOND + 10);
        confirmed(&mut fence, 3, SECOND, SECOND + 10);
        let tenth = SECOND / 10;
        let decided = |fence: &Fence, at| fence.decided(BY, Decided::at(at), "a call").is_ok();
        assert!(!decided(&fence, 3 * SECOND + tenth));
        fence.paused(BY.0, 2 * SECOND, 2 * tenth);
        assert!(decided(&fence, 3 * SECOND + tenth));
        assert!(!decided(&fence, 3 * SECOND + 3 * tenth));
        fence.paused(BY.0, 2 * SECOND + tenth, 9 * SECOND);
        assert!(decided(&fence, 4 * SECOND - tenth));
        assert!(!decided(&fence, 4 * SECOND + tenth));
        fence.paused(BY.0, SECOND, 9 * SECOND);
        assert!(!decided(&fence, 4 * SECOND + tenth), "before it was asked");
    }

    #[test]
    fn a_front_that_was_stopped_decides_when_two_have_confirmed_what_it_has_asked_since() {
        let mut fence = Fence::default();
        confirmed(&mut fence, 2, SECOND, SECOND + 10);
        confirmed(&mut fence, 3, SECOND, SECOND + 10);
        let woken = SECOND + SEEN;
        fence.stops(BY, woken, SEEN);
        assert!(fence.ready(BY, woken).is_err());
        confirmed(&mut fence, 2, woken, woken + 10);
        assert!(fence.ready(BY, woken + 20).is_err(), "one has");
        confirmed(&mut fence, 3, woken, woken + 10);
        assert_eq!(fence.ready(BY, woken + 20), Ok(()));
        fence.stops(BY, 9 * SECOND, SEEN / 2);
        assert_eq!(fence.ready(BY, woken + 30), Ok(()), "too short to be noticed");
    }

    #[test]
    fn a_grant_that_nobody_could_be_sent_was_decided_at_any_time_since() {
        let mut fence = Fence::default();
        let append = |correlation| {
            let epoch = Default::default();
            let body = Order::Append { epoch, first: Slot(1), entries: vec![], committed: Slot(0) };
            Message { correlation, body }
        };
        let at = |fence: &Fence, at| fence.proposed(BY, Decided::at(at)).since;
        for link in [2, 3] {
            fence.ordered(BY, LinkId(link), Decided::at(SECOND), &append(1));
        }
        fence.lost(BY, LinkId(2), 2 * SECOND);
        assert_eq!(at(&fence, 5 * SECOND), 5 * SECOND, "one is there");
        fence.lost(BY, LinkId(3), 3 * SECOND);
        assert_eq!(at(&fence, 5 * SECOND), 3 * SECOND);
        fence.ordered(BY, LinkId(4), Decided::at(5 * SECOND), &append(1));
        assert_eq!(at(&fence, 6 * SECOND), 6 * SECOND, "it was sent all that there was");
    }

    #[test]
    fn what_lay_in_an_outbox_before_it_was_confirmed_may_be_another_word() {
        let mut fence = Fence::default();
        confirmed(&mut fence, 2, SECOND, SECOND + 10);
        confirmed(&mut fence, 3, SECOND, SECOND + 30);
        let said = |since, until| fence.decided(BY, Decided { since, until }, "a call");
        assert_eq!(said(SECOND + 20, SECOND + 30), Ok(()), "it was confirmed before it sent it");
        assert!(said(SECOND + 20, SECOND + 29).is_err());
        assert!(said(4 * SECOND, 5 * SECOND).is_err(), "long ago, whenever it was");
    }
}
