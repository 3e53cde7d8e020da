//! Clients of a front that stands by: while the twin leads, their calls go to it on the link that
//! this front dialled, and its replies come back on that. So a client is served at either address,
//! and knows of one server only.
//!
//! Nothing is decided here, and nothing is asked twice: a call that the twin may have done, and that
//! has no reply, closes its client's link without one.

use super::super::{Front, Phase};
use crate::desk::{self, tally::Kind};
use crate::io::Intent;
use crate::limits::{PASSED_BYTES, PASSED_CLIENTS, PASSED_WINDOW};
use crate::link::{Link, Why};
use crate::time::Mono;
use crate::wire::Request;
use crate::wire::twin::{Part, Tell, Version};
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

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
    clients: BTreeMap<Link, Caller>,
    /// When those calls end.
    until: BTreeSet<(Mono, Link)>,
    /// Bytes of those calls.
    bytes: usize,
    /// Clients whose call had no reply when the last link broke, and how many replies each had had:
    /// the next one says so.
    lost: Vec<(Link, u32)>,
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

    fn begin(&mut self, link: Link, until: Mono, bytes: &[u8]) -> bool {
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
    fn end(&mut self, link: Link) -> Option<Passed> {
        let passed = self.clients.get_mut(&link)?.call.take()?;
        self.until.remove(&(passed.until, link));
        self.bytes -= passed.bytes.len();
        Some(passed)
    }

    /// A reply has come; `false`: for no call that waits for one.
    fn replied(&mut self, link: Link) -> bool {
        let waited = self.end(link).is_some();
        if let Some(caller) = self.clients.get_mut(&link).filter(|_| waited) {
            (caller.replies, caller.fresh) = (caller.replies.saturating_add(1), true);
        }
        waited
    }

    /// A client has called, so it has had every reply. Whoever answers that call, the twin or this
    /// front: what may be lost from now on is not the reply before.
    fn heard(&mut self, link: Link) {
        if let Some(caller) = self.clients.get_mut(&link) {
            caller.fresh = false;
        }
    }

    /// A client is gone: how many replies of those that came had reached it; `None`: the twin does
    /// not know it. `unsent`: what it was last sent did not.
    fn forget(&mut self, link: Link, unsent: bool) -> Option<u32> {
        self.end(link);
        let caller = self.clients.remove(&link)?;
        Some(caller.replies.saturating_sub(u32::from(unsent && caller.fresh)))
    }

    /// Clients with a call that has no reply and ends by then.
    fn waiting(&self, until: Mono) -> Vec<Link> {
        self.until.iter().take_while(|(at, _)| *at <= until).map(|&(_, link)| link).collect()
    }
}

impl Front {
    /// The part of a twin that takes calls of this front's clients; `None`: there is none, or this
    /// front leads or is about to. A twin that has heard nothing by the link takes none: if the link
    /// broke, that twin would still go by the one before, and take what is said of the replies on this
    /// one for what has become of those.
    fn other_part(&self) -> Option<Part> {
        let twin = self.twin.as_ref()?;
        let quiet = matches!(self.phase, Phase::Standby) || self.wish.deposed;
        let takes = quiet && twin.sender.knows(Version::PASSES) && twin.sender.is_heard();
        twin.receiver.standing().filter(|_| takes).map(|standing| standing.part)
    }

    /// Calls of clients go to the twin.
    pub(in crate::front) fn passes(&self) -> bool {
        self.other_part() == Some(Part::Active)
    }

    /// Calls of clients will go to the twin if its claim leads anywhere.
    pub(in crate::front) fn may_pass(&self) -> bool {
        self.other_part() == Some(Part::Starting)
    }

    /// Gives the twin a client's call.
    pub(in crate::front) fn pass_on(
        &mut self,
        (now, until): (Mono, Mono),
        link: Link,
        bytes: Vec<u8>,
        out: &mut Vec<Intent>,
    ) {
        let (Some(twin), Some(from)) = (&mut self.twin, self.desk.whereabouts(link)) else {
            return;
        };
        if twin.sender.waiting() >= PASSED_WINDOW || !twin.outgoing.begin(link, until, &bytes) {
            if let Ok(request) = Request::parse(&bytes) {
                self.not_decided(now, link, &request);
            }
            return self.desk.pass(link, desk::overloaded(&bytes), out);
        }
        self.desk.needs(link, Kind::Passed);
        twin.sender.send(now, &Tell::Call { client: link.0, from, bytes }, out);
    }

    /// The twin has replied to a call.
    pub(super) fn pass_back(&mut self, client: u64, reply: Vec<u8>, out: &mut Vec<Intent>) {
        let link = Link(client);
        if self.twin.as_mut().is_some_and(|twin| twin.outgoing.replied(link)) {
            self.desk.pass(link, reply, out);
        }
    }

