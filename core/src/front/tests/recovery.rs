//! Recovery after memory of the group was lost: the plan that an operator sees, and its outcome.

use super::World;
use crate::base::time::Duration;
use crate::messages::group::Order;
use crate::testing::{crypt, release, seat};
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use serde_json::Value;

const SECOND: Duration = Duration::from_secs(1);

impl World {
    /// Empties a backend's folder.
    fn empty(&mut self, index: usize) {
        self.crash(index);
        self.backends[index].disk.clear();
        self.restart(index);
    }

    /// Returns the plan that an operator sees, or why there is none.
    fn plan(&mut self, front: usize) -> Result<Value, String> {
        let answer = self.http(front, "GET /api/recover HTTP/1.1\r\n\r\n");
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        match head.starts_with("HTTP/1.1 200") {
            true => Ok(serde_json::from_str(body).unwrap()),
            false => Err(body.to_string()),
        }
    }

    /// Confirms a plan. Returns the response's status and message.
    fn confirm(&mut self, front: usize, token: &str) -> (String, String) {
        let body = format!("{{\"token\": \"{token}\"}}");
        let length = body.len();
        let answer = self.http(
            front,
            &format!(
                "POST /api/recover HTTP/1.1\r\nX-Tmr-Admin: 1\r\nContent-Length: {length}\r\n\r\n{body}"
            ),
        );
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head["HTTP/1.1 ".len()..][..3].to_string(), body.to_string())
    }

    /// Reads the plan, confirms it, and waits until the front leads.
    fn recover(&mut self, front: usize) -> Value {
        let plan = self.plan(front).expect("a plan");
        let (status, body) = self.confirm(front, plan["token"].as_str().unwrap());
        assert_eq!(status, "200", "{body}\n{plan:#}");
        self.advance(3 * SECOND);
        assert!(self.leads(front), "{:#}", self.status(front));
        plan
    }

    /// Asserts that all these handles are held, and that exactly the other ones of five seats are
    /// free.
    fn serves_with(&mut self, front: usize, held: &[u32]) {
        let client = self.connect(front);
        for &handle in held {
            assert_eq!(self.ask(front, client, crypt(handle)).0, 0, "{handle}");
        }
        let more = self.take(front, 5 - held.len());
        assert!(more.iter().all(|handle| !held.contains(handle)));
        assert_eq!(self.ask(front, client, seat()).0, 212);
        for handle in more {
            assert_eq!(self.ask(front, client, release(handle)).0, 0);
        }
    }

    /// Asserts that the third backend is repaired and counts, so that either of the others may be
    /// away.
    fn is_whole(&mut self, front: usize, held: &[u32]) {
        self.advance(5 * SECOND);
        for index in 0..3 {
            assert_eq!(self.backend_state(front, index), "up", "{:#}", self.status(front));
        }
        for index in 0..3 {
            self.crash(index);
            self.serves_with(front, held);
            self.restart(index);
            self.advance(3 * SECOND);
        }
    }
}

/// Returns a world where two of three folders were emptied while no front ran, and a front without
/// memory starts.
fn one_disk_left() -> (World, usize, Vec<u32>) {
    let mut world = World::serving();
    let handles = world.take(0, 3);
    world.advance(SECOND);
    world.fronts[0].frozen = true;
    world.empty(0);
    world.empty(1);
    let next = world.add_front();
    // As long as a backend was informed recently that a front serves, nothing is known to be lost.
    world.advance(3 * SECOND);
    (world, next, handles)
}

#[test]
fn one_disk_that_is_left_is_enough_for_a_new_group() {
    let (mut world, front, handles) = one_disk_left();
    world.activate(front);
    world.advance(5 * SECOND);
    assert!(!world.leads(front));
    let plan = world.recover(front);
    assert!(plan["source"].as_str().unwrap().contains("copy of backend"), "{plan:#}");
    assert_eq!(plan["backends"][2]["begins_anew"], true);
    assert!(plan["backends"][2]["text"].as_str().unwrap().contains("best one"), "{plan:#}");
    assert!(plan["backends"][0]["text"].as_str().unwrap().contains("empty"), "{plan:#}");
    world.serves_with(front, &handles);
    world.is_whole(front, &handles);
    assert_eq!(world.status(front)["obstacle"], Value::Null);
}

#[test]
fn a_front_that_stands_by_recovers_and_leads() {
    let (mut world, front, handles) = one_disk_left();
    assert_eq!(world.role(front), "standby");
    world.recover(front);
    world.serves_with(front, &handles);
}

#[test]
fn two_backends_are_enough_and_the_third_is_taken_in_when_it_comes() {
    let (mut world, _, handles) = one_disk_left();
    world.crash(1);
    let front = world.add_front();
    world.advance(3 * SECOND);
    let plan = world.recover(front);
    assert!(plan["backends"][1]["text"].as_str().unwrap().contains("cannot be reached"));
    world.serves_with(front, &handles);
    world.restart(1);
    world.is_whole(front, &handles);
}

