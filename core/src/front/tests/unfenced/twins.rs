//! Two fronts with stock servers as backends, and the line between them: what one takes over from
//! the other, what a reply waits for, and which one claims.

use super::{MILLI, SECOND, Server, World, ask, stock, take};
use crate::base::limits::{TWIN_CONNECT, TWIN_HEARTBEAT, TWIN_TRANSFER};
use crate::log::ContainerId;
use crate::messages::twin::{Answer, TwinAck};
use crate::testing::{CM_ACT_ID, crypt, release, seat};
use alloc::vec;

impl World {
    /// Stops front 1, and starts it again.
    fn start_again(&mut self) {
        self.break_line();
        self.fronts.pop();
        self.servers.links.retain(|(front, _), _| *front == 0);
        assert_eq!(self.add_front_with(|config| config.unfenced = true), 1);
    }
}

#[test]
fn the_other_front_goes_on_with_every_seat_and_its_handles_at_the_servers() {
    let mut world = stock(2);
    let handles = take(&mut world, 0, 3);
    assert_eq!(ask(&mut world, 0, release(handles[0])), 0);
    world.advance(SECOND);
    assert_eq!(world.status(0)["twin"]["synced"], true);
    world.fronts[0].frozen = true;
    world.line.cut = true;
    world.break_line();
    world.activate(1);
    world.advance(TWIN_CONNECT + 2 * SECOND);
    assert!(world.leads(1), "{:#}", world.status(1));
    assert_eq!(world.used_there(), [2, 2, 2], "no seat was taken twice");
    assert_eq!(ask(&mut world, 1, crypt(handles[1])), 0);
    assert_eq!(ask(&mut world, 1, crypt(handles[0])), 106);
    assert_eq!(ask(&mut world, 1, release(handles[1])), 0);
    assert_eq!(world.used_there(), [1, 1, 1], "the handle there was the one that was told");
    take(&mut world, 1, 4);
    assert_eq!(ask(&mut world, 1, seat()), 212);
    assert_eq!(world.used_there(), [5, 5, 5]);
}

#[test]
fn a_server_that_restarted_before_the_takeover_is_given_its_seats_again() {
    let mut world = stock(2);
    let handles = take(&mut world, 0, 2);
    world.advance(SECOND);
    world.fronts[0].frozen = true;
    world.line.cut = true;
    world.break_line();
    world.server_dies(1);
    world.servers.all[1].away = false;
    world.activate(1);
    world.advance(TWIN_CONNECT + 5 * SECOND);
    assert!(world.leads(1));
    assert_eq!(world.used_there(), [2, 2, 2]);
    for handle in handles {
        assert_eq!(ask(&mut world, 1, release(handle)), 0);
    }
    assert_eq!(world.used_there(), [0, 0, 0]);
}

#[test]
fn a_client_is_answered_when_the_twin_has_it_too_or_does_not_take_it_in_time() {
    let mut world = stock(2);
    world.line.loses = true;
    let client = world.connect(0);
    world.call(0, client, seat());
    world.advance(TWIN_TRANSFER - MILLI);
    assert_eq!(world.answer(0, client), None);
    world.advance(2 * MILLI);
    assert_eq!(world.answer(0, client).map(|(status, _)| status), Some(0));
    assert_eq!(world.status(0)["twin"]["synced"], false);
    // No reply waits for it again before it has caught up.
    take(&mut world, 0, 1);
    world.line.loses = false;
    world.advance(TWIN_TRANSFER + 5 * SECOND);
    assert_eq!(world.status(0)["twin"]["synced"], true, "{:#}", world.status(0)["twin"]);
    world.line.loses = true;
    let client = world.connect(0);
    world.call(0, client, seat());
    world.advance(SECOND);
    assert_eq!(world.answer(0, client), None, "now it is waited for");
}

#[test]
fn a_twin_that_answers_and_does_not_keep_up_holds_a_client_up_no_longer() {
    let mut world = stock(2);
    world.line.loses = true;
    let client = world.connect(0);
    world.call(0, client, seat());
    world.advance(TWIN_TRANSFER / 2);
    world.answer_to(0, &TwinAck { count: u64::MAX, answer: Answer::Noted });
    world.advance(TWIN_TRANSFER / 2 - MILLI);
    assert_eq!(world.answer(0, client), None);
    world.advance(2 * MILLI);
    assert_eq!(world.status(0)["twin"]["connected"], true);
    assert_eq!(world.answer(0, client).map(|(status, _)| status), Some(0));
    take(&mut world, 0, 1);
}

