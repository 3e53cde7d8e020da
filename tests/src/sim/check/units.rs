//! Units: each call that takes some takes a number of them that no other call takes. So units in
//! the log were requested, once; an answered call is in the log; and no more units are taken than
//! there are, nor refused while there are enough.

use super::slots::Slots;
use crate::sim::licences::UNITS;
use std::collections::BTreeSet;
use tmr_core::log::{Entry, LicenceKey};

/// After this number of calls, one call requests all units that are left, of which other calls may
/// have taken some.
const ALL: usize = 12;

/// The requested and the taken units.
#[derive(Debug, Default)]
pub struct Units {
    /// The number of slots that were looked at.
    slots: usize,
    asked: BTreeSet<u32>,
    refused: BTreeSet<u32>,
    done: BTreeSet<u32>,
    /// The one that has them.
    licence: Option<LicenceKey>,
    taken: BTreeSet<u32>,
}

impl Units {
    /// Returns a number of units that no earlier call has requested; `all`: at some time, all that
    /// are left.
    pub fn ask(&mut self, all: bool) -> u32 {
        let mut take = self.asked.last().map_or(1, |last| last + 1);
        let rest = UNITS.1 - self.taken.iter().sum::<u32>();
        if all && self.asked.len() == ALL && rest > take {
            take = rest;
        }
        self.asked.insert(take);
        take
    }

    /// Records a call that was acknowledged.
    pub fn done(&mut self, take: u32) {
        self.done.insert(take);
    }

    /// Checks a refusal because fewer units are left.
    ///
    /// # Errors
    /// There are, whatever became of the other calls.
    pub fn refused(&mut self, take: u32) -> Result<(), String> {
        self.refused.insert(take);
        let wanted = self.asked.difference(&self.refused).sum::<u32>() + take;
        if wanted > UNITS.1 {
            return Ok(());
        }
        Err(format!("{take} units are refused, while all calls together want {wanted}"))
    }

    /// Checks what was chosen since the last call.
    ///
    /// # Errors
    /// Units were taken that nobody asked for, or twice, or that there are not.
    pub fn chosen(&mut self, slots: &Slots) -> Result<(), String> {
        if slots.chosen() < self.slots {
            self.slots = 0;
        }
        let mut found = Ok(());
        for entry in slots.entries(self.slots) {
            self.slots += 1;
            let Entry::Units { take, licence, .. } = entry else { continue };
            self.licence = Some(*licence);
            if !self.asked.contains(take) {
                let what = format!("{take} units are taken, which nobody asked for");
                found = found.and(Err(what));
            }
            let all = self.taken.iter().sum::<u32>() + take;
            // A request beyond the rest takes nothing, and its client gets a refusal.
            if all <= UNITS.1 && !self.taken.insert(*take) {
                let what = format!("{take} units are taken twice by one call");
                found = found.and(Err(what));
            }
        }
        found?;
        let Some(licence) = self.licence else { return Ok(()) };
        let own: u32 = self.taken.iter().sum();
        match slots.units(&licence) {
            theirs if theirs == own => Ok(()),
            theirs => Err(format!("the nodes count {theirs} taken units, expected {own}")),
        }
    }

    /// Checks at the end that every acknowledged call is in the log.
    ///
    /// # Errors
    /// What a client was told is not in the log.
    pub fn kept(&self) -> Result<(), String> {
        match self.done.difference(&self.taken).next() {
            Some(take) => {
                Err(format!("a call was done that takes {take} units, which are not taken"))
            }
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod test {
    use super::super::slots::test::log;
    use super::*;
    use tmr_core::log::{ContainerId, LicenceKey};

    fn units(take: u32) -> Entry {
        let container = ContainerId::CmAct(305_419_896);
        let licence = LicenceKey { container, firm_code: 6_000_010, product_code: 203, tmr_id: 1 };
        Entry::Units { licence, take, issued: UNITS.1 }
    }

    #[test]
    fn units_are_taken_once_by_who_asked() {
        let mut asked = Units::default();
        assert_eq!((asked.ask(false), asked.ask(true)), (1, 2));
        let with = || Units { asked: asked.asked.clone(), ..Units::default() };
        assert_eq!(with().chosen(&log(&[units(1), units(2)])), Ok(()));
        assert!(with().chosen(&log(&[units(1), units(1)])).is_err());
        assert!(with().chosen(&log(&[units(3)])).is_err());
        assert!(with().refused(2).is_err(), "there are enough");
        let mut all = Units { asked: (1..200).collect(), ..Units::default() };
        assert_eq!(all.refused(199), Ok(()));
        all.done(1);
        assert!(all.kept().is_err());
        all.chosen(&log(&[units(1)])).unwrap();
        assert_eq!(all.kept(), Ok(()));
    }
}
