//! The fence: a front that two members have not confirmed lately decides nothing.
//!
//! What never lives here: whose confirmation counts ([`rounds`](crate::front::replication::rounds)).

use super::{Context, Leadership, View};
use crate::base::limits::{ASKED_ANEW, CONFIRMED};
use crate::base::time::Mono;
use crate::io::Intent;
use alloc::vec::Vec;

impl Leadership {
    /// A backend that has promised is here by a link that did not stand when this front claimed: all are
    /// asked once more, at once.
    pub(in crate::front) fn has_come_back(
        &mut self,
        now: Mono,
        index: usize,
        ctx: &mut Context<'_>,
        out: &mut Vec<Intent>,
    ) {
        let (replication, context) = self.with_replication(ctx);
        if replication.begin_round_if_back(now, index, &context) {
            self.beat(now, ctx, out);
        }
    }

    /// Returns whether this front leads as far as people and keepalived are told. A backend that comes
    /// back has all of them asked anew, which takes a round trip: what two members had confirmed just
    /// before holds for so long. Calls wait meanwhile, and nothing is decided by this.
    pub(in crate::front) fn seems_confirmed(&self, now: Mono, view: View<'_>) -> bool {
        let asked = view.replication.asked_anew().is_some_and(|at| now.since(at) < ASKED_ANEW);
        let heard = |at: Mono| self.vigil.horizon() <= Some(at) && now.since(at) < CONFIRMED;
        let still = || {
            view.replication.has_two_members(&self.surroundings(view))
                && view.replication.confirmed_at().is_some_and(heard)
        };
        self.is_confirmed(now, view) || asked && still()
    }

    /// Two members have confirmed this front lately, by either clock, and in the present round.
    pub(in crate::front) fn is_confirmed(&self, now: Mono, view: View<'_>) -> bool {
        let lately = |at: Mono| now.since(at) < CONFIRMED && self.vigil.horizon() <= Some(at);
        view.replication.confirmed_at().is_some_and(lately) && view.replication.is_sure()
    }
}
