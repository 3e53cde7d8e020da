//! Faults from the clients' view: backends go and come back, and clients vanish in the middle of a
//! call.

use std::fs;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tmr_tests::harness::{
    Cluster, FIRM_CODE, Runtime, SEATS, TMR, give_back, is_whole, licence_row, status_until,
    status_within, take, until,
};
use tmr_tests::independent_client::error::{INVALID_HANDLE, NO_MORE_LICENSES};
use tmr_tests::independent_client::{AccessRequest, Client, INFO_BOX, Person, get_info};
use tmr_tests::on_both_runtimes;

on_both_runtimes!(
    one_backend_may_die,
    without_two_backends_access_is_refused,
    frozen_backends_are_as_good_as_dead,
    a_client_that_goes_too_early_leaves_no_seat,
);

/// A refusal must come within this time.
const REFUSAL: Duration = Duration::from_secs(5);
/// `NetworkRetryIntervalInSeconds` here; three parts must be back within it.
const RETRY: u32 = 5;
/// The tolerance for the machine to notice a change and to answer.
const SLACK: Duration = Duration::from_secs(2);

fn tmr() -> AccessRequest {
    AccessRequest::new(FIRM_CODE, TMR)
}

fn person(number: u32) -> Person {
    Person { pid: 1000 + number, ..Person::new(&format!("ws-{number}"), "ada") }
}

#[track_caller]
fn seat(client: &mut Client) -> u32 {
    take(client, &tmr()).expect("the connection stays open").expect("a seat is free")
}

#[track_caller]
fn lives(client: &mut Client, handle: u32) {
    let reply = client.call(&get_info(handle, INFO_BOX, 144)).expect("the connection stays open");
    assert_eq!(reply.status, 0, "handle {handle} is alive");
}

/// Checks that exactly the held seats are counted: the rest can be taken, and no more. Releases the
/// rest.
#[track_caller]
fn exactly(cluster: &Cluster, held: u32) {
    assert_eq!(cluster.used(TMR), u64::from(held));
    let mut client = cluster.client();
    let mut rest = Vec::new();
    for number in held..SEATS {
        let handle = take(&mut client, &tmr().by(person(number)));
        rest.push(handle.expect("the connection stays open").expect("the rest is free"));
    }
    let more = take(&mut client, &tmr()).expect("the connection stays open");
    assert_eq!(more, Err(NO_MORE_LICENSES), "no seat beyond the quantity");
    for handle in rest {
        assert!(give_back(&mut client, handle).expect("the connection stays open").is_ok());
    }
    assert_eq!(cluster.used(TMR), u64::from(held));
}

/// Waits until all three backends take part again, within the retry interval from now, and every
/// allocation is on three disks.
#[track_caller]
fn whole_again(cluster: &Cluster) {
    let limit = Duration::from_secs(RETRY.into()) + SLACK;
    let admin = cluster.front().admin();
    status_within(limit, admin, "three parts within the retry interval", |status| {
        let allocations = status["allocations"].as_array()?;
        let all = allocations.iter().all(|row| row["backends"] == 3);
        (is_whole(status) && all).then_some(())
    });
}

fn one_backend_may_die(runtime: Runtime) {
    let mut cluster = Cluster::of(runtime).retry(RETRY).start();
    let mut client = cluster.client();
    let before = seat(&mut client);
    for index in 0..3 {
        cluster.backends[index].kill();
        lives(&mut client, before);
        let during = seat(&mut client);
        lives(&mut client, during);
        let other = seat(&mut client);
        assert_eq!(give_back(&mut client, other).expect("the connection stays open"), Ok(0));

        let admin = cluster.front().admin();
        status_until(admin, "the dead backend to be shown", |status| {
            let row = licence_row(status, TMR)?;
            let down = status["backends"].as_array()?.iter().filter(|row| row["state"] == "down");
            (row["matching"] == 2 && row["available"] == true && down.count() == 1).then_some(())
        });
        exactly(&cluster, 2);

        cluster.restart_backend(index);
        whole_again(&cluster);
        lives(&mut client, during);
        exactly(&cluster, 2);
        assert!(give_back(&mut client, during).expect("the connection stays open").is_ok());
    }
    // Only the backend that missed most and the one that missed least remain.
    cluster.backends[1].kill();
    lives(&mut client, before);
    exactly(&cluster, 1);
}

