//! The answers that clients got, and the checks of them.
//!
//! A seat is in a client's hands from the grant that it received to the release that it sends. Both
//! are recorded at the client, the grant after it arrived, the release before it is sent, so each
//! recorded stay is within the real one.

use super::licences::{NARROW, quantity};
use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// An access that was acknowledged.
#[derive(Clone, Copy, Debug)]
struct Acknowledged {
    at: Instant,
    /// The group of clients.
    group: usize,
    /// The time from the request to the reply.
    took: Duration,
}

/// All answers to the clients of one cluster.
#[derive(Debug, Default)]
pub struct History {
    /// Handles that clients hold, with their licences.
    held: BTreeMap<u32, u32>,
    /// Seats that clients hold, by licence.
    seats: BTreeMap<u32, u32>,
    /// The most seats of the narrow licence that were held at a time.
    pub peak: u32,
    ever: BTreeSet<u32>,
    /// Releases without an answer: the handle may or may not exist.
    releasing: BTreeMap<u32, u32>,
    /// Accesses without an answer, by licence: each may have left a seat.
    asking: BTreeMap<u32, u32>,
    acknowledged: Vec<Acknowledged>,
    /// All answers, also refusals, by group of clients.
    answers: BTreeMap<usize, u64>,
    /// Connections that broke.
    pub breaks: u64,
    /// Refusals other than "no more licences", by number.
    pub troubles: BTreeMap<u32, u64>,
    /// Failed calls: without an answer in time, or with a lost answer. A call whose connection was
    /// closed before it began does not count, because it can be repeated.
    pub failed: u64,
    /// Broken promises.
    broken: Vec<String>,
}

impl History {
    /// Records an answer of any kind to a client of a group.
    pub fn answered(&mut self, group: usize) {
        *self.answers.entry(group).or_default() += 1;
    }

    /// Returns the number of answers to a group.
    #[must_use]
    pub fn answers(&self, group: usize) -> u64 {
        self.answers.get(&group).copied().unwrap_or_default()
    }

    /// Records an acknowledged access of a client of a group, with its duration.
    pub fn granted(&mut self, handle: u32, product: u32, group: usize, took: Duration) {
        self.acknowledged.push(Acknowledged { at: Instant::now(), group, took });
        if !self.ever.insert(handle) {
            self.broken.push(format!("handle {handle} was given a second time"));
        }
        self.held.insert(handle, product);
        let seats = self.seats.entry(product).or_default();
        *seats += 1;
        if *seats > quantity(product) {
            let seats = *seats;
            self.broken.push(format!("{seats} seats of {product} are in clients' hands"));
        }
        if product == NARROW.0 {
            self.peak = self.peak.max(*seats);
        }
    }

    /// Records an access without an answer.
    pub fn unanswered(&mut self, product: u32) {
        *self.asking.entry(product).or_default() += 1;
    }

    /// Records a release that a client sends.
    pub fn releases(&mut self, handle: u32) {
        if let Some(product) = self.held.remove(&handle) {
            *self.seats.entry(product).or_default() -= 1;
            self.releasing.insert(handle, product);
        }
    }

    /// Records the acknowledgement of a release.
    pub fn released(&mut self, handle: u32) {
        self.releasing.remove(&handle);
    }

    /// Records the status of a call with a held handle.
    pub fn used(&mut self, handle: u32, status: u32, what: &str) {
        const WRONG_HANDLE: u32 = 106;
        match status {
            0 => {}
            WRONG_HANDLE => self.broken.push(format!("{what} of held handle {handle} got 106")),
            other => *self.troubles.entry(other).or_default() += 1,
        }
    }

    /// Returns the handles that clients hold.
    #[must_use]
    pub fn held(&self) -> &BTreeMap<u32, u32> {
        &self.held
    }

    /// Returns the broken promises.
    #[must_use]
    pub fn broken(&self) -> &[String] {
        &self.broken
    }

    /// Returns the number of accesses that were acknowledged to a group since this time.
    #[must_use]
    pub fn granted_since(&self, since: Instant, group: usize) -> usize {
        self.acknowledged.iter().filter(|it| it.at >= since && it.group == group).count()
    }

    /// Returns the durations of accesses between these times, the shortest first.
    #[must_use]
    pub fn access_times(&self, from: Instant, to: Instant) -> Vec<Duration> {
        let within = |it: &&Acknowledged| it.at <= to && it.at >= from + it.took;
        let mut times: Vec<Duration> =
            self.acknowledged.iter().filter(within).map(|it| it.took).collect();
        times.sort_unstable();
        times
    }

