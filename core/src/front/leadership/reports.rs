//! What the three backends report, and what follows when one comes, goes, or refuses this front.

use crate::base::limits::{CLAIMS_FUTILE, CONTEST, FENCE};
use crate::base::time::Mono;
use crate::front::calls::Performed;
use crate::front::replication::backend_link::{BackendLink, OrderPurpose, Progress};
use crate::front::replication::exclusion::Exclusion;
use crate::front::{Front, Phase};
use crate::io::Intent;
use crate::link::{CloseReason, LinkId};
use crate::log::Epoch;
use crate::messages::group::{Description, Order, Report};
use alloc::format;
use alloc::vec::Vec;

impl Front {
    pub(in crate::front) fn report(
        &mut self,
        now: Mono,
        index: usize,
        number: u32,
        report: Report,
        out: &mut Vec<Intent>,
    ) {
        let asked = self.replication.backend_mut(index).answered(now, number);
        let Some(pending) = asked else {
            match report {
                Report::Described(description) if number == 0 => {
                    self.described_anew(index, description);
                }
                Report::Facts(facts) if number == 0 => self.told_facts(now, index, facts, out),
                Report::Lost(lost) if number == 0 => {
                    self.replication.backend_mut(index).told_lost(lost);
                }
                Report::Unusable { files } if number == 0 => {
                    self.replication.backend_mut(index).told_unusable(files);
                }
                _ => {}
            }
            return;
        };
        let epoch = self.phase.epoch();
        match (pending.what, report) {
            (OrderPurpose::Describe | OrderPurpose::Disown(_), Report::Described(description)) => {
                self.described(now, index, (description, pending.sent), out);
            }
            (OrderPurpose::Witness(at), Report::Facts(facts)) if Some(at) == epoch => {
                self.told_facts(now, index, facts, out);
            }
            (OrderPurpose::Perform(flight), Report::Performed { reply }) => {
                let (calls, mut context) = self.with_calls();
                let answer = Performed { number: flight, reply };
                calls.performed(now, index, answer, &mut context, out);
            }
            // What another group's backend has promised is no business of this front.
            (_, Report::Refused { .. }) if self.is_foreign(index) && !self.recovers(index) => {}
            (OrderPurpose::Confirm(at), Report::Refused { promised }) if Some(at) != epoch => {
                self.highest = self.highest.max(promised);
            }
            // It has promised this very epoch already, to a claim on an earlier connection.
            (OrderPurpose::Claim(at), Report::Refused { promised })
                if at == promised
                    && Some(at) == epoch
                    && self.replication.backend(index).progress == Progress::NotPromised =>
            {
                self.replication.backend_mut(index).ask(
                    now,
                    OrderPurpose::Describe,
                    &Order::Describe,
                    out,
                );
            }
            (_, Report::Refused { promised }) => self.refused(now, promised, out),
            (OrderPurpose::Claim(at), Report::Promised(standing)) if Some(at) == epoch => {
                let before =
                    self.replication.backend(index).facts.as_ref().map_or(at, |facts| facts.before);
                let backend = self.replication.backend_mut(index);
                if let Some(description) = &mut backend.description {
                    description.standing = standing;
                    backend.as_of = pending.sent;
                }
                self.replication.confirm(index, pending);
                self.promised(now, index, before, out);
            }
            (OrderPurpose::Recover(at), Report::Described(description)) if Some(at) == epoch => {
                self.replication.backend_mut(index).as_of = pending.sent;
                self.recovered(now, index, description, out);
            }
            (OrderPurpose::Recover(at), Report::Stored { .. }) if Some(at) == epoch => {
                self.recover_goes_on(now);
            }
            (OrderPurpose::Recover(at), Report::Gap { .. }) if Some(at) == epoch => {
                self.claim_again(now, "a backend could not take the state of the new group");
            }
            (OrderPurpose::Fetch(at), report) if Some(at) == epoch => {
                self.fetched(now, report, out);
            }
            (OrderPurpose::Found(at), Report::Stored { .. }) if Some(at) == epoch => {
                self.founded(now, index);
            }
            (OrderPurpose::Append(at), Report::Stored { last, differing }) if Some(at) == epoch => {
                self.replication.confirm(index, pending);
                if self.replication.acknowledged(index, last) {
                    for slot in differing {
                        self.calls.differs(index, slot);
                    }
                }
            }
            (OrderPurpose::Install(at, Some(slot)), Report::Stored { .. }) if Some(at) == epoch => {
                let (replication, context) = self.with_replication();
                replication.installed(now, index, slot, &context, out);
            }
            (
                OrderPurpose::Append(at) | OrderPurpose::Install(at, _),
                Report::Gap { committed },
            ) if Some(at) == epoch => {
                let (replication, context) = self.with_replication();
                if replication.gap(now, index, committed, &context, out) {
                    self.merge_parts();
                }
            }
            (OrderPurpose::Confirm(at), Report::Confirmed) if Some(at) == epoch => {
                self.replication.confirm(index, pending);
                let leads = matches!(self.phase, Phase::Leading { .. });
                if leads && self.silenced && self.replication.confirmed(now, FENCE) {
                    self.silenced = false;
                    tracing::info!(
                        target: "tmr_core::front::backends",
                        "a majority of backends confirms this front again"
                    );
                    // What clients said meanwhile it may not have heard: as after a takeover.
                    self.calls
                        .desk_mut()
                        .take_over(now, self.replication.log().speculative_state());
                }
            }
            _ => {}
        }
    }

