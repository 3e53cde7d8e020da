//! Changes of seats that the server has to make, in the order of the log.

use crate::log::{Grant, LicenceKey};
use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet, VecDeque};

/// Returns the licence of which a grant takes a seat, or begins a usage period.
pub(super) fn seat_of(grant: &Grant) -> Option<LicenceKey> {
    grant.held.licence().filter(|_| grant.waits_for_disk()).copied()
}

/// A change of seats at the server.
#[derive(Clone, Debug)]
pub(super) enum Change {
    Take(Box<Grant>),
    /// `again`: its connection broke once before.
    Give {
        licence: LicenceKey,
        number: u32,
        again: bool,
    },
}

/// A change with its number, by which an access never overtakes a release of its licence.
#[derive(Clone, Debug)]
pub(super) struct NumberedChange {
    pub(super) order: u64,
    pub(super) change: Change,
}

/// The changes that are still to be made.
#[derive(Clone, Debug, Default)]
pub(super) struct SeatChanges {
    queue: VecDeque<NumberedChange>,
    /// The number of the next change.
    next: u64,
    /// The numbers of releases without a reply.
    releases: BTreeMap<LicenceKey, BTreeSet<u64>>,
}

impl SeatChanges {
    /// Returns the number of changes without a call.
    pub(super) fn len(&self) -> usize {
        self.queue.len()
    }

    /// Adds the access for a seat.
    pub(super) fn take(&mut self, grant: Grant) {
        self.add(Change::Take(Box::new(grant)));
    }

    /// Adds the release of a handle there.
    pub(super) fn give(&mut self, licence: LicenceKey, number: u32) {
        self.releases.entry(licence).or_default().insert(self.next);
        self.add(Change::Give { licence, number, again: false });
    }

    fn add(&mut self, change: Change) {
        self.queue.push_back(NumberedChange { order: self.next, change });
        self.next += 1;
    }

    /// Adds a release again, before all others.
    pub(super) fn repeat(&mut self, order: u64, licence: LicenceKey, number: u32) {
        let change = Change::Give { licence, number, again: true };
        self.queue.push_front(NumberedChange { order, change });
    }

    /// Takes the next change; `None` if there is none, or if it has to wait for the release of a
    /// seat of its licence.
    pub(super) fn pop(&mut self) -> Option<NumberedChange> {
        let NumberedChange { order, change } = self.queue.front()?;
        if let Change::Take(grant) = change {
            let releases = seat_of(grant).and_then(|licence| self.releases.get(&licence));
            let first = releases.and_then(|orders| orders.first());
            if first.is_some_and(|first| first < order) {
                return None;
            }
        }
        self.queue.pop_front()
    }

    /// Whether a seat of this licence is being released.
    pub(super) fn is_releasing(&self, licence: &LicenceKey) -> bool {
        self.releases.contains_key(licence)
    }

    /// Notes that a release is over.
    pub(super) fn released(&mut self, order: u64, licence: LicenceKey) {
        if let Some(orders) = self.releases.get_mut(&licence) {
            orders.remove(&order);
            if orders.is_empty() {
                self.releases.remove(&licence);
            }
        }
    }

    /// Drops everything.
    pub(super) fn clear(&mut self) {
        self.queue.clear();
        self.releases.clear();
    }

    /// In tests: the number of licences of which seats are being released.
    #[cfg(test)]
    pub(super) fn releasing(&self) -> usize {
        self.releases.len()
    }
}
