//! The other machine cannot take the virtual address: a planned failover is refused, the status
//! shows this beforehand, and clients notice nothing.

use crate::{SOME, one_at_a_time, undisturbed};
use tmr_tests::harness::{Runtime, until};
use tmr_tests::netns::{CLIENTS, FRONT, Load, Pair};
use tmr_tests::on_both_runtimes;

on_both_runtimes!(
    a_failover_to_a_machine_without_keepalived_is_refused,
    a_failover_to_keepalived_in_fault_is_refused,
    a_fault_ends_with_the_keepalived_that_was_in_it,
    a_failover_to_a_front_that_has_just_started_waits_for_it,
    what_keepalived_says_is_heard_in_its_order,
);

/// Waits until a front reports exactly these problems of the address. Problems of licences are
/// ignored, because the load causes some. A front that has just started may need a moment.
#[track_caller]
fn says(pair: &Pair, front: usize, codes: &[&str]) {
    until(&format!("the verdict of front {front} to be {codes:?}"), || {
        let mut told = pair.troubles(front);
        told.retain(|code| code.starts_with("address-"));
        (told == codes).then_some(())
    });
}

/// Checks that clients are served while a failover is refused, and that the leading front gives the
/// reason beforehand.
#[track_caller]
fn refused(pair: &Pair, load: &Load, leader: usize, reason: &str) {
    let epoch = pair.epoch(leader);
    let beforehand = pair.wait_other_could_take(leader, false);
    assert!(beforehand.contains(reason), "{beforehand}");
    says(pair, leader, &["address-not-there"]);
    undisturbed(pair.group(0, CLIENTS), load, |load| {
        load.wait_for(0, SOME);
        let (code, said) = pair.order_failover(leader);
        assert_eq!(code, Some(1), "{said}");
        assert!(said.contains("go to nobody") && said.contains(reason), "{said}");
        load.wait_for(0, SOME);
    });
    assert!(pair.has_address(leader), "it has not gone");
    assert_eq!(pair.epoch(leader), epoch, "the role has not gone either");
}

/// The fault is repaired: the same order succeeds.
#[track_caller]
fn goes(pair: &Pair, leader: usize) {
    assert_eq!(pair.wait_other_could_take(leader, true), "");
    assert_eq!(pair.settled().0, leader);
    says(pair, leader, &[]);
    pair.fail_over(leader);
    pair.wait_leads(1 - leader);
}

/// The other front does not start any more; keepalived on its machine has asked by now whether it
/// runs.
#[track_caller]
fn runs_for_a_while(pair: &Pair, leader: usize) {
    until("the other front to be there for longer than it starts", || {
        let twin = pair.status(leader)?["twin"].take();
        (twin["connected"] == true && twin["starting"] == false).then_some(())
    });
}

fn a_failover_to_a_machine_without_keepalived_is_refused(runtime: Runtime) {
    let _one = one_at_a_time();
    let Some(mut pair) = Pair::start(runtime) else { return };
    let load = Load::new();
    let (leader, _) = pair.settled();
    let other = 1 - leader;
    // Keepalived ran there, and has stopped.
    runs_for_a_while(&pair, leader);
    pair.keepalived(other).kill();
    refused(&pair, &load, leader, "keepalived there has not run its track scripts for ");
    says(&pair, other, &["address-not-here"]);
    // The front there never knew keepalived to run.
    pair.front_process(other).kill();
    pair.restart_front(other);
    runs_for_a_while(&pair, leader);
    refused(&pair, &load, leader, "since the front there started: it does not run");
    pair.keepalived(other).restart();
    goes(&pair, leader);
}

fn a_failover_to_keepalived_in_fault_is_refused(runtime: Runtime) {
    let _one = one_at_a_time();
    let Some(pair) = Pair::start(runtime) else { return };
    let load = Load::new();
    let (leader, _) = pair.settled();
    let machine = format!("front-{}", 1 - leader);
    pair.network().cut(&machine, FRONT);
    refused(&pair, &load, leader, "keepalived there is in FAULT");
    pair.network().heal(&machine, FRONT);
    goes(&pair, leader);
}

/// Keepalived was killed and could not report its end, and an instance that was in FAULT has
/// another name afterwards.
fn a_fault_ends_with_the_keepalived_that_was_in_it(runtime: Runtime) {
    let _one = one_at_a_time();
    let Some(mut pair) = Pair::start(runtime) else { return };
    let (leader, _) = pair.settled();
    let other = 1 - leader;
    let machine = format!("front-{other}");
    pair.network().cut(&machine, FRONT);
    let reason = pair.wait_other_could_take(leader, false);
    assert!(reason.contains("keepalived there is in FAULT"), "{reason}");
    pair.keepalived(other).kill();
    pair.keepalived(other).rename_group();
    pair.network().heal(&machine, FRONT);
    pair.keepalived(other).restart();
    goes(&pair, leader);
}

/// The front is in sync before it is connected to its backends. Keepalived on its machine has not
/// asked it yet, or is in FAULT because of it.
fn a_failover_to_a_front_that_has_just_started_waits_for_it(runtime: Runtime) {
    let _one = one_at_a_time();
    let Some(mut pair) = Pair::start(runtime) else { return };
    let (leader, _) = pair.settled();
    pair.front_process(1 - leader).kill();
    pair.restart_front(1 - leader);
    until("the other front to be in sync", || {
        (pair.status(leader)?["twin"]["synced"] == true).then_some(())
    });
    pair.fail_over(leader);
    pair.wait_leads(1 - leader);
}

/// Keepalived starts a process for each change of a state and waits for none of them. So a FAULT
/// that ended at once can be reported last, and stay.
fn what_keepalived_says_is_heard_in_its_order(runtime: Runtime) {
    let _one = one_at_a_time();
    let Some(pair) = Pair::start(runtime) else { return };
    let (leader, _) = pair.settled();
    pair.notify_late(1 - leader, "GROUP tmr FAULT 250", || {
        pair.notify(1 - leader, "GROUP tmr BACKUP 250");
    });
    goes(&pair, leader);
}