    /// The twin will not reply to a call. One that it has not begun waits here: for this front to
    /// lead, for the twin to lead anew, or for the end of its time.
    pub(super) fn pass_dropped(&mut self, client: u64, begun: bool, out: &mut Vec<Intent>) {
        let link = Link(client);
        let passed = self.twin.as_mut().and_then(|twin| twin.outgoing.end(link));
        let Some(Passed { until, bytes }) = passed else { return };
        match Request::parse(&bytes) {
            Ok(request) if !begun => self.park(until, link, request),
            _ => self.pass_fails(link, "the front that leads has dropped a call", out),
        }
    }

    /// Closes the link of a client whose call may have been done.
    fn pass_fails(&mut self, link: Link, why: &'static str, out: &mut Vec<Intent>) {
        self.desk.dismiss(link);
        out.push(Intent::Close { link, why: Why::Stepped(why) });
    }

    /// Ends calls that the twin has had for too long.
    pub(super) fn pass_late(&mut self, now: Mono, out: &mut Vec<Intent>) {
        let late = self.twin.as_ref().map(|twin| twin.outgoing.waiting(now));
        for link in late.unwrap_or_default() {
            self.pass_fails(link, "the front that leads has not answered in time", out);
        }
    }

    /// The link to the twin is gone, and with it the replies.
    pub(super) fn pass_lost(&mut self, out: &mut Vec<Intent>) {
        let Some(twin) = &mut self.twin else { return };
        let mut passing = core::mem::take(&mut twin.outgoing);
        let waiting = passing.waiting(Mono(u64::MAX)).into_iter();
        let lost = waiting.filter_map(|link| Some((link, passing.forget(link, false)?)));
        twin.outgoing.lost = lost.collect();
        for (link, _) in twin.outgoing.lost.clone() {
            self.pass_fails(link, "the front that leads is out of reach", out);
        }
    }

    /// The link to the twin stands: it learns which replies did not get here by the one before.
    pub(super) fn pass_anew(&mut self, now: Mono, out: &mut Vec<Intent>) {
        let Some(twin) = &mut self.twin else { return };
        for (link, replies) in core::mem::take(&mut twin.outgoing.lost) {
            twin.sender.send(now, &Tell::Gone { client: link.0, replies }, out);
        }
    }

    /// A client of this front calls.
    pub(in crate::front) fn pass_heard(&mut self, link: Link) {
        if let Some(twin) = &mut self.twin {
            twin.outgoing.heard(link);
        }
    }

    /// A client is gone, or its link is closed: the twin is to know. `unsent`: what it was last
    /// sent did not reach it.
    pub(in crate::front) fn pass_gone(
        &mut self,
        now: Mono,
        link: Link,
        unsent: bool,
        out: &mut Vec<Intent>,
    ) {
        let Some(twin) = &mut self.twin else { return };
        let Some(replies) = twin.outgoing.forget(link, unsent) else { return };
        twin.sender.send(now, &Tell::Gone { client: link.0, replies }, out);
    }

    /// Passes on what waits here, when that begins; a front that leads itself takes no reply of
    /// another one any more.
    pub(in crate::front) fn pass_settle(&mut self, now: Mono, out: &mut Vec<Intent>) {
        let passes = self.passes();
        let leads = matches!(self.phase, Phase::Leading { .. });
        let Some(twin) = &mut self.twin else { return };
        let begins = passes && !twin.outgoing.open;
        twin.outgoing.open = passes;
        if leads {
            for link in twin.outgoing.waiting(Mono(u64::MAX)) {
                self.pass_fails(link, "another front has taken the lead", out);
            }
        }
        if begins {
            for (link, until, call) in self.unpark() {
                self.pass_on((now, until), link, call.encode(), out);
            }
        }
        self.tell_signs(now, out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_room_for_so_many_bytes_and_clients_until_their_calls_are_over() {
        let mut passing = Outgoing::default();
        let most = alloc::vec![0; PASSED_BYTES];
        assert!(passing.begin(Link(1), Mono(5), &most));
        assert_eq!(passing.due(), Some(Mono(5)));
        assert!(!passing.begin(Link(2), Mono(6), &[0]));
        assert!(passing.end(Link(1)).is_some());
        assert_eq!(passing.due(), None);
        assert!(passing.begin(Link(2), Mono(6), &most));
        assert!(passing.replied(Link(2)));
        for client in 3..=PASSED_CLIENTS as u64 {
            assert!(passing.begin(Link(client), Mono(6), &[0]), "{client}");
        }
        assert_eq!(passing.len(), PASSED_CLIENTS);
        assert!(!passing.begin(Link(9_999_999), Mono(6), &[0]));
        assert!(passing.begin(Link(2), Mono(7), &[0]), "one that is known already");
    }
}
