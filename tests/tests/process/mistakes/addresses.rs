//! One backend that is listed by two addresses: a disk is counted once, however it is reached.

use super::book::{Book, Outcome};
use super::{logs, names, whole_again};
use std::net::SocketAddr;
use tmr_tests::harness::{Cluster, Runtime, SEATS, list_servers};
use tmr_tests::independent_client::error::NO_MORE_LICENSES;
use tmr_tests::on_both_runtimes;

on_both_runtimes!(a_backend_with_two_addresses_is_one_disk);

/// Starts backend 0 again on every address of this machine. Returns the two by which the front
/// lists it.
pub(crate) fn at_every_address(cluster: &mut Cluster) -> [SocketAddr; 2] {
    let own = [cluster.workshop().backend_ip(1), cluster.workshop().ip()];
    // The system chooses a port that is free on all addresses.
    cluster.restart_backend_with(0, |line| line.listen = ([0, 0, 0, 0], 0).into());
    let port = cluster.backends[0].licence().port();
    own.map(|ip| SocketAddr::new(ip, port))
}

fn a_backend_with_two_addresses_is_one_disk(runtime: Runtime) {
    let mut cluster = Cluster::start(runtime);
    let front = cluster.front().licence();
    let (second, third) = (cluster.backends[1].licence(), cluster.backends[2].licence());
    let mut book = Book::new();
    cluster.backends[0].kill();
    let own = at_every_address(&mut cluster);
    cluster.reload_front_with(0, |value| list_servers(value, &[own[0], second, third]));
    whole_again(&cluster, 0);
    book.take(front, 1);

    cluster.reload_front_with(0, |value| list_servers(value, &[own[0], second, own[1]]));
    names(cluster.front(), "same disk", &own);
    logs(cluster.front(), "same disk");
    // The real second backend is killed: one disk remains, and nothing is granted.
    cluster.backends[1].kill();
    let alone = book.take_all(front);
    assert_ne!(alone, Outcome::Refused(NO_MORE_LICENSES), "one disk is no majority");

    // All servers lose their power, and the list is corrected.
    cluster.kill_everything_that_runs();
    for index in [1, 2] {
        cluster.restart_backend(index);
    }
    cluster.restart_front_with(0, |value| list_servers(value, &[own[0], second, third]));
    cluster.activate(0);
    assert_eq!(book.take_all(front), Outcome::Refused(NO_MORE_LICENSES));
    cluster.restart_backend_with(0, |line| line.listen = ([0, 0, 0, 0], own[0].port()).into());
    whole_again(&cluster, 0);
    book.is_right_at(front, cluster.front().admin());
    assert_eq!(book.held().len(), SEATS as usize);
}
