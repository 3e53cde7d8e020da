//! Clients of the twin, which stands by and passes their calls on while this front leads: a session
//! at the desk each, with a link that is no connection. What the desk sends there goes to the twin.
//!
//! Each call that came has one answer: its reply, or that it gets none. A call that waits when this
//! front steps back was not begun, and goes back to the twin; it is never passed on from here.

use super::super::{Front, Phase};
use crate::desk;
use crate::io::Intent;
use crate::limits::PASSED_CLIENTS;
use crate::link::{Link, Why};
use crate::log::Handle;
use crate::time::Now;
use crate::wire::Request;
use crate::wire::twin::Answer;
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
    guests: BTreeMap<Link, Guest>,
    /// By the twin's number for it.
    links: BTreeMap<u64, Link>,
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

    fn remove(&mut self, link: Link) -> Option<Guest> {
        let guest = self.guests.remove(&link)?;
        self.links.remove(&guest.client);
        Some(guest)
    }

    /// The reply to a client's call.
    fn replied(&mut self, link: Link, bytes: Vec<u8>) -> Option<Answer> {
        let guest = self.guests.get_mut(&link)?;
        guest.call.take()?;
        guest.replies = guest.replies.saturating_add(1);
        Some(Answer::Reply { client: guest.client, bytes })
    }

    /// The desk is done with a client. Only one that waits for a reply hears of it: another one may
    /// come back at any time.
    fn dropped(&mut self, link: Link) -> Option<Answer> {
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
}

impl Front {
    /// A link stands with the front of this id: one that was restarted numbers its clients anew.
    pub(super) fn guests_of(&mut self, front: u32) {
        let Some(twin) = &mut self.twin else { return };
        if core::mem::replace(&mut twin.incoming.of, front) != front {
            twin.incoming.doubtful.clear();
        }
    }

    /// The twin passes on a call.
    pub(super) fn guest_calls(
        &mut self,
        now: Now,
        client: u64,
        (from, bytes): (SocketAddr, Vec<u8>),
        out: &mut Vec<Intent>,
    ) -> Result<(), Why> {
        let Some(twin) = &mut self.twin else { return Ok(()) };
        let guests = &mut twin.incoming;
        // It has had the reply before this call.
        guests.doubtful.remove(&client);
        if guests.len() >= PASSED_CLIENTS && !guests.links.contains_key(&client) {
            let answer = Answer::Reply { client, bytes: desk::overloaded(&bytes) };
            out.extend(twin.receiver.answer(answer));
            // There is no room for its call, but it is there.
            if let Some(handle) = Request::parse(&bytes).ok().and_then(|call| call.handle()) {
                self.desk.alive(now.mono, Handle(handle), self.log.speculative_state());
            }
            return Ok(());
        }
        let link = *guests.links.entry(client).or_insert_with(|| {
            guests.number += 1;
            let link = Link::passed(guests.number);
            guests.guests.insert(link, Guest { client, call: None, replies: 0 });
            // An older front says it as its socket did.
            let from = SocketAddr::new(from.ip().to_canonical(), from.port());
            self.desk.accepted(now, link, from);
            link
        });
        let Some(guest) = guests.guests.get_mut(&link) else { return Ok(()) };
        if guest.call.replace(Call::Waits).is_some() {
            return Err(Why::Protocol(
                "a twin passed on a second call before the first had its reply",
            ));
        }
        self.call(now, link, bytes, out);
        Ok(())
    }

    /// A call is being decided: from now on it may have been done.
    pub(in crate::front) fn guest_begins(&mut self, link: Link) {
        let guest = self.twin.as_mut().and_then(|twin| twin.incoming.guests.get_mut(&link));
        if let Some(guest) = guest {
            guest.call = Some(Call::Begun);
        }
    }

    /// A client of the twin is gone, and so many replies had reached it.
    pub(super) fn guest_gone(&mut self, client: u64, replies: u32) {
        let Some(twin) = &mut self.twin else { return };
        let doubtful = twin.incoming.doubtful.remove(&client).filter(|(_, sent)| *sent > replies);
        let link = twin.incoming.links.get(&client).copied();
        if let Some(link) = link {
            let unsent = twin.incoming.remove(link).is_some_and(|guest| guest.replies > replies);
            self.client_closed(link, unsent);
        } else if let Some((handle, _)) = doubtful {
            self.give_back(handle, "its number did not reach the twin's client");
        }
    }

    /// The link by which they came is gone.
    pub(super) fn guests_lost(&mut self) {
        let Some(twin) = &mut self.twin else { return };
        twin.incoming.links.clear();
        twin.incoming.doubtful.clear();
        for (link, guest) in core::mem::take(&mut twin.incoming.guests) {
            self.unpark_one(link);
            let fresh = self.desk.closed(link, true);
            if let (Some(handle), Some(twin)) = (fresh, &mut self.twin) {
                twin.incoming.doubtful.insert(guest.client, (handle, guest.replies));
            }
        }
    }

    /// What must hold between any two steps.
    pub(in crate::front) fn guests_are_at_the_desk(&self) -> bool {
        let Some(twin) = &self.twin else { return true };
        let guests = &twin.incoming;
        guests.links.len() == guests.len()
            && guests.guests.keys().all(|link| self.desk.knows(*link))
    }

    /// A front that does not even try to lead, or gives its role away, keeps no call of its twin's
    /// clients.
    pub(in crate::front) fn guests_settle(&mut self, out: &mut Vec<Intent>) {
        let quiet = matches!(self.phase, Phase::Standby) || self.wish.deposed;
        if !quiet && !self.failover.holds_back() {
            return;
        }
        let waiting: Vec<Link> =
            self.parked.keys().rev().take_while(|link| link.is_passed()).copied().collect();
        for link in waiting {
            self.unpark_one(link);
            self.desk.dismiss(link);
            out.push(Intent::Close { link, why: Why::Stepped("this front does not lead") });
        }
    }
}
