//! Planned failover: calls on their way, calls that wait, and the outcome when it fails.

use super::{World, twins, with_address};
use crate::base::limits::{
    ANYONE_TIMEOUT, CALL_TIMEOUT, HANDOVER_ADDRESS, HANDOVER_CLAIM, HANDOVER_DRAIN, HANDOVER_FLUSH,
    HANDOVER_WAIT, TWIN_REDIAL_MAX,
};
use crate::base::time::Duration;
use crate::link::LinkId;
use crate::log::Mode;
use crate::messages::group::Order;
use crate::messages::twin::{TwinMessage, Version};
use crate::testing::{TMR, access, crypt, seat};
use alloc::string::String;
use serde_json::Value;

const SECOND: Duration = Duration::from_secs(1);
const MILLI: Duration = Duration::from_millis(1);

/// Runs `tmrd failover` for a front. Returns the status code and the message.
fn order(world: &mut World, front: usize) -> (u16, String) {
    let request = "POST /api/failover HTTP/1.1\r\nX-Tmr-Admin: 1\r\nContent-Length: 0\r\n\r\n";
    let answer = world.http(front, request);
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head["HTTP/1.1 ".len()..][..3].parse().unwrap(), body.into())
}

#[track_caller]
fn ordered(world: &mut World, front: usize) {
    let (code, said) = order(world, front);
    assert_eq!(code, 202, "{said}");
    world.run();
}

#[track_caller]
fn refused(world: &mut World, front: usize, reason: &str) {
    let (code, said) = order(world, front);
    assert_eq!(code, 409);
    assert!(said.contains(reason), "{said}");
    assert_eq!(trouble(world, front), Value::Null, "nothing was begun");
}

fn trouble(world: &mut World, front: usize) -> Value {
    world.status(front)["failover_trouble"].take()
}

/// Returns how often a front has ordered its twin to lead.
fn leads_told(world: &World, front: usize) -> usize {
    let lead = |bytes: &[u8]| matches!(TwinMessage::decode(bytes, 2), Ok(TwinMessage::Lead { .. }));
    world.line.told.iter().filter(|(from, bytes)| *from == front && lead(bytes)).count()
}

/// Returns a client with a call that cannot end now.
fn with_a_call(world: &mut World, front: usize) -> LinkId {
    let client = world.connect(front);
    world.call(front, client, seat());
    assert_eq!(world.answer(front, client), None);
    client
}

/// Returns two fronts, of which the second one's program does not report its machine yet.
fn with_a_twin_that_does_not_say() -> World {
    let mut world = World::new(1);
    world.activate(0);
    world.line.cut = true;
    world.add_front();
    world.fronts[1].node.speak(Version { minor: Version::MACHINE - 1, ..Version::OWN });
    world.line.cut = false;
    world.advance(TWIN_REDIAL_MAX + SECOND);
    world
}

#[track_caller]
fn goes_on_at(world: &mut World, front: usize) {
    assert!(world.leads(front), "{:#}", world.status(front));
    let client = world.connect(front);
    assert_eq!(world.ask(front, client, seat()).0, 0);
}

#[test]
fn the_other_one_leads_within_milliseconds() {
    let mut world = twins();
    let handles = world.take(0, 3);
    let client = world.connect(0);
    ordered(&mut world, 0);
    assert!(world.leads(1), "{:#}", world.status(1));
    assert_eq!((world.role(0), trouble(&mut world, 0)), ("standby".into(), Value::Null));
    assert_eq!(leads_told(&world, 0), 1);
    assert!(!world.client(0, client).closed, "there is no address that leaves");
    for handle in handles {
        let client = world.connect(1);
        assert_eq!(world.ask(1, client, crypt(handle)).0, 0);
    }
    let epoch = world.status(1)["epoch"].clone();
    // And back again; in between, neither front claims by itself.
    world.advance(20 * SECOND);
    assert_eq!(world.status(1)["epoch"], epoch);
    ordered(&mut world, 1);
    goes_on_at(&mut world, 0);
    assert_eq!(world.seats(0), 4);
}

#[test]
fn what_was_begun_ends_first_and_what_comes_is_passed_on() {
    let mut world = twins();
    for backend in 0..3 {
        world.backends[backend].stuck = true;
    }
    let begun = with_a_call(&mut world, 0);
    ordered(&mut world, 0);
    let late = with_a_call(&mut world, 0);
    assert_eq!(leads_told(&world, 0), 0);
    // A second order changes nothing.
    ordered(&mut world, 0);
    for backend in 0..3 {
        world.unstick(backend);
    }
    assert_eq!(world.answer(0, begun).map(|(status, _)| status), Some(0));
    assert_eq!(leads_told(&world, 0), 1);
    goes_on_at(&mut world, 1);
    assert_eq!(world.answer(0, late).map(|(status, _)| status), Some(0));
    assert_eq!(world.seats(1), 3, "each was done once");
}

