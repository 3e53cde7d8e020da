//! The replicated log: a front's copy of the log, and the two states that follow from it.
//!
//! `committed_state` applies the committed entries and outlives every change of role: a front that
//! claims again reads only later entries. `speculative_state` applies everything proposed, in log
//! order: an outcome there is the outcome everywhere if the entry is committed at all.

use crate::base::limits::{HISTORY_WAITING, LOG_KEPT};
use crate::base::time::Wall;
use crate::front::usage::committed_events::{CommittedEvent, Happened};
use crate::history::Mark;
use crate::log::{AcceptedEntry, Digest, DiskId, Entry, GroupId, Outcome, Setting, Slot, State};
use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;

/// A front's copy of the log.
#[derive(Clone, Debug, Default)]
pub(in crate::front) struct ReplicatedLog {
    group: Option<GroupId>,
    /// `log` holds the entries that follow this slot.
    base: Slot,
    log: VecDeque<Entry>,
    committed: Slot,
    committed_state: State,
    speculative_state: State,
    /// Changes of members that are proposed and not committed, in the order of their slots.
    changes: VecDeque<(Slot, [DiskId; 3])>,
    /// The digest of the entries up to the committed slot; `None`: not known.
    digest: Option<Digest>,
    /// Committed events that the usage history has not recorded yet.
    events: VecDeque<CommittedEvent>,
    /// The date of the group.
    now: Wall,
}

impl ReplicatedLog {
    /// Sets the date of the group, at the beginning of a step.
    pub(in crate::front) fn at(&mut self, now: Wall) {
        self.now = now;
    }

    /// Returns the mark of the usage history once every event is recorded; `None` without a group.
    pub(in crate::front) fn mark(&self) -> Option<Mark> {
        Some(Mark::of_entry(self.group?, self.committed_state.leader(), self.committed))
    }

    /// Returns the date of the group, as of this step.
    pub(in crate::front) fn now(&self) -> Wall {
        self.now
    }

    /// Returns the oldest event that the usage history has not recorded.
    pub(in crate::front) fn oldest_event(&self) -> Option<&CommittedEvent> {
        self.events.front()
    }

    /// Removes the oldest event, which is recorded now.
    pub(in crate::front) fn pop_event(&mut self) -> Option<CommittedEvent> {
        self.events.pop_front()
    }

    /// Keeps an event for the usage history. Above [`HISTORY_WAITING`] events the oldest one is
    /// dropped and its successor becomes unknown.
    fn note(&mut self, what: Happened) {
        let Some(mark) = self.mark() else { return };
        if self.events.len() >= HISTORY_WAITING {
            self.events.pop_front();
            if let Some(oldest) = self.events.front_mut() {
                oldest.what = Happened::Unknown;
            }
        }
        self.events.push_back(CommittedEvent::new(mark, self.now, what, &self.committed_state));
    }

    /// Returns the group whose log this is.
    pub(in crate::front) fn group(&self) -> Option<GroupId> {
        self.group
    }

    /// Returns the last committed slot.
    pub(in crate::front) fn committed(&self) -> Slot {
        self.committed
    }

    /// Returns the last proposed slot.
    pub(in crate::front) fn last(&self) -> Slot {
        Slot(self.base.0 + self.log.len() as u64)
    }

    /// Returns the number of entries that are proposed and not committed.
    pub(in crate::front) fn uncommitted(&self) -> u64 {
        self.last().0 - self.committed.0
    }

    /// Returns the first slot whose entry can still be sent.
    pub(in crate::front) fn first(&self) -> Slot {
        self.base.next()
    }

    /// Returns the state after the committed entries.
    pub(in crate::front) fn committed_state(&self) -> &State {
        &self.committed_state
    }

    /// Returns the state after all proposed entries.
    pub(in crate::front) fn speculative_state(&self) -> &State {
        &self.speculative_state
    }

    /// Returns the digest of the committed entries, if it is known.
    pub(in crate::front) fn digest(&self) -> Option<Digest> {
        self.digest
    }

    /// Takes a backend's digest of its copy, if this front has none and its entries reach back far
    /// enough to continue it.
    pub(in crate::front) fn learn_digest(&mut self, theirs: Option<Digest>) {
        let Some(theirs) = theirs.filter(|digest| {
            self.digest.is_none() && self.base <= digest.slot && digest.slot <= self.committed
        }) else {
            return;
        };
        let skip = usize::try_from(theirs.slot.0 - self.base.0).unwrap_or(usize::MAX);
        let count = usize::try_from(self.committed.0 - theirs.slot.0).unwrap_or(usize::MAX);
        let entries = self.log.iter().skip(skip).take(count);
        self.digest = Some(entries.fold(theirs, Digest::with));
    }

    /// Begins a chain of digests here, if no backend has one.
    pub(in crate::front) fn begin_digest(&mut self) {
        let slot = self.committed;
        self.digest.get_or_insert(Digest { base: slot, slot, crc: 0 });
    }

    /// Returns every set of members that may count, oldest first: the committed one, and the
    /// proposed changes after it. A claim, and a commit, needs two members of each set
    /// (*Consistency* 7). There are none before the first `Members` entry is proposed.
    pub(in crate::front) fn member_sets(&self) -> impl Iterator<Item = &[DiskId; 3]> {
        self.committed_state.members().into_iter().chain(self.changes.iter().map(|(_, set)| set))
    }

    /// Resets to an empty log: of another group, or of one that is just born.
    pub(in crate::front) fn reset(&mut self, group: GroupId) {
        self.forget();
        self.group = Some(group);
        self.digest = Some(Digest::default());
    }

