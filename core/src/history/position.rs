//! The place of a record, which identifies it in the files of both fronts.

use super::Malformed;
use crate::log::{Epoch, GroupId, Slot};
use core::fmt;
use core::str::FromStr;
use serde::de::{Deserialize, Deserializer, Error};
use serde::ser::{Serialize, Serializer};

/// The position of a record. A record that follows from a log entry has that entry's position, the
/// same in every file; a record without an entry (a refusal) follows the last entry recorded before
/// it, numbered by the front that led.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mark {
    /// The last eight hex digits of the group's name, because another group has another log.
    group: u32,
    /// The epoch under which the slot was written, as the log states it.
    epoch: Epoch,
    /// The slot.
    slot: Slot,
    /// 0 for the entry in that slot, else the number of the record behind it.
    behind: u32,
}

impl Mark {
    /// Returns the place of an entry.
    #[must_use]
    pub fn of_entry(group: GroupId, epoch: Epoch, slot: Slot) -> Self {
        #[expect(clippy::cast_possible_truncation, reason = "the last digits")]
        Self { group: group.0 as u32, epoch, slot, behind: 0 }
    }

    /// Returns the next place behind the same entry; `None` if the numbers are used up.
    #[must_use]
    pub fn behind(self) -> Option<Self> {
        Some(Self { behind: self.behind.checked_add(1)?, ..self })
    }

    /// Returns the last place behind the same entry.
    #[must_use]
    pub fn end(self) -> Self {
        Self { behind: u32::MAX, ..self }
    }

    /// Returns the digits that distinguish its group from another one.
    #[must_use]
    pub fn group(&self) -> u32 {
        self.group
    }

    /// Returns whether it is a place in this group's log, by the digits of the group's name.
    #[must_use]
    pub fn is_of(&self, group: GroupId) -> bool {
        self.is_beside(&Self::of_entry(group, self.epoch, self.slot))
    }

    /// Returns the epoch under which its slot was written.
    #[must_use]
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// Returns its slot.
    #[must_use]
    pub fn slot(&self) -> Slot {
        self.slot
    }

    /// Returns whether both are of one group, so that they are ordered.
    #[must_use]
    pub fn is_beside(&self, other: &Self) -> bool {
        self.group == other.group
    }

    /// Returns whether it comes after everything up to `covered`. A record of another group does,
    /// because its log starts again.
    #[must_use]
    pub fn follows(&self, covered: Option<&Self>) -> bool {
        covered.is_none_or(|covered| !self.is_beside(covered) || self > covered)
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { group, epoch: Epoch { round, front }, slot, behind } = self;
        write!(f, "{group:08x}-{round}-{front:08x}-{slot}-{behind}")
    }
}

impl FromStr for Mark {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let mut parts = text.split('-');
        let mut next = || parts.next().ok_or(Malformed);
        let hex = |part| u32::from_str_radix(part, 16).map_err(|_| Malformed);
        let group = hex(next()?)?;
        let round = next()?.parse().map_err(|_| Malformed)?;
        let front = hex(next()?)?;
        let slot = Slot(next()?.parse().map_err(|_| Malformed)?);
        let behind = next()?.parse().map_err(|_| Malformed)?;
        match parts.next() {
            None => Ok(Self { group, epoch: Epoch { round, front }, slot, behind }),
            Some(_) => Err(Malformed),
        }
    }
}

impl Serialize for Mark {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            return serializer.collect_str(self);
        }
        (self.group, self.epoch, self.slot, self.behind).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Mark {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            let text = alloc::borrow::Cow::<'de, str>::deserialize(deserializer)?;
            return text.parse().map_err(D::Error::custom);
        }
        let (group, epoch, slot, behind) = Deserialize::deserialize(deserializer)?;
        Ok(Self { group, epoch, slot, behind })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    fn mark(group: u128, round: u32, slot: u64) -> Mark {
        Mark::of_entry(GroupId(group), Epoch { round, front: 0xab }, Slot(slot))
    }

    #[test]
    fn a_mark_is_read_as_it_is_written() {
        let mark = mark(0x77_5f3a_9c01, 3, 57).behind().unwrap();
        assert_eq!(mark.to_string(), "5f3a9c01-3-000000ab-57-1");
        assert_eq!(mark.to_string().parse(), Ok(mark));
        for wrong in ["", "5f3a9c01", "5f3a9c01-3-000000ab-57", "5f3a9c01-3-000000ab-57-1-1", "x"] {
            assert_eq!(wrong.parse::<Mark>(), Err(Malformed), "{wrong}");
        }
        assert_eq!(serde_json::from_str::<Mark>(&alloc::format!("\"{mark}\"")).unwrap(), mark);
        let bytes = postcard::to_allocvec(&mark).unwrap();
        assert_eq!(postcard::from_bytes::<Mark>(&bytes).unwrap(), mark);
    }

    #[test]
    fn marks_of_one_group_are_in_order_and_another_group_begins_anew() {
        let (entry, later) = (mark(1, 2, 7), mark(1, 2, 8));
        let behind = entry.behind().unwrap();
        assert!(behind.follows(Some(&entry)) && later.follows(Some(&behind)));
        assert!(later.follows(Some(&entry.end())) && !behind.follows(Some(&later)));
        assert!(!entry.follows(Some(&entry)) && entry.follows(None));
        assert!(mark(1, 3, 1).follows(Some(&later)), "unfenced: a later leader counts anew");
        assert!(mark(2, 1, 1).follows(Some(&later)) && later.follows(Some(&mark(2, 1, 1))));
        assert_eq!(entry.end().behind(), None);
    }
}
