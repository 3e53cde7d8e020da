//! The lead moves: a front or its machine fails, or an operator orders it.

use crate::{SOME, Struck, many, play, told};
use serde_json::{Map, json};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use tmr_tests::harness::{FIRM_CODE, Runtime, take, until};
use tmr_tests::independent_client::{AccessRequest, get_info};
use tmr_tests::netns::licences::WIDE;
use tmr_tests::netns::{CLIENTS, FRONT, Fault, Group, Load, Pair, VIRTUAL, connect, use_it};
use tmr_tests::on_both_runtimes;

on_both_runtimes!(
    the_active_front_is_killed,
    planned_failover,
    the_link_of_the_active_machine_is_cut,
    both_machines_hold_the_address,
    the_active_front_is_frozen,
    both_are_told_to_lead,
);

/// Disables the leading front under load until the other front leads and serves; then repairs it.
/// The repaired front does not take the lead back.
fn take_over(
    pair: &mut Pair,
    load: &Load,
    leader: usize,
    strike: impl FnOnce(&mut Pair),
    repair: impl FnOnce(&mut Pair),
) -> Struck {
    let (other, group) = (1 - leader, pair.group(0, CLIENTS));
    let (struck, led) = load.during(&[group], |load| {
        load.wait_for(0, SOME);
        let struck = Instant::now();
        strike(pair);
        pair.wait_leads(other);
        // The rest of a gap is the time that clients needed to find the leader.
        let led = struck.elapsed();
        load.wait_for(0, SOME);
        (struck, led)
    });
    stays(pair, other, repair);
    (struck, told(json!({ "led_ms": led.as_millis() as u64 })))
}

/// Repairs a machine, and checks that the leader continues in the same epoch.
#[track_caller]
fn stays(pair: &mut Pair, leads: usize, repair: impl FnOnce(&mut Pair)) {
    let epoch = pair.epoch(leads);
    repair(pair);
    assert_eq!(pair.settled(), (leads, epoch), "the one that comes back pre-empts nobody");
}

fn the_active_front_is_killed(runtime: Runtime) {
    let holds = "every handle answers at the other front; the one that comes back stands by";
    play(runtime, Fault { name: "front killed", holds }, 2, |pair, load, leader| {
        let strike = |pair: &mut Pair| pair.front_process(leader).kill();
        take_over(pair, load, leader, strike, |pair| pair.restart_front(leader))
    });
}

/// Calls in progress end, and later calls can be repeated: no call fails.
fn planned_failover(runtime: Runtime) {
    let holds = "no call fails";
    play(runtime, Fault { name: "planned failover", holds }, 2, |pair, load, leader| {
        let order = |pair: &mut Pair| pair.fail_over(leader);
        let struck = take_over(pair, load, leader, order, |_| ());
        pair.verify(load, 1 - leader);
        let history = load.history();
        assert_eq!((history.failed, &history.troubles), (0, &BTreeMap::new()));
        struck
    });
}

fn the_link_of_the_active_machine_is_cut(runtime: Runtime) {
    let holds = "every handle answers at the other front; the one that comes back stands by";
    play(
        runtime,
        Fault { name: "link of the active machine cut", holds },
        2,
        |pair, load, leader| {
            let machine = format!("front-{leader}");
            let strike = |pair: &mut Pair| pair.network().cut(&machine, FRONT);
            take_over(pair, load, leader, strike, |pair| pair.network().heal(&machine, FRONT))
        },
    );
}

/// Keepalived is killed on the leading machine. The hosts of two groups of clients disagree on who
/// has the address, as after a missed announcement.
fn both_machines_hold_the_address(runtime: Runtime) {
    let both = Duration::from_secs(if many().is_some() { 30 } else { 4 });
    let holds = "both are addressed by clients for all of the time, and never more seats are out \
                 than there are";
    let answers = |load: &Load| [0, 1].map(|group| load.history().answers(group));
    play(
        runtime,
        Fault { name: "keepalived killed, address on both", holds },
        1,
        |pair, load, leader| {
            let other = 1 - leader;
            let (address, hardware) = (VIRTUAL.to_string(), pair.front(leader).hardware(FRONT));
            let host = pair.host(1).clone();
            host.ip(&[
                "neigh",
                "replace",
                &address,
                "lladdr",
                &hardware,
                "dev",
                FRONT,
                "nud",
                "permanent",
            ]);
            let groups = [pair.group(0, CLIENTS / 2), pair.group(1, CLIENTS / 2)];
            let (struck, more) = load.during(&groups, |load| {
                load.wait_for(0, SOME);
                load.wait_for(1, SOME);
                let struck = Instant::now();
                pair.keepalived(leader).kill();
                pair.wait_leads(other);
                let (taken, epoch) = (Instant::now(), pair.epoch(other));
                let mut heard = answers(load);
                while taken.elapsed() < both {
                    assert!(pair.has_address(leader), "nobody has taken it away");
                    assert!(pair.has_address(other));
                    load.wait_for(0, 1);
                    heard = until("answers of both", || {
                        let now = answers(load);
                        (now[0] > heard[0] && now[1] > heard[1]).then_some(now)
                    });
                }
                load.wait_for(0, SOME);
                assert_eq!(pair.epoch(other), epoch, "the two do not take turns");
                let history = load.history();
                let granted = [0, 1].map(|group| history.granted_since(taken, group));
                let more = json!({ "both_held_s": both.as_secs(), "granted": granted });
                (struck, told(more))
            });
            host.ip(&["neigh", "del", &address, "dev", FRONT]);
            stays(pair, other, |pair| pair.keepalived(leader).restart());
            (struck, more)
        },
    );
}

