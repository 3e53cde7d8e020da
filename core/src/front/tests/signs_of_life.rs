//! Clients whose calls at the front that stands by cannot be decided: the one that leads learns of
//! them, and does not end their handles.

use super::{World, twins};
use crate::base::limits::{PASSED_CLIENTS, TWIN_REDIAL_MAX};
use crate::base::time::Duration;
use crate::link::LinkId;
use crate::log::Mode;
use crate::messages::twin::TwinMessage;
use crate::testing::{TMR, access, crypt};
use crate::wire::{CmError, Request};
use alloc::vec::Vec;

const SECOND: Duration = Duration::from_secs(1);
const PENDING: CmError = CmError::SERVER_START_PENDING;
/// The clean-up time of the clients, in seconds.
const SHORT: u32 = 30;

/// Cuts front 0 off from the backends.
fn cut_off(world: &mut World) {
    (0..3).for_each(|backend| world.part(0, backend));
}

/// Has a client call once a second for a while, unless it waits for a reply, and reconnect if its
/// link is closed. Returns the statuses, and its link.
fn calls_every_second(
    world: &mut World,
    front: usize,
    mut client: LinkId,
    handle: u32,
    seconds: u32,
) -> (Vec<u32>, LinkId) {
    let (mut told, mut waits) = (Vec::new(), false);
    for _ in 0..seconds {
        if !waits {
            world.call(front, client, crypt(handle));
            waits = true;
        }
        world.advance(SECOND);
        if let Some((status, _)) = world.answer(front, client) {
            told.push(status);
            waits = false;
        } else if world.client(front, client).closed {
            client = world.connect(front);
            waits = false;
        }
    }
    (told, client)
}

#[test]
fn a_line_that_breaks_is_no_sign_of_life_of_a_client() {
    let mut world = twins();
    let client = world.connect(1);
    let cleanup = 60;
    assert_eq!(world.ask(1, client, access(TMR, Mode::UserLimit, cleanup)).0, 0);
    world.advance(50 * SECOND);
    world.break_line();
    world.advance(9 * SECOND);
    assert_eq!(world.seats(0), 1);
    world.advance(2 * SECOND);
    assert_eq!(world.seats(0), 0, "the client has been silent for its clean-up time");
}

#[test]
fn a_client_that_calls_the_standby_all_the_time_keeps_its_seat_while_the_leader_is_cut_off() {
    let mut world = twins();
    let client = world.connect(1);
    let (_, handle) = world.ask(1, client, access(TMR, Mode::UserLimit, SHORT));
    cut_off(&mut world);
    let (told, client) = calls_every_second(&mut world, 1, client, handle, 36);
    assert!(told.len() > 9, "{told:?}");
    assert!(told.iter().skip(1).all(|status| *status == PENDING.code()), "{told:?}");
    world.network.cut.clear();
    world.advance(3 * SECOND);
    world.client(1, client).replies.clear();
    assert!(world.leads(0));
    assert_eq!(world.ask(1, client, crypt(handle)).0, 0, "it never stopped");
    // A client that is silent from here on loses the handle in its time.
    world.advance(Duration::from_secs(u64::from(SHORT) + 1));
    assert_eq!(world.seats(0), 0);
}

#[test]
fn a_call_at_the_standby_that_nobody_can_decide_is_a_sign_of_life_at_the_leader() {
    let mut world = twins();
    let client = world.connect(1);
    let (_, handle) = world.ask(1, client, access(TMR, Mode::UserLimit, SHORT));
    world.advance(24 * SECOND);
    // Too short for the leader to give up, and the client calls only in that time.
    cut_off(&mut world);
    world.advance(3 * SECOND);
    world.call(1, client, crypt(handle));
    world.advance(4 * SECOND);
    assert_eq!(world.answer(1, client), Some((PENDING.code(), 0)));
    world.network.cut.clear();
    world.advance(20 * SECOND);
    assert!(world.leads(0));
    assert_eq!(world.ask(1, client, crypt(handle)).0, 0, "24 s after its call, which was refused");
}

#[test]
fn a_call_at_the_standby_counts_from_when_it_came_once_the_line_stands_again() {
    let mut world = twins();
    let client = world.connect(1);
    let (_, handle) = world.ask(1, client, access(TMR, Mode::UserLimit, SHORT));
    world.line.cut = true;
    world.break_line();
    world.advance(10 * SECOND);
    assert_eq!(world.ask(1, client, crypt(handle)).0, PENDING.code());
    world.advance(10 * SECOND);
    world.line.cut = false;
    world.advance(TWIN_REDIAL_MAX + SECOND);
    assert_eq!(world.status(1)["twin"]["connected"], true);
    world.advance(16 * SECOND);
    assert_eq!(world.seats(0), 1, "39 s after it was granted, 29 s after the client called");
    world.advance(2 * SECOND);
    assert_eq!(world.seats(0), 0);
}

#[test]
fn a_client_for_whom_there_is_no_room_is_alive_all_the_same() {
    let mut world = twins();
    let client = world.connect(0);
    let (_, handle) = world.ask(0, client, access(TMR, Mode::UserLimit, SHORT));
    world.hang_up(0, client, false);
    let version = || Request::GetVersion { handle: 0 }.encode();
    for _ in 0..PASSED_CLIENTS {
        let other = world.connect(1);
        assert_eq!(world.ask(1, other, version()).0, 0);
    }
    let client = world.connect(1);
    let overload = CmError::REQUEST_OVERLOAD_REJECTED.code();
    world.advance(20 * SECOND);
    assert_eq!(world.ask(1, client, crypt(handle)).0, overload);
    world.advance(20 * SECOND);
    assert_eq!(world.seats(0), 1);
    // The leader also learns of the client when it is the one that has no room.
    let from = crate::testing::peer(1);
    world.tell_as(1, &TwinMessage::Call { client: 1 << 40, from, bytes: crypt(handle) });
    world.advance(20 * SECOND);
    assert_eq!(world.seats(0), 1);
    world.advance(11 * SECOND);
    assert_eq!(world.seats(0), 0);
}

#[test]
fn a_leader_that_slept_ends_nobody_before_it_has_listened() {
    let mut world = twins();
    let client = world.connect(0);
    let (_, handle) = world.ask(0, client, access(TMR, Mode::UserLimit, SHORT));
    world.fronts[0].frozen = true;
    world.advance(36 * SECOND);
    world.fronts[0].frozen = false;
    world.advance(3 * SECOND);
    assert!(world.leads(0));
    assert_eq!(world.seats(0), 1, "what the client said meanwhile was heard by nobody");
    let again = world.connect(0);
    assert_eq!(world.ask(0, again, crypt(handle)).0, 0);
    world.advance(Duration::from_secs(u64::from(SHORT) + 1));
    assert_eq!(world.seats(0), 0);
}
