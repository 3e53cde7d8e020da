//! The entries behind a state. A front that reads a state in place of the entries before it reads
//! those entries too, as far as two backends still have them and its usage history has not recorded
//! them. They are for the history only: no claim depends on them.

use super::Usage;
use super::committed_events::{CommittedEvent, Happened};
use crate::base::limits::HISTORY_WAITING;
use crate::front::replication::replicated_log::ReplicatedLog;
use crate::history::{History, Mark, Unknown};
use crate::log::{AcceptedEntry, Entry, Epoch, Grant, GroupId, Setting, Slot, State};
use alloc::collections::BTreeSet;
use alloc::vec::Vec;

/// Committed entries that a state was read in place of.
#[derive(Clone, Debug)]
pub(in crate::front) struct Backfill {
    /// The last slot that the history has recorded.
    after: Slot,
    entries: Vec<Entry>,
    /// The slot of the state.
    upto: Slot,
}

impl Backfill {
    /// Returns the next entry to be read; `None` when all are.
    pub(in crate::front) fn next(&self) -> Option<Slot> {
        let next = Slot(self.after.0 + self.entries.len() as u64 + 1);
        (next <= self.upto).then_some(next)
    }

    /// Adds entries that were read.
    pub(in crate::front) fn and(mut self, read: Vec<AcceptedEntry>) -> Self {
        let room = usize::try_from(self.upto.0 - self.after.0).unwrap_or(usize::MAX);
        self.entries.extend(read.into_iter().map(|stored| stored.entry));
        self.entries.truncate(room);
        self
    }

    /// Returns the state before these entries, as far as their effects depend on it: seats that are
    /// held after them and were not granted by them, and seats that they have ended.
    fn before(&self, behind: &State, history: &History) -> Result<State, Unknown> {
        let (mut granted, mut ended) = (BTreeSet::new(), BTreeSet::new());
        for entry in &self.entries {
            match entry {
                Entry::Grant(grant) => _ = granted.insert(grant.handle),
                Entry::Release(handle) | Entry::Expire(handle) => _ = ended.insert(*handle),
                Entry::Units { .. } | Entry::Configure(_) => {}
            }
        }
        let mut state = State::default();
        if let (Some(members), Some(covered)) = (behind.members(), history.covered()) {
            for setting in [Setting::Members(*members), Setting::Leader(covered.epoch())] {
                state.apply(&Entry::Configure(setting));
            }
        }
        for seat in behind.seats().filter(|seat| !granted.contains(&seat.handle)) {
            // The seat was granted, whatever the licence's quantity is now.
            state.apply(&Entry::Grant(Grant { quantity: u32::MAX, ..seat.clone() }));
            if behind.lingers(seat.handle) && !ended.contains(&seat.handle) {
                state.apply(&Entry::Release(seat.handle));
            }
        }
        for handle in ended.difference(&granted).filter(|handle| behind.seat(**handle).is_none()) {
            for entry in history.held(*handle, |serial| behind.container_of(serial))? {
                state.apply(&entry);
            }
        }
        Ok(state)
    }
}

impl Usage {
    /// Has the history record entries that were all read, in place of the gap that `log` has where
    /// its state was read.
    pub(in crate::front) fn fill_in(&self, backfill: &Backfill, log: &mut ReplicatedLog) {
        if let Ok(before) = backfill.before(log.committed_state(), &self.history) {
            log.backfill(backfill.after, &backfill.entries, before);
        }
    }

    /// Returns whether the entries before this copy of the log are unknown here.
    pub(in crate::front) fn has_gap(&self, log: &ReplicatedLog) -> bool {
        let covered = self.history.covered();
        let unknown = |event: &CommittedEvent| event.what == Happened::Unknown;
        log.oldest_event().is_some_and(|it| unknown(it) && it.mark.follows(covered.as_ref()))
    }

