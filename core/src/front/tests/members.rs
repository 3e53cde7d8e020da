//! Which acknowledgements count: changes of members, and disks that are reached twice, copied, or
//! old.

use super::World;
use crate::base::time::Duration;
use crate::messages::group::Order;
use crate::testing::{crypt, seat};
use alloc::string::{String, ToString};
use alloc::vec::Vec;

const SECOND: Duration = Duration::from_secs(1);
const MILLI: Duration = Duration::from_millis(1);

impl World {
    /// Gives a stopped backend another disk. Returns the previous one.
    pub(super) fn swap_disk(&mut self, index: usize, disk: Vec<u8>) -> Vec<u8> {
        self.crash(index);
        let before = core::mem::replace(&mut self.backends[index].disk, disk);
        self.restart(index);
        before
    }

    fn new_leader(&mut self) -> usize {
        let next = self.add_front();
        self.activate(next);
        self.advance(5 * SECOND);
        next
    }

    fn disk_name(&self, index: usize) -> String {
        use crate::admin::View;
        let status = self.backends[index].node.status();
        status["disk"].as_str().unwrap_or_default().to_string()
    }

    pub(super) fn trouble(&mut self, front: usize, index: usize) -> String {
        let status = self.status(front);
        status["backends"][index]["trouble"].as_str().unwrap_or_default().to_string()
    }

    pub(super) fn obstacle(&mut self, front: usize) -> String {
        let status = self.status(front);
        status["obstacle"].as_str().unwrap_or_default().to_string()
    }

    /// Asserts that all these handles are known, and that no more than five seats are granted.
    pub(super) fn holds_all(&mut self, front: usize, handles: &[u32]) {
        let client = self.connect(front);
        for &handle in handles {
            assert_eq!(self.ask(front, client, crypt(handle)).0, 0, "{handle}");
        }
        self.take(front, 5 - handles.len());
        assert_eq!(self.ask(front, client, seat()).0, 212);
    }
}

#[test]
fn a_change_of_members_that_is_not_committed_makes_no_quorum_of_its_own() {
    let mut world = World::serving();
    let mut handles = world.take(0, 3);
    world.fronts[0].frozen = true;
    let third = world.swap_disk(2, Vec::new());
    // The change reaches backends 0 and the new disk, and not backend 1.
    world.network.lose = |backend, order| {
        let append = matches!(order, Order::Append { entries, .. } if format_has_members(entries));
        backend == 1 && append
    };
    let second = world.new_leader();
    assert!(world.leads(second));
    world.fronts[second].frozen = true;
    world.network.lose = |_, _| false;
    world.crash(0);
    let fourth = world.swap_disk(2, third);
    let front = world.new_leader();
    assert!(world.leads(front), "two members of what is committed are here");
    handles.extend(world.take(front, 2));
    world.fronts[front].frozen = true;
    world.crash(1);
    world.restart(0);
    world.swap_disk(2, fourth);
    let last = world.new_leader();
    assert!(!world.leads(last), "one member of what is committed, and a disk that is none");
    world.restart(1);
    world.advance(10 * SECOND);
    assert!(world.leads(last));
    world.holds_all(last, &handles);
}

fn format_has_members(entries: &[crate::log::Entry]) -> bool {
    use crate::log::{Entry, Setting};
    entries.iter().any(|entry| matches!(entry, Entry::Configure(Setting::Members(_))))
}

#[test]
fn one_disk_at_two_addresses_has_one_vote() {
    let mut world = World::serving();
    let copy = world.backends[0].disk.clone();
    world.crash(1);
    // The same process at another address, as far as a front can tell.
    world.backends[2].started = world.backends[0].started.wrapping_sub(16);
    world.swap_disk(2, copy);
    world.advance(SECOND);
    let client = world.connect(0);
    world.call(0, client, seat());
    world.advance(4 * SECOND);
    assert_ne!(world.answer(0, client).expect("an answer").0, 0, "one disk is no majority");
    let trouble = world.trouble(0, 2);
    assert!(trouble.contains("are the same disk: one backend is reached by two"), "{trouble}");
    world.restart(1);
    world.advance(5 * SECOND);
    assert_eq!(world.backend_state(0, 1), "up");
    world.holds_all(0, &[]);
}

#[test]
fn a_copied_disk_has_one_vote_and_begins_anew_when_two_others_serve() {
    let mut world = World::serving();
    let handles = world.take(0, 2);
    let copy = world.backends[0].disk.clone();
    world.swap_disk(2, copy);
    world.advance(5 * SECOND);
    assert_eq!(world.backend_state(0, 2), "up", "{}", world.trouble(0, 2));
    // It is a third backend of the group under an id of its own.
    world.crash(0);
    world.holds_all(0, &handles);
    world.crash(1);
    world.restart(0);
    let next = world.new_leader();
    assert!(world.leads(next));
    assert_eq!(world.seats(next), 5);
}

