//! Which seat of the log has which handle at one stock server, when each is due to be used or
//! requested, and which of this is new for the twin.

use crate::base::time::Mono;
use crate::log::{Handle, LicenceKey};
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

/// The state of a seat at the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum At {
    /// It was requested there.
    Asked,
    /// It has this handle there, which is to be used at this time, so that it stays.
    Held(u32, Mono),
    /// It has no handle, and is to be requested at this time.
    Lacking(Mono),
}

/// A handle at the server, and its seat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ServerHandle {
    /// Its number there.
    pub(super) number: u32,
    /// The seat; [`NOBODY`] if there is none any more.
    pub(super) handle: Handle,
    pub(super) licence: LicenceKey,
}

/// The seats of one server.
#[derive(Clone, Debug, Default)]
pub(super) struct SeatTable {
    seats: BTreeMap<Handle, (LicenceKey, At)>,
    due: BTreeSet<(Mono, Handle)>,
    numbers: BTreeMap<u32, Handle>,
    /// Handles there that are being released, with their former seats.
    leaving: BTreeMap<u32, (Handle, LicenceKey)>,
    /// Handles there that have changed since the changes were last taken.
    changed: BTreeMap<u32, (Handle, LicenceKey)>,
}

/// The seat of a handle there that has no seat any more.
pub(super) const NOBODY: Handle = Handle(0);

impl SeatTable {
    pub(super) fn at(&self, handle: Handle) -> Option<At> {
        self.seats.get(&handle).map(|(_, at)| *at)
    }

    /// Returns the seats that have a handle there.
    pub(super) fn held(&self) -> BTreeSet<Handle> {
        self.numbers.values().copied().collect()
    }

    /// Returns all seats.
    pub(super) fn handles(&self) -> impl Iterator<Item = Handle> {
        self.seats.keys().copied()
    }

    /// Forgets a seat. Returns the handle that it had there.
    pub(super) fn remove(&mut self, handle: Handle) -> Option<(LicenceKey, u32)> {
        let (licence, at) = self.seats.remove(&handle)?;
        match at {
            At::Asked => None,
            At::Lacking(at) => {
                self.due.remove(&(at, handle));
                None
            }
            At::Held(number, at) => {
                self.due.remove(&(at, handle));
                self.numbers.remove(&number);
                self.changed.insert(number, (NOBODY, licence));
                Some((licence, number))
            }
        }
    }

    /// Sets the state of a seat of a licence. If another seat seemed to have the same number, the
    /// server gave it anew, and that seat has no handle any more.
    pub(super) fn put(&mut self, now: Mono, handle: Handle, licence: LicenceKey, at: At) {
        let before = self.at(handle);
        if let (Some(At::Held(had, due)), At::Held(number, time)) = (before, at) {
            if had == number {
                self.due.remove(&(due, handle));
                self.due.insert((time, handle));
                self.seats.insert(handle, (licence, at));
                return;
            }
        }
        self.remove(handle);
        match at {
            At::Asked => {}
            At::Lacking(time) => {
                self.due.insert((time, handle));
            }
            At::Held(number, time) => {
                self.taken_over(now, number);
                self.numbers.insert(number, handle);
                self.changed.insert(number, (handle, licence));
                self.due.insert((time, handle));
            }
        }
        self.seats.insert(handle, (licence, at));
    }

    /// Sets the state of a seat that is here; does nothing for any other one.
    pub(super) fn set(&mut self, now: Mono, handle: Handle, at: At) {
        if let Some(&(licence, _)) = self.seats.get(&handle) {
            self.put(now, handle, licence, at);
        }
    }

    /// Notes that a handle there is being released.
    pub(super) fn leave(&mut self, number: u32, handle: Handle, licence: LicenceKey) {
        self.leaving.insert(number, (handle, licence));
        self.changed.insert(number, (handle, licence));
    }

    /// Notes that a handle is released, or will not be.
    pub(super) fn left(&mut self, number: u32) {
        if let Some((_, licence)) = self.leaving.remove(&number) {
            self.changed.insert(number, (NOBODY, licence));
        }
    }

    /// Notes that none of the pending releases will be made.
    pub(super) fn stay(&mut self) {
        while let Some((&number, _)) = self.leaving.first_key_value() {
            self.left(number);
        }
    }

    /// Returns all handles there, and their seats.
    pub(super) fn handles_there(&self) -> impl Iterator<Item = ServerHandle> {
        let held = self.numbers.iter().filter_map(|(&number, &handle)| {
            let &(licence, _) = self.seats.get(&handle)?;
            Some(ServerHandle { number, handle, licence })
        });
        let leaving = self.leaving.iter().map(|(&number, &(handle, licence))| ServerHandle {
            number,
            handle,
            licence,
        });
        held.chain(leaving)
    }

