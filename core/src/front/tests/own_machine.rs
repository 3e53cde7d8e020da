//! Whether the machines could take the virtual address, and what follows for a planned failover.

use super::{World, twins, with_address};
use crate::base::limits::{STARTING, TRACK_SILENT};
use crate::base::time::Duration;
use crate::io::FrontEvent;
use crate::messages::twin::Version;
use crate::status::Severity;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use serde_json::{Value, json};

const SECOND: Duration = Duration::from_secs(1);

/// Has both scripts of keepalived ask each of these fronts once a second, for this many seconds.
fn tracked(world: &mut World, fronts: &[usize], seconds: u32) {
    for _ in 0..seconds {
        for front in fronts {
            for path in ["/readyz?of=front", "/holdz"] {
                world.http(*front, &format!("GET {path} HTTP/1.1\r\n\r\n"));
            }
        }
        world.advance(SECOND);
    }
}

/// Reports a state of keepalived to a front.
fn notified(world: &mut World, front: usize, state: &str) {
    let body = json!({ "words": ["GROUP", "tmr", state, "250"] }).to_string();
    let head = "POST /api/notify HTTP/1.1\r\nX-Tmr-Admin: 1\r\nContent-Length:";
    let answer = world.http(front, &format!("{head} {}\r\n\r\n{body}", body.len()));
    assert!(answer.starts_with("HTTP/1.1 202"), "{answer}");
    world.run();
}

/// Runs `tmrd failover` for front 0. Returns the status code and the message.
fn order(world: &mut World) -> (u16, String) {
    let request = "POST /api/failover HTTP/1.1\r\nX-Tmr-Admin: 1\r\nContent-Length: 0\r\n\r\n";
    let answer = world.http(0, request);
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head["HTTP/1.1 ".len()..][..3].parse().unwrap(), body.into())
}

#[track_caller]
fn refused(world: &mut World, reason: &str) {
    let (code, said) = order(world);
    assert_eq!(code, 409, "{said}");
    assert!(said.contains(reason), "{said}");
    assert!(world.leads(0));
}

#[track_caller]
fn goes(world: &mut World) {
    let (code, said) = order(world);
    assert_eq!(code, 202, "{said}");
    world.run();
    assert!(world.leads(1), "{:#}", world.status(1));
}

/// Returns whether this machine, and the other one, could take the address, by a front's status.
fn could(world: &mut World, front: usize) -> [Value; 2] {
    let mut address = world.status(front)["address"].take();
    ["this", "other"].map(|machine| address[machine]["could_take"].take())
}

/// Returns the codes of the troubles in a front's status.
fn codes(world: &mut World, front: usize) -> Vec<String> {
    let verdict = world.status(front)["verdict"].take();
    let rows = verdict.as_array().unwrap().iter();
    assert!(rows.clone().all(|row| row["severity"] == Severity::Yellow.name()), "{verdict:#}");
    rows.map(|row| row["code"].as_str().unwrap().to_string()).collect()
}

/// Returns a world with keepalived on both machines, in which front 0 has the address.
fn with_keepalived() -> World {
    let mut world = with_address();
    tracked(&mut world, &[0, 1], 12);
    notified(&mut world, 0, "MASTER");
    notified(&mut world, 1, "BACKUP");
    for front in 0..2 {
        assert_eq!(could(&mut world, front), [true, true]);
        assert_eq!(codes(&mut world, front), [""; 0]);
    }
    world
}

#[test]
fn keepalived_that_has_fallen_silent_there_keeps_the_role_here() {
    let mut world = with_keepalived();
    tracked(&mut world, &[0], 12);
    refused(&mut world, "keepalived there has not run its track scripts for 13 s");
    assert_eq!(could(&mut world, 0), [true, false]);
    assert_eq!(could(&mut world, 1), [false, true]);
    assert_eq!(codes(&mut world, 0), ["address-not-there"]);
    assert_eq!(codes(&mut world, 1), ["address-not-here"]);
    let metrics = world.http(0, "GET /metrics HTTP/1.1\r\n\r\n");
    for row in ["{machine=\"this\"} 1", "{machine=\"other\"} 0"] {
        assert!(metrics.contains(&format!("tmrd_address_could_take{row}")), "{row}");
    }
    // It runs again.
    tracked(&mut world, &[0, 1], 3);
    assert_eq!(codes(&mut world, 0), [""; 0]);
    goes(&mut world);
}

