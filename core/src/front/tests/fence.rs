//! A backend that returns: what its disk has forgotten, and which confirmations count until it has
//! answered.

use super::{World, twins};
use crate::base::time::Duration;
use crate::messages::group::Order;
use crate::testing::{crypt, seat};
use alloc::vec::Vec;

const MILLI: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

/// Returns a world in which front 0 leads, and sends nothing of its own in the next 400 ms.
fn quiet() -> World {
    let mut world = twins();
    world.line.cut = true;
    world.break_line();
    let next = world.fronts[0].node.leadership.heartbeat();
    world.advance(next.since(world.now.mono));
    world
}

#[test]
fn what_a_disk_said_before_another_one_came_back_commits_nothing() {
    let mut world = quiet();
    let old = world.backends[2].disk.clone();
    // An entry of front 0 is on backend 0 alone, and front 0 knows that.
    world.network.lose = |backend, order| backend > 0 && matches!(order, Order::Append { .. });
    let client = world.connect(0);
    world.call(0, client, seat());
    world.network.lose = |_, _| false;
    // Another front leads with the other two and overwrites the slot. Front 0 does not learn of it.
    let next = 1;
    world.part(next, 0);
    world.activate(next);
    assert!(world.leads(next));
    let handles = world.take(next, 5);
    world.network.cut.clear();
    world.advance(100 * MILLI);
    assert_eq!(world.backend_state(next, 0), "up");
    assert!(world.leads(0), "it has not heard of the other one");
    // Backend 2 forgets all of that, and returns to front 0.
    world.crash(2);
    world.network.cut.push((next, 2));
    world.backends[2].disk = old;
    world.restart(2);
    world.advance(250 * MILLI);
    assert_eq!(world.answer(0, client).filter(|(status, _)| *status == 0), None, "six of five");
    world.advance(5 * SECOND);
    assert_eq!(world.answer(0, client).filter(|(status, _)| *status == 0), None, "six of five");
    assert!(!world.leads(0));
    let client = world.connect(next);
    for handle in handles {
        assert_eq!(world.ask(next, client, crypt(handle)).0, 0, "{handle}");
    }
}

#[test]
fn nobody_is_told_what_was_so_before_a_disk_came_back_that_has_forgotten() {
    let mut world = quiet();
    let client = world.connect(0);
    let (_, handle) = world.ask(0, client, seat());
    let old = world.backends[2].disk.clone();
    let next = 1;
    world.activate(next);
    world.advance(100 * MILLI);
    assert!(world.leads(next) && world.leads(0));
    world.crash(2);
    world.network.cut.push((next, 2));
    world.backends[2].disk = old;
    world.restart(2);
    // The orders of front 0 to the others are on their way.
    world.network.lose = |backend, order| {
        backend < 2 && matches!(order, Order::Confirm { .. } | Order::Witness { .. })
    };
    world.advance(250 * MILLI);
    assert!(world.fronts[0].node.leadership.leads(), "it has not heard of it");
    world.call(0, client, crypt(handle));
    assert_eq!(world.answer(0, client), None, "backends 0 and 1 have promised another front");
}

#[test]
fn a_backend_that_comes_back_costs_one_round_trip_and_no_client() {
    let mut world = quiet();
    let client = world.connect(0);
    let (_, handle) = world.ask(0, client, seat());
    world.crash(2);
    world.restart(2);
    world.advance(200 * MILLI);
    assert_eq!(world.backend_state(0, 2), "up");
    let (status, _) = world.ask(0, client, crypt(handle));
    assert_eq!((status, world.client(0, client).closed), (0, false));
    let other = world.connect(0);
    assert_eq!(world.ask(0, other, seat()).0, 0);
}

#[test]
fn a_claim_is_proved_when_those_whose_copies_were_read_hold_to_their_promise() {
    let mut world = quiet();
    let next = 1;
    world.part(next, 0);
    // Backend 2 promises, and answers nothing after that.
    world.network.lose = |backend, order| {
        backend == 2 && matches!(order, Order::Append { .. } | Order::Confirm { .. })
    };
    world.activate(next);
    assert!(!world.leads(next));
    world.network.cut.clear();
    world.advance(700 * MILLI);
    assert_eq!(world.backend_state(next, 0), "up");
    assert!(!world.leads(next), "backend 2 may have gone back, and backend 0 was not read");
    world.network.lose = |backend, order| backend == 2 && matches!(order, Order::Append { .. });
    world.advance(500 * MILLI);
    assert!(world.leads(next), "its word suffices");
}

#[test]
fn a_claim_is_begun_again_when_one_is_gone_whose_copy_was_read() {
    let mut world = quiet();
    let handles: Vec<u32> = world.take(0, 2);
    let next = 1;
    world.part(next, 0);
    world.network.lose = |backend, order| {
        backend == 2 && matches!(order, Order::Append { .. } | Order::Confirm { .. })
    };
    world.activate(next);
    world.network.cut.clear();
    world.advance(700 * MILLI);
    assert!(!world.leads(next));
    world.crash(2);
    world.advance(SECOND);
    assert!(world.leads(next), "with the two that are here");
    let client = world.connect(next);
    for handle in handles {
        assert_eq!(world.ask(next, client, crypt(handle)).0, 0, "{handle}");
    }
}
