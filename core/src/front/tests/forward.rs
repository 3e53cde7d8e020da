//! Clients of a front that stands by: served as at the one that leads, and never by both.

use super::{World, twins};
use crate::base::limits::{
    CALL_TIMEOUT, HEARTBEAT, PASSED_CLIENTS, PASSED_TIMEOUT, TWIN_REDIAL_MAX,
};
use crate::base::time::Duration;
use crate::link::LinkId;
use crate::log::Mode;
use crate::messages::twin::{TwinMessage, Version};
use crate::service;
use crate::testing::{TMR, access, crypt, release, reply, seat};
use crate::wire::{CmError, Request};
use alloc::vec::Vec;

const SECOND: Duration = Duration::from_secs(1);
const PENDING: CmError = CmError::SERVER_START_PENDING;

/// Returns how many clients of front 1 are passed to front 0, by the status of each front.
fn passed(world: &mut World) -> (u64, u64) {
    let of = |world: &mut World, front: usize, key: &str| world.status(front)["twin"][key].as_u64();
    (of(world, 1, "passed_to").unwrap(), of(world, 0, "passed_from").unwrap())
}

/// Asserts that a client's link is closed without a reply.
#[track_caller]
fn closed_without_a_word(world: &mut World, front: usize, link: LinkId) {
    assert_eq!(world.answer(front, link), None);
    assert!(world.client(front, link).closed);
}

/// Sets whether the backends' disks are stuck, so that whatever needs them waits.
fn stick(world: &mut World, stuck: bool) {
    for backend in 0..3 {
        world.backends[backend].stuck = stuck;
    }
    world.run();
}

#[test]
fn a_client_of_the_standby_is_served_by_the_leader() {
    let mut world = twins();
    let client = world.connect(1);
    let (status, handle) = world.ask(1, client, seat());
    assert_eq!(status, 0);
    assert_eq!(world.ask(1, client, crypt(handle)).0, 0);
    assert_eq!(world.role(1), "standby");
    assert_eq!(passed(&mut world), (1, 1));
    let shown = world.status(0)["allocations"][0].take();
    assert_eq!((&shown["handle"], &shown["client"]), (&handle.into(), &"198.51.100.7".into()));
    // The handle works at the other address, and is released there.
    let other = world.connect(0);
    assert_eq!(world.ask(0, other, crypt(handle)).0, 0);
    assert_eq!(world.ask(0, other, release(handle)), (0, 0));
    assert_eq!(world.ask(1, client, crypt(handle)).0, CmError::INVALID_HANDLE.code());
    world.hang_up(1, client, false);
    assert_eq!(passed(&mut world), (0, 0));
}

#[test]
fn a_seat_counts_once_wherever_it_was_taken() {
    let mut world = twins();
    let mut handles = world.take(0, 3);
    handles.extend(world.take(1, 2));
    for front in 0..2 {
        let client = world.connect(front);
        let full = CmError::NO_MORE_LICENSES.code();
        assert_eq!(world.ask(front, client, seat()).0, full, "at front {front}");
    }
    let client = world.connect(1);
    assert_eq!(world.ask(1, client, release(handles[0])), (0, 0));
    assert_eq!(world.take(0, 1).len(), 1);
    assert_eq!((world.seats(0), world.seats(1)), (5, 5));
}

#[test]
fn answers_are_the_same_at_either_address() {
    let mut world = twins();
    let (here, there) = (world.connect(0), world.connect(1));
    let calls = [
        Request::GetVersion { handle: 0 }.encode(),
        Request::GetServers { ctrl: 0, size: 512 }.encode(),
        Request::Release { handle: 5 }.encode(),
        access(999, Mode::UserLimit, 60),
        access(TMR, Mode::StationShare, 0),
        b"no call".to_vec(),
    ];
    for call in calls {
        let mut said = Vec::new();
        for (front, link) in [(0, here), (1, there)] {
            world.call(front, link, call.clone());
            let reply = world.client(front, link).replies.remove(0);
            said.push(reply);
        }
        let [(one, _), (other, _)] = [&said[0], &said[1]].map(|bytes| reply(bytes));
        assert_eq!((one, said[0].len()), (other, said[1].len()), "{call:?}");
    }
}

