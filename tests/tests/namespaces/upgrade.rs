//! A rolling upgrade, in the order and by the commands of the packages: one machine after the
//! other, backends first, then the standby front, then the one that leads, after a planned
//! failover. Then the same back again, with backends whose state folders are emptied on the way.
//!
//! The other version is that of this repository before there were packages, built from its history:
//! other code, with an older version of the protocol between fronts.

use crate::{SOME, one_at_a_time, undisturbed};
use std::collections::BTreeMap;
use tmr_tests::harness::{Program, Runtime, until};
use tmr_tests::netns::{CLIENTS, Load, Pair, State};

#[test]
fn smol_all_five_machines() {
    all_five_machines_are_upgraded_and_downgraded_again(Runtime::Smol);
}

#[test]
fn threads_all_five_machines() {
    all_five_machines_are_upgraded_and_downgraded_again(Runtime::Threads);
}

fn all_five_machines_are_upgraded_and_downgraded_again(runtime: Runtime) {
    let _one = one_at_a_time();
    let Some(old) = Program::previous(runtime) else { return };
    let Some(mut pair) = Pair::start_as(runtime, &old) else { return };
    let load = Load::new();
    roll(&mut pair, &load, &Program::of(runtime), State::Kept);
    // The previous version cannot read this version's journals, so each backend begins anew.
    roll(&mut pair, &load, &old, State::Emptied);
}

/// Installs this program on every machine under load. No seat is lost, and clients notice only the
/// one ordered change of fronts.
fn roll(pair: &mut Pair, load: &Load, program: &Program, state: State) {
    let (leader, epoch) = pair.settled();
    let other = 1 - leader;
    undisturbed(pair.group(0, CLIENTS), load, |load| {
        load.wait_for(0, SOME);
        for part in 1..=3 {
            pair.replace_backend(part, program, state);
            // The next backend is upgraded only when all three are up.
            assert_eq!(pair.settled(), (leader, epoch));
            load.wait_for(0, SOME);
        }
        pair.replace_front(other, program);
        assert_eq!(pair.settled(), (leader, epoch));
        load.wait_for(0, SOME);
    });
    load.during(&[pair.group(0, CLIENTS)], |load| {
        load.wait_for(0, SOME);
        until("the other front to have everything", || {
            (pair.status(leader)?["twin"]["synced"] == true).then_some(())
        });
        pair.fail_over(leader);
        pair.wait_leads(other);
        load.wait_for(0, SOME);
        pair.replace_front(leader, program);
        assert_eq!(pair.settled().0, other);
        load.wait_for(0, SOME);
    });
    pair.verify(load, other);
    let history = load.history();
    assert_eq!((history.failed, &history.troubles), (0, &BTreeMap::new()));
}
