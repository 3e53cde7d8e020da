//! The reports of the three backends: what each means by the order that it answers, and which part
//! of the front it goes to.
//!
//! A report counts only if it answers an order of the same connection, or is one that backends send
//! unasked. A report about an epoch counts only if that is the epoch of the present phase: one of
//! an earlier claim is dropped. Only refusals count whatever the epoch is, since they show a higher
//! one.
//!
//! What never lives here: what follows from a report for a claim (that is `claim`, `reading`,
//! `founding` and `recovery`), for another front's lead (that is `other_leaders`), and for the log
//! (that is [`replication`](crate::front::replication)).
//!
//! Tests: `front/tests/lead.rs` (refusals, promises), `front/tests/edges.rs` and
//! `front/tests/fence.rs` (what a confirmation counts for), and the model.

use super::descriptions::Answer;
use super::phase::Phase;
use super::{Context, Leadership};
use crate::base::limits::FENCE;
use crate::base::time::Mono;
use crate::front::BackendId;
use crate::front::calls::Performed;
use crate::front::replication::follower::Progress;
use crate::front::replication::pending_orders::OrderPurpose;
use crate::io::Intent;
use crate::messages::group::{Order, Report};
use alloc::vec::Vec;

impl Leadership {
    /// Takes a report of a backend. `number` is the correlation of the order that it answers; 0:
    /// the backend reports unasked. A report without a pending order, or that does not fit its
    /// order, is dropped.
    pub(in crate::front) fn report(
        &mut self,
        now: Mono,
        id: BackendId,
        number: u32,
        report: Report,
        ctx: &mut Context<'_>,
        out: &mut Vec<Intent>,
    ) {
        let asked = ctx.replication.backend_mut(id).answered(now, number);
        let Some(pending) = asked else {
            match report {
                Report::Described(description) if number == 0 => {
                    self.described_anew(id, description, ctx);
                }
                Report::Facts(facts) if number == 0 => self.told_facts(now, id, facts, ctx, out),
                Report::Lost(lost) if number == 0 => {
                    ctx.replication.backend_mut(id).told_lost(lost);
                }
                Report::Unusable { files } if number == 0 => {
                    ctx.replication.backend_mut(id).told_unusable(files);
                }
                _ => {}
            }
            return;
        };
        let epoch = self.phase.epoch();
        match (pending.what, report) {
            (OrderPurpose::Describe | OrderPurpose::Disown(_), Report::Described(description)) => {
                let answer = Answer { description, sent: pending.sent };
                self.described(now, id, answer, ctx, out);
            }
            (OrderPurpose::Witness(at), Report::Facts(facts)) if Some(at) == epoch => {
                self.told_facts(now, id, facts, ctx, out);
            }
            (OrderPurpose::Perform(flight), Report::Performed { reply }) => {
                let (calls, mut context) = self.with_calls(ctx);
                let answer = Performed { number: flight, reply };
                calls.performed(now, id, answer, &mut context, out);
            }
            // The promise of a backend of another group does not concern this front.
            (_, Report::Refused { .. })
                if self.is_foreign(id, ctx.view()) && !self.recovers(id) => {}
            (OrderPurpose::Confirm(at), Report::Refused { promised }) if Some(at) != epoch => {
                self.highest = self.highest.max(promised);
            }
            // It has promised this same epoch already, to a claim on an earlier connection.
            (OrderPurpose::Claim(at), Report::Refused { promised })
                if at == promised
                    && Some(at) == epoch
                    && ctx.replication.backend(id).progress() == Progress::NotPromised =>
            {
                ctx.replication.backend_mut(id).ask(
                    now,
                    OrderPurpose::Describe,
                    &Order::Describe,
                    out,
                );
            }
            (_, Report::Refused { promised }) => self.refused(now, promised, ctx, out),
            (OrderPurpose::Claim(at), Report::Promised(standing)) if Some(at) == epoch => {
                let facts = ctx.replication.backend(id).facts();
                let before = facts.map_or(at, |facts| facts.before);
                let reported = ctx.replication.backend_mut(id).reported_mut();
                reported.promised(standing, pending.sent);
                ctx.replication.confirm(id, pending);
                self.promised(now, id, before, ctx, out);
            }
            (OrderPurpose::Recover(at), Report::Described(description)) if Some(at) == epoch => {
                ctx.replication.backend_mut(id).reported_mut().set_as_of(pending.sent);
                self.recovered(now, id, description, ctx, out);
            }
            (OrderPurpose::Recover(at), Report::Stored { .. }) if Some(at) == epoch => {
                self.recover_goes_on(now);
            }
            (OrderPurpose::Recover(at), Report::Gap { .. }) if Some(at) == epoch => {
                self.claim_again(now, "a backend could not take the state of the new group", ctx);
            }
            (OrderPurpose::Fetch(at), report) if Some(at) == epoch => {
                self.fetched(now, report, ctx, out);
            }
            (OrderPurpose::Found(at), Report::Stored { .. }) if Some(at) == epoch => {
                self.founded(now, id, ctx);
            }
            (OrderPurpose::Append(at), Report::Stored { last, differing }) if Some(at) == epoch => {
                ctx.replication.confirm(id, pending);
                if ctx.replication.acknowledged(id, last) {
                    for slot in differing {
                        ctx.calls.differs(id, slot);
                    }
                }
            }
            (OrderPurpose::Install(at, Some(slot)), Report::Stored { .. }) if Some(at) == epoch => {
                let (replication, context) = self.with_replication(ctx);
                replication.installed(now, id, slot, &context, out);
            }
            (
                OrderPurpose::Append(at) | OrderPurpose::Install(at, _),
                Report::Gap { committed },
            ) if Some(at) == epoch => {
                let (replication, context) = self.with_replication(ctx);
                if replication.gap(now, id, committed, &context, out) {
                    self.merge_parts(ctx);
                }
            }
            (OrderPurpose::Confirm(at), Report::Confirmed) if Some(at) == epoch => {
                ctx.replication.confirm(id, pending);
                let leads = matches!(self.phase, Phase::Leading { .. });
                if leads && self.fenced && ctx.replication.confirmed(now, FENCE) {
                    self.fenced = false;
                    tracing::info!(
                        target: "tmr_core::front::backends",
                        "a majority of backends confirms this front again"
                    );
                    // Messages of clients may have been lost meanwhile, as after a takeover.
                    ctx.calls
                        .service_mut()
                        .take_over(now, ctx.replication.log().speculative_state());
                }
            }
            _ => {}
        }
    }
}
