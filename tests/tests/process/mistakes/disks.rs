//! State folders that are copied, exchanged, replaced by an older copy, or emptied. A disk that has
//! lost entries which other servers know that it had is excluded, repaired, and counted again when
//! it is a member.

use super::book::{Book, Outcome};
use super::{WHOLE_AGAIN, leads_within, logs, names, says, whole_again};
use std::time::{Duration, Instant};
use tmr_tests::harness::{Cluster, Runtime, SEATS, get, status_until};
use tmr_tests::independent_client::error::NO_MORE_LICENSES;
use tmr_tests::on_both_runtimes;

on_both_runtimes!(
    a_state_folder_that_is_a_copy_of_anothers_counts_once,
    a_snapshot_of_one_disk_is_put_back_while_its_front_runs,
    a_snapshot_of_one_disk_is_put_back_before_everything_starts,
    two_disks_that_went_back_are_told_of,
    two_disks_that_are_lost_end_in_words,
);

/// The time within which a front leads if it can. A front that does not lead by then is unable to.
const CLAIMED: Duration = Duration::from_secs(6);

/// The time within which every backend has received the log positions of the others. No status
/// shows them, so no event can be waited for.
const TOLD: Duration = Duration::from_secs(2);

/// Checks that all remaining seats can be taken, and no more, and that every held seat works.
#[track_caller]
fn ends_right(cluster: &Cluster, book: &mut Book) {
    whole_again(cluster, 0);
    let front = cluster.front();
    assert_eq!(book.take_all(front.licence()), Outcome::Refused(NO_MORE_LICENSES));
    assert_eq!(book.held().len(), SEATS as usize);
    book.is_right_at(front.licence(), front.admin());
}

/// Waits until a front shows a backend as down.
fn down(cluster: &Cluster, index: usize) {
    status_until(cluster.front().admin(), "a backend to be down", |status| {
        (status["backends"][index]["state"] == "down").then_some(())
    });
}

fn a_state_folder_that_is_a_copy_of_anothers_counts_once(runtime: Runtime) {
    let mut cluster = Cluster::start(runtime);
    let front = cluster.front().licence();
    let mut book = Book::new();
    book.take(front, 1);
    cluster.backends[2].kill();
    let real = cluster.snapshot(2, "real");
    let clone = cluster.snapshot(0, "clone");
    cluster.put_back(2, &clone);
    cluster.restart_backend(2);
    // The log is read, because the backend may have begun anew before the status is read.
    logs(cluster.front(), "same disk");
    cluster.backends[1].kill();
    down(&cluster, 1);
    // Only two copies of one disk are up. Whatever is granted now must exist later.
    book.take_all(front);

    // All servers lose their power, and the real disks return.
    cluster.kill_everything_that_runs();
    cluster.put_back(2, &real);
    cluster.restart_backend(1);
    cluster.restart_backend(2);
    cluster.restart_front(0);
    if leads_within(&cluster, 0, CLAIMED) {
        book.take_all(front);
    }
    cluster.restart_backend(0);
    cluster.activate(0);
    ends_right(&cluster, &mut book);
}

fn a_snapshot_of_one_disk_is_put_back_while_its_front_runs(runtime: Runtime) {
    let mut cluster = Cluster::start(runtime);
    let front = cluster.front().licence();
    let mut book = Book::new();
    book.take(front, 1);
    // The backend continues, as during a snapshot of its machine.
    let old = cluster.snapshot(0, "old");
    cluster.backends[2].kill();
    down(&cluster, 2);
    book.take(front, 3);
    cluster.backends[1].kill();
    cluster.backends[0].kill();
    cluster.put_back(0, &old);
    cluster.restart_backend(0);
    cluster.restart_backend(2);
    // Neither backend knows of the three seats; the front does.
    says(cluster.front(), "went back");
    logs(cluster.front(), "went back");
    book.take_all(front);
    cluster.restart_backend(1);
    ends_right(&cluster, &mut book);
}

fn a_snapshot_of_one_disk_is_put_back_before_everything_starts(runtime: Runtime) {
    let mut cluster = Cluster::start(runtime);
    let front = cluster.front().licence();
    let mut book = Book::new();
    book.take(front, 1);
    cluster.backends[0].kill();
    let old = cluster.snapshot(0, "old");
    // The other backends learn what this disk has beyond the copy before they are stopped.
    cluster.restart_backend(0);
    whole_again(&cluster, 0);
    book.take(front, 1);
    std::thread::sleep(TOLD);
    cluster.backends[2].kill();
    down(&cluster, 2);
    book.take(front, 2);

    cluster.kill_everything_that_runs();
    cluster.put_back(0, &old);
    cluster.restart_backend(0);
    cluster.restart_backend(2);
    cluster.restart_front(0);
    if leads_within(&cluster, 0, CLAIMED) {
        book.take_all(front);
    }
    says(cluster.front(), "went back");
    logs(cluster.front(), "went back");
    cluster.restart_backend(1);
    cluster.activate(0);
    ends_right(&cluster, &mut book);
}

fn two_disks_that_went_back_are_told_of(runtime: Runtime) {
    let mut cluster = Cluster::start(runtime);
    let front = cluster.front().licence();
    let mut book = Book::new();
    book.take(front, 1);
    let old = [0, 1].map(|index| cluster.snapshot(index, "old"));
    book.take(front, 2);
    status_until(cluster.front().admin(), "every seat on three disks", |status| {
        let rows = status["allocations"].as_array()?;
        rows.iter().all(|row| row["backends"] == 3).then_some(())
    });
    for index in [0, 1] {
        cluster.backends[index].kill();
    }
    for (index, old) in old.iter().enumerate() {
        cluster.put_back(index, old);
        cluster.restart_backend(index);
    }
    let both = [0, 1].map(|index| cluster.backends[index].licence());
    names(cluster.front(), "went back", &both);
    logs(cluster.front(), "went back");
    // From here on no seat is granted twice, and a front that cannot grant seats reports the
    // reason.
    let refusal = book.take_all(front);
    let (code, words) = get(cluster.front().admin(), "/readyz").expect("an answer");
    if refusal == Outcome::Refused(NO_MORE_LICENSES) {
        assert_eq!(book.held().len(), SEATS as usize);
        book.is_right_at(front, cluster.front().admin());
    } else {
        assert_eq!(code, 503, "{words}");
    }
}

fn two_disks_that_are_lost_end_in_words(runtime: Runtime) {
    let mut cluster = Cluster::start(runtime);
    let front = cluster.front().licence();
    let mut book = Book::new();
    book.take(front, 2);
    cluster.kill_everything();
    for index in [0, 1] {
        cluster.wipe(index);
    }
    for index in 0..3 {
        cluster.restart_backend(index);
    }
    cluster.restart_front(0);
    let begun = Instant::now();
    assert!(!leads_within(&cluster, 0, CLAIMED), "one disk of three knows nothing for sure");
    // The status names both backends, the front never leads, and no server ends.
    let both = [0, 1].map(|index| cluster.backends[index].licence());
    names(cluster.front(), "empty state folder", &both);
    while begun.elapsed() < WHOLE_AGAIN / 2 {
        assert_ne!(super::role(cluster.front().admin()), "active");
        std::thread::sleep(Duration::from_millis(200));
    }
    for server in cluster.fronts.iter_mut().chain(&mut cluster.backends) {
        assert!(server.runs(), "{} has ended itself", server.name());
    }
    let (code, words) = get(cluster.front().admin(), "/readyz").expect("an answer");
    assert_eq!(code, 503, "{words}");
}
