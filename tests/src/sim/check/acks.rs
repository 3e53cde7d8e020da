//! The basis of an acknowledgement: when a client got it, a grant was on two disks whose parts of
//! the licence match, a release on two disks; and at the end of the run both are in the log of
//! later epochs.

use super::slots::Slots;
use std::collections::{BTreeMap, BTreeSet};
use tmr_core::link::LinkId;
use tmr_core::log::{DiskId, Entry, Epoch, Handle, Slot};

/// The disks that have the entries of a handle.
#[derive(Debug, Default)]
struct Backing {
    /// The disks with its grant and a matching part.
    granted: BTreeSet<DiskId>,
    /// The disks with its release.
    released: BTreeSet<DiskId>,
}

/// Everything that was reported to be on disk, and the answers to clients.
#[derive(Debug, Default)]
pub struct Acks {
    backing: BTreeMap<Handle, Backing>,
    /// The last slot of each epoch's log that each disk reported.
    upto: BTreeMap<(Epoch, DiskId), u64>,
    /// Acknowledged grants with a seat.
    granted: BTreeSet<Handle>,
    /// Acknowledged releases.
    released: BTreeSet<Handle>,
}

impl Acks {
    /// Records a backend's report of what it has on disk.
    pub fn stored(&mut self, slots: &Slots, by: (usize, LinkId), last: Slot, differing: &[Slot]) {
        let Some((epoch, disk)) = slots.speaker(by) else { return };
        let upto = self.upto.entry((epoch, disk)).or_default();
        for (slot, entry) in slots.proposed(epoch, *upto + 1, last.0) {
            match entry {
                Entry::Grant(grant) if !differing.contains(&Slot(slot)) => {
                    self.backing.entry(grant.handle).or_default().granted.insert(disk);
                }
                Entry::Release(handle) => {
                    self.backing.entry(*handle).or_default().released.insert(disk);
                }
                _ => {}
            }
        }
        *upto = (*upto).max(last.0);
    }

    /// Checks a grant that a client gets.
    ///
    /// # Errors
    /// Fewer than two disks with a matching part have it.
    pub fn granted(&mut self, handle: u32) -> Result<(), String> {
        let handle = Handle(handle);
        self.granted.insert(handle);
        match self.backing.get(&handle).map_or(0, |backing| backing.granted.len()) {
            2.. => Ok(()),
            disks => Err(format!(
                "a client was told of handle {handle}, which {disks} disks with a matching part have"
            )),
        }
    }

    /// Checks a release that a client gets acknowledged.
    ///
    /// # Errors
    /// Fewer than two disks have that.
    pub fn released(&mut self, handle: u32) -> Result<(), String> {
        let handle = Handle(handle);
        self.released.insert(handle);
        match self.backing.get(&handle).map_or(0, |backing| backing.released.len()) {
            2.. => Ok(()),
            disks => Err(format!(
                "a client was told that handle {handle} is released, which {disks} disks have"
            )),
        }
    }

    /// Returns the acknowledged grants with a seat, and the acknowledged releases of them.
    pub fn acknowledged(&self) -> (&BTreeSet<Handle>, &BTreeSet<Handle>) {
        (&self.granted, &self.released)
    }

    /// Checks at the end that everything acknowledged is in the log.
    ///
    /// # Errors
    /// Something is not.
    pub fn kept(&self, slots: &Slots) -> Result<(), String> {
        let (mut grants, mut ends) = (BTreeSet::new(), BTreeSet::new());
        for entry in slots.entries(0) {
            match entry {
                Entry::Grant(grant) => _ = grants.insert(grant.handle),
                Entry::Release(handle) | Entry::Expire(handle) => _ = ends.insert(*handle),
                Entry::Configure(_) | Entry::Units { .. } => {}
            }
        }
        if let Some(handle) = self.granted.difference(&grants).next() {
            return Err(format!("the grant of handle {handle} was acknowledged and is lost"));
        }
        match self.released.difference(&ends).next() {
            Some(handle) => {
                Err(format!("the release of handle {handle} was acknowledged and is lost"))
            }
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod test {
    use super::super::slots::test::{grant, joined, log, propose};
    use super::*;

    #[test]
    fn two_disks_with_matching_parts_stand_behind_a_grant() {
        let mut slots = Slots::default();
        propose(&mut slots, &[grant(7), grant(8), Entry::Release(Handle(7))]);
        let [one, two, three] = [2, 3, 4].map(|host| joined(&mut slots, host));
        let mut acks = Acks::default();
        acks.stored(&slots, one, Slot(3), &[]);
        assert!(acks.granted(7).is_err(), "one has it");
        acks.stored(&slots, one, Slot(3), &[]);
        assert!(acks.granted(7).is_err(), "the same one has it");
        acks.stored(&slots, two, Slot(2), &[Slot(1)]);
        assert!(acks.granted(7).is_err(), "the second one's part differs");
        assert_eq!(acks.granted(8), Ok(()));
        assert!(acks.released(7).is_err(), "one has the release");
        acks.stored(&slots, three, Slot(3), &[]);
        assert_eq!(acks.granted(7), Ok(()));
        assert_eq!(acks.released(7), Ok(()));
    }

    #[test]
    fn what_was_acknowledged_stays() {
        let all = [grant(7), grant(8), Entry::Release(Handle(7))];
        let acks = Acks {
            granted: [Handle(7), Handle(8)].into(),
            released: [Handle(7)].into(),
            ..Acks::default()
        };
        assert_eq!(acks.kept(&log(&all)), Ok(()));
        assert!(acks.kept(&log(&all[..2])).is_err(), "the release is lost");
        assert!(acks.kept(&log(&all[1..])).is_err(), "a grant is lost");
    }
}