#[test]
fn where_no_disk_is_left_the_front_remembers() {
    let mut world = World::serving();
    let handles = world.take(0, 3);
    world.advance(SECOND);
    for index in 0..3 {
        world.empty(index);
    }
    world.advance(5 * SECOND);
    assert!(!world.leads(0));
    let plan = world.recover(0);
    assert_eq!(plan["source"], "what this front remembers");
    assert_eq!(plan["front"]["handles"], 3);
    world.serves_with(0, &handles);
    world.is_whole(0, &handles);
}

#[test]
fn where_only_the_usage_history_remembers_everything_is_free_afterwards() {
    let mut world = World::serving();
    world.take(0, 3);
    world.advance(SECOND);
    let history = world.fronts[0].history.clone();
    world.fronts[0].frozen = true;
    let next = world.add_front();
    world.fronts[next].node.remember(&history);
    for index in 0..3 {
        world.empty(index);
    }
    world.activate(next);
    world.advance(5 * SECOND);
    assert!(!world.leads(next), "a group would be born over one that was there");
    let plan = world.recover(next);
    assert_eq!(plan["source"], "nothing");
    world.serves_with(next, &[]);
    world.is_whole(next, &[]);
}

#[test]
fn where_copies_contradict_each_other_the_one_that_knows_more_counts() {
    let mut world = World::serving();
    world.advance(SECOND);
    let old = [world.backends[0].disk.clone(), world.backends[1].disk.clone()];
    let handles = world.take(0, 3);
    world.advance(SECOND);
    world.fronts[0].frozen = true;
    world.crash(2);
    for (index, disk) in old.into_iter().enumerate() {
        world.crash(index);
        world.backends[index].disk = disk;
        world.restart(index);
    }
    let next = world.add_front();
    world.activate(next);
    world.advance(2 * SECOND);
    assert!(world.leads(next));
    world.restart(2);
    world.advance(5 * SECOND);
    assert!(!world.leads(next));
    let plan = world.recover(next);
    assert!(plan["source"].as_str().unwrap().contains("copy of backend"), "{plan:#}");
    world.serves_with(next, &handles);
    world.is_whole(next, &handles);
}

#[test]
fn where_a_disk_went_back_while_another_is_away_the_operator_may_do_without() {
    let mut world = World::serving();
    world.advance(SECOND);
    let old = world.backends[0].disk.clone();
    // Backend 2 learns how far the group is, and takes no entries to its disk.
    world.network.lose = |backend, order| backend == 2 && matches!(order, Order::Append { .. });
    world.take(0, 3);
    world.advance(2 * SECOND);
    let history = world.fronts[0].history.clone();
    world.fronts[0].frozen = true;
    world.network.lose = |_, _| false;
    for index in [1, 2] {
        world.crash(index);
    }
    world.crash(0);
    world.backends[0].disk = old;
    world.restart(0);
    world.restart(2);
    let next = world.add_front();
    world.fronts[next].node.remember(&history);
    world.activate(next);
    world.advance(5 * SECOND);
    assert!(!world.leads(next));
    let plan = world.recover(next);
    let lost = &plan["lost"];
    assert_eq!(lost["seats"], 3, "{plan:#}");
    assert!(lost["slots"]["from"].as_u64() <= lost["slots"]["to"].as_u64(), "{plan:#}");
    assert!(lost["since"].is_string(), "{plan:#}");
    world.serves_with(next, &[]);
    // The disk that was away remembers the former group: it is named and left alone.
    let before = world.backends[1].node.group();
    world.restart(1);
    world.advance(3 * SECOND);
    assert!(world.leads(next));
    let status = world.status(next);
    let trouble = status["backends"][1]["trouble"].as_str().unwrap_or_default().to_string();
    assert!(trouble.contains("belongs to group"), "{status:#}");
    assert_eq!(world.backends[1].node.group(), before);
}

#[test]
fn no_handle_comes_again() {
    let mut world = World::serving();
    let client = world.connect(0);
    let mut known: Vec<u32> = Vec::new();
    for _ in 0..200 {
        let (status, handle) = world.ask(0, client, seat());
        assert_eq!(status, 0);
        assert_eq!(world.ask(0, client, release(handle)).0, 0);
        known.push(handle);
    }
    world.advance(SECOND);
    world.fronts[0].frozen = true;
    world.empty(0);
    world.empty(1);
    let front = world.add_front();
    world.advance(3 * SECOND);
    world.recover(front);
    let client = world.connect(front);
    for _ in 0..200 {
        let (status, handle) = world.ask(front, client, seat());
        assert_eq!(status, 0);
        assert!(!known.contains(&handle));
        assert_eq!(world.ask(front, client, release(handle)).0, 0);
    }
}