    /// Returns the entries that the usage history lacks of a log that is read as the state at
    /// `slot`, and whose entries up to `base` are not kept; `None` if none are lacking, or none
    /// could be read. These few pieces are all that the history ever costs a claim, and only a
    /// claim that has to read a state.
    pub(in crate::front) fn backfill(
        &self,
        group: GroupId,
        base: Slot,
        slot: Slot,
    ) -> Option<Backfill> {
        let place = Mark::of_entry(group, Epoch::default(), slot);
        let covered = self.history.covered().filter(|mark| mark.is_beside(&place))?;
        let after = covered.slot();
        let few = base <= after && after < slot && slot.0 - after.0 <= HISTORY_WAITING as u64;
        few.then(|| Backfill { after, entries: Vec::new(), upto: slot })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::{Kind, Record};
    use crate::log::Handle;
    use crate::testing::{LICENCE, grant};

    const GROUP: GroupId = GroupId(9);
    const EPOCH: Epoch = Epoch { round: 3, front: 1 };
    const SERIAL: u32 = 59_885_682;

    fn record(slot: u64, kind: Kind, grant: &Grant) -> Record {
        let id = Mark::of_entry(GROUP, EPOCH, Slot(slot));
        Record { id, serial: SERIAL, ..Record::of_grant(kind, grant) }
    }

    /// Returns a history in which seats 1 and 2 are taken, up to slot 3, which is recorded as
    /// `third`.
    fn history(third: &Record) -> History {
        let mut history = History::default();
        let seats = [grant(1, 0), grant(2, 30)];
        history.add(&record(1, Kind::Access, &seats[0]));
        history.add(&record(2, Kind::Access, &seats[1]));
        history.add(third);
        history
    }

    /// Returns the events of a log that has read a state in which these seats are held, after the
    /// entries before it were filled in.
    fn told(history: &History, entries: &[Entry], held: &[Grant]) -> Vec<Happened> {
        let (mut behind, mut log) = (State::default(), ReplicatedLog::default());
        let container = LICENCE.container;
        let setting = Setting::Virtual { container, serial: SERIAL };
        for entry in [Entry::Configure(setting), Entry::Configure(Setting::Leader(EPOCH))] {
            behind.apply(&entry);
        }
        for grant in held {
            behind.apply(&Entry::Grant(grant.clone()));
        }
        let upto = Slot(3 + entries.len() as u64);
        log.load(GROUP, upto, behind);
        let backfill = Backfill { after: Slot(3), entries: Vec::new(), upto };
        let stored = entries.iter().map(|it| AcceptedEntry { epoch: EPOCH, entry: it.clone() });
        let backfill = backfill.and(stored.collect());
        assert_eq!(backfill.next(), None);
        let usage = Usage { history: history.clone(), ..Usage::default() };
        usage.fill_in(&backfill, &mut log);
        core::iter::from_fn(|| log.pop_event()).map(|event| event.what).collect()
    }

    #[test]
    fn what_led_to_a_state_is_told_in_the_place_of_a_gap() {
        let none = Record { id: Mark::of_entry(GROUP, EPOCH, Slot(3)), ..Record::default() };
        let (one, two, three) = (grant(1, 0), grant(2, 30), grant(3, 0));
        // Handle 8 holds no licence.
        let entries = [
            Entry::Release(Handle(8)),
            Entry::Release(Handle(2)),
            Entry::Grant(grant(4, 0)),
            Entry::Release(Handle(1)),
            Entry::Grant(three.clone()),
        ];
        let told = told(&history(&none), &entries, &[two.clone(), three.clone()]);
        let [Happened::Released(first), Happened::Released(second), Happened::Granted(last)] =
            &told[..]
        else {
            panic!("two are taken, so the grant of handle 4 was void: {told:?}")
        };
        assert_eq!((first.handle, second.handle), (two.handle, one.handle));
        assert_eq!(last, &three);
    }

    #[test]
    fn behind_a_gap_only_what_is_held_still_is_known() {
        let gap = Record {
            id: Mark::of_entry(GROUP, EPOCH, Slot(3)),
            kind: Kind::Gap,
            ..Record::default()
        };
        let history = history(&gap);
        let three = grant(3, 0);
        // Seats 1 and 2 ended in the gap, so they do not block this one.
        let entries = [Entry::Grant(three.clone()), Entry::Configure(Setting::Handles(9))];
        let here = told(&history, &entries, core::slice::from_ref(&three));
        assert_eq!(here, [Happened::Granted(three.clone())]);
        // It is unknown whether this one held a licence.
        let entries = [Entry::Grant(three.clone()), Entry::Release(Handle(8))];
        assert_eq!(told(&history, &entries, &[three]), [Happened::Unknown]);
    }

    #[test]
    fn whether_a_seat_lingered_that_ends_behind_a_gap_nobody_knows() {
        let kind =
            |kind| Record { id: Mark::of_entry(GROUP, EPOCH, Slot(3)), kind, ..Record::default() };
        let seat = Grant { linger_seconds: 2, ..grant(5, 0) };
        let silent = grant(6, 0);
        let ends = |last: Record, handle| {
            let mut history = History::default();
            history.add(&record(1, Kind::Access, &seat));
            history.add(&record(2, Kind::Access, &silent));
            history.add(&last);
            told(&history, &[Entry::Expire(Handle(handle))], &[])
        };
        // It may have been released in the gap, so that its end is recorded already.
        assert_eq!(ends(kind(Kind::Gap), 5), [Happened::Unknown]);
        assert!(matches!(&ends(kind(Kind::Gap), 6)[..], [Happened::Expired(_)]));
        assert!(matches!(&ends(kind(Kind::Leads), 5)[..], [Happened::Expired(_)]));
        let released = record(3, Kind::Release, &seat);
        assert!(matches!(&ends(released, 5)[..], [Happened::Lingered(_)]));
    }
}
