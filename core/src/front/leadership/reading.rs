//! Reading the copies of the backends that promised, piece by piece, and proposing the entries
//! again when all are read. The rules are those of *Consistency* 5 and 7.
//!
//! What lives here: orders for pieces, their reports, and the step from `Reading` to `Reproposing`.
//! What never lives here: which piece is next, and what was read so far (that is `log_recovery`);
//! which backends are read (that is `claim`).
//!
//! Tests: `front/tests/lead.rs`, `front/tests/edges.rs`, `front/tests/members.rs` (slots that are
//! missing), and the model.

use super::log_recovery::{CopiesRead, NextPiece, StateRead};
use super::phase::Phase;
use super::{Context, Leadership};
use crate::base::time::Mono;
use crate::front::BackendId;
use crate::front::replication::follower::Progress;
use crate::front::replication::pending_orders::OrderPurpose;
use crate::io::Intent;
use crate::log::{Entry, Setting, Slot};
use crate::messages::group::{Order, Report};
use alloc::vec::Vec;

impl Leadership {
    /// Keeps the part of a state that was read, so that the next claim reads only the rest.
    pub(super) fn keep_partial(&mut self) {
        if let Phase::Reading(reading) = &mut self.phase {
            self.claim.partial = reading.take_state();
        }
    }

    /// Requests the next piece, or proposes again what was read when nothing is left.
    pub(in crate::front) fn read_on(
        &mut self,
        now: Mono,
        ctx: &mut Context<'_>,
        out: &mut Vec<Intent>,
    ) {
        let Phase::Reading(reading) = &mut self.phase else { return };
        let (replication, epoch) = (&ctx.replication, reading.epoch());
        let last_of =
            |from| replication.backend(from).standing().map_or(Slot(0), |standing| standing.last);
        let next = reading.next_piece(last_of, replication.log().committed());
        let Some(NextPiece { from, piece }) = next else { return self.prove(now, ctx, out) };
        ctx.replication.backend_mut(from).ask(
            now,
            OrderPurpose::Fetch(epoch),
            &Order::Fetch { epoch, piece },
            out,
        );
    }

    /// Takes a piece of a copy, and requests the next one. A piece that cannot be used ends the
    /// claim; another one follows.
    pub(in crate::front) fn fetched(
        &mut self,
        now: Mono,
        report: Report,
        ctx: &mut Context<'_>,
        out: &mut Vec<Intent>,
    ) {
        self.progress(now);
        let Phase::Reading(reading) = &mut self.phase else { return };
        match report {
            Report::State { slot, bytes, last } => match reading.add_state(slot, &bytes, last) {
                StateRead::Unexpected => return,
                StateRead::Unfinished => {}
                StateRead::TooLong => {
                    return self.claim_again(now, "a backend sent a state that is too long", ctx);
                }
                StateRead::Malformed => {
                    return self.claim_again(now, "a backend sent a state that is none", ctx);
                }
                StateRead::Whole { from, state } => {
                    let group = reading.group();
                    ctx.replication.log_mut().load(group, slot, *state);
                    let backend = ctx.replication.backend(from);
                    let digest = backend.facts().and_then(|facts| facts.digest);
                    let base = backend.standing().map_or(slot, |standing| standing.base);
                    ctx.replication.log_mut().learn_digest(digest);
                    reading.set_backfill(ctx.usage.backfill(group, base, slot));
                }
            },
            Report::Log { entries } if !entries.is_empty() => {
                if let Some(backfill) = reading.add_entries(entries) {
                    ctx.usage.fill_in(&backfill, ctx.replication.log_mut());
                }
            }
            _ => return self.claim_again(now, "a backend could not read out its copy", ctx),
        }
        self.read_on(now, ctx, out);
    }

    /// Proposes everything that was read again, under the new epoch, and the entry `Leader` after
    /// it, with a block of handle numbers. This front leads once two members have that on disk. If
    /// what was read is not enough to lead, the claim goes on with the third backend or is made
    /// again; in a recovery the new group is made instead.
    pub(super) fn prove(&mut self, now: Mono, ctx: &mut Context<'_>, out: &mut Vec<Intent>) {
        let Phase::Reading(reading) = &mut self.phase else { return };
        let epoch = reading.epoch();
        let CopiesRead { from, entries, chosen } = reading.take_copies();
        if ctx.replication.log_mut().adopt(entries, chosen).is_none() {
            return self.claim_again(now, "the copies that were read have a gap", ctx);
        }
        if self.recovery.is_busy() {
            return self.make_anew(now, epoch, ctx, out);
        }
        if !ctx.replication.are_voters(&from) {
            return self.ask_the_third(now, epoch, &from, ctx, out);
        }
        self.obstacles.unproved = false;
        let last = ctx.replication.log().last();
        // Slots that were known before the promises were chosen before them: if they cannot be
        // read, they are missing. Slots known only since may have been chosen under a later claim,
        // of which this front learns in a moment.
        let own =
            self.claim.knew.filter(|(group, _)| Some(*group) == ctx.replication.log().group());
        self.obstacles.shortfall =
            own.filter(|(_, known)| *known > last).map(|(_, known)| (known, last));
        if ctx.replication.known_chosen(&self.surroundings(ctx.view())) > last {
            return self.await_more(
                now,
                epoch,
                &from,
                "slots that were chosen are missing",
                ctx,
                out,
            );
        }
        ctx.replication.log_mut().propose(Entry::Configure(Setting::Leader(epoch)));
        ctx.calls.reserve_handles(ctx.replication.log_mut());
        self.phase = Phase::Reproposing { epoch, upto: ctx.replication.log().last(), need: 2 };
        // The backends may have forgotten their promise since, and another front may have written
        // there.
        ctx.replication.begin_round();
        for id in from {
            ctx.replication.backend_mut(id).follower_mut().set_read(true);
        }
        for id in BackendId::all() {
            if ctx.replication.backend(id).progress() == Progress::Promised {
                self.follow(now, id, ctx, out);
            }
        }
    }
}