#[test]
fn nothing_is_recovered_where_nothing_is_lost() {
    let mut world = World::new(2);
    world.advance(SECOND);
    let reason = world.plan(1).unwrap_err();
    assert!(reason.contains("no memory"), "{reason}");
    world.activate(0);
    world.advance(SECOND);
    world.take(0, 1);
    for (front, words) in [(0, "leads and serves"), (1, "another front leads")] {
        let reason = world.plan(front).unwrap_err();
        assert!(reason.contains(words), "{reason}");
        assert_eq!(world.confirm(front, "").0, "409");
    }
    // One disk is lost: the other two suffice.
    world.empty(2);
    world.advance(SECOND);
    assert!(world.plan(0).is_err() && world.plan(1).is_err());
    world.advance(5 * SECOND);
    assert_eq!((world.leads(0), world.seats(0)), (true, 1));
}

#[test]
fn what_was_not_shown_is_not_done() {
    let (mut world, front, handles) = one_disk_left();
    let shown = world.plan(front).unwrap();
    let token = shown["token"].as_str().unwrap().to_string();
    world.crash(1);
    world.advance(SECOND);
    let (status, body) = world.confirm(front, &token);
    assert_eq!(status, "409", "{body}");
    assert_eq!(world.confirm(front, "recover").0, "409");
    world.restart(1);
    world.advance(5 * SECOND);
    assert!(!world.leads(front));
    world.recover(front);
    world.serves_with(front, &handles);
}

#[test]
fn a_backend_that_dies_meanwhile_leaves_a_way_to_begin_again() {
    for victim in [0, 2] {
        for writes in 0..3 {
            let (mut world, front, handles) = one_disk_left();
            world.crash(1);
            world.advance(SECOND);
            let plan = world.plan(front).unwrap();
            world.backends[victim].stuck_after = Some(writes);
            let token = plan["token"].as_str().unwrap().to_string();
            let body = format!("{{\"token\": \"{token}\"}}");
            let length = body.len();
            let request = format!(
                "POST /api/recover HTTP/1.1\r\nX-Tmr-Admin: 1\r\nContent-Length: {length}\r\n\r\n{body}"
            );
            world.asks(front, &request);
            world.run();
            world.crash(victim);
            world.backends[victim].stuck_after = None;
            world.advance(10 * SECOND);
            world.restart(victim);
            world.advance(5 * SECOND);
            if !world.leads(front) {
                world.recover(front);
            }
            world.serves_with(front, &handles);
            world.restart(1);
            world.is_whole(front, &handles);
        }
    }
}

#[test]
fn the_other_front_follows_the_new_group() {
    let mut world = super::twins();
    let handles = world.take(0, 2);
    world.advance(SECOND);
    for index in 0..3 {
        world.empty(index);
    }
    world.advance(5 * SECOND);
    let plan = world.plan(1).unwrap();
    assert_eq!(plan["front"]["handles"], 2, "it has the log of the other one");
    world.recover(0);
    world.advance(5 * SECOND);
    world.serves_with(0, &handles);
    let status = world.status(1);
    assert_eq!((&status["role"], &status["twin"]["synced"]), (&"standby".into(), &true.into()));
    assert_eq!(status["obstacle"], Value::Null, "{status:#}");
    world.activate(1);
    world.advance(3 * SECOND);
    assert!(world.leads(1), "{:#}", world.status(1));
    world.serves_with(1, &handles);
}

#[test]
fn entries_behind_what_was_known_to_be_chosen_are_kept() {
    let mut world = World::serving();
    world.advance(SECOND);
    // No node learns that this seat is committed.
    world.network.lose = |_, order| matches!(order, Order::Confirm { .. } | Order::Witness { .. });
    let handles = world.take(0, 1);
    world.fronts[0].frozen = true;
    world.network.lose = |_, _| false;
    world.empty(0);
    world.empty(1);
    let front = world.add_front();
    world.advance(3 * SECOND);
    world.recover(front);
    world.serves_with(front, &handles);
}

#[test]
fn a_leader_of_the_group_that_was_lost_stands_by() {
    let mut world = super::twins();
    let handles = world.take(0, 2);
    world.advance(SECOND);
    for index in 0..3 {
        world.empty(index);
    }
    world.advance(15 * SECOND);
    world.recover(1);
    world.advance(5 * SECOND);
    assert_eq!((world.role(0), world.leads(1)), ("standby".to_string(), true));
    world.serves_with(1, &handles);
    world.activate(0);
    world.advance(3 * SECOND);
    assert!(world.leads(0), "{:#}", world.status(0));
    world.serves_with(0, &handles);
}

#[test]
fn a_leader_beside_one_disk_that_is_left_goes_on_from_the_longer_copy() {
    let mut world = World::serving();
    let handles = world.take(0, 3);
    world.advance(SECOND);
    world.empty(0);
    world.empty(1);
    world.advance(5 * SECOND);
    let plan = world.recover(0);
    assert!(plan["backends"][2]["committed"].as_u64() > Some(3), "{plan:#}");
    world.serves_with(0, &handles);
    world.is_whole(0, &handles);
}
