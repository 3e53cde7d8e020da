//! How far a backend follows this front's log, and what this front has made sure of it since it
//! claimed.

use crate::log::Slot;

/// How far a backend follows the front's log.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::front) enum Progress {
    /// It has not promised the front's epoch.
    #[default]
    NotPromised,
    /// It has promised; no entries were sent yet.
    Promised,
    /// A state is being sent to it.
    Installing {
        /// The last slot that the state covers.
        slot: Slot,
    },
    /// Entries are sent to it as they are proposed.
    Following {
        /// The next slot to send.
        next: Slot,
        /// The backend has every slot up to this one on disk.
        matched: Slot,
    },
}

/// A backend as a follower of the front's log.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::front) struct Follower {
    progress: Progress,
    /// Its link was up when this front claimed, or another round has begun since then because the
    /// backend returned.
    was_here: bool,
    /// Its copy was read over this link for the claim that is being proposed again.
    was_read: bool,
}

impl Follower {
    /// Returns how far the backend follows the log.
    pub(in crate::front) fn progress(&self) -> Progress {
        self.progress
    }

    /// Returns whether entries are sent to the backend as they are proposed.
    pub(in crate::front) fn follows(&self) -> bool {
        matches!(self.progress, Progress::Following { .. })
    }

    /// Returns the last slot that the backend has acknowledged; 0 unless it follows.
    pub(in crate::front) fn matched(&self) -> Slot {
        match self.progress {
            Progress::Following { matched, .. } => matched,
            _ => Slot(0),
        }
    }

    /// Returns whether the link was up when this front claimed, or another round has begun since.
    pub(in crate::front) fn was_here(&self) -> bool {
        self.was_here
    }

    /// Returns whether the copy was read over this link for the claim that is being proposed again.
    pub(in crate::front) fn was_read(&self) -> bool {
        self.was_read
    }

    /// Sets how far the backend follows the log.
    pub(in crate::front) fn set_progress(&mut self, progress: Progress) {
        self.progress = progress;
    }

    /// Begins anew for a claim: the backend has promised nothing, and nothing is read. `here`:
    /// whether its link is up.
    pub(in crate::front) fn claimed(&mut self, here: bool) {
        *self = Self { progress: Progress::NotPromised, was_here: here, was_read: false };
    }

    /// Notes that a round has begun because the backend returned.
    pub(in crate::front) fn came_back(&mut self) {
        self.was_here = true;
    }

    /// Sets whether the copy was read for the claim that is being proposed again.
    pub(in crate::front) fn set_read(&mut self, read: bool) {
        self.was_read = read;
    }

    /// Notes that the backend has every slot up to `last` on disk, as far as these were sent.
    /// Returns the last slot that counts as acknowledged; `None` if the backend does not follow.
    pub(in crate::front) fn acknowledged(&mut self, last: Slot) -> Option<Slot> {
        let Progress::Following { next, matched } = self.progress else { return None };
        // A late report of an older link cannot arrive here, since reports are matched with the
        // orders of this link. A slot that was not sent yet cannot be acknowledged.
        let last = last.min(Slot(next.0 - 1));
        self.progress = Progress::Following { next, matched: matched.max(last) };
        Some(last)
    }
}
