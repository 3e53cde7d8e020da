//! Owners of handles, and calls of other clients with them.

use super::service_test::{PLAIN, Table, table};
use super::{CallAction, CallContext};
use crate::base::limits::{
    PACE_LONGEST, PACE_REFUSED, PACE_SEATLESS, SEATLESS_INHERITED, SEATLESS_PER_ADDRESS,
    SEATLESS_UNLINKED, STRANGER_FREE, STRANGER_LONGEST, STRANGER_PAUSE,
};
use crate::base::time::{Duration, Mono, Now};
use crate::config::{AccessRule, Binding, Policy};
use crate::io::Intent;
use crate::link::LinkId;
use crate::log::{Entry, Handle, Mode, State};
use crate::testing::access;
use crate::wire::{CmError, Reply, Request};
use core::net::{IpAddr, SocketAddr};
use std::vec;
use std::vec::Vec;

const OWN: &str = "192.0.2.1";
const OTHER: &str = "192.0.2.66";
const REFUSED: Option<CmError> = Some(CmError::INVALID_HANDLE);

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// A table with clients at several addresses.
struct Room(Table);

impl Room {
    fn new() -> Self {
        let mut table = table();
        table.service.start(table.now);
        Self(table)
    }

    fn come(&mut self, link: u64, from: &str) {
        let now = self.0.now;
        self.0.service.accepted(now, LinkId(link), SocketAddr::new(address(from), 40_000));
    }

    fn go(&mut self, link: u64) {
        self.0.service.closed(LinkId(link), false);
    }

    fn pass(&mut self, span: Duration) {
        let Now { mono, wall } = self.0.now;
        self.0.now = Now { mono: mono + span, wall };
        self.0.service.start(self.0.now);
    }

    /// Returns the replies that a call causes at once.
    fn call(&mut self, link: u64, request: &Request) -> Vec<Reply> {
        let (table, link) = (&mut self.0, LinkId(link));
        let mut out = Vec::new();
        table.service.heard(table.now.mono, link);
        table.service.named(table.now.mono, link, request, &table.state);
        let context =
            CallContext { now: table.now, state: &table.state, catalogue: &table.catalogue };
        match table.service.call(link, request, &context, &mut out) {
            CallAction::Commit(Entry::Grant(grant)) => {
                table.state.apply(&Entry::Grant(grant.clone()));
                table.service.granted(table.now.mono, link, &grant, &mut out);
            }
            CallAction::Commit(entry) => {
                table.state.apply(&entry);
                table.service.released(link, &mut out);
            }
            _ => {}
        }
        let replies = out.into_iter().filter_map(|intent| match intent {
            Intent::Send { frame, .. } => Some(Reply::parse(&frame).unwrap()),
            _ => None,
        });
        replies.collect()
    }

    fn take(&mut self, link: u64, mode: Mode) -> u32 {
        let mut request = Request::parse(&access(PLAIN, mode, 3_600)).unwrap();
        if let Request::Access2 { access, .. } = &mut request {
            access.borrow_data.client_name = "ws-1".into();
        }
        let replies = self.call(link, &request);
        assert_eq!(replies[0].status.code(), 0);
        replies[0].result
    }

    /// Returns the error of a call with a handle; `None` if it succeeds.
    fn uses(&mut self, link: u64, handle: u32) -> Option<CmError> {
        let replies = self.call(link, &Request::GetVersion { handle });
        Some(replies[0].status).filter(|status| status.code() != 0)
    }
}

#[test]
fn a_handle_is_its_own_address_s_while_its_link_is_there() {
    let mut room = Room::new();
    room.come(2, OWN);
    room.come(3, OTHER);
    let handle = room.take(2, Mode::UserLimit);
    assert_eq!(room.uses(3, handle), REFUSED);
    let release = Request::Release { handle };
    assert_eq!(room.call(3, &release)[0].status, CmError::INVALID_HANDLE);
    assert!(room.0.state.held(Handle(handle)).is_some());
    // Another link from the same address may use it, whatever happens to the first one.
    room.come(4, OWN);
    assert_eq!(room.uses(4, handle), None);
    room.go(2);
    assert_eq!(room.uses(3, handle), REFUSED, "the link that used it last is there");
    assert_eq!(room.call(2 + 2, &release)[0].status.code(), 0);
}

