//! Two fronts as real processes: they are in sync again without help after every fault of one of
//! them, their takeovers are short, they cost each other little, and clients of either see one
//! server.

use serde_json::Value;
use std::fs;
use tmr_tests::harness::{Cluster, FIRM_CODE, Runtime, get_json, give_back, status_until, take};
use tmr_tests::independent_client::error::INVALID_HANDLE;
use tmr_tests::independent_client::{
    AccessRequest, Client, Crypt, Fault, INFO_BOX, get_info, get_version,
};

/// A licence with more seats than the clients take.
const WIDE: (u32, u32) = (401, 500);
/// Accesses that are made while the other front is stopped.
const ACCESSES: usize = 200;

macro_rules! on_pairs {
    ($($script:ident),+ $(,)?) => {
        on_pairs!(@ smol, Smol, Smol, $($script)+);
        on_pairs!(@ threads, Threads, Threads, $($script)+);
        on_pairs!(@ mixed, Smol, Threads, $($script)+);
    };
    (@ $name:ident, $one:ident, $other:ident, $($script:ident)+) => {
        mod $name {
            use tmr_tests::harness::Runtime;
            $(#[test] fn $script() { super::$script(Runtime::$one, Runtime::$other); })+
        }
    };
}

on_pairs!(
    what_one_grants_the_other_knows,
    a_stopped_twin_costs_nothing,
    every_seat_answers_at_the_other_front,
    a_client_is_served_at_either_front,
    the_lead_changes_sides_under_clients_of_both,
    a_leader_that_dies_leaves_no_client_of_the_other_waiting,
    the_role_goes_to_the_other_front_by_command,
    another_group_key_gets_nothing,
    a_front_that_is_its_own_twin_says_so,
);

fn start(one: Runtime, other: Runtime) -> Cluster {
    Cluster::of(one).licences(&[WIDE]).twin_on(other).start()
}

fn ask() -> AccessRequest {
    AccessRequest::new(FIRM_CODE, WIDE.0)
}

#[track_caller]
fn seats(client: &mut Client, count: usize) -> Vec<u32> {
    let one = |_| take(client, &ask()).expect("the connection stays open").expect("a free seat");
    (0..count).map(one).collect()
}

/// Waits until both fronts are in sync and have the same seats.
#[track_caller]
fn in_sync(cluster: &Cluster, seats: usize) {
    for front in &cluster.fronts {
        status_until(front.admin(), "twins in sync", |status| {
            let twin = &status["twin"];
            let good = twin["connected"] == true
                && twin["synced"] == true
                && twin["lag"] == 0
                && twin["trouble"] == Value::Null;
            let held = status["allocations"].as_array()?.len();
            (good && held == seats).then_some(())
        });
    }
    for front in 0..cluster.fronts.len() {
        cluster.wait_whole(front);
    }
    let of = |front: usize, key: &str| {
        let status = get_json(cluster.fronts[front].admin(), "/api/status").expect("a status");
        status[key].clone()
    };
    for key in ["epoch", "cluster", "licenses", "containers"] {
        assert_eq!(of(0, key), of(1, key), "{key}");
    }
}

fn what_one_grants_the_other_knows(one: Runtime, other: Runtime) {
    let mut cluster = start(one, other);
    in_sync(&cluster, 0);
    let mut client = cluster.client();
    let held = seats(&mut client, 30);
    in_sync(&cluster, 30);
    let standby = get_json(cluster.fronts[1].admin(), "/api/status").expect("a status");
    assert_eq!(standby["role"], "standby");
    assert_eq!(
        (&standby["twin"]["role"], &standby["twin"]["differs"]),
        (&"active".into(), &Value::Array(vec![]))
    );
    let admin = format!("http://{}", cluster.fronts[1].admin());
    let shown = cluster.program().run(["status", "--admin", &admin]).expect(0).out;
    let line = shown.lines().find(|line| line.starts_with("twin "));
    assert!(
        line.is_some_and(|line| line.contains("active") && line.contains("in sync")),
        "{shown}"
    );

    // The twin is killed, misses changes, and starts blank.
    cluster.fronts[1].kill();
    for handle in &held[..10] {
        assert_eq!(give_back(&mut client, *handle).expect("the connection stays open"), Ok(0));
    }
    status_until(cluster.front().admin(), "the lost twin to be shown", |status| {
        let twin = &status["twin"];
        (twin["connected"] == false && twin["trouble"].is_string()).then_some(())
    });
    cluster.restart_front(1);
    in_sync(&cluster, 20);
}

fn a_stopped_twin_costs_nothing(one: Runtime, other: Runtime) {
    let cluster = start(one, other);
    let mut client = cluster.client();
    let held = seats(&mut client, 5);
    in_sync(&cluster, held.len());
    cluster.fronts[1].freeze();
    for _ in 0..ACCESSES {
        let handle = seats(&mut client, 1)[0];
        assert_eq!(give_back(&mut client, handle).expect("the connection stays open"), Ok(0));
    }
    let late = seats(&mut client, 3);
    let status = cluster.status();
    assert_eq!(status["twin"]["synced"], false, "{:#}", status["twin"]);
    cluster.fronts[1].resume();
    in_sync(&cluster, held.len() + late.len());
}

fn every_seat_answers_at_the_other_front(one: Runtime, other: Runtime) {
    let mut cluster = start(one, other);
    let mut client = cluster.client();
    let held = seats(&mut client, 40);
    cluster.fronts[0].kill();
    cluster.activate(1);
    cluster.wait_whole(1);
    let mut client = Client::connect(cluster.fronts[1].licence()).expect("it takes a client");
    for handle in &held {
        let reply = client.call(&get_info(*handle, INFO_BOX, 144)).expect("an answer");
        assert_eq!(reply.status, 0, "seat {handle}");
    }
    let more = seats(&mut client, 2);
    // The old leader returns, stands by, and revives no released seat.
    assert_eq!(give_back(&mut client, held[0]).expect("the connection stays open"), Ok(0));
    cluster.restart_front(0);
    in_sync(&cluster, held.len() + more.len() - 1);
    let roles = [0, 1].map(|front| {
        get_json(cluster.fronts[front].admin(), "/api/status").expect("a status")["role"].clone()
    });
    assert_eq!(roles, ["standby", "active"]);
}

#[track_caller]
fn client_of(cluster: &Cluster, front: usize) -> Client {
    Client::connect(cluster.fronts[front].licence()).expect("it takes a client")
}

/// Waits until a standby front knows that its twin leads.
#[track_caller]
fn passes(cluster: &Cluster, standby: usize) {
    status_until(cluster.fronts[standby].admin(), "a twin that leads", |status| {
        let twin = &status["twin"];
        let leads = twin["connected"] == true && twin["role"] == "active";
        (status["role"] == "standby" && leads).then_some(())
    });
}

fn a_client_is_served_at_either_front(one: Runtime, other: Runtime) {
    let cluster = start(one, other);
    passes(&cluster, 1);
    let (mut here, mut there) = (cluster.client(), client_of(&cluster, 1));
    let mine = seats(&mut there, 3);
    let others = seats(&mut here, 3);
    let shown = |front: usize| {
        let status = get_json(cluster.fronts[front].admin(), "/api/status").expect("a status");
        let twin = &status["twin"];
        (twin["passed_to"].as_u64(), twin["passed_from"].as_u64(), status["allocations"].clone())
    };
    let ((to, _, _), (_, from, allocations)) = (shown(1), shown(0));
    assert_eq!((to, from), (Some(1), Some(1)));
    assert_eq!(allocations.as_array().map(Vec::len), Some(6));
    for handle in mine.iter().chain(&others) {
        let request = Crypt::firm_key(Crypt::ECB_ENCRYPT, 5).request(*handle, &[9; 32]);
        let [one, other] = [&mut here, &mut there].map(|client| client.call(&request));
        let (one, other) = (one.expect("an answer"), other.expect("an answer"));
        assert_eq!((one.status, &one.body), (0, &other.body), "seat {handle}");
    }
    // Each client releases its seat at the other front.
    for (client, handles) in [(&mut here, &mine), (&mut there, &others)] {
        for handle in handles {
            assert_eq!(give_back(client, *handle).expect("the connection stays open"), Ok(0));
        }
    }
    let gone = there.call(&get_info(mine[0], INFO_BOX, 144)).expect("an answer");
    assert_eq!(gone.status, INVALID_HANDLE);
    drop(there);
    status_until(cluster.front().admin(), "it to be gone", |status| {
        (status["twin"]["passed_from"] == 0).then_some(())
    });
    in_sync(&cluster, 0);
}

fn the_lead_changes_sides_under_clients_of_both(one: Runtime, other: Runtime) {
    let cluster = start(one, other);
    let mut held = Vec::new();
    let mut clients: Vec<Client> = (0..4).map(|at| client_of(&cluster, at % 2)).collect();
    for turn in 0..4 {
        let leads = turn % 2;
        cluster.activate(leads);
        passes(&cluster, 1 - leads);
        for (at, client) in clients.iter_mut().enumerate() {
            // A deposed front disconnects its clients; they connect to the same front again.
            if client.call(&get_version(0)).is_err() {
                *client = client_of(&cluster, at % 2);
            }
            held.extend(seats(client, 1));
        }
        for (handle, client) in held.iter().zip((0..4).cycle()) {
            let request = get_info(*handle, INFO_BOX, 144);
            let reply = clients[client].call(&request).expect("an answer");
            assert_eq!(reply.status, 0, "seat {handle}, turn {turn}");
        }
    }
    in_sync(&cluster, held.len());
    for (handle, client) in held.iter().zip((0..4).cycle()) {
        let given = give_back(&mut clients[client], *handle).expect("the connection stays open");
        assert_eq!(given, Ok(0));
    }
    in_sync(&cluster, 0);
}

fn a_leader_that_dies_leaves_no_client_of_the_other_waiting(one: Runtime, other: Runtime) {
    let mut cluster = start(one, other);
    passes(&cluster, 1);
    let (mut waits, mut idle) = (client_of(&cluster, 1), client_of(&cluster, 1));
    let held = seats(&mut idle, 2);
    cluster.fronts[0].freeze();
    waits.send(&ask().access2()).expect("the kernel takes it");
    cluster.fronts[0].kill();
    let end = waits.receive();
    assert!(matches!(end, Err(Fault::Closed)), "an answer that nobody gave: {end:?}");
    cluster.activate(1);
    cluster.wait_whole(1);
    // The connection to the other front stands, and the new leader serves it.
    for handle in &held {
        let reply = idle.call(&get_info(*handle, INFO_BOX, 144)).expect("an answer");
        assert_eq!(reply.status, 0, "seat {handle}");
    }
    let status = get_json(cluster.fronts[1].admin(), "/api/status").expect("a status");
    assert_eq!(status["allocations"].as_array().map(Vec::len), Some(held.len()));
    cluster.restart_front(0);
    in_sync(&cluster, held.len());
    // The restarted front releases the seats, and its twin follows.
    let mut client = client_of(&cluster, 0);
    for handle in &held {
        assert_eq!(give_back(&mut client, *handle).expect("the connection stays open"), Ok(0));
    }
    in_sync(&cluster, 0);
}

fn the_role_goes_to_the_other_front_by_command(one: Runtime, other: Runtime) {
    let cluster = start(one, other);
    let mut client = cluster.client();
    let held = seats(&mut client, 10);
    in_sync(&cluster, held.len());
    let failover = |front: usize| {
        let admin = cluster.fronts[front].admin();
        cluster.program().run(["failover", "--admin", &format!("http://{admin}")])
    };
    failover(1).expect(1).one_clear_error(&["does not lead", "tmrd activate"]);
    failover(0).expect(0);
    in_sync(&cluster, held.len());
    let mut client = Client::connect(cluster.fronts[1].licence()).expect("it takes a client");
    for handle in &held {
        let reply = client.call(&get_info(*handle, INFO_BOX, 144)).expect("an answer");
        assert_eq!(reply.status, 0, "seat {handle}");
    }
    // The lead returns, and then the other front is killed.
    failover(1).expect(0);
    cluster.fronts[1].freeze();
    failover(0).expect(1).one_clear_error(&["did not"]);
    assert_eq!(cluster.status()["role"], "active");
    cluster.fronts[1].resume();
    in_sync(&cluster, held.len());
}

fn another_group_key_gets_nothing(one: Runtime, other: Runtime) {
    let mut cluster = start(one, other);
    let mut client = cluster.client();
    seats(&mut client, 2);
    in_sync(&cluster, 2);
    cluster.fronts[1].kill();
    let wrong = cluster.workshop().folder().join("wrong.key");
    cluster.program().run(["keygen".as_ref(), wrong.as_os_str()]).expect(0);
    cluster.restart_front_with(1, |value| {
        value["TmrServer"]["GroupKeyFile"] = wrong.to_string_lossy().into();
    });
    for front in &cluster.fronts {
        let twin = status_until(front.admin(), "a word about the key", |status| {
            let trouble = status["twin"]["trouble"].as_str()?;
            trouble.contains("group key").then(|| status["twin"].clone())
        });
        assert_eq!((&twin["connected"], &twin["synced"]), (&false.into(), &false.into()));
    }
    let status = get_json(cluster.fronts[1].admin(), "/api/status").expect("a status");
    assert_eq!(status["allocations"], Value::Array(vec![]));
    seats(&mut client, 1);
    for front in &cluster.fronts {
        let log = front.log_text();
        let said = log.lines().filter(|line| line.contains("twin") && line.contains("group key"));
        // At most one line for each of the two links, because the test takes less than a minute.
        assert!(said.count() <= 2, "{log}");
    }

    cluster.fronts[1].kill();
    fs::remove_file(&wrong).expect("the wrong key is there");
    cluster.restart_front(1);
    in_sync(&cluster, 3);
}

fn a_front_that_is_its_own_twin_says_so(one: Runtime, other: Runtime) {
    let mut cluster = start(one, other);
    in_sync(&cluster, 0);
    cluster.fronts[1].kill();
    cluster.restart_front_with(1, |value| {
        value["TmrServer"]["TwinServer"] = value["TmrServer"]["TwinListen"].clone();
    });
    status_until(cluster.fronts[1].admin(), "the mistake to be named", |status| {
        let trouble = status["twin"]["trouble"].as_str()?;
        (status["twin"]["connected"] == false && trouble.contains("is this front itself"))
            .then_some(())
    });
    let log = cluster.fronts[1].log_text();
    assert!(log.contains("is this front itself"), "{log}");
}
