//! Clients of a front that stands by: while the twin leads, their calls go to it over the link that
//! this front dialled, and its replies come back on that link. So a client is served at either
//! address, and sees one server.
//!
//! Nothing is decided here, and no call is passed on twice: if the twin may have carried out a call
//! that has no reply, the client's link is closed without one.

use super::Twin;
use crate::base::limits::{PASSED_BYTES, PASSED_CLIENTS, PASSED_WINDOW};
use crate::base::time::Mono;
use crate::io::Intent;
use crate::link::LinkId;
use crate::messages::twin::{Answer, TwinMessage, TwinRole, Version};
use crate::wire::Request;
use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use core::net::SocketAddr;

/// A call that was passed to the twin.
#[derive(Clone, Debug)]
struct Passed {
    until: Mono,
    bytes: Vec<u8>,
}

/// A client that has called over the present link.
#[derive(Clone, Debug, Default)]
struct Caller {
    /// The call without a reply.
    call: Option<Passed>,
    /// The number of replies that came for it.
    replies: u32,
    /// Whether a reply was the last event: the client has not called since.
    fresh: bool,
}

/// The calls that are passed on. The number of a client on the link is that of its own link, which
/// is never reused.
#[derive(Clone, Debug, Default)]
pub(super) struct Outgoing {
    clients: BTreeMap<LinkId, Caller>,
    /// When those calls end.
    until: BTreeSet<(Mono, LinkId)>,
    /// The total bytes of those calls.
    bytes: usize,
    /// Clients whose call had no reply when the last link broke, with the number of replies each
    /// had received; the next link reports these numbers.
    lost: Vec<(LinkId, u32)>,
    /// Whether calls are being passed on.
    open: bool,
}

impl Outgoing {
    /// Returns the number of clients.
    pub(super) fn len(&self) -> usize {
        self.clients.len()
    }

    /// Returns when the first call ends.
    pub(super) fn due(&self) -> Option<Mono> {
        self.until.first().map(|&(until, _)| until)
    }

    fn begin(&mut self, link: LinkId, until: Mono, bytes: &[u8]) -> bool {
        let known = self.clients.contains_key(&link) || self.clients.len() < PASSED_CLIENTS;
        let room = known && self.bytes + bytes.len() <= PASSED_BYTES;
        if room {
            self.end(link);
            self.bytes += bytes.len();
            self.until.insert((until, link));
            let call = Some(Passed { until, bytes: bytes.to_vec() });
            self.clients.entry(link).or_default().call = call;
        }
        room
    }

    /// Ends the call of a client.
    fn end(&mut self, link: LinkId) -> Option<Passed> {
        let passed = self.clients.get_mut(&link)?.call.take()?;
        self.until.remove(&(passed.until, link));
        self.bytes -= passed.bytes.len();
        Some(passed)
    }

    /// Notes a reply. Returns `false` if the client waits for none.
    fn replied(&mut self, link: LinkId) -> bool {
        let waited = self.end(link).is_some();
        if let Some(caller) = self.clients.get_mut(&link).filter(|_| waited) {
            caller.replies = caller.replies.saturating_add(1);
            caller.fresh = true;
        }
        waited
    }

    /// Notes that a client has called, so that it has received every reply before. This holds
    /// whichever front answers the call: from now on the earlier reply cannot be lost.
    fn heard(&mut self, link: LinkId) {
        if let Some(caller) = self.clients.get_mut(&link) {
            caller.fresh = false;
        }
    }

    /// Forgets a client that is gone. Returns how many of the replies had reached it; `None` if the
    /// twin does not know it. `unsent`: the last one had not.
    fn forget(&mut self, link: LinkId, unsent: bool) -> Option<u32> {
        self.end(link);
        let caller = self.clients.remove(&link)?;
        Some(caller.replies.saturating_sub(u32::from(unsent && caller.fresh)))
    }

    /// Returns the clients with a call that has no reply and ends by then.
    fn waiting(&self, until: Mono) -> Vec<LinkId> {
        self.until.iter().take_while(|(at, _)| *at <= until).map(|&(_, link)| link).collect()
    }

    /// Forgets all clients, because the link to the twin is gone. Returns those that await a reply;
    /// the next link reports how many replies each has received.
    pub(super) fn lose(&mut self) -> Vec<LinkId> {
        let mut gone = core::mem::take(self);
        let waiting = gone.waiting(Mono(u64::MAX));
        let lost = |&link: &LinkId| Some((link, gone.forget(link, false)?));
        self.lost = waiting.iter().filter_map(lost).collect();
        self.lost.iter().map(|&(link, _)| link).collect()
    }
}

/// A call that the twin has dropped and not begun.
#[derive(Debug)]
pub(in crate::front) struct DroppedCall {
    pub(in crate::front) link: LinkId,
    /// When its time ends.
    pub(in crate::front) until: Mono,
    pub(in crate::front) call: Box<Request>,
}

/// What an answer of the twin means to a client of this front.
#[derive(Debug)]
pub(in crate::front) enum CallOutcome {
    /// The twin has replied.
    Reply { link: LinkId, bytes: Vec<u8> },
    /// The twin has not begun the call: it may be decided by the front that leads next.
    Dropped(DroppedCall),
    /// The twin will not reply, and may have carried the call out.
    Failed(LinkId),
}

