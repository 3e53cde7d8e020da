//! The birth of a group, which happens once: all three backends are connected and hold nothing. The
//! rules are those of *Consistency* 7.

use super::phase::Phase;
use super::{Context, Leadership};
use crate::base::time::{Mono, Wall};
use crate::front::BackendId;
use crate::front::replication::backend_link::BackendLink;
use crate::front::replication::follower::Progress;
use crate::front::replication::pending_orders::OrderPurpose;
use crate::io::Intent;
use crate::log::{Entry, Epoch, GroupId, Setting, Slot};
use crate::messages::group::Order;
use alloc::vec::Vec;

impl Leadership {
    /// Founds a group: all three backends are connected and hold nothing.
    pub(super) fn found(
        &mut self,
        now: Mono,
        epoch: Epoch,
        ctx: &mut Context<'_>,
        out: &mut Vec<Intent>,
    ) {
        let group = GroupId(ctx.random.u128());
        tracing::info!(
            target: "tmr_core::front::claim",
            %group, "all three backends are blank: founding the group"
        );
        ctx.replication.log_mut().reset(group);
        // The date so far came from this front's own clock if fewer than two others were known.
        self.date.begin(Wall(0), now);
        self.phase = Phase::Founding { epoch, group };
        for backend in ctx.replication.backends_mut() {
            backend.ask(now, OrderPurpose::Found(epoch), &Order::Found { epoch, group }, out);
        }
    }

    /// Notes that a backend has stored the group's name. When all three have, the first entry names
    /// the members. It needs all three disks to commit, so that no group serves that is born on
    /// only two.
    pub(in crate::front) fn founded(&mut self, now: Mono, id: BackendId, ctx: &mut Context<'_>) {
        let Phase::Founding { epoch, group } = self.phase else { return };
        let backend = ctx.replication.backend_mut(id);
        backend.reported_mut().founded(group);
        backend.set_progress(Progress::Following { next: Slot(1), matched: Slot(0) });
        self.progress(now);
        if !ctx.replication.backends().iter().all(BackendLink::follows) {
            return;
        }
        let disk =
            |id: BackendId| ctx.replication.backend(id).standing().map(|standing| standing.disk);
        let [Some(a), Some(b), Some(c)] = BackendId::ALL.map(disk) else {
            return self.claim_again(now, "a backend went away while the group was born", ctx);
        };
        let (upto, _) =
            ctx.replication.log_mut().propose(Entry::Configure(Setting::Members([a, b, c])));
        self.phase = Phase::Reproposing { epoch, upto, need: 3 };
    }
}