    /// Forgets the log, but keeps the events that the usage history has not recorded.
    pub(in crate::front) fn forget(&mut self) {
        let events = core::mem::take(&mut self.events);
        *self = Self { events, now: self.now, ..Self::default() };
    }

    /// Loads a state that was read from a backend.
    pub(in crate::front) fn load(&mut self, group: GroupId, slot: Slot, state: State) {
        self.reset(group);
        self.base = slot;
        self.committed = slot;
        self.speculative_state = state.clone();
        self.committed_state = state;
        if slot > Slot(0) {
            self.digest = None;
        }
        if slot > Slot(0) {
            self.note(Happened::Unknown);
        }
    }

    /// Replaces all unrecorded events by those of `entries`, which follow slot `after` and are
    /// applied to `state`.
    pub(in crate::front) fn backfill(&mut self, after: Slot, entries: &[Entry], mut state: State) {
        let Some(group) = self.group else { return };
        self.events.clear();
        for (number, entry) in (1..).zip(entries) {
            if let Some(what) = Happened::by(entry, &mut state) {
                let mark = Mark::of_entry(group, state.leader(), Slot(after.0 + number));
                self.events.push_back(CommittedEvent::new(mark, self.now, what, &state));
            }
        }
    }

    /// Drops entries that are proposed and not committed, because this front does not lead any
    /// more.
    pub(in crate::front) fn drop_uncommitted(&mut self) {
        let keep = usize::try_from(self.committed.0 - self.base.0).unwrap_or(usize::MAX);
        self.log.truncate(keep);
        self.changes.clear();
        self.speculative_state = self.committed_state.clone();
    }

    /// Appends the entries that a claim has read to the committed ones: for each slot the one of
    /// the highest epoch, up to the first entry that is older than the leader before it. That entry
    /// was never chosen and must not be proposed late: a seat that it would end may have been used
    /// since. Returns `None` if a slot is missing.
    pub(in crate::front) fn adopt(
        &mut self,
        read: BTreeMap<Slot, AcceptedEntry>,
        chosen: Slot,
    ) -> Option<()> {
        self.drop_uncommitted();
        for (slot, stored) in read {
            if slot <= self.committed {
                continue;
            }
            if stored.epoch < self.speculative_state.leader() {
                break;
            }
            if slot != self.last().next() {
                return None;
            }
            self.propose(stored.entry);
        }
        self.commit(chosen.min(self.last()));
        Some(())
    }

    /// Puts an entry into the next slot, and returns the slot and the speculative outcome.
    pub(in crate::front) fn propose(&mut self, entry: Entry) -> (Slot, Outcome) {
        let outcome = self.speculative_state.apply(&entry);
        if let Entry::Configure(Setting::Members(set)) = &entry {
            self.changes.push_back((self.last().next(), *set));
        }
        self.log.push_back(entry);
        (self.last(), outcome)
    }

    /// Commits every slot up to `upto`.
    pub(in crate::front) fn commit(&mut self, upto: Slot) {
        while self.committed < upto {
            self.committed = self.committed.next();
            let index = usize::try_from(self.committed.0 - self.base.0 - 1).unwrap_or(usize::MAX);
            self.digest = self.digest.map(|digest| digest.with(&self.log[index]));
            let happened = Happened::by(&self.log[index], &mut self.committed_state);
            if let Some(happened) = happened {
                self.note(happened);
            }
        }
        while self.changes.front().is_some_and(|(slot, _)| *slot <= self.committed) {
            self.changes.pop_front();
        }
        while self.log.len() > LOG_KEPT && self.base < self.committed {
            self.log.pop_front();
            self.base = self.base.next();
        }
    }

    /// Returns up to `most` entries from slot `from` on; `None` if the first of them is no longer
    /// kept.
    pub(in crate::front) fn entries(&self, from: Slot, most: usize) -> Option<Vec<Entry>> {
        let skip = usize::try_from(from.0.checked_sub(self.base.0 + 1)?).ok()?;
        Some(self.log.iter().skip(skip).take(most).cloned().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::{Handle, Setting};

    fn handles(last: u32) -> Entry {
        Entry::Configure(Setting::Handles(last))
    }

    #[test]
    fn what_is_not_committed_is_forgotten_with_the_lead() {
        let mut log = ReplicatedLog::default();
        log.load(GroupId(1), Slot(10), State::default());
        for last in 1..=4 {
            log.propose(handles(last));
        }
        log.commit(Slot(12));
        assert_eq!((log.last(), log.speculative_state().handles_reserved()), (Slot(14), 4));
        log.drop_uncommitted();
        assert_eq!((log.last(), log.committed()), (Slot(12), Slot(12)));
        assert_eq!(log.speculative_state().handles_reserved(), 2);
        assert_eq!(log.entries(Slot(11), 9), Some(alloc::vec![handles(1), handles(2)]));
    }

    #[test]
    fn committed_entries_are_kept_as_far_as_there_is_room_and_others_all() {
        let mut log = ReplicatedLog::default();
        let (kept, more) = (LOG_KEPT as u64, 5);
        for _ in 0..kept + more {
            log.propose(Entry::Expire(Handle(1)));
        }
        log.commit(Slot(2));
        assert_eq!(log.first(), Slot(3), "the others are on their way");
        log.commit(Slot(kept));
        assert_eq!(log.first(), Slot(more + 1));
        assert!(log.entries(Slot(more), 1).is_none());
        assert!(log.entries(Slot(more + 1), 1).is_some());
        assert_eq!(log.last(), Slot(kept + more));
    }
}
