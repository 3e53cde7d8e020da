//! The witness: knowledge of the group beyond a copy of the log, which reveals a disk that goes
//! back in time. It has the position of each disk, the extent of the log, and the latest date.
//!
//! It never counts as a vote. What never lives here: the conclusions, which a claiming front draws
//! (*Consistency* 7).

use super::{DiskId, Epoch, Slot};
use crate::base::limits::{SLOT_LAST, WITNESSED_MAX};
use crate::base::time::Wall;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use serde::{Deserialize, Serialize};

/// The position of a disk, as the disk itself has reported it to a front: it cannot have promised
/// less, nor hold fewer slots, unless it has gone back in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acked {
    /// The disk.
    pub disk: DiskId,
    /// The epoch that it has promised.
    pub promised: Epoch,
    /// The last slot that it has held.
    pub slot: Slot,
}

/// The knowledge of the group. Each of its values only rises.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Witness {
    known: Slot,
    date: Wall,
    acked: BTreeMap<DiskId, (Epoch, Slot)>,
}

impl Witness {
    /// Returns the slot up to which every slot was reported as chosen.
    #[must_use]
    pub fn known(&self) -> Slot {
        self.known
    }

    /// Returns the latest date of the group; 0 if none was reported.
    #[must_use]
    pub fn date(&self) -> Wall {
        self.date
    }

    /// Returns the positions of other disks.
    #[must_use]
    pub fn acked(&self) -> Vec<Acked> {
        let one = |(&disk, &(promised, slot))| Acked { disk, promised, slot };
        self.acked.iter().map(one).collect()
    }

    /// Returns whether all bounds of a report to a front hold, as in
    /// [`Facts`](crate::messages::group::Facts). Only a damaged journal breaks them.
    #[must_use]
    pub(crate) fn is_in_range(&self) -> bool {
        self.known.0 <= SLOT_LAST
            && self.acked.len() <= WITNESSED_MAX
            && self.acked.values().all(|(_, slot)| slot.0 <= SLOT_LAST)
    }

    /// Merges a front's report. Returns whether any of it was new.
    pub fn hear(&mut self, known: Slot, date: Wall, acked: &[Acked]) -> bool {
        let before = self.clone();
        self.known = self.known.max(known);
        self.date = self.date.max(date);
        for one in acked {
            let (promised, slot) = self.acked.entry(one.disk).or_default();
            *promised = one.promised.max(*promised);
            *slot = one.slot.max(*slot);
        }
        while self.acked.len() > WITNESSED_MAX {
            // The disk that has stayed behind is no longer a member.
            let last = self.acked.iter().min_by_key(|(_, came)| **came).map(|(disk, _)| *disk);
            last.and_then(|disk| self.acked.remove(&disk));
        }
        *self != before
    }

    /// Returns the least position of a disk, if any front has reported it.
    #[must_use]
    pub fn of(&self, disk: DiskId) -> Option<Acked> {
        let (promised, slot) = *self.acked.get(&disk)?;
        Some(Acked { disk, promised, slot })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn acked(disk: u128, round: u32, slot: u64) -> Acked {
        let promised = Epoch { round, front: 1 };
        Acked { disk: DiskId(disk), promised, slot: Slot(slot) }
    }

    #[test]
    fn what_is_known_of_a_disk_never_falls() {
        let mut witness = Witness::default();
        assert!(witness.hear(Slot(9), Wall(70), &[acked(1, 2, 8)]));
        assert!(!witness.hear(Slot(8), Wall(60), &[acked(1, 1, 7)]));
        assert!(witness.hear(Slot(9), Wall(70), &[acked(1, 3, 5)]));
        assert_eq!((witness.known(), witness.date()), (Slot(9), Wall(70)));
        assert_eq!(witness.of(DiskId(1)), Some(acked(1, 3, 8)));
        assert_eq!(witness.of(DiskId(2)), None);
    }

    #[test]
    fn the_disk_that_stayed_behind_is_forgotten_where_there_are_too_many() {
        let mut witness = Witness::default();
        let most = WITNESSED_MAX as u128;
        let all: Vec<Acked> = (0..=most).map(|disk| acked(disk, 1, 100 - disk as u64)).collect();
        witness.hear(Slot(0), Wall(0), &all);
        assert_eq!(witness.acked().len(), WITNESSED_MAX);
        assert_eq!(witness.of(DiskId(most)), None);
    }
}
