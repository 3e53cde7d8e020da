//! A front with as many clients as it accepts: what it costs, and the answer to clients beyond the
//! limit.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use tmr_runtime_std::host::process_limits::raise_file_limit;
use tmr_tests::harness::{Cluster, FIRM_CODE, Runtime, TMR, missing, take, until};
use tmr_tests::independent_client::{AccessRequest, Client, Fault, KeyPair, get_version, release};
use tmr_tests::netns::use_it;
use tmr_tests::on_both_runtimes;

on_both_runtimes!(
    idle_clients_cost_little,
    at_the_limit_old_clients_are_undisturbed,
    a_limit_on_file_sizes_is_like_a_full_disk,
);

/// The memory of a small machine, in bytes, and the command that limits a process to it. The limit
/// is on all its addresses, so more than the used memory counts.
const SMALL: (u64, &str) = (512 * 1024 * 1024, "ulimit -v 524288");
/// The number of threads that open connections.
const CALLERS: usize = 4;
/// The open files of a front with room for few clients: [`FEW`], and the reserve for everything
/// else.
const FEW_FILES: &str = "ulimit -n 288";
const FEW: usize = 288 - tmr_core::base::limits::FILES_RESERVED;
/// Limits files to at most 32 KiB; shells count in blocks of 512 or 1,024 bytes.
const SHORT_FILES: &str = "ulimit -f 64";
/// The error of a server that is too busy.
const OVERLOADED: u32 = 309;

/// Only one test at a time has thousands of clients.
fn one_at_a_time() -> MutexGuard<'static, ()> {
    static ONE: Mutex<()> = Mutex::new(());
    ONE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn start(runtime: Runtime, limit: &'static str) -> Cluster {
    let mut cluster = Cluster::start(runtime);
    let limited = cluster.program().after(limit);
    cluster.replace_front(0, &limited);
    cluster.activate(0);
    cluster.wait_whole(0);
    cluster
}

fn idle_clients_cost_little(runtime: Runtime) {
    let _one = one_at_a_time();
    // All clients take minutes on a small machine; their costs are in `tests/bench/README.md`.
    let clients = match (runtime, std::env::var_os("TMR_FULL")) {
        (_, None) => 1_000,
        (Runtime::Smol, Some(_)) => 10_000,
        (Runtime::Threads | Runtime::Mio, Some(_)) => 4_000,
    };
    let files = raise_file_limit();
    if missing(files >= clients + 1_000, &format!("files for {clients} clients; it is {files}")) {
        return;
    }
    let cluster = start(runtime, SMALL.1);
    let (listener, before) = (cluster.front().licence(), cluster.front().memory_peak());
    let pair = KeyPair::fresh().expect("the system has random numbers");
    let one = |_| {
        let socket = Client::open(listener).expect("the front takes it");
        let mut client = Client::shake_as(socket, &pair, &Mutex::new(())).expect("a key");
        assert_eq!(client.call(&get_version(0)).expect("an answer").status, 0);
        client
    };
    let mut idle: Vec<Client> = thread::scope(|scope| {
        let some = || scope.spawn(|| (0..clients / CALLERS).map(one).collect::<Vec<_>>());
        let all: Vec<_> = (0..CALLERS).map(|_| some()).collect();
        all.into_iter().flat_map(|some| some.join().expect("all are served")).collect()
    });
    assert_eq!(idle.len(), clients);
    let after = cluster.front().memory_peak();
    let (name, kb) = (runtime.status_name(), [after / 1024, before / 1024]);
    eprintln!("{name}: {clients} idle clients, at most {} KB; before them {} KB", kb[0], kb[1]);
    assert!(after < SMALL.0, "{after} bytes");
    // An idle client that makes a call is served.
    for client in idle.iter_mut().step_by(clients / 100) {
        assert_eq!(client.call(&get_version(0)).expect("an answer").status, 0);
    }
    let ask = AccessRequest::new(FIRM_CODE, TMR);
    take(&mut idle[0], &ask).expect("an answer").expect("a seat");
}

fn at_the_limit_old_clients_are_undisturbed(runtime: Runtime) {
    let _one = one_at_a_time();
    let cluster = start(runtime, FEW_FILES);
    let listener = cluster.front().licence();
    let mut old: Vec<Client> = (0..FEW).map(|_| cluster.client()).collect();
    let answers = |old: &mut [Client], when: &str| {
        for client in old {
            assert_eq!(client.call(&get_version(0)).expect("an answer").status, 0, "{when}");
        }
    };
    answers(&mut old, "before");
    for _ in 0..3 {
        let mut late = cluster.client();
        let reply = late.call(&get_version(0)).expect("an answer");
        assert_eq!(reply.status, OVERLOADED, "a clear answer");
        assert!(matches!(late.call(&get_version(0)), Err(Fault::Closed)), "and no second one");
    }
    answers(&mut old, "after");
    assert_eq!(cluster.status()["role"], "active", "its pages have room of their own");

    let seat =
        take(&mut old[0], &AccessRequest::new(FIRM_CODE, TMR)).expect("an answer").expect("a seat");
    old.pop();
    let mut next = until("room for the next client", || {
        let mut client = Client::connect(listener).ok()?;
        (client.call(&get_version(0)).ok()?.status == 0).then_some(client)
    });
    assert_eq!(use_it(&mut old[0], seat), 0);
    assert_eq!(next.call(&release(seat)).expect("an answer").status, 0);
}

fn a_limit_on_file_sizes_is_like_a_full_disk(runtime: Runtime) {
    let _one = one_at_a_time();
    let cluster = start(runtime, SHORT_FILES);
    let mut client = cluster.client();
    let ask = AccessRequest::new(FIRM_CODE, TMR);
    until("the usage history is as long as it may be", || {
        for _ in 0..50 {
            let seat = take(&mut client, &ask).expect("an answer").expect("a seat");
            assert_eq!(client.call(&release(seat)).expect("an answer").status, 0);
        }
        let log = cluster.front().log_text();
        let full =
            |line: &str| line.contains("usage history") && line.contains("cannot be written");
        log.lines().any(full).then_some(())
    });
    assert_eq!(cluster.status()["role"], "active");
}
