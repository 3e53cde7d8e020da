//! Clients of a front that stands by: while the twin leads, their calls go to it on the link that
//! this front dialled, and its replies come back on that. So a client is served at either address,
//! and knows of one server only.
//!
//! Nothing is decided here, and nothing is asked twice: a call that the twin may have done, and that
//! has no reply, closes its client's link without one.

use super::{Event, Twin};
use crate::base::limits::{PASSED_BYTES, PASSED_CLIENTS, PASSED_WINDOW};
use crate::base::time::Mono;
use crate::io::Intent;
use crate::link::LinkId;
use crate::messages::twin::{Answer, TwinMessage, TwinRole, Version};
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;
use core::net::SocketAddr;

/// A call that the twin has.
#[derive(Clone, Debug)]
struct Passed {
    until: Mono,
    bytes: Vec<u8>,
}

/// A client that has called by the present link.
#[derive(Clone, Debug, Default)]
struct Caller {
    /// The call that has no reply.
    call: Option<Passed>,
    /// Replies that came for it.
    replies: u32,
    /// The last of them is what it was last sent: it has not called since.
    fresh: bool,
}

/// What is passed on. A client's number on the link is that of its own link, which is never used
/// again.
#[derive(Clone, Debug, Default)]
pub(super) struct Outgoing {
    clients: BTreeMap<LinkId, Caller>,
    /// When those calls end.
    until: BTreeSet<(Mono, LinkId)>,
    /// Bytes of those calls.
    bytes: usize,
    /// Clients whose call had no reply when the last link broke, and how many replies each had had:
    /// the next one says so.
    lost: Vec<(LinkId, u32)>,
    /// Calls are being passed on.
    open: bool,
}

impl Outgoing {
    /// How many clients there are.
    pub(super) fn len(&self) -> usize {
        self.clients.len()
    }

    /// When the first call ends.
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

    /// The call of a client is over.
    fn end(&mut self, link: LinkId) -> Option<Passed> {
        let passed = self.clients.get_mut(&link)?.call.take()?;
        self.until.remove(&(passed.until, link));
        self.bytes -= passed.bytes.len();
        Some(passed)
    }

    /// A reply has come; `false`: for no call that waits for one.
    fn replied(&mut self, link: LinkId) -> bool {
        let waited = self.end(link).is_some();
        if let Some(caller) = self.clients.get_mut(&link).filter(|_| waited) {
            caller.replies = caller.replies.saturating_add(1);
            caller.fresh = true;
        }
        waited
    }

    /// A client has called, so it has had every reply. Whoever answers that call, the twin or this
    /// front: what may be lost from now on is not the reply before.
    fn heard(&mut self, link: LinkId) {
        if let Some(caller) = self.clients.get_mut(&link) {
            caller.fresh = false;
        }
    }

    /// A client is gone: how many replies of those that came had reached it; `None`: the twin does
    /// not know it. `unsent`: what it was last sent did not.
    fn forget(&mut self, link: LinkId, unsent: bool) -> Option<u32> {
        self.end(link);
        let caller = self.clients.remove(&link)?;
        Some(caller.replies.saturating_sub(u32::from(unsent && caller.fresh)))
    }

    /// Clients with a call that has no reply and ends by then.
    fn waiting(&self, until: Mono) -> Vec<LinkId> {
        self.until.iter().take_while(|(at, _)| *at <= until).map(|&(_, link)| link).collect()
    }

    /// The link to the twin is gone, and with it the replies. Returns the clients that wait for one;
    /// the next link says of each how many it has had.
    pub(super) fn lose(&mut self) -> Vec<LinkId> {
        let mut gone = core::mem::take(self);
        let waiting = gone.waiting(Mono(u64::MAX));
        let lost = |&link: &LinkId| Some((link, gone.forget(link, false)?));
        self.lost = waiting.iter().filter_map(lost).collect();
        self.lost.iter().map(|&(link, _)| link).collect()
    }
}

