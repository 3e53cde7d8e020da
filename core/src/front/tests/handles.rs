//! Handles without a seat: given at once, logged like others, and no number twice.

use super::World;
use crate::base::limits::{
    CALL_TIMEOUT, HANDLE_BLOCK, HANDLE_LAST, STRANGER_FREE, UNCOMMITTED_MAX,
};
use crate::base::time::Duration;
use crate::io::Input;
use crate::log::{Entry, Mode, Setting};
use crate::testing::{FIRM, TMR, access, container, crypt, release, seat};
use crate::wire::constants::{access as ways, info};
use crate::wire::structs::{CmAccess, CmBaseCrypt2, CmCrypt2};
use crate::wire::{CmError, Request};
use alloc::collections::BTreeSet;
use alloc::vec::Vec;

const SECOND: Duration = Duration::from_secs(1);
const MILLI: Duration = Duration::from_millis(1);

/// Returns an access to the service itself.
fn service() -> Vec<u8> {
    let access = CmAccess { ctrl: ways::SUBSYSTEM, ..CmAccess::default() };
    Request::Access { ctrl: 0, access }.encode()
}

/// Returns one call of each kind, with its name in the status.
fn kinds() -> [(&'static str, Vec<u8>); 4] {
    let firm_item = CmAccess { ctrl: ways::FIRMITEM, firm_code: FIRM, ..CmAccess::default() };
    let [container, firm_item] =
        [CmAccess::default(), firm_item].map(|access| Request::Access { ctrl: 0, access }.encode());
    [
        ("subsystem", service()),
        ("container", container),
        ("firm-item", firm_item),
        ("licence", access(TMR, Mode::NoUserLimit, 60)),
    ]
}

fn version(handle: u32) -> Vec<u8> {
    Request::GetInfo { handle, ctrl: info::VERSION, size: 32 }.encode()
}

#[test]
fn a_handle_without_a_seat_is_told_at_once_and_survives_its_front() {
    let mut world = World::serving();
    let next = world.add_front();
    for index in 0..3 {
        world.backends[index].stuck = true;
    }
    let client = world.connect(0);
    let given = kinds().map(|(kind, call)| {
        let (status, handle) = world.ask(0, client, call);
        assert_eq!(status, 0, "{kind}");
        handle
    });
    let status = world.status(0);
    let shown = status["allocations"].as_array().unwrap();
    for ((kind, _), handle) in kinds().iter().zip(given) {
        let row = shown.iter().find(|row| row["handle"] == handle).unwrap();
        assert_eq!(
            (row["kind"].as_str(), row["mode"].as_str()),
            (Some(*kind), Some("no-user-limit"))
        );
    }
    assert_eq!(status["licenses"][0]["used"], 0);
    // The entries went out with the reply: when the disks continue they have them, without another
    // message.
    world.fronts[0].frozen = true;
    for index in 0..3 {
        world.unstick(index);
    }
    world.activate(next);
    world.advance(5 * SECOND);
    let client = world.connect(next);
    for handle in given {
        assert_eq!(world.ask(next, client, version(handle)).0, 0);
    }
    assert_eq!(world.ask(next, client, crypt(given[3])).0, 0);
    assert_eq!(world.ask(next, client, crypt(given[0])).0, 115);
    assert_eq!(world.seats(next), 4);
    for handle in given {
        assert_eq!(world.ask(next, client, release(handle)), (0, 0));
        assert_eq!(world.ask(next, client, version(handle)).0, 106);
    }
    assert_eq!(world.seats(next), 0);
}

#[test]
fn one_that_reached_no_disk_is_lost_and_its_number_with_it() {
    let mut world = World::serving();
    let next = world.add_front();
    for index in 0..3 {
        world.backends[index].stuck = true;
    }
    let client = world.connect(0);
    let (_, lost) = world.ask(0, client, service());
    world.fronts[0].frozen = true;
    for index in 0..3 {
        world.crash(index);
        world.restart(index);
    }
    world.activate(next);
    world.advance(5 * SECOND);
    let client = world.connect(next);
    assert_eq!(world.ask(next, client, version(lost)).0, 106);
    for call in [service(), seat()] {
        let (status, handle) = world.ask(next, client, call);
        assert_eq!(status, 0);
        assert_ne!(handle, lost);
    }
}

#[test]
fn a_release_is_told_when_it_cannot_be_lost() {
    let mut world = World::serving();
    let client = world.connect(0);
    let (_, handle) = world.ask(0, client, service());
    for index in [0, 1] {
        world.backends[index].stuck = true;
    }
    world.call(0, client, release(handle));
    assert_eq!(world.answer(0, client), None, "on one disk of three");
    // It is still void from now on.
    let other = world.connect(0);
    assert_eq!(world.ask(0, other, version(handle)).0, 106);
    assert_eq!(world.ask(0, other, release(handle)).0, 106);
    world.unstick(0);
    assert_eq!(world.answer(0, client), Some((0, 0)));
}

#[test]
fn exclusive_use_and_use_without_limit_stand_against_each_other() {
    let mut world = World::serving();
    let client = world.connect(0);
    let (free, alone) = (access(TMR, Mode::NoUserLimit, 60), access(TMR, Mode::Exclusive, 60));
    // Handles without a licence block no seat.
    for (_, call) in &kinds()[..3] {
        assert_eq!(world.ask(0, client, call.clone()).0, 0);
    }
    let (_, handle) = world.ask(0, client, free.clone());
    assert_eq!(world.ask(0, client, alone.clone()), (213, 0));
    assert_eq!(world.ask(0, client, release(handle)), (0, 0));
    assert_eq!(world.ask(0, client, alone.clone()).0, 0);
    assert_eq!(world.ask(0, client, free), (213, 0));
    let (_, call) = &kinds()[2];
    assert_eq!(world.ask(0, client, call.clone()).0, 0);
    assert_eq!(world.seats(0), 5);
}

#[test]
fn silence_ends_it_and_so_does_a_number_that_was_not_sent() {
    let mut world = World::serving();
    let next = world.add_front();
    let client = world.connect(0);
    let call = access(TMR, Mode::NoUserLimit, 60);
    assert_eq!(world.ask(0, client, call.clone()).0, 0);
    world.hang_up(0, client, true);
    assert_eq!(world.seats(0), 0, "nobody knows its number");
    let client = world.connect(0);
    let (_, handle) = world.ask(0, client, call);
    world.hang_up(0, client, false);
    world.advance(59 * SECOND);
    assert_eq!(world.seats(0), 1);
    // A new leader measures silence anew.
    world.fronts[0].frozen = true;
    world.activate(next);
    world.advance(59 * SECOND);
    assert_eq!(world.seats(next), 1);
    world.advance(SECOND);
    assert_eq!(world.seats(next), 0);
    let client = world.connect(next);
    assert_eq!(world.ask(next, client, version(handle)).0, 106);
}

#[test]
fn without_a_majority_it_waits_like_every_other_call() {
    let mut world = World::serving();
    world.crash(1);
    world.crash(2);
    let client = world.connect(0);
    world.call(0, client, service());
    world.advance(CALL_TIMEOUT - MILLI);
    assert_eq!(world.answer(0, client), None);
    world.advance(MILLI);
    assert_eq!(world.answer(0, client), Some((130, 0)));
    world.call(0, client, service());
    world.restart(1);
    world.advance(2 * SECOND);
    assert_eq!(world.answer(0, client).expect("two are there again").0, 0);
}

/// Returns the status that a client gets, within the time of a call, for a handle that does not
/// exist while there is no majority. The client has named so many such handles that each waits for
/// the longest pause; the majority returns after `late`.
fn wrong_handle_without_a_majority(late: Duration) -> Option<u32> {
    let mut world = World::serving();
    let client = world.connect(0);
    for _ in 0..2 * STRANGER_FREE {
        world.call(0, client, version(7));
        world.advance(SECOND);
        assert_eq!(world.answer(0, client).expect("a second is the longest pause").0, 106);
    }
    world.crash(1);
    world.crash(2);
    world.call(0, client, version(7));
    world.advance(late);
    world.restart(1);
    world.advance(CALL_TIMEOUT - late);
    world.answer(0, client).map(|(status, _)| status)
}

#[test]
fn a_call_that_has_waited_for_a_majority_waits_for_a_wrong_handle_within_its_own_end() {
    let told = (0..15).map(|fifth| wrong_handle_without_a_majority(fifth * SECOND / 5));
    let told: Vec<_> = told.collect();
    let turned_away = CmError::REQUEST_OVERLOAD_REJECTED.code();
    for status in [106, turned_away, 130] {
        assert!(told.contains(&Some(status)), "{status}: {told:?}");
    }
    assert!(!told.contains(&None), "each has an answer in time: {told:?}");
}

#[test]
fn so_many_may_be_on_their_way_and_no_number_comes_twice() {
    let mut world = World::serving();
    let next = world.add_front();
    for index in 0..3 {
        world.backends[index].stuck = true;
    }
    let (client, call) = (world.connect(0), service());
    let crowd = world.crowd(0, 80);
    let mut given = BTreeSet::new();
    let end = loop {
        let (status, handle) = world.ask(0, crowd[given.len() % 80], call.clone());
        if status != 0 {
            break status;
        }
        assert!(given.insert(handle), "{handle} came twice");
    };
    assert_eq!((end, given.len() as u64), (309, UNCOMMITTED_MAX));
    // When the grants are on two disks, service goes on.
    world.unstick(0);
    world.unstick(1);
    assert_eq!(world.ask(0, client, call.clone()).0, 0);
    world.unstick(2);
    // The same holds for a front that stops before: its successor reuses none of its numbers.
    for index in 0..3 {
        world.backends[index].stuck = true;
    }
    for _ in 0..100 {
        let (_, handle) = world.ask(0, client, call.clone());
        assert!(given.insert(handle), "{handle} came twice");
    }
    for index in 0..3 {
        world.crash(index);
        world.restart(index);
    }
    world.fronts[0].frozen = true;
    world.activate(next);
    world.advance(5 * SECOND);
    let client = world.connect(next);
    for call in [call, seat()] {
        let (status, handle) = world.ask(next, client, call);
        assert_eq!(status, 0);
        assert!(!given.contains(&handle), "{handle} came twice");
    }
}

#[test]
fn the_next_numbers_are_there_before_the_last_one_is_used() {
    let mut world = World::serving();
    let (crowd, call) = (world.crowd(0, 80), service());
    let mut given = BTreeSet::new();
    for client in crowd.into_iter().cycle().take(HANDLE_BLOCK as usize + 1) {
        let (status, handle) = world.ask(0, client, call.clone());
        assert!(status == 0 && given.insert(handle), "{status}, {handle} of {}", given.len());
        assert_eq!(world.ask(0, client, release(handle)), (0, 0));
    }
}

#[test]
fn when_the_last_block_is_in_use_no_more_is_reserved() {
    let mut world = World::serving();
    let all = Entry::Configure(Setting::Handles(HANDLE_LAST));
    world.fronts[0].node.replication.log_mut().propose(all);
    world.step_front(0, Input::Tick);
    world.run();
    let (crowd, call) = (world.crowd(0, 80), service());
    let client = crowd[0];
    for client in crowd.into_iter().cycle().take(HANDLE_BLOCK as usize) {
        let (status, handle) = world.ask(0, client, call.clone());
        assert_eq!(status, 0);
        assert_eq!(world.ask(0, client, release(handle)), (0, 0));
    }
    let committed = world.fronts[0].node.committed();
    assert_eq!(world.ask(0, client, call), (CmError::NO_MORE_HANDLES.0, 0));
    world.advance(SECOND);
    assert_eq!(world.fronts[0].node.committed(), committed);
}

#[test]
fn units_are_refused_while_too_much_is_on_its_way() {
    let counted = |index| {
        let mut made = container(index);
        made.part.firm_items[0].products[0].unit_counter = Some(10);
        made
    };
    let mut world = World::with(1, [0, 1, 2].map(counted));
    world.activate(0);
    world.advance(SECOND);
    let client = world.connect(0);
    let (_, handle) = world.ask(0, client, seat());
    let spend = || {
        let base_crypt = CmBaseCrypt2 { encryption_code_options: 1, ..CmBaseCrypt2::default() };
        let crypt = CmCrypt2 { base_crypt, ..CmCrypt2::default() };
        Request::Crypt2 { handle, ctrl: 4, crypt, data: alloc::vec![0; 16].into() }.encode()
    };
    assert_eq!(world.ask(0, client, spend()).0, 0);
    for index in 0..3 {
        world.backends[index].stuck = true;
    }
    let crowd = world.crowd(0, 80);
    for host in (0..80).cycle() {
        if world.ask(0, crowd[host], service()).0 != 0 {
            break;
        }
    }
    assert_eq!(world.ask(0, client, spend()).0, 309);
    world.unstick(0);
    world.unstick(1);
    assert_eq!(world.ask(0, client, spend()).0, 0);
    let licence = &world.status(0)["licenses"][0];
    assert_eq!(licence["units_left"], 8, "what was refused took none: {licence:#}");
}
