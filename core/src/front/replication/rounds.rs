//! Whose word is fresh. What a front asks is asked in rounds, and another one begins when what was
//! answered before says nothing any more: this front has slept, or a backend has come back to it whose
//! disk may have gone back in time, or all copies are read that a claim is to be proved by. A disk
//! counts that has answered what was asked in the present round. The argument is in *Consistency* 7.
//!
//! What never lives here: how a front finds out that it has slept (that is `vigil`), and which disks
//! are members (that is `membership`).

use super::backend_link::{BackendLink, PendingOrder};
use super::{Context, Replication};
use crate::base::limits::WITNESSED_MAX;
use crate::base::time::{Duration, Mono};
use crate::front::leadership::phase::Phase;
use crate::log::{DiskId, Slot};
use alloc::collections::BTreeMap;
use alloc::vec::Vec;

/// The latest order that a disk has answered under this front's epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::front) struct Confirmation {
    /// When the order was sent.
    pub(in crate::front) sent: Mono,
    /// The round that it was sent in.
    pub(in crate::front) round: u32,
}

/// The rounds in which the backends are asked.
#[derive(Clone, Debug, Default)]
pub(in crate::front) struct Rounds {
    round: u32,
    /// When each disk last answered this front under its epoch.
    confirmations: BTreeMap<DiskId, Confirmation>,
    /// When all were last asked anew because a backend had come back.
    asked_anew: Option<Mono>,
}

impl Rounds {
    /// Returns the present round.
    pub(in crate::front) fn round(&self) -> u32 {
        self.round
    }

    /// Returns the latest confirmation of each disk.
    #[cfg(feature = "model")]
    pub(in crate::front) fn confirmations(&self) -> &BTreeMap<DiskId, Confirmation> {
        &self.confirmations
    }
}

impl Replication {
    /// Begins another round: nobody counts before it has answered an order that is sent from here
    /// on.
    pub(in crate::front) fn begin_round(&mut self) {
        self.rounds.round = self.rounds.round.wrapping_add(1);
        for backend in &mut self.backends {
            backend.round = self.rounds.round;
        }
    }

    /// Begins another round because this front has slept.
    pub(in crate::front) fn begin_round_after_sleep(&mut self) {
        self.rounds.asked_anew = None;
        self.begin_round();
    }

    /// Begins another round where a backend that has promised is here by a link that did not stand when
    /// this front claimed: what its disk has said before may be forgotten. Returns whether all are to be
    /// asked once more, at once.
    pub(in crate::front) fn begin_round_if_back(
        &mut self,
        now: Mono,
        index: usize,
        context: &Context<'_>,
    ) -> bool {
        // A stand-in has no disk.
        if self.backends[index].was_here || context.config.unfenced {
            return false;
        }
        self.backends[index].was_here = true;
        self.begin_round();
        self.rounds.asked_anew = Some(now);
        true
    }

    /// Returns when all were last asked anew because a backend had come back.
    pub(in crate::front) fn asked_anew(&self) -> Option<Mono> {
        self.rounds.asked_anew
    }

    /// Returns the rounds in which the backends are asked.
    #[cfg(feature = "model")]
    pub(in crate::front) fn rounds(&self) -> &Rounds {
        &self.rounds
    }

    /// Forgets what disks have confirmed: another epoch is claimed.
    pub(in crate::front) fn forget_confirmations(&mut self) {
        self.rounds.confirmations.clear();
    }

    /// A backend has answered an order under this front's epoch.
    pub(in crate::front) fn confirm(&mut self, index: usize, answered: PendingOrder) {
        let Some(standing) = self.backends[index].standing() else { return };
        let confirmation = Confirmation { sent: answered.sent, round: answered.round };
        let last = self.rounds.confirmations.entry(standing.disk).or_insert(confirmation);
        // Orders are answered as they were sent, but not those of two connections.
        if last.sent <= confirmation.sent {
            *last = confirmation;
        }
        while self.rounds.confirmations.len() > WITNESSED_MAX {
            let oldest = self
                .rounds
                .confirmations
                .iter()
                .min_by_key(|(_, last)| last.sent)
                .map(|(disk, _)| *disk);
            oldest.and_then(|disk| self.rounds.confirmations.remove(&disk));
        }
    }

    /// A disk has answered what was asked in the present round.
    pub(in crate::front) fn in_this_round(&self, disk: &DiskId) -> bool {
        self.rounds.confirmations.get(disk).is_some_and(|last| last.round == self.rounds.round)
    }

    /// The slots that count as committed now: `need` members of every set have them on disk.
    pub(in crate::front) fn reached(&self, need: usize, context: &Context<'_>) -> Slot {
        // A birth takes all three, whatever they have said before.
        let any = need == 3 || context.config.unfenced;
        let proving = matches!(context.phase, Phase::Reproposing { .. });
        if proving && !any && !self.are_still_promised() {
            return Slot(0);
        }
        self.reached_by_members(need, |disk| {
            let counts = any || proving || self.in_this_round(disk);
            self.backend_with(disk).filter(|_| counts).map_or(Slot(0), BackendLink::matched)
        })
    }

    /// Two members whose copies were read have said since that they hold to their promise: nothing
    /// can have joined what was read of them.
    fn are_still_promised(&self) -> bool {
        self.reached_by_members(2, |disk| {
            self.in_this_round(disk)
                && self.backend_with(disk).is_some_and(|backend| backend.was_read)
        })
    }

    /// Two members are here whose copies were read for this claim.
    pub(in crate::front) fn can_be_proved(&self, context: &Context<'_>) -> bool {
        let read: Vec<usize> = (0..3).filter(|&index| self.backends[index].was_read).collect();
        context.config.unfenced || self.are_voters(&read)
    }

    /// Two members have confirmed this front lately enough.
    pub(in crate::front) fn confirmed(&self, now: Mono, within: Duration) -> bool {
        self.confirmed_at().is_some_and(|at| now.since(at) < within)
    }

    /// When the latest order was sent that two members have answered under this front's epoch, in
    /// whatever round. A disk's word outlives its connection, and the address that it was reached by.
    pub(in crate::front) fn confirmed_at(&self) -> Option<Mono> {
        self.reached_by_members(2, |disk| self.rounds.confirmations.get(disk).map(|last| last.sent))
    }

    /// Two members have answered what was asked in the present round.
    pub(in crate::front) fn is_sure(&self) -> bool {
        self.reached_by_members(2, |disk| self.in_this_round(disk))
    }
}