    /// A backend says who it is; when it was asked.
    fn described(
        &mut self,
        now: Mono,
        index: usize,
        (description, sent): (Description, Mono),
        out: &mut Vec<Intent>,
    ) {
        let backend = self.replication.backend_mut(index);
        if backend
            .description
            .as_ref()
            .is_none_or(|known| known.standing.disk != description.standing.disk)
        {
            tracing::info!(
                target: "tmr_core::front::backends",
                backend = %backend.address, parts = description.parts.len(), "backend is up"
            );
            backend.went_back = None;
        }
        let promised = description.standing.promised;
        if backend.description.is_none() {
            backend.met = now;
        }
        backend.description = Some(description);
        backend.as_of = sent;
        self.replication.forgive(index);
        self.judge(now, out);
        let backend = self.replication.backend_mut(index);
        if backend.exclusion.is_none() {
            backend.trouble = None;
        }
        self.merge_parts();
        self.yield_to_another_group();
        if self.is_foreign(index) {
            return;
        }
        self.highest = self.highest.max(promised);
        self.yield_to_successor();
        self.give_up_claiming(index);
        self.forget_obstacles(index);
        self.lead_if_nobody_does(now);
        let Some(epoch) = self.phase.epoch() else { return };
        // What it says of itself from before it counted is older than what its disk has acknowledged
        // by another connection: it has been asked once more.
        if self.recovery.is_busy() || sent < self.replication.backend(index).counts_since {
            return;
        }
        match self.replication.backend(index).exclusion {
            // It has promised by an earlier connection. By this one it may follow already.
            None if promised == epoch
                && self.replication.backend(index).progress != Progress::NotPromised => {}
            None if promised == epoch => self.promised(now, index, promised, out),
            None => self.replication.backend_mut(index).ask(
                now,
                OrderPurpose::Claim(epoch),
                &Order::Claim { epoch },
                out,
            ),
            Some(_) => {}
        }
    }

    /// It belongs to another group, so that nothing it says of epochs means anything here.
    fn is_foreign(&self, index: usize) -> bool {
        matches!(self.replication.backend(index).exclusion, Some(Exclusion::Foreign(_)))
    }

    /// A backend has promised a higher epoch to another front.
    pub(in crate::front) fn refused(&mut self, now: Mono, promised: Epoch, out: &mut Vec<Intent>) {
        self.highest = self.highest.max(promised);
        match self.phase {
            Phase::Standby | Phase::Pausing { .. } => {}
            Phase::Leading { epoch } if promised > epoch => {
                tracing::warn!(
                    target: "tmr_core::front::backends",
                    %promised, %epoch, "another front has claimed the lead"
                );
                let told = self.was_told_since();
                if self.failover.was_told() {
                    self.let_go();
                } else {
                    self.step_back(out);
                }
                if told {
                    self.claim_again(now, "it was told to lead meanwhile");
                } else if self.role.address() == Some(false) || self.config.unfenced {
                    self.stand_by();
                } else {
                    self.role.depose();
                    self.phase = Phase::Pausing { until: now + CONTEST };
                }
            }
            _ if self.phase.epoch().is_some_and(|epoch| promised > epoch) => {
                self.claim_again(now, "another front has claimed a higher epoch");
            }
            _ => {}
        }
    }

    /// Gives the lead up: nothing that was not acknowledged is said any more.
    pub(in crate::front) fn step_back(&mut self, out: &mut Vec<Intent>) {
        self.phase = Phase::Standby;
        self.drop_flights();
        self.replication.log_mut().drop_uncommitted();
        self.calls.desk_mut().drop_clients(CloseReason::Stepped("another front leads"), out);
        self.calls.desk_mut().forget_handles();
    }

    /// Whether another front leads: it has committed something since this one did, if only the
    /// first entry of its epoch. A promise alone proves nothing: the claim may have led nowhere,
    /// and nobody would lead if this front did not claim again.
    fn succeeded(&self) -> bool {
        let known = self.replication.log().committed();
        self.replication
            .backends()
            .iter()
            .filter_map(BackendLink::standing)
            .any(|own| own.committed > known)
    }