#[test]
fn a_client_that_goes_gives_back_what_it_did_not_hear_of() {
    let mut world = twins();
    // While the grant waits for the disks.
    let client = world.connect(1);
    stick(&mut world, true);
    world.call(1, client, seat());
    assert_eq!(world.answer(1, client), None);
    world.hang_up(1, client, false);
    stick(&mut world, false);
    assert_eq!(world.seats(0), 0);
    // When the reply has arrived and was not sent yet.
    let client = world.connect(1);
    assert_eq!(world.ask(1, client, seat()).0, 0);
    assert_eq!(world.seats(0), 1);
    world.hang_up(1, client, true);
    assert_eq!(world.seats(0), 0);
    // A handle whose reply has arrived is kept, whether or not the reply to a later call has.
    let client = world.connect(1);
    let (_, handle) = world.ask(1, client, seat());
    assert_eq!(world.ask(1, client, crypt(handle)).0, 0);
    world.hang_up(1, client, true);
    assert_eq!(world.seats(0), 1);
    assert_eq!(passed(&mut world), (0, 0));
}

#[test]
fn a_reply_goes_to_the_client_that_has_called() {
    let mut world = twins();
    let (first, second) = (world.connect(1), world.connect(1));
    let (_, handle) = world.ask(1, second, seat());
    stick(&mut world, true);
    world.call(1, first, seat());
    // A later call that waits for no disk is answered first.
    assert_eq!(world.ask(1, second, crypt(handle)).0, 0);
    assert_eq!(world.answer(1, first), None);
    stick(&mut world, false);
    let (status, other) = world.answer(1, first).expect("its own reply");
    assert_eq!((status, other != handle), (0, true));
    assert_eq!(world.answer(1, second), None);
}

#[test]
fn a_broken_line_closes_who_waits_and_keeps_who_does_not() {
    let mut world = twins();
    let (waits, idle) = (world.connect(1), world.connect(1));
    let (_, handle) = world.ask(1, idle, seat());
    stick(&mut world, true);
    world.call(1, waits, seat());
    world.line.cut = true;
    world.break_line();
    closed_without_a_word(&mut world, 1, waits);
    assert!(!world.client(1, idle).closed);
    assert_eq!(passed(&mut world), (0, 0));
    assert_eq!(world.ask(1, idle, crypt(handle)).0, PENDING.code(), "nobody here knows who leads");
    stick(&mut world, false);
    assert_eq!(world.seats(0), 1, "the seat of the one that waited is given back");
    world.line.cut = false;
    world.advance(TWIN_REDIAL_MAX);
    assert_eq!(world.ask(1, idle, crypt(handle)).0, 0);
    assert_eq!(world.ask(1, idle, release(handle)), (0, 0));
}

#[test]
fn a_reply_that_is_lost_on_the_line_costs_no_seat() {
    let mut world = twins();
    let (keeps, loses) = (world.connect(1), world.connect(1));
    let (_, handle) = world.ask(1, keeps, seat());
    stick(&mut world, true);
    world.call(1, loses, seat());
    world.line.loses = true;
    stick(&mut world, false);
    assert_eq!(world.seats(0), 2);
    world.line.loses = false;
    world.line.cut = true;
    world.break_line();
    closed_without_a_word(&mut world, 1, loses);
    assert_eq!(world.seats(0), 2, "this end does not know which reply arrived");
    world.line.cut = false;
    world.advance(TWIN_REDIAL_MAX);
    assert_eq!(world.seats(0), 1, "now it does");
    assert_eq!(world.ask(1, keeps, crypt(handle)).0, 0);
}

#[test]
fn a_call_that_is_lost_on_the_line_costs_no_seat() {
    let mut world = twins();
    let client = world.connect(1);
    let (_, handle) = world.ask(1, client, seat());
    world.line.loses = true;
    world.call(1, client, crypt(handle));
    world.line.loses = false;
    world.line.cut = true;
    world.break_line();
    closed_without_a_word(&mut world, 1, client);
    world.line.cut = false;
    world.advance(TWIN_REDIAL_MAX);
    assert_eq!(world.seats(0), 1, "its number had reached the client");
}

#[test]
fn a_line_of_which_the_leader_never_heard_costs_no_seat() {
    let mut world = twins();
    let client = world.connect(1);
    let (status, handle) = world.ask(1, client, seat());
    assert_eq!(status, 0);
    // The next connection is one that only front 1 can use, and breaks with a call on it.
    world.line.mute = Some(1);
    world.break_dialled(|by| by == 1);
    world.advance(TWIN_REDIAL_MAX);
    world.call(1, client, seat());
    world.break_dialled(|by| by == 1);
    world.line.mute = None;
    world.advance(TWIN_REDIAL_MAX + SECOND);
    let other = world.connect(0);
    assert_eq!(world.ask(0, other, crypt(handle)).0, 0, "its client was told of it");
}

