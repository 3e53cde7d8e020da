//! One configuration for two fronts: a change at one front follows at the other.

use super::{World, twins};
use crate::base::credentials::AdminAccess;
use crate::base::time::Duration;
use crate::config::{Config, InForce};
use crate::io::{ConfigNotStored, ConfigStoreResult, FrontEvent, HostEvent};
use crate::messages::twin::Version;
use crate::testing::identity;
use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use alloc::{format, vec};
use serde_json::{Value, json};

const SECOND: Duration = Duration::from_secs(1);

/// Returns the configuration file of a front.
fn text(front: usize, revision: u32, cleanup: u32) -> String {
    let twin = 20 + (front ^ 1);
    format!(
        r#"{{ "TmrServer": {{ "Revision": {revision}, "Ip": "192.0.2.{front}",
  "TwinServer": {{ "Ip": "twin", "Port": {twin} }}, "CleanUpTimeInSeconds": {cleanup} }},
  "CmServer": {{ "Server": [ {{ "Ip": "backend", "Port": 10 }}, {{ "Ip": "backend", "Port": 11 }},
    {{ "Ip": "backend", "Port": 12 }} ] }} }}"#
    )
}

/// Puts a text into effect, as a front's machine does.
fn put(world: &mut World, front: usize, text: &str) {
    let mut config = Config::parse(text).unwrap();
    // Ports of the world begin with 0.
    config.twin.address.port -= 20;
    config.backends.iter_mut().for_each(|address| address.port -= 10);
    let (path, address) = ("tmrconf.json".into(), identity().address);
    let new = InForce { config, text: text.into(), path, address };
    world.step_front(front, FrontEvent::Configured(Box::new(new)).into());
    world.run();
}

/// Stores what a front wants stored, or refuses it. Returns the text.
#[track_caller]
fn store(world: &mut World, front: usize, refused: Option<&str>) -> String {
    let [(index, text)] = &core::mem::take(&mut world.stores)[..] else { panic!("one text") };
    assert_eq!(*index, front);
    let stored: ConfigStoreResult = match refused {
        None => {
            put(world, front, text);
            Ok(vec![])
        }
        Some(reason) => {
            Err(ConfigNotStored { file: "tmrconf.json".into(), reason: reason.to_string() })
        }
    };
    world.step_front(front, FrontEvent::ConfigStored(stored).into());
    world.run();
    text.clone()
}

fn twin(world: &mut World, front: usize) -> Value {
    world.status(front)["twin"].take()
}

#[track_caller]
fn alike(world: &mut World) {
    assert!(world.stores.is_empty(), "{:?}", world.stores);
    for front in 0..2 {
        let twin = twin(world, front);
        assert_eq!((&twin["differs"], &twin["configuration_trouble"]), (&json!([]), &Value::Null));
    }
}

#[test]
fn the_one_that_was_changed_later_is_followed() {
    for first in [0, 1] {
        let mut world = twins();
        put(&mut world, first, &text(first, 3, 60));
        put(&mut world, 1 - first, &text(1 - first, 2, 90));
        assert_eq!(store(&mut world, 1 - first, None), text(1 - first, 3, 60));
        alike(&mut world);
        // While they are connected, and when they come together again.
        put(&mut world, 1, &text(1, 4, 61));
        assert_eq!(store(&mut world, 0, None), text(0, 4, 61));
        world.line.cut = true;
        world.break_line();
        put(&mut world, 0, &text(0, 5, 62));
        assert!(world.stores.is_empty());
        world.line.cut = false;
        world.advance(SECOND * 3);
        assert_eq!(store(&mut world, 1, None), text(1, 5, 62));
        alike(&mut world);
    }
}

