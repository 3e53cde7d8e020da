//! Seats are given, refused, taken back.

use super::World;
use crate::base::limits::CALL_TIMEOUT;
use crate::base::time::Duration;
use crate::log::Mode;
use crate::testing::{TMR, access, container, crypt, release, seat};
use alloc::vec::Vec;

const SECOND: Duration = Duration::from_secs(1);
const MILLI: Duration = Duration::from_millis(1);

#[test]
fn five_seats_and_no_sixth() {
    let mut world = World::serving();
    let mut handles = Vec::new();
    for _ in 0..5 {
        let client = world.connect(0);
        let (status, handle) = world.ask(0, client, seat());
        assert_eq!(status, 0);
        assert!(!handles.contains(&handle));
        handles.push(handle);
    }
    let client = world.connect(0);
    assert_eq!(world.ask(0, client, seat()), (212, 0));
    assert_eq!(world.ask(0, client, crypt(handles[0])).0, 0);
    assert_eq!(world.ask(0, client, release(handles[0])), (0, 0));
    assert_eq!(world.ask(0, client, release(handles[0])).0, 106);
    assert_eq!(world.ask(0, client, crypt(handles[0])).0, 106);
    assert_eq!(world.ask(0, client, seat()).0, 0);
    world.advance(SECOND);
    assert_eq!(world.seats(0), 5);
}

#[test]
fn a_grant_is_told_when_two_have_it_on_disk_and_not_before() {
    for held in [[0, 1], [1, 2], [0, 2]] {
        let mut world = World::serving();
        world.advance(MILLI);
        for index in held {
            world.backends[index].stuck = true;
        }
        let client = world.connect(0);
        world.call(0, client, seat());
        world.advance(SECOND);
        assert_eq!(world.answer(0, client), None, "one of three, {held:?} held back");
        world.unstick(held[0]);
        let (status, handle) = world.answer(0, client).expect("two of three");
        assert_eq!(status, 0);
        assert_eq!(world.answer(0, client), None, "one answer");
        // A release likewise.
        world.backends[held[0]].stuck = true;
        world.call(0, client, release(handle));
        assert_eq!(world.answer(0, client), None);
        world.unstick(held[1]);
        assert_eq!(world.answer(0, client), Some((0, 0)));
    }
}

#[test]
fn seats_on_their_way_are_counted() {
    let mut world = World::serving();
    for backend in 0..3 {
        world.backends[backend].stuck = true;
    }
    let clients = [(); 6].map(|()| world.connect(0));
    for client in clients {
        world.call(0, client, seat());
    }
    for backend in 0..3 {
        world.unstick(backend);
    }
    let told = clients.map(|client| world.answer(0, client).expect("an answer").0);
    assert_eq!(told, [0, 0, 0, 0, 0, 212]);
}

#[test]
fn one_stuck_disk_holds_nobody_up() {
    for slow in 0..3 {
        let mut world = World::serving();
        world.backends[slow].stuck = true;
        let client = world.connect(0);
        assert_eq!(world.ask(0, client, seat()).0, 0);
    }
}

#[test]
fn a_part_that_turns_out_to_differ_gives_218_and_the_seat_back() {
    let mut other = container(2);
    other.part.firm_items[0].products[0].license_quantity = 9;
    let mut world = World::with(1, [container(0), container(1), other.clone()]);
    world.activate(0);
    world.advance(MILLI);
    world.backends[1].stuck = true;
    let client = world.connect(0);
    world.call(0, client, seat());
    // Two have it on disk, but the third's part differs: the second's acknowledgement is awaited.
    assert_eq!(world.answer(0, client), None);
    assert_eq!(world.seats(0), 1);
    world.crash(1);
    other.part.serial = 1001;
    world.backends[1].containers = alloc::vec![other];
    world.restart(1);
    world.advance(SECOND);
    assert_eq!(world.answer(0, client), Some((218, 0)));
    assert_eq!(world.seats(0), 0);
}

#[test]
fn two_differing_parts_are_refused_without_a_seat() {
    let mut parts = [container(0), container(1), container(2)];
    for (index, quantity) in [(1, 6), (2, 7)] {
        parts[index].part.firm_items[0].products[0].license_quantity = quantity;
    }
    let mut world = World::with(1, parts);
    world.activate(0);
    world.advance(MILLI);
    let client = world.connect(0);
    assert_eq!(world.ask(0, client, seat()).0, 218);
    let status = world.status(0);
    assert_eq!(status["licenses"][0]["available"], false);
    assert_eq!(status["licenses"][0]["differs"][0]["field"], "LicenseQuantity");
}

#[test]
fn a_client_that_goes_away_meanwhile_leaves_no_seat() {
    let mut world = World::serving();
    world.backends[1].stuck = true;
    world.backends[2].stuck = true;
    let client = world.connect(0);
    world.call(0, client, seat());
    assert_eq!(world.seats(0), 1);
    world.hang_up(0, client, false);
    world.unstick(1);
    world.advance(MILLI);
    assert_eq!(world.seats(0), 0);
}

