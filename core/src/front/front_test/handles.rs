//! Handle numbers: never one twice.

use super::World;
use crate::limits::HANDLE_BLOCK;
use crate::testing::seat;
use crate::time::Duration;
use crate::wire::Request;
use crate::wire::structs::CmAccess;
use alloc::collections::BTreeSet;
use alloc::vec::Vec;

/// Asks for a handle of the service itself: it takes no seat and is in no log.
fn loose() -> Vec<u8> {
    let access = CmAccess { ctrl: 0x0008_0000, ..CmAccess::default() };
    Request::Access { ctrl: 0, access }.encode()
}

#[test]
fn a_block_is_used_when_its_reservation_is_committed_and_not_before() {
    let mut world = World::serving();
    let next = world.add_front();
    for index in 0..3 {
        world.backends[index].stuck = true;
    }
    // The first block was committed; the second one's reservation is on no disk.
    let (client, call) = (world.connect(0), loose());
    let mut given = BTreeSet::new();
    while let (0, handle) = world.ask(0, client, call.clone()) {
        assert!(given.insert(handle), "{handle} came twice");
    }
    assert_eq!(given.len(), HANDLE_BLOCK as usize);
    // When it is, service goes on.
    world.unstick(0);
    world.unstick(1);
    assert_eq!(world.ask(0, client, call.clone()).0, 0);
    world.unstick(2);
    // The same with a front that goes away: its successor hands out none of its numbers.
    for index in 0..3 {
        world.crash(index);
        world.restart(index);
    }
    world.fronts[0].frozen = true;
    world.activate(next);
    world.advance(Duration::from_secs(5));
    let client = world.connect(next);
    for call in [call, seat()] {
        let (status, handle) = world.ask(next, client, call);
        assert_eq!(status, 0);
        assert!(!given.contains(&handle), "{handle} came twice");
    }
}
