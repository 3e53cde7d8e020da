//! Many takeovers in a row, planned and forced: in the end both fronts have exactly the seats that
//! clients hold, and exactly the rest can be taken.

use std::collections::BTreeSet;
use tmr_tests::harness::{
    Cluster, FIRM_CODE, Runtime, SEATS, TMR, get_json, give_back, status_until, take,
};
use tmr_tests::independent_client::error::NO_MORE_LICENSES;
use tmr_tests::independent_client::{AccessRequest, Client, INFO_BOX, Person, get_info};
use tmr_tests::on_both_runtimes;

on_both_runtimes!(takeovers_in_a_row_end_with_the_right_count);

/// The number of takeovers in CI; `TMR_ROUNDS` sets another one.
const TAKEOVERS: (usize, usize) = (30, 200);
/// One takeover in this number is ordered, with both fronts up; for all others the leader is
/// killed. A front that has just lost the lead waits before it claims it again, so ordered
/// takeovers in a row take seconds each.
const ORDERED: usize = 10;

fn ask(number: usize) -> AccessRequest {
    AccessRequest::new(FIRM_CODE, TMR).by(Person::new(&format!("ws-{number}"), "ada"))
}

fn takeovers_in_a_row_end_with_the_right_count(runtime: Runtime) {
    let all = std::env::var_os("TMR_ROUNDS").is_some();
    let takeovers = if all { TAKEOVERS.1 } else { TAKEOVERS.0 };
    let mut cluster = Cluster::of(runtime).twin().start();
    let mut held = BTreeSet::new();
    let mut ever = BTreeSet::new();
    for number in 0..takeovers {
        let (old, new) = (number % 2, 1 - number % 2);
        let killed = number % ORDERED != 0;
        if killed {
            cluster.fronts[old].kill();
        }
        cluster.activate(new);
        let server = cluster.fronts[new].licence();
        let mut client = Client::connect(server).expect("it takes a client");
        for handle in &held {
            let reply = client.call(&get_info(*handle, INFO_BOX, 144)).expect("an answer");
            assert_eq!(reply.status, 0, "seat {handle} after {number} takeovers");
        }
        // One seat is taken, and the oldest is released when there are enough.
        let seat = take(&mut client, &ask(number)).expect("an answer").expect("a seat is free");
        assert!(ever.insert(seat), "handle {seat} was given a second time");
        held.insert(seat);
        if held.len() + 1 == SEATS as usize {
            let oldest = held.pop_first().expect("there are some");
            assert_eq!(give_back(&mut client, oldest).expect("an answer"), Ok(0));
        }
        if killed {
            cluster.restart_front(old);
        }
    }

    let leader = takeovers % 2;
    for front in &cluster.fronts {
        status_until(front.admin(), "the seats that are held, and no other", |status| {
            let rows = status["allocations"].as_array()?;
            let there = rows.iter().map(|row| row["handle"].as_u64());
            let there = there.collect::<Option<BTreeSet<u64>>>()?;
            (there == held.iter().map(|&handle| handle.into()).collect()).then_some(())
        });
    }
    let status = get_json(cluster.fronts[leader].admin(), "/api/status").expect("a status");
    assert_eq!(status["role"], "active");
    assert!(status["epoch"].as_u64() > u64::try_from(takeovers).ok(), "each was one: {status:#}");
    let server = cluster.fronts[leader].licence();
    let mut client = Client::connect(server).expect("it takes a client");
    let mut take_one = |number| take(&mut client, &ask(number)).expect("an answer");
    for number in held.len()..SEATS as usize {
        take_one(takeovers + number).expect("the rest is free");
    }
    assert_eq!(take_one(0), Err(NO_MORE_LICENSES), "no seat beyond the quantity");
}
