//! Slow links, and links that are gone for a while: a front that cannot lead lets the other one
//! lead, a front that can lead does so in the end, and a client that never stopped calling keeps
//! its seat.

use super::book::{Book, Outcome};
use super::{role, tell_to_lead, whole_again};
use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};
use tmr_tests::harness::{
    Cluster, FIRM_CODE, Gate, Runtime, Speed, TMR, list_servers, status_within, take,
};
use tmr_tests::independent_client::{AccessRequest, Client, INFO_BOX, Person, get_info};
use tmr_tests::on_both_runtimes;

on_both_runtimes!(
    a_front_with_slow_wires_that_is_told_to_lead_does_not_duel,
    a_front_without_memory_leads_over_a_slow_wire,
    a_client_of_the_standby_that_calls_on_keeps_its_seat,
);

/// Makes gates in front of the three backends.
fn gates(cluster: &Cluster) -> [Gate; 3] {
    let ip = cluster.workshop().ip();
    [0, 1, 2].map(|index| Gate::before(cluster.backends[index].licence(), ip))
}

fn addresses(gates: &[Gate; 3]) -> [SocketAddr; 3] {
    [0, 1, 2].map(|index| gates[index].address())
}

fn a_front_with_slow_wires_that_is_told_to_lead_does_not_duel(runtime: Runtime) {
    // One front must lead within the first time, and keep the lead for the second one.
    const SETTLED: Duration = Duration::from_secs(20);
    const STEADY: Duration = Duration::from_secs(15);
    // The delay in each direction: too long for a key agreement, and short enough for an
    // established connection.
    const DELAY: Duration = Duration::from_millis(600);
    let mut cluster = Cluster::of(runtime).twin().start();
    let wires = gates(&cluster);
    cluster.fronts[1].kill();
    cluster.restart_front_with(1, |value| list_servers(value, &addresses(&wires)));
    let admins = [0, 1].map(|front| cluster.fronts[front].admin());
    status_within(SETTLED, admins[1], "three backends", |status| {
        let rows = status["backends"].as_array()?;
        rows.iter().all(|row| row["state"] == "up").then_some(())
    });
    for wire in &wires {
        wire.slow_down(Speed { delay: DELAY, ..Speed::FAST });
    }
    tell_to_lead(&cluster.fronts[1]);

    let roles = || admins.map(role);
    let start = Instant::now();
    let mut since = Instant::now();
    let mut before = roles();
    while since.elapsed() < STEADY {
        let now = roles();
        let one_leads = now.iter().filter(|role| *role == "active").count() == 1;
        if now != before || !one_leads {
            since = Instant::now();
        }
        before = now;
        assert!(start.elapsed() < SETTLED + STEADY, "nobody leads for long: {before:?}");
        thread::sleep(Duration::from_millis(100));
    }
    let leads = before.iter().position(|role| role == "active").expect("one leads");
    assert_eq!(before[1 - leads], "standby", "the other one has stopped");
    let mut book = Book::new();
    book.take(cluster.fronts[leads].licence(), 2);
    book.is_right_at(cluster.fronts[leads].licence(), admins[leads]);
}

/// The state has so many seats with long texts that reading it takes longer than one claim may
/// last.
fn a_front_without_memory_leads_over_a_slow_wire(runtime: Runtime) {
    const MANY: (u32, u32) = (650, 8_000);
    const CLIENTS: u32 = 8;
    const RATE: u32 = 400_000;
    let mut cluster = Cluster::of(runtime).licences(&[MANY]).start();
    let front = cluster.front().licence();
    thread::scope(|scope| {
        for number in 0..CLIENTS {
            scope.spawn(move || {
                let mut client = Client::connect(front).expect("it takes a client");
                for seat in 0..MANY.1 / CLIENTS {
                    let host = format!("{number}-{seat}-{}", "w".repeat(100));
                    let person = Person::new(&host, &"u".repeat(28));
                    let ask = AccessRequest::new(FIRM_CODE, MANY.0).by(person);
                    take(&mut client, &ask).expect("an answer").expect("a seat is free");
                }
            });
        }
    });
    let wires = gates(&cluster);
    for wire in &wires {
        wire.slow_down(Speed { rate: RATE, ..Speed::FAST });
    }
    // The backends send either a state or all these entries; both are long.
    cluster.fronts[0].kill();
    cluster.restart_front_with(0, |value| list_servers(value, &addresses(&wires)));
    tell_to_lead(cluster.front());
    let admin = cluster.front().admin();
    status_within(Duration::from_secs(60), admin, "a front that leads", |status| {
        (status["role"] == "active").then_some(())
    });
    assert_eq!(cluster.used(MANY.0), u64::from(MANY.1));
}

fn a_client_of_the_standby_that_calls_on_keeps_its_seat(runtime: Runtime) {
    // The cut is longer than the clean-up time, and shorter than the client's patience.
    const CUT: Duration = Duration::from_secs(36);
    const CLEANUP: u32 = 30;
    let mut cluster = Cluster::of(runtime).twin().start();
    let wires = gates(&cluster);
    cluster.fronts[0].kill();
    cluster.restart_front_with(0, |value| list_servers(value, &addresses(&wires)));
    cluster.activate(0);
    whole_again(&cluster, 0);
    status_within(Duration::from_secs(20), cluster.fronts[1].admin(), "twins in sync", |status| {
        (status["twin"]["connected"] == true).then_some(())
    });
    let mut ask = AccessRequest::new(FIRM_CODE, TMR);
    ask.cleanup = CLEANUP;
    let fronts = [0, 1].map(|front| cluster.fronts[front].licence());
    let mut clients = fronts.map(|front| {
        let mut client = Client::connect(front).expect("it takes a client");
        let seat = take(&mut client, &ask).expect("an answer").expect("a seat is free");
        (client, front, seat)
    });

    let call = |(client, front, seat): &mut (Client, SocketAddr, u32)| {
        let reply = client.call(&get_info(*seat, INFO_BOX, 144)).map(|reply| reply.status);
        if reply.is_err() {
            // A client whose connection was closed connects again.
            if let Ok(again) = Client::connect(*front) {
                *client = again;
            }
        }
        reply.ok()
    };
    for wire in &wires {
        wire.cut();
    }
    let start = Instant::now();
    while start.elapsed() < CUT {
        for client in &mut clients {
            let _ = call(client);
        }
        thread::sleep(Duration::from_secs(1));
    }
    for wire in &wires {
        wire.open();
    }
    for (client, who) in clients.iter_mut().zip(["the leader", "the standby"]) {
        let end = Instant::now() + Duration::from_secs(20);
        let last = loop {
            let status = call(client);
            // The front does not answer about the seat until it has confirmed that it leads.
            if matches!(status, Some(0 | 106)) || Instant::now() >= end {
                break status;
            }
            thread::sleep(Duration::from_millis(200));
        };
        assert_eq!(last, Some(0), "the client of {who} never stopped");
    }
    let mut book = Book::new();
    assert!(matches!(book.take_all(fronts[0]), Outcome::Refused(_)));
    assert_eq!(book.held().len(), 3, "two are held by those who called on");
}