#[test]
fn keepalived_in_fault_there_keeps_the_role_here() {
    let mut world = with_keepalived();
    notified(&mut world, 1, "FAULT");
    refused(&mut world, "keepalived there is in FAULT");
    assert_eq!(codes(&mut world, 0), [""; 0], "it may pass, as after a failover");
    assert_eq!(world.status(0)["twin"]["starting"], true);
    tracked(&mut world, &[0, 1], 6);
    assert_eq!(world.status(0)["twin"]["starting"], false);
    assert_eq!(codes(&mut world, 0), ["address-not-there"]);
    notified(&mut world, 1, "BACKUP");
    goes(&mut world);
}

#[test]
fn a_role_that_was_offered_while_the_twin_did_not_run_stays_here() {
    let mut world = with_keepalived();
    // By its wall clock the machine there was paused while the order waited for it.
    world.fronts[1].ahead += 40;
    assert_eq!(order(&mut world).0, 202);
    world.run();
    world.advance(SECOND * 2);
    assert!(world.leads(0) && !world.leads(1), "{:#}", world.status(1));
    tracked(&mut world, &[0, 1], 3);
    goes(&mut world);
}

#[test]
fn keepalived_that_never_ran_there_keeps_the_role_here() {
    let mut world = with_address();
    assert_eq!(could(&mut world, 0), [Value::Null, Value::Null]);
    tracked(&mut world, &[0], 3);
    refused(&mut world, "the front has just started");
    assert_eq!(world.status(0)["twin"]["starting"], true);
    assert_eq!(codes(&mut world, 0), [""; 0], "it may come in a moment");
    tracked(&mut world, &[0], 10);
    refused(&mut world, "since the front there started: it does not run");
    assert_eq!(world.status(0)["twin"]["starting"], false);
    assert_eq!(codes(&mut world, 0), ["address-not-there"]);
    assert_eq!(codes(&mut world, 1), ["address-not-here"]);
}

#[test]
fn where_nothing_is_known_of_keepalived_nothing_is_refused() {
    let mut world = with_address();
    world.advance(STARTING + TRACK_SILENT);
    assert_eq!(could(&mut world, 0), [Value::Null, Value::Null]);
    assert_eq!(codes(&mut world, 0), [""; 0]);
    goes(&mut world);
    // There is no address that could move.
    let mut world = twins();
    tracked(&mut world, &[0], 20);
    assert_eq!(world.status(0)["address"], Value::Null);
    goes(&mut world);
}

#[test]
fn a_twin_of_before_says_nothing_of_its_machine_and_is_given_the_role() {
    let mut world = World::new(1);
    world.address(0, true);
    world.advance(SECOND);
    world.line.cut = true;
    world.add_front();
    world.fronts[1].node.speak(Version { minor: Version::MACHINE - 1, ..Version::OWN });
    world.address(1, false);
    world.line.cut = false;
    tracked(&mut world, &[0], 20);
    assert_eq!(could(&mut world, 0), [Value::Bool(true), Value::Null]);
    assert_eq!(codes(&mut world, 0), [""; 0]);
    goes(&mut world);
}

#[test]
fn a_twin_that_could_not_serve_is_not_given_the_role() {
    let mut world = twins();
    for backend in 0..2 {
        world.part(1, backend);
    }
    refused(&mut world, "the front there could not serve: fewer than two members");
    world.network.cut.clear();
    world.advance(5 * SECOND);
    goes(&mut world);
}

#[test]
fn an_interface_that_is_down_there_keeps_the_role_here() {
    let mut world = with_keepalived();
    let down =
        |reason: Option<&str>| FrontEvent::VirtualAddressObstacle(reason.map(Into::into)).into();
    world.step_front(1, down(Some("the interface eth0 is down")));
    world.run();
    refused(&mut world, "the interface eth0 is down");
    world.step_front(1, down(None));
    world.run();
    goes(&mut world);
}

#[test]
fn a_failover_that_is_under_way_ends_where_the_address_could_not_go_any_more() {
    let mut world = with_keepalived();
    for backend in 0..3 {
        world.backends[backend].stuck = true;
    }
    let client = world.connect(0);
    world.call(0, client, crate::testing::seat());
    assert_eq!(order(&mut world).0, 202);
    notified(&mut world, 1, "FAULT");
    for backend in 0..3 {
        world.unstick(backend);
    }
    assert!(world.leads(0));
    let trouble = world.status(0)["failover_trouble"].take();
    assert!(trouble.as_str().is_some_and(|reason| reason.contains("FAULT")), "{trouble}");
}