    /// Returns the longest time without an acknowledged access that ends after this time.
    #[must_use]
    pub fn gap_since(&self, since: Instant) -> Duration {
        let pairs = self.acknowledged.windows(2).map(|pair| (pair[0].at, pair[1].at));
        let gaps = pairs.filter(|&(_, end)| end >= since).map(|(start, end)| end - start);
        gaps.max().unwrap_or_default()
    }

    /// Compares with what the front that leads says it has: handle and licence. Returns the handles
    /// that no client knows of and that may be there, since an answer was lost on the way; they are
    /// forgotten here.
    ///
    /// # Errors
    /// A held one is missing, or there is one that nobody can have asked for.
    pub fn compare(&mut self, there: &BTreeMap<u32, u32>) -> Result<Vec<u32>, String> {
        let mut there = there.clone();
        for (handle, product) in &self.held {
            if there.remove(handle) != Some(*product) {
                return Err(format!("acknowledged seat {handle} of {product} is lost"));
            }
        }
        let mut left = Vec::new();
        for (handle, product) in there {
            let asked = self.asking.entry(product).or_default();
            if !self.releasing.contains_key(&handle) {
                if self.ever.contains(&handle) {
                    return Err(format!("handle {handle} of {product} is back after its release"));
                }
                *asked = asked
                    .checked_sub(1)
                    .ok_or_else(|| format!("nobody asked for handle {handle} of {product}"))?;
            }
            left.push(handle);
        }
        // The remaining accesses were begun, and so were releases whose handles are gone.
        let asked = left.iter().filter(|handle| !self.releasing.contains_key(handle)).count();
        let gone = self.releasing.keys().filter(|handle| !left.contains(handle)).count();
        self.failed += (asked + gone) as u64;
        Ok(left)
    }

    /// Calls in progress have ended.
    pub fn settled(&mut self) {
        self.asking.clear();
        self.releasing.clear();
    }
}

#[cfg(test)]
mod test {
    use super::*;

    fn of(handles: &[u32]) -> BTreeMap<u32, u32> {
        handles.iter().map(|&handle| (handle, NARROW.0)).collect()
    }

    fn holding(handles: &[u32]) -> History {
        let mut history = History::default();
        handles.iter().for_each(|&handle| history.granted(handle, NARROW.0, 0, Duration::ZERO));
        history
    }

    #[test]
    fn one_seat_too_many_is_seen_and_one_given_back_is_not() {
        let most: Vec<u32> = (1..=NARROW.1).collect();
        let mut history = holding(&most);
        history.releases(1);
        history.granted(100, NARROW.0, 0, Duration::ZERO);
        assert_eq!(history.broken(), &[] as &[String]);
        history.granted(101, NARROW.0, 1, Duration::ZERO);
        assert_eq!(history.broken().len(), 1, "{:?}", history.broken());
        assert_eq!(history.peak, NARROW.1 + 1);
    }

    #[test]
    fn an_access_that_began_before_does_not_count() {
        let mut history = History::default();
        let start = Instant::now();
        history.granted(1, NARROW.0, 0, Duration::from_secs(5));
        history.granted(2, NARROW.0, 0, Duration::ZERO);
        assert_eq!(history.access_times(start, Instant::now()), [Duration::ZERO]);
    }

    #[test]
    fn a_handle_that_comes_twice_or_is_not_known_any_more_is_seen() {
        let mut history = holding(&[1]);
        history.used(1, 0, "a use");
        assert!(history.broken().is_empty());
        history.used(1, 106, "a use");
        history.releases(1);
        history.released(1);
        history.granted(1, NARROW.0, 0, Duration::ZERO);
        assert_eq!(history.broken().len(), 2, "{:?}", history.broken());
    }

    #[test]
    fn what_the_front_has_is_what_was_acknowledged_and_what_was_on_the_way() {
        let mut history = holding(&[1, 2, 3]);
        assert_eq!(history.compare(&of(&[1, 2, 3])), Ok(vec![]));
        assert!(history.compare(&of(&[1, 2])).unwrap_err().contains("3 of 402 is lost"));
        assert!(history.compare(&of(&[1, 2, 3, 4])).unwrap_err().contains("nobody asked"));
        history.unanswered(NARROW.0);
        history.releases(3);
        assert_eq!(history.failed, 0);
        assert_eq!(history.compare(&of(&[1, 2])), Ok(vec![]));
        assert_eq!(history.failed, 1, "the release was begun");
        assert_eq!(history.compare(&of(&[1, 2, 3, 4])), Ok(vec![3, 4]));
        assert_eq!(history.failed, 2, "the access was begun, the release was not");
        history.settled();
        history.releases(2);
        history.released(2);
        assert!(history.compare(&of(&[1, 2])).unwrap_err().contains("back after its release"));
    }
}
