//! The log of the group is lost on two disks: every command reports that, no backend and no front
//! reports that it is ready, and an operator has a way back.

use serde_json::Value;
use std::fs;
use std::net::SocketAddr;
use tmr_tests::harness::{
    Cluster, FIRM_CODE, Finished, Runtime, SEATS, TMR, get, give_back, status_until, take, until,
};
use tmr_tests::independent_client::error::NO_MORE_LICENSES;
use tmr_tests::independent_client::{AccessRequest, Client, INFO_BOX, Person, get_info};
use tmr_tests::on_both_runtimes;

on_both_runtimes!(
    one_disk_that_is_left_serves_again,
    where_no_disk_is_left_the_front_that_remembers_serves_again,
    the_front_that_stands_by_takes_a_recovery_for_no_trouble,
);

fn ask(number: u32) -> AccessRequest {
    let person = Person { pid: 1000 + number, ..Person::new(&format!("ws-{number}"), "ada") };
    AccessRequest::new(FIRM_CODE, TMR).by(person)
}

#[track_caller]
fn seat(client: &mut Client, number: u32) -> Result<u32, u32> {
    take(client, &ask(number)).expect("the connection stays open")
}

/// Checks that a seat is held, and that all remaining seats can be taken.
#[track_caller]
fn exactly(cluster: &Cluster, held: &[u32]) {
    let mut client = cluster.client();
    for &handle in held {
        let reply = client.call(&get_info(handle, INFO_BOX, 144));
        assert_eq!(reply.expect("the connection stays open").status, 0, "{handle} is held");
    }
    let free = SEATS - u32::try_from(held.len()).expect("a few");
    let more: Vec<u32> =
        (0..free).map(|number| seat(&mut client, 50 + number).expect("it is free")).collect();
    assert_eq!(seat(&mut client, 99), Err(NO_MORE_LICENSES));
    for handle in more {
        assert!(give_back(&mut client, handle).expect("the connection stays open").is_ok());
    }
}

fn ready(at: SocketAddr) -> (u16, String) {
    get(at, "/readyz").expect("the admin side answers")
}

fn wait_ready(at: SocketAddr) {
    until("a server to be ready", || (get(at, "/readyz").ok()?.0 == 200).then_some(()));
}

/// Runs a command for the front.
fn command(cluster: &Cluster, words: &[&str]) -> Finished {
    let url = format!("http://{}", cluster.front().admin());
    let line = words.iter().copied().chain(["--admin", &url]);
    cluster.program().run(line)
}

/// Removes the state folders of the first `count` backends, and restarts these backends.
fn empty(cluster: &mut Cluster, count: usize) {
    for index in 0..count {
        cluster.backends[index].kill();
    }
    for index in 0..count {
        fs::remove_dir_all(cluster.workshop().state(index + 1)).expect("it has one");
        cluster.restart_backend(index);
    }
}

