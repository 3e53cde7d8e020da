//! Two fronts with real keepalived in network namespaces, and 32 clients: nothing is lost and
//! nothing is given twice, whichever of the machines dies, freezes or is cut off.
//!
//! `TMR_ROUNDS=N` plays each fault N times and prints medians and worst gaps; without it, once or
//! twice. Gaps are reported, never asserted.

use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};
use tmr_tests::foreign::Ask;
use tmr_tests::harness::{
    FIRM_CODE, Program, Runtime, give_back, is_whole, licence_row, take, until, within,
};
use tmr_tests::netns::licences::{LONELY, WIDE};
use tmr_tests::netns::{
    Adapted, CLIENTS, FRONT, Group, Load, Pair, Row, VIRTUAL, check, connect, possible,
    put_scripts, report, table, use_it,
};
use tmr_tests::on_both_runtimes;

on_both_runtimes!(
    the_active_front_is_killed,
    planned_failover,
    the_link_of_the_active_machine_is_cut,
    both_machines_hold_the_address,
    the_active_front_is_frozen,
    all_five_are_killed,
    each_backend_is_emptied,
    both_are_told_to_lead,
);

/// Acknowledged accesses before a fault, and after it.
const SOME: usize = 100;

/// No failure, but what the servers logged is shown.
const WORTH_A_LOOK: Duration = Duration::from_secs(10);

/// Clusters do not share the processors.
fn one_at_a_time() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    ONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How often each fault is played, if somebody asked.
fn many() -> Option<u32> {
    let text = std::env::var("TMR_ROUNDS").ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("TMR_ROUNDS must be a number, not {text}")))
}

/// What a round gives: when the fault struck, and what else there is to tell.
type Struck = (Instant, Map<String, Value>);

/// Plays a fault on a cluster, again and again; after each round one front leads and everything
/// that was acknowledged is there.
fn play(
    runtime: Runtime,
    fault: &'static str,
    rounds: u32,
    strike: impl Fn(&mut Pair, &Load, usize) -> Struck,
) {
    let _one = one_at_a_time();
    let Some(mut pair) = Pair::start(runtime) else { return };
    let load = Load::new();
    let mut rows = Vec::new();
    for _ in 0..many().unwrap_or(rounds) {
        let (leader, _) = pair.settled();
        let (struck, mut more) = strike(&mut pair, &load, leader);
        let (leader, _) = pair.settled();
        pair.verify(&load, leader);
        let gap = load.history().gap_since(struck);
        {
            let history = load.history();
            more.insert("held".into(), history.held().len().into());
            more.insert("breaks".into(), history.breaks.into());
            more.insert("failed".into(), history.failed.into());
            more.insert("refusals".into(), json!(history.troubles));
        }
        if gap > WORTH_A_LOOK {
            pair.tell();
        }
        let row = Row { fault, runtime, gap, more };
        report(&row);
        rows.push(row);
    }
    table(&rows);
}

/// Strikes the front that leads, under load, until the other one leads and serves; then repairs.
/// The one that comes back pre-empts nobody.
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
        // What a gap has beyond this, it took clients to find who leads.
        let led = struck.elapsed();
        load.wait_for(0, SOME);
        (struck, led)
    });
    stays(pair, other, repair);
    let more = json!({ "led_ms": led.as_millis() as u64 });
    (struck, more.as_object().expect("it was made as one").clone())
}

/// Repairs a machine, and sees that the one that leads goes on in the same epoch.
#[track_caller]
fn stays(pair: &mut Pair, leads: usize, repair: impl FnOnce(&mut Pair)) {
    let epoch = pair.epoch(leads);
    repair(pair);
    assert_eq!(pair.settled(), (leads, epoch), "the one that comes back pre-empts nobody");
}

fn the_active_front_is_killed(runtime: Runtime) {
    play(runtime, "front killed", 2, |pair, load, leader| {
        let strike = |pair: &mut Pair| pair.front_process(leader).kill();
        take_over(pair, load, leader, strike, |pair| pair.restart_front(leader))
    });
}

/// What was begun ends, and what was not can be made again: no call fails.
fn planned_failover(runtime: Runtime) {
    play(runtime, "planned failover", 2, |pair, load, leader| {
        let order = |pair: &mut Pair| pair.fail_over(leader);
        let struck = take_over(pair, load, leader, order, |_| ());
        pair.verify(load, 1 - leader);
        let history = load.history();
        assert_eq!((history.failed, &history.troubles), (0, &BTreeMap::new()));
        struck
    });
}

