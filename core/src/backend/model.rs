//! What an exhaustive check needs of a backend beside steps (feature `model`): which backends are
//! equivalent, and which values to compare.

use super::Backend;
use crate::log::{AcceptedEntry, Acked, DiskId, Epoch, Handle, Slot};
use alloc::vec::Vec;

#[doc(hidden)]
impl Backend {
    /// Returns a value that is equal for backends with the same future behaviour, apart from calls
    /// of clients that connect to them directly.
    #[must_use]
    pub fn fingerprint(&self) -> Vec<u8> {
        let served = self.fronts.served.is_some();
        let mut print = self.acceptor.fingerprint();
        print.extend([u8::from(self.writer.is_idle()), u8::from(served)]);
        print
    }

    /// Returns its disk id.
    #[must_use]
    pub fn disk(&self) -> DiskId {
        self.names.disk
    }

    /// Returns the disk id that it takes when it starts again.
    #[must_use]
    pub fn next_disk(&self) -> DiskId {
        DiskId(self.random.clone().u128())
    }

    /// Returns the handles that are held in the committed state.
    #[must_use]
    pub fn held(&self) -> Vec<Handle> {
        self.acceptor.settled().seats().map(|seat| seat.handle).collect()
    }

    /// Returns the positions of disks that fronts have reported; they are not part of the
    /// fingerprint.
    #[must_use]
    pub fn told(&self) -> Vec<Acked> {
        self.acceptor.witness().acked()
    }

    /// Returns the entries of its copy of the log and the slot before them, the slot up to which it
    /// is known to be chosen, and the promise.
    #[must_use]
    pub fn copy(&self) -> (Slot, Vec<AcceptedEntry>, Slot, Epoch) {
        let standing = self.acceptor.standing();
        (standing.base, self.acceptor.entries(), standing.committed, standing.promised)
    }
}