/// The leading front is frozen for at least five seconds, until the other front leads. Calls that
/// reached it meanwhile, and calls on older connections, do not succeed.
fn the_active_front_is_frozen(runtime: Runtime) {
    let holds = "the front that goes on answers nobody with old knowledge, and stands by";
    play(runtime, Fault { name: "front frozen", holds }, 1, |pair, load, leader| {
        let (own, host) = (pair.own_address(leader), pair.host(0).clone());
        let mut old = host.inside(|| connect(own)).expect("it takes a client");
        let (ask, asked) = (AccessRequest::new(FIRM_CODE, WIDE.0), Instant::now());
        let handle = take(&mut old, &ask).expect("an answer").expect("a seat is free");
        load.history().granted(handle, WIDE.0, 0, asked.elapsed());
        assert_eq!(use_it(&mut old, handle), 0);

        let other = 1 - leader;
        let struck = load.during(&[pair.group(0, CLIENTS)], |load| {
            load.wait_for(0, SOME);
            let struck = Instant::now();
            pair.front_process(leader).freeze();
            old.send(&ask.access2()).expect("the kernel takes it");
            pair.wait_leads(other);
            load.wait_for(0, SOME);
            while struck.elapsed() < Duration::from_secs(5) {
                load.wait_for(0, 1);
            }
            struck
        });
        stays(pair, other, |pair| {
            pair.front_process(leader).resume();
            let waited = old.receive();
            assert!(
                !matches!(&waited, Ok(reply) if reply.status == 0),
                "an access that waited in the old front succeeds: {waited:?}"
            );
            let again = old.call(&get_info(handle, 0x0b, 16));
            assert!(
                !matches!(&again, Ok(reply) if reply.status == 0),
                "the old front answers with old knowledge: {again:?}"
            );
        });
        (struck, Map::new())
    });
}

/// Each front is ordered to lead repeatedly, while clients use both at their own addresses. The
/// virtual address and the lead follow each other. All clients are always served, and in the end
/// one front leads and has the address.
fn both_are_told_to_lead(runtime: Runtime) {
    // Each change loses some answers, whose seats are released a clean-up time after the last
    // change. With many more changes in a row, clients would use up the largest licence.
    let times = if many().is_some() { 50 } else { 15 };
    let holds = "never more seats are out than there are; in the end one leads";
    play(
        runtime,
        Fault { name: "both told to lead, again and again", holds },
        1,
        |pair, load, leader| {
            let groups = [0, 1].map(|front| Group {
                server: pair.own_address(front),
                ..pair.group(front, CLIENTS / 2)
            });
            let before = pair.epoch(leader);
            let (struck, granted) = load.during(&groups, |load| {
                (0..2).for_each(|group| load.wait_for(group, SOME));
                let struck = Instant::now();
                for time in 0..times {
                    let (told, at) = ((leader + 1 + time) % 2, Instant::now());
                    pair.activate(told);
                    // Or the address moves at this moment, and the other front leads.
                    until("it leads, or has had a second to", || {
                        let leads = pair.status(told)?["role"] == "active";
                        (leads || at.elapsed() >= Duration::from_secs(1)).then_some(())
                    });
                    // At either address, whichever front leads.
                    (0..2).for_each(|group| load.wait_for(group, SOME / 20));
                }
                (struck, [0, 1].map(|group| load.history().granted_since(struck, group)))
            });
            let (_, after) = pair.settled();
            let more = json!({ "told": times, "epochs": after - before, "granted": granted });
            (struck, told(more))
        },
    );
}
