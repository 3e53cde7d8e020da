//! What an exhaustive check needs of a backend beside steps (feature `model`): which backends are
//! alike, and what there is to compare.

use super::Backend;
use crate::log::{AcceptedEntry, Acked, DiskId, Epoch, Handle, Slot};
use alloc::vec::Vec;

#[doc(hidden)]
impl Backend {
    /// Equal for backends that do the same from here on, whatever comes. For one that is no
    /// client's: what a backend does for those that come to it directly is not looked at.
    #[must_use]
    pub fn fingerprint(&self) -> Vec<u8> {
        let served = self.fronts.served.is_some();
        let mut print = self.acceptor.fingerprint();
        print.extend([u8::from(self.writer.is_idle()), u8::from(served)]);
        print
    }

    /// Its disk.
    #[must_use]
    pub fn disk(&self) -> DiskId {
        self.names.disk
    }

    /// What its disk is called when it begins anew.
    #[must_use]
    pub fn next_disk(&self) -> DiskId {
        DiskId(self.random.clone().u128())
    }

    /// The handles that are held by what it knows to be committed.
    #[must_use]
    pub fn held(&self) -> Vec<Handle> {
        self.acceptor.settled().seats().map(|seat| seat.handle).collect()
    }

    /// What it was told of disks; beside its fingerprint.
    #[must_use]
    pub fn told(&self) -> Vec<Acked> {
        self.acceptor.witness().acked()
    }

    /// What its copy of the log holds, with the slot before it; how far that is known to be chosen;
    /// what it promised.
    #[must_use]
    pub fn copy(&self) -> (Slot, Vec<AcceptedEntry>, Slot, Epoch) {
        let standing = self.acceptor.standing();
        (standing.base, self.acceptor.entries(), standing.committed, standing.promised)
    }
}
