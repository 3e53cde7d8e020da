//! The answers of `/readyz` at fronts and backends, and whether licences are granted.

use super::World;
use super::world::Event;
use crate::base::time::Duration;
use crate::io::Input;
use crate::messages::group::Order;
use alloc::string::String;
use alloc::vec::Vec;

const SECOND: Duration = Duration::from_secs(1);
const MILLI: Duration = Duration::from_millis(1);

impl World {
    /// Returns why a front is not ready, by `/readyz`; empty if it is.
    fn unready(&mut self, front: usize) -> String {
        reason(&self.http(front, "GET /readyz HTTP/1.1\r\n\r\n"))
    }

    fn is_available(&mut self, front: usize) -> bool {
        self.status(front)["licenses"][0]["available"] == true
    }

    /// Returns the same of a backend.
    fn backend_unready(&mut self, index: usize) -> String {
        use crate::admin::View;
        // Its clock is that of its latest step.
        self.events.push_back(Event::ToBackend(index, Input::Tick));
        self.run();
        let ready = self.backends[index].node.ready();
        ready.err().map_or_else(String::new, |refusal| refusal.reason().into())
    }
}

fn reason(answer: &str) -> String {
    let (head, body) = answer.split_once("\r\n\r\n").expect("an answer");
    if head.starts_with("HTTP/1.1 200") { String::new() } else { body.into() }
}

#[test]
fn a_front_that_stands_by_beside_three_blank_backends_could_found_their_group() {
    let mut world = World::new(2);
    world.advance(SECOND);
    assert_eq!([world.unready(0), world.unready(1)], ["", ""]);
    assert!(!world.is_available(0), "there is no group yet");
    world.crash(2);
    world.advance(SECOND);
    let reason = world.unready(1);
    assert!(reason.contains("all three backends once"), "{reason}");
}

#[test]
fn a_front_that_stands_by_hears_of_a_birth_and_counts_members() {
    let mut world = World::new(2);
    world.advance(SECOND);
    world.activate(0);
    world.advance(SECOND);
    world.crash(0);
    assert_eq!([world.unready(0), world.unready(1)], ["", ""], "two members are left");
    assert!(world.is_available(0) && world.is_available(1));
    world.crash(1);
    world.advance(3 * SECOND);
    for front in [0, 1] {
        assert_ne!(world.unready(front), "", "front {front}");
        assert!(!world.is_available(front), "front {front}");
    }
}

#[test]
fn a_leader_whose_backends_have_said_late_that_they_are_blank_is_ready() {
    let mut world = World::new(1);
    world.crash(2);
    world.activate(0);
    world.advance(3 * SECOND);
    let reason = world.unready(0);
    assert!(reason.contains("all three backends once"), "{reason}");
    world.restart(2);
    world.advance(5 * SECOND);
    assert!(world.leads(0));
    assert_eq!(world.unready(0), "");
    assert_eq!(world.status(0)["obstacle"], serde_json::Value::Null);
}

#[test]
fn a_front_beside_one_member_and_two_blank_disks_is_not_ready() {
    let mut world = World::serving();
    let standby = world.add_front();
    world.advance(SECOND);
    world.fronts[0].frozen = true;
    for index in [0, 1] {
        world.crash(index);
        world.backends[index].disk.clear();
        world.restart(index);
    }
    world.advance(2 * SECOND);
    let reason = world.unready(standby);
    assert!(reason.contains("fewer than two members"), "{reason}");
    assert!(!world.is_available(standby));
    world.activate(standby);
    world.advance(3 * SECOND);
    let reason = world.unready(standby);
    assert!(reason.starts_with("the group's memory is lost"), "{reason}");
}

#[test]
fn a_front_that_filled_two_blank_disks_and_lost_the_lead_names_them() {
    let mut world = World::serving();
    let other = world.add_front();
    world.advance(SECOND);
    for index in [0, 1] {
        world.crash(index);
        world.backends[index].disk.clear();
    }
    for index in [0, 1] {
        world.restart(index);
    }
    world.advance(500 * MILLI);
    world.activate(other);
    world.advance(3 * SECOND);
    assert!(!world.leads(0) && !world.leads(other));
    let reason = world.unready(0);
    for index in [0, 1] {
        let status = world.status(0);
        let address = status["backends"][index]["address"].as_str().expect("a text");
        assert!(
            reason.contains(&alloc::format!("{address} (its disk is not one that the group")),
            "{reason}"
        );
    }
}

