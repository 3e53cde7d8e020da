//! The log with which the three stand-ins of a front begin: in memory, since the three servers
//! store nothing of it.

use crate::backend::acceptor::{Acceptor, OrderEffects};
use crate::log::{DiskId, Entry, Epoch, GroupId, Setting, Slot, State};
use crate::messages::group::Order;
use alloc::vec::Vec;

/// The log with which the three stand-ins of a front begin.
#[derive(Debug)]
pub(super) struct InitialLog {
    /// The front under whose lowest epoch it is written.
    pub(super) front: u32,
    pub(super) group: GroupId,
    pub(super) slot: Slot,
    /// The encoded state at that slot.
    pub(super) state: Vec<u8>,
}

impl InitialLog {
    /// Returns the log of a group that is born with these members.
    pub(super) fn birth(front: u32, group: GroupId, members: [DiskId; 3]) -> Self {
        let mut state = State::default();
        state.apply(&Entry::Configure(Setting::Members(members)));
        Self { front, group, slot: Slot(1), state: state.encode() }
    }

    /// Returns the acceptor of a member with this log.
    pub(super) fn acceptor(&self, disk: DiskId) -> Acceptor {
        let Self { front, group, slot, ref state } = *self;
        let mut acceptor = Acceptor::blank(disk);
        let epoch = Epoch::default().next_of(front);
        let bytes = state.clone();
        for order in [
            Order::Claim { epoch },
            Order::Found { epoch, group },
            Order::Install { epoch, group, slot, offset: 0, bytes, last: true },
        ] {
            acceptor.order(order, &mut OrderEffects::default());
        }
        acceptor
    }
}
