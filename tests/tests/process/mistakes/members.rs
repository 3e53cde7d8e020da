//! Changes of members that reach one disk and not the other, followed by a takeover. A change that
//! only one front knows must not count for the next change.

use super::book::Book;
use super::{leads_within, whole_again};
use std::net::SocketAddr;
use std::time::Duration;
use tmr_tests::harness::{
    BackendLine, Cluster, Gate, Runtime, SEATS, Server, get_json, list_servers, status_until,
};
use tmr_tests::independent_client::error::NO_MORE_LICENSES;
use tmr_tests::on_both_runtimes;

on_both_runtimes!(
    a_backend_is_new_at_one_front_and_unknown_to_the_other,
    a_state_folder_is_missing_at_some_boots,
);

/// The time within which a front leads if it can. A front that does not lead by then is unable to.
const CLAIMED: Duration = Duration::from_secs(6);
/// The time for which a link is held. It is too short for a server to consider the link dead.
const HELD: Duration = Duration::from_millis(1_500);

/// Returns the last slot on a backend's disk.
fn last(backend: &Server) -> u64 {
    let status = get_json(backend.admin(), "/api/status").expect("a backend's status");
    status["log"]["last"].as_u64().expect("a number")
}

/// Lets D become a member while B's link is held, so that the change reaches A and not B. At the
/// beginning a front leads with A and B, and D is held at its gate. At the end the front is killed,
/// and the bytes on their way to B are lost.
fn change_that_misses_b(cluster: &mut Cluster, front: usize, b: &Gate, d: &Gate) {
    d.until_waited_at();
    b.hold();
    let before = last(&cluster.backends[0]);
    d.open();
    let start = std::time::Instant::now();
    while last(&cluster.backends[0]) == before && start.elapsed() < HELD {
        std::thread::yield_now();
    }
    // The new disk has the change too: both are sent at once, and its disk is as fast.
    std::thread::sleep(Duration::from_millis(50));
    cluster.fronts[front].kill();
    b.cut();
}

/// Waits until a front leads with two backends, without the third one.
fn leads_with_two(cluster: &Cluster, front: usize) {
    cluster.activate(front);
    status_until(cluster.fronts[front].admin(), "two backends", |status| {
        let rows = status["backends"].as_array()?;
        (rows.iter().filter(|row| row["state"] == "up").count() == 2).then_some(())
    });
}

/// With all backends up, checks that a front leads, every seat works, and no seat beyond the
/// licence is granted.
fn ends_right(cluster: &Cluster, front: usize, book: &mut Book) {
    let (licence, admin) = (cluster.fronts[front].licence(), cluster.fronts[front].admin());
    cluster.activate(front);
    whole_again(cluster, front);
    book.is_right_at(licence, admin);
    assert_eq!(book.take_all(licence), super::book::Outcome::Refused(NO_MORE_LICENSES));
    assert_eq!(book.held().len(), SEATS as usize);
}

fn a_backend_is_new_at_one_front_and_unknown_to_the_other(runtime: Runtime) {
    let mut cluster = Cluster::of(runtime).twin().start();
    let ip = cluster.workshop().ip();
    let [a, b, c] = [0, 1, 2].map(|index| cluster.backends[index].licence());
    // D has the licence of C, and a disk of its own.
    let mut line = BackendLine::of(cluster.workshop(), 3);
    line.state = cluster.workshop().state(4);
    line.admin = Some(SocketAddr::new(ip, 0));
    let program = cluster.program().clone();
    let started =
        Server::start("backend-4", cluster.workshop().folder(), &program, &line.arguments());
    let new = started.unwrap_or_else(|end| panic!("{end:?}"));
    let (gate_b, gate_d) = (Gate::before(b, ip), Gate::before(new.licence(), ip));
    let others = [a, gate_b.address(), gate_d.address()];

    let mut book = Book::new();
    let fronts = [0, 1].map(|front| cluster.fronts[front].licence());
    book.take(fronts[0], 3);
    cluster.fronts[0].kill();
    cluster.fronts[1].kill();
    gate_d.hold();
    cluster.restart_front_with(1, |value| list_servers(value, &others));
    leads_with_two(&cluster, 1);
    change_that_misses_b(&mut cluster, 1, &gate_b, &gate_d);

    // A is frozen; two members of the settled group are up.
    cluster.backends[0].freeze();
    cluster.restart_front_with(0, |value| list_servers(value, &[a, b, c]));
    leads_with_two(&cluster, 0);
    book.take(fronts[0], 2);
    cluster.fronts[0].kill();
    cluster.backends[0].resume();

    // A and D are not two members of any settled group. If a front leads here, it is asked for
    // seats.
    cluster.restart_front_with(1, |value| list_servers(value, &others));
    if leads_within(&cluster, 1, CLAIMED) {
        book.take_all(fronts[1]);
    }
    gate_b.open();
    ends_right(&cluster, 1, &mut book);
}

fn a_state_folder_is_missing_at_some_boots(runtime: Runtime) {
    let mut cluster = Cluster::start(runtime);
    let ip = cluster.workshop().ip();
    let [a, b, c] = [0, 1, 2].map(|index| cluster.backends[index].licence());
    let (gate_b, gate_3) = (Gate::before(b, ip), Gate::before(c, ip));
    let servers = [a, gate_b.address(), gate_3.address()];
    let front = cluster.front().licence();
    let elsewhere = cluster.workshop().state(4);
    let mut book = Book::new();
    book.take(front, 3);

    // The mount failed at this boot: the folder is empty.
    cluster.fronts[0].kill();
    cluster.backends[2].kill();
    cluster.restart_backend_with(2, |line| line.state.clone_from(&elsewhere));
    gate_3.hold();
    cluster.restart_front_with(0, |value| list_servers(value, &servers));
    leads_with_two(&cluster, 0);
    change_that_misses_b(&mut cluster, 0, &gate_b, &gate_3);

    // The mount succeeded.
    cluster.backends[2].kill();
    cluster.restart_backend(2);
    cluster.backends[0].freeze();
    gate_b.open();
    cluster.restart_front_with(0, |value| list_servers(value, &servers));
    leads_with_two(&cluster, 0);
    book.take(front, 2);
    cluster.fronts[0].kill();
    gate_b.cut();
    cluster.backends[0].resume();

    // The mount failed.
    cluster.backends[2].kill();
    cluster.restart_backend_with(2, |line| line.state.clone_from(&elsewhere));
    cluster.restart_front_with(0, |value| list_servers(value, &servers));
    if leads_within(&cluster, 0, CLAIMED) {
        book.take_all(front);
    }
    gate_b.open();
    ends_right(&cluster, 0, &mut book);
}
