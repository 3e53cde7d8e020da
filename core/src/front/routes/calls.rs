//! Between the calls of clients and the rest of the front.

use crate::base::limits::{CALL_TIMEOUT, PASSED_TIMEOUT};
use crate::base::time::{Mono, Now};
use crate::front::calls::{self, Call, Calls, ParkedCall};
use crate::front::replication::backend_link::Progress;
use crate::front::{Front, Phase};
use crate::io::Intent;
use crate::link::LinkId;
use crate::log::Handle;
use crate::service::LicenceService;
use crate::wire::{CmError, Request};
use alloc::collections::BTreeSet;
use alloc::vec::Vec;

impl Front {
    /// Lends the calls what they need.
    pub(in crate::front) fn with_calls(&mut self) -> (&mut Calls, calls::Context<'_>) {
        let leads = matches!(self.phase, Phase::Leading { .. });
        let date = self.date.now();
        let Self { calls, config, replication, twin, usage, operator, random, .. } = self;
        let (log, backends) = replication.log_and_backends();
        let twin = twin.as_mut();
        let context =
            calls::Context { leads, date, config, log, backends, twin, usage, operator, random };
        (calls, context)
    }

    /// The client links by which handles were taken or used that may be held still.
    pub(crate) fn holding(&self) -> BTreeSet<LinkId> {
        self.calls.service().holding(!matches!(self.phase, Phase::Leading { .. }))
    }

    /// A client calls.
    pub(in crate::front) fn call(
        &mut self,
        now: Now,
        link: LinkId,
        bytes: Vec<u8>,
        out: &mut Vec<Intent>,
    ) {
        let service = self.calls.desk_mut();
        service.heard(now.mono, link);
        self.twin.iter_mut().for_each(|twin| twin.client_calls(link));
        let request = match Request::parse(&bytes) {
            Ok(request) => request,
            Err(malformed) => return service.misread(link, &malformed, out),
        };
        service.named(now.mono, link, &request, self.replication.log().speculative_state());
        // One end of its time for a call, whatever it has to wait for one after the other.
        let until = now.mono + if link.is_passed() { PASSED_TIMEOUT } else { CALL_TIMEOUT };
        self.take(now, until, link, (request, bytes), out);
    }

    /// Takes the calls whose wait for a wrong handle is over, with what is left of their time.
    pub(in crate::front) fn resume(&mut self, now: Now, out: &mut Vec<Intent>) {
        for (link, bytes) in self.calls.desk_mut().waited(now.mono) {
            if let Ok(request) = Request::parse(&bytes) {
                let until = self.calls.service().expected(link);
                self.take(now, until, link, (request, bytes), out);
            }
        }
    }

    /// Has a call decided here or by the twin, or keeps it until it can be.
    fn take(
        &mut self,
        now: Now,
        until: Mono,
        link: LinkId,
        (request, bytes): (Request, Vec<u8>),
        out: &mut Vec<Intent>,
    ) {
        self.calls.desk_mut().expects(link, until);
        // What the twin has passed on is not passed on again.
        if !link.is_passed() && self.passes() {
            self.pass_on(now.mono, until, link, bytes, out);
        } else if LicenceService::is_timeless(&request) || self.begins(now.mono) {
            let (calls, mut context) = self.with_calls();
            calls.serve(now, Call { link, until, request: &request, bytes }, &mut context, out);
        } else if self.role.is_to_lead() || link.is_passed() || self.may_pass() {
            self.not_decided(now.mono, link, &request);
            self.calls.park(ParkedCall { link, until, call: request });
        } else {
            self.not_decided(now.mono, link, &request);
            let (calls, mut context) = self.with_calls();
            calls.turn_down(link, &request, CmError::SERVER_START_PENDING, &mut context, out);
        }
    }

    /// Decides the calls that waited for this front to lead.
    pub(in crate::front) fn serve_parked(&mut self, now: Now, out: &mut Vec<Intent>) {
        let (calls, mut context) = self.with_calls();
        for ParkedCall { link, until, call } in calls.unpark() {
            let bytes = call.encode();
            calls.serve(now, Call { link, until, request: &call, bytes }, &mut context, out);
        }
    }

    /// A client is gone, and what it waits for with it.
    pub(in crate::front) fn client_closed(&mut self, link: LinkId, unsent: bool) {
        if let Some(handle) = self.calls.client_gone(link, unsent) {
            self.give_back(handle, "its number did not reach the client");
        }
    }

    /// Takes a handle back that nobody was told of, or whose holder is gone.
    pub(in crate::front) fn give_back(&mut self, handle: Handle, reason: &str) {
        let (_, mut context) = self.with_calls();
        context.give_back(handle, reason);
    }

    /// A stock server cannot do a call now, and another one may: it is tried there.
    pub(in crate::front) fn unable(
        &mut self,
        now: Mono,
        index: usize,
        correlation: u32,
        out: &mut Vec<Intent>,
    ) {
        let backend = self.replication.backend_mut(index);
        let Some(pending) = backend.answered(now, correlation) else { return };
        backend.busy = backend.busy.saturating_sub(1);
        let (calls, mut context) = self.with_calls();
        calls.failover_from(now, index, alloc::vec![pending.what], &mut context, out);
    }

    /// Forgets every call on its way; the links they came by are closed by the caller.
    pub(in crate::front) fn drop_flights(&mut self) {
        let (calls, mut context) = self.with_calls();
        calls.drop_all(&mut context);
    }

    /// Merges the parts anew: a backend came, went, or holds something else.
    pub(in crate::front) fn merge_parts(&mut self) {
        let (calls, context) = self.with_calls();
        calls.merge_parts(&context);
    }

    /// Proposes that the next block of handle numbers is this front's.
    pub(in crate::front) fn reserve_handles(&mut self) {
        self.calls.reserve_handles(self.replication.log_mut());
    }

    /// How many entries are on their way.
    pub(in crate::front) fn uncommitted(&self) -> u64 {
        self.replication.log().last().0 - self.replication.log().committed().0
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
        leads && !self.silenced && self.replication.is_sure()
    }

    /// It leads, is confirmed, and two backends follow: a call can be decided.
    pub(in crate::front) fn serves(&self, now: Mono) -> bool {
        let following = self.replication.backends().iter();
        let following =
            following.filter(|it| matches!(it.progress, Progress::Following { .. })).count();
        matches!(self.phase, Phase::Leading { .. }) && following >= 2 && self.is_confirmed(now)
    }
}