#[test]
fn a_number_that_was_not_sent_is_taken_back_and_one_that_was_is_not() {
    for (unsent, left) in [(true, 0), (false, 1)] {
        let mut world = World::serving();
        let client = world.connect(0);
        assert_eq!(world.ask(0, client, seat()).0, 0);
        world.hang_up(0, client, unsent);
        world.advance(MILLI);
        assert_eq!(world.seats(0), left, "unsent: {unsent}");
    }
    // Unsent bytes of a later reply say nothing about the handle: the client has used it.
    let mut world = World::serving();
    let client = world.connect(0);
    let (_, handle) = world.ask(0, client, seat());
    assert_eq!(world.ask(0, client, crypt(handle)).0, 0);
    world.hang_up(0, client, true);
    world.advance(MILLI);
    assert_eq!(world.seats(0), 1);
}

#[test]
fn silence_ends_a_seat_when_its_time_is_up_and_not_before() {
    let mut world = World::serving();
    let quiet = world.connect(0);
    assert_eq!(world.ask(0, quiet, access(TMR, Mode::UserLimit, 60)).0, 0);
    world.hang_up(0, quiet, false);
    let talks = world.connect(0);
    let (_, handle) = world.ask(0, talks, access(TMR, Mode::UserLimit, 60));
    world.advance(59 * SECOND);
    assert_eq!(world.seats(0), 2);
    assert_eq!(world.ask(0, talks, crypt(handle)).0, 0);
    world.advance(SECOND - MILLI);
    assert_eq!(world.seats(0), 2);
    world.advance(MILLI);
    assert_eq!(world.seats(0), 1);
    assert_eq!(world.ask(0, talks, crypt(handle)).0, 0);
    world.advance(60 * SECOND - MILLI);
    assert_eq!(world.seats(0), 1);
    world.advance(MILLI);
    assert_eq!(world.seats(0), 0);
    assert_eq!(world.ask(0, talks, crypt(handle)).0, 106);
}

#[test]
fn with_two_backends_down_a_call_ends_in_130_in_time_and_leaves_nothing() {
    let mut world = World::serving();
    world.backends[1].stuck = true;
    world.backends[2].stuck = true;
    let before = world.connect(0);
    world.call(0, before, seat());
    world.crash(1);
    world.crash(2);
    let after = world.connect(0);
    world.call(0, after, seat());
    world.advance(CALL_TIMEOUT - MILLI);
    assert_eq!(world.answer(0, before), None);
    assert_eq!(world.answer(0, after), None);
    world.advance(MILLI);
    assert_eq!(world.answer(0, before), Some((130, 0)));
    assert_eq!(world.answer(0, after), Some((130, 0)));
    world.restart(1);
    world.restart(2);
    world.advance(2 * SECOND);
    assert_eq!(world.seats(0), 0);
    let third = world.connect(0);
    assert_eq!(world.ask(0, third, seat()).0, 0);
}

#[test]
fn a_seat_that_was_on_its_way_when_the_front_froze_comes_back() {
    let mut world = World::serving();
    world.backends[1].stuck = true;
    world.backends[2].stuck = true;
    let client = world.connect(0);
    world.call(0, client, seat());
    world.fronts[0].frozen = true;
    world.advance(11 * SECOND);
    world.fronts[0].frozen = false;
    world.unstick(1);
    world.unstick(2);
    world.advance(5 * SECOND);
    assert!(world.leads(0));
    assert!(world.client(0, client).closed);
    world.advance(61 * SECOND);
    assert_eq!(world.seats(0), 0, "nobody was told of it");
}

#[test]
fn status_says_at_how_many_backends_a_seat_is() {
    let mut world = super::twins();
    let told = world.take(0, 2);
    // First the seats whose clients were answered, then the other one.
    let rank = |row: &serde_json::Value| told.iter().position(|handle| row["handle"] == *handle);
    let backends = |world: &mut World, seat: usize| {
        let mut rows = world.status(0)["allocations"].as_array().unwrap().clone();
        rows.sort_by_key(|row| rank(row).unwrap_or(usize::MAX));
        rows[seat]["backends"].as_u64().unwrap()
    };
    assert_eq!(backends(&mut world, 1), 3);
    world.backends[1].stuck = true;
    world.backends[2].stuck = true;
    let client = world.connect(0);
    world.call(0, client, seat());
    assert_eq!([0, 1, 2].map(|seat| backends(&mut world, seat)), [3, 3, 0], "on its way");
    world.unstick(1);
    assert_eq!([0, 1, 2].map(|seat| backends(&mut world, seat)), [2, 2, 2], "not at the third");
    world.crash(2);
    assert_eq!(backends(&mut world, 0), 2);
    let handles = |world: &mut World, front: usize| {
        [0, 1, 2].map(|index| world.status(front)["backends"][index]["handles"].as_u64().unwrap())
    };
    assert_eq!(handles(&mut world, 0), [3, 3, 0]);
    assert_eq!(handles(&mut world, 1), [0, 0, 0], "that one does not know what they have");
    let states = [0, 1, 2].map(|index| world.backend_state(1, index));
    assert_eq!(states, ["up", "up", "down"]);
}
