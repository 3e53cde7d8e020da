//! What follows when a connection to a backend ends: for the claim or the lead, for the parts of
//! licences, and for calls that this backend was doing.
//!
//! What never lives here: the state of a connection, and when it is dialled again (that is
//! [`replication`](crate::front::replication)).
//!
//! Tests: `front/tests/lead.rs` (claims), `front/tests/recovery.rs`, `front/tests/any_one.rs`
//! (calls), `front/tests/repair.rs`.

use super::phase::Phase;
use super::{Context, Leadership};
use crate::base::time::Mono;
use crate::front::BackendId;
use crate::io::Intent;
use crate::link::{CloseReason, LinkId};
use alloc::format;
use alloc::vec::Vec;

impl Leadership {
    /// Closes the connection to a backend for this reason, and handles its end.
    pub(in crate::front) fn drop_backend(
        &mut self,
        now: Mono,
        link: LinkId,
        id: BackendId,
        reason: CloseReason,
        ctx: &mut Context<'_>,
        out: &mut Vec<Intent>,
    ) {
        out.push(Intent::Close { link, reason: reason.clone() });
        self.lost_backend(now, id, &reason, ctx, out);
    }

    /// Handles the end of a connection to a backend. Its pending calls go to another backend. A
    /// claim that cannot succeed without this backend is made again.
    pub(in crate::front) fn lost_backend(
        &mut self,
        now: Mono,
        id: BackendId,
        reason: &CloseReason,
        ctx: &mut Context<'_>,
        out: &mut Vec<Intent>,
    ) {
        let (replication, context) = self.with_replication(ctx);
        replication.note_acked(&context);
        let backend = ctx.replication.backend_mut(id);
        if backend.known().is_some() {
            tracing::warn!(
                target: "tmr_core::front::backends",
                backend = %backend.address(), %reason, "backend is down"
            );
        } else {
            let text = format!("backend {} cannot be used: {reason}", backend.address());
            backend.warn_unreached(now, &text);
        }
        backend.set_trouble(format!("{reason}"));
        let lost = backend.lost(now, ctx.config.retry);
        self.judge(now, ctx, out);
        self.merge_parts(ctx);
        let (calls, mut context) = self.with_calls(ctx);
        calls.failover_from(now, id, lost, &mut context, out);
        if self.recovery.is_busy() {
            return self.lost_for_recovery(now, id, ctx, out);
        }
        let leads_nowhere = match &self.phase {
            Phase::Reading(reading) => reading.reads(id),
            Phase::Founding { .. } => true,
            Phase::Reproposing { need: 2, .. } => {
                !ctx.replication.can_be_proved(&self.surroundings(ctx.view()))
            }
            _ => false,
        };
        if leads_nowhere {
            self.claim_again(now, "a backend went away", ctx);
        }
    }
}
