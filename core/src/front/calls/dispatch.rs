//! Calls that come in: which are decided now, which are passed on to the twin, which wait, which are
//! refused.

use super::pending::Waits;
use crate::desk::{Desk, Ground, Move};
use crate::front::replication::backend_link::Progress;
use crate::front::{Front, Phase};
use crate::io::Intent;
use crate::limits::{CALL_TIMEOUT, PASSED_TIMEOUT, UNCOMMITTED_MAX};
use crate::link::Link;
use crate::log::{Entry, Grant};
use crate::time::{Mono, Now};
use crate::wire::{CmError, Reply, Request};
use alloc::collections::BTreeSet;
use alloc::vec::Vec;

impl Front {
    /// The client links by which handles were taken or used that may be held still.
    pub(crate) fn holding(&self) -> BTreeSet<Link> {
        self.desk.holding(!matches!(self.phase, Phase::Leading { .. }))
    }

    pub(in crate::front) fn call(
        &mut self,
        now: Now,
        link: Link,
        bytes: Vec<u8>,
        out: &mut Vec<Intent>,
    ) {
        self.desk.heard(now.mono, link);
        self.twin.iter_mut().for_each(|twin| twin.client_calls(link));
        let request = match Request::parse(&bytes) {
            Ok(request) => request,
            Err(malformed) => return self.desk.misread(link, &malformed, out),
        };
        self.desk.named(now.mono, link, &request, self.log.speculative_state());
        // One end of its time for a call, whatever it has to wait for one after the other.
        let until = now.mono + if link.is_passed() { PASSED_TIMEOUT } else { CALL_TIMEOUT };
        self.take(now, until, link, (request, bytes), out);
    }

    /// Takes the calls whose wait for a wrong handle is over, with what is left of their time.
    pub(in crate::front) fn resume(&mut self, now: Now, out: &mut Vec<Intent>) {
        for (link, bytes) in self.desk.waited(now.mono) {
            if let Ok(request) = Request::parse(&bytes) {
                let until = self.desk.expected(link);
                self.take(now, until, link, (request, bytes), out);
            }
        }
    }

    fn take(
        &mut self,
        now: Now,
        until: Mono,
        link: Link,
        (request, bytes): (Request, Vec<u8>),
        out: &mut Vec<Intent>,
    ) {
        self.desk.expects(link, until);
        // What the twin has passed on is not passed on again.
        if !link.is_passed() && self.passes() {
            self.pass_on(now.mono, until, link, bytes, out);
        } else if Desk::is_timeless(&request) || self.begins(now.mono) {
            self.serve(now, until, link, (&request, bytes), out);
        } else if self.wish.lead || link.is_passed() || self.may_pass() {
            self.not_decided(now.mono, link, &request);
            self.park(until, link, request);
        } else {
            self.not_decided(now.mono, link, &request);
            self.turn_down(link, &request, CmError::SERVER_START_PENDING, out);
        }
    }

    /// Decides a call; `bytes` are what it was understood from, for who is to do it.
    pub(in crate::front) fn serve(
        &mut self,
        now: Now,
        until: Mono,
        link: Link,
        (request, bytes): (&Request, Vec<u8>),
        out: &mut Vec<Intent>,
    ) {
        self.twin.iter_mut().for_each(|twin| twin.guest_begins(link));
        let now = self.judged_at(now);
        let ground = Ground {
            now,
            state: self.log.speculative_state(),
            catalogue: &self.virtuals.catalogue,
        };
        match self.desk.call(link, request, &ground, out) {
            Move::Done => {}
            Move::Refused(error) => self.denied(link, request, error),
            // A release is always taken: its handle is not watched any more, and there are no
            // more releases than handles.
            Move::Commit(Entry::Grant(_)) if self.uncommitted() >= UNCOMMITTED_MAX => {
                self.turn_down(link, request, CmError::REQUEST_OVERLOAD_REJECTED, out);
            }
            Move::Commit(entry) => {
                let waits = match &entry {
                    Entry::Grant(grant) => Waits::Grant(grant.clone()),
                    _ => Waits::Release,
                };
                self.commit(now.mono, until, link, (entry, waits), out);
            }
            // Each stock server has a counter of its own, and none can be turned back: a call that
            // two of them did and one did not would leave them apart for good.
            Move::Spend(_, _) if self.config.unfenced => {
                let error = CmError::COMMAND_NOT_SUPPORTED_BY_TMR;
                self.desk.refuse(link, request, error, out);
            }
            Move::Spend(_, _) if self.uncommitted() >= UNCOMMITTED_MAX => {
                self.desk.refuse(link, request, CmError::REQUEST_OVERLOAD_REJECTED, out);
            }
            Move::Spend(entry, licence) => {
                let waits = Waits::Spend(licence, bytes);
                self.commit(now.mono, until, link, (entry, waits), out);
            }
            Move::Perform(licence) => self.perform(now.mono, until, link, (licence, bytes), out),
        }
    }

    /// Refuses a call, which may be an access.
    pub(in crate::front) fn turn_down(
        &mut self,
        link: Link,
        request: &Request,
        error: CmError,
        out: &mut Vec<Intent>,
    ) {
        self.denied(link, request, error);
        self.desk.refuse(link, request, error, out);
    }

    /// An access is refused.
    fn denied(&mut self, link: Link, request: &Request, error: CmError) {
        let Some(asked) = self.desk.asked(link, request) else { return };
        let (usage, context) = self.recording();
        let denial = usage.denied(&asked, error, &context);
        self.operator.note_denial(denial);
    }

    /// A grant that was on its way is refused.
    pub(in crate::front) fn denied_grant(&mut self, grant: &Grant, error: CmError) {
        let (usage, context) = self.recording();
        let denial = usage.denied_grant(grant, error, &context);
        self.operator.note_denial(denial);
    }

    pub(in crate::front) fn uncommitted(&self) -> u64 {
        self.log.last().0 - self.log.committed().0
    }

    /// Refuses an access or a release that was on its way.
    pub(in crate::front) fn refuse(&mut self, link: Link, error: CmError, out: &mut Vec<Intent>) {
        self.desk.send(link, &Reply::error(error), out);
    }

    /// A call can be decided, and the role is not being given away.
    pub(in crate::front) fn begins(&self, now: Mono) -> bool {
        !self.failover.holds_back() && self.serves(now)
    }

    /// Whether clients that have something to say are heard. A front that has dropped them ends none
    /// of their handles, nor does one that has just woken: what they said meanwhile is still to be
    /// read.
    pub(in crate::front) fn hears_clients(&self) -> bool {
        let leads = matches!(self.phase, Phase::Leading { .. });
        leads && !self.silenced && self.is_sure()
    }

    /// It leads, is confirmed, and two backends follow: a call can be decided.
    pub(in crate::front) fn serves(&self, now: Mono) -> bool {
        let following = self
            .backends
            .iter()
            .filter(|p| matches!(p.progress, Progress::Following { .. }))
            .count();
        matches!(self.phase, Phase::Leading { .. }) && following >= 2 && self.is_confirmed(now)
    }
}
