//! What peers without credentials can do to the ports of five servers, each with a limit of 512 MB,
//! while clients work: all attacks at once, and each by itself. The durations of calls are printed.
//! Asserted are that all calls were answered, that no server ended, and bounds on memory and log
//! lines.
//!
//! Figures are meaningful with optimised programs on a machine that does nothing else, or with a
//! higher priority than everything else (`nice -n -20`; attackers have a lower one still). Three
//! backends on one disk wait for each other's flushes, and for those of other programs: the costs
//! of the servers alone show with their folders in memory.
//!
//! ```text
//! TMPDIR=/dev/shm cargo test --release -p tmr-tests --test siege -- --nocapture --test-threads 1 \
//!     --include-ignored
//! TMR_SECONDS=60 TMR_HELD=16384 cargo test --release -p tmr-tests --test siege -- --nocapture at_once
//! ```

mod attacks;
mod bystander;

use attacks::{ATTACKS, Attacker, Listeners};
use bystander::{SEATS, Times, tracked, worked};
use std::ops::Range;
use std::sync::atomic::AtomicBool;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};
use tmr_tests::harness::{Cluster, Runtime, Server, SetOnDrop, TMR, get, status_until, until};
use tmr_tests::on_both_runtimes;

on_both_runtimes!(strangers_at_every_door_at_once_stop_nobody);

/// The address space of each server, as on a small machine, in KiB, and the setting of the shipped
/// units. Without that setting glibc reserves 64 MB of addresses for each thread, used or not, and
/// they count here.
const ROOM: &str = "ulimit -v 524288 && export MALLOC_ARENA_MAX=2 MALLOC_MMAP_THRESHOLD_=65536";
/// The same limits for the servers of a cluster of lower priority.
const BEHIND: &str = "ulimit -v 524288 && export MALLOC_ARENA_MAX=2 MALLOC_MMAP_THRESHOLD_=65536 && renice -n $(($(nice) + 19)) $$ > /dev/null";
/// The most bytes that a server may grow by.
const GROWTH: u64 = 64 * 1024 * 1024;
/// The most log lines of each server: two a second, and those of earlier causes.
const LINES: usize = 2;
/// The duration of all attacks at once, in seconds, unless `TMR_SECONDS` sets it.
const SECONDS: usize = 10;
/// The links held at each of two backends, unless `TMR_HELD` sets the number.
const HELD: usize = 1_500;
/// The duration of the work before and during a single attack.
const ROW: Duration = Duration::from_secs(3);

