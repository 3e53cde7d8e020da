//! Routes between the twin and the rest of the front.

use crate::base::time::{Mono, Now};
use crate::front::Front;
use crate::front::calls::ParkedCall;
use crate::front::twin::{
    CallOutcome, CallToPass, ClientGone, Closed, Context, DroppedCall, Event, ForwardedCall,
    GoneClient, IncomingCall, LateLink, LostClient, OwnRole, Passing, Recalled, Received, Settings,
    Twin, UndecidedCall, shared, undecided_calls,
};
use crate::history::Mark;
use crate::io::Intent;
use crate::link::{CloseReason, LinkId};
use crate::messages::twin::{RemoteHandle, SignOfLife};
use crate::service::{self, call_stats::Kind};
use crate::wire::Request;
use alloc::vec::Vec;
use core::net::SocketAddr;

impl Front {
    /// Lends the twin what it needs; `None` if there is no twin.
    fn with_twin(&mut self) -> Option<(&mut Twin, Context<'_>)> {
        let stands_by = self.leadership.listens(self.view());
        let Self { twin, replication, usage, .. } = self;
        let log = replication.log_mut();
        let history = usage.history_mut();
        Some((twin.as_mut()?, Context { stands_by, log, history }))
    }

    /// Takes a connection that was accepted on the twin's listener.
    pub(in crate::front) fn twin_accepted(
        &mut self,
        link: LinkId,
        from: SocketAddr,
        out: &mut Vec<Intent>,
    ) {
        if let Some((twin, context)) = self.with_twin() {
            twin.accepted(link, from, &context, out);
        }
    }

    /// Takes a message of the twin, on either link.
    pub(in crate::front) fn twin_frame(
        &mut self,
        now: Now,
        link: LinkId,
        bytes: &[u8],
        out: &mut Vec<Intent>,
    ) {
        let Some((twin, context)) = self.with_twin() else { return };
        let event = twin.frame(now.mono, link, bytes, context, out);
        let done = event.and_then(|event| match event {
            Some(event) => self.twin_event(now, event, out),
            None => Ok(()),
        });
        if let Err(reason) = done {
            out.push(Intent::Close { link, reason: reason.clone() });
            self.twin_closed(now.mono, link, &reason, out);
        }
    }

    fn twin_event(
        &mut self,
        now: Now,
        event: Event,
        out: &mut Vec<Intent>,
    ) -> Result<(), CloseReason> {
        match event {
            Event::SenderUp => {
                self.tell_settings(now.mono, out);
                if let Some(twin) = &mut self.twin {
                    twin.send_lost_replies(now.mono, out);
                }
            }
            // The backends are asked at once.
            Event::KnowsMore => self.leadership.ask_at(now.mono),
            Event::Answered(CallOutcome::Reply { link, bytes }) => {
                self.calls.service_mut().pass(link, bytes, out);
            }
            // It waits until this front leads, the twin leads again, or its time is over.
            Event::Answered(CallOutcome::Dropped(DroppedCall { link, until, call })) => {
                self.calls.park(ParkedCall { link, until, call: *call });
            }
            Event::Answered(CallOutcome::Failed(link)) => {
                self.call_fails(link, "the front that leads has dropped a call", out);
            }
            Event::ReceiverUp { front, lost } => {
                self.remote_clients_lost(lost);
                if let Some(twin) = &mut self.twin {
                    twin.set_client_front(front);
                }
            }
            Event::Received(received) => return self.twin_told(now, *received, out),
        }
        Ok(())
    }