fn the_link_of_the_active_machine_is_cut(runtime: Runtime) {
    play(runtime, "link cut", 2, |pair, load, leader| {
        let machine = format!("front-{leader}");
        let strike = |pair: &mut Pair| pair.network().cut(&machine, FRONT);
        take_over(pair, load, leader, strike, |pair| pair.network().heal(&machine, FRONT))
    });
}

/// Keepalived is killed on the machine that leads. The hosts of two groups of clients do not agree
/// on whose the address is, as when an announcement is missed.
fn both_machines_hold_the_address(runtime: Runtime) {
    let both = Duration::from_secs(if many().is_some() { 30 } else { 4 });
    play(runtime, "keepalived killed, address on both", 1, |pair, load, leader| {
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
            pair.keeper(leader).kill();
            pair.wait_leads(other);
            let (taken, epoch) = (Instant::now(), pair.epoch(other));
            let end = Instant::now() + both;
            while Instant::now() < end {
                assert!(pair.has_address(leader), "nobody has taken it away");
                assert!(pair.has_address(other));
                load.wait_for(0, 1);
            }
            load.wait_for(0, SOME);
            assert_eq!(pair.epoch(other), epoch, "the two do not take turns");
            let history = load.history();
            let granted = [0, 1].map(|group| history.granted_since(taken, group));
            let more = json!({ "both_ms": both.as_millis() as u64, "granted": granted });
            (struck, more.as_object().expect("it was made as one").clone())
        });
        host.ip(&["neigh", "del", &address, "dev", FRONT]);
        stays(pair, other, |pair| pair.keeper(leader).restart());
        (struck, more)
    });
}

/// The front that leads is stopped where it is for five seconds or longer, until the other one
/// leads. What reached it meanwhile, and what comes on a connection of before, gets no success.
fn the_active_front_is_frozen(runtime: Runtime) {
    play(runtime, "front frozen", 1, |pair, load, leader| {
        let (own, host) = (pair.own_address(leader), pair.host(0).clone());
        let mut old = host.inside(|| connect(own)).expect("it takes a client");
        let ask = Ask::new(FIRM_CODE, WIDE.0);
        let handle = take(&mut old, &ask).expect("an answer").expect("a seat is free");
        load.history().granted(handle, WIDE.0, 0);
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
            let again = old.call(&tmr_tests::foreign::get_info(handle, 0x0b, 16));
            assert!(
                !matches!(&again, Ok(reply) if reply.status == 0),
                "the old front answers with old knowledge: {again:?}"
            );
        });
        (struck, Map::new())
    });
}

fn all_five_are_killed(runtime: Runtime) {
    play(runtime, "all five killed", 1, |pair, load, _| {
        let struck = load.during(&[pair.group(0, CLIENTS)], |load| {
            load.wait_for(0, SOME);
            let struck = Instant::now();
            pair.kill_everything();
            (1..=3).for_each(|part| pair.restart_backend(part));
            (0..2).for_each(|front| pair.restart_front(front));
            pair.settled();
            load.wait_for(0, SOME);
            struck
        });
        (struck, Map::new())
    });
}

fn each_backend_is_emptied(runtime: Runtime) {
    play(runtime, "each backend killed and emptied", 1, |pair, load, leader| {
        let (_, epoch) = pair.settled();
        let (struck, repaired) = load.during(&[pair.group(0, CLIENTS)], |load| {
            load.wait_for(0, SOME);
            let struck = Instant::now();
            let whole = |pair: &Pair| Some(is_whole(&pair.status(leader)?));
            let repaired: Vec<u64> = (1..=3)
                .map(|part| {
                    pair.lose_backend(part);
                    until("its loss to be seen", || (whole(pair) == Some(false)).then_some(()));
                    load.wait_for(0, SOME);
                    let back = Instant::now();
                    pair.restart_backend(part);
                    until("three parts", || (whole(pair) == Some(true)).then_some(()));
                    back.elapsed().as_millis() as u64
                })
                .collect();
            load.wait_for(0, SOME);
            (struck, repaired)
        });
        assert_eq!(pair.settled(), (leader, epoch), "repaired without a stop");
        let more = json!({ "repaired_ms": repaired });
        (struck, more.as_object().expect("it was made as one").clone())
    });
}

