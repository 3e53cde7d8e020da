//! A new group with too few backends: a front reports which backends it waits for, and continues
//! when they are there.

use super::addresses::at_every_address;
use super::{book::Book, leads_within, logs, names, says, whole_again};
use std::time::Duration;
use tmr_tests::harness::{Cluster, Runtime, list_servers};
use tmr_tests::on_both_runtimes;

on_both_runtimes!(
    two_backends_are_no_birth_and_the_front_says_so,
    one_backend_that_is_listed_twice_is_no_birth_and_the_front_says_so,
);

/// A time within which a complete group would certainly be born.
const BORN: Duration = Duration::from_secs(4);

fn two_backends_are_no_birth_and_the_front_says_so(runtime: Runtime) {
    let mut cluster = Cluster::of(runtime).launch();
    cluster.backends[2].kill();
    assert!(!leads_within(&cluster, 0, BORN), "the third may belong to another group");
    names(cluster.front(), "all three", &[cluster.backends[2].licence()]);
    logs(cluster.front(), "all three");
    cluster.restart_backend(2);
    whole_again(&cluster, 0);
    Book::new().take(cluster.front().licence(), 1);
    let status = cluster.status();
    assert!(status["obstacle"].is_null(), "{status:#}");
}

fn one_backend_that_is_listed_twice_is_no_birth_and_the_front_says_so(runtime: Runtime) {
    let mut cluster = Cluster::of(runtime).launch();
    let (second, third) = (cluster.backends[1].licence(), cluster.backends[2].licence());
    cluster.backends[0].kill();
    let own = at_every_address(&mut cluster);
    cluster.reload_front_with(0, |value| list_servers(value, &[own[0], own[1], third]));
    assert!(!leads_within(&cluster, 0, BORN), "a group of two disks");
    names(cluster.front(), "same disk", &own);
    says(cluster.front(), "all three");
    logs(cluster.front(), "same disk");
    cluster.reload_front_with(0, |value| list_servers(value, &[own[0], second, third]));
    whole_again(&cluster, 0);
    Book::new().take(cluster.front().licence(), 1);
}