#[test]
fn a_copied_disk_is_left_alone_while_fewer_than_two_others_serve() {
    let mut world = World::serving();
    let mut handles = world.take(0, 2);
    world.crash(1);
    let copy = world.backends[0].disk.clone();
    let own = world.swap_disk(2, copy);
    world.advance(5 * SECOND);
    let trouble = world.trouble(0, 2);
    assert!(trouble.contains("is a copy of the other's"), "{trouble}");
    let name = world.disk_name(0);
    assert_eq!(world.disk_name(2), name, "what may be the only copy of something is kept");
    world.restart(1);
    world.advance(5 * SECOND);
    assert_ne!(world.disk_name(2), name);
    assert_eq!(world.backend_state(0, 2), "up", "{}", world.trouble(0, 2));
    world.swap_disk(2, own);
    world.advance(5 * SECOND);
    handles.extend(world.take(0, 1));
    world.crash(0);
    world.holds_all(0, &handles);
}

#[test]
fn a_backend_that_was_started_again_is_no_copy_of_itself() {
    let mut world = World::serving();
    let handles = world.take(0, 2);
    world.advance(SECOND);
    let name = world.disk_name(0);
    // Address 2 leads to the machine of address 0, whose process is another one by now. The front
    // does not know that the connection with the previous process is dead.
    world.network.lose = |backend, _| backend == 0;
    let disk = world.backends[0].disk.clone();
    world.swap_disk(2, disk);
    world.advance(5 * SECOND);
    assert_eq!(world.disk_name(2), name, "nothing of it is thrown away");
    assert_eq!(world.backend_state(0, 2), "up", "{}", world.trouble(0, 2));
    world.holds_all(0, &handles);
}

#[test]
fn addresses_that_lead_to_the_right_backends_again_are_found_out() {
    for (front, leads) in [(0, true), (1, false)] {
        let mut world = World::new(2);
        world.activate(0);
        world.advance(SECOND);
        world.network.leads_to = [0, 2, 1];
        world.unplug(|ends| ends.front == front);
        world.advance(2 * SECOND);
        world.network.leads_to = [0, 1, 2];
        world.unplug(|ends| (ends.front, ends.backend) == (front, 1));
        world.advance(SECOND);
        let trouble = world.trouble(front, 2);
        assert!(trouble.contains("are the same disk"), "{trouble}");
        world.advance(14 * SECOND);
        for index in 0..3 {
            let trouble = world.trouble(front, index);
            assert_eq!(world.backend_state(front, index), "up", "{index}: {trouble}");
        }
        assert_eq!(world.leads(front), leads);
    }
}

#[test]
fn of_two_copies_the_one_that_is_known_to_be_old_does_not_count() {
    let mut world = World::serving();
    let mut handles = world.take(0, 1);
    world.advance(SECOND);
    let old = world.backends[0].disk.clone();
    handles.extend(world.take(0, 2));
    world.advance(SECOND);
    world.fronts[0].frozen = true;
    world.swap_disk(2, old);
    let next = world.add_front();
    world.part(next, 0);
    world.activate(next);
    world.advance(5 * SECOND);
    assert!(!world.leads(next), "one disk that counts is here, and an old copy of another");
    // The right one connects after its copy.
    world.network.cut.clear();
    world.advance(10 * SECOND);
    assert!(world.leads(next), "{:#}", world.status(next));
    assert_eq!(world.backend_state(next, 2), "up", "{}", world.trouble(next, 2));
    world.holds_all(next, &handles);
}

#[test]
fn a_disk_that_went_back_in_time_is_noticed_and_repaired_under_another_name() {
    let mut world = World::serving();
    let mut handles = world.take(0, 1);
    let old = world.backends[0].disk.clone();
    handles.extend(world.take(0, 1));
    world.advance(SECOND);
    let name = world.disk_name(0);
    world.swap_disk(0, old);
    world.advance(5 * SECOND);
    assert_eq!(world.backend_state(0, 0), "up", "{}", world.trouble(0, 0));
    assert_ne!(world.disk_name(0), name);
    world.crash(1);
    world.holds_all(0, &handles);
}

#[test]
fn a_disk_that_went_back_before_the_birth_is_no_member_any_more() {
    let mut world = World::new(1);
    let old = world.backends[0].disk.clone();
    world.activate(0);
    world.advance(SECOND);
    let handles = world.take(0, 2);
    world.advance(SECOND);
    let name = world.disk_name(0);
    world.swap_disk(0, old);
    world.advance(5 * SECOND);
    assert_eq!(world.backend_state(0, 0), "up", "{}", world.trouble(0, 0));
    assert_ne!(world.disk_name(0), name, "it does not know what it had promised");
    world.holds_all(0, &handles);
}