/// Each front is told to lead, again and again, while clients speak to both at their own addresses;
/// the virtual address follows the lead, and takes it along. Somebody is served all the time, and
/// in the end one leads and has the address.
fn both_are_told_to_lead(runtime: Runtime) {
    let times = if many().is_some() { 200 } else { 15 };
    play(runtime, "both told to lead", 1, |pair, load, leader| {
        let groups = [0, 1].map(|front| Group {
            server: pair.own_address(front),
            ..pair.group(front, CLIENTS / 2)
        });
        let before = pair.epoch(leader);
        let (struck, granted) = load.during(&groups, |load| {
            load.wait_for(leader, SOME);
            let struck = Instant::now();
            for time in 0..times {
                let (told, at) = ((leader + 1 + time) % 2, Instant::now());
                pair.activate(told);
                // Or the address moves at this moment, and the other one leads.
                until("it leads, or has had a second to", || {
                    let leads = pair.status(told)?["role"] == "active";
                    (leads || at.elapsed() >= Duration::from_secs(1)).then_some(())
                });
                load.wait_for_any(SOME / 10);
            }
            (struck, [0, 1].map(|group| load.history().granted_since(struck, group)))
        });
        let (_, after) = pair.settled();
        let more = json!({ "told": times, "epochs": after - before, "granted": granted });
        (struck, more.as_object().expect("it was made as one").clone())
    });
}

/// Both runtimes at once: most of it is waiting.
#[test]
fn the_seat_of_a_cut_off_client_comes_back_in_time() {
    let _one = one_at_a_time();
    thread::scope(|scope| {
        for runtime in [Runtime::Smol, Runtime::Threads] {
            scope.spawn(move || cut_off(runtime));
        }
    });
}

fn cut_off(runtime: Runtime) {
    const CLEANUP: Duration = Duration::from_secs(30);
    let Some(pair) = Pair::start(runtime) else { return };
    let (leader, _) = pair.settled();
    let mut ask = Ask::new(FIRM_CODE, LONELY.0);
    ask.cleanup = 30;
    let (host, server) = (pair.host(1), pair.virtual_address());
    let mut lost = host.inside(|| connect(server)).expect("it takes a client");
    let handle = take(&mut lost, &ask).expect("an answer").expect("the seat is free");
    let last_word = Instant::now();
    assert_eq!(use_it(&mut lost, handle), 0);
    pair.network().cut("client-1", FRONT);

    within(CLEANUP * 3, "the seat to come back", || {
        let row = licence_row(&pair.status(leader)?, LONELY.0)?;
        (row["used"] == 0).then_some(())
    });
    let back = last_word.elapsed();
    assert!(back >= CLEANUP, "the seat was taken away after {back:?}");
    let line = json!({ "fault": "client host cut off", "runtime": runtime.status_name(),
        "seat_back_ms": back.as_millis() as u64 });
    println!("{line}");
    let mut next = pair.host(0).inside(|| connect(server)).expect("it takes a client");
    let seat = take(&mut next, &ask).expect("an answer").expect("the seat is free");
    assert_ne!(seat, handle);
    assert_eq!(give_back(&mut next, seat).expect("an answer"), Ok(0));
}

/// The configuration that is shipped, whole: both address families, process tracking and all.
#[test]
fn keepalived_takes_the_blueprint_without_a_word() {
    let _one = one_at_a_time();
    let Some(mut network) = possible() else { return };
    let machine = network.machine("front").expect("namespaces can be made");
    for (interface, bridge, address) in
        [(FRONT, "clients", [192, 0, 2, 11]), ("back", "backends", [198, 51, 100, 11])]
    {
        network.plug("front", interface, bridge, address.into()).expect("cables can be laid");
    }
    let folder = network.folder().to_owned();
    let program = folder.join("tmrd");
    std::fs::copy(Program::of(Runtime::Threads).path(), &program).expect("it can be copied");
    put_scripts(&folder, &program);
    std::fs::write(folder.join("give-away"), "0\n").expect("a file can be written");
    for (advert, priority) in [("1", 150), ("0.1", 100)] {
        let (scripts, state) = (folder.clone(), folder.clone());
        let name = "front-a".into();
        let adapted = Adapted { name, priority, advert, program: program.clone(), scripts, state };
        let text = adapted.text();
        assert_eq!(check(&machine, &folder, &text), (Some(0), String::new()), "{text}");
        let wrong = text.replace("nopreempt", "nopreemt");
        let (code, said) = check(&machine, &folder, &wrong);
        assert!(code != Some(0) && said.contains("nopreemt"), "{code:?}: {said}");
    }
}
