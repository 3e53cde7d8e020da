//! At most one epoch can commit: a backend that has promised an epoch acknowledges no lower one,
//! and promises none. So of two fronts that both believe that they lead, at most one has two
//! backends.

use std::collections::{BTreeMap, BTreeSet};
use tmr_core::log::{DiskId, Epoch};

/// The highest promise of each disk, and the time at which it was certainly given.
#[derive(Debug, Default)]
pub struct Epochs {
    promised: BTreeMap<DiskId, (Epoch, u64)>,
    /// Disks that are not checked.
    old: BTreeSet<DiskId>,
}

impl Epochs {
    /// Excludes a disk whose contents a fault has replaced.
    pub fn distrust(&mut self, disk: DiskId) {
        self.old.insert(disk);
    }

    /// Checks a disk's promise, which it decided no earlier than `since`.
    ///
    /// # Errors
    /// It had promised this epoch, or a higher one, before.
    pub fn promised(
        &mut self,
        now: u64,
        since: u64,
        disk: DiskId,
        epoch: Epoch,
    ) -> Result<(), String> {
        if self.old.contains(&disk) {
            return Ok(());
        }
        match self.promised.get(&disk) {
            Some((before, at)) if *before >= epoch && *at < since => {
                Err(format!("a disk that promised {before} promises {epoch}"))
            }
            // Two promises were sent together.
            Some((before, _)) if *before >= epoch => Ok(()),
            _ => {
                self.promised.insert(disk, (epoch, now));
                Ok(())
            }
        }
    }

    /// Checks a disk's acknowledgement to the front of an epoch, decided no earlier than `since`.
    ///
    /// # Errors
    /// It had promised a higher epoch before.
    pub fn acknowledged(&self, since: u64, disk: DiskId, epoch: Epoch) -> Result<(), String> {
        if self.old.contains(&disk) {
            return Ok(());
        }
        match self.promised.get(&disk) {
            Some((promised, at)) if *promised > epoch && *at < since => Err(format!(
                "a disk that promised {promised} acknowledges {epoch}, {} ms later",
                (since - at) / 1000
            )),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn a_promise_holds() {
        let [low, high] = [1, 2].map(|round| Epoch { round, front: 7 });
        let (disk, other) = (DiskId(1), DiskId(2));
        let mut epochs = Epochs::default();
        assert_eq!(epochs.promised(10, 10, disk, low), Ok(()));
        assert_eq!(epochs.acknowledged(11, disk, low), Ok(()));
        assert_eq!(epochs.promised(20, 20, disk, high), Ok(()));
        assert_eq!(epochs.acknowledged(20, disk, low), Ok(()), "decided before it promised");
        assert!(epochs.acknowledged(21, disk, low).is_err());
        assert_eq!(epochs.acknowledged(21, disk, high), Ok(()));
        assert_eq!(epochs.acknowledged(21, other, low), Ok(()));
        assert!(epochs.promised(30, 30, disk, high).is_err());
        assert!(epochs.promised(30, 30, disk, low).is_err());
        assert_eq!(epochs.promised(21, 20, disk, low), Ok(()), "decided before the other");
        assert_eq!(epochs.promised(30, 30, other, low), Ok(()));
    }
}