    /// Hands on what a message of the twin contains.
    fn twin_told(
        &mut self,
        now: Now,
        received: Received,
        out: &mut Vec<Intent>,
    ) -> Result<(), CloseReason> {
        self.reported_handles = received.handles;
        if received.named {
            self.merge_parts();
        }
        if let (Some(twin), Some(theirs)) = (&mut self.twin, &received.shared) {
            twin.compare(&shared(&self.config), theirs);
        }
        if let Some(Settings { revision, text }) = received.settings {
            self.operator.heard_configuration(revision, text);
            self.compare_configurations(now.mono, out);
        }
        if received.offered {
            let (leadership, context) = self.with_leadership();
            if leadership.take_offer(now.mono, &context) {
                self.timers(now.mono, out);
            }
        }
        if let Some(ClientGone { client, replies }) = received.gone {
            self.remote_client_gone(client, replies);
        }
        self.take_signs(now.mono, &received.alive);
        if let Some(epoch) = received.leads {
            let (leadership, mut context) = self.with_leadership();
            leadership.twin_leads_now(now.mono, epoch, &mut context, out);
        }
        match received.call {
            Some(ForwardedCall { client, from, bytes }) => {
                let Some(twin) = &mut self.twin else { return Ok(()) };
                let call = twin.incoming_call(client, from, &bytes, out)?;
                self.incoming_call(now, call, bytes, out);
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// Handles a closed link. Returns whether it was one with the twin.
    pub(in crate::front) fn twin_closed(
        &mut self,
        now: Mono,
        link: LinkId,
        reason: &CloseReason,
        out: &mut Vec<Intent>,
    ) -> bool {
        let closed = self.twin.as_mut().and_then(|twin| twin.closed(now, link, reason));
        let Some(Closed { calls, clients }) = closed else { return false };
        for link in calls {
            self.call_fails(link, "the front that leads is out of reach", out);
        }
        self.remote_clients_lost(clients);
        true
    }

    /// Dials the twin, and closes links and ends calls that have waited too long.
    pub(in crate::front) fn twin_timers(&mut self, now: Mono, out: &mut Vec<Intent>) {
        let stands_by = self.leadership.listens(self.view());
        let Self { twin: Some(twin), replication, usage, numbers, .. } = self else { return };
        let log = replication.log_mut();
        let context = Context { stands_by, log, history: usage.history_mut() };
        for LateLink { link, what } in twin.timers(now, numbers, &context, out) {
            let reason = CloseReason::Timeout(what);
            out.push(Intent::Close { link, reason: reason.clone() });
            self.twin_closed(now, link, &reason, out);
        }
        let late = self.twin.as_ref().map(|twin| twin.late_calls(now));
        for link in late.unwrap_or_default() {
            self.call_fails(link, "the front that leads has not answered in time", out);
        }
    }

    /// Sends the twin what is new, and acknowledgements of what has changed here.
    pub(in crate::front) fn twin_settle(
        &mut self,
        now: Now,
        seats: Vec<RemoteHandle>,
        out: &mut Vec<Intent>,
    ) {
        if self.twin.is_none() {
            return;
        }
        let machine = self.leadership.machine_report(now.mono, self.view());
        let part = self.leadership.part(now.mono, self.view());
        let leads = self.leadership.leads();
        let epoch = self.leadership.latest_epoch();
        let own = OwnRole { part, epoch, leads };
        if let Some((twin, context)) = self.with_twin() {
            twin.settle(now, own, machine, seats, context, out);
        }
    }

    /// Takes lines of the usage history that the twin lacks, read from disk.
    pub(in crate::front) fn recalled(
        &mut self,
        now: Mono,
        after: Option<Mark>,
        lines: &[u8],
        out: &mut Vec<Intent>,
    ) {
        let Some(epoch) = self.leadership.epoch() else { return };
        if let Some((twin, context)) = self.with_twin() {
            twin.recalled(now, epoch, Recalled { after, lines }, &context, out);
        }
    }
}

/// Calls of this front's clients that the twin decides.
impl Front {
    /// Passes a client's call to the twin; its time ends at `until`.
    pub(in crate::front) fn pass_on(
        &mut self,
        now: Mono,
        until: Mono,
        link: LinkId,
        bytes: Vec<u8>,
        out: &mut Vec<Intent>,
    ) {
        let (Some(twin), Some(from)) = (&mut self.twin, self.calls.service().whereabouts(link))
        else {
            return;
        };
        match twin.pass_on(now, CallToPass { link, from, until, bytes }, out) {
            Ok(()) => self.calls.service_mut().needs(link, Kind::Passed),
            Err(bytes) => {
                if let Ok(request) = Request::parse(&bytes) {
                    self.not_decided(now, link, &request);
                }
                self.calls.service_mut().pass(link, service::overloaded(&bytes), out);
            }
        }
    }

    /// Closes the link of a client whose call may have been carried out.
    fn call_fails(&mut self, link: LinkId, reason: &'static str, out: &mut Vec<Intent>) {
        self.calls.service_mut().dismiss(link);
        out.push(Intent::Close { link, reason: CloseReason::Stepped(reason) });
    }

    /// Passes on parked calls when passing begins, and closes the links of clients that get no
    /// reply any more.
    pub(in crate::front) fn pass_settle(&mut self, now: Mono, out: &mut Vec<Intent>) {
        let passes = self.leadership.passes(self.view());
        let leads = self.leadership.leads();
        let Some(twin) = &mut self.twin else { return };
        let Passing { begins, failed } = twin.set_passing(passes, leads);
        for link in failed {
            self.call_fails(link, "another front has taken the lead", out);
        }
        if begins {
            for ParkedCall { link, until, call } in self.calls.unpark() {
                self.pass_on(now, until, link, call.encode(), out);
            }
        }
        if let Some(twin) = &mut self.twin {
            twin.send_signs(now, leads, out);
        }
    }

    /// Notes that a client of this front has called, and that the call is neither decided here nor
    /// passed on. A front that leads has noted the call already.
    pub(in crate::front) fn not_decided(&mut self, now: Mono, link: LinkId, request: &Request) {
        if self.leadership.leads() {
            return;
        }
        if let Some(twin) = &mut self.twin {
            twin.not_decided(now, link, request);
        }
    }

    /// Takes the twin's report of calls that it could not have decided.
    fn take_signs(&mut self, now: Mono, signs: &[SignOfLife]) {
        if !self.leadership.leads() {
            return;
        }
        let state = self.replication.log().speculative_state();
        for UndecidedCall { handle, called } in undecided_calls(now, signs) {
            self.calls.service_mut().alive(called, handle, state);
        }
    }
}

/// Calls of the twin's clients that this front decides.
impl Front {
    fn incoming_call(
        &mut self,
        now: Now,
        call: IncomingCall,
        bytes: Vec<u8>,
        out: &mut Vec<Intent>,
    ) {
        match call {
            IncomingCall::Overloaded(None) => {}
            IncomingCall::Overloaded(Some(handle)) => {
                let state = self.replication.log().speculative_state();
                self.calls.service_mut().alive(now.mono, handle, state);
            }
            IncomingCall::Call { link, first } => {
                if let Some(from) = first {
                    self.calls.service_mut().accepted(now, link, from);
                }
                self.call(now, link, bytes, out);
            }
        }
    }

    /// Handles a client of the twin that is gone; `replies` is how many replies had reached it.
    fn remote_client_gone(&mut self, client: u64, replies: u32) {
        match self.twin.as_mut().and_then(|twin| twin.remote_client_gone(client, replies)) {
            Some(GoneClient::Link { link, unsent }) => self.client_closed(link, unsent),
            Some(GoneClient::Lost(handle)) => {
                self.give_back(handle, "its number did not reach the twin's client");
            }
            None => {}
        }
    }

    /// Handles clients of the twin whose link is gone.
    fn remote_clients_lost(&mut self, clients: Vec<LostClient>) {
        for remote in clients {
            let fresh = self.calls.client_gone(remote.link, true);
            if let (Some(handle), Some(twin)) = (fresh, &mut self.twin) {
                twin.doubt(remote, handle);
            }
        }
    }

    /// Whether the clients of the twin are those that the service knows.
    pub(in crate::front) fn remote_clients_are_known(&self) -> bool {
        let Some(twin) = &self.twin else { return true };
        twin.remote_client_links()
            .is_some_and(|mut links| links.all(|link| self.calls.service().knows(link)))
    }

    /// Drops calls of the twin's clients, if this front does not even try to lead or gives its role
    /// away.
    pub(in crate::front) fn drop_incoming_calls(&mut self, out: &mut Vec<Intent>) {
        let quiet = self.leadership.is_standby() || self.leadership.role().is_deposed();
        if quiet || self.leadership.failover().holds_back() {
            self.calls.drop_passed(out);
        }
    }
}
