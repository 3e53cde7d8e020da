//! Whether a backend that is connected is eligible: why it is left out, since when it counts, and
//! what its disk is known to have lost.
//!
//! What never lives here: the rules that leave a backend out (that is `exclusion`).

use crate::base::time::Mono;
use crate::front::BackendId;
use crate::log::{Acked, Epoch, GroupId, Slot};
use crate::messages::group::Standing;

/// Why a backend that is connected is not counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::front) enum Exclusion {
    /// It is the same process as the backend at this place: one backend has two addresses.
    Doubled(BackendId),
    /// Its state folder is a copy of that of the backend at this place, or the other way round.
    Copied(BackendId),
    /// It belongs to another group.
    Foreign(GroupId),
    /// It holds less than it has acknowledged: its disk has gone back in time.
    WentBack {
        /// What the disk is known to have acknowledged.
        was: Acked,
        /// The last slot that it holds.
        last: Slot,
    },
    /// Its copy of the log differs from that of the others.
    Differs,
    /// It is blank, and so is another backend: one disk holds the group's memory, or none does.
    Emptied,
}

/// A disk that had gone back in time when it promised an epoch of this front.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::front) struct Lapse {
    /// What the disk is known to have acknowledged.
    pub(in crate::front) was: Acked,
    /// The epoch that it promised then.
    pub(in crate::front) promised: Epoch,
    /// The last slot that it knew to be committed then.
    pub(in crate::front) committed: Slot,
}

impl Lapse {
    /// Whether a front of a later epoch has the disk follow its log, and the disk has again all
    /// that it is known to have had. A front sends no entries to a disk that it leaves out: so that
    /// front has read two members and found nothing wrong with the disk, and its entries are on the
    /// disk now.
    pub(super) fn is_made_good(&self, standing: &Standing) -> bool {
        standing.promised > self.promised
            && standing.committed > self.committed
            && standing.committed >= self.was.slot
    }
}

impl Exclusion {
    /// Whether the disk has lost its memory, and has to begin anew under another id.
    pub(super) fn ends_the_disk(self) -> bool {
        matches!(self, Self::Copied(_) | Self::WentBack { .. } | Self::Differs)
    }
}

/// Whether a backend is eligible.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Eligibility {
    exclusion: Option<Exclusion>,
    /// When the backend last began to count.
    counts_since: Mono,
    /// What the disk is known to have had and does not have any more.
    lapse: Option<Lapse>,
}

impl Eligibility {
    /// Returns why the backend is not counted although it is connected.
    pub(super) fn exclusion(&self) -> Option<Exclusion> {
        self.exclusion
    }

    /// Returns when the backend last began to count.
    pub(super) fn counts_since(&self) -> Mono {
        self.counts_since
    }

    /// Returns what the disk is known to have had and does not have any more.
    pub(super) fn lapse(&self) -> Option<Lapse> {
        self.lapse
    }

    /// Leaves the backend out.
    pub(super) fn exclude(&mut self, exclusion: Exclusion) {
        self.exclusion = Some(exclusion);
    }

    /// Counts the backend again.
    pub(super) fn include(&mut self, now: Mono) {
        self.exclusion = None;
        self.counts_since = now;
    }

    /// Sets what the disk has lost.
    pub(super) fn set_lapse(&mut self, lapse: Option<Lapse>) {
        self.lapse = lapse;
    }

    /// Forgets what was found out on a connection that is lost.
    pub(super) fn forget(&mut self) {
        self.exclusion = None;
        self.lapse = None;
    }
}