#[test]
fn a_leader_that_nobody_confirms_is_not_ready() {
    let mut world = World::serving();
    assert_eq!(world.unready(0), "");
    world.network.lose = |_, order| matches!(order, Order::Confirm { .. } | Order::Witness { .. });
    world.advance(2 * SECOND);
    let reason = world.unready(0);
    assert!(reason.contains("no two backends have confirmed"), "{reason}");
}

#[test]
fn a_leader_is_ready_while_a_backend_that_came_back_has_all_of_them_asked_anew() {
    let mut world = World::serving();
    world.crash(0);
    world.advance(70 * SECOND);
    assert_eq!((world.unready(0), world.role(0)), (String::new(), "active".into()));
    // No answers arrive any more.
    world.network.lose = |_, order| matches!(order, Order::Confirm { .. } | Order::Witness { .. });
    world.restart(0);
    while world.backend_state(0, 0) == "down" {
        world.advance(MILLI);
    }
    // After the orders for which the backend's promise took so long.
    let mut millis = 0;
    while millis < 400 {
        assert_eq!((world.unready(0), world.role(0)), (String::new(), "active".into()), "{millis}");
        let red = alloc::format!("{}", world.status(0)["verdict"]);
        assert!(!red.contains("\"red\""), "{millis}: {red}");
        world.advance(MILLI);
        millis += 1;
    }
    world.advance(2 * SECOND);
    assert_ne!(world.unready(0), "", "they have not answered for two seconds");
    assert_ne!(world.role(0), "active");
}

#[test]
fn a_backend_is_ready_when_it_is_a_member_that_lacks_nothing() {
    let mut world = World::new(1);
    world.advance(SECOND);
    let reason = world.backend_unready(2);
    assert!(reason.contains("it is blank"), "{reason}");
    world.activate(0);
    world.advance(SECOND);
    world.take(0, 2);
    world.advance(SECOND);
    for index in 0..3 {
        assert_eq!(world.backend_unready(index), "", "backend {index}");
    }
    // Its disk is gone, and it is repaired and not admitted, since another one writes nothing.
    world.crash(1);
    world.backends[0].stuck = true;
    world.backends[2].disk.clear();
    world.crash(2);
    world.restart(2);
    world.advance(300 * MILLI);
    assert_ne!(world.backend_unready(2), "");
    world.unstick(0);
    world.restart(1);
    world.advance(3 * SECOND);
    assert_eq!(world.backend_unready(2), "");
}

#[test]
fn a_backend_that_nobody_serves_with_is_not_ready() {
    let mut world = World::serving();
    world.advance(SECOND);
    assert_eq!(world.backend_unready(0), "");
    world.fronts[0].frozen = true;
    world.advance(3 * SECOND);
    let reason = world.backend_unready(0);
    assert!(reason.contains("no front that serves"), "{reason}");
    // Backend 0 does not get the entries of a new front, and lacks slots that are chosen.
    let next = world.add_front();
    world.network.lose = |backend, order| backend == 0 && matches!(order, Order::Append { .. });
    world.activate(next);
    world.advance(SECOND);
    world.take(next, 1);
    world.advance(SECOND);
    let reason = world.backend_unready(0);
    assert!(reason.contains("it is behind"), "{reason}");
}

#[test]
fn restarting_the_next_backend_when_the_last_one_is_ready_loses_nothing() {
    let mut world = World::serving();
    let handles: Vec<u32> = world.take(0, 3);
    world.advance(SECOND);
    for index in [0, 1, 2, 0, 1, 2] {
        // What the process knew is gone with it.
        world.crash(index);
        world.backends[index].disk.clear();
        world.restart(index);
        let mut waited = 0;
        while !world.backend_unready(index).is_empty() {
            world.advance(100 * MILLI);
            waited += 1;
            assert!(waited < 100, "{index}: {}", world.backend_unready(index));
        }
    }
    assert!(world.leads(0));
    assert_eq!(world.seats(0), handles.len());
}
