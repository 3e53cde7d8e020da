//! A new start of the state folder under another disk id, by order of a front: this disk has lost
//! its memory, or an operator has decided which state replaces the memory of all disks. The old
//! journal is kept beside the new one.

use super::Backend;
use super::acceptor::Acceptor;
use crate::base::time::Mono;
use crate::log::{DiskId, Epoch, Slot};
use crate::messages::group::Report;

impl Backend {
    /// Starts again under a new disk id, because the leading front has found that this disk has
    /// lost acknowledged entries or differs from the others. It must not vote under its old id
    /// again.
    pub(super) fn begin_anew(&mut self, epoch: Epoch, now: Mono) -> Report {
        let standing = self.acceptor.standing();
        if epoch != standing.promised || epoch == Epoch::default() {
            return Report::Refused { promised: standing.promised };
        }
        self.names.disk = DiskId(self.random.u128());
        tracing::error!(
            target: "tmr_core::backend::anew",
            committed = %standing.committed,
            last = %standing.last,
            old = %standing.disk,
            new = %self.names.disk,
            "the front that leads says that this disk has gone back in time, was copied, or differs \
             from the others: it begins anew, blank and under another name, and its journal is kept \
             as journal.old"
        );
        self.acceptor = self.acceptor.anew(self.names.disk);
        self.fronts.served = None;
        self.fronts.told = Slot(0);
        self.writer.demand_new_beginning();
        self.describe(now)
    }

    /// Replaces this acceptor by one with the state that an operator has chosen for the lost
    /// memory.
    pub(super) fn recovered(&mut self, acceptor: Acceptor, now: Mono) -> Report {
        let (old, new) = (self.acceptor.standing(), acceptor.standing());
        self.names.disk = new.disk;
        tracing::error!(
            target: "tmr_core::backend::anew",
            committed = %new.committed,
            group = %new.group.unwrap_or_default(),
            old_group = %old.group.unwrap_or_default(),
            old_committed = %old.committed,
            "by command of an operator this disk begins anew, as a member of a new group that goes on \
             from a copy of the old one; its journal is kept as journal.old"
        );
        self.acceptor = acceptor;
        self.fronts.served = None;
        self.fronts.told = Slot(0);
        self.writer.demand_new_beginning();
        self.describe(now)
    }
}