#[test]
fn one_that_cannot_end_what_was_begun_keeps_the_role() {
    let mut world = twins();
    for backend in 0..3 {
        world.backends[backend].stuck = true;
    }
    let begun = with_a_call(&mut world, 0);
    ordered(&mut world, 0);
    let late = with_a_call(&mut world, 0);
    world.advance(HANDOVER_DRAIN);
    assert!(trouble(&mut world, 0).as_str().unwrap().contains("did not end"));
    for backend in 0..3 {
        world.unstick(backend);
    }
    for client in [begun, late] {
        assert_eq!(world.answer(0, client).map(|(status, _)| status), Some(0));
    }
    assert!(world.leads(0));
    assert_eq!((world.role(1), leads_told(&world, 0)), ("standby".into(), 0));
}

#[test]
fn a_twin_that_does_not_take_it_leaves_it_here() {
    type Spoil = fn(&mut World);
    let ways: [(&str, Spoil); 4] = [
        ("it dies", |world| world.fronts[1].frozen = true),
        ("the word is lost", |world| world.line.loses = true),
        ("it cannot reach two backends", |world| {
            world.part(1, 0);
            world.part(1, 1);
        }),
        ("its claims are lost", |world| {
            world.network.lose = |_, order| matches!(order, Order::Claim { .. });
        }),
    ];
    for (what, spoil) in ways {
        let mut world = with_a_twin_that_does_not_say();
        spoil(&mut world);
        ordered(&mut world, 0);
        let waits = with_a_call(&mut world, 0);
        world.advance(HANDOVER_WAIT);
        assert_eq!(world.answer(0, waits).map(|(status, _)| status), Some(0), "{what}");
        assert!(trouble(&mut world, 0).as_str().unwrap().contains("told to lead"), "{what}");
        // The obstacle is gone, but the front does not take the role before it is ordered again.
        world.fronts[1].frozen = false;
        world.line.loses = false;
        world.network.lose = |_, _| false;
        world.network.cut.clear();
        world.advance(20 * SECOND);
        goes_on_at(&mut world, 0);
        assert_eq!(world.role(1), "standby", "{what}");
        ordered(&mut world, 0);
        world.advance(MILLI);
        goes_on_at(&mut world, 1);
        assert_eq!(trouble(&mut world, 0), Value::Null, "{what}");
    }
}

#[test]
fn a_twin_that_dies_with_the_promises_is_not_waited_for() {
    let mut world = twins();
    // It gets its promises, and nothing else.
    world.network.lose = |_, order| matches!(order, Order::Append { .. } | Order::Confirm { .. });
    ordered(&mut world, 0);
    world.fronts[1].frozen = true;
    world.network.lose = |_, _| false;
    world.advance(HANDOVER_CLAIM + 2 * CALL_TIMEOUT);
    goes_on_at(&mut world, 0);
}

#[test]
fn the_word_of_a_twin_that_is_lost_comes_from_the_backends() {
    let mut world = twins();
    for backend in 0..3 {
        world.backends[backend].stuck = true;
    }
    ordered(&mut world, 0);
    assert_eq!(leads_told(&world, 0), 1);
    world.line.loses = true;
    for backend in 0..3 {
        world.unstick(backend);
    }
    world.advance(2 * SECOND);
    goes_on_at(&mut world, 1);
    assert_eq!((world.role(0), trouble(&mut world, 0)), ("standby".into(), Value::Null));
}

#[test]
fn it_says_why_it_cannot_be() {
    let mut world = twins();
    refused(&mut world, 1, "does not lead");
    world.line.cut = true;
    world.break_line();
    refused(&mut world, 0, "is not connected; to have it lead all the same: tmrd activate there");
    goes_on_at(&mut world, 0);
    // Both connections are needed.
    for lost in 0..2 {
        let mut world = twins();
        world.line.cut = true;
        world.break_dialled(|front| front == lost);
        refused(&mut world, 0, "is not connected");
    }

    let mut alone = World::new(0);
    alone.add_front_with(|config| config.twin = None);
    alone.activate(0);
    alone.advance(SECOND);
    refused(&mut alone, 0, "TmrServer.TwinServer is not configured");

    let mut world = World::new(1);
    world.activate(0);
    world.line.cut = true;
    world.add_front();
    world.fronts[1].node.speak(Version { major: 1, minor: 1 });
    world.line.cut = false;
    world.advance(TWIN_REDIAL_MAX + SECOND);
    refused(&mut world, 0, "cannot be given the role");
}

