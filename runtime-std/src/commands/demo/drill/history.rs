//! The clients' answers in the drill, and the checks of them.
//!
//! A seat is in a client's hands from the arrival of its grant until its release is sent. Both lie
//! within the time for which it is really taken, so the count here is never above the server's.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// What clients saw in one step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    /// Acknowledged accesses.
    pub(super) taken: u32,
    /// Acknowledged releases.
    pub(super) given_back: u32,
    /// Answered uses of a held seat.
    pub(super) used: u32,
    /// Accesses that were refused because all seats were taken.
    pub(super) none_free: u32,
    /// Calls that ended in another error.
    pub(super) failed: u32,
    /// Accesses and releases without an answer, which may have been performed.
    pub(super) lost: u32,
    /// The most seats in clients' hands at one time.
    pub(super) most: u32,
    /// The longest time without an acknowledged access.
    pub(super) pause: Duration,
}

/// All answers that clients got, and what follows from them.
#[derive(Debug)]
pub(super) struct History {
    /// The seats of the licence.
    quantity: u32,
    /// Handles in clients' hands.
    held: BTreeSet<u32>,
    /// All handles that were ever granted.
    ever: BTreeSet<u32>,
    /// The number of accesses that may have left a seat.
    asking: u32,
    /// The handles whose release may not have been performed.
    releasing: BTreeSet<u32>,
    counts: Counts,
    /// The time of the last acknowledged access, or of the step's beginning.
    last: Instant,
    /// Errors with their counts, except that all seats are taken.
    errors: BTreeMap<String, u32>,
    broken: Vec<String>,
}

impl History {
    pub(super) fn new(quantity: u32) -> Self {
        Self {
            quantity,
            held: BTreeSet::new(),
            ever: BTreeSet::new(),
            asking: 0,
            releasing: BTreeSet::new(),
            counts: Counts::default(),
            last: Instant::now(),
            errors: BTreeMap::new(),
            broken: Vec::new(),
        }
    }

    /// Begins a step.
    pub(super) fn begin(&mut self, now: Instant) {
        self.counts = Counts { most: self.in_hands(), ..Counts::default() };
        self.last = now;
    }

    /// Returns the counts of the step until now.
    pub(super) fn so_far(&self) -> &Counts {
        &self.counts
    }

    /// Ends a step, and returns its counts.
    pub(super) fn end(&mut self, now: Instant) -> Counts {
        self.pause_until(now);
        self.counts
    }

    /// Records an acknowledged access.
    pub(super) fn granted(&mut self, now: Instant, handle: u32) {
        self.pause_until(now);
        self.counts.taken += 1;
        if !self.ever.insert(handle) {
            self.broken(format!("handle {handle} was granted a second time"));
        }
        self.held.insert(handle);
        let most = self.in_hands();
        self.counts.most = self.counts.most.max(most);
        if most > self.quantity {
            self.broken(format!("{most} seats were in clients' hands, of {}", self.quantity));
        }
    }

    /// Records an access that was refused because all seats are taken.
    pub(super) fn none_free(&mut self) {
        self.counts.none_free += 1;
    }

    /// Records an access with another error; `done`: it may have been performed all the same.
    pub(super) fn not_granted(&mut self, error: String, done: bool) {
        if done {
            self.counts.lost += 1;
        } else {
            self.counts.failed += 1;
        }
        // A front that refuses an access that it had begun frees the seat a moment later.
        self.asking += 1;
        self.error(error);
    }

    /// Records that a client sends a release.
    pub(super) fn releases(&mut self, handle: u32) {
        self.held.remove(&handle);
        self.releasing.insert(handle);
    }

    /// Records an acknowledged release.
    pub(super) fn released(&mut self, handle: u32) {
        self.counts.given_back += 1;
        self.releasing.remove(&handle);
    }

    /// Records a release with an error.
    pub(super) fn not_released(&mut self, error: String) {
        self.counts.lost += 1;
        self.error(error);
    }

    /// Records that a held seat was used.
    pub(super) fn used(&mut self) {
        self.counts.used += 1;
    }

    /// Records that a held seat could not be used.
    pub(super) fn not_used(&mut self, error: String) {
        self.counts.failed += 1;
        self.error(error);
    }

    /// Records that a server rejects a handle that a client holds.
    pub(super) fn unknown(&mut self, handle: u32) {
        self.broken(format!("acknowledged seat {handle} is lost: a front answered 106 to it"));
    }

