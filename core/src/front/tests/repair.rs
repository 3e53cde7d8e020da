//! Backends that connect late, return blank, or belong to another group.

use super::{World, twins};
use crate::base::limits::{BACKEND_SILENCE, HEARTBEAT};
use crate::base::time::Duration;
use crate::messages::group::Order;
use crate::testing::{crypt, seat};
use alloc::vec::Vec;

const SECOND: Duration = Duration::from_secs(1);
const MILLI: Duration = Duration::from_millis(1);

/// Asserts that all these handles are known, and that no more than five seats are granted.
fn holds(world: &mut World, front: usize, handles: &[u32]) {
    let client = world.connect(front);
    for &handle in handles {
        assert_eq!(world.ask(front, client, crypt(handle)).0, 0, "{handle}");
    }
    let free = 5 - handles.len();
    world.take(front, free);
    assert_eq!(world.ask(front, client, seat()).0, 212);
}

#[test]
fn a_late_backend_catches_up_and_then_counts() {
    let mut world = World::serving();
    world.crash(2);
    let handles = world.take(0, 3);
    assert_eq!(world.backend_state(0, 2), "down");
    world.restart(2);
    world.advance(2 * SECOND);
    assert_eq!(world.backend_state(0, 2), "up");
    world.crash(0);
    holds(&mut world, 0, &handles);
}

#[test]
fn a_blank_backend_is_repaired_taken_in_and_then_counts() {
    let mut world = World::serving();
    let handles = world.take(0, 3);
    let disk = world.status(0);
    world.crash(2);
    world.backends[2].disk.clear();
    world.restart(2);
    world.advance(2 * SECOND);
    assert_eq!(world.backend_state(0, 2), "up", "{disk:#}");
    world.crash(0);
    holds(&mut world, 0, &handles);
    // For the next front it is a member as well, alone with one of the old ones.
    world.fronts[0].frozen = true;
    let next = world.add_front();
    world.activate(next);
    world.advance(2 * SECOND);
    assert!(world.leads(next));
    assert_eq!(world.seats(next), 5);
}

#[test]
fn a_connection_that_nobody_knows_to_be_dead_keeps_no_place_in_the_group() {
    let mut world = World::serving();
    // Backend 1 is gone, and its connection still seems to be up.
    world.network.lose = |backend, _| backend == 1;
    world.crash(2);
    world.backends[2].disk.clear();
    world.restart(2);
    world.advance(SECOND + 100 * MILLI);
    assert_eq!(world.backend_state(0, 2), "repairing", "its copy is whole, and it is no member");
    let log = world.fronts[0].node.replication.log();
    let members = log.committed_state().members();
    assert_eq!(
        log.speculative_state().members(),
        members,
        "a member that is away may have lost its place"
    );
    // When it answers, it is known which place is free.
    world.network.lose = |_, _| false;
    world.advance(4 * SECOND);
    assert_eq!(world.backend_state(0, 2), "up");
}

#[test]
fn a_blank_backend_makes_no_quorum() {
    let mut world = World::serving();
    world.backends[0].stuck = true;
    // On the disks of 1 and 2 only.
    let handles = world.take(0, 1);
    world.fronts[0].frozen = true;
    world.crash(0);
    world.crash(1);
    world.crash(2);
    world.backends[1].disk.clear();
    world.restart(0);
    world.restart(1);
    let next = world.add_front();
    world.activate(next);
    world.advance(20 * SECOND);
    assert!(!world.leads(next), "0 does not know of the seat, and 1 has forgotten it");
    assert!(world.backends[1].node.group().is_none());
    world.restart(2);
    world.advance(10 * SECOND);
    assert!(world.leads(next));
    holds(&mut world, next, &handles);
}

#[test]
fn one_that_was_repaired_counts_when_it_is_a_member() {
    let mut world = World::serving();
    world.take(0, 1);
    world.crash(2);
    world.backends[2].disk.clear();
    // It cannot be admitted while this one writes nothing.
    world.backends[1].stuck = true;
    world.restart(2);
    world.advance(300 * MILLI);
    assert!(world.backends[2].node.group().is_some(), "the state is installed");
    let client = world.connect(0);
    world.call(0, client, seat());
    assert_eq!(world.answer(0, client), None, "one member has it, and one that is none");
    world.unstick(1);
    assert_eq!(world.answer(0, client).map(|(status, _)| status), Some(0));
}

