//! Clients of the twin, which stands by and passes their calls on while this front leads: a session
//! of the service each, with a link that is no connection. What the service sends there goes to the twin.
//!
//! Each call that came has one answer: its reply, or that it gets none. A call that waits when this
//! front steps back was not begun, and goes back to the twin; it is never passed on from here.

use super::Twin;
use crate::base::limits::PASSED_CLIENTS;
use crate::io::Intent;
use crate::link::{CloseReason, LinkId};
use crate::log::Handle;
use crate::messages::twin::Answer;
use crate::service;
use alloc::collections::BTreeMap;
use alloc::vec::Vec;
use core::net::SocketAddr;

/// How far a client's call has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Call {
    Waits,
    Begun,
}

#[derive(Clone, Debug)]
struct Guest {
    client: u64,
    call: Option<Call>,
    /// Replies that were sent to it.
    replies: u32,
}

/// Clients of the twin.
#[derive(Clone, Debug, Default)]
pub(super) struct Incoming {
    guests: BTreeMap<LinkId, Guest>,
    /// By the twin's number for it.
    links: BTreeMap<u64, LinkId>,
    /// How many there were.
    number: u64,
    /// Handles that the last replies on the last link named, by client, and how many replies there
    /// were with that: the twin says on the next one which of them it never had.
    doubtful: BTreeMap<u64, (Handle, u32)>,
    /// The front whose clients they are.
    of: u32,
}

impl Incoming {
    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.guests.len()
    }

    fn remove(&mut self, link: LinkId) -> Option<Guest> {
        let guest = self.guests.remove(&link)?;
        self.links.remove(&guest.client);
        Some(guest)
    }

    /// The reply to a client's call.
    fn replied(&mut self, link: LinkId, bytes: Vec<u8>) -> Option<Answer> {
        let guest = self.guests.get_mut(&link)?;
        guest.call.take()?;
        guest.replies = guest.replies.saturating_add(1);
        Some(Answer::Reply { client: guest.client, bytes })
    }

    /// The service is done with a client. Only one that waits for a reply hears of it: another one may
    /// come back at any time.
    fn dropped(&mut self, link: LinkId) -> Option<Answer> {
        let Guest { client, call, .. } = self.remove(link)?;
        call.map(|call| Answer::Dropped { client, begun: call == Call::Begun })
    }

    /// Turns what goes to a client into what goes to the twin; `false`: nothing does.
    pub(super) fn translate(
        &mut self,
        intent: &mut Intent,
        answer: impl Fn(Answer) -> Option<Intent>,
    ) -> bool {
        let said = match intent {
            Intent::Send { link, frame } if link.is_passed() => {
                self.replied(*link, core::mem::take(frame))
            }
            Intent::Close { link, .. } if link.is_passed() => self.dropped(*link),
            _ => return true,
        };
        match said.and_then(answer) {
            Some(said) => {
                *intent = said;
                true
            }
            None => false,
        }
    }

    /// The link by which they came is gone. Returns them.
    pub(super) fn lose(&mut self) -> Vec<LostGuest> {
        self.links.clear();
        self.doubtful.clear();
        let lost = |(link, Guest { client, replies, .. })| LostGuest { link, client, replies };
        core::mem::take(&mut self.guests).into_iter().map(lost).collect()
    }
}

/// A client of the twin that came by a link of the twin which is gone.
#[derive(Clone, Copy, Debug)]
pub(in crate::front) struct LostGuest {
    pub(in crate::front) link: LinkId,
    client: u64,
    replies: u32,
}

/// What a call that the twin passes on leads to.
#[derive(Debug)]
pub(in crate::front) enum GuestCall {
    /// There is no room for it, and the twin was told so.
    Overloaded,
    /// It came by this link, as any call does.
    Call {
        link: LinkId,
        /// Where the client is, if this is its first call.
        first: Option<SocketAddr>,
    },
}

/// A client of the twin that has gone away.
#[derive(Debug)]
pub(in crate::front) enum GoneGuest {
    /// It had this link. `unsent`: the last reply did not reach it.
    Link { link: LinkId, unsent: bool },
    /// It came by the link before, and the reply that named this handle did not reach it.
    Lost(Handle),
}

impl Twin {
    /// The front whose clients come by the present link has this id: one that was restarted numbers
    /// its clients anew.
    pub(in crate::front) fn guests_are_of(&mut self, front: u32) {
        if core::mem::replace(&mut self.incoming.of, front) != front {
            self.incoming.doubtful.clear();
        }
    }

    /// The twin passes on a call of a client that is at `from`.
    ///
    /// # Errors
    /// Why the link is to be closed.
    pub(in crate::front) fn guest_calls(
        &mut self,
        client: u64,
        from: SocketAddr,
        bytes: &[u8],
        out: &mut Vec<Intent>,
    ) -> Result<GuestCall, CloseReason> {
        let incoming = &mut self.incoming;
        // It has had the reply before this call.
        incoming.doubtful.remove(&client);
        if incoming.len() >= PASSED_CLIENTS && !incoming.links.contains_key(&client) {
            let answer = Answer::Reply { client, bytes: service::overloaded(bytes) };
            out.extend(self.receiver.answer(answer));
            return Ok(GuestCall::Overloaded);
        }
        let mut first = None;
        let link = *incoming.links.entry(client).or_insert_with(|| {
            incoming.number += 1;
            let link = LinkId::passed(incoming.number);
            incoming.guests.insert(link, Guest { client, call: None, replies: 0 });
            // An older front says it as its socket did.
            first = Some(SocketAddr::new(from.ip().to_canonical(), from.port()));
            link
        });
        let guest = incoming.guests.get_mut(&link);
        if guest.is_some_and(|guest| guest.call.replace(Call::Waits).is_some()) {
            return Err(CloseReason::Protocol(
                "a twin passed on a second call before the first had its reply",
            ));
        }
        Ok(GuestCall::Call { link, first })
    }

    /// A call is being decided: from now on it may have been done.
    pub(in crate::front) fn guest_begins(&mut self, link: LinkId) {
        if let Some(guest) = self.incoming.guests.get_mut(&link) {
            guest.call = Some(Call::Begun);
        }
    }

    /// A client of the twin is gone, and so many replies had reached it.
    pub(in crate::front) fn guest_gone(&mut self, client: u64, replies: u32) -> Option<GoneGuest> {
        let doubtful = self.incoming.doubtful.remove(&client).filter(|(_, sent)| *sent > replies);
        match self.incoming.links.get(&client).copied() {
            Some(link) => {
                let guest = self.incoming.remove(link);
                let unsent = guest.is_some_and(|guest| guest.replies > replies);
                Some(GoneGuest::Link { link, unsent })
            }
            None => doubtful.map(|(handle, _)| GoneGuest::Lost(handle)),
        }
    }

    /// The last reply to a client that came by the link before named this handle, and may not have
    /// reached it: the twin says so on the next link.
    pub(in crate::front) fn doubt(&mut self, lost: LostGuest, handle: Handle) {
        self.incoming.doubtful.insert(lost.client, (handle, lost.replies));
    }

    /// For checks: the links of the twin's clients, unless the two maps contradict each other.
    pub(in crate::front) fn guest_links(&self) -> Option<impl Iterator<Item = LinkId>> {
        let Incoming { guests, links, .. } = &self.incoming;
        (guests.len() == links.len()).then(|| guests.keys().copied())
    }
}