    /// Compares the records with the handles of the front that leads, while no call is under way.
    /// Returns those that no client holds and that lost answers explain.
    pub(super) fn compare(&mut self, there: &BTreeSet<u32>) -> Vec<u32> {
        let lost: Vec<u32> = self.held.difference(there).copied().collect();
        for handle in lost {
            self.broken(format!("acknowledged seat {handle} is lost: no front has it"));
        }
        let more: Vec<u32> = there.difference(&self.held).copied().collect();
        let mut left = Vec::new();
        for handle in more {
            if self.releasing.contains(&handle) {
                left.push(handle);
            } else if self.ever.contains(&handle) {
                self.broken(format!("seat {handle} is taken again after it was given back"));
            } else if self.asking > 0 {
                self.asking -= 1;
                self.ever.insert(handle);
                left.push(handle);
            } else {
                self.broken(format!("seat {handle} is taken, and nobody asked for it"));
            }
        }
        self.asking = 0;
        self.releasing.clear();
        left
    }

    /// Records another violation.
    pub(super) fn broken(&mut self, what: String) {
        if !self.broken.contains(&what) {
            self.broken.push(what);
        }
    }

    /// Returns the handles in clients' hands.
    pub(super) fn held(&self) -> &BTreeSet<u32> {
        &self.held
    }

    /// Returns all violations.
    pub(super) fn all_broken(&self) -> &[String] {
        &self.broken
    }

    /// Returns the errors with their counts, except that all seats are taken.
    pub(super) fn errors(&self) -> &BTreeMap<String, u32> {
        &self.errors
    }

    fn error(&mut self, error: String) {
        *self.errors.entry(error).or_default() += 1;
    }

    fn pause_until(&mut self, now: Instant) {
        self.counts.pause = self.counts.pause.max(now.saturating_duration_since(self.last));
        self.last = now;
    }

    fn in_hands(&self) -> u32 {
        u32::try_from(self.held.len()).unwrap_or(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holding(handles: &[u32]) -> History {
        let mut history = History::new(2);
        handles.iter().for_each(|&handle| history.granted(Instant::now(), handle));
        history
    }

    fn set(handles: &[u32]) -> BTreeSet<u32> {
        handles.iter().copied().collect()
    }

    #[test]
    fn a_history_in_which_all_is_well() {
        let mut history = holding(&[1, 2]);
        history.none_free();
        history.releases(1);
        history.granted(Instant::now(), 3);
        history.released(1);
        assert_eq!(history.compare(&set(&[2, 3])), Vec::<u32>::new());
        assert_eq!(history.all_broken(), &[] as &[String]);
        let counts = history.end(Instant::now());
        assert_eq!((counts.taken, counts.given_back, counts.none_free), (3, 1, 1));
        assert_eq!((counts.most, counts.lost, counts.failed), (2, 0, 0));
    }

    #[test]
    fn one_seat_too_many_is_found() {
        let history = holding(&[1, 2, 3]);
        assert_eq!(history.all_broken(), ["3 seats were in clients' hands, of 2"]);
    }

    #[test]
    fn a_number_that_comes_twice_is_found() {
        let mut history = holding(&[1]);
        history.releases(1);
        history.released(1);
        history.granted(Instant::now(), 1);
        assert_eq!(history.all_broken(), ["handle 1 was granted a second time"]);
    }

    #[test]
    fn a_lost_seat_is_found() {
        let mut history = holding(&[1, 2]);
        assert_eq!(history.compare(&set(&[1])), Vec::<u32>::new());
        assert_eq!(history.all_broken(), ["acknowledged seat 2 is lost: no front has it"]);
        history.unknown(1);
        assert_eq!(history.all_broken().len(), 2);
    }

    #[test]
    fn a_seat_that_comes_back_is_found() {
        let mut history = holding(&[1]);
        history.releases(1);
        history.released(1);
        assert_eq!(history.compare(&set(&[1])), Vec::<u32>::new());
        assert_eq!(history.all_broken(), ["seat 1 is taken again after it was given back"]);
    }

    #[test]
    fn a_lost_answer_explains_one_seat_and_no_more() {
        let mut history = holding(&[1]);
        history.not_granted("lost".to_owned(), true);
        history.releases(1);
        history.not_released("lost".to_owned());
        assert_eq!(history.compare(&set(&[1, 7])), [1, 7]);
        assert_eq!(history.all_broken(), &[] as &[String]);
        assert_eq!(history.end(Instant::now()).lost, 2);
        // The first comparison has used up the explanation.
        assert_eq!(history.compare(&set(&[8])), Vec::<u32>::new());
        assert_eq!(history.all_broken(), ["seat 8 is taken, and nobody asked for it"]);
    }

    #[test]
    fn the_pause_is_the_longest_time_without_an_access() {
        let start = Instant::now();
        let after = |millis| start + Duration::from_millis(millis);
        let mut history = History::new(9);
        history.begin(start);
        history.granted(after(10), 1);
        history.granted(after(300), 2);
        assert_eq!(history.end(after(400)).pause, Duration::from_millis(290));
        history.begin(after(1000));
        history.granted(after(1010), 3);
        assert_eq!(history.end(after(1500)).pause, Duration::from_millis(490));
    }
}
