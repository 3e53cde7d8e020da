//! Routes between the calls of clients and the rest of the front.

use crate::base::time::{Mono, Now};
use crate::front::BackendId;
use crate::front::Front;
use crate::front::calls::{self, Call, Calls, ParkedCall};
use crate::front::leadership::handling::Handling;
use crate::io::Intent;
use crate::link::LinkId;
use crate::log::Handle;
use crate::wire::{CmError, Request};
use alloc::collections::BTreeSet;
use alloc::vec::Vec;

impl Front {
    /// Lends the calls what they need.
    pub(in crate::front) fn with_calls(&mut self) -> (&mut Calls, calls::Context<'_>) {
        let leads = self.leadership.leads();
        let date = self.leadership.date();
        let Self { calls, config, replication, twin, usage, operator, random, .. } = self;
        let (log, backends) = replication.log_and_backends();
        let twin = twin.as_mut();
        let context =
            calls::Context { leads, date, config, log, backends, twin, usage, operator, random };
        (calls, context)
    }

    /// Returns whether this front decides calls: it leads, two backends follow, and two members of
    /// the group have confirmed it lately.
    #[must_use]
    pub fn decides(&self, now: Now) -> bool {
        self.leadership.serves(now.mono, self.view())
    }

    /// Returns the client links over which handles were taken or used that may still be held.
    pub(crate) fn holding(&self) -> BTreeSet<LinkId> {
        self.calls.service().holding(!self.leadership.leads())
    }

    /// Takes a call of a client.
    pub(in crate::front) fn call(
        &mut self,
        now: Now,
        link: LinkId,
        bytes: Vec<u8>,
        out: &mut Vec<Intent>,
    ) {
        let service = self.calls.service_mut();
        service.heard(now.mono, link);
        self.twin.iter_mut().for_each(|twin| twin.client_calls(link));
        let request = match Request::parse(&bytes) {
            Ok(request) => request,
            Err(malformed) => return service.misread(link, &malformed, out),
        };
        service.named(now.mono, link, &request, self.replication.log().speculative_state());
        let until = Calls::time_ends(now.mono, link);
        self.take(now, Call { link, until, request, bytes }, out);
    }

    /// Continues with calls whose delay for a wrong handle is over, within the rest of their time.
    pub(in crate::front) fn resume(&mut self, now: Now, out: &mut Vec<Intent>) {
        for (link, bytes) in self.calls.service_mut().waited(now.mono) {
            if let Ok(request) = Request::parse(&bytes) {
                let until = self.calls.service().expected(link);
                self.take(now, Call { link, until, request, bytes }, out);
            }
        }
    }

    /// Has a call decided here or by the twin, or parks it until it can be.
    fn take(&mut self, now: Now, call: Call, out: &mut Vec<Intent>) {
        self.calls.service_mut().expects(call.link, call.until);
        match self.leadership.handling(now.mono, call.link, &call.request, self.view()) {
            Handling::PassOn => self.pass_on(now.mono, call.until, call.link, call.bytes, out),
            Handling::Decide => {
                let (calls, mut context) = self.with_calls();
                calls.serve(now, call, &mut context, out);
            }
            Handling::Park => {
                let Call { link, until, request, .. } = call;
                self.not_decided(now.mono, link, &request);
                self.calls.park(ParkedCall { link, until, call: request });
            }
            Handling::TurnDown => {
                let Call { link, request, .. } = call;
                self.not_decided(now.mono, link, &request);
                let (calls, mut context) = self.with_calls();
                calls.turn_down(link, &request, CmError::SERVER_START_PENDING, &mut context, out);
            }
        }
    }

    /// Does the work of a front that leads in every step: names containers, decides parked calls,
    /// ends the handles of silent clients, and reserves handle numbers.
    pub(in crate::front) fn serve(&mut self, now: Now, out: &mut Vec<Intent>) {
        // Before calls are served, since they may ask for a container by its serial.
        let (calls, mut context) = self.with_calls();
        calls.name_containers(&mut context);
        // The costlier condition comes last: it counts members at the end of every step.
        if self.calls.has_parked() && self.leadership.begins(now.mono, self.view()) {
            self.serve_parked(now, out);
        }
        if self.calls.has_silent(now.mono) && self.leadership.hears_clients(self.view()) {
            self.calls.end_silent(now.mono, self.replication.log_mut());
        }
        self.calls.see_to_handles(self.replication.log_mut());
    }

    /// Decides the calls that were parked until this front led.
    pub(in crate::front) fn serve_parked(&mut self, now: Now, out: &mut Vec<Intent>) {
        let (calls, mut context) = self.with_calls();
        for ParkedCall { link, until, call } in calls.unpark() {
            let bytes = call.encode();
            calls.serve(now, Call { link, until, request: call, bytes }, &mut context, out);
        }
    }

    /// Handles a client that is gone, and drops its pending call.
    pub(in crate::front) fn client_closed(&mut self, link: LinkId, unsent: bool) {
        if let Some(handle) = self.calls.client_gone(link, unsent) {
            self.give_back(handle, "its number did not reach the client");
        }
    }

    /// Gives back a handle that no client knows of, or whose holder is gone.
    pub(in crate::front) fn give_back(&mut self, handle: Handle, reason: &str) {
        let (_, mut context) = self.with_calls();
        context.give_back(handle, reason);
    }

    /// Tries a call at another server, because this stock server cannot do it now.
    pub(in crate::front) fn unable(
        &mut self,
        now: Mono,
        id: BackendId,
        correlation: u32,
        out: &mut Vec<Intent>,
    ) {
        let (calls, mut context) = self.with_calls();
        calls.unable(now, id, correlation, &mut context, out);
    }
}