#[test]
fn a_handle_moves_once_when_the_link_that_used_it_has_ended() {
    let mut room = Room::new();
    room.come(2, OWN);
    let handle = room.take(2, Mode::UserLimit);
    room.go(2);
    room.come(3, OTHER);
    room.come(4, OWN);
    room.come(5, "203.0.113.5");
    assert_eq!(room.uses(3, handle), None, "a client whose address has changed");
    assert_eq!(room.uses(4, handle), REFUSED);
    assert_eq!(room.uses(5, handle), REFUSED);
    room.go(3);
    assert_eq!(room.uses(4, handle), None, "and back");
    assert_eq!(room.uses(5, handle), REFUSED);
}

#[test]
fn after_a_takeover_a_handle_is_where_it_was_and_may_move() {
    let mut room = Room::new();
    room.come(2, OWN);
    let handles = [0, 1].map(|_| room.take(2, Mode::UserLimit));
    room.0.service.forget_handles();
    room.go(2);
    let Table { service, state, now, .. } = &mut room.0;
    service.take_over(now.mono, state);
    room.come(3, OWN);
    room.come(4, OTHER);
    assert_eq!(room.uses(3, handles[0]), None);
    assert_eq!(room.uses(4, handles[0]), REFUSED);
    assert_eq!(room.uses(4, handles[1]), None);
    assert_eq!(room.uses(3, handles[1]), REFUSED);
}

#[test]
fn a_host_that_says_its_name_has_its_handles_by_ipv4_and_ipv6() {
    let mut room = Room::new();
    room.come(2, OWN);
    let handle = room.take(2, Mode::NoUserLimit);
    room.come(3, "2001:db8::1");
    assert_eq!(room.uses(3, handle), REFUSED, "nobody knows that it is the same");
    room.take(3, Mode::NoUserLimit);
    assert_eq!(room.uses(3, handle), None);
    room.come(4, OTHER);
    room.take(4, Mode::NoUserLimit);
    assert_eq!(room.uses(4, handle), REFUSED, "a name is no address of another family");
    room.come(5, "::ffff:192.0.2.1");
    assert_eq!(room.uses(5, handle), None);
}

#[test]
fn access_control_stands_before_every_handle_that_comes_from_elsewhere() {
    for binding in [Binding::Address, Binding::None] {
        let mut room = Room::new();
        room.come(2, OWN);
        let handle = room.take(2, Mode::UserLimit);
        let rule = AccessRule {
            allow: false,
            networks: vec!["192.0.2.66/32".parse().unwrap()],
            firm_code: None,
            product_code: Some(PLAIN),
        };
        room.0.service.obey(Policy { rules: vec![rule], binding, ..Policy::default() });
        room.come(3, OTHER);
        room.come(4, "203.0.113.5");
        assert_eq!(room.uses(3, handle), REFUSED);
        let other = if binding == Binding::None { None } else { REFUSED };
        assert_eq!(room.uses(4, handle), other);
        room.go(2);
        room.go(4);
        assert_eq!(room.uses(3, handle), REFUSED, "nor does it move there");
        room.come(5, OWN);
        assert_eq!(room.uses(5, handle), None);
    }
}

#[test]
fn whoever_names_wrong_handles_waits_and_nobody_else_does() {
    let mut room = Room::new();
    room.come(2, OWN);
    let handle = room.take(2, Mode::UserLimit);
    room.come(3, OTHER);
    for guess in 0..=STRANGER_FREE {
        assert_eq!(room.uses(3, handle ^ (1 + guess)), REFUSED);
    }
    assert!(room.call(3, &Request::GetVersion { handle }).is_empty(), "it waits");
    assert_eq!(room.uses(2, handle), None);
    assert_eq!(room.0.service.waited(room.0.now.mono), []);
    let due = room.0.service.waits_until().unwrap();
    assert_eq!(due, room.0.now.mono + STRANGER_PAUSE.0);
    room.pass(STRANGER_PAUSE.0);
    let waited = room.0.service.waited(due);
    assert_eq!(waited.len(), 1);
    assert_eq!(
        (waited[0].0, Request::parse(&waited[0].1)),
        (LinkId(3), Ok(Request::GetVersion { handle }))
    );
    assert_eq!(room.uses(3, handle), REFUSED, "its wait is over");
    // A right guess takes as long as a wrong one.
    room.come(4, OWN);
    let free = room.take(4, Mode::UserLimit);
    room.go(4);
    assert!(room.call(3, &Request::GetVersion { handle: free }).is_empty());
    // A delayed call is dropped with its link.
    assert!(room.call(3, &Request::GetVersion { handle }).is_empty());
    room.go(3);
    assert_eq!(
        (room.0.service.waits_until(), room.0.service.waited(Mono(u64::MAX))),
        (None, vec![])
    );
}