#[test]
fn one_that_was_repaired_and_not_taken_in_yet_does_not_keep_the_members_from_leading() {
    let mut world = World::serving();
    let handles = world.take(0, 2);
    world.crash(0);
    world.backends[0].disk.clear();
    for index in [1, 2] {
        world.backends[index].stuck = true;
    }
    world.network.lose = |backend, order| backend == 0 && matches!(order, Order::Append { .. });
    world.restart(0);
    world.advance(300 * MILLI);
    assert!(world.backends[0].node.group().is_some(), "the state is installed");
    world.fronts[0].frozen = true;
    world.network.lose = |_, _| false;
    for index in [1, 2] {
        world.crash(index);
        world.restart(index);
    }
    // The answers arrive in the order 0, 1, 2: the first two are a member and a disk that is none.
    let next = world.add_front();
    world.activate(next);
    world.advance(5 * SECOND);
    assert!(world.leads(next), "{:#}", world.status(next));
    holds(&mut world, next, &handles);
    world.advance(SECOND);
    assert_eq!(world.backend_state(next, 0), "up");
}

#[test]
fn another_groups_backend_does_not_count_and_the_operator_is_told() {
    let mut other = World::serving();
    other.fronts[0].frozen = true;
    let mut world = World::new(1);
    // Born under other ids than the first group: its front has another seed.
    let front = world.add_front();
    world.activate(front);
    world.advance(MILLI);
    assert_ne!(world.backends[2].node.group(), other.backends[2].node.group());
    let handles = world.take(front, 2);
    world.crash(2);
    world.backends[2].disk = other.backends[2].disk.clone();
    world.restart(2);
    world.advance(2 * SECOND);
    let status = world.status(front);
    let trouble = status["backends"][2]["trouble"].as_str().unwrap();
    assert!(trouble.starts_with("its state folder belongs to group "), "{trouble}");
    assert_ne!(status["backends"][2]["state"], "up");
    assert_eq!(world.backends[2].node.group(), other.backends[2].node.group());
    holds(&mut world, front, &handles);
    world.crash(1);
    let client = world.connect(front);
    world.call(front, client, seat());
    world.advance(4 * SECOND);
    assert_ne!(world.answer(front, client).expect("an answer").0, 0);
}

#[test]
fn a_backend_that_restarts_from_any_moment_of_its_disk_keeps_what_it_acknowledged() {
    let mut world = World::serving();
    let mut handles = Vec::new();
    for round in 0..5 {
        handles.extend(world.take(0, 1));
        let index = round % 3;
        world.crash(index);
        world.advance(100 * MILLI);
        world.restart(index);
        world.advance(2 * SECOND);
        assert_eq!(world.backend_state(0, index), "up");
    }
    holds(&mut world, 0, &handles);
}

#[test]
fn a_repaired_backend_does_not_count_before_the_members_have_taken_it_in() {
    let mut world = World::serving();
    world.crash(1);
    world.crash(2);
    world.backends[2].disk.clear();
    world.restart(2);
    world.advance(SECOND);
    assert!(world.backends[2].node.group().is_some(), "the state is installed");
    assert_eq!(world.backend_state(0, 2), "repairing");
    let client = world.connect(0);
    world.call(0, client, seat());
    world.advance(SECOND);
    assert_eq!(world.answer(0, client), None, "it is on the disk of one member");
    world.restart(1);
    world.advance(SECOND);
    assert_eq!(world.answer(0, client).map(|(status, _)| status), Some(0));
    assert_eq!(world.backend_state(0, 2), "up");
}

#[test]
fn a_front_that_was_away_reads_the_state_of_backends_that_have_forgotten_its_log() {
    let mut world = twins();
    world.line.cut = true;
    world.break_line();
    let handles = world.take(0, 3);
    for index in [1, 2] {
        world.crash(index);
        world.backends[index].disk.clear();
        world.restart(index);
        world.advance(2 * SECOND);
        assert_eq!(world.backend_state(0, index), "up");
    }
    // The entries before the repair of these two are not kept by them one by one.
    world.fronts[0].frozen = true;
    world.part(1, 0);
    world.activate(1);
    world.advance(2 * SECOND);
    assert!(world.leads(1), "{:#}", world.status(1));
    holds(&mut world, 1, &handles);
}

#[test]
fn a_backend_that_says_nothing_is_down_until_it_speaks() {
    let mut world = World::serving();
    world.network.lose = |backend, _| backend == 2;
    world.advance(HEARTBEAT + BACKEND_SILENCE + MILLI);
    assert_ne!(world.backend_state(0, 2), "up");
    world.take(0, 1);
    world.network.lose = |_, _| false;
    world.advance(BACKEND_SILENCE + 2 * SECOND);
    assert_eq!(world.backend_state(0, 2), "up");
}
