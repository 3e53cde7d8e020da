//! The names of containers in the log.

use core::fmt;
use serde::{Deserialize, Serialize};

/// The name of a container in the log. Names of different kinds never mean the same container,
/// whatever their numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum ContainerId {
    /// One container by its serial: ordinary licences at their own backend.
    Serial(u32),
    /// The three containers that have this CmActId.
    CmAct(u32),
    /// The three containers with these serials, lowest first, which have no CmActId. A backend
    /// finds its own container by its serial, without knowing how any front is configured.
    Serials([u32; 3]),
}

impl ContainerId {
    /// Returns the name of the three containers with these serials, given in any order.
    #[must_use]
    pub fn of_serials(mut serials: [u32; 3]) -> Self {
        serials.sort_unstable();
        Self::Serials(serials)
    }

    /// Returns the CmActId; 0 if there is none.
    #[must_use]
    pub fn cm_act_id(&self) -> u32 {
        if let Self::CmAct(id) = self { *id } else { 0 }
    }

    /// Returns whether this names the container of this serial and CmActId, or three with it.
    #[must_use]
    pub fn includes(&self, serial: u32, cm_act_id: u32) -> bool {
        match self {
            Self::Serial(own) => *own == serial,
            Self::CmAct(id) => *id == cm_act_id,
            Self::Serials(list) => cm_act_id == 0 && list.contains(&serial),
        }
    }

    /// Returns the number of serials that two lists have in common; 0 for other names.
    #[must_use]
    pub fn in_common(&self, other: &Self) -> usize {
        match (self, other) {
            (Self::Serials(one), Self::Serials(other)) => {
                one.iter().filter(|&serial| other.contains(serial)).count()
            }
            _ => 0,
        }
    }

    /// Returns whether this list replaces another one: two of the three containers are the same, so
    /// that it is the same licence with one part replaced.
    #[must_use]
    pub fn succeeds(&self, other: &Self) -> bool {
        self != other && self.in_common(other) >= 2
    }
}

impl fmt::Display for ContainerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Serial(serial) => write!(f, "serial {serial}"),
            Self::CmAct(id) => write!(f, "CmActId {id}"),
            Self::Serials([a, b, c]) => write!(f, "serials {a}, {b}, {c}"),
        }
    }
}