    /// Takes the handles that have changed since this was last called.
    pub(super) fn changed_handles(&mut self) -> impl Iterator<Item = ServerHandle> {
        let changed = core::mem::take(&mut self.changed).into_iter();
        changed.map(|(number, (handle, licence))| ServerHandle { number, handle, licence })
    }

    /// Notes that the server has given this number to something else: no seat has it any more.
    pub(super) fn taken_over(&mut self, now: Mono, number: u32) {
        self.left(number);
        if let Some(&other) = self.numbers.get(&number) {
            self.set(now, other, At::Lacking(now));
        }
    }

    /// Returns the first seat that is due, and when.
    pub(super) fn first(&self) -> Option<(Mono, Handle)> {
        self.due.first().copied()
    }

    /// Makes every seat due at once, because the server was away.
    pub(super) fn doubt(&mut self, now: Mono) {
        let seats: Vec<(Handle, At)> = self.seats.iter().map(|(h, (_, at))| (*h, *at)).collect();
        for (handle, at) in seats {
            match at {
                At::Held(number, _) => self.set(now, handle, At::Held(number, now)),
                At::Asked => self.set(now, handle, At::Lacking(now)),
                At::Lacking(_) => {}
            }
        }
    }

    /// Marks every seat as lacking, because another server replaces the one that knew them.
    pub(super) fn lack(&mut self, now: Mono) {
        for handle in self.handles().collect::<Vec<_>>() {
            self.set(now, handle, At::Lacking(now));
        }
    }

    /// Checks the invariants that hold between any two steps.
    pub(super) fn check_invariants(&self) {
        let count =
            |which: fn(&At) -> bool| self.seats.values().filter(|(_, at)| which(at)).count();
        debug_assert_eq!(self.numbers.len(), count(|at| matches!(at, At::Held(..))));
        let asked = count(|at| *at == At::Asked);
        debug_assert_eq!(self.due.len() + asked, self.seats.len());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn there(number: u32, handle: Handle) -> ServerHandle {
        ServerHandle { number, handle, licence: crate::testing::LICENCE }
    }

    #[test]
    fn a_number_belongs_to_the_seat_that_was_given_it_last() {
        let mut table = SeatTable::default();
        let licence = crate::testing::LICENCE;
        table.put(Mono(1), Handle(1), licence, At::Held(7, Mono(9)));
        table.put(Mono(2), Handle(2), licence, At::Held(7, Mono(8)));
        table.check_invariants();
        assert_eq!(table.at(Handle(1)), Some(At::Lacking(Mono(2))));
        assert_eq!(table.held(), [Handle(2)].into());
        assert_eq!(table.first(), Some((Mono(2), Handle(1))));
        assert_eq!(table.remove(Handle(2)), Some((licence, 7)));
        assert_eq!(table.remove(Handle(1)), None);
        table.check_invariants();
        assert_eq!(table.first(), None);
    }

    #[test]
    fn what_is_new_is_told_once_and_all_of_it_when_that_is_asked_for() {
        let mut table = SeatTable::default();
        let licence = crate::testing::LICENCE;
        let held = |time| At::Held(7, Mono(time));
        table.put(Mono(1), Handle(1), licence, At::Asked);
        assert_eq!(table.changed_handles().count(), 0);
        table.set(Mono(1), Handle(1), held(9));
        assert_eq!(table.changed_handles().collect::<Vec<_>>(), [there(7, Handle(1))]);
        // A later time alone is no change.
        table.set(Mono(2), Handle(1), held(12));
        assert_eq!(
            (table.changed_handles().count(), table.first()),
            (0, Some((Mono(12), Handle(1))))
        );
        table.check_invariants();
        // Until it is released, it is there.
        assert_eq!(table.remove(Handle(1)), Some((licence, 7)));
        table.leave(7, Handle(1), licence);
        assert_eq!(table.handles_there().collect::<Vec<_>>(), [there(7, Handle(1))]);
        table.left(7);
        assert_eq!(table.changed_handles().collect::<Vec<_>>(), [there(7, NOBODY)]);
        assert_eq!(table.handles_there().count(), 0);
        // A number that the server has given anew is not released.
        table.leave(8, Handle(2), licence);
        table.put(Mono(3), Handle(3), licence, At::Held(8, Mono(9)));
        table.leave(9, Handle(4), licence);
        table.stay();
        assert_eq!(table.handles_there().collect::<Vec<_>>(), [there(8, Handle(3))]);
        let changed = [there(8, Handle(3)), there(9, NOBODY)];
        assert_eq!(table.changed_handles().collect::<Vec<_>>(), changed);
    }
}
