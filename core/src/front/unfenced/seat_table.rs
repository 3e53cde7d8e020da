//! Which seat of the log has which handle at one stock server, and when each is to be seen to; and
//! what of this is new, for the twin.

use crate::base::time::Mono;
use crate::log::{Handle, LicenceKey};
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

/// How a seat stands at the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum At {
    /// It is asked for there.
    Asked,
    /// It has this handle there; it is to be used at this time, so that it stays.
    Held(u32, Mono),
    /// It has none, and is to be asked for at this time.
    Lacking(Mono),
}

/// The seats of one server.
#[derive(Clone, Debug, Default)]
pub(super) struct SeatTable {
    seats: BTreeMap<Handle, (LicenceKey, At)>,
    due: BTreeSet<(Mono, Handle)>,
    numbers: BTreeMap<u32, Handle>,
    /// Handles there that are being given back, and the seats that they stood for.
    leaving: BTreeMap<u32, (Handle, LicenceKey)>,
    /// Handles there of which something has changed since this was last asked for.
    news: BTreeMap<u32, (Handle, LicenceKey)>,
}

/// The seat of a handle there that stands for none any more.
pub(super) const NOBODY: Handle = Handle(0);

impl SeatTable {
    pub(super) fn at(&self, handle: Handle) -> Option<At> {
        self.seats.get(&handle).map(|(_, at)| *at)
    }

    /// Those that have a handle there.
    pub(super) fn held(&self) -> BTreeSet<Handle> {
        self.numbers.values().copied().collect()
    }

    /// All seats.
    pub(super) fn handles(&self) -> impl Iterator<Item = Handle> {
        self.seats.keys().copied()
    }

    /// Forgets a seat; says the handle that it had there.
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
                self.news.insert(number, (NOBODY, licence));
                Some((licence, number))
            }
        }
    }

    /// A seat of a licence stands so from now on. A number that another seat seemed to have is this one's: the
    /// server gave it anew, so that one has none.
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
                self.news.insert(number, (handle, licence));
                self.due.insert((time, handle));
            }
        }
        self.seats.insert(handle, (licence, at));
    }

    /// The same for a seat that is here; nothing for one that is not.
    pub(super) fn set(&mut self, now: Mono, handle: Handle, at: At) {
        if let Some(&(licence, _)) = self.seats.get(&handle) {
            self.put(now, handle, licence, at);
        }
    }

    /// A handle there goes back to the server.
    pub(super) fn leave(&mut self, number: u32, handle: Handle, licence: LicenceKey) {
        self.leaving.insert(number, (handle, licence));
        self.news.insert(number, (handle, licence));
    }

    /// It is back, or nobody will bring it any more.
    pub(super) fn left(&mut self, number: u32) {
        if let Some((_, licence)) = self.leaving.remove(&number) {
            self.news.insert(number, (NOBODY, licence));
        }
    }

    /// None of those that are to go back will.
    pub(super) fn stay(&mut self) {
        while let Some((&number, _)) = self.leaving.first_key_value() {
            self.left(number);
        }
    }

    /// All handles there, and which seats they stand for.
    pub(super) fn placed(&self) -> impl Iterator<Item = (u32, Handle, LicenceKey)> {
        let held = self.numbers.iter().filter_map(|(number, handle)| {
            self.seats.get(handle).map(|(licence, _)| (*number, *handle, *licence))
        });
        let leaving = self.leaving.iter();
        held.chain(leaving.map(|(number, (handle, licence))| (*number, *handle, *licence)))
    }

    /// Those of which something has changed since this was last asked for.
    pub(super) fn news(&mut self) -> impl Iterator<Item = (u32, Handle, LicenceKey)> {
        let news = core::mem::take(&mut self.news).into_iter();
        news.map(|(number, (handle, licence))| (number, handle, licence))
    }

    /// The server has given this number for something else: no seat has it any more.
    pub(super) fn taken_over(&mut self, now: Mono, number: u32) {
        self.left(number);
        if let Some(&other) = self.numbers.get(&number) {
            self.set(now, other, At::Lacking(now));
        }
    }

    /// When the first seat is to be seen to, and which.
    pub(super) fn first(&self) -> Option<(Mono, Handle)> {
        self.due.first().copied()
    }

    /// Everything is to be seen to at once: the server was away.
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

    /// None of them has anything: another server stands in the place of the one that knew them.
    pub(super) fn lack(&mut self, now: Mono) {
        for handle in self.handles().collect::<Vec<_>>() {
            self.set(now, handle, At::Lacking(now));
        }
    }

    /// What must hold between any two steps.
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

    #[test]
    fn a_number_belongs_to_the_seat_that_was_given_it_last() {
        let mut book = SeatTable::default();
        let licence = crate::testing::LICENCE;
        book.put(Mono(1), Handle(1), licence, At::Held(7, Mono(9)));
        book.put(Mono(2), Handle(2), licence, At::Held(7, Mono(8)));
        book.check_invariants();
        assert_eq!(book.at(Handle(1)), Some(At::Lacking(Mono(2))));
        assert_eq!(book.held(), [Handle(2)].into());
        assert_eq!(book.first(), Some((Mono(2), Handle(1))));
        assert_eq!(book.remove(Handle(2)), Some((licence, 7)));
        assert_eq!(book.remove(Handle(1)), None);
        book.check_invariants();
        assert_eq!(book.first(), None);
    }

    #[test]
    fn what_is_new_is_told_once_and_all_of_it_when_that_is_asked_for() {
        let mut book = SeatTable::default();
        let licence = crate::testing::LICENCE;
        let held = |time| At::Held(7, Mono(time));
        book.put(Mono(1), Handle(1), licence, At::Asked);
        assert_eq!(book.news().count(), 0);
        book.set(Mono(1), Handle(1), held(9));
        assert_eq!(book.news().collect::<Vec<_>>(), [(7, Handle(1), licence)]);
        // That it is seen to later is no news.
        book.set(Mono(2), Handle(1), held(12));
        assert_eq!((book.news().count(), book.first()), (0, Some((Mono(12), Handle(1)))));
        book.check_invariants();
        // Until it is back, it is there.
        assert_eq!(book.remove(Handle(1)), Some((licence, 7)));
        book.leave(7, Handle(1), licence);
        assert_eq!(book.placed().collect::<Vec<_>>(), [(7, Handle(1), licence)]);
        book.left(7);
        assert_eq!(book.news().collect::<Vec<_>>(), [(7, NOBODY, licence)]);
        assert_eq!(book.placed().count(), 0);
        // Nobody gives back what the server has given anew.
        book.leave(8, Handle(2), licence);
        book.put(Mono(3), Handle(3), licence, At::Held(8, Mono(9)));
        book.leave(9, Handle(4), licence);
        book.stay();
        assert_eq!(book.placed().collect::<Vec<_>>(), [(8, Handle(3), licence)]);
        let news = [(8, Handle(3), licence), (9, NOBODY, licence)];
        assert_eq!(book.news().collect::<Vec<_>>(), news);
    }
}
