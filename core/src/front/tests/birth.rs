//! A group is born once, and only with all three backends.

use super::World;
use crate::base::limits::{CLAIM_PAUSE, CLAIM_TIMEOUT, DOUBLED_REDIAL, REDIAL_MIN};
use crate::base::time::Duration;
use crate::messages::group::Order;
use crate::testing::{crypt, seat};
use alloc::string::ToString;
use alloc::vec;

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn birth_and_one_grant() {
    let mut world = World::new(1);
    world.told = Some(vec![]);
    world.activate(0);
    world.advance(Duration::from_millis(1));
    let client = world.connect(0);
    world.told.as_mut().unwrap().push("client → front: CmAccess2".into());
    world.call(0, client, seat());
    let story = world.told.take().unwrap().join("\n");
    insta::assert_snapshot!(story);
}

#[test]
fn two_blank_backends_are_no_group() {
    let mut world = World::new(1);
    world.crash(2);
    world.activate(0);
    world.advance(10 * SECOND);
    assert_eq!(world.role(0), "starting");
    for index in [0, 1] {
        assert_eq!(world.backends[index].node.group(), None);
    }
    world.restart(2);
    world.advance(5 * SECOND);
    assert_eq!(world.role(0), "active");
    let groups = [0, 1, 2].map(|index| world.backends[index].node.group());
    assert!(groups[0].is_some() && groups.iter().all(|group| *group == groups[0]));
}

#[test]
fn the_first_entry_takes_all_three() {
    let mut world = World::new(1);
    world.backends[2].stuck = true;
    world.activate(0);
    world.advance(10 * SECOND);
    assert_eq!(world.role(0), "starting", "the third has nothing on disk");
    world.unstick(2);
    world.advance(10 * SECOND);
    assert_eq!(world.role(0), "active");
}

#[test]
fn a_birth_that_broke_off_is_begun_again() {
    for victim in 0..3 {
        for writes in 0..4 {
            let mut world = World::new(1);
            // One of the first writes of one backend never ends: the birth is interrupted there.
            world.backends[victim].stuck_after = Some(writes);
            world.activate(0);
            world.advance(Duration::from_millis(500));
            let led = world.leads(0);
            world.crash(victim);
            world.advance(SECOND);
            if !led {
                assert!(!world.leads(0), "victim {victim}, {writes} writes");
            }
            world.backends[victim].stuck_after = None;
            world.restart(victim);
            world.advance(10 * SECOND);
            assert!(world.leads(0), "victim {victim}, {writes} writes");
            let client = world.connect(0);
            let (status, handle) = world.ask(0, client, seat());
            assert_eq!(status, 0);
            assert_eq!(world.ask(0, client, crypt(handle)).0, 0);
        }
    }
}

#[test]
fn a_group_that_was_born_is_found_again_by_two() {
    let mut world = World::serving();
    let client = world.connect(0);
    let (_, handle) = world.ask(0, client, seat());
    let group = world.backends[0].node.group();
    for index in 0..3 {
        world.crash(index);
    }
    world.fronts[0].frozen = true;
    world.restart(0);
    world.restart(2);
    let next = world.add_front();
    world.activate(next);
    world.advance(5 * SECOND);
    assert!(world.leads(next));
    assert_eq!(world.backends[2].node.group(), group);
    let client = world.connect(next);
    assert_eq!(world.ask(next, client, crypt(handle)).0, 0);
}

#[test]
fn what_backends_said_before_a_birth_is_no_loss_of_memory_to_another_front() {
    for wait in (0..1_000).step_by(50) {
        let mut world = World::new(2);
        world.advance(SECOND);
        // Front 1 is to lead as well. It learns of the birth from backend 0, which it reaches late.
        world.part(1, 0);
        world.advance(Duration::from_millis(270));
        world.activate(1);
        world.advance(SECOND + Duration::from_millis(wait));
        world.activate(0);
        world.network.cut.clear();
        for step in 0..100 {
            world.advance(Duration::from_millis(20));
            let obstacle = world.status(1)["obstacle"].to_string();
            assert!(!obstacle.contains("memory is lost"), "{wait}, {step}: {obstacle}");
        }
        assert!(world.leads(1), "{wait}: {:#}", world.status(1));
    }
}

#[test]
fn a_claim_during_which_all_disks_are_lost_founds_no_second_group() {
    let mut world = World::new(2);
    world.activate(1);
    world.advance(SECOND);
    world.take(1, 1);
    world.advance(SECOND);
    world.fronts[1].frozen = true;
    world.network.lose = |_, order| matches!(order, Order::Claim { .. });
    world.activate(0);
    for index in 0..3 {
        world.crash(index);
        world.backends[index].disk.clear();
        world.restart(index);
    }
    world.network.lose = |_, _| false;
    world.advance(10 * SECOND);
    assert!(!world.leads(0), "it remembers who holds a seat");
    let obstacle = world.status(0)["obstacle"].to_string();
    assert!(obstacle.contains("memory is lost"), "{obstacle}");
    assert_eq!([0, 1, 2].map(|index| world.backends[index].node.group()), [None; 3]);
}

#[test]
fn a_backend_that_dies_at_the_birth_is_not_waited_for() {
    let mut world = World::new(1);
    world.network.lose = |backend, order| backend == 2 && matches!(order, Order::Found { .. });
    world.activate(0);
    assert_eq!(world.role(0), "starting");
    world.network.lose = |_, _| false;
    world.crash(2);
    world.restart(2);
    world.advance(CLAIM_PAUSE.1 + 2 * REDIAL_MIN);
    assert!(world.leads(0), "{:#}", world.status(0));
}

#[test]
fn a_name_that_led_elsewhere_is_looked_up_anew_as_soon_as_a_claim_has_ended() {
    let mut world = World::new(1);
    // All three know of the group, and no slot of it is chosen.
    world.network.lose = |_, order| matches!(order, Order::Append { .. });
    world.activate(0);
    world.advance(SECOND);
    world.network.leads_to = [1, 1, 2];
    world.unplug(|_| true);
    let mut waited = Duration::ZERO;
    let mut longest = Duration::ZERO;
    let mut dialled = world.network.dialled;
    for _ in 0..1_200 {
        world.advance(SECOND / 10);
        waited += SECOND / 10;
        if world.network.dialled != dialled {
            longest = longest.max(waited);
            dialled = world.network.dialled;
            waited = Duration::ZERO;
        }
    }
    assert!(world.trouble(0, 1).contains("are the same disk"), "{}", world.trouble(0, 1));
    assert!(longest < DOUBLED_REDIAL + CLAIM_TIMEOUT + SECOND, "{longest:?}");
}

#[test]
fn state_folders_that_were_copied_before_the_birth_get_names_of_their_own() {
    for copies in [&[1][..], &[1, 2]] {
        let mut world = World::new(1);
        world.advance(SECOND);
        let image = world.backends[0].disk.clone();
        for &index in copies {
            world.swap_disk(index, image.clone());
        }
        world.advance(2 * SECOND);
        assert!(world.trouble(0, copies[0]).contains("a copy of the other's"));
        world.activate(0);
        world.advance(5 * SECOND);
        assert!(world.leads(0), "{copies:?}: {:#}", world.status(0));
        for index in 0..3 {
            assert_eq!(world.backend_state(0, index), "up", "{}", world.trouble(0, index));
        }
        // Any two are a majority.
        let handles = world.take(0, 2);
        world.crash(0);
        world.holds_all(0, &handles);
    }
}
