//! What a front that has just started learns from its twin before it claims.

use super::World;
use crate::base::time::Duration;
use crate::messages::group::Order;
use alloc::vec::Vec;

const SECOND: Duration = Duration::from_secs(1);
const MILLI: Duration = Duration::from_millis(1);

/// Returns a world in which three seats were on two disks only: backend 2 was behind, and backend 0
/// has gone back in time since. Backend 1, which has them, is cut off from front 0, which has lost
/// its files. Also returns the handles.
fn forgotten() -> (World, Vec<u32>) {
    let mut world = super::twins();
    world.advance(SECOND);
    let old = world.backends[0].disk.clone();
    world.network.lose = |backend, order| backend == 2 && matches!(order, Order::Append { .. });
    let handles = world.take(0, 3);
    world.network.lose = |_, _| false;
    world.part(0, 1);
    world.swap_disk(0, old);
    world.fronts[0].history.clear();
    (world, handles)
}

#[track_caller]
fn waits_for_backend_1(world: &mut World, handles: &[u32]) {
    assert!(!world.leads(0), "its twin knows of slots that are on neither of the disks here");
    world.network.cut.retain(|pair| *pair != (0, 1));
    world.advance(10 * SECOND);
    assert!(world.leads(0), "{:#}", world.status(0));
    world.holds_all(0, handles);
}

#[test]
fn a_front_that_has_just_started_does_not_lead_with_less_than_its_twin_knows() {
    let (mut world, handles) = forgotten();
    world.restart_front(0);
    world.activate(0);
    world.advance(2 * SECOND);
    waits_for_backend_1(&mut world, &handles);
}

#[test]
fn a_twin_that_has_just_started_too_knows_of_slots_by_its_files() {
    let (mut world, handles) = forgotten();
    world.line.cut = true;
    for backend in 0..3 {
        world.part(1, backend);
    }
    world.restart_front(0);
    world.restart_front(1);
    world.line.cut = false;
    world.advance(3 * SECOND);
    world.activate(0);
    world.advance(2 * SECOND);
    waits_for_backend_1(&mut world, &handles);
}

#[test]
fn what_a_twin_has_said_is_said_to_it_when_it_has_forgotten_it() {
    let (mut world, handles) = forgotten();
    // Front 0 learns of the slots, and does not claim.
    world.restart_front(0);
    world.advance(SECOND);
    for backend in 0..3 {
        world.part(1, backend);
    }
    world.fronts[1].history.clear();
    world.restart_front(1);
    world.advance(SECOND);
    // Front 1 knows of them only from front 0, and reports them to the next front.
    world.restart_front(0);
    world.activate(0);
    world.advance(2 * SECOND);
    waits_for_backend_1(&mut world, &handles);
}

#[test]
fn what_a_twin_knows_of_another_group_keeps_no_front_from_leading() {
    let mut world = super::twins();
    world.take(0, 3);
    for backend in 0..3 {
        world.part(1, backend);
        world.swap_disk(backend, Vec::new());
    }
    world.fronts[0].history.clear();
    world.restart_front(0);
    world.activate(0);
    world.advance(2 * SECOND);
    assert!(world.leads(0), "{:#}", world.status(0));
}

#[test]
fn a_front_that_has_just_started_waits_a_moment_for_its_twins_first_word() {
    let mut world = super::twins();
    world.line.loses = true;
    world.restart_front(0);
    world.activate(0);
    world.advance(299 * MILLI);
    assert!(!world.leads(0), "a word may come yet");
    world.advance(2 * MILLI);
    assert!(world.leads(0), "{:#}", world.status(0));
}

#[test]
fn the_first_word_ends_the_wait_and_so_does_a_twin_that_is_not_there() {
    for cut in [false, true] {
        let mut world = super::twins();
        world.line.cut = cut;
        world.restart_front(0);
        world.activate(0);
        world.advance(2 * MILLI);
        assert!(world.leads(0), "{cut}: {:#}", world.status(0));
    }
}