/// Asks for a seat while there is no majority, and checks the error. Returns the time until it
/// came.
fn ask_without_majority(client: &mut Client) -> Duration {
    let start = Instant::now();
    let answer = take(client, &tmr()).expect("an answer, not a closed connection");
    let status = answer.expect_err("no seat without a majority");
    assert_ne!(status, NO_MORE_LICENSES, "an error that says what is wrong");
    assert_ne!(status, 0);
    start.elapsed()
}

fn without_two_backends_access_is_refused(runtime: Runtime) {
    let mut cluster = Cluster::of(runtime).retry(RETRY).start();
    let mut client = cluster.client();
    let held = seat(&mut client);

    cluster.backends[0].kill();
    cluster.backends[2].kill();
    let took = ask_without_majority(&mut client);
    assert!(took <= REFUSAL, "refused after {took:?}");
    // The same access once more, after the front has noticed the loss of its majority.
    let mut second = cluster.client();
    let took = ask_without_majority(&mut second);
    assert!(took <= REFUSAL, "refused after {took:?}");
    let admin = cluster.front().admin();
    until("the front to say that it cannot serve", || {
        let (code, reason) = tmr_tests::harness::get(admin, "/readyz").ok()?;
        (code == 503 && !reason.is_empty()).then_some(())
    });

    cluster.restart_backend(0);
    cluster.restart_backend(2);
    whole_again(&cluster);
    let mut client = cluster.client();
    lives(&mut client, held);
    exactly(&cluster, 1);
    assert!(give_back(&mut client, held).expect("the connection stays open").is_ok());
    exactly(&cluster, 0);
}

fn frozen_backends_are_as_good_as_dead(runtime: Runtime) {
    let cluster = Cluster::of(runtime).retry(RETRY).start();
    let mut client = cluster.client();
    let held = seat(&mut client);

    cluster.backends[0].freeze();
    let during = seat(&mut client);
    cluster.backends[1].freeze();
    let took = ask_without_majority(&mut client);
    assert!(took <= REFUSAL, "refused after {took:?}");
    cluster.backends[0].resume();
    cluster.backends[1].resume();
    whole_again(&cluster);

    let mut client = cluster.client();
    lives(&mut client, held);
    lives(&mut client, during);
    // A refused access may have reached a disk, so the front must have undone it.
    let admin = cluster.front().admin();
    status_until(admin, "the refused seat to be gone", |status| {
        (licence_row(status, TMR)?["used"] == 2).then_some(())
    });
    exactly(&cluster, 2);
}

fn a_client_that_goes_too_early_leaves_no_seat(runtime: Runtime) {
    let cluster = Cluster::of(runtime).retry(RETRY).start();
    let front = cluster.front().licence();
    for round in 0..3 {
        let mut clients: Vec<Client> = (0..SEATS - 1).map(|_| cluster.client()).collect();
        // Two frozen backends: no answer can be ready before the clients are gone.
        cluster.backends[round % 3].freeze();
        cluster.backends[(round + 1) % 3].freeze();
        let mut gone = Vec::new();
        for (number, mut client) in (0..).zip(clients.drain(..)) {
            client.send(&tmr().by(person(number)).access2()).expect("the request is sent");
            gone.push(client.socket().local_addr().expect("a connection has an address"));
        }
        for client in gone {
            until("the kernel to have told the front of the close", || {
                (!established(front, client)).then_some(())
            });
        }
        cluster.backends[round % 3].resume();
        cluster.backends[(round + 1) % 3].resume();

        status_until(cluster.front().admin(), "no seat to be left", |status| {
            let row = licence_row(status, TMR)?;
            (is_whole(status) && row["used"] == 0).then_some(())
        });
        exactly(&cluster, 0);
    }
    let mut client = cluster.client();
    assert_eq!(give_back(&mut client, 1).expect("the connection stays open"), Err(INVALID_HANDLE));
}

/// Returns whether the server's end of a connection is established, by the kernel's table.
fn established(server: SocketAddr, client: SocketAddr) -> bool {
    let text = |address: SocketAddr| {
        let SocketAddr::V4(address) = address else { panic!("the tests use IPv4") };
        let ip = u32::from_le_bytes(address.ip().octets());
        format!("{ip:08X}:{:04X}", address.port())
    };
    let row = format!("{} {} 01", text(server), text(client));
    fs::read_to_string("/proc/net/tcp").expect("the kernel's table").contains(&row)
}
