//! Backends die, lose their disks or stop answering; the twin stops answering.

use crate::{SOME, Struck, many, play, told, undisturbed};
use serde_json::{Map, json};
use std::time::Instant;
use tmr_tests::harness::{Runtime, is_whole, until};
use tmr_tests::netns::{CLIENTS, Fault, Load, Pair, quantile};
use tmr_tests::on_both_runtimes;

on_both_runtimes!(
    all_five_are_killed,
    each_backend_is_emptied,
    a_backend_is_frozen,
    the_twin_is_frozen,
);

fn all_five_are_killed(runtime: Runtime) {
    let holds = "every acknowledged seat is there";
    play(runtime, Fault { name: "all five killed and restarted", holds }, 1, |pair, load, _| {
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
    let holds = "no connection breaks, nothing is refused; repaired without a stop";
    play(
        runtime,
        Fault { name: "each backend killed, emptied, restarted", holds },
        1,
        |pair, load, leader| {
            let (_, epoch) = pair.settled();
            let (struck, repaired) = undisturbed(pair.group(0, CLIENTS), load, |load| {
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
            (struck, told(json!({ "repaired_ms": repaired })))
        },
    );
}

fn a_backend_is_frozen(runtime: Runtime) {
    let holds = "no connection breaks, nothing is refused";
    play(runtime, Fault { name: "one backend frozen", holds }, 1, |pair, load, _| {
        let part = 1 + load.history().held().len() % 3;
        healthy_and_frozen(
            pair,
            load,
            |pair| pair.backend_process(part).freeze(),
            |pair| pair.backend_process(part).resume(),
        )
    });
}

fn the_twin_is_frozen(runtime: Runtime) {
    let holds = "no connection breaks, nothing is refused; in sync again by itself";
    play(runtime, Fault { name: "twin frozen", holds }, 1, |pair, load, leader| {
        let twin = 1 - leader;
        healthy_and_frozen(
            pair,
            load,
            |pair| pair.front_process(twin).freeze(),
            |pair| {
                pair.front_process(twin).resume();
                pair.wait_in_sync();
            },
        )
    });
}

/// Runs the same load twice, with everything healthy and with something frozen, and compares them
/// as ratios. The same front leads all the time.
fn healthy_and_frozen(
    pair: &mut Pair,
    load: &Load,
    freeze: impl FnOnce(&mut Pair),
    resume: impl FnOnce(&mut Pair),
) -> Struck {
    let accesses = if many().is_some() { 4000 } else { 500 };
    let before = pair.settled();
    let group = pair.group(0, CLIENTS);
    let (struck, times) = undisturbed(group, load, |load| {
        load.wait_for(0, SOME);
        let measured = || {
            let from = Instant::now();
            load.wait_for(0, accesses);
            load.history().access_times(from, Instant::now())
        };
        let healthy = measured();
        let struck = Instant::now();
        freeze(pair);
        let frozen = measured();
        resume(pair);
        load.wait_for(0, SOME);
        (struck, [healthy, frozen])
    });
    assert_eq!(pair.settled(), before, "the same front goes on to lead");
    let mut more = Map::new();
    for (name, per_mille) in [("p50", 500), ("p99", 990)] {
        let [healthy, frozen] =
            times.each_ref().map(|times| quantile(times, per_mille).as_secs_f64() * 1e3);
        more.insert(format!("healthy_{name}_ms"), json!(healthy));
        more.insert(format!("frozen_{name}_ms"), json!(frozen));
        more.insert(format!("{name}_ratio"), json!(frozen / healthy));
    }
    (struck, more)
}
