//! Epoch, slot, and the names of disks and groups.

use core::fmt;
use serde::{Deserialize, Serialize};

/// The right to write, ordered. Two fronts never share an epoch, because each puts its own id in
/// the low half.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "model", derive(Hash))]
pub struct Epoch {
    /// The round, which rises with every claim; status shows this number.
    pub round: u32,
    /// The claiming front.
    pub front: u32,
}

impl Epoch {
    /// Returns the lowest epoch of `front` that is above this one.
    #[must_use]
    pub fn next_of(self, front: u32) -> Self {
        Self { round: self.round.saturating_add(1), front }
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{:08x}", self.round, self.front)
    }
}

/// A position in the log. The first entry is at 1; 0 is the empty log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Slot(pub u64);

impl Slot {
    /// Returns the following slot.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The name of one group of three backends, given once at its birth.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct GroupId(pub u128);

impl fmt::Display for GroupId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// The name of one backend's state folder, drawn when the folder is made. A backend that lost its
/// disk has another name, so a promise of the lost disk can never be counted again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct DiskId(pub u128);

impl fmt::Display for DiskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}