/// What follows from whether calls are passed on.
#[derive(Debug)]
pub(in crate::front) struct Passing {
    /// Whether passing begins: parked calls are to be passed on.
    pub(in crate::front) begins: bool,
    /// Clients whose calls get no reply any more.
    pub(in crate::front) failed: Vec<LinkId>,
}

/// A call to be passed on.
#[derive(Debug)]
pub(in crate::front) struct CallToPass {
    pub(in crate::front) link: LinkId,
    /// The address of its client.
    pub(in crate::front) from: SocketAddr,
    /// When its time ends.
    pub(in crate::front) until: Mono,
    pub(in crate::front) bytes: Vec<u8>,
}

impl Twin {
    /// Returns the role of a twin that takes calls of this front's clients; `None` if it takes
    /// none. A twin that has acknowledged nothing on this link takes none. If this link broke, such
    /// a twin would still go by the previous one, and would apply this front's report on the
    /// replies of this link to those of the previous one.
    pub(in crate::front) fn takes_calls(&self) -> Option<TwinRole> {
        let takes =
            self.sender.link.has_version(Version::PASSES) && self.sender.link.is_acknowledged();
        self.receiver.standing().filter(|_| takes).map(|standing| standing.part)
    }

    /// Passes a client's call to the twin.
    ///
    /// # Errors
    /// The bytes of the call, if there is no room for it.
    pub(in crate::front) fn pass_on(
        &mut self,
        now: Mono,
        call: CallToPass,
        out: &mut Vec<Intent>,
    ) -> Result<(), Vec<u8>> {
        let CallToPass { link, from, until, bytes } = call;
        if self.sender.link.waiting() >= PASSED_WINDOW || !self.outgoing.begin(link, until, &bytes)
        {
            return Err(bytes);
        }
        self.sender.link.send(now, &TwinMessage::Call { client: link.0, from, bytes }, out);
        Ok(())
    }

    /// Takes an answer of the twin. Returns what it means to a client of this front.
    pub(super) fn answered(&mut self, answer: Answer) -> Option<CallOutcome> {
        match answer {
            Answer::Reply { client, bytes } => {
                let link = LinkId(client);
                self.outgoing.replied(link).then_some(CallOutcome::Reply { link, bytes })
            }
            Answer::Dropped { client, begun } => {
                let link = LinkId(client);
                let Passed { until, bytes } = self.outgoing.end(link)?;
                Some(match Request::parse(&bytes) {
                    Ok(call) if !begun => {
                        CallOutcome::Dropped(DroppedCall { link, until, call: Box::new(call) })
                    }
                    _ => CallOutcome::Failed(link),
                })
            }
            _ => None,
        }
    }

    /// Returns the clients whose calls the twin has had for too long.
    pub(in crate::front) fn late_calls(&self, now: Mono) -> Vec<LinkId> {
        self.outgoing.waiting(now)
    }

    /// Reports to the twin, on a new link, which replies did not arrive on the previous one.
    pub(in crate::front) fn send_lost_replies(&mut self, now: Mono, out: &mut Vec<Intent>) {
        for (link, replies) in core::mem::take(&mut self.outgoing.lost) {
            self.sender.link.send(now, &TwinMessage::Gone { client: link.0, replies }, out);
        }
    }

    /// Notes that a client of this front calls.
    pub(in crate::front) fn client_calls(&mut self, link: LinkId) {
        self.outgoing.heard(link);
    }

    /// Reports to the twin that a client is gone, or that its link is closed. `unsent`: the last
    /// reply did not reach it.
    pub(in crate::front) fn client_gone(
        &mut self,
        now: Mono,
        link: LinkId,
        unsent: bool,
        out: &mut Vec<Intent>,
    ) {
        let Some(replies) = self.outgoing.forget(link, unsent) else { return };
        self.sender.link.send(now, &TwinMessage::Gone { client: link.0, replies }, out);
    }

    /// Sets whether calls are passed on. A front that leads waits for no reply of the twin.
    pub(in crate::front) fn set_passing(&mut self, passes: bool, leads: bool) -> Passing {
        let begins = !core::mem::replace(&mut self.outgoing.open, passes) && passes;
        let failed = if leads { self.outgoing.waiting(Mono(u64::MAX)) } else { Vec::new() };
        Passing { begins, failed }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_room_for_so_many_bytes_and_clients_until_their_calls_are_over() {
        let mut passing = Outgoing::default();
        let most = alloc::vec![0; PASSED_BYTES];
        assert!(passing.begin(LinkId(1), Mono(5), &most));
        assert_eq!(passing.due(), Some(Mono(5)));
        assert!(!passing.begin(LinkId(2), Mono(6), &[0]));
        assert!(passing.end(LinkId(1)).is_some());
        assert_eq!(passing.due(), None);
        assert!(passing.begin(LinkId(2), Mono(6), &most));
        assert!(passing.replied(LinkId(2)));
        for client in 3..=PASSED_CLIENTS as u64 {
            assert!(passing.begin(LinkId(client), Mono(6), &[0]), "{client}");
        }
        assert_eq!(passing.len(), PASSED_CLIENTS);
        assert!(!passing.begin(LinkId(9_999_999), Mono(6), &[0]));
        assert!(passing.begin(LinkId(2), Mono(7), &[0]), "one that is known already");
    }
}
