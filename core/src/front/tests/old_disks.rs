//! Faults of a disk that a front has found, and how they end.

use super::World;
use super::world::Event;
use crate::base::limits::DOUBLED_REDIAL;
use crate::base::time::Duration;
use crate::front::BackendId;
use crate::io::{Input, Intent};
use crate::link::Frame;
use crate::messages::group::Order;
use alloc::vec::Vec;

const SECOND: Duration = Duration::from_secs(1);
const MILLI: Duration = Duration::from_millis(1);

#[test]
fn a_copy_that_is_reached_twice_keeps_no_address_from_being_looked_up_anew() {
    // Of three connections to one disk, any may have been made first.
    for late in 0..3 {
        let mut world = World::serving();
        let handles = world.take(0, 2);
        world.advance(SECOND);
        world.fronts[0].frozen = true;
        let copy = world.backends[0].disk.clone();
        world.swap_disk(1, copy);
        world.network.leads_to = [0, 1, 1];
        let next = world.add_front();
        world.advance(SECOND);
        world.unplug(|ends| ends.front == next && ends.backend == [0, 1, 2][late]);
        world.activate(next);
        world.advance(3 * SECOND);
        assert!(!world.leads(next), "{late}: one disk is no majority");
        // The name of the third one leads to the right place again, and no connection breaks.
        world.network.leads_to = [0, 1, 2];
        world.advance(2 * DOUBLED_REDIAL + 3 * SECOND);
        assert!(world.leads(next), "{late}: {:#}", world.status(next));
        for index in 0..3 {
            let trouble = world.trouble(next, index);
            assert_eq!(world.backend_state(next, index), "up", "{late}, {index}: {trouble}");
        }
        world.holds_all(next, &handles);
    }
}

#[test]
fn an_old_disk_that_is_reached_twice_keeps_no_address_from_being_looked_up_anew() {
    // Of two connections to one disk, either may be the first, and either name may be wrong.
    for (late, leads_to) in [(1, [0, 1, 1]), (2, [0, 1, 1]), (1, [0, 2, 2]), (2, [0, 2, 2])] {
        let mut world = World::serving();
        let disk = leads_to[1];
        let old = world.backends[disk].disk.clone();
        let handles = world.take(0, 2);
        world.advance(SECOND);
        world.fronts[0].frozen = true;
        world.swap_disk(disk, old);
        world.network.leads_to = leads_to;
        let next = world.add_front();
        world.advance(SECOND);
        world.unplug(|ends| ends.front == next && ends.backend == late);
        world.activate(next);
        world.advance(3 * SECOND);
        world.network.leads_to = [0, 1, 2];
        world.advance(3 * DOUBLED_REDIAL + 3 * SECOND);
        assert!(world.leads(next), "{late} {leads_to:?}: {:#}", world.status(next));
        for index in 0..3 {
            let trouble = world.trouble(next, index);
            let state = world.backend_state(next, index);
            assert_eq!(state, "up", "{late} {leads_to:?}, {index}: {trouble}");
        }
        world.holds_all(next, &handles);
    }
}

#[test]
fn what_a_disk_said_before_it_was_counted_does_not_make_it_old() {
    let describes = |backend, order: &Order| backend == 1 && matches!(order, Order::Describe);
    let mut world = World::serving();
    world.network.leads_to = [0, 1, 1];
    world.unplug(|ends| ends.backend == 2);
    world.advance(SECOND);
    let trouble = world.trouble(0, 2);
    assert!(trouble.contains("are the same disk"), "{trouble}");
    // The backend describes itself on the second connection, and that report is slow.
    world.network.lose = describes;
    world.advance(SECOND);
    let describe = world.network.lost.take().expect("it is asked by both connections");
    let mut said = Vec::new();
    let now = world.now;
    let asked = Input::Frame { link: describe.link, frame: Frame::Batch(describe.bytes) };
    world.backends[1].node.step(now, asked, &mut said);
    let [Intent::Send { frame, .. }] = said.as_slice() else { panic!("{said:?}") };
    let handles = world.take(0, 2);
    // The first connection is made anew, and the second one counts.
    let first = world.fronts[0].node.replication.backend(BackendId::ALL[1]).link();
    let mut waited = 0;
    while world.fronts[0].node.replication.backend(BackendId::ALL[1]).link() == first {
        world.advance(10 * MILLI);
        waited += 1;
        assert!(waited < 1_000, "{:#}", world.status(0));
    }
    let near =
        world.fronts[0].node.replication.backend(BackendId::ALL[2]).link().expect("it stands");
    let late = Input::Frame { link: near, frame: Frame::Batch(frame.clone()) };
    world.events.push_back(Event::ToFront(0, late));
    world.run();
    let trouble = world.trouble(0, 2);
    assert!(!trouble.contains("went back in time"), "{trouble}");
    world.network.lose = |_, _| false;
    world.network.leads_to = [0, 1, 2];
    world.advance(3 * DOUBLED_REDIAL);
    for index in 0..3 {
        let trouble = world.trouble(0, index);
        assert_eq!(world.backend_state(0, index), "up", "{index}: {trouble}");
    }
    world.holds_all(0, &handles);
}

/// Returns a world in which only front 1 has found that the disk of backend 0 went back in time: no
/// other node knows how far it had come. Front 0 is frozen. Also returns the handles of its
/// clients.
fn one_front_found_out() -> (World, Vec<u32>) {
    let mut world = World::new(2);
    world.activate(0);
    world.advance(SECOND);
    let mut handles = world.take(0, 1);
    world.network.lose = |backend, order| match order {
        Order::Witness { .. } => true,
        Order::Claim { epoch } => epoch.front == 0xf1 && backend != 0,
        _ => false,
    };
    let old = world.backends[0].disk.clone();
    handles.extend(world.take(0, 2));
    world.advance(10 * MILLI);
    world.fronts[0].frozen = true;
    world.activate(1);
    world.advance(10 * MILLI);
    world.swap_disk(0, old);
    world.advance(8 * SECOND);
    let trouble = world.trouble(1, 0);
    assert!(trouble.contains("went back in time"), "{trouble}");
    assert!(!world.leads(1));
    (world, handles)
}

#[test]
fn a_disk_that_another_front_has_made_whole_counts_for_the_front_that_found_it_old() {
    let (mut world, handles) = one_front_found_out();
    let third = world.add_front();
    world.activate(third);
    world.advance(10 * SECOND);
    assert!(world.leads(third), "{:#}", world.status(third));
    assert_eq!(world.trouble(1, 0), "", "{:#}", world.status(1));
    // With it and one more it leads.
    world.network.lose = |_, _| false;
    world.fronts[third].frozen = true;
    world.crash(2);
    world.activate(1);
    world.advance(10 * SECOND);
    assert!(world.leads(1), "{:#}", world.status(1));
    world.holds_all(1, &handles);
}

#[test]
fn a_promise_to_another_front_makes_no_old_disk_whole() {
    let (mut world, _) = one_front_found_out();
    // Its claim fails.
    world.network.lose = |backend, order| match order {
        Order::Claim { .. } => backend != 0,
        _ => false,
    };
    let third = world.add_front();
    world.activate(third);
    world.advance(5 * SECOND);
    assert!(!world.leads(third));
    let trouble = world.trouble(1, 0);
    assert!(trouble.contains("went back in time"), "{trouble}");
}