#[test]
fn an_old_disk_and_a_late_one_do_not_make_a_front_lead_that_knows_of_more() {
    let mut world = World::serving();
    world.advance(SECOND);
    let old = world.backends[0].disk.clone();
    world.crash(2);
    let handles = world.take(0, 3);
    world.advance(SECOND);
    world.crash(1);
    world.swap_disk(0, old.clone());
    world.restart(2);
    world.advance(20 * SECOND);
    let client = world.connect(0);
    world.call(0, client, seat());
    world.advance(4 * SECOND);
    assert_ne!(world.answer(0, client).expect("an answer").0, 0);
    let trouble = world.trouble(0, 0);
    assert!(trouble.contains("went back in time"), "{trouble}");
    world.restart(1);
    world.advance(10 * SECOND);
    assert!(world.leads(0), "{:#}", world.status(0));
    for index in 0..3 {
        assert_eq!(world.backend_state(0, index), "up", "{}", world.trouble(0, index));
    }
    world.holds_all(0, &handles);
}

#[test]
fn what_a_late_backend_was_told_keeps_two_old_copies_from_serving() {
    let mut world = World::serving();
    world.advance(SECOND);
    let old = world.backends[0].disk.clone();
    // Backend 2 learns how far the group is, and takes no entries to its disk.
    world.network.lose = |backend, order| backend == 2 && matches!(order, Order::Append { .. });
    let handles = world.take(0, 3);
    world.advance(2 * SECOND);
    world.fronts[0].frozen = true;
    world.network.lose = |_, _| false;
    world.crash(1);
    world.crash(2);
    world.swap_disk(0, old);
    world.restart(2);
    let next = world.new_leader();
    assert!(!world.leads(next), "backend 2 knows that more was chosen than is here");
    let obstacle = world.obstacle(next);
    assert!(obstacle.contains("went back in time"), "{obstacle}");
    world.restart(1);
    world.advance(10 * SECOND);
    assert!(world.leads(next), "{:#}", world.status(next));
    world.holds_all(next, &handles);
}

#[test]
fn a_front_whose_usage_history_knows_of_more_does_not_lead_with_old_disks() {
    let mut world = World::serving();
    world.advance(SECOND);
    let old = [0, 1, 2].map(|index| world.backends[index].disk.clone());
    let handles = world.take(0, 3);
    world.advance(SECOND);
    let newest = [0, 1, 2].map(|index| world.backends[index].disk.clone());
    for (index, disk) in old.into_iter().enumerate() {
        world.crash(index);
        world.backends[index].disk = disk;
    }
    // No backend remembers what these disks have acknowledged: only the front's files do.
    world.restart_front(0);
    for index in 0..3 {
        world.restart(index);
    }
    world.activate(0);
    world.advance(10 * SECOND);
    assert!(!world.leads(0), "three seats were granted that are on none of these disks");
    let obstacle = world.obstacle(0);
    assert!(obstacle.contains("are known to be chosen"), "{obstacle}");
    for (index, disk) in newest.into_iter().enumerate() {
        world.swap_disk(index, disk);
    }
    world.advance(10 * SECOND);
    assert!(world.leads(0), "{:#}", world.status(0));
    world.holds_all(0, &handles);
}

#[test]
fn two_old_disks_are_not_led_on_beside_one_that_knows_more() {
    let mut world = World::serving();
    world.advance(SECOND);
    let old = [world.backends[0].disk.clone(), world.backends[1].disk.clone()];
    world.take(0, 3);
    world.advance(SECOND);
    world.fronts[0].frozen = true;
    world.crash(2);
    for (index, disk) in old.into_iter().enumerate() {
        world.swap_disk(index, disk);
    }
    let next = world.new_leader();
    assert!(world.leads(next), "nobody who is here knows better");
    world.restart(2);
    world.advance(5 * SECOND);
    assert!(!world.leads(next), "what it serves is not what was chosen");
    let obstacle = world.obstacle(next);
    assert!(obstacle.contains("tmrd recover"), "{obstacle}");
}

#[test]
fn two_that_have_lost_their_disks_are_named_and_nobody_leads() {
    let mut world = World::serving();
    world.take(0, 1);
    world.fronts[0].frozen = true;
    for index in [0, 1] {
        world.swap_disk(index, Vec::new());
    }
    let next = world.new_leader();
    assert!(!world.leads(next));
    for index in [0, 1] {
        let trouble = world.trouble(next, index);
        assert!(trouble.contains("empty state folder"), "{index}: {trouble}");
    }
    let obstacle = world.obstacle(next);
    assert!(obstacle.starts_with("the group's memory is lost"), "{obstacle}");
    assert!(obstacle.contains("tmrd recover"), "{obstacle}");
}