/// A call that the twin has and will not reply to.
#[derive(Debug)]
pub(in crate::front) struct DroppedCall {
    pub(in crate::front) link: LinkId,
    /// When its time ends.
    pub(in crate::front) until: Mono,
    pub(in crate::front) bytes: Vec<u8>,
    /// The twin has begun to decide it, so that it may have been done.
    pub(in crate::front) begun: bool,
}

/// A call that is to be passed on.
#[derive(Debug)]
pub(in crate::front) struct CallToPass {
    pub(in crate::front) link: LinkId,
    /// Where its client is.
    pub(in crate::front) from: SocketAddr,
    /// When its time ends.
    pub(in crate::front) until: Mono,
    pub(in crate::front) bytes: Vec<u8>,
}

impl Twin {
    /// Returns the part of a twin that would take calls of this front's clients; `None`: it takes
    /// none. A twin that has heard nothing by the link takes none: if the link broke, that twin would
    /// still go by the one before, and take what is said of the replies on this one for what has become
    /// of those.
    pub(in crate::front) fn takes_calls(&self) -> Option<TwinRole> {
        let takes = self.sender.knows(Version::PASSES) && self.sender.is_heard();
        self.receiver.standing().filter(|_| takes).map(|standing| standing.part)
    }

    /// Gives the twin a client's call.
    ///
    /// # Errors
    /// The bytes of the call, where there is no room for it.
    pub(in crate::front) fn pass_on(
        &mut self,
        now: Mono,
        call: CallToPass,
        out: &mut Vec<Intent>,
    ) -> Result<(), Vec<u8>> {
        let CallToPass { link, from, until, bytes } = call;
        if self.sender.waiting() >= PASSED_WINDOW || !self.outgoing.begin(link, until, &bytes) {
            return Err(bytes);
        }
        self.sender.send(now, &TwinMessage::Call { client: link.0, from, bytes }, out);
        Ok(())
    }

    /// The twin has answered: what that means to a client of this front.
    pub(super) fn answered(&mut self, answer: Answer) -> Option<Event> {
        match answer {
            Answer::Reply { client, bytes } => {
                let link = LinkId(client);
                self.outgoing.replied(link).then_some(Event::Reply { link, bytes })
            }
            Answer::Dropped { client, begun } => {
                let link = LinkId(client);
                let Passed { until, bytes } = self.outgoing.end(link)?;
                Some(Event::Dropped(DroppedCall { link, until, bytes, begun }))
            }
            _ => None,
        }
    }

    /// Returns the clients whose calls the twin has had for too long.
    pub(in crate::front) fn late_calls(&self, now: Mono) -> Vec<LinkId> {
        self.outgoing.waiting(now)
    }

    /// The link to the twin stands: it learns which replies did not get here by the one before.
    pub(in crate::front) fn tell_lost_replies(&mut self, now: Mono, out: &mut Vec<Intent>) {
        for (link, replies) in core::mem::take(&mut self.outgoing.lost) {
            self.sender.send(now, &TwinMessage::Gone { client: link.0, replies }, out);
        }
    }

    /// A client of this front calls.
    pub(in crate::front) fn client_calls(&mut self, link: LinkId) {
        self.outgoing.heard(link);
    }

    /// A client is gone, or its link is closed: the twin is to know. `unsent`: what it was last
    /// sent did not reach it.
    pub(in crate::front) fn client_gone(
        &mut self,
        now: Mono,
        link: LinkId,
        unsent: bool,
        out: &mut Vec<Intent>,
    ) {
        let Some(replies) = self.outgoing.forget(link, unsent) else { return };
        self.sender.send(now, &TwinMessage::Gone { client: link.0, replies }, out);
    }

    /// Calls are passed on from now on, or not. Returns whether that begins.
    pub(in crate::front) fn set_passing(&mut self, passes: bool) -> bool {
        !core::mem::replace(&mut self.outgoing.open, passes) && passes
    }

    /// Returns the clients that wait for a reply of the twin.
    pub(in crate::front) fn clients_waiting(&self) -> Vec<LinkId> {
        self.outgoing.waiting(Mono(u64::MAX))
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
