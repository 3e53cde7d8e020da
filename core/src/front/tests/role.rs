//! The role and the virtual address: it comes, goes, stays, and is on two machines at once.

use super::{World, with_address};
use crate::base::time::Duration;
use crate::messages::group::Order;
use crate::testing::{crypt, release, seat};

const SECOND: Duration = Duration::from_secs(1);
const MILLI: Duration = Duration::from_millis(1);

#[test]
fn the_address_takes_the_lead_along() {
    let mut world = with_address();
    let client = world.connect(0);
    let (status, handle) = world.ask(0, client, seat());
    assert_eq!(status, 0);
    world.address(0, false);
    world.address(1, true);
    world.advance(MILLI);
    assert!(world.leads(1));
    // The old leader learns of it with its next confirmation at the latest.
    world.advance(SECOND);
    assert_eq!(world.role(0), "standby");
    let client = world.connect(1);
    assert_eq!(world.ask(1, client, crypt(handle)).0, 0);
    assert_eq!(world.status(1)["virtual_ip"], true);
    assert_eq!(world.status(0)["virtual_ip"], false);
    // The front without it does not return by itself, whatever becomes of the other.
    world.fronts[1].frozen = true;
    world.advance(20 * SECOND);
    assert_eq!(world.role(0), "standby");
    world.address(0, true);
    world.advance(MILLI);
    assert!(world.leads(0));
}

#[test]
fn a_front_whose_address_goes_serves_until_another_one_leads() {
    let mut world = with_address();
    let client = world.connect(0);
    world.address(0, false);
    world.advance(20 * SECOND);
    assert_eq!(world.ask(0, client, seat()).0, 0);
    world.address(1, true);
    world.advance(SECOND);
    assert!(world.client(0, client).closed);
    assert_eq!(world.role(0), "standby");
}

#[test]
fn one_that_starts_with_the_address_pre_empts_nobody() {
    let mut world = with_address();
    let client = world.connect(0);
    assert_eq!(world.ask(0, client, seat()).0, 0);
    let back = world.add_front();
    world.advance(MILLI);
    world.address(back, true);
    world.advance(20 * SECOND);
    assert!(world.leads(0));
    assert_eq!(world.role(back), "standby");
    assert!(world.fronts[back].away, "the address is better where the lead is");
    assert!(!world.fronts[0].away);
    // The leader dies: the address is here, and nobody leads.
    world.fronts[0].frozen = true;
    world.advance(4 * SECOND);
    assert!(world.leads(back));
    assert!(!world.fronts[back].away);
}

#[test]
fn both_have_the_address_for_ever() {
    let mut world = with_address();
    let client = world.connect(0);
    let (_, handle) = world.ask(0, client, seat());
    // It comes to the other one and stays here too, as when keepalived was killed.
    world.address(1, true);
    world.advance(20 * SECOND);
    assert!(world.leads(1));
    assert_eq!(world.role(0), "standby");
    assert_eq!((world.fronts[0].away, world.fronts[1].away), (true, false));
    let client = world.connect(1);
    assert_eq!(world.ask(1, client, crypt(handle)).0, 0);
    // The leader goes; the first one still has the address.
    world.fronts[1].frozen = true;
    world.advance(4 * SECOND);
    assert!(world.leads(0));
    // The other one runs again, learns that it was deposed, and pre-empts nothing.
    world.fronts[1].frozen = false;
    world.advance(20 * SECOND);
    assert!(world.leads(0));
    assert_eq!(world.role(1), "standby");
    assert_eq!((world.fronts[0].away, world.fronts[1].away), (false, true));
}

#[test]
fn two_that_have_the_address_do_not_take_turns() {
    // The old leader has its heartbeat first, and asks the backends how they stand.
    for late in (50..500).step_by(50) {
        let mut world = with_address();
        world.advance(late * MILLI);
        let other = world.add_front();
        world.address(other, false);
        let old = world.connect(0);
        world.advance(SECOND + (500 - late) / 2 * MILLI);
        world.address(other, true);
        world.advance(MILLI);
        assert!(world.leads(other));
        let epoch = world.status(other)["epoch"].clone();
        // The old leader's own clients make it step back before its successor has sent a first
        // heartbeat; what clients do there is committed meanwhile.
        world.call(0, old, seat());
        let client = world.connect(other);
        for _ in 0..100 {
            let (status, handle) = world.ask(other, client, seat());
            assert_eq!(status, 0, "{late}");
            assert_eq!(world.ask(other, client, release(handle)).0, 0);
            world.advance(10 * MILLI);
        }
        world.advance(20 * SECOND);
        assert!(world.leads(other), "{late}");
        assert_eq!(world.role(0), "standby");
        assert_eq!(world.status(other)["epoch"], epoch, "nobody has claimed since");
    }
}

#[test]
fn a_leader_that_lost_its_majority_is_not_waited_for() {
    let mut world = with_address();
    world.add_front();
    world.advance(MILLI);
    world.address(2, true);
    world.advance(MILLI);
    // The leader still talks to one backend, which the other one sees too.
    world.part(0, 1);
    world.part(0, 2);
    world.advance(6 * SECOND);
    assert!(world.leads(2));
    assert_ne!(world.role(0), "active");
}

#[test]
fn an_operators_word_holds_while_the_address_leaves() {
    let mut world = World::new(1);
    for backend in [0, 1] {
        world.crash(backend);
    }
    world.address(0, true);
    world.advance(SECOND);
    world.activate(0);
    world.address(0, false);
    for backend in [0, 1] {
        world.restart(backend);
    }
    world.advance(5 * SECOND);
    assert!(world.leads(0), "{:#}", world.status(0));
}

#[test]
fn an_operators_word_holds_without_the_address() {
    let mut world = with_address();
    world.activate(1);
    world.advance(SECOND);
    assert!(world.leads(1));
    assert_eq!(world.role(0), "standby");
    assert!(world.fronts[0].away, "the address follows the lead");
}

#[test]
fn one_whose_address_has_gone_does_not_lead_again_because_another_claim_led_nowhere() {
    let mut world = with_address();
    world.address(0, false);
    // The other one gets its promises, and dies with them.
    world.network.lose = |_, order| matches!(order, Order::Append { .. });
    world.address(1, true);
    world.fronts[1].frozen = true;
    world.network.lose = |_, _| false;
    world.advance(20 * SECOND);
    assert_eq!(world.role(0), "standby");
}

#[test]
fn keepalived_is_told_where_the_address_belongs() {
    let mut world = with_address();
    let status = |world: &mut World, front| world.http(front, "GET /holdz HTTP/1.1\r\n\r\n");
    assert!(status(&mut world, 0).starts_with("HTTP/1.1 200"));
    world.activate(1);
    world.advance(SECOND);
    let said = status(&mut world, 0);
    assert!(said.starts_with("HTTP/1.1 503") && said.contains("another front leads"), "{said}");
    assert!(status(&mut world, 1).starts_with("HTTP/1.1 200"));
}
