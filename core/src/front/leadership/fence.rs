//! The fence: a front that two members have not confirmed lately decides nothing.
//!
//! What never lives here: which confirmations count
//! ([`rounds`](crate::front::replication::rounds)).

use super::{Context, Leadership, View};
use crate::base::limits::{ASKED_ANEW, CONFIRMED};
use crate::base::time::Mono;
use crate::front::BackendId;
use crate::io::Intent;
use alloc::vec::Vec;

impl Leadership {
    /// Asks all backends again at once if a backend that has promised is connected by a link that
    /// was not up when this front claimed.
    pub(in crate::front) fn has_come_back(
        &mut self,
        now: Mono,
        id: BackendId,
        ctx: &mut Context<'_>,
        out: &mut Vec<Intent>,
    ) {
        let (replication, context) = self.with_replication(ctx);
        if replication.begin_round_if_back(now, id, &context) {
            self.beat(now, ctx, out);
        }
    }

    /// Returns whether this front leads, as reported to people and keepalived. When a backend
    /// returns, all are asked again, which takes a round trip; for that time, what two members had
    /// confirmed just before still holds. Calls wait meanwhile, and no decision depends on this.
    pub(in crate::front) fn seems_confirmed(&self, now: Mono, view: View<'_>) -> bool {
        let asked = view.replication.asked_anew().is_some_and(|at| now.since(at) < ASKED_ANEW);
        let heard = |at: Mono| self.sleep.horizon() <= Some(at) && now.since(at) < CONFIRMED;
        let still = || {
            view.replication.has_two_members(&self.surroundings(view))
                && view.replication.confirmed_at().is_some_and(heard)
        };
        self.is_confirmed(now, view) || asked && still()
    }

    /// Returns whether two members have confirmed this front in the present round, within
    /// [`CONFIRMED`] by the monotonic clock and by the wall clock.
    pub(in crate::front) fn is_confirmed(&self, now: Mono, view: View<'_>) -> bool {
        let lately = |at: Mono| now.since(at) < CONFIRMED && self.sleep.horizon() <= Some(at);
        view.replication.confirmed_at().is_some_and(lately) && view.replication.is_sure()
    }
}