    /// Stands by once it is known that another front leads. The backend that showed it may not have
    /// been told so by that front yet; this one does not wait to claim, having read it there.
    fn yield_to_successor(&mut self) {
        if self.role.is_deposed() && self.succeeded() {
            tracing::warn!(target: "tmr_core::front::backends", "another front leads: standing by");
            let known = self.replication.log().committed();
            for description in self
                .replication
                .backends_mut()
                .iter_mut()
                .filter_map(|backend| backend.description.as_mut())
            {
                description.led |= description.standing.committed > known;
            }
            self.stand_by();
        }
    }

    /// Stands by where claims lead nowhere again and again, and a backend says that the front which
    /// it promised serves: to go on would only take the lead from that one, for seconds each time.
    fn give_up_claiming(&mut self, index: usize) {
        let Some(known) = self.replication.backend(index).known() else { return };
        let another = known.led && known.standing.promised.front != self.config.front;
        let pausing = matches!(self.phase, Phase::Pausing { .. });
        if another && pausing && self.futile >= CLAIMS_FUTILE {
            tracing::warn!(
                target: "tmr_core::front::backends",
                claims = self.futile,
                "claims lead nowhere, and another front leads: standing by"
            );
            self.stand_by();
        }
    }

    /// Stands by where nobody confirms this front any more, because another one serves with two of its
    /// backends in another group: that group was made from what was left of this one.
    fn yield_to_another_group(&mut self) {
        let replaced = |backend: &&BackendLink| {
            let known = backend.known().filter(|known| known.led);
            known.is_some_and(|known| known.standing.group != self.replication.log().group())
        };
        let leads = matches!(self.phase, Phase::Leading { .. });
        if leads
            && self.silenced
            && self.replication.backends().iter().filter(replaced).count() >= 2
        {
            tracing::warn!(
                target: "tmr_core::front::backends",
                "another front serves with these backends in another group: standing by"
            );
            self.replication.log_mut().drop_uncommitted();
            self.calls.desk_mut().forget_handles();
            self.stand_by();
        }
    }

    /// Another front serves the group: what kept this one from leading says nothing any more. Where
    /// memory contradicted itself, that is so once the other one leads a group that was made anew.
    fn forget_obstacles(&mut self, index: usize) {
        let Some(known) = self.replication.backend(index).known() else { return };
        if !known.led || known.standing.promised.front == self.config.front {
            return;
        }
        if self.contradiction.is_some() && known.standing.group != self.replication.log().group() {
            self.contradiction = None;
            self.stand_by();
        }
        if let Phase::Standby = self.phase {
            self.shortfall = None;
            self.unproved = false;
            if !self.role.has_address() {
                // The role is where a planned failover should have brought it, and so is the address.
                self.failover.trouble = None;
            }
        }
    }

    pub(in crate::front) fn drop_backend(
        &mut self,
        now: Mono,
        link: LinkId,
        index: usize,
        reason: CloseReason,
        out: &mut Vec<Intent>,
    ) {
        out.push(Intent::Close { link, reason: reason.clone() });
        self.lost_backend(now, index, &reason, out);
    }

    pub(in crate::front) fn lost_backend(
        &mut self,
        now: Mono,
        index: usize,
        reason: &CloseReason,
        out: &mut Vec<Intent>,
    ) {
        let (replication, context) = self.with_replication();
        replication.note_acked(&context);
        let backend = self.replication.backend_mut(index);
        if backend.known().is_some() {
            tracing::warn!(
                target: "tmr_core::front::backends",
                backend = %backend.address, %reason, "backend is down"
            );
        } else {
            let text = format!("backend {} cannot be used: {reason}", backend.address);
            backend.unreached.warn(now, &text);
        }
        backend.trouble = Some(format!("{reason}"));
        let lost = backend.lost(now, self.config.retry);
        self.judge(now, out);
        self.merge_parts();
        let (calls, mut context) = self.with_calls();
        calls.failover_from(now, index, lost, &mut context, out);
        if self.recovery.is_busy() {
            return self.lost_for_recovery(now, index, out);
        }
        let leads_nowhere = match &self.phase {
            Phase::Reading(reading) => reading.reads(index),
            Phase::Founding { .. } => true,
            Phase::Reproposing { need: 2, .. } => {
                !self.replication.can_be_proved(&self.surroundings())
            }
            _ => false,
        };
        if leads_nowhere {
            self.claim_again(now, "a backend went away");
        }
    }

    /// A backend has taken other licence files. What it told of the log before stays as it was:
    /// this says nothing new about it.
    fn described_anew(&mut self, index: usize, description: Description) {
        if !self.is_foreign(index) {
            self.highest = self.highest.max(description.standing.promised);
        }
        let backend = self.replication.backend_mut(index);
        // Before it has said who it is, what it was asked for is on its way and says all this.
        if let Some(known) = &mut backend.description {
            tracing::info!(
                target: "tmr_core::front::backends",
                backend = %backend.address, parts = description.parts.len(), "backend has other licences"
            );
            known.parts = description.parts;
            self.merge_parts();
        }
    }
}
