//! The owner of a handle. Limits apply to other addresses that use the handle, guess it, or take
//! all handles.

use base64ct::{Base64, Encoding};
use serde_json::Value;
use std::io::Write;
use std::net::{IpAddr, SocketAddr};
use std::process::Stdio;
use std::time::{Duration, Instant};
use tmr_tests::harness::{
    Cluster, FIRM_CODE, PASSWORD, Runtime, TMR, get, get_json, get_with, give_back, status_until,
    take, until,
};
use tmr_tests::independent_client::error::INVALID_HANDLE;
use tmr_tests::independent_client::{AccessRequest, Client, Crypt, get_info, get_version, release};
use tmr_tests::on_both_runtimes;

on_both_runtimes!(
    a_handle_is_refused_from_another_address_until_its_link_has_ended,
    whoever_guesses_waits_and_is_named_and_nobody_else_waits,
    one_machine_has_its_share_of_handles_without_a_seat,
    handles_are_for_operators_who_can_take_back_all_of_an_address
);

/// CmGetInfo: every user of every licence.
const NETWORK_USERS: u32 = 0x13;
const NO_MORE_HANDLES: u32 = 107;
/// Handles without a seat that one address may have.
const SHARE: usize = 4_096;
const THIEF: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(127, 0, 0, 66));

fn thief(at: SocketAddr) -> Client {
    Client::connect_from(THIEF, at).expect("it takes a client")
}

#[track_caller]
fn status(client: &mut Client, request: &[u8]) -> u32 {
    client.call(request).expect("an answer").status
}

fn a_handle_is_refused_from_another_address_until_its_link_has_ended(runtime: Runtime) {
    let mut cluster = Cluster::of(runtime).twin().start();
    let mut owner = cluster.client();
    let seat =
        take(&mut owner, &AccessRequest::new(FIRM_CODE, TMR)).expect("an answer").expect("a seat");
    let crypt = Crypt::firm_key(Crypt::ECB_ENCRYPT, 5).request(seat, &[7; 16]);
    let mut other = thief(cluster.fronts[0].licence());
    for request in [crypt.clone(), get_version(seat), release(seat)] {
        assert_eq!(status(&mut other, &request), INVALID_HANDLE);
    }
    assert_eq!(status(&mut owner, &crypt), 0);
    // The standby front forwards calls with the address of the client.
    let admin = cluster.fronts[0].admin();
    status_until(admin, "the fronts to be in sync", |status| {
        (status["twin"]["synced"] == true).then_some(())
    });
    let mut passed = thief(cluster.fronts[1].licence());
    assert_eq!(status(&mut passed, &crypt), INVALID_HANDLE);
    let mut there = Client::connect(cluster.fronts[1].licence()).expect("it takes a client");
    assert_eq!(status(&mut there, &crypt), 0);

    // A client whose address has changed comes back with its handle, once.
    drop((owner, there));
    until("the handle to move", || (status(&mut other, &crypt) == 0).then_some(()));
    let mut owner = cluster.client();
    assert_eq!(status(&mut owner, &crypt), INVALID_HANDLE);

    // After a takeover no server knows the link of the client.
    cluster.fronts[0].kill();
    cluster.activate(1);
    let mut owner = Client::connect(cluster.fronts[1].licence()).expect("it takes a client");
    assert_eq!(status(&mut owner, &crypt), 0);
    let mut other = thief(cluster.fronts[1].licence());
    assert_eq!(status(&mut other, &release(seat)), INVALID_HANDLE);
    assert_eq!(give_back(&mut owner, seat).expect("an answer"), Ok(0));
}

fn whoever_guesses_waits_and_is_named_and_nobody_else_waits(runtime: Runtime) {
    let cluster = Cluster::of(runtime).start();
    for at in [cluster.fronts[0].licence(), cluster.backends[0].licence()] {
        let mut bystander = Client::connect(at).expect("it takes a client");
        let own = take(&mut bystander, &AccessRequest::subsystem())
            .expect("an answer")
            .expect("a handle");
        let mut guesser = thief(at);
        let begun = Instant::now();
        for guess in 1..25 {
            assert_eq!(status(&mut guesser, &get_version(own ^ guess)), INVALID_HANDLE);
        }
        // The pauses are 10, 20, 40 … 640 ms, and one second for the next guess.
        assert!(begun.elapsed() > Duration::from_secs(1), "{:?}", begun.elapsed());
        let sent = Instant::now();
        guesser.send(&get_version(own)).expect("it is read");
        assert_eq!(status(&mut bystander, &get_version(own)), 0);
        let served = sent.elapsed();
        assert_eq!(guesser.receive().expect("an answer").status, INVALID_HANDLE, "not even a hit");
        let refused = sent.elapsed();
        assert!(refused > Duration::from_millis(900), "{refused:?}");
        assert!(served < refused / 2, "{served:?} and {refused:?}");
    }
    let front = &cluster.fronts[0];
    let named = status_until(front.admin(), "the guesser to be named", |status| {
        status["strangers"].as_array()?.first().cloned()
    });
    assert_eq!(named["address"], THIEF.to_string());
    let trouble = named["trouble"].as_str().expect("a sentence");
    assert!(trouble.contains("127.0.0.66 names handles that are not his: 2"), "{trouble}");
    let (_, metrics) = get(front.admin(), "/metrics").expect("metrics");
    assert!(metrics.contains("tmrd_foreign_handles_total 25"), "{metrics}");
    let lines = front.log_text().matches("names handles that are not his").count();
    assert_eq!(lines, 1, "one line a minute");
}

