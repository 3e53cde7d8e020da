//! A backend's disk: the durable bytes, the one write under way, and the free space.

use super::rng::Rng;

#[derive(Clone, Debug)]
enum Write {
    Append(Vec<u8>),
    Rewrite(Vec<u8>),
}

impl Write {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Append(bytes) | Self::Rewrite(bytes) => bytes,
        }
    }
}

/// The journal file of one backend.
#[derive(Clone, Debug, Default)]
pub(super) struct Disk {
    durable: Option<Vec<u8>>,
    writing: Option<Write>,
    /// The bytes that it still takes; `None`: no limit.
    room: Option<usize>,
    /// The next write fails.
    fails: bool,
}

impl Disk {
    /// Returns the journal that a starting process finds.
    pub(super) fn read(&self) -> Option<&[u8]> {
        self.durable.as_deref()
    }

    /// Cuts off a torn tail.
    pub(super) fn truncate(&mut self, keep: usize) {
        if let Some(bytes) = &mut self.durable {
            let cut = bytes.len() - keep;
            bytes.truncate(keep);
            self.room = self.room.map(|room| room + cut);
        }
    }

    /// Limits the disk to this number of further bytes; `None`: no limit.
    pub(super) fn fill(&mut self, room: Option<usize>) {
        self.room = room;
    }

    /// Makes the next write fail, also if there is room for it.
    pub(super) fn fail_next(&mut self) {
        self.fails = true;
    }

    /// Returns whether the current write fits and does not fail.
    pub(super) fn fits(&self) -> bool {
        if self.fails {
            return false;
        }
        let length = self.writing.as_ref().map_or(0, |write| write.bytes().len());
        self.room.is_none_or(|room| length <= room)
    }

    /// Begins to append. Returns `false` if a write is in progress already, which must never be.
    pub(super) fn append(&mut self, bytes: Vec<u8>) -> bool {
        self.writing.replace(Write::Append(bytes)).is_none() && self.durable.is_some()
    }

    /// Begins to replace the journal.
    pub(super) fn rewrite(&mut self, bytes: Vec<u8>) -> bool {
        self.writing.replace(Write::Rewrite(bytes)).is_none()
    }

    /// Makes the current write durable.
    pub(super) fn done(&mut self) {
        let Some(write) = self.writing.take() else { return };
        if let Some(room) = &mut self.room {
            *room = room.saturating_sub(write.bytes().len());
        }
        match write {
            Write::Append(bytes) => self.durable.get_or_insert_default().extend(bytes),
            Write::Rewrite(bytes) => self.durable = Some(bytes),
        }
    }

    /// Makes the current write fail: of an append any first part that fits may be stored, of a
    /// rewrite nothing.
    pub(super) fn fail(&mut self, rng: &mut Rng) {
        let most = if std::mem::take(&mut self.fails) { usize::MAX } else { 0 };
        let room = self.room.unwrap_or(most);
        if let Some(Write::Append(bytes)) = self.writing.take() {
            let torn = rng.index(room.min(bytes.len()) + 1);
            self.durable.get_or_insert_default().extend(&bytes[..torn]);
            self.room = self.room.map(|room| room - torn);
        }
    }

    /// Stops the machine: of an append any first part may be stored, of a rewrite all or nothing.
    pub(super) fn crash(&mut self, rng: &mut Rng) {
        match self.writing.take() {
            Some(Write::Append(bytes)) => {
                let torn = rng.index(bytes.len() + 1);
                self.durable.get_or_insert_default().extend(&bytes[..torn]);
            }
            Some(Write::Rewrite(bytes)) if !self.fails && rng.chance(50) => {
                self.durable = Some(bytes);
            }
            _ => {}
        }
    }

    /// Returns a copy of the disk at this moment.
    pub(super) fn moment(&self) -> Self {
        Self { durable: self.durable.clone(), ..Self::default() }
    }

    /// Changes the byte at this distance from the end. Returns `false` if the journal is shorter.
    pub(super) fn rot(&mut self, at: usize) -> bool {
        let Some(bytes) = &mut self.durable else { return false };
        let Some(at) = bytes.len().checked_sub(at + 1) else { return false };
        bytes[at] ^= 0x20;
        true
    }

    /// Removes everything.
    pub(super) fn lose(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod test {
    use super::*;

    #[test]
    fn a_full_disk_takes_a_part_of_a_write_and_gives_it_back_when_that_is_cut_off() {
        let mut rng = Rng::new(1);
        let mut torn = std::collections::BTreeSet::new();
        for _ in 0..50 {
            let mut disk = Disk::default();
            disk.rewrite(b"head".to_vec());
            disk.done();
            disk.fill(Some(3));
            disk.append(b"one".to_vec());
            assert!(disk.fits());
            disk.fill(Some(2));
            assert!(!disk.fits());
            disk.fail(&mut rng);
            torn.insert(disk.read().unwrap().len());
            disk.truncate(4);
            assert_eq!((disk.read(), disk.room), (Some(b"head".as_slice()), Some(2)));
            disk.rewrite(b"other".to_vec());
            disk.fail(&mut rng);
            assert_eq!(disk.read(), Some(b"head".as_slice()), "as it was");
            disk.append(b"12".to_vec());
            assert!(disk.fits());
            disk.done();
            assert_eq!((disk.read(), disk.room), (Some(b"head12".as_slice()), Some(0)));
        }
        assert_eq!(torn, [4, 5, 6].into());
    }

    #[test]
    fn room_that_has_come_stays_when_a_write_fails_that_began_before() {
        let mut disk = Disk::default();
        disk.fill(Some(0));
        disk.append(b"one".to_vec());
        disk.fill(None);
        disk.fail(&mut Rng::new(1));
        disk.append(b"one".to_vec());
        assert!(disk.fits());
    }
}
