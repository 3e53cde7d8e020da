//! One part of a licence, copied to where another one belongs: two copies are one part.

use super::book::{Book, Outcome};
use super::{logs, names, says, tell_to_lead, whole_again};
use std::fs;
use std::time::Duration;
use tmr_tests::harness::{Cluster, Runtime, SEATS, TMR, licence_row, status_until, status_within};
use tmr_tests::independent_client::error::{
    ENTRY_NOT_FOUND, NO_LICENSE_AVAILABLE, NO_MORE_LICENSES, REDUNDANCY_SERVER_MISSING,
};
use tmr_tests::on_both_runtimes;

on_both_runtimes!(copies_of_one_part_serve_nobody, a_part_that_is_there_twice_counts_once,);

/// Puts copies of a part, 1, 2 or 3, in the places of others.
fn copy(cluster: &Cluster, part: usize, places: &[usize]) {
    let workshop = cluster.workshop();
    for &place in places {
        let copied = fs::copy(workshop.licence(part), workshop.licence(place));
        copied.expect("a licence can be copied");
    }
}

#[track_caller]
fn refused(outcome: Outcome) {
    let refusals = [REDUNDANCY_SERVER_MISSING, ENTRY_NOT_FOUND, NO_LICENSE_AVAILABLE];
    let is_one = matches!(outcome, Outcome::Refused(status) if refusals.contains(&status));
    assert!(is_one, "{outcome:?} is none of {refusals:?}");
}

/// Copies one file everywhere, as a wrong deployment script does.
fn copies_of_one_part_serve_nobody(runtime: Runtime) {
    let mut cluster = Cluster::of(runtime).launch();
    let others = ["2", "3"].map(|part| cluster.workshop().licence(part.parse().expect("2 or 3")));
    let right = others.clone().map(|file| fs::read(file).expect("a licence was issued"));
    copy(&cluster, 1, &[2, 3]);
    for index in 0..3 {
        cluster.backends[index].kill();
        cluster.restart_backend(index);
    }
    // A group of these parts may or may not be born, but no client is served.
    tell_to_lead(cluster.front());
    says(cluster.front(), "same part");
    logs(cluster.front(), "same part");
    let row = licence_row(&cluster.status(), TMR);
    assert!(row.is_none_or(|row| row["available"] == false), "{:#}", cluster.status());
    let front = cluster.front().licence();
    let mut book = Book::new();
    // A front that does not lead gives no answer.
    if cluster.status()["role"] == "active" {
        refused(book.take_all(front));
    }

    for (file, right) in others.iter().zip(right) {
        fs::write(file, right).expect("a licence can be written");
    }
    cluster.activate(0);
    whole_again(&cluster, 0);
    assert_eq!(book.take_all(front), Outcome::Refused(NO_MORE_LICENSES));
    assert_eq!(book.held().len(), SEATS as usize);
}

fn a_part_that_is_there_twice_counts_once(runtime: Runtime) {
    let mut cluster = Cluster::start(runtime);
    let (front, admin) = (cluster.front().licence(), cluster.front().admin());
    let mut book = Book::new();
    book.take(front, 2);
    let right = fs::read(cluster.workshop().licence(3)).expect("a licence was issued");
    copy(&cluster, 1, &[3]);
    let both = [0, 2].map(|index| cluster.backends[index].licence());
    names(cluster.front(), "same part", &both);
    logs(cluster.front(), "same part");
    // Two different parts are there.
    book.take(front, 1);
    cluster.backends[1].kill();
    status_until(admin, "one part", |status| {
        (licence_row(status, TMR)?["available"] == false).then_some(())
    });
    refused(book.ask(front));

    cluster.restart_backend(1);
    fs::write(cluster.workshop().licence(3), right).expect("a licence can be written");
    status_within(Duration::from_secs(20), admin, "nothing to complain of", |status| {
        (!status.to_string().contains("same part")).then_some(())
    });
    whole_again(&cluster, 0);
    book.is_right_at(front, admin);
    assert_eq!(book.take_all(front), Outcome::Refused(NO_MORE_LICENSES));
    assert_eq!(book.held().len(), SEATS as usize);
}