#[test]
fn a_client_whose_address_is_a_guesser_s_now_gets_through() {
    let mut room = Room::new();
    room.come(2, OWN);
    let handle = room.take(2, Mode::UserLimit);
    room.go(2);
    for link in 3..6 {
        room.come(link, OTHER);
        for guess in 1..=2 * STRANGER_FREE {
            let wrong = Request::GetVersion { handle: guess };
            if room.call(link, &wrong).is_empty() {
                room.pass(STRANGER_LONGEST);
                room.0.service.waited(room.0.now.mono);
                assert_eq!(room.uses(link, guess), REFUSED);
            }
        }
    }
    // Two of them are delayed, which is the limit.
    let guess = Request::GetVersion { handle: 77 };
    let full = (3..6).any(|link| !room.call(link, &guess).is_empty());
    assert!(full);
    room.come(9, OTHER);
    assert!(room.call(9, &Request::GetVersion { handle }).is_empty(), "it waits");
    let given_up = room.0.service.waited(room.0.now.mono);
    assert_eq!(given_up.len(), 1);
    let refused = room.call(given_up[0].0.0, &guess);
    assert_eq!(refused[0].status, CmError::REQUEST_OVERLOAD_REJECTED);
    room.pass(STRANGER_LONGEST);
    let waited = room.0.service.waited(room.0.now.mono);
    assert!(waited.iter().any(|(link, _)| *link == LinkId(9)));
    assert_eq!(room.uses(9, handle), None);
}

#[test]
fn a_million_guesses_take_more_than_eleven_days_and_find_nothing() {
    let mut room = Room::new();
    room.come(2, OWN);
    let handles: Vec<u32> = (0..9).map(|_| room.take(2, Mode::NoUserLimit)).collect();
    room.go(2);
    let begun = room.0.now.mono;
    let (mut found, mut guesses, mut away) = (0, 0_u32, 0_u32);
    let mut guess = 1_u32;
    for link in 3..6 {
        room.come(link, OTHER);
    }
    // Three links at once, each with a guess as soon as it has the reply to the one before.
    let mut ready: Vec<u64> = (3..6).collect();
    while guesses < 1_000_000 {
        for link in core::mem::take(&mut ready) {
            guess = guess.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let replies = room.call(link, &Request::GetVersion { handle: (guess >> 1).max(1) });
            match replies.first().map(|reply| reply.status) {
                None => {}
                Some(CmError::INVALID_HANDLE) => {
                    guesses += 1;
                    ready.push(link);
                }
                // Rejected unread, so the guess revealed nothing. It is repeated when another one
                // is through.
                Some(CmError::REQUEST_OVERLOAD_REJECTED) => away += 1,
                Some(_) => found += 1,
            }
        }
        if let Some(due) = room.0.service.waits_until() {
            let span = due.since(room.0.now.mono);
            room.pass(span);
            for (link, call) in room.0.service.waited(due) {
                let replies = room.call(link.0, &Request::parse(&call).unwrap());
                guesses += 1;
                found += u32::from(replies[0].status != CmError::INVALID_HANDLE);
            }
            ready = (3..6).collect();
        }
    }
    let took = room.0.now.mono.since(begun);
    std::println!("{guesses} guesses, {away} turned away, took {} h", took.as_secs() / 3_600);
    assert_eq!(found, 0, "of {} handles that could have moved", handles.len());
    assert!(took > Duration::from_secs(11 * 24 * 3_600), "{took:?}");
    assert!(took < Duration::from_secs(12 * 24 * 3_600), "{took:?}");
    assert!(STRANGER_LONGEST < crate::base::limits::CALL_TIMEOUT && away > 0);
}

