//! A backend's disk: what is durable, and the one write that is on its way.

use super::rng::Rng;

#[derive(Clone, Debug)]
enum Write {
    Append(Vec<u8>),
    Rewrite(Vec<u8>),
}

/// The journal file of one backend.
#[derive(Clone, Debug, Default)]
pub(super) struct Disk {
    durable: Option<Vec<u8>>,
    writing: Option<Write>,
}

impl Disk {
    /// What a process that starts now finds.
    pub(super) fn read(&self) -> Option<&[u8]> {
        self.durable.as_deref()
    }

    /// Cuts off a torn tail.
    pub(super) fn truncate(&mut self, keep: usize) {
        if let Some(bytes) = &mut self.durable {
            bytes.truncate(keep);
        }
    }

    /// Begins to append. `false`: a write is on its way already, which must never be.
    pub(super) fn append(&mut self, bytes: Vec<u8>) -> bool {
        self.writing.replace(Write::Append(bytes)).is_none() && self.durable.is_some()
    }

    /// Begins to put a new journal in the old one's place.
    pub(super) fn rewrite(&mut self, bytes: Vec<u8>) -> bool {
        self.writing.replace(Write::Rewrite(bytes)).is_none()
    }

    /// The write is durable.
    pub(super) fn done(&mut self) {
        match self.writing.take() {
            Some(Write::Append(bytes)) => self.durable.get_or_insert_default().extend(bytes),
            Some(Write::Rewrite(bytes)) => self.durable = Some(bytes),
            None => {}
        }
    }

    /// The machine stops: of an append any first part may be there, of a rewrite all or nothing.
    pub(super) fn crash(&mut self, rng: &mut Rng) {
        match self.writing.take() {
            Some(Write::Append(bytes)) => {
                let torn = rng.index(bytes.len() + 1);
                self.durable.get_or_insert_default().extend(&bytes[..torn]);
            }
            Some(Write::Rewrite(bytes)) if rng.chance(50) => self.durable = Some(bytes),
            _ => {}
        }
    }

    /// Everything is gone.
    pub(super) fn lose(&mut self) {
        *self = Self::default();
    }
}
