//! An order whose sender got no result in time is not carried out later.

#![allow(clippy::unwrap_used)]

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use tmr_tests::harness::{Cluster, Runtime, get_json, kill_all, status_until, until, within};
use tmr_tests::on_both_runtimes;

on_both_runtimes!(
    what_nobody_waits_for_any_more_is_not_carried_out,
    who_waits_for_a_stopped_front_is_answered_when_it_goes_on,
    a_command_that_had_no_answer_says_what_is_known,
    an_order_to_a_front_that_is_killed_is_given_up_at_once,
);

const FAILOVER: &[u8] = b"POST /api/failover HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Tmr-Admin: 1\r\n\
                          Connection: close\r\nContent-Length: 0\r\n\r\n";

fn start(runtime: Runtime) -> Cluster {
    let cluster = Cluster::of(runtime).twin().start();
    synced(&cluster);
    cluster
}

#[track_caller]
fn synced(cluster: &Cluster) {
    status_until(cluster.fronts[0].admin(), "the fronts to be in sync", |status| {
        (status["twin"]["synced"] == true && status["role"] == "active").then_some(())
    });
}

fn socket(cluster: &Cluster) -> PathBuf {
    cluster.workshop().folder().join("front-0").join("admin.sock")
}

fn what_nobody_waits_for_any_more_is_not_carried_out(runtime: Runtime) {
    let cluster = start(runtime);
    let front = &cluster.fronts[0];
    front.freeze();
    let mut gone = TcpStream::connect(front.admin()).unwrap();
    gone.write_all(FAILOVER).unwrap();
    drop(gone);
    let mut local = UnixStream::connect(socket(&cluster)).unwrap();
    local.write_all(FAILOVER).unwrap();
    drop(local);
    // A client that has closed only its sending direction gets the answer.
    let mut half = TcpStream::connect(front.admin()).unwrap();
    half.write_all(FAILOVER).unwrap();
    half.shutdown(Shutdown::Write).unwrap();
    front.resume();
    let mut told = String::new();
    half.read_to_string(&mut told).unwrap();
    assert!(told.starts_with("HTTP/1.1 408 ") && told.contains("not carried out"), "{told}");
    until("all of them to be left", || {
        (front.log_text().matches("is not carried out").count() == 3).then_some(())
    });
    // The front has discarded the earlier orders, and its role is unchanged.
    synced(&cluster);
    let other = get_json(cluster.fronts[1].admin(), "/api/status").unwrap();
    assert_eq!(other["role"], "standby");
}

fn who_waits_for_a_stopped_front_is_answered_when_it_goes_on(runtime: Runtime) {
    let cluster = start(runtime);
    let front = &cluster.fronts[0];
    // The other front has just started, and the order is refused until it has its backends.
    within(Duration::from_secs(10), "the order to be taken", || {
        front.freeze();
        let mut waits = TcpStream::connect(front.admin()).unwrap();
        waits.write_all(FAILOVER).unwrap();
        front.resume();
        let mut told = String::new();
        waits.read_to_string(&mut told).unwrap();
        let (taken, refused) =
            (told.starts_with("HTTP/1.1 202 "), told.starts_with("HTTP/1.1 409 "));
        assert!(taken || refused, "{told}");
        taken.then_some(())
    });
    status_until(cluster.fronts[1].admin(), "the other front to lead", |status| {
        (status["role"] == "active").then_some(())
    });
}

fn a_command_that_had_no_answer_says_what_is_known(runtime: Runtime) {
    let cluster = start(runtime);
    cluster.fronts[0].freeze();
    let socket = socket(&cluster);
    let at = socket.to_str().unwrap();
    let end = cluster.program().run(["notify", "INSTANCE", "x", "--admin", at]).expect(4);
    let said = ["did not answer within 5 s", "does not carry out any more"];
    end.one_clear_error(&said);
    // These commands read the front's state before an order.
    for order in ["activate", "failover"] {
        let end = cluster.program().run([order, "--admin", at]).expect(4);
        end.one_clear_error(&["did not answer within 5 s", "nothing was ordered"]);
    }
    cluster.fronts[0].resume();
    synced(&cluster);
}

fn an_order_to_a_front_that_is_killed_is_given_up_at_once(runtime: Runtime) {
    let mut cluster = Cluster::of(runtime).launch();
    kill_all(&mut cluster.backends);
    let at = format!("http://{}", cluster.front().admin());
    let mut command = cluster.program().command(["activate", "--admin", &at]);
    let child = command.stderr(std::process::Stdio::piped()).spawn().unwrap();
    status_until(cluster.front().admin(), "the order to be taken", |status| {
        (status["role"] == "starting").then_some(())
    });
    let begun = Instant::now();
    cluster.fronts[0].kill();
    cluster.restart_front(0);
    let end = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&end.stderr);
    assert!(begun.elapsed() < Duration::from_secs(10), "{said}");
    assert!(!end.status.success(), "{said}");
    let known = ["had taken the order before that", "was restarted meanwhile"];
    assert!(known.iter().any(|known| said.contains(known)), "{said}");
}
