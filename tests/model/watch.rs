//! The clients' seats and answers, and everything that was ever committed: the promises are
//! checked against them.

use crate::backend::{BackendNode, LogCopy};
use crate::plan::Plan;
use crate::world::AccessRequest;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tmr_core::log::{Epoch, Slot};
use tmr_core::wire::CmError;

/// The state of a handle that a client got.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Life {
    /// A client holds it, and last used it at a front that led under this epoch.
    Held(Epoch),
    /// Its client has sent a release.
    Leaving,
    /// Its client has a reply to the release, from a front that led under this epoch.
    Freed(Epoch),
    /// Its client is silent for good, or was told that the handle does not exist (106): nothing is
    /// promised.
    Gone,
}

/// A seat whose handle a client got.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Seat {
    pub(crate) handle: u32,
    /// The epoch of the grant.
    pub(crate) granted: Epoch,
    pub(crate) life: Life,
}

/// A promise that was broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Broken {
    TooManySeats,
    TwoEntriesInOneSlot,
    NumberUsedAgain,
    TooFewAgree,
    HeldIsGone,
}

#[derive(Clone, Debug, Default, Hash)]
pub(crate) struct Watch {
    /// Seats of clients, by handle.
    pub(crate) seats: Vec<Seat>,
    /// Everything that any node ever knew to be committed, from slot 1.
    committed: Arc<Vec<u64>>,
    pub(crate) broken: Option<Broken>,
}

impl Watch {
    /// Returns the number of seats that clients believe to hold.
    pub(crate) fn in_hands(&self) -> usize {
        self.seats.iter().filter(|seat| matches!(seat.life, Life::Held(_))).count()
    }

    pub(crate) fn life(&mut self, handle: u32) -> &mut Life {
        let known = self.seats.iter_mut().find(|seat| seat.handle == handle);
        &mut known.expect("only what was told is named").life
    }

    /// Checks a reply to a client from a front that leads under this epoch.
    pub(crate) fn replied(
        &mut self,
        plan: &Plan,
        ask: AccessRequest,
        status: u32,
        handle: u32,
        epoch: Epoch,
        backends: &[Arc<BackendNode>; 4],
    ) {
        match ask {
            AccessRequest::Access if status == 0 => {
                if self.seats.iter().any(|seat| seat.handle == handle) {
                    self.broken = Some(Broken::NumberUsedAgain);
                }
                let agree = (0..4).filter(|&index| {
                    let differs = plan.odd && index >= 2;
                    !differs && backends[index].log.durable.contains(&handle)
                });
                if agree.count() < 2 {
                    self.broken = Some(Broken::TooFewAgree);
                }
                self.seats.push(Seat { handle, granted: epoch, life: Life::Held(epoch) });
                self.seats.sort_unstable_by_key(|seat| seat.handle);
                if self.in_hands() > plan.quantity as usize {
                    self.broken = Some(Broken::TooManySeats);
                }
            }
            AccessRequest::Access => {
                if status == CmError::NO_MORE_LICENSES.code() {
                    plan.full.store(true, Ordering::Relaxed);
                }
            }
            AccessRequest::Use(handle) => {
                if status == 0 {
                    *self.life(handle) = Life::Held(epoch);
                } else {
                    self.broken = Some(Broken::HeldIsGone);
                }
            }
            AccessRequest::Release(handle) => {
                // 106: an earlier attempt has ended it, or will, or its clean-up time is over.
                *self.life(handle) = match status {
                    0 => Life::Freed(epoch),
                    status if status == CmError::INVALID_HANDLE.code() => Life::Gone,
                    _ => Life::Leaving,
                };
            }
        }
    }

    /// Checks the entries after a slot that a node knows to be committed.
    pub(crate) fn committed(&mut self, base: Slot, entries: &[u64]) {
        let base = usize::try_from(base.0).expect("logs are short");
        let known = self.committed.len().saturating_sub(base).min(entries.len());
        let common = &self.committed[base.min(self.committed.len())..][..known];
        if common != &entries[..known] {
            self.broken = Some(Broken::TwoEntriesInOneSlot);
        } else if entries.len() > known {
            assert!(base <= self.committed.len(), "a state is read from who knew every slot of it");
            Arc::make_mut(&mut self.committed).extend(&entries[known..]);
        }
    }

    pub(crate) fn committed_at(&mut self, backend: &BackendNode) {
        let LogCopy { base, entries, committed, .. } = &backend.log;
        let known = usize::try_from(committed.0 - base.0).expect("logs are short");
        self.committed(*base, &entries[..known]);
    }

    /// Returns whether the committed log of a front that leads under this epoch has the seats that
    /// it must have.
    pub(crate) fn agrees(&self, epoch: Epoch, held: &[u32]) -> bool {
        self.seats.iter().all(|Seat { handle, life, .. }| match *life {
            Life::Held(used) => epoch < used || held.contains(handle),
            Life::Freed(done) => epoch < done || !held.contains(handle),
            Life::Leaving | Life::Gone => true,
        })
    }
}