#[test]
fn of_two_that_were_changed_equally_often_nobody_follows() {
    let mut world = twins();
    put(&mut world, 0, &text(0, 3, 60));
    put(&mut world, 1, &text(1, 3, 90));
    assert!(world.stores.is_empty());
    let row = |ours: &str, theirs: &str| json!([{ "key": "TmrServer.CleanUpTimeInSeconds", "ours": ours, "theirs": theirs }]);
    assert_eq!(twin(&mut world, 0)["differs"], row("60", "90"));
    assert_eq!(twin(&mut world, 1)["differs"], row("90", "60"));
    put(&mut world, 0, &text(0, 3, 90));
    alike(&mut world);
}

#[test]
fn a_machine_that_refuses_is_asked_once_and_says_why() {
    let mut world = twins();
    put(&mut world, 0, &text(0, 0, 60));
    put(&mut world, 1, &text(1, 1, 90));
    store(&mut world, 0, Some("the file was changed by hand"));
    assert!(world.stores.is_empty());
    let twin = twin(&mut world, 0);
    assert_eq!(twin["configuration_trouble"], "the file was changed by hand");
    assert_eq!(twin["differs"][0]["key"], "TmrServer.CleanUpTimeInSeconds");
    // Its next change is adopted.
    put(&mut world, 1, &text(1, 2, 91));
    store(&mut world, 0, None);
    alike(&mut world);
}

#[test]
fn an_older_twin_is_told_what_it_knows() {
    let mut world = World::new(1);
    world.line.cut = true;
    world.add_front();
    world.fronts[1].node.speak(Version { major: 1, minor: 2 });
    put(&mut world, 0, &text(0, 3, 60));
    world.line.cut = false;
    world.advance(SECOND * 3);
    assert!(world.stores.is_empty());
    let differs = twin(&mut world, 1)["differs"].take();
    assert_eq!(differs[0]["key"], "TmrServer.CleanUpTimeInSeconds");
    assert_eq!((&differs[0]["ours"], &differs[0]["theirs"]), (&"7200".into(), &"60".into()));
    // At every change, not only at first.
    put(&mut world, 0, &text(0, 4, 7200));
    assert_eq!(twin(&mut world, 1)["differs"], json!([]));
}

#[test]
fn a_page_hears_what_became_of_its_change() {
    let mut world = twins();
    put(&mut world, 0, &text(0, 1, 60));
    let entrance = AdminAccess { operator: true, ..AdminAccess::default() };
    world.step_front(0, HostEvent::AdminAccess(Box::new(entrance)).into());
    let post = |world: &mut World, text: &str| {
        let length = text.len();
        let head = "X-Tmr-Admin: 1\r\nAuthorization: Basic b3BlcmF0b3I6cHc=";
        let request = format!(
            "POST /api/config HTTP/1.1\r\n{head}\r\nContent-Length: {length}\r\n\r\n{text}"
        );
        let page = world.asks(0, &request);
        world.run();
        page
    };
    let page = post(&mut world, &text(0, 1, 61));
    assert_eq!(world.client(0, page).replies, Vec::<Vec<u8>>::new(), "not before it is known");
    // Meanwhile no other change is accepted.
    let other = post(&mut world, &text(0, 1, 62));
    assert!(world.client(0, other).replies[0].starts_with(b"HTTP/1.1 409 "));
    assert_eq!(store(&mut world, 0, None), text(0, 2, 61));
    assert!(world.client(0, page).replies[0].starts_with(b"HTTP/1.1 200 "));
    let page = post(&mut world, &text(0, 2, 63));
    store(&mut world, 0, Some("no room"));
    let reply = String::from_utf8(world.client(0, page).replies[0].clone()).unwrap();
    assert!(
        reply.starts_with("HTTP/1.1 409 ") && reply.contains("\"message\": \"no room\""),
        "{reply}"
    );
    // A page whose link is gone does not change that.
    let page = post(&mut world, &text(0, 2, 64));
    world.hang_up(0, page, false);
    assert_eq!(store(&mut world, 0, None), text(0, 3, 64));
    let shown = world.http(0, "GET /api/config HTTP/1.1\r\n\r\n");
    assert!(shown.contains("\"revision\": 3"), "{shown}");
}