fn one_disk_that_is_left_serves_again(runtime: Runtime) {
    let mut cluster = Cluster::start(runtime);
    let mut client = cluster.client();
    let held = [seat(&mut client, 1), seat(&mut client, 2)].map(|seat| seat.expect("it is free"));
    for backend in &cluster.backends {
        wait_ready(backend.admin());
    }
    let done = command(&cluster, &["recover", "--confirm", "recover"]).expect(1);
    assert!(done.err.contains("nothing is lost"), "{}", done.err);

    cluster.fronts[0].kill();
    empty(&mut cluster, 2);
    cluster.restart_front(0);
    let admin = cluster.front().admin();
    let done = command(&cluster, &["activate"]).expect(1);
    assert!(done.err.contains("the group's memory is lost"), "{}", done.err);
    let status = cluster.status();
    let obstacle = status["obstacle"].as_str().expect("an obstacle").to_owned();
    for index in [0, 1] {
        let address = cluster.backends[index].licence().to_string();
        assert!(obstacle.contains(&address), "{obstacle}");
        assert!(status["backends"][index]["trouble"].as_str().is_some(), "{status:#}");
        let (code, reason) = ready(cluster.backends[index].admin());
        assert!(code == 503 && reason.contains("blank"), "{code} {reason}");
    }
    let (code, reason) = ready(admin);
    assert_eq!((code, reason.trim_end()), (503, obstacle.as_str()));
    assert!(
        status["licenses"]
            .as_array()
            .is_some_and(|rows| { rows.iter().all(|row| row["available"] == false) })
    );
    assert!(command(&cluster, &["status"]).expect(1).out.contains(&obstacle));
    command(&cluster, &["track", "status"]).expect(1);
    let config = cluster.workshop().folder().join("tmrconf-0.json");
    let config = config.to_str().expect("plain");
    let done = command(&cluster, &["doctor", "--config", config]).expect(1);
    assert!(done.out.contains("the group's memory is lost"), "{}", done.out);

    let done = command(&cluster, &["recover"]).expect(2);
    assert!(done.err.contains("nothing was changed"), "{}", done.err);
    assert!(done.out.contains("What may be lost:"), "{}", done.out);
    let plan: Value =
        serde_json::from_str(&command(&cluster, &["recover", "--json"]).expect(0).out)
            .expect("one JSON value");
    assert_eq!(plan["backends"][2]["begins_anew"], true, "{plan:#}");
    assert!(cluster.status()["obstacle"].is_string(), "it was only shown");
    let done = command(&cluster, &["recover", "--confirm", "recover"]).expect(0);
    assert!(done.err.contains("is active"), "{}", done.err);

    cluster.wait_whole(0);
    exactly(&cluster, &held);
    assert_eq!(cluster.status()["obstacle"], Value::Null);
    assert!(cluster.workshop().state(3).join("journal.old").exists());
    for index in 0..3 {
        wait_ready(cluster.backends[index].admin());
    }
    for index in 0..3 {
        cluster.backends[index].kill();
        exactly(&cluster, &held);
        cluster.restart_backend(index);
        cluster.wait_whole(0);
    }
    let audit = cluster.workshop().folder().join("front-0").join("audit.jsonl");
    let audit = fs::read_to_string(audit).expect("changes are recorded");
    assert!(audit.contains("a new group was made from the copy of backend"), "{audit}");
}

/// Waits until the front has seen that all three disks have lost their memory.
fn wait_lost(cluster: &Cluster) {
    let admin = cluster.front().admin();
    status_until(admin, "the loss to be seen", |status| {
        // A confirmation by two disks stays valid for a moment after they are gone.
        let obstacle = status["obstacle"].as_str()?;
        let lost = obstacle.contains("memory is lost");
        // The plan changes until all three backends have reported.
        let mut all = cluster.backends.iter().map(|it| it.licence().to_string());
        let all = all.all(|at| obstacle.contains(&at));
        (lost && all && status["role"] == "starting").then_some(())
    });
}

/// Recovers, as soon as the known state does not change between the question and the order.
fn recover(cluster: &Cluster) -> Finished {
    until("the recovery", || {
        let done = command(cluster, &["recover", "--confirm", "recover"]);
        let again = done.code == Some(1) && done.err.contains("What is known has changed");
        (!again).then_some(done)
    })
    .expect(0)
}

fn where_no_disk_is_left_the_front_that_remembers_serves_again(runtime: Runtime) {
    let mut cluster = Cluster::start(runtime);
    let mut client = cluster.client();
    let held = [seat(&mut client, 1).expect("it is free")];
    empty(&mut cluster, 3);
    wait_lost(&cluster);
    let done = recover(&cluster);
    assert!(done.out.contains("what this front remembers"), "{}", done.out);
    cluster.wait_whole(0);
    exactly(&cluster, &held);
}

fn the_front_that_stands_by_takes_a_recovery_for_no_trouble(runtime: Runtime) {
    let mut cluster = Cluster::of(runtime).twin().start();
    let admins = [0, 1].map(|front: usize| cluster.fronts[front].admin());
    let in_sync = |status: &Value| {
        let mut backends = status["backends"].as_array()?.iter();
        let well = backends.all(|row| row["trouble"].is_null() && row["state"] == "up");
        (well && status["twin"]["synced"] == true).then_some(())
    };
    for admin in admins {
        status_until(admin, "the fronts to be in sync", in_sync);
    }
    empty(&mut cluster, 3);
    wait_lost(&cluster);
    recover(&cluster);
    for admin in admins {
        // Without remaining problems nothing is logged later either.
        status_until(admin, "the fronts to be in sync again", in_sync);
    }
    for front in &cluster.fronts {
        let log = front.log_text();
        assert!(!log.contains("belongs to group"), "{log}");
    }
}
