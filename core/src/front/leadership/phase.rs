//! How far a front has come to lead.

use super::log_recovery::LogRecovery;
use crate::base::time::Mono;
use crate::log::{Epoch, GroupId, Slot};
use alloc::boxed::Box;

/// The phase of this front on its way to the lead.
#[derive(Clone, Debug)]
pub(in crate::front) enum Phase {
    /// It neither leads nor tries to.
    Standby,
    /// Its claim failed; the next one follows at this time.
    Pausing { until: Mono },
    /// Backends are asked for their promises.
    Claiming { epoch: Epoch },
    /// The copies of the backends that promised are being read.
    Reading(Box<LogRecovery>),
    /// A group is being born: all three backends are to store its name.
    Founding { epoch: Epoch, group: GroupId },
    /// The entries that were read are proposed again; `need` backends must have them up to this
    /// slot.
    Reproposing { epoch: Epoch, upto: Slot, need: usize },
    /// An operator has ordered a new group: the copy that was read goes to the backends.
    Recovering { epoch: Epoch },
    /// It leads.
    Leading { epoch: Epoch },
}

impl Phase {
    /// Returns the epoch under which this front writes, or is about to.
    pub(in crate::front) fn epoch(&self) -> Option<Epoch> {
        match self {
            Self::Standby | Self::Pausing { .. } => None,
            Self::Reading(reading) => Some(reading.epoch()),
            Self::Claiming { epoch }
            | Self::Founding { epoch, .. }
            | Self::Reproposing { epoch, .. }
            | Self::Recovering { epoch }
            | Self::Leading { epoch } => Some(*epoch),
        }
    }
}
