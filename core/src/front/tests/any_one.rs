//! Calls that any one backend can do.

use super::World;
use crate::base::limits::{ANYONE_TIMEOUT, CALL_TIMEOUT};
use crate::base::time::Duration;
use crate::messages::group::Order;
use crate::testing::{container, crypt, seat};

const MILLI: Duration = Duration::from_millis(1);

#[test]
fn a_backend_that_does_not_answer_is_passed_over_unseen() {
    let mut world = World::serving();
    let client = world.connect(0);
    let (_, handle) = world.ask(0, client, seat());
    world.call(0, client, crypt(handle));
    let want = world.client(0, client).replies.pop().unwrap();
    world.network.lose = |backend, order| backend != 2 && matches!(order, Order::Perform { .. });
    for _ in 0..3 {
        world.call(0, client, crypt(handle));
        world.advance(2 * ANYONE_TIMEOUT);
        assert_eq!(world.client(0, client).replies, core::slice::from_ref(&want));
        world.client(0, client).replies.clear();
    }
}

#[test]
fn a_backend_that_dies_over_a_call_hands_it_on_at_once() {
    let mut world = World::serving();
    let client = world.connect(0);
    let (_, handle) = world.ask(0, client, seat());
    world.network.lose = |_, order| matches!(order, Order::Perform { .. });
    world.call(0, client, crypt(handle));
    world.network.lose = |_, _| false;
    // One of them has it; the others return before the next one goes.
    for index in 0..3 {
        world.advance(150 * MILLI);
        assert_eq!(world.answer(0, client), None);
        world.unplug(|ends| ends.backend == index);
        if let Some((status, _)) = world.answer(0, client) {
            return assert_eq!(status, 0);
        }
    }
    panic!("nobody did it");
}

#[test]
fn when_nobody_answers_the_client_is_told_in_time() {
    let mut world = World::serving();
    let client = world.connect(0);
    let (_, handle) = world.ask(0, client, seat());
    world.network.lose = |_, order| matches!(order, Order::Perform { .. });
    world.call(0, client, crypt(handle));
    world.advance(CALL_TIMEOUT + MILLI);
    assert_eq!(world.answer(0, client).map(|(status, _)| status), Some(100));
    assert_eq!(world.answer(0, client), None);
}

#[test]
fn load_is_spread_evenly() {
    let mut world = World::serving();
    let client = world.connect(0);
    let (_, handle) = world.ask(0, client, seat());
    world.told = Some(alloc::vec![]);
    for _ in 0..30 {
        assert_eq!(world.ask(0, client, crypt(handle)).0, 0);
    }
    let told = world.told.take().unwrap();
    for index in 0..3 {
        let prefix = alloc::format!("front → {index}: Perform");
        let count = told.iter().filter(|line| line.starts_with(&prefix)).count();
        assert_eq!(count, 10, "backend {index}");
    }
}

#[test]
fn a_part_that_differs_does_no_calls() {
    let mut other = container(2);
    other.part.firm_items[0].products[0].license_quantity = 9;
    let mut world = World::with(1, [container(0), container(1), other]);
    world.activate(0);
    world.advance(MILLI);
    let client = world.connect(0);
    let (_, handle) = world.ask(0, client, seat());
    world.told = Some(alloc::vec![]);
    for _ in 0..6 {
        assert_eq!(world.ask(0, client, crypt(handle)).0, 0);
    }
    let told = world.told.take().unwrap();
    assert!(!told.iter().any(|line| line.starts_with("front → 2: Perform")), "{told:?}");
}

#[test]
fn one_that_owes_an_answer_gets_no_more_calls_while_others_are_idle() {
    let mut world = World::serving();
    let client = world.connect(0);
    let (_, handle) = world.ask(0, client, seat());
    world.network.lose = |backend, order| backend == 0 && matches!(order, Order::Perform { .. });
    // They take turns: one of three calls is its.
    let waiting = (0..3).filter(|_| {
        let client = world.connect(0);
        world.call(0, client, crypt(handle));
        world.answer(0, client).is_none()
    });
    assert_eq!(waiting.count(), 1);
    for _ in 0..6 {
        assert_eq!(world.ask(0, client, crypt(handle)).0, 0, "at once");
    }
}