#[test]
fn a_blank_backend_beside_one_member_and_another_blank_one_ends_no_front() {
    let mut world = World::serving();
    let handles = world.take(0, 2);
    // Backend 1 is repaired and not admitted, for backend 0 writes nothing.
    world.backends[0].stuck = true;
    world.swap_disk(1, Vec::new());
    world.advance(300 * MILLI);
    world.fronts[0].frozen = true;
    world.unstick(0);
    let second = world.swap_disk(2, Vec::new());
    let next = world.new_leader();
    assert!(!world.leads(next));
    let obstacle = world.obstacle(next);
    assert!(obstacle.starts_with("the group's memory is lost"), "{obstacle}");
    world.swap_disk(2, second);
    world.advance(10 * SECOND);
    assert!(world.leads(next), "{:#}", world.status(next));
    world.holds_all(next, &handles);
}

#[test]
fn memory_is_lost_only_when_all_three_have_answered_since_each_was_heard() {
    let mut world = World::serving();
    // Backend 1 is repaired and not admitted, for backend 0 writes nothing.
    world.backends[0].stuck = true;
    world.swap_disk(1, Vec::new());
    world.advance(300 * MILLI);
    world.fronts[0].frozen = true;
    world.unstick(0);
    world.crash(2);
    let next = world.new_leader();
    world.backends[2].disk.clear();
    world.restart(2);
    while world.backend_state(next, 2) == "down" {
        world.advance(MILLI);
    }
    // The connection to backend 1, like that to backend 2, may be to a process that has ended.
    let obstacle = world.obstacle(next);
    assert!(!obstacle.starts_with("the group's memory is lost"), "{obstacle}");
    world.advance(SECOND);
    let obstacle = world.obstacle(next);
    assert!(obstacle.starts_with("the group's memory is lost"), "{obstacle}");
}

#[test]
fn three_that_are_two_of_every_set_have_lost_nothing() {
    let mut world = World::serving();
    let handles = world.take(0, 3);
    // A new disk is to replace the first one, and backend 2 does not learn of it.
    world.network.lose = |backend, order| {
        backend == 2
            && matches!(order, Order::Append { entries, .. } if format_has_members(entries))
    };
    let first = world.swap_disk(0, Vec::new());
    world.advance(SECOND);
    world.fronts[0].frozen = true;
    // The first disk returns in the place of the third.
    world.network.lose = |backend, order| backend == 2 && matches!(order, Order::Claim { .. });
    world.swap_disk(2, first);
    let next = world.new_leader();
    assert!(!world.leads(next), "one does not promise");
    let obstacle = world.obstacle(next);
    assert!(!obstacle.starts_with("the group's memory is lost"), "{obstacle}");
    world.network.lose = |_, _| false;
    world.advance(10 * SECOND);
    assert!(world.leads(next), "{:#}", world.status(next));
    world.holds_all(next, &handles);
}

#[test]
fn a_backend_of_another_group_deposes_nobody() {
    let mut world = World::serving();
    let handles = world.take(0, 2);
    let mut other = World::new(1);
    let front = other.add_front();
    other.activate(front);
    other.advance(MILLI);
    for _ in 0..5 {
        other.activate(0);
        other.advance(SECOND);
        other.activate(front);
        other.advance(SECOND);
    }
    // Its promise is higher than any of this group.
    let foreign = other.backends[2].disk.clone();
    let own = world.swap_disk(2, foreign);
    world.advance(2 * SECOND);
    assert!(world.leads(0));
    let trouble = world.trouble(0, 2);
    assert!(trouble.contains("belongs to group"), "{trouble}");
    world.swap_disk(2, own);
    world.advance(3 * SECOND);
    assert_eq!(world.backend_state(0, 2), "up");
    world.holds_all(0, &handles);
}

#[test]
fn a_leader_whose_backends_are_all_replaced_by_those_of_another_group_leaves_them_alone() {
    let mut world = World::serving();
    let mut other = World::new(1);
    let front = other.add_front();
    other.activate(front);
    other.advance(MILLI);
    let group = other.backends[0].node.group();
    for index in 0..3 {
        let disk = other.backends[index].disk.clone();
        world.swap_disk(index, disk);
    }
    world.advance(20 * SECOND);
    let client = world.connect(0);
    world.call(0, client, seat());
    world.advance(4 * SECOND);
    assert_ne!(world.answer(0, client).expect("an answer").0, 0);
    for index in 0..3 {
        assert_eq!(world.backends[index].node.group(), group);
        let trouble = world.trouble(0, index);
        assert!(trouble.contains("belongs to group"), "{index}: {trouble}");
    }
}
