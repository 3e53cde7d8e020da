//! What an operator sees and does on the admin page of a front.

use super::{World, twins};
use crate::base::credentials::AdminAccess;
use crate::base::limits::{EVENTS_DENIED, EVENTS_KEPT, PACE_REFUSED};
use crate::base::time::Duration;
use crate::io::HostEvent;
use crate::log::Mode;
use crate::testing::{access, release, seat};
use alloc::boxed::Box;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use serde_json::Value;

const SECOND: Duration = Duration::from_secs(1);

/// Returns the list of events, the latest first.
fn events(world: &mut World, front: usize) -> Vec<String> {
    let answer = world.http(front, "GET /api/events HTTP/1.1\r\n\r\n");
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    let list: Vec<Value> = serde_json::from_str(body).unwrap();
    list.iter().map(|event| event["text"].as_str().unwrap().into()).collect()
}

/// Takes a handle back as an operator. Returns the status line and the sentence.
fn take_back(world: &mut World, front: usize, handle: u32) -> String {
    let entrance = AdminAccess { operator: true, ..AdminAccess::default() };
    world.step_front(front, HostEvent::AdminAccess(Box::new(entrance)).into());
    let body = format!("{{\"handle\": {handle}}}");
    let length = body.len();
    world.http(
        front,
        &format!(
            "POST /api/release HTTP/1.1\r\nX-Tmr-Admin: 1\r\nAuthorization: Basic b3BlcmF0b3I6cHc=\r\n\
             Content-Length: {length}\r\n\r\n{body}"
        ),
    )
}

#[test]
fn a_seat_taken_back_is_free_and_its_client_is_told_at_its_next_call() {
    let mut world = twins();
    let client = world.connect(0);
    let (status, handle) = world.ask(0, client, seat());
    assert_eq!(status, 0);
    world.advance(SECOND);
    let refused = take_back(&mut world, 1, handle);
    assert!(refused.starts_with("HTTP/1.1 409 ") && refused.contains("does not lead"), "{refused}");
    let taken = take_back(&mut world, 0, handle);
    assert!(taken.starts_with("HTTP/1.1 202 "), "{taken}");
    world.advance(SECOND);
    assert_eq!(world.seats(0), 0);
    assert_eq!(world.ask(0, client, release(handle)).0, 106);
    let again = take_back(&mut world, 0, handle);
    assert!(again.starts_with("HTTP/1.1 409 ") && again.contains("nobody holds"), "{again}");
    assert!(events(&mut world, 0)[0].contains("taken back from"));
}

#[test]
fn what_changes_is_noted_once() {
    let mut world = twins();
    let noted = events(&mut world, 0);
    let count =
        |noted: &[String], what: &str| noted.iter().filter(|text| text.contains(what)).count();
    assert_eq!(count(&noted, "is connected"), 4, "three backends and a twin: {noted:?}");
    assert_eq!(count(&noted, "this front leads, in epoch"), 1, "{noted:?}");
    world.crash(2);
    world.advance(SECOND);
    let noted = events(&mut world, 0);
    assert_eq!(count(&noted, "is gone"), 1, "{noted:?}");
    world.advance(10 * SECOND);
    assert_eq!(events(&mut world, 0), noted, "nothing has happened since");
    assert_eq!(count(&events(&mut world, 1), "this front leads"), 0);
}

#[test]
fn refusals_that_are_alike_are_one_event_and_push_no_other_out() {
    let mut world = twins();
    let others = events(&mut world, 0);
    world.advance(SECOND);
    world.take(0, 5);
    let client = world.connect(0);
    for _ in 0..3 {
        world.ask(0, client, seat());
    }
    for product in 1000..1000 + u32::try_from(EVENTS_KEPT).unwrap() {
        world.ask(0, client, access(product, Mode::UserLimit, 60));
        world.advance(SECOND / PACE_REFUSED);
    }
    world.advance(SECOND);
    world.ask(0, client, seat());
    let noted = events(&mut world, 0);
    assert!(noted[0].contains("refused: 212 ") && !noted[0].contains("times"), "{}", noted[0]);
    assert_eq!(noted.iter().filter(|text| text.contains("refused")).count(), EVENTS_DENIED);
    assert_eq!(noted[EVENTS_DENIED..], others);
    world.ask(0, client, seat());
    assert!(events(&mut world, 0)[0].contains(", 2 times since "));
}
