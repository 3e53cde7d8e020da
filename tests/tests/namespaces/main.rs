//! Two fronts with real keepalived in network namespaces, and 32 clients: nothing is lost and
//! nothing is granted twice, whichever machine dies, freezes or is cut off.
//!
//! `TMR_ROUNDS=N` plays each fault N times and prints medians and longest gaps; without it, once
//! or twice. `TMR_ADVERT` is keepalived's `advert_int` in seconds, 0.1 by default. Measurements
//! are reported, never asserted; `tests/faults/run` makes a table of them.
//!
//! What lives here: playing a fault, and the assertions after any fault. The faults are in the
//! modules.

mod address;
mod backends;
mod blueprint;
mod crowd;
mod hosts;
mod takeover;
mod twin;
mod upgrade;
mod vanished;

use serde_json::{Map, Value, json};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tmr_tests::harness::Runtime;
use tmr_tests::netns::{Fault, Group, Load, Pair, Row, report, table};

/// Acknowledged accesses before a fault, and after it.
const SOME: usize = 100;

/// Shows what the servers logged, without failing.
const WORTH_A_LOOK: Duration = Duration::from_secs(10);

/// Only one cluster runs at a time, so that clusters do not share the processors.
fn one_at_a_time() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    ONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The number of times that each fault is played, if it was set.
fn many() -> Option<u32> {
    let text = std::env::var("TMR_ROUNDS").ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("TMR_ROUNDS must be a number, not {text}")))
}

/// The result of a round: the time of the fault, and further values to report.
type Struck = (Instant, Map<String, Value>);

/// Values of a round to report.
fn told(more: Value) -> Map<String, Value> {
    match more {
        Value::Object(more) => more,
        other => panic!("names and values are told, not {other}"),
    }
}

/// Plays a fault on a cluster repeatedly. After each round one front leads, and everything that was
/// acknowledged exists.
fn play(
    runtime: Runtime,
    fault: Fault,
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

/// Does the work under load from clients that wait for every answer: no call is refused, and no
/// connection breaks.
#[track_caller]
fn undisturbed<T>(group: Group, load: &Load, work: impl FnOnce(&Load) -> T) -> T {
    let ill = || {
        let history = load.history();
        (history.breaks, history.troubles.clone())
    };
    let before = ill();
    let done = load.during(&[group.patient()], work);
    assert_eq!(ill(), before, "broken connections, and refusals by number");
    done
}
