//! Which answers are recent enough to count. Orders are sent in rounds, and another round begins
//! when earlier answers prove nothing any more: this front has slept, or a backend whose disk may
//! have gone back in time has returned, or every copy is read that a claim is to be proved by. A
//! disk counts once it has answered an order of the present round. The argument is in *Consistency*
//! 7.
//!
//! What never lives here: how a front finds out that it has slept (that is `sleep`), and which
//! disks are members (that is `membership`).

use super::backend_link::BackendLink;
use super::pending_orders::PendingOrder;
use super::{Context, Replication};
use crate::base::limits::WITNESSED_MAX;
use crate::base::time::{Duration, Mono};
use crate::front::BackendId;
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
    /// The latest confirmation of each disk under this front's epoch.
    confirmations: BTreeMap<DiskId, Confirmation>,
    /// When all were last asked again because a backend had returned.
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
    /// Begins another round: a disk does not count before it has answered an order that is sent
    /// from now on.
    pub(in crate::front) fn begin_round(&mut self) {
        self.rounds.round = self.rounds.round.wrapping_add(1);
        for backend in &mut self.backends {
            backend.set_round(self.rounds.round);
        }
    }

    /// Begins another round because this front has slept.
    pub(in crate::front) fn begin_round_after_sleep(&mut self) {
        self.rounds.asked_anew = None;
        self.begin_round();
    }

    /// Begins another round if a backend that has promised is connected by a link that was not up
    /// when this front claimed: its disk may have forgotten what it acknowledged before. Returns
    /// whether all backends have to be asked again at once.
    pub(in crate::front) fn begin_round_if_back(
        &mut self,
        now: Mono,
        id: BackendId,
        context: &Context<'_>,
    ) -> bool {
        // A stand-in of a stock server has no disk.
        let keeps_log = context.config.backend_kind().keeps_log();
        if self.backends[id].follower().was_here() || !keeps_log {
            return false;
        }
        self.backends[id].follower_mut().came_back();
        self.begin_round();
        self.rounds.asked_anew = Some(now);
        true
    }

    /// Returns when all were last asked again because a backend had returned.
    pub(in crate::front) fn asked_anew(&self) -> Option<Mono> {
        self.rounds.asked_anew
    }

    /// Returns the rounds in which the backends are asked.
    #[cfg(feature = "model")]
    pub(in crate::front) fn rounds(&self) -> &Rounds {
        &self.rounds
    }

    /// Forgets all confirmations, because another epoch is claimed.
    pub(in crate::front) fn forget_confirmations(&mut self) {
        self.rounds.confirmations.clear();
    }

    /// Notes that a backend has answered an order under this front's epoch.
    pub(in crate::front) fn confirm(&mut self, id: BackendId, answered: PendingOrder) {
        let Some(standing) = self.backends[id].standing() else { return };
        let confirmation = Confirmation { sent: answered.sent, round: answered.round };
        let last = self.rounds.confirmations.entry(standing.disk).or_insert(confirmation);
        // One connection answers orders in the order in which they were sent; two connections do
        // not.
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

    /// Whether a disk has answered an order of the present round.
    pub(in crate::front) fn in_this_round(&self, disk: &DiskId) -> bool {
        self.rounds.confirmations.get(disk).is_some_and(|last| last.round == self.rounds.round)
    }

    /// Returns the last slot that counts as committed: `need` members of every set have it on disk.
    pub(in crate::front) fn reached(&self, need: usize, context: &Context<'_>) -> Slot {
        // A birth takes all three backends, whatever they acknowledged before.
        let any = need == 3 || !context.config.backend_kind().keeps_log();
        let proving = matches!(context.phase, Phase::Reproposing { .. });
        if proving && !any && !self.are_still_promised() {
            return Slot(0);
        }
        self.reached_by_members(need, |disk| {
            let counts = any || proving || self.in_this_round(disk);
            self.backend_with(disk).filter(|_| counts).map_or(Slot(0), BackendLink::matched)
        })
    }

    /// Whether two members whose copies were read have confirmed their promise since then, so that
    /// nothing can have been added to what was read of them.
    fn are_still_promised(&self) -> bool {
        self.reached_by_members(2, |disk| {
            self.in_this_round(disk)
                && self.backend_with(disk).is_some_and(|backend| backend.follower().was_read())
        })
    }

    /// Whether two members are connected whose copies were read for this claim.
    pub(in crate::front) fn can_be_proved(&self, context: &Context<'_>) -> bool {
        let read: Vec<BackendId> =
            BackendId::all().filter(|&id| self.backends[id].follower().was_read()).collect();
        !context.config.backend_kind().keeps_log() || self.are_voters(&read)
    }

    /// Whether two members have confirmed this front within this time.
    pub(in crate::front) fn confirmed(&self, now: Mono, within: Duration) -> bool {
        self.confirmed_at().is_some_and(|at| now.since(at) < within)
    }

    /// Returns when the latest order was sent that two members have answered under this front's
    /// epoch, in any round. A confirmation belongs to a disk: it outlives its connection and
    /// address.
    pub(in crate::front) fn confirmed_at(&self) -> Option<Mono> {
        self.reached_by_members(2, |disk| self.rounds.confirmations.get(disk).map(|last| last.sent))
    }

    /// Whether two members have answered an order of the present round.
    pub(in crate::front) fn is_sure(&self) -> bool {
        self.reached_by_members(2, |disk| self.in_this_round(disk))
    }
}
