//! Acknowledgements of appends that wait for replies of the server.

use crate::log::{Handle, Slot};
use alloc::collections::{BTreeMap, VecDeque};
use alloc::vec::Vec;

/// An acknowledgement that waits for the server.
#[derive(Clone, Debug)]
pub(super) struct Acknowledgement {
    pub(super) correlation: u32,
    pub(super) last: Slot,
    /// The seats for which the server has not replied, by handle.
    pub(super) awaited: BTreeMap<Handle, Slot>,
    pub(super) differing: Vec<Slot>,
}

/// The acknowledgements that wait, in the order of the appends.
#[derive(Clone, Debug, Default)]
pub(super) struct Acknowledgements(VecDeque<Acknowledgement>);

impl Acknowledgements {
    pub(super) fn add(&mut self, acknowledgement: Acknowledgement) {
        self.0.push_back(acknowledgement);
    }

    /// Notes that the server has replied for a seat, or will not; `differs`: it does not have it.
    /// Returns the slots that differ by that. More than one order may wait for a seat, since the
    /// front sends pending entries again after another claim.
    pub(super) fn replied(&mut self, handle: Handle, differs: bool) -> Vec<Slot> {
        let mut slots = Vec::new();
        for waiting in &mut self.0 {
            if let Some(slot) = waiting.awaited.remove(&handle).filter(|_| differs) {
                waiting.differing.push(slot);
                slots.push(slot);
            }
        }
        slots
    }

    /// Takes the next one that is complete, in the order of the appends, since each covers
    /// everything before it.
    pub(super) fn pop(&mut self) -> Option<Acknowledgement> {
        let complete = self.0.front().is_some_and(|first| first.awaited.is_empty());
        complete.then(|| self.0.pop_front()).flatten()
    }

    /// Drops all. Returns the numbers of their orders.
    pub(super) fn drop_all(&mut self) -> Vec<u32> {
        core::mem::take(&mut self.0).iter().map(|waiting| waiting.correlation).collect()
    }
}