fn setting(name: &str, otherwise: usize) -> usize {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

/// One siege at a time: two would need twice the machine.
fn turn() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

fn servers(cluster: &Cluster) -> impl Iterator<Item = &Server> {
    cluster.fronts.iter().chain(&cluster.backends)
}

fn besieged(runtime: Runtime, before: &'static str) -> Cluster {
    let cluster = Cluster::of(runtime).twin().licences(&[(TMR, SEATS)]).after(before).start();
    in_sync(&cluster);
    cluster
}

/// Clients work at one cluster while another cluster of lower priority is attacked. This measures
/// the cost of the attack for the machine that both share.
fn elsewhere(cluster: &Cluster, other: &Cluster, attack: usize) -> Times {
    let attacker = Attacker::start(&Listeners::of(other, setting("TMR_HELD", HELD)), attack);
    let took = worked(cluster.front().licence(), ROW);
    Attacker::end_all(vec![attacker]);
    took
}

fn in_sync(cluster: &Cluster) {
    for front in &cluster.fronts {
        status_until(front.admin(), "the fronts to be in sync", |status| {
            (status["twin"]["synced"] == true).then_some(())
        });
    }
}

/// The result of an attack.
struct Outcome {
    /// The number of times that the attack was made.
    made: usize,
    before: Times,
    meanwhile: Times,
    tracked: Times,
    /// The growth of the server that grew most, in bytes.
    grown: u64,
    /// The log lines a second of the server that logged most.
    lines: f64,
}

/// Runs clients before, during and after an attack, and asserts what must hold in all attacks.
fn attacked(
    cluster: &mut Cluster,
    attacks: Range<usize>,
    before: Duration,
    time: Duration,
) -> Outcome {
    let listeners = Listeners::of(cluster, setting("TMR_HELD", HELD));
    let before = worked(listeners.licence, before);
    servers(cluster).for_each(Server::forget_peak);
    let idle: Vec<u64> = servers(cluster).map(Server::memory).collect();
    let lines: Vec<usize> = servers(cluster).map(|it| it.log_text().lines().count()).collect();
    let socket = cluster.workshop().folder().join("front-0/admin.sock").display().to_string();
    let (over, begun) = (AtomicBool::new(false), Instant::now());
    let attackers: Vec<_> = attacks.map(|attack| Attacker::start(&listeners, attack)).collect();
    let (meanwhile, tracked) = thread::scope(|scope| {
        let (over, program) = (&over, cluster.program());
        let keepalived = scope.spawn(|| tracked(program, &socket, over));
        let ends = SetOnDrop(over);
        let meanwhile = worked(listeners.licence, time);
        drop(ends);
        (meanwhile, keepalived.join().expect("it is always answered"))
    });
    let made = Attacker::end_all(attackers);
    let seconds = begun.elapsed().as_secs_f64();
    assert!(tracked.count() > 0);
    let mut outcome = Outcome { made, before, meanwhile, tracked, grown: 0, lines: 0.0 };
    for (server, (idle, before)) in servers(cluster).zip(idle.iter().zip(lines)) {
        let grown = server.memory_peak().saturating_sub(*idle);
        let logged = server.log_text().lines().count() - before;
        assert!(grown <= GROWTH, "{} has grown by {grown} bytes", server.name());
        let most = LINES as f64 * seconds + 20.0;
        assert!(logged as f64 <= most, "{}:\n{}", server.name(), server.log_text());
        outcome.grown = outcome.grown.max(grown);
        outcome.lines = outcome.lines.max(logged as f64 / seconds);
    }
    for server in cluster.fronts.iter_mut().chain(&mut cluster.backends) {
        assert!(server.runs(), "{} has ended", server.name());
    }
    in_sync(cluster);
    for front in &cluster.fronts {
        assert_eq!(get(front.admin(), "/healthz").expect("an answer").0, 200);
    }
    // Memory is returned to the system.
    for (server, idle) in servers(cluster).zip(idle) {
        until("memory to go back", || (server.memory() <= idle + GROWTH / 2).then_some(()));
    }
    outcome
}

/// The table's head; all times are in milliseconds, the median and the 99th percentile.
fn heading(runtime: Runtime) {
    eprintln!(
        "\n{}\n\n| attack | made | before | elsewhere | meanwhile | what keepalived asks | grown | lines \
         |\n|---|---|---|---|---|---|---|---|",
        runtime.program_name()
    );
}

fn told(name: &str, elsewhere: Option<&Times>, it: &Outcome) {
    eprintln!(
        "| {name} | {} | {} | {} | {} | {} | {:.1} MB | {:.1}/s |",
        it.made,
        it.before,
        elsewhere.map(ToString::to_string).unwrap_or_default(),
        it.meanwhile,
        it.tracked,
        it.grown as f64 / 1_048_576.0,
        it.lines
    );
}

fn strangers_at_every_door_at_once_stop_nobody(runtime: Runtime) {
    let _turn = turn();
    let time = Duration::from_secs(setting("TMR_SECONDS", SECONDS) as u64);
    let mut cluster = besieged(runtime, ROOM);
    let outcome = attacked(&mut cluster, 0..ATTACKS.len(), time / 5, time);
    heading(runtime);
    told("all at once", None, &outcome);
}

fn each_attack_by_itself(runtime: Runtime) {
    let _turn = turn();
    let (mut cluster, other) = (besieged(runtime, ROOM), besieged(runtime, BEHIND));
    heading(runtime);
    for (number, (name, _)) in ATTACKS.iter().enumerate() {
        let elsewhere = elsewhere(&cluster, &other, number);
        let outcome = attacked(&mut cluster, number..number + 1, ROW, ROW);
        told(name, Some(&elsewhere), &outcome);
    }
}

#[test]
#[ignore = "a table of figures, two minutes long"]
fn each_attack_by_itself_on_smol() {
    each_attack_by_itself(Runtime::Smol);
}

#[test]
#[ignore = "a table of figures, two minutes long"]
fn each_attack_by_itself_on_threads() {
    each_attack_by_itself(Runtime::Threads);
}