#[test]
fn handles_without_a_seat_end_soon_after_their_link_and_later_after_a_takeover() {
    let mut room = Room::new();
    room.come(2, OWN);
    let (seat, free) = (room.take(2, Mode::UserLimit), room.take(2, Mode::NoUserLimit));
    let takes = |room: &mut Room| {
        let Table { service, state, now, .. } = &mut room.0;
        service.take_over(now.mono, state);
    };
    room.go(2);
    takes(&mut room);
    let ended = |room: &mut Room| {
        let Table { service, state, now, .. } = &mut room.0;
        service.ended(now.mono, state)
    };
    room.pass(SEATLESS_INHERITED.saturating_sub(Duration::from_secs(1)));
    assert_eq!(ended(&mut room), []);
    room.come(3, OWN);
    assert_eq!(room.uses(3, free), None, "its client came back");
    room.pass(SEATLESS_INHERITED);
    assert_eq!(ended(&mut room), []);
    room.go(3);
    room.pass(SEATLESS_UNLINKED);
    assert_eq!(ended(&mut room), [Entry::Expire(Handle(free))]);
    assert!(room.0.state.held(Handle(seat)).is_some());
}

#[test]
fn who_asks_in_vain_without_end_waits_and_nobody_else_does() {
    let mut room = Room::new();
    room.come(2, OTHER);
    room.come(3, OWN);
    let ask = |mode| Request::parse(&access(PLAIN, mode, 3_600)).unwrap();
    let unknown = || {
        let mut request = ask(Mode::UserLimit);
        if let Request::Access2 { access, .. } = &mut request {
            access.product_code = 4_711;
        }
        request
    };
    let replies = |room: &mut Room, link| room.call(link, &unknown());
    let refused = (0..10_000).take_while(|_| !replies(&mut room, 2).is_empty()).count();
    assert_eq!(refused as u32, PACE_REFUSED / 4 + 1, "a burst");
    assert_eq!(replies(&mut room, 3)[0].status, CmError::ENTRY_NOT_FOUND);
    assert_eq!(room.call(3, &ask(Mode::UserLimit))[0].status.code(), 0);
    // A delayed access is served within a second, once, whether it is refused or not.
    let due = room.0.service.waits_until().unwrap();
    assert!(due > room.0.now.mono && due <= room.0.now.mono + PACE_LONGEST);
    assert!(room.0.service.waited(room.0.now.mono).is_empty());
    room.pass(PACE_LONGEST);
    let waited = room.0.service.waited(room.0.now.mono);
    assert_eq!(waited.iter().map(|(link, _)| *link).collect::<Vec<_>>(), [LinkId(2)]);
    let again = Request::parse(&waited[0].1).unwrap();
    assert_eq!(room.call(2, &again)[0].status, CmError::ENTRY_NOT_FOUND);
    assert_eq!(room.0.service.waits_until(), None);
    // A call that names a handle is not delayed by this.
    let handle = room.take(2, Mode::UserLimit);
    (0..1_000).for_each(|_| drop(room.call(2, &unknown())));
    assert_eq!(room.uses(2, handle), None);
}

#[test]
fn one_address_has_its_share_of_handles_without_a_seat_and_no_more() {
    let mut room = Room::new();
    room.0.service.take_numbers(11, 1_001..=6_000);
    room.come(2, OTHER);
    for _ in 0..SEATLESS_PER_ADDRESS {
        room.take(2, Mode::NoUserLimit);
        room.pass(Duration::from_secs(1) / PACE_SEATLESS);
    }
    let ask = |mode| Request::parse(&access(PLAIN, mode, 3_600)).unwrap();
    let without = ask(Mode::NoUserLimit);
    assert_eq!(room.call(2, &without)[0].status, CmError::NO_MORE_HANDLES);
    assert_eq!(room.call(2, &ask(Mode::UserLimit))[0].status.code(), 0, "a seat is no part of it");
    room.come(3, OWN);
    // Without a host name: a host is counted under the first of its addresses.
    let own = room.call(3, &without)[0].result;
    assert_eq!(room.0.state.seatless(address(OTHER)), (SEATLESS_PER_ADDRESS, 4_097));
    // A handle that ends makes room, once.
    for _ in 0..2 {
        room.0.state.apply(&Entry::Expire(Handle(own)));
    }
    assert_eq!(room.0.state.seatless(address(OWN)), (0, 4_096));
    let copy = State::decode(&room.0.state.encode()).unwrap();
    assert_eq!(copy.seatless(address(OTHER)), (SEATLESS_PER_ADDRESS, 4_096));
}