#[test]
fn an_operator_who_wants_it_back_has_it() {
    let mut world = twins();
    world.line.loses = true;
    ordered(&mut world, 0);
    let waits = with_a_call(&mut world, 0);
    world.activate(0);
    assert_eq!(world.answer(0, waits).map(|(status, _)| status), Some(0));
}

#[test]
fn the_address_goes_when_clients_have_heard_all() {
    let mut world = with_address();
    let (idle, epoch) = (world.connect(0), world.status(0)["epoch"].as_u64().unwrap());
    for backend in 0..3 {
        world.backends[backend].stuck = true;
    }
    let begun = with_a_call(&mut world, 0);
    ordered(&mut world, 0);
    let late = with_a_call(&mut world, 0);
    for client in [idle, begun, late] {
        assert!(!world.client(0, client).closed);
    }
    for backend in 0..3 {
        world.unstick(backend);
    }
    assert!(world.leads(1));
    for client in [begun, late] {
        assert_eq!(world.answer(0, client).map(|(status, _)| status), Some(0));
    }
    for client in [idle, begun, late] {
        assert!(world.client(0, client).closed);
    }
    let early = world.connect(0);
    assert!(world.client(0, early).closed, "it is to come again when the address has left");
    assert!(!world.fronts[0].away, "the last of it is on its way out");
    world.advance(HANDOVER_FLUSH);
    assert!(world.fronts[0].away);
    world.address(0, false);
    world.address(1, true);
    world.advance(SECOND);
    assert!(!world.fronts[0].away, "it clears itself");
    assert_eq!(trouble(&mut world, 0), Value::Null);
    goes_on_at(&mut world, 1);
    let claimed = world.status(1)["epoch"].as_u64().unwrap() - epoch;
    assert_eq!(claimed, 1, "the address that follows makes no other claim");
    let other = world.connect(0);
    assert!(!world.client(0, other).closed);
}

#[test]
fn an_address_that_stays_is_an_operators_business() {
    let mut world = with_address();
    ordered(&mut world, 0);
    world.advance(HANDOVER_FLUSH + HANDOVER_ADDRESS);
    assert!(trouble(&mut world, 0).as_str().unwrap().contains("keepalived"));
    assert!(world.fronts[0].away, "it still belongs to the other one");
    assert!(world.leads(1));
    assert_eq!(world.role(0), "standby");
    let client = world.connect(0);
    assert!(!world.client(0, client).closed);
}

#[test]
fn a_call_that_a_backend_works_on_ends_first() {
    let mut world = twins();
    let handle = world.take(0, 1)[0];
    world.network.lose = |_, order| matches!(order, Order::Perform { .. });
    let client = world.connect(0);
    world.call(0, client, crypt(handle));
    world.network.lose = |_, _| false;
    ordered(&mut world, 0);
    assert_eq!(leads_told(&world, 0), 0);
    world.advance(ANYONE_TIMEOUT);
    assert_eq!(world.answer(0, client).map(|(status, _)| status), Some(0));
    assert_eq!(leads_told(&world, 0), 1);
    goes_on_at(&mut world, 1);
}

#[test]
fn what_nobody_waits_for_is_committed_first() {
    let mut world = twins();
    for backend in 0..3 {
        world.backends[backend].stuck = true;
    }
    let client = world.connect(0);
    // It takes no seat, so its client is answered before the grant is on any disk.
    assert_eq!(world.ask(0, client, access(TMR, Mode::NoUserLimit, 60)).0, 0);
    ordered(&mut world, 0);
    assert_eq!(leads_told(&world, 0), 0);
    for backend in 0..3 {
        world.unstick(backend);
    }
    assert_eq!(leads_told(&world, 0), 1);
    goes_on_at(&mut world, 1);
    assert_eq!(world.seats(1), 2);
}

#[test]
fn one_that_cannot_take_it_does_not_try() {
    let mut world = with_a_twin_that_does_not_say();
    world.part(1, 0);
    world.part(1, 1);
    ordered(&mut world, 0);
    assert_eq!(leads_told(&world, 0), 1);
    assert_eq!(world.role(1), "standby");
}