#[test]
fn an_own_reply_that_is_lost_costs_no_seat_of_the_twins() {
    let mut world = twins();
    let client = world.connect(1);
    assert_eq!(world.ask(1, client, seat()).0, 0);
    // The front that stands by answers a call that cannot be parsed by itself.
    world.call(1, client, alloc::vec![0; 3]);
    world.hang_up(1, client, true);
    assert_eq!(world.seats(0), 1, "the client called after it was told of its seat");
}

#[test]
fn a_standby_that_is_replaced_takes_nobodys_seat_back() {
    let mut world = twins();
    let client = world.connect(1);
    let (_, handle) = world.ask(1, client, seat());
    world.break_line();
    // Another process, whose clients have the same numbers.
    let number = client.0;
    world.speak_as(1, 0xabc, &[TwinMessage::Gone { client: number, replies: 0 }]);
    let other = world.connect(0);
    assert_eq!(world.ask(0, other, crypt(handle)).0, 0);
}

#[test]
fn clients_stay_connected_at_both_while_the_lead_changes_sides() {
    let mut world = twins();
    let at_standby = world.connect(1);
    let (_, handle) = world.ask(1, at_standby, seat());
    world.activate(1);
    world.advance(SECOND);
    assert_eq!((world.role(0), world.role(1)), ("standby".into(), "active".into()));
    assert_eq!(world.ask(1, at_standby, crypt(handle)).0, 0, "now served on the spot");
    let moved = world.connect(0);
    assert_eq!(world.ask(0, moved, crypt(handle)).0, 0, "now passed on the other way");
    world.activate(0);
    world.advance(SECOND);
    assert_eq!(world.ask(0, moved, crypt(handle)).0, 0);
    let again = world.connect(1);
    assert_eq!(world.ask(1, again, release(handle)), (0, 0));
    assert_eq!((world.seats(0), world.seats(1)), (0, 0));
}

#[test]
fn a_call_that_was_not_begun_goes_to_the_one_that_leads_then() {
    let mut world = twins();
    let client = world.connect(1);
    assert_eq!(world.ask(1, client, Request::GetVersion { handle: 0 }.encode()).0, 0);
    // With one backend the leader decides nothing: calls that are passed to it wait.
    for backend in 1..3 {
        world.part(0, backend);
    }
    world.call(1, client, seat());
    // That one reports a claim that has not succeeded yet.
    (1..3).for_each(|backend| world.backends[backend].stuck = true);
    world.activate(1);
    world.advance(SECOND);
    assert_eq!((world.role(0), world.role(1)), ("starting".into(), "starting".into()));
    assert_eq!(passed(&mut world), (1, 0), "it was given back");
    assert_eq!(world.answer(1, client), None);
    stick(&mut world, false);
    world.advance(SECOND);
    assert!(world.leads(1));
    assert_eq!(world.answer(1, client).map(|(status, _)| status), Some(0));
    assert_eq!(world.seats(1), 1);
}

#[test]
fn a_call_that_may_have_been_done_is_not_done_again() {
    let mut world = twins();
    let client = world.connect(1);
    stick(&mut world, true);
    world.call(1, client, seat());
    // The leader has proposed it, and another front reads it from the backends.
    for backend in 0..3 {
        world.backends[backend].stuck = false;
        world.part(0, backend);
    }
    world.activate(1);
    world.advance(SECOND);
    assert!(world.leads(1));
    closed_without_a_word(&mut world, 1, client);
}

#[test]
fn a_call_that_was_begun_is_not_done_again_when_its_leader_drops_it() {
    let mut world = twins();
    let client = world.connect(1);
    stick(&mut world, true);
    world.call(1, client, seat());
    // The leader has proposed it, and learns that it is deposed before the other one leads.
    world.activate(1);
    world.advance(HEARTBEAT);
    assert!(!world.leads(0) && !world.leads(1));
    closed_without_a_word(&mut world, 1, client);
    stick(&mut world, false);
    world.advance(SECOND);
    assert!(world.leads(1));
    assert_eq!(world.seats(1), 1, "what the first one proposed, and nothing else");
}