fn one_machine_has_its_share_of_handles_without_a_seat(runtime: Runtime) {
    let cluster = Cluster::of(runtime).start();
    for at in [cluster.fronts[0].licence(), cluster.backends[0].licence()] {
        let mut attacker = thief(at);
        let mut count = 0;
        let end = loop {
            match take(&mut attacker, &AccessRequest::subsystem()).expect("an answer") {
                Ok(_) => count += 1,
                Err(error) => break error,
            }
        };
        assert_eq!((end, count), (NO_MORE_HANDLES, SHARE));
        let mut other = Client::connect(at).expect("it takes a client");
        take(&mut other, &AccessRequest::subsystem())
            .expect("an answer")
            .expect("others have theirs");
        if at == cluster.fronts[0].licence() {
            let seat = AccessRequest::new(FIRM_CODE, TMR);
            let seat = take(&mut other, &seat).expect("an answer").expect("seats are kept");
            let users = get_info(seat, NETWORK_USERS, 64 * 1024);
            let best = (0..5).map(|_| {
                let asked = Instant::now();
                assert_eq!(status(&mut other, &users), 0);
                asked.elapsed()
            });
            let took = best.min().expect("five of them");
            let (_, page) = get(cluster.fronts[0].admin(), "/api/status").expect("a status");
            assert!(took < Duration::from_millis(50), "{took:?}");
            assert!(page.len() < 512 * 1024, "{} bytes", page.len());
            let value: Value = serde_json::from_str(&page).expect("JSON");
            assert_eq!(value["handles"], SHARE + 2);
            let rows = value["allocations"].as_array().expect("a list");
            assert_eq!((rows.len(), &rows[0]["handle"]), (1_000, &seat.into()), "seats first");
            let last = get_json(cluster.fronts[0].admin(), "/api/allocations?from=4000");
            let last = last.expect("a page");
            assert_eq!(last["total"], SHARE + 2);
            assert_eq!(last["allocations"].as_array().map(Vec::len), Some(SHARE + 2 - 4_000));
        }
    }
}

fn handles_are_for_operators_who_can_take_back_all_of_an_address(runtime: Runtime) {
    let cluster = Cluster::of(runtime).start();
    let admin = cluster.front().admin();
    // Without passwords a program at a loopback address counts as the machine itself.
    assert!(get_json(admin, "/api/status").expect("a status")["cluster"].is_string());
    cluster.set_password(0, "operator", PASSWORD);
    let (mut client, mut other) = (cluster.client(), thief(cluster.front().licence()));
    let seat = AccessRequest::new(FIRM_CODE, TMR);
    let own = take(&mut client, &seat).expect("an answer").expect("a seat");
    let taken = [0; 3].map(|_| take(&mut other, &seat).expect("an answer").expect("a seat"));
    // A browser on this machine does not count as the machine.
    let origin = format!("Origin: http://{admin}\r\n");
    for path in ["/api/status", "/api/allocations"] {
        let (_, body) = get_with(admin, path, &origin).expect("an answer");
        let shown: Value = serde_json::from_str(&body).expect("JSON");
        let row = &shown["allocations"][0];
        assert!(row["id"].is_u64() && row["handle"].is_null(), "{row}");
        assert!(shown["cluster"].is_null(), "{shown}");
    }
    let seats = || {
        let coded = Base64::encode_string(format!("operator:{PASSWORD}").as_bytes());
        let head = format!("Authorization: Basic {coded}\r\n");
        let (_, body) = get_with(admin, "/api/status", &head).expect("an answer");
        let shown: Value = serde_json::from_str(&body).expect("JSON");
        let rows = shown["allocations"].as_array().expect("a list").iter();
        rows.map(|row| row["handle"].clone()).collect::<Vec<Value>>()
    };
    assert_eq!(seats().len(), 4);
    assert!(seats().contains(&own.into()), "an operator sees them");

    let release = |password: &str, address: &str| {
        let admin = format!("http://{admin}");
        let mut command = cluster.program().command(["release", "--address", address, "--admin"]);
        command.arg(&admin).stdin(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("the program was built, so it starts");
        let mut input = child.stdin.take().expect("its input is a pipe");
        writeln!(input, "{password}").expect("it reads a password");
        drop(input);
        let output = child.wait_with_output().expect("it ends");
        (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let thief = THIEF.to_string();
    let (done, said) = release("wrong password", &thief);
    assert!(!done && said.contains("not right"), "{said}");
    let (done, said) = release(PASSWORD, "192.0.2.1");
    assert!(!done && said.contains("holds no handle"), "{said}");
    let (done, said) = release(PASSWORD, &thief);
    assert!(done && said.contains("3 handles are being taken back from 127.0.0.66"), "{said}");
    until("one seat to be left", || (seats() == [own]).then_some(()));
    for handle in taken {
        assert_eq!(status(&mut other, &get_version(handle)), INVALID_HANDLE);
    }
    let audit = get_json(admin, "/api/audit").expect("a list").to_string();
    assert!(audit.contains("take back all 3 handles of 127.0.0.66"), "{audit}");
}
