//! The readiness of a backend: it is safe to restart the next one when the last one is ready, in
//! every state of the group.

use super::{WHOLE_AGAIN, book::Book, says, tell_to_lead, whole_again};
use tmr_tests::harness::{Cluster, Runtime, SEATS, Server, get, within};
use tmr_tests::independent_client::error::NO_MORE_LICENSES;
use tmr_tests::on_both_runtimes;

on_both_runtimes!(
    a_backend_is_ready_when_it_is_a_member,
    a_rolling_restart_that_loses_every_state_loses_no_seat,
    a_disk_that_is_lost_is_repaired_by_the_front_that_founded_the_group,
);

/// Returns the status code of a backend's `/readyz`, and its text.
fn readyz(backend: &Server) -> (u16, String) {
    get(backend.admin(), "/readyz").expect("an answer")
}

#[track_caller]
fn until_ready(backend: &Server) {
    within(WHOLE_AGAIN, "a backend that is ready", || (readyz(backend).0 == 200).then_some(()));
}

fn a_backend_is_ready_when_it_is_a_member(runtime: Runtime) {
    let mut cluster = Cluster::of(runtime).launch();
    for backend in &cluster.backends {
        let (code, words) = readyz(backend);
        assert_eq!(code, 503, "of no group: {words}");
        assert!(!words.trim().is_empty());
    }
    cluster.activate(0);
    whole_again(&cluster, 0);
    cluster.backends.iter().for_each(until_ready);

    // The disk is new, and no front is running that could admit it.
    cluster.backends[2].kill();
    cluster.wipe(2);
    cluster.fronts[0].kill();
    cluster.restart_backend(2);
    let (code, words) = readyz(&cluster.backends[2]);
    assert_eq!(code, 503, "not taken in yet: {words}");
    cluster.restart_front(0);
    cluster.activate(0);
    until_ready(&cluster.backends[2]);
    whole_again(&cluster, 0);
}

fn a_rolling_restart_that_loses_every_state_loses_no_seat(runtime: Runtime) {
    let mut cluster = Cluster::start(runtime);
    let (front, admin) = (cluster.front().licence(), cluster.front().admin());
    let mut book = Book::new();
    book.take(front, 3);
    for index in 0..3 {
        cluster.backends[index].kill();
        cluster.wipe(index);
        cluster.restart_backend(index);
        until_ready(&cluster.backends[index]);
        let state = &cluster.status()["backends"][index]["state"];
        assert_eq!(state, "up", "backend {index} said that it is ready");
    }
    whole_again(&cluster, 0);
    book.is_right_at(front, admin);
    let refused = super::book::Outcome::Refused(NO_MORE_LICENSES);
    assert_eq!(book.take_all(front), refused);
    assert_eq!(book.held().len(), SEATS as usize);
    // Everything is on the disks, so all backends and the front may lose their power.
    cluster.kill_everything();
    (0..3).for_each(|index| cluster.restart_backend(index));
    cluster.restart_front(0);
    cluster.activate(0);
    whole_again(&cluster, 0);
    book.is_right_at(front, admin);
}

fn a_disk_that_is_lost_is_repaired_by_the_front_that_founded_the_group(runtime: Runtime) {
    // The front was ordered to lead before it had heard the state of the third backend.
    let mut cluster = Cluster::of(runtime).launch();
    cluster.backends[2].kill();
    tell_to_lead(cluster.front());
    says(cluster.front(), "all three");
    cluster.restart_backend(2);
    whole_again(&cluster, 0);
    let mut book = Book::new();
    book.take(cluster.front().licence(), 2);
    cluster.backends[2].kill();
    cluster.wipe(2);
    cluster.restart_backend(2);
    whole_again(&cluster, 0);
    assert!(cluster.status()["obstacle"].is_null(), "{:#}", cluster.status());
    book.is_right_at(cluster.front().licence(), cluster.front().admin());
}