#[test]
fn a_leader_that_cannot_decide_says_so_in_time() {
    let mut world = twins();
    let client = world.connect(1);
    for backend in 1..3 {
        world.part(0, backend);
    }
    world.call(1, client, seat());
    world.advance(PASSED_TIMEOUT);
    let missing = CmError::REDUNDANCY_SERVER_MISSING.code();
    assert_eq!(world.answer(1, client), Some((missing, 0)));
    assert!(!world.client(1, client).closed);
}

#[test]
fn a_leader_that_says_nothing_costs_a_call_its_link() {
    let mut world = twins();
    let client = world.connect(1);
    world.fronts[0].frozen = true;
    world.call(1, client, seat());
    world.advance(CALL_TIMEOUT);
    closed_without_a_word(&mut world, 1, client);
    world.fronts[0].frozen = false;
    world.advance(SECOND);
    assert_eq!(world.seats(0), 0);
}

#[test]
fn what_waits_here_is_passed_on_as_soon_as_the_other_one_leads() {
    let mut world = World::new(2);
    world.advance(SECOND);
    let client = world.connect(1);
    assert_eq!(world.ask(1, client, seat()).0, PENDING.code(), "nobody tries to lead");
    // It can reach its twin and no backend: it tries, and does not succeed.
    for backend in 0..3 {
        world.part(0, backend);
    }
    world.activate(0);
    world.call(1, client, seat());
    assert_eq!(world.answer(1, client), None);
    world.network.cut.clear();
    world.advance(2 * SECOND);
    assert!(world.leads(0));
    assert_eq!(world.answer(1, client).map(|(status, _)| status), Some(0));
}

#[test]
fn nothing_goes_back_and_forth() {
    let mut world = twins();
    // Each assumes that the other one leads: front 1 by a report that is not true any more.
    world.activate(1);
    world.advance(SECOND);
    assert!(world.leads(1));
    world.line.told.clear();
    let from = crate::testing::peer(1);
    let call = TwinMessage::Call { client: 8, from, bytes: seat() };
    world.tell_as(1, &call);
    let calls = world.line.told.iter().filter(|(by, bytes)| {
        *by == 0
            && matches!(
                TwinMessage::decode(bytes, Version::OWN.minor),
                Ok(TwinMessage::Call { .. })
            )
    });
    assert_eq!(calls.count(), 0, "front 0 stands by, and passes on only its own");
    assert_eq!(passed(&mut world), (0, 0));
    assert_eq!(world.seats(1), 0);
}

#[test]
fn a_twin_of_before_is_not_bothered() {
    let mut world = World::new(1);
    world.activate(0);
    world.line.cut = true;
    world.add_front();
    world.fronts[0].node.speak(Version { major: 1, minor: 1 });
    world.line.cut = false;
    world.advance(TWIN_REDIAL_MAX + SECOND);
    assert_eq!(world.status(1)["twin"]["connected"], true);
    let client = world.connect(1);
    assert_eq!(world.ask(1, client, seat()).0, PENDING.code());
    assert_eq!(passed(&mut world), (0, 0));
}

#[test]
fn there_is_room_for_so_many_and_no_more() {
    let mut world = twins();
    let version = || Request::GetVersion { handle: 0 }.encode();
    let clients: Vec<LinkId> = (0..PASSED_CLIENTS).map(|_| world.connect(1)).collect();
    for &client in &clients {
        assert_eq!(world.ask(1, client, version()).0, 0);
    }
    let more = world.connect(1);
    let overload = reply(&service::overloaded(&version()));
    assert_eq!(world.ask(1, more, version()), overload);
    assert_eq!(world.ask(1, clients[7], version()).0, 0);
    world.hang_up(1, clients[7], false);
    assert_eq!(world.ask(1, more, version()).0, 0);
    let room = PASSED_CLIENTS as u64;
    assert_eq!(passed(&mut world), (room, room));
    // The one that leads goes on, whatever it receives.
    let from = crate::testing::peer(1);
    world.tell_as(1, &TwinMessage::Call { client: 1 << 40, from, bytes: version() });
    assert_eq!(passed(&mut world).1, room);
}

#[test]
fn a_second_call_before_the_reply_ends_the_link() {
    let mut world = twins();
    let from = crate::testing::peer(1);
    stick(&mut world, true);
    for _ in 0..2 {
        world.tell_as(1, &TwinMessage::Call { client: 8, from, bytes: seat() });
    }
    assert_eq!(world.status(0)["twin"]["connected"], false);
    stick(&mut world, false);
    assert_eq!(world.seats(0), 0);
}
