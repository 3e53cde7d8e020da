//! How far a front has come to lead.

use super::reading::LogRecovery;
use crate::base::time::Mono;
use crate::log::{Epoch, GroupId, Slot};
use alloc::boxed::Box;

/// How far this front has come to lead.
#[derive(Clone, Debug)]
pub(in crate::front) enum Phase {
    /// It was not told to.
    Standby,
    /// Its claim was refused or led nowhere; the next one follows at this time.
    Pausing { until: Mono },
    /// Promises are being collected.
    Claiming { epoch: Epoch },
    /// The copies of those who promised are being read.
    Reading(Box<LogRecovery>),
    /// A group is being born: its name goes to all three.
    Founding { epoch: Epoch, group: GroupId },
    /// What was read is proposed again; `need` backends must have it up to this slot.
    Reproposing { epoch: Epoch, upto: Slot, need: usize },
    /// An operator has it make a new group: what was read goes to the backends.
    Recovering { epoch: Epoch },
    /// It leads.
    Leading { epoch: Epoch },
}

impl Phase {
    /// The epoch under which this front writes, or is about to.
    pub(in crate::front) fn epoch(&self) -> Option<Epoch> {
        match self {
            Self::Standby | Self::Pausing { .. } => None,
            Self::Reading(reading) => Some(reading.epoch),
            Self::Claiming { epoch }
            | Self::Founding { epoch, .. }
            | Self::Reproposing { epoch, .. }
            | Self::Recovering { epoch }
            | Self::Leading { epoch } => Some(*epoch),
        }
    }
}