#[test]
fn of_two_that_lead_the_lower_one_stands_back_when_they_hear_of_each_other() {
    let mut world = stock(2);
    let handles = take(&mut world, 0, 2);
    world.advance(SECOND);
    world.line.cut = true;
    world.break_line();
    world.activate(1);
    world.advance(TWIN_CONNECT + 2 * SECOND);
    assert!(world.leads(0) && world.leads(1), "nobody keeps them apart");
    world.line.cut = false;
    world.advance(4 * SECOND);
    assert_eq!(world.role(0), "standby");
    assert!(world.leads(1));
    assert_eq!(world.status(0)["twin"]["synced"], true);
    // It took the other one's log as its own, and can lead with it.
    assert_eq!(ask(&mut world, 1, release(handles[0])), 0);
    world.advance(2 * TWIN_HEARTBEAT);
    world.fronts[1].frozen = true;
    world.line.cut = true;
    world.break_line();
    world.activate(0);
    world.advance(TWIN_CONNECT + 2 * SECOND);
    assert!(world.leads(0));
    assert_eq!(world.seats(0), 1);
    assert_eq!(ask(&mut world, 0, crypt(handles[1])), 0);
    assert_eq!(world.used_there(), [1, 1, 1]);
}

#[test]
fn one_that_starts_beside_a_leader_claims_with_that_ones_log() {
    let mut world = stock(1);
    let handles = take(&mut world, 0, 2);
    world.add_front_with(|config| config.unfenced = true);
    world.activate(1);
    world.advance(TWIN_CONNECT + 2 * SECOND);
    assert!(world.leads(1), "{:#}", world.status(1));
    assert_eq!(world.role(0), "standby");
    assert_eq!((world.seats(1), world.used_there()), (2, [2, 2, 2]));
    assert_eq!(ask(&mut world, 1, release(handles[0])), 0);
    assert_eq!(world.used_there(), [1, 1, 1]);
}

#[test]
fn one_that_is_to_lead_waits_for_a_first_word_of_its_twin_and_takes_its_log() {
    let mut world = stock(1);
    take(&mut world, 0, 2);
    world.line.loses = true;
    world.add_front_with(|config| config.unfenced = true);
    world.activate(1);
    world.line.loses = false;
    assert_eq!(world.role(1), "starting");
    world.advance(TWIN_CONNECT + 2 * SECOND);
    assert!(world.leads(1), "{:#}", world.status(1));
    assert_eq!(world.role(0), "standby");
    assert_eq!((world.seats(1), world.used_there()), (2, [2, 2, 2]));
}

#[test]
fn one_that_is_to_lead_waits_for_the_log_that_its_twin_owes() {
    let mut world = stock(2);
    take(&mut world, 0, 2);
    world.start_again();
    world.advance(SECOND);
    // The next whole state is not sent so soon after the last.
    world.start_again();
    world.activate(1);
    world.advance(SECOND / 2);
    assert_eq!(world.status(1)["twin"]["role"], "active");
    assert_eq!((world.role(1).as_str(), world.leads(0)), ("starting", true));
    world.advance(2 * SECOND);
    assert!(world.leads(1), "{:#}", world.status(1));
    assert_eq!((world.seats(1), world.used_there()), (2, [2, 2, 2]));
}

#[test]
fn with_the_address_nothing_is_claimed_while_the_twin_says_that_it_leads() {
    let mut world = stock(2);
    take(&mut world, 0, 2);
    world.address(1, true);
    world.advance(5 * SECOND);
    assert!(world.leads(0));
    assert!(world.fronts[1].away, "the address is better there");
    world.fronts[0].frozen = true;
    world.line.cut = true;
    world.break_line();
    world.advance(SECOND);
    assert!(world.leads(1), "{:#}", world.status(1));
    assert!(!world.fronts[1].away);
    assert_eq!((world.seats(1), world.used_there()), (2, [2, 2, 2]));
}

#[test]
fn one_that_is_alone_does_not_wait_for_a_twin_that_cannot_be_reached() {
    let mut world = World::new(0);
    world.servers.all = (0..3).map(Server::new).collect();
    world.virtuals = vec![(ContainerId::CmAct(CM_ACT_ID), None)];
    world.add_front_with(|config| config.unfenced = true);
    world.activate(0);
    world.advance(SECOND);
    assert!(world.leads(0), "{:#}", world.status(0));
}
